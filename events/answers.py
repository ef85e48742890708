"""What a registration answered to the organisers' own questions, and what it agreed to.

Promises: answers and consents are written in the transaction that made or changed the registration; a file counts as
an answer only when it was still pending, so that no two registrations share one; reading many registrations' answers
costs as many statements as reading one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from events import identity
from events.form_rules import ConsentFacts, FileAnswer, FormCode, Option, Question
from events.identity_rules import IdDocumentGiven
from events.models import ConsentText, FormField, FormFieldTicketType
from events.rules import FieldKind
from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import uploads


@dataclass(frozen=True, slots=True)
class Extras:
    """Answers by question id and consents by text id, already read and checked (``form_rules``).

    An answer is JSON's own type, or a ``FileAnswer`` for a question that takes a file.
    """

    answers: Mapping[int, Any] = field(default_factory=dict)
    consents: Mapping[int, bool] = field(default_factory=dict)
    identity: IdDocumentGiven | None = None

    def body(self) -> dict[str, Any]:
        """What makes two sendings of one form the same, for ``people.replays``: files by content, not by upload."""
        return {
            "answers": {
                str(number): value.digest if isinstance(value, FileAnswer) else value
                for number, value in self.answers.items()
            },
            "consents": {str(number): given for number, given in self.consents.items()},
            "identity": self.identity.digest() if self.identity else "",
        }


# --- what is asked -----------------------------------------------------------------------------------------------


async def questions(
    event_id: int, ticket_type_id: int | None = None, *, everything: bool = False
) -> Sequence[Question]:
    """The event's questions in their order, switched-off ones only with ``everything``; two statements.

    With a ticket type only what somebody with it is asked.
    """
    rows = await FormField.filter(event_id=event_id).order_by("position", "id")
    types: dict[int, set[int]] = {}
    if rows:
        for row in await FormFieldTicketType.filter(form_field_id__in=[row.id for row in rows]):
            types.setdefault(row.form_field_id, set()).add(row.ticket_type_id)
    found = [
        Question(
            id=row.id,
            code=row.code,
            kind=FieldKind(row.kind),
            label=LocalizedText.of(row.label),
            help=LocalizedText.of(row.help),
            options=tuple(Option.of(one) for one in row.options),
            is_required=row.is_required,
            is_personal=row.is_personal,
            is_active=row.is_active,
            position=row.position,
            ticket_type_ids=frozenset(types.get(row.id, ())),
        )
        for row in rows
    ]
    if everything:
        return found
    if ticket_type_id is None:
        return [question for question in found if question.is_active]
    return [question for question in found if question.asks(ticket_type_id)]


async def consent_texts(event_id: int, *, everything: bool = False) -> Sequence[ConsentFacts]:
    """The event's consents as they are asked today, in their order; with ``everything`` every version, oldest first."""
    wanted = ConsentText.filter(event_id=event_id)
    if not everything:
        wanted = wanted.filter(is_current=True)
    return [
        ConsentFacts(
            id=row.id,
            code=row.code,
            version=row.version,
            title=LocalizedText.of(row.title),
            text=LocalizedText.of(row.text),
            is_required=row.is_required,
            is_current=row.is_current,
            position=row.position,
            created_at=row.created_at,
        )
        for row in await wanted.order_by("position", "code", "version")
    ]


# --- keeping -----------------------------------------------------------------------------------------------------


async def store(*, event_id: int, registration_id: int, extras: Extras, locale: str, at: datetime) -> None:
    """Keeps the answers and consents of one registration; inside the caller's unit of work.

    Raises Invalid at the question whose file is no longer pending: it was taken by another registration, or waited
    too long.
    """
    await _put_answers(event_id, registration_id, extras.answers, at)
    if extras.consents:
        await _put_consents(event_id, registration_id, extras.consents, locale, at)
    if extras.identity is not None:
        await identity.store(registration_id=registration_id, given=extras.identity, at=at)


async def store_many(
    *, event_id: int, registration_ids: Sequence[int], consents: Mapping[int, bool], locale: str, at: datetime
) -> None:
    """Keeps the same consents for several registrations, for a group that one person registers; one statement."""
    async with unit_of_work():
        await _insert_consents(
            event_id,
            [(number, text, given) for number in registration_ids for text, given in consents.items()],
            locale,
            at,
        )


