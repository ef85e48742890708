"""The organisers' questions and consents on a web form: what a page shows of them, and what comes back.

Used by the public form, by the holder's own change and by the desk; none of them needs JavaScript. A file that was
chosen on a form with something wrong is not lost: it waits under a random name for a day, and the form that comes
back holds a sealed mark of it, good for this question of this event alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from events import answers, form_rules
from events.answers import Answers, Extras
from events.form_rules import ACCEPT, FILE_MAX_MB, ConsentFacts, FileAnswer, FileType, FormCode, Question
from events.identity_rules import read_identity
from events.rules import EventFacts, FieldKind, IdDocumentKind
from kernel import codes
from kernel.errors import Code, Invalid, Problem, TooLarge, TooMany
from kernel.text import N_
from people import pictures, uploads
from people.pictures import PictureProblem
from people.rules import safe_filename
from web import forms, i18n, render, routing

#: How long a chosen file waits for the rest of its form to be right.
PENDING_FOR: Final = timedelta(days=1)
#: Files of one event that wait at once: what somebody could fill our disk with, never what honest people need.
PENDING_MB: Final = 2_000
#: For the routes whose forms take files: every file question answered, and a megabyte of everything else.
BODY_MAX: Final = (form_rules.FILE_QUESTIONS_AT_MOST * FILE_MAX_MB + 1) * 1024 * 1024
FIELDS_MAX: Final = 60 + 2 * form_rules.QUESTIONS_AT_MOST * form_rules.OPTIONS_AT_MOST


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key, which seals the marks of waiting files."""
    _Wiring.key = key


# --- what a page shows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionField:
    """A question as a form shows it, in the reader's language (template part ``events/parts/questions.html``)."""

    id: int
    name: str
    kind: str
    label: str
    help: str
    is_required: bool
    #: (value, words)
    choices: Sequence[tuple[str, str]]
    #: What was typed or answered; several for a question that takes several.
    values: Sequence[str]
    #: A file that is here already: its sealed mark and its name.
    kept: str = ""
    kept_name: str = ""
    #: Where its owner gets it back; empty for one that is not an answer yet.
    kept_href: str = ""
    #: Ticket types that are asked, as ids with spaces between; empty: all.
    types: str = ""
    #: Asked now; the others wait, out of sight, for their ticket type to be chosen.
    is_asked: bool = True
    accept: str = ACCEPT

    @property
    def value(self) -> str:
        return self.values[-1] if self.values else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentField:
    """A consent as a form shows it."""

    name: str
    title: str
    text: Markup | None
    is_required: bool
    is_ticked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that a form asks beyond the contact."""

    questions: Sequence[QuestionField] = ()
    consents: Sequence[ConsentField] = ()
    #: (value, words); empty where documents are not asked for
    id_kinds: Sequence[tuple[str, str]] = ()

    @property
    def takes_files(self) -> bool:
        return any(one.kind == FieldKind.FILE for one in self.questions)

    @property
    def labels(self) -> dict[str, str]:
        """Field names to words, for the summary of problems."""
        found = {one.name: one.label for one in self.questions} | {
            one.name: one.title for one in self.consents
        }
        if self.id_kinds:
            found |= {
                "id_kind": i18n.gettext("Kind of document"),
                "id_number": i18n.gettext("Document number"),
                "id_consent": i18n.gettext("Identity document"),
            }
        return found


ID_KINDS: Final[Mapping[IdDocumentKind, str]] = {
    IdDocumentKind.RESIDENT_ID: N_("Resident identity card"),
    IdDocumentKind.PASSPORT: N_("Passport (travel document)"),
    IdDocumentKind.HK_MACAO_PERMIT: N_("Mainland travel permit for Hong Kong and Macao residents"),
    IdDocumentKind.TAIWAN_PERMIT: N_("Mainland travel permit for Taiwan residents"),
    IdDocumentKind.FOREIGNER_ID: N_("Foreign permanent resident identity card"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an event asks today."""

    event: EventFacts
    questions: Sequence[Question]
    consents: Sequence[ConsentFacts]
    #: Somebody answers for others: nobody gives another's document.
    is_for_others: bool = False

    @property
    def asks_identity(self) -> bool:
        return self.event.id_document_days is not None and not self.is_for_others

    def of(self, ticket_type_id: int | None) -> Sequence[Question]:
        return [question for question in self.questions if question.asks(ticket_type_id)]


async def asked(event: EventFacts) -> Asked:
    """Everything that the event's form asks; three statements at most."""
    return Asked(event, await answers.questions(event.id), await answers.consent_texts(event.id))


