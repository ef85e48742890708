"""Letters to speakers: composed from a template in the reader's language, drafted in the outbox, sent by a person.

docs/decisions/0032-letters-wait-for-a-human.md says why. Promises: the same words never go to the same address of an
event twice while they are true; a speaker's secret link never lies in a row (``letter_parts`` adds it when the letter
leaves); any number of letters is a fixed number of statements; what is no longer so and has not left is discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from agenda import cfp_queries, letter_templates
from agenda.cfp_queries import CallFacts, SpeakerFacts, speaker_facts
from agenda.letter_rules import (
    ABOUT_A_STATE,
    OF_MOVE,
    Missing,
    Occasion,
    Placeholder,
    filled,
    filled_line,
    language_for,
    leaves_at_once,
)
from agenda.letter_templates import Words
from agenda.models import Forum, Proposal, ProposalSpeaker, SessionType, Speaker, SpeakerLetter
from agenda.proposal_rules import ProposalState
from agenda.words import STATE_WORDS
from events import letter as event_words
from events import queries as events
from events.rules import EventFacts
from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import NotFound
from kernel.text import N_, LocalizedText
from people import drafts, letters
from people.letters import Composed, NewLetter
from web import i18n, render
from web.i18n import gettext_in

if TYPE_CHECKING:
    from agenda.proposals import Moved

COMPOSER: Final = "speaker"
_UNTITLED: Final = N_("Without a title yet")
_SOMEBODY: Final = N_("speaker")


def _own_page(slug: str, speaker: SpeakerFacts) -> str:
    del speaker  # opened by signing in
    return render.url("agenda.cfp.own", slug=slug)


class _Wiring:
    key: bytes = b""
    link: Callable[[str, SpeakerFacts], str] = staticmethod(_own_page)


def configure(*, key: bytes) -> None:
    """Called once by main: the key of the digests, and the composer that adds the link."""
    _Wiring.key = key
    letters.compose_with(COMPOSER, letter_parts)


def link_with(link: Callable[[str, SpeakerFacts], str]) -> None:
    """Sets what makes the path of a speaker's own page, secret included, of the event's alias and the speaker."""
    _Wiring.link = staticmethod(link)


async def letter_parts(speaker_id: int, locale: str) -> Composed | None:
    """What the composer adds when the letter is sent: the link. None once the speaker is erased."""
    del locale
    row = await Speaker.get_or_none(id=speaker_id, erased_at__isnull=True)
    if row is None:
        return None
    event = await events.find_event_by_id(row.event_id)
    assert event is not None
    return Composed(link=render.absolute(_Wiring.link(event.slug, speaker_facts(row))))


# --- drafted -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One speaker to be told, perhaps about one proposal. ``values`` are what only the caller knows (``missing``,
    ``who``, ``reason``), or knows better; a LocalizedText is read in the letter's language.
    """

    speaker_id: int
    proposal_id: int | None = None
    values: Mapping[Placeholder, LocalizedText | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What became of the tellings: letters made, how many had been written before, speakers without an address."""

    letter_ids: Sequence[int] = ()
    same: int = 0
    without_address: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A letter as its reader would get it, the link not yet in it."""

    telling: Telling
    to_email: str
    locale: str
    subject: str
    text: str


async def draft(
    *,
    actor: Actor,
    event_id: int,
    code: Occasion,
    tellings: Sequence[Telling],
    at: datetime,
    release_id: int | None = None,
    at_once: bool = False,
    words: Words | None = None,
) -> Drafted:
    """Writes a letter to each and lays it into the outbox: as a draft, or ``at_once`` to be sent.

    ``words`` in place of the event's template, for a message by hand. A fixed number of statements; inside the caller's
    unit of work it is kept or lost with it. What was written to the same address in the same words, and has not been
    discarded since, is not written again. Raises NotFound for an unknown event.
    """
    del actor  # the journal has the move, the release or the sending
    if not tellings:
        return Drafted()
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.letters:{event_id}")
        written, without = await write(event_id=event_id, code=code, tellings=tellings, words=words)
        by_digest = {_digest(one): one for one in reversed(written)}
        known = await _known(event_id, list(by_digest))
        new = [(digest, one) for digest, one in reversed(by_digest.items()) if digest not in known]
        keys = {digest: f"speaker:{uuid4().hex}" for digest, _ in new}
        await letters.queue_many(
            [
                NewLetter(
                    key=keys[digest],
                    to_email=one.to_email,
                    locale=one.locale,
                    subject=one.subject,
                    text=one.text,
                    event_id=event_id,
                    composer=COMPOSER,
                    composer_id=one.telling.speaker_id,
                    is_draft=not at_once,
                )
                for digest, one in new
            ],
            at=at,
        )
        ids = await drafts.ids_of(list(keys.values())) if keys else {}
        await SpeakerLetter.bulk_create(
            [
                SpeakerLetter(
                    event_id=event_id,
                    letter_id=ids[keys[digest]],
                    code=code,
                    speaker_id=one.telling.speaker_id,
                    proposal_id=one.telling.proposal_id,
                    release_id=release_id,
                    digest=digest,
                    created_at=at,
                )
                for digest, one in new
            ]
        )
    return Drafted(
        letter_ids=[ids[keys[digest]] for digest, _ in new],
        same=len(written) - len(new),
        without_address=without,
    )


def _digest(one: Written) -> str:
    said = f"{one.to_email}\x00{one.subject}\x00{one.text}"
    return codes.keyed_hash(_Wiring.key, "speaker-letter", said)


async def _known(event_id: int, digests: Sequence[str]) -> set[str]:
    """Which of these were written before; what was discarded no longer counts, so that it can be written again."""
    inside = db.in_list("$2", "text")
    listed = db.list_parameter(digests)
    await db.execute(
        f"UPDATE speaker_letter SET digest = {_PAST} WHERE event_id = $1 AND digest {inside} "  # noqa: S608
        "AND letter_id IN (SELECT l.id FROM letter l WHERE l.event_id = $1 AND l.state = 'discarded')",
        event_id,
        listed,
    )
    rows = await db.query(
        f"SELECT digest FROM speaker_letter WHERE event_id = $1 AND digest {inside}",  # noqa: S608 -- our own words
        event_id,
        listed,
    )
    return {row["digest"] for row in rows}


#: A digest that stands in nobody's way any more, still one of its own.
_PAST: Final = "'past:' || CAST(letter_id AS TEXT)"


async def look(
    *, event_id: int, code: Occasion, tellings: Sequence[Telling], words: Words | None = None
) -> tuple[Sequence[Written], int, Sequence[int]]:
    """What ``draft`` would write now, each once; how many went before; who has no address. Changes nothing."""
    written, without = await write(event_id=event_id, code=code, tellings=tellings, words=words)
    by_digest = {_digest(one): one for one in reversed(written)}
    rows = await db.query(
        "SELECT sl.digest FROM speaker_letter sl LEFT JOIN letter l ON l.id = sl.letter_id WHERE sl.event_id = $1 "  # noqa: S608
        f"AND (l.state IS NULL OR l.state <> 'discarded') AND sl.digest {db.in_list('$2', 'text')}",
        event_id,
        db.list_parameter(list(by_digest)),
    )
    known = {row["digest"] for row in rows}
    new = [one for digest, one in reversed(by_digest.items()) if digest not in known]
    return new, len(known), sorted(set(without))


async def write(
    *, event_id: int, code: Occasion, tellings: Sequence[Telling], words: Words | None = None
) -> tuple[Sequence[Written], Sequence[int]]:
    """The letters as they would go, in the tellings' order, and the speakers who have no address. Changes nothing."""
    event = await events.find_event_by_id(event_id)
    if event is None:
        raise NotFound()
    if words is None:
        words = (await letter_templates.find(event_id, code)).words
    offered = [tag for tag, text in words.text.items() if text and words.subject.get(tag)]
    people = {
        row.id: row
        for row in await Speaker.filter(
            event_id=event_id, id__in=sorted({one.speaker_id for one in tellings}), erased_at__isnull=True
        )
    }
    talks = {
        row.id: row
        for row in await Proposal.filter(
            event_id=event_id, id__in=sorted({one.proposal_id or 0 for one in tellings})
        )
    }
    filler = await _filler(event, code)
    written: list[Written] = []
    without: list[int] = []
    for one in tellings:
        person = people.get(one.speaker_id)
        if person is None:
            continue
        if not person.email:
            without.append(person.id)
            continue
        locale = language_for(person.locale, offered)
        values = filler.values(locale, person, talks.get(one.proposal_id or 0), one.values)
        written.append(
            Written(
                telling=one,
                to_email=person.email,
                locale=locale,
                subject=filled_line(words.subject[locale], values)[: letters.SUBJECT_MAX],
                text=filled(words.text[locale], values) + "\n",
            )
        )
    return written, without


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filler:
    """What stands behind the placeholders of one event and occasion."""

    event: EventFacts
    code: Occasion
    call: CallFacts
    types: Mapping[int, LocalizedText]
    forums: Mapping[int, LocalizedText]

    def values(
        self,
        locale: str,
        person: Speaker,
        talk: Proposal | None,
        own: Mapping[Placeholder, LocalizedText | str],
    ) -> dict[Placeholder, str]:
        said = {
            Placeholder.NAME: _line(LocalizedText.of(person.name).in_(locale))
            or gettext_in(locale, _SOMEBODY),
            Placeholder.EVENT: _line(self.event.name.in_(locale)),
            Placeholder.WHEN: event_words.days(self.event, locale),
            Placeholder.PLACE: event_words.place(self.event, locale),
            Placeholder.HOST: _line(f"{person.host_name} {person.host_contact}"),
            Placeholder.EMAIL: person.email or "",
            Placeholder.DEADLINE: self._deadline(locale),
        }
        if talk is not None:
            said |= {
                Placeholder.TITLE: _line(LocalizedText.of(talk.title).in_(locale))
                or gettext_in(locale, _UNTITLED),
                Placeholder.TYPE: _line(self.types.get(talk.session_type_id or 0, _NONE).in_(locale)),
                Placeholder.FORUM: _line(self.forums.get(talk.forum_id or 0, _NONE).in_(locale)),
                Placeholder.STATE: gettext_in(locale, STATE_WORDS[ProposalState(talk.state)]),
            }
        for name, value in own.items():
            said[name] = value.in_(locale) if isinstance(value, LocalizedText) else value
        return said

    def _deadline(self, locale: str) -> str:
        until = {
            Occasion.RECEIVED: self.call.notify_by,
            Occasion.ACCEPTED: self.call.confirm_by,
            Occasion.CONFIRMED: self.call.slides_due_at,
            Occasion.NUDGE: self.call.slides_due_at,
            Occasion.DRAFT_REMINDER: self.call.closes_at,
        }.get(self.code)
        return moment_in(locale, until, self.event.time_zone) if until is not None else ""


_NONE: Final = LocalizedText()


async def _filler(event: EventFacts, code: Occasion) -> _Filler:
    return _Filler(
        event=event,
        code=code,
        call=await cfp_queries.find_call(event.id) or CallFacts(event_id=event.id),
        types={row.id: LocalizedText.of(row.name) for row in await SessionType.filter(event_id=event.id)},
        forums={row.id: LocalizedText.of(row.name) for row in await Forum.filter(event_id=event.id)},
    )


async def preview(
    event: EventFacts, code: Occasion, words: Words, *, proposal_id: int | None = None
) -> Sequence[tuple[str, str, str]]:
    """Language, subject and text as the first speaker of a proposal would read them, or somebody invented."""
    link = await ProposalSpeaker.filter(proposal_id=proposal_id or 0).order_by("position", "id").first()
    person = await Speaker.get_or_none(id=link.speaker_id) if link else None
    talk = await Proposal.get_or_none(id=proposal_id or 0, event_id=event.id)
    filler = await _filler(event, code)
    found = []
    for locale in (tag for tag, text in words.text.items() if text and words.subject.get(tag)):
        values = filler.values(
            locale,
            person or Speaker(name={locale: gettext_in(locale, N_("Lin Xiaoyu"))}, email="name@example.org"),
            talk
            or Proposal(title={locale: gettext_in(locale, N_("Open source in practice"))}, state="submitted"),
            {
                Placeholder.WHO: gettext_in(locale, N_("The programme team")),
                Placeholder.MISSING: gettext_in(locale, N_("· a picture")),
                Placeholder.REASON: gettext_in(locale, N_("The room is not available.")),
            },
        )
        found.append((locale, filled_line(words.subject[locale], values), filled(words.text[locale], values)))
    return found


def moment_in(locale: str, at: datetime, zone: str) -> str:
    """A moment of the event in the words of a letter's language, for values that a caller adds."""
    token = i18n.use_locale(locale)
    try:
        return render.moment(at, zone)
    finally:
        i18n.reset_locale(token)


def _line(text: str) -> str:
    return " ".join(text.split())


# --- to whom -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom a message goes to: the speakers of proposals that fit every condition; drafts are never among them."""

    states: frozenset[ProposalState] = frozenset()
    forum_id: int | None = None
    session_type_id: int | None = None
    tag_id: int | None = None
    missing: Missing | None = None


_MISSING: Final[Mapping[Missing, str]] = {
    Missing.PICTURE: "s.picture_upload_id IS NULL",
    Missing.BIO: "CAST(s.bio AS TEXT) = '{}'",
    Missing.CONSENTS: "(k.allows_slides IS NULL OR k.allows_photo IS NULL OR k.allows_video IS NULL)",
    Missing.SLIDES: "NOT EXISTS (SELECT 1 FROM proposal_resource r WHERE r.proposal_id = p.id AND r.purpose = 'slides')",
}


async def audience(event_id: int, wanted: Audience) -> Sequence[Telling]:
    """One telling for each speaker in each proposal that fits; one statement."""
    states = wanted.states - {ProposalState.DRAFT} or frozenset(ProposalState) - {ProposalState.DRAFT}
    values: list[Any] = [event_id, db.list_parameter(sorted(states))]
    where = ""
    for condition, value in (
        ("p.forum_id = {}", wanted.forum_id),
        ("p.session_type_id = {}", wanted.session_type_id),
        (
            "EXISTS (SELECT 1 FROM proposal_tag t WHERE t.proposal_id = p.id AND t.tag_id = {})",
            wanted.tag_id,
        ),
    ):
        if value is not None:
            values.append(value)
            where += " AND " + condition.format(f"${len(values)}")
    if wanted.missing is not None:
        where += f" AND {_MISSING[wanted.missing]}"
    rows = await db.query(
        "SELECT k.speaker_id, p.id AS proposal_id FROM proposal p JOIN proposal_speaker k ON k.proposal_id = p.id "  # noqa: S608
        "JOIN speaker s ON s.id = k.speaker_id WHERE p.event_id = $1 AND s.erased_at IS NULL "
        f"AND p.state {db.in_list('$2', 'text')}{where} ORDER BY p.id, k.position, k.id",
        *values,
    )
    return [Telling(speaker_id=row["speaker_id"], proposal_id=row["proposal_id"]) for row in rows]


async def writers_of_drafts(event_id: int) -> Sequence[Telling]:
    """Who began a proposal and has not handed it in: once each, without saying which; one statement."""
    rows = await db.query(
        "SELECT DISTINCT k.speaker_id FROM proposal p JOIN proposal_speaker k ON k.proposal_id = p.id "
        "JOIN speaker s ON s.id = k.speaker_id WHERE p.event_id = $1 AND p.state = 'draft' "
        "AND p.account_id IS NOT NULL AND s.erased_at IS NULL ORDER BY k.speaker_id",
        event_id,
    )
    return [Telling(speaker_id=row["speaker_id"]) for row in rows]


# --- what a move tells -------------------------------------------------------------------------------------------


async def follow_move(news: Moved) -> None:
    """Connected to ``proposals.moved``: takes back what is no longer so, and writes what has become true.

    A receipt for what a speaker did goes at once; a decision about them waits for a person. A release does both for
    all its proposals together, and an invitation is written by whoever invites.
    """
    if news.release_id is not None:
        return
    await take_back([news.proposal_id])
    occasion = OF_MOVE.get(news.verb)
    if occasion is None:
        return
    links = await ProposalSpeaker.filter(proposal_id=news.proposal_id).order_by("position", "id")
    reason: Mapping[Placeholder, str] = {Placeholder.REASON: news.reason} if news.reason.strip() else {}
    await draft(
        actor=news.actor,
        event_id=news.event_id,
        code=occasion,
        tellings=[
            Telling(speaker_id=link.speaker_id, proposal_id=news.proposal_id, values=reason) for link in links
        ],
        at=news.at,
        at_once=leaves_at_once(occasion, own_doing=await _is_own_doing(news.actor, news.proposal_id, links)),
    )


async def _is_own_doing(actor: Actor, proposal_id: int, links: Sequence[ProposalSpeaker]) -> bool:
    if actor.kind in (ActorKind.SYSTEM, ActorKind.DEVICE):
        return False
    if actor.kind is not ActorKind.ACCOUNT:
        # Whoever came by a speaker's secret link.
        return True
    if await Proposal.filter(id=proposal_id, account_id=actor.id).exists():
        return True
    return await Speaker.filter(id__in=[link.speaker_id for link in links], account_id=actor.id).exists()


async def take_back(proposal_ids: Iterable[int]) -> None:
    """Discards the letters about these proposals' states that have not left, and forgets those that have: what a
    proposal comes to again may be told again. Two statements; inside the caller's unit of work.
    """
    rows = await db.query(
        f"UPDATE speaker_letter SET digest = {_PAST} WHERE proposal_id {db.in_list('$1', 'int')} "  # noqa: S608
        f"AND code IN ({_STATE_CODES}) RETURNING letter_id",
        db.list_parameter(proposal_ids),
    )
    if rows:
        await drafts.withdraw([int(row["letter_id"]) for row in rows])


_STATE_CODES: Final = ", ".join(sorted(f"'{one}'" for one in ABOUT_A_STATE))


async def erase(speaker_ids: Sequence[int]) -> None:
    """Deletes every letter to these speakers, whatever address it went to; inside the caller's unit of work."""
    rows = await db.query(
        f"DELETE FROM speaker_letter WHERE speaker_id {db.in_list('$1', 'int')} RETURNING letter_id",  # noqa: S608
        db.list_parameter(speaker_ids),
    )
    await drafts.erase([int(row["letter_id"]) for row in rows])


# --- read --------------------------------------------------------------------------------------------------------

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of an event's letters to speakers; nothing said: all of them."""

    state: str = ""
    code: Occasion | None = None
    release_id: int | None = None
    speaker_id: int | None = None
    #: Part of an address or a subject.
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterLine:
    """A letter and whom it concerns; ``problem`` as in the outbox."""

    id: int
    code: Occasion
    state: str
    subject: str
    to_email: str
    locale: str
    problem: str
    speaker_id: int | None
    speaker_name: LocalizedText
    proposal_code: str
    proposal_title: LocalizedText
    release_id: int | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterList:
    """One page, the newest first; counts are of everything but the state's own condition."""

    lines: Sequence[LetterLine]
    total: int
    page: int
    pages: int
    by_state: Mapping[str, int]
    by_code: Mapping[Occasion, int]
    #: The newest letter's number: "send all" sends no letter that was written after the page was read.
    newest: int


_FROM: Final = (
    "FROM speaker_letter sl JOIN letter l ON l.id = sl.letter_id LEFT JOIN speaker s ON s.id = sl.speaker_id "
    "LEFT JOIN proposal p ON p.id = sl.proposal_id WHERE sl.event_id = $1"
)


def _conditions(event_id: int, wanted: Wanted, *, without: str = "") -> tuple[str, list[Any]]:
    values: list[Any] = [event_id]
    where = ""
    for column, value in (
        ("l.state", wanted.state),
        ("sl.code", str(wanted.code or "")),
        ("sl.release_id", wanted.release_id),
        ("sl.speaker_id", wanted.speaker_id),
    ):
        if value and column != without:
            values.append(value)
            where += f" AND {column} = ${len(values)}"
    if wanted.text:
        plain = wanted.text.casefold().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values.append(f"%{plain}%")
        where += (
            f" AND (lower(l.to_email) LIKE ${len(values)} ESCAPE '!' "
            f"OR lower(l.subject) LIKE ${len(values)} ESCAPE '!')"
        )
    return where, values


async def listed(event_id: int, wanted: Wanted, *, page: int = 1) -> LetterList:
    """Three statements, however many letters there are."""
    where, values = _conditions(event_id, wanted, without="l.state")
    states = await db.query(
        f"SELECT l.state, sl.code, count(*) AS n, max(l.id) AS newest {_FROM}{where} GROUP BY l.state, sl.code",
        *values,
    )
    by_state: dict[str, int] = {}
    for row in states:
        by_state[row["state"]] = by_state.get(row["state"], 0) + int(row["n"])
    other, other_values = _conditions(event_id, wanted, without="sl.code")
    codes_ = await db.query(
        f"SELECT sl.code, count(*) AS n {_FROM}{other} GROUP BY sl.code",
        *other_values,
    )
    total = by_state.get(wanted.state, 0) if wanted.state else sum(by_state.values())
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    where, values = _conditions(event_id, wanted)
    rows = await db.query(
        f"SELECT {_LINE} {_FROM}{where} ORDER BY l.id DESC LIMIT {PAGE_SIZE} OFFSET {(page - 1) * PAGE_SIZE}",
        *values,
    )
    return LetterList(
        lines=[_letter_line(row) for row in rows],
        total=total,
        page=page,
        pages=pages,
        by_state=by_state,
        by_code={Occasion(row["code"]): int(row["n"]) for row in codes_},
        newest=max((int(row["newest"]) for row in states), default=0),
    )


_LINE: Final = (
    "l.id, sl.code, l.state, l.subject, l.to_email, l.locale, l.last_problem, sl.speaker_id, s.name AS name, "
    "p.code AS proposal_code, p.title AS title, sl.release_id, l.created_at, l.sent_at"
)


def _letter_line(row: Mapping[str, Any]) -> LetterLine:
    created_at = db.as_instant(row["created_at"])
    assert created_at is not None
    return LetterLine(
        id=int(row["id"]),
        code=Occasion(row["code"]),
        state=row["state"],
        subject=row["subject"],
        to_email=row["to_email"],
        locale=row["locale"],
        problem=row["last_problem"],
        speaker_id=row["speaker_id"],
        speaker_name=cfp_queries.text_of(row["name"]),
        proposal_code=row["proposal_code"] or "",
        proposal_title=cfp_queries.text_of(row["title"]),
        release_id=row["release_id"],
        created_at=created_at,
        sent_at=db.as_instant(row["sent_at"]),
    )


async def find(event_id: int, letter_id: int) -> LetterLine:
    """Raises NotFound for a letter that is none to a speaker of this event."""
    rows = await db.query(f"SELECT {_LINE} {_FROM} AND l.id = $2", event_id, letter_id)
    if not rows:
        raise NotFound()
    return _letter_line(rows[0])


async def own(event_id: int, letter_ids: Iterable[int]) -> Sequence[int]:
    """Those of these letters that go to speakers of this event."""
    rows = await db.query(
        f"SELECT letter_id FROM speaker_letter WHERE event_id = $1 AND letter_id {db.in_list('$2', 'int')}",  # noqa: S608
        event_id,
        db.list_parameter(letter_ids),
    )
    return [int(row["letter_id"]) for row in rows]


async def numbers(event_id: int, wanted: Wanted, *, newest: int) -> Sequence[int]:
    """The letters that conditions name, none newer than ``newest``; for acting on all of them."""
    where, values = _conditions(event_id, wanted)
    rows = await db.query(
        f"SELECT l.id {_FROM}{where} AND l.id <= ${len(values) + 1} ORDER BY l.id",
        *values,
        newest,
    )
    return [int(row["id"]) for row in rows]