async def _put_answers(event_id: int, registration_id: int, answers: Mapping[int, Any], at: datetime) -> None:
    files = {number: value for number, value in answers.items() if isinstance(value, FileAnswer)}
    if files:
        kept = await uploads.claim([value.upload_id for value in files.values()], at)
        gone = {number for number, value in files.items() if value.upload_id not in kept}
        if gone:
            raise Invalid({f"q.{number}": Problem(FormCode.FILE_GONE) for number in sorted(gone)})
    if not answers:
        return
    await put_answers(event_id, [(registration_id, number, value) for number, value in answers.items()])


async def put_answers(event_id: int, given: Sequence[tuple[int, int, Any]]) -> None:
    """Keeps answers as (registration id, question id, value), a later one in place of an earlier; one statement, for
    imports of many. Inside the caller's unit of work.
    """
    rows = [
        {
            "registration": registration_id,
            "field": number,
            # As JSON text: SQLite would take true for 1 and a list for nothing.
            "value": None if isinstance(value, FileAnswer) else orjson.dumps(value).decode(),
            "upload": value.upload_id if isinstance(value, FileAnswer) else None,
        }
        for registration_id, number, value in given
    ]
    value = "r.value" if db.dialect() == "sqlite" else "r.value::jsonb"
    source = db.json_rows("$1", registration="int", field="int", value="text", upload="int")
    async with unit_of_work():
        # Only questions of this event: a hand-made form can't answer another's.
        await db.execute(
            "INSERT INTO form_answer (registration_id, form_field_id, value, upload_id) "  # noqa: S608 -- our own words
            f"SELECT r.registration, q.id, {value}, r.upload FROM {source} "
            "CROSS JOIN form_field q WHERE q.id = r.field AND q.event_id = $2 "
            "ON CONFLICT (registration_id, form_field_id) DO UPDATE "
            "SET value = excluded.value, upload_id = excluded.upload_id",
            orjson.dumps(rows).decode(),
            event_id,
        )


async def _put_consents(
    event_id: int, registration_id: int, consents: Mapping[int, bool], locale: str, at: datetime
) -> None:
    async with unit_of_work():
        await _insert_consents(
            event_id, [(registration_id, text, given) for text, given in consents.items()], locale, at
        )


async def _insert_consents(
    event_id: int, given: Sequence[tuple[int, int, bool]], locale: str, at: datetime
) -> None:
    stamp = db.stored_instant(at)
    rows = [
        {"registration": one, "text": text, "given": said, "locale": locale, "at": stamp}
        for one, text, said in given
    ]
    source = db.json_rows("$1", registration="int", text="int", given="bool", locale="text", at="instant")
    # A second word to the same version takes the first one's place; another version is a row of its own.
    await db.execute(
        "INSERT INTO consent (registration_id, consent_text_id, is_given, locale, at) "  # noqa: S608 -- column names only
        f"SELECT r.registration, t.id, r.given, r.locale, r.at FROM {source} "
        "CROSS JOIN consent_text t WHERE t.id = r.text AND t.event_id = $2 "
        "ON CONFLICT (registration_id, consent_text_id) DO UPDATE "
        "SET is_given = excluded.is_given, locale = excluded.locale, at = excluded.at",
        orjson.dumps(rows).decode(),
        event_id,
    )


async def replace(
    *,
    event_id: int,
    registration_id: int,
    extras: Extras,
    locale: str,
    at: datetime,
    asked: Iterable[int] | None = None,
) -> None:
    """Puts new answers and consents in place of the old, inside the caller's unit of work, for somebody who changes
    their own registration or an organiser who does.

    ``asked`` are the ids of the questions that stood on the form: what it did not ask stays as it was; without it
    everything is replaced. A ``FileAnswer`` whose upload is the answer already is left alone; a file that another
    one replaces, or that is taken away, is removed for good after the commit.
    """
    await _replace_answers(
        event_id, registration_id, extras.answers, None if asked is None else set(asked), at
    )
    if extras.consents:
        await _put_consents(event_id, registration_id, extras.consents, locale, at)
    if extras.identity is not None:
        await identity.store(registration_id=registration_id, given=extras.identity, at=at)