def sheet(
    what: Asked,
    *,
    ticket_type_id: int | None,
    reading: Reading | None = None,
    only_asked: bool = False,
    files_base: str = "",
) -> Sheet:
    """The form's fields, with what was typed or answered before.

    Questions of other ticket types are there too, out of sight, unless ``only_asked``. ``files_base`` is the address
    below which files that are answers already are got back, by question id.
    """
    locale = i18n.current_locale()
    seen = reading or Reading()
    fields = []
    for question in what.questions:
        is_asked = question.asks(ticket_type_id)
        if only_asked and not is_asked:
            continue
        kept = seen.files.get(question.id)
        fields.append(
            QuestionField(
                id=question.id,
                name=question.name,
                kind=str(question.kind),
                label=question.label.in_(locale),
                help=question.help.in_(locale),
                is_required=question.is_required,
                choices=_choices(question, locale),
                values=seen.typed.get(question.name, ()),
                kept=mark(what.event.id, question.id, kept) if kept else "",
                kept_name=kept.filename if kept else "",
                kept_href=f"{files_base}/{question.id}"
                if kept and files_base and kept.digest == _of_answer(kept.upload_id)
                else "",
                types=" ".join(str(number) for number in sorted(question.ticket_type_ids)),
                is_asked=is_asked,
            )
        )
    return Sheet(
        questions=fields,
        consents=[
            ConsentField(
                name=one.name,
                title=one.title.in_(locale),
                text=render.markdown(one.text.in_(locale)) if one.text.in_(locale) else None,
                is_required=one.is_required,
                is_ticked=bool(seen.typed.get(one.name)),
            )
            for one in what.consents
        ],
        id_kinds=[(str(kind), i18n.gettext(words)) for kind, words in ID_KINDS.items()]
        if what.asks_identity
        else (),
    )


def _choices(question: Question, locale: str) -> Sequence[tuple[str, str]]:
    if question.kind is FieldKind.YES_NO:
        return [("yes", i18n.gettext("Yes")), ("no", i18n.gettext("No"))]
    return [(option.code, option.label.in_(locale)) for option in question.options]


# --- what comes back ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form said: clean extras, and what a form that comes back must show again."""

    extras: Extras = field(default_factory=Extras)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[int, FileAnswer] = field(default_factory=dict)
    #: Ids of the questions that stood on the form.
    asked: frozenset[int] = frozenset()

    def without_file(self, names: Iterable[str]) -> Reading:
        """The same, but the files of these fields have gone and must be chosen again."""
        gone = {int(name.removeprefix("q.")) for name in names if name.removeprefix("q.").isdigit()}
        left = {number: file for number, file in self.files.items() if number not in gone}
        return Reading(self.extras, self.problems, self.typed, left, self.asked)


async def posted(request: Request, what: Asked) -> FormData:
    """The posted form of a route that may take files: large only where the event asks for some.

    Raises TooLarge, and Refusal ``bad_request`` for what can't be read.
    """
    files = sum(question.kind is FieldKind.FILE for question in what.questions)
    length = request.headers.get("content-length", "")
    if not files and not (length.isascii() and length.isdigit() and int(length) <= routing.BODY_MAX):
        raise TooLarge()
    return await forms.form_data(request, max_files=files, max_fields=FIELDS_MAX)


async def read(
    what: Asked,
    data: FormData,
    *,
    ticket_type_id: int,
    actor_key: str,
    at: datetime,
) -> Reading:
    """Reads and checks a posted form; files that are well are kept at once, pending. Raises TooMany when far too
    many wait already.
    """
    typed = {
        name: [item for item in data.getlist(name) if isinstance(item, str)]
        for name in data
        if name.startswith(("q.", "consent."))
    }
    files: dict[int, FileAnswer | Problem] = {}
    for question in what.of(ticket_type_id):
        if question.kind is FieldKind.FILE:
            found = await read_file(
                data, question.name, event_id=what.event.id, key=question.id, actor_key=actor_key, at=at
            )
            if found is not None:
                files[question.id] = found
    await data.close()
    read = form_rules.read(
        what.questions, what.consents, ticket_type_id=ticket_type_id, typed=typed, files=files
    )
    # In the order of the page: questions, a document, consents.
    consents = {name: one for name, one in read.problems.items() if name.startswith("consent.")}
    problems = {name: one for name, one in read.problems.items() if name not in consents}
    given = None
    if what.asks_identity:
        document = read_identity(
            str(data.get("id_kind", "")),
            str(data.get("id_number", "")),
            consented=bool(data.get("id_consent")),
        )
        if isinstance(document, dict):
            problems |= document
        else:
            given = document
    problems |= consents
    return Reading(
        extras=Extras(read.answers, read.consents, given),
        problems=problems,
        typed=typed,
        files={number: file for number, file in files.items() if isinstance(file, FileAnswer)},
        asked=frozenset(
            int(text)
            for text in data.getlist("asked")
            if isinstance(text, str) and text.isascii() and text.isdigit()
        ),
    )