async def _replace_answers(
    event_id: int, registration_id: int, answers: Mapping[int, Any], asked: set[int] | None, at: datetime
) -> None:
    async with unit_of_work():
        old = await db.query(
            "SELECT form_field_id, upload_id FROM form_answer WHERE registration_id = $1", registration_id
        )
        kept_files = {
            row["form_field_id"]
            for row in old
            if isinstance(value := answers.get(row["form_field_id"]), FileAnswer)
            and value.upload_id == row["upload_id"]
        }
        going = [
            row
            for row in old
            if (asked is None or row["form_field_id"] in asked) and row["form_field_id"] not in kept_files
        ]
        if going:
            await db.execute(
                f"DELETE FROM form_answer WHERE registration_id = $1 AND form_field_id {db.in_list('$2', 'int')}",  # noqa: S608
                registration_id,
                db.list_parameter([row["form_field_id"] for row in going]),
            )
        files = [row["upload_id"] for row in going if row["upload_id"] is not None]
        if files:
            await uploads.expire(files)
        there = {row["form_field_id"] for row in old} - {row["form_field_id"] for row in going}
        fresh = {number: value for number, value in answers.items() if number not in there}
        await _put_answers(event_id, registration_id, fresh, at)


# --- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored answer: a value, or a file by its name."""

    question_id: int
    value: Any
    upload_id: int | None = None
    filename: str = ""


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What somebody said to one version of a consent, when, and in which language they read it."""

    text_id: int
    is_given: bool
    locale: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Answers:
    """All that one registration answered."""

    answers: Mapping[int, Answer] = field(default_factory=dict)
    consents: Mapping[int, ConsentAnswer] = field(default_factory=dict)


async def of(registration_ids: Sequence[int]) -> Mapping[int, Answers]:
    """What these registrations answered, by registration id, one entry for each that was asked for; at most three
    statements for any number.
    """
    ids = db.list_parameter(registration_ids)
    found: dict[int, tuple[dict[int, Answer], dict[int, ConsentAnswer]]] = {
        number: ({}, {}) for number in registration_ids
    }
    if not found:
        return {}
    rows = await db.query(
        "SELECT registration_id, form_field_id, value, upload_id FROM form_answer "  # noqa: S608
        f"WHERE registration_id {db.in_list('$1', 'int')}",
        ids,
    )
    names = await uploads.filenames([row["upload_id"] for row in rows if row["upload_id"] is not None])
    for row in rows:
        value = row["value"]
        found[row["registration_id"]][0][row["form_field_id"]] = Answer(
            row["form_field_id"],
            orjson.loads(value) if isinstance(value, str) else value,
            row["upload_id"],
            names.get(row["upload_id"] or 0, ""),
        )
    for row in await db.query(
        "SELECT registration_id, consent_text_id, is_given, locale, at FROM consent "  # noqa: S608
        f"WHERE registration_id {db.in_list('$1', 'int')}",
        ids,
    ):
        at = db.as_instant(row["at"])
        assert at is not None
        found[row["registration_id"]][1][row["consent_text_id"]] = ConsentAnswer(
            row["consent_text_id"], bool(row["is_given"]), row["locale"], at
        )
    return {number: Answers(*both) for number, both in found.items()}


async def values_of_event(event_id: int) -> Mapping[int, Mapping[int, Any]]:
    """Every answer of an event but files, by registration id and question id; one statement, for imports."""
    found: dict[int, dict[int, Any]] = {}
    for row in await db.query(
        "SELECT a.registration_id, a.form_field_id, a.value FROM form_answer a "
        "JOIN form_field q ON q.id = a.form_field_id WHERE q.event_id = $1 AND a.upload_id IS NULL",
        event_id,
    ):
        value = row["value"]
        found.setdefault(row["registration_id"], {})[row["form_field_id"]] = (
            orjson.loads(value) if isinstance(value, str) else value
        )
    return found


async def file_of(*, event_id: int, registration_id: int, question_id: int) -> tuple[bytes, str]:
    """The file that a registration gave as an answer, and its name; the caller has checked that they may see it.

    Raises NotFound.
    """
    rows = await db.query(
        "SELECT a.upload_id FROM form_answer a JOIN registration g ON g.id = a.registration_id "
        "WHERE a.registration_id = $1 AND a.form_field_id = $2 AND g.event_id = $3 AND a.upload_id IS NOT NULL",
        registration_id,
        question_id,
        event_id,
    )
    if not rows:
        raise NotFound()
    return await uploads.read(int(rows[0]["upload_id"]))