async def read_file(
    data: FormData,
    name: str,
    *,
    event_id: int,
    key: int | str,
    actor_key: str,
    at: datetime,
    pictures_only: bool = False,
) -> FileAnswer | Problem | None:
    """The file in a form's field ``name``, kept at once and pending; or the one whose mark came back; or what is wrong.

    ``key`` is what the mark is good for: a question's id, or a word for a field of another kind. Raises TooMany when far
    too many wait already.
    """
    chosen = [item for item in data.getlist(name) if isinstance(item, UploadFile) and item.filename]
    if not chosen:
        sealed = str(data.get(f"{name}.kept", ""))
        if not sealed or data.get(f"{name}.drop"):
            return None
        return await _kept(event_id, key, sealed) or Problem(FormCode.FILE_GONE)
    upload = chosen[-1]
    content = await upload.read(FILE_MAX_MB * 1024 * 1024 + 1)
    return await keep_file(
        content,
        upload.filename or "",
        name=name,
        event_id=event_id,
        actor_key=actor_key,
        at=at,
        pictures_only=pictures_only,
    )


async def keep_file(
    content: bytes,
    filename: str,
    *,
    name: str,
    event_id: int,
    actor_key: str,
    at: datetime,
    pictures_only: bool = False,
) -> FileAnswer | Problem:
    """A file that came in the field ``name``, kept and pending; or what is wrong with it. Raises TooMany."""
    kind = form_rules.check_file(content)
    if pictures_only and kind not in (FileType.PNG, FileType.JPEG):
        return Problem(PictureProblem.NOT_A_PICTURE)
    if isinstance(kind, Problem):
        return kind
    if await uploads.pending_bytes(event_id) > PENDING_MB * 1024 * 1024:
        raise TooMany(Code.TOO_MANY, retry_after_s=3600)
    digest = hashlib.sha256(content).hexdigest()
    if kind in (FileType.PNG, FileType.JPEG):
        # Drawn anew: where a picture was taken, and whatever hides behind it, stays outside.
        try:
            picture = await pictures.clean(content, field=name, least=1)
        except Invalid as refusal:
            return refusal.fields[name]
        content = picture.data
        kind = form_rules.sniff(content) or kind
    filename = form_rules.named_as(safe_filename(filename, 110), kind)
    number = await uploads.keep(
        data=content,
        filename=filename,
        event_id=event_id,
        actor_key=actor_key,
        at=at,
        keep_until=at + PENDING_FOR,
    )
    return FileAnswer(number, filename, digest)


def mark(event_id: int, question_id: int | str, file: FileAnswer) -> str:
    """A file's sealed mark for a hidden field: who makes one up opens nothing."""
    return f"{file.upload_id}.{file.digest}.{_seal(event_id, question_id, file.upload_id, file.digest)}"


def _seal(event_id: int, question_id: int | str, upload_id: int, digest: str) -> str:
    assert len(_Wiring.key) >= 32, "main calls questionnaire.configure first"
    return codes.keyed_hash(
        _Wiring.key, "pending file", f"{event_id}\x00{question_id}\x00{upload_id}\x00{digest}"
    )[:32]


async def _kept(event_id: int, question_id: int | str, sealed: str) -> FileAnswer | None:
    number, _, rest = sealed.partition(".")
    digest, _, seal = rest.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    right = _seal(event_id, question_id, int(number), digest)
    if not codes.same_secret(right, seal):
        return None
    name = (await uploads.filenames([int(number)])).get(int(number))
    return FileAnswer(int(number), name, digest) if name is not None else None


def _of_answer(upload_id: int) -> str:
    return f"upload-{upload_id}"


def answered(what: Asked, stored: Answers) -> Reading:
    """What a registration answered, as a form shows it again. A file's digest is its own upload's: it is the answer
    already.
    """
    typed: dict[str, Sequence[str]] = {}
    files: dict[int, FileAnswer] = {}
    for question in what.questions:
        answer = stored.answers.get(question.id)
        if answer is None:
            continue
        if answer.upload_id is not None:
            files[question.id] = FileAnswer(answer.upload_id, answer.filename, _of_answer(answer.upload_id))
        else:
            typed[question.name] = form_rules.as_typed(question, answer.value)
    for consent in what.consents:
        said = stored.consents.get(consent.id)
        if said is not None and said.is_given:
            typed[consent.name] = ["1"]
    return Reading(typed=typed, files=files)
