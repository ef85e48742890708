"""Proposals: written, handed in, moved. The one place that writes a proposal's state.

Promises: a form's UUID is one proposal, however often it arrives; a state changes by ``proposal_rules.MOVES`` and by an
UPDATE that names the old one, so of two that move it at once one is told; an access code is used up in the transaction
that hands in, and never once too often; everything that changes is in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from agenda import call_answers, cfp_queries, history, joining, kept_forms, review_queries, speakers
from agenda.cfp_queries import CallFacts, FieldFacts, ProposalFacts
from agenda.history import Line
from agenda.models import Proposal, ProposalSpeaker
from agenda.proposal_rules import (
    CONSENTS,
    DECISION_OF,
    MINUTES_LEAST,
    MINUTES_MOST,
    CallWindow,
    Condition,
    Filled,
    Origin,
    ProposalCode,
    ProposalState,
    Subject,
    Verb,
    Who,
    door_problems,
    judge,
    lengths,
    may_discard,
    may_edit,
    may_pend,
    missing,
    needs_use,
    window,
)
from agenda.review_rules import Phase
from agenda.speakers import Said
from events.form_rules import FormCode
from events.rules import fold
from events.ticket_rules import fold_code
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem
from kernel.hooks import Hook
from kernel.text import LocalizedText
from people import journal, replays, uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A proposal that has just gone from one state to another."""

    event_id: int
    proposal_id: int
    verb: Verb
    old: ProposalState
    new: ProposalState
    actor: Actor
    at: datetime
    reason: str = ""
    release_id: int | None = None


#: Told inside the transaction of every move: letters and registrations follow it.
moved: Final[Hook[Moved]] = Hook("agenda.proposals.moved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a form says of a proposal. ``said`` and ``allows`` are the sender's own, where they speak in it."""

    title: LocalizedText = field(default_factory=LocalizedText)
    abstract: LocalizedText = field(default_factory=LocalizedText)
    description: LocalizedText = field(default_factory=LocalizedText)
    session_type_id: int | None = None
    forum_id: int | None = None
    minutes: int | None = None
    language: str = ""
    level: str = ""
    audience: str = ""
    takeaways: str = ""
    previous_talks: str = ""
    equipment: str = ""
    notes: str = ""
    #: As it was typed.
    code: str = ""
    answers: Mapping[int, Any] = field(default_factory=dict)
    said: Said | None = None
    speaker_answers: Mapping[int, Any] = field(default_factory=dict)
    allows: tuple[bool | None, bool | None, bool | None] = (None, None, None)

    def problems(self) -> dict[str, Problem]:
        """What can't be kept, by field; what is merely missing keeps nobody from saving."""
        found = lengths(
            {
                "title": self.title,
                "abstract": self.abstract,
                "description": self.description,
                "audience": self.audience,
                "takeaways": self.takeaways,
                "previous_talks": self.previous_talks,
                "equipment": self.equipment,
                "notes": self.notes,
            }
        )
        if self.minutes is not None and not MINUTES_LEAST <= self.minutes <= MINUTES_MOST:
            found["minutes"] = Problem(Code.OUT_OF_RANGE)
        if self.said is not None:
            found |= lengths(
                {
                    "name": self.said.name,
                    "organisation": self.said.organisation,
                    "job": self.said.title,
                    "bio": self.said.bio,
                    "travel_note": self.said.travel_note,
                }
            )
        return found


_COLUMNS: Final = (
    "title",
    "abstract",
    "description",
    "session_type_id",
    "forum_id",
    "minutes",
    "language",
    "level",
    "audience",
    "takeaways",
    "previous_talks",
    "equipment",
    "notes",
)


def search_of(title: LocalizedText, abstract: LocalizedText) -> str:
    """What a proposal is found by."""
    return fold(" ".join([*title.values(), *abstract.values()]))


# --- written -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """What a call offers and asks: read once for a form and its action."""

    call: CallFacts
    types: Sequence[cfp_queries.TypeFacts]
    forums: Sequence[cfp_queries.ForumFacts]
    fields: Sequence[FieldFacts]
    #: The review's active phase, whether or not its dates have come.
    phase: Phase | None = None

    def lets_edit(self, at: datetime) -> bool:
        """Whether speakers may change what they handed in because the review's phase says so."""
        return self.phase is not None and self.phase.is_on(at) and self.phase.speakers_may_edit

    def type_of(self, number: int | None) -> cfp_queries.TypeFacts | None:
        return next((one for one in self.types if one.id == number), None)

    def forum_of(self, number: int | None) -> cfp_queries.ForumFacts | None:
        return next((one for one in self.forums if one.id == number), None)

    def asked(self, subject: Subject) -> Sequence[FieldFacts]:
        """The questions about a subject, whatever the type and forum."""
        return [one for one in self.fields if one.asking.subject is subject and one.asking.is_active]

    def asked_of(self, subject: Subject, draft: Draft) -> Sequence[FieldFacts]:
        """Those that this draft's type and forum are asked: what was answered to others stays as it is."""
        return [
            one
            for one in self.asked(subject)
            if one.asking.asks(type_id=draft.session_type_id, forum_id=draft.forum_id)
        ]


async def world(event_id: int) -> World | None:
    """None where an event has no call."""
    call = await cfp_queries.find_call(event_id)
    if call is None:
        return None
    return World(
        call,
        await cfp_queries.session_types(event_id),
        await cfp_queries.forums(event_id),
        await cfp_queries.fields_of(event_id),
        next((one for one in await review_queries.phases(event_id) if one.is_active), None),
    )


def _check_choices(at_hand: World, draft: Draft, old: ProposalFacts | None) -> dict[str, Problem]:
    """A type and a forum must be offered, or be what they were; a code must be one."""
    found: dict[str, Problem] = {}
    kind = at_hand.type_of(draft.session_type_id)
    if draft.session_type_id is not None and (
        kind is None or (not kind.is_active and (old is None or old.session_type_id != draft.session_type_id))
    ):
        found["session_type"] = Problem(ProposalCode.TYPE_UNKNOWN)
    forum = at_hand.forum_of(draft.forum_id)
    if draft.forum_id is not None and (
        forum is None or (not forum.is_active and (old is None or old.forum_id != draft.forum_id))
    ):
        found["forum"] = Problem(ProposalCode.FORUM_UNKNOWN)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """One arrival of a form."""

    actor: Actor
    event_id: int
    at_hand: World
    draft: Draft
    form_id: UUID
    locale: str
    at: datetime


async def save(
    *,
    actor: Actor,
    event_id: int,
    at_hand: World,
    draft: Draft,
    form_id: UUID,
    locale: str,
    at: datetime,
    proposal_id: int | None = None,
    version: int | None = None,
    who: frozenset[Who] = frozenset({Who.SPEAKER}),
) -> int:
    """Keeps a draft, or changes a proposal, and gives its id; nothing has to be complete but what was handed in.

    The same form again changes the same proposal. Raises Invalid with a problem at each field; Conflict
    ``proposal_stale`` when somebody else has changed it since ``version``; ``proposal_not_editable``;
    ``proposals_too_many``.
    """
    if problems := draft.problems():
        raise Invalid(problems)
    sent = _Sent(
        actor=actor,
        event_id=event_id,
        at_hand=at_hand,
        draft=draft,
        form_id=form_id,
        locale=locale,
        at=at,
    )

    async def attempt() -> int:
        async with unit_of_work():
            number = proposal_id
            if number is None:
                number = await _known_form(actor, event_id, form_id)
            if number is None:
                return await _create(sent)
            await _change(sent, number, version=version, who=who)
            return number

    try:
        return await db.retrying(attempt)
    except (db.IntegrityError, replays.Raced):
        # The same form, pressed twice in one moment: the other press made the row that this one meets now.
        return await db.retrying(attempt)


async def _known_form(actor: Actor, event_id: int, form_id: UUID) -> int | None:
    known = await replays.find(id=form_id, actor_key=actor.key, body={"proposal": event_id})
    if known is None:
        return None
    # A draft that was thrown away since stays so: ``_change`` says that there is none.
    return int(known["id"])


async def _create(sent: _Sent) -> int:
    actor, event_id, at_hand, draft, at = sent.actor, sent.event_id, sent.at_hand, sent.draft, sent.at
    problems = _check_choices(at_hand, draft, None)
    # Nothing here is unique that could say "one too many": whoever has the account's lock counts.
    await db.one_at_a_time(f"agenda.proposals:{event_id}:{actor.key}")
    limit = at_hand.call.proposals_at_most
    if await Proposal.filter(event_id=event_id, account_id=actor.id).count() >= limit:
        raise Conflict(ProposalCode.TOO_MANY_PROPOSALS, limit=limit)
    code_id = await _code_of(sent, None, problems)
    if problems:
        raise Invalid(problems)
    columns = {name: getattr(draft, name) for name in _COLUMNS}

    async def make(code: str) -> Proposal:
        return await Proposal.create(
            guid=uuid4(),
            event_id=event_id,
            code=code,
            origin=Origin.CALL,
            account_id=actor.id,
            call_code_id=code_id,
            form_id=sent.form_id,
            search=search_of(draft.title, draft.abstract),
            created_at=at,
            updated_at=at,
            **columns,
        )

    row = await speakers.with_new_code(make)
    speaker_id = await speakers.of_account(event_id=event_id, actor=actor, locale=sent.locale, at=at)
    await ProposalSpeaker.create(proposal_id=row.id, speaker_id=speaker_id, position=0, joined_at=at)
    await _keep_speaker(row.id, speaker_id, at_hand, draft, at)
    await call_answers.replace(
        subject=Subject.PROPOSAL,
        subject_id=row.id,
        fields=at_hand.asked_of(Subject.PROPOSAL, draft),
        answers=draft.answers,
        at=at,
    )
    await replays.keep(
        id=sent.form_id, actor_key=actor.key, body={"proposal": event_id}, outcome={"id": row.id}, at=at
    )
    await kept_forms.drop(sent.form_id)
    await history.write(actor=actor, proposal_id=row.id, verb="create", at=at, lines=[Line()])
    await _journal(actor, "proposal.create", event_id, row.id, at)
    return int(row.id)


async def _keep_speaker(
    proposal_id: int, speaker_id: int, at_hand: World, draft: Draft, at: datetime
) -> list[Line]:
    """What the sender said of themselves and allows; gives what changed."""
    lines: list[Line] = []
    if draft.said is None:
        return lines
    if draft.said.picture_upload_id is not None and not await uploads.claim(
        [draft.said.picture_upload_id], at
    ):
        raise Invalid({"picture": Problem(FormCode.FILE_GONE)})
    lines += [
        Line(f"speaker.{name}")
        for name in await speakers.change(speaker_id=speaker_id, said=draft.said, at=at)
    ]
    lines += await call_answers.replace(
        subject=Subject.SPEAKER,
        subject_id=speaker_id,
        fields=at_hand.asked_of(Subject.SPEAKER, draft),
        answers=draft.speaker_answers,
        at=at,
    )
    link = await ProposalSpeaker.get(proposal_id=proposal_id, speaker_id=speaker_id)
    said = dict(zip(CONSENTS, draft.allows, strict=True))
    changed = {name: value for name, value in said.items() if getattr(link, name) != value}
    if changed:
        await ProposalSpeaker.filter(id=link.id).update(**said, allowed_at=at)
        lines += [Line(name, getattr(link, name), value) for name, value in changed.items()]
    return lines


async def _code_of(sent: _Sent, old: ProposalFacts | None, problems: dict[str, Problem]) -> int | None:
    """The id of the code that was typed; a wrong one is a problem at its field. None typed: none, or the old one."""
    folded = fold_code(sent.draft.code)
    if not folded:
        return None
    found = await cfp_queries.find_code(sent.event_id, code=folded)
    if found is None:
        problems["code"] = Problem(ProposalCode.CODE_WRONG)
        return None
    if old is not None and old.submitted_at is not None and old.call_code_id == found.id:
        return found.id
    if (problem := found.facts.problem(sent.at)) is not None:
        problems["code"] = problem
    return found.id


async def _change(sent: _Sent, proposal_id: int, *, version: int | None, who: frozenset[Who]) -> None:
    actor, at_hand, draft, at = sent.actor, sent.at_hand, sent.draft, sent.at
    # Whoever changes it reads it when the one before has done: the same form, pressed twice, is told nothing.
    await db.one_at_a_time(f"agenda.proposal:{proposal_id}")
    old = await cfp_queries.find_proposal_by_id(proposal_id)
    if old is None:
        raise NotFound(ProposalCode.UNKNOWN)
    call_open, phase_lets = call_open_for(at_hand, old, at), at_hand.lets_edit(at)
    if not may_edit(old.state, who=who, call_open=call_open, phase_lets=phase_lets):
        raise Forbidden(ProposalCode.NOT_EDITABLE)
    if old.form_id != sent.form_id and version != old.version:
        raise Conflict(ProposalCode.STALE, version=old.version)
    problems = _check_choices(at_hand, draft, old)
    code_id = await _code_of(sent, old, problems)
    columns = {name: getattr(draft, name) for name in _COLUMNS}
    touched = {name: value for name, value in columns.items() if getattr(old, name) != value}
    if old.state is not ProposalState.DRAFT:
        problems |= _narrowed(sent, old, touched, who)
    if problems:
        raise Invalid(problems)
    lines = [Line(name, _said(getattr(old, name)), _said(value)) for name, value in touched.items()]
    own = old.speaker_of(actor.id) if Who.SPEAKER in who else None
    if own is not None:
        lines += await _keep_speaker(old.id, own.speaker.id, at_hand, draft, at)
    lines += await call_answers.replace(
        subject=Subject.PROPOSAL,
        subject_id=old.id,
        fields=at_hand.asked_of(Subject.PROPOSAL, draft),
        answers=draft.answers,
        at=at,
    )
    if code_id is not None and old.submitted_at is None:
        touched["call_code_id"] = code_id
    kept = await db.query(
        "UPDATE proposal SET version = version + 1, form_id = $3 WHERE id = $1 AND version = $2 RETURNING id",
        old.id,
        old.version,
        str(sent.form_id),
    )
    if not kept:
        # Somebody saved between our reading and now.
        raise Conflict(ProposalCode.STALE, version=old.version + 1)
    if touched or lines:
        await Proposal.filter(id=old.id).update(
            **touched, search=search_of(draft.title, draft.abstract), updated_at=at
        )
    await kept_forms.drop(sent.form_id)
    await history.write(actor=actor, proposal_id=old.id, verb="edit", at=at, lines=lines)
    if lines and old.state is not ProposalState.DRAFT:
        await _journal(actor, "proposal.edit", old.event_id, old.id, at)


def _said(value: Any) -> Any:
    return dict(value) if isinstance(value, LocalizedText) else value


def _narrowed(
    sent: _Sent, old: ProposalFacts, touched: Mapping[str, Any], who: frozenset[Who]
) -> dict[str, Problem]:
    """What was handed in stays whole, and moves by itself only to types and forums that anybody may choose."""
    found: dict[str, Problem] = {}
    at_hand, draft = sent.at_hand, sent.draft
    if Who.SPEAKER in who:
        own = old.speakers[0] if old.speakers else None
        said = draft.said
        found |= missing(
            Filled(
                title=draft.title,
                abstract=draft.abstract,
                has_type=draft.session_type_id is not None,
                language=draft.language,
                name=said.name if said else own.speaker.name if own else LocalizedText(),
                bio=said.bio if said else own.speaker.bio if own else LocalizedText(),
                allows=draft.allows if said else (True, True, True),
                unanswered=call_answers.unanswered(
                    at_hand.asked(Subject.PROPOSAL),
                    draft.answers,
                    type_id=draft.session_type_id,
                    forum_id=draft.forum_id,
                    at=sent.at,
                ),
            )
        )
        # An invited talk may stay as thin as it was asked for; its speaker completes it when they can.
        if old.origin is not Origin.CALL:
            found = {name: one for name, one in found.items() if name == "title"}
    elif not any(text.strip() for text in draft.title.values()):
        found["title"] = Problem(Code.REQUIRED)
    if Who.CHAIR in who or Who.PRODUCER in who:
        return found
    kind, forum = at_hand.type_of(draft.session_type_id), at_hand.forum_of(draft.forum_id)
    if "session_type_id" in touched and kind is not None and kind.needs_code:
        found["session_type"] = Problem(ProposalCode.TYPE_NEEDS_CODE)
    if "forum_id" in touched and forum is not None and forum.needs_code:
        found["forum"] = Problem(ProposalCode.FORUM_NEEDS_CODE)
    return found


def _door(
    at_hand: World, proposal: ProposalFacts, code: cfp_queries.CodeRow | None, at: datetime
) -> dict[str, Problem]:
    kind, forum = at_hand.type_of(proposal.session_type_id), at_hand.forum_of(proposal.forum_id)
    return door_problems(
        dates=at_hand.call.dates,
        session_type=kind.choice if kind else None,
        forum=forum.choice if forum else None,
        code=code.facts if code else None,
        at=at,
    )


def call_open_for(at_hand: World, proposal: ProposalFacts, at: datetime) -> bool:
    """Whether its speakers may still change what was handed in because the call is open for it.

    A type or forum that needed a code when it was handed in needs none to be corrected.
    """
    kind = at_hand.type_of(proposal.session_type_id)
    return window(at_hand.call.dates, at, own_closing=kind.closes_at if kind else None) is CallWindow.OPEN


async def discard(*, actor: Actor, proposal: ProposalFacts, who: frozenset[Who], at: datetime) -> None:
    """Throws a draft away for good, with all that belongs to it. Raises Forbidden for anything else."""
    if not may_discard(proposal.state, who=who):
        raise Forbidden(ProposalCode.MOVE_NOT_YOURS)
    async with unit_of_work():
        files = [one.upload_id for one in proposal.resources if one.upload_id is not None]
        answered = await db.query(
            "SELECT upload_id FROM call_answer WHERE proposal_id = $1 AND upload_id IS NOT NULL", proposal.id
        )
        gone = await db.query(
            "DELETE FROM proposal WHERE id = $1 AND state = 'draft' RETURNING id", proposal.id
        )
        if not gone:
            raise Conflict(ProposalCode.MOVE_NOT_FROM_HERE, state=proposal.state)
        files += [int(row["upload_id"]) for row in answered]
        if files:
            await uploads.expire(files)
        await _journal(actor, "proposal.discard", proposal.event_id, proposal.id, at)


# --- handed in ---------------------------------------------------------------------------------------------------


async def filled(at_hand: World, proposal: ProposalFacts, *, account_id: int | None, at: datetime) -> Filled:
    """What of a proposal is written, for ``proposal_rules.missing``: the words, the sender, the required answers."""
    own = proposal.speaker_of(account_id) if account_id is not None else None
    own = own or (proposal.speakers[0] if proposal.speakers else None)
    answers = await cfp_queries.answers_of(
        proposal_ids=[proposal.id], speaker_ids=[own.speaker.id] if own else []
    )

    def values(subject: Subject, number: int) -> dict[int, Any]:
        return {
            question: stored.value if stored.upload_id is None else stored.upload_id
            for question, stored in answers.get((subject, number), {}).items()
        }

    scope = {"type_id": proposal.session_type_id, "forum_id": proposal.forum_id}
    unanswered = call_answers.unanswered(
        at_hand.asked(Subject.PROPOSAL), values(Subject.PROPOSAL, proposal.id), **scope, at=at
    )
    if own is not None:
        unanswered += call_answers.unanswered(
            at_hand.asked(Subject.SPEAKER), values(Subject.SPEAKER, own.speaker.id), **scope, at=at
        )
    return Filled(
        title=proposal.title,
        abstract=proposal.abstract,
        has_type=proposal.session_type_id is not None,
        language=proposal.language,
        name=own.speaker.name if own else LocalizedText(),
        bio=own.speaker.bio if own else LocalizedText(),
        allows=own.allows if own else (None, None, None),
        unanswered=unanswered,
    )


async def submit(
    *, actor: Actor, at_hand: World, proposal_id: int, who: frozenset[Who], at: datetime
) -> ProposalState:
    """Hands a draft in. Pressed again it is handed in already, and nothing happens.

    Raises Invalid with what is missing or closed, each at its field; ``code`` for a code that is used up: of many that
    hand in at its last use, one does.
    """

    async def attempt() -> ProposalState:
        async with unit_of_work():
            proposal = await cfp_queries.find_proposal_by_id(proposal_id)
            if proposal is None:
                raise NotFound(ProposalCode.UNKNOWN)
            if proposal.state is ProposalState.SUBMITTED:
                return proposal.state
            code = (
                await cfp_queries.find_code(proposal.event_id, code_id=proposal.call_code_id)
                if proposal.call_code_id is not None
                else None
            )
            problems = missing(await filled(at_hand, proposal, account_id=actor.id, at=at))
            is_writer = not who & {Who.CHAIR, Who.PRODUCER}
            if is_writer:
                if code is not None and proposal.submitted_at is None and (why := code.facts.problem(at)):
                    problems["code"] = why
                problems |= _door(at_hand, proposal, code, at)
            if problems:
                raise Invalid(problems)
            if is_writer and code is not None and proposal.submitted_at is None:
                await _use(at_hand, proposal, code, at)
            holds = frozenset({Condition.CALL_OPEN, Condition.COMPLETE})
            state = await _apply(
                actor=actor, proposal=proposal, verb=Verb.SUBMIT, who=who, holds=holds, at=at
            )
            await joining.send_parked(actor=actor, proposal_id=proposal.id, at=at)
            return state

    try:
        return await db.retrying(attempt)
    except Conflict as refusal:
        if refusal.code == ProposalCode.MOVE_NOT_FROM_HERE:
            # Pressed twice in one moment: the other press was first.
            row = await Proposal.get_or_none(id=proposal_id)
            if row is not None and row.state == ProposalState.SUBMITTED:
                return ProposalState.SUBMITTED
        raise


async def _use(at_hand: World, proposal: ProposalFacts, code: cfp_queries.CodeRow, at: datetime) -> None:
    """Uses a code up once, where it was what let the proposal in; the database says when it was used too often."""
    kind, forum = at_hand.type_of(proposal.session_type_id), at_hand.forum_of(proposal.forum_id)
    assert kind is not None
    if not needs_use(
        dates=at_hand.call.dates, session_type=kind.choice, forum=forum.choice if forum else None, at=at
    ):
        return
    taken = await db.query(
        "UPDATE call_code SET used = used + 1 WHERE id = $1 AND is_active "
        "AND (valid_until IS NULL OR valid_until > $2) AND (max_uses IS NULL OR used < max_uses) RETURNING id",
        code.id,
        at,
    )
    if not taken:
        raise Invalid({"code": Problem(ProposalCode.CODE_USED_UP)})


async def put_many(columns: tuple[tuple[str, str], ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Writes proposals of another system in the states that they have there, inside an import's unit of work.

    Nobody is told: what a move sets going (letters, registrations) has happened where they come from.
    """
    await db.write_together(db.Insert("proposal", columns, rows))


# --- moved -------------------------------------------------------------------------------------------------------


async def move(
    *,
    actor: Actor,
    event_id: int,
    proposal_id: int,
    verb: Verb,
    who: frozenset[Who],
    holds: frozenset[Condition] = frozenset(),
    at: datetime,
    reason: str = "",
    release_id: int | None = None,
) -> ProposalState:
    """Moves a proposal by a verb other than ``submit``, which asks for more; gives the state that it comes to.

    Raises NotFound; Forbidden ``proposal_move_not_yours``; Conflict ``proposal_move_not_from_here`` (with the state that
    it is in) or the condition that fails.
    """
    assert verb is not Verb.SUBMIT, "handing in has an action of its own"
    async with unit_of_work():
        proposal = await cfp_queries.find_proposal_by_id(proposal_id)
        if proposal is None or proposal.event_id != event_id:
            raise NotFound(ProposalCode.UNKNOWN)
        return await _apply(
            actor=actor,
            proposal=proposal,
            verb=verb,
            who=who,
            holds=holds,
            at=at,
            reason=reason,
            release_id=release_id,
        )


async def _apply(
    *,
    actor: Actor,
    proposal: ProposalFacts,
    verb: Verb,
    who: frozenset[Who],
    holds: frozenset[Condition],
    at: datetime,
    reason: str = "",
    release_id: int | None = None,
) -> ProposalState:
    to = judge(verb, proposal.state, who=who, holds=holds)
    if isinstance(to, ProposalCode):
        if to is ProposalCode.MOVE_NOT_YOURS:
            raise Forbidden(to)
        raise Conflict(to, state=proposal.state)
    columns: dict[str, Any] = {"pending_state": "", "pending_at": None, "pending_by": "", "updated_at": at}
    match to:
        case ProposalState.SUBMITTED if proposal.submitted_at is None:
            columns["submitted_at"] = at
        case ProposalState.CONFIRMED:
            columns |= {"confirmed_at": at, "follow_up_at": None}
        case ProposalState.ACCEPTED | ProposalState.WAITLISTED | ProposalState.REJECTED:
            columns["decided_at"] = at
        case _:
            pass
    if release_id is not None:
        columns["release_id"] = release_id
    # The old state is named: of two moves at once the second meets another state and is told.
    if not await Proposal.filter(id=proposal.id, state=proposal.state).update(state=to, **columns):
        now = await Proposal.get_or_none(id=proposal.id)
        raise Conflict(ProposalCode.MOVE_NOT_FROM_HERE, state=now.state if now else proposal.state)
    await history.write(
        actor=actor,
        proposal_id=proposal.id,
        verb=verb,
        at=at,
        lines=[Line("state", proposal.state, to)],
        reason=reason,
    )
    await _journal(
        actor,
        "proposal.move",
        proposal.event_id,
        proposal.id,
        at,
        old={"state": proposal.state},
        new={"state": to},
    )
    await moved.tell(
        Moved(
            event_id=proposal.event_id,
            proposal_id=proposal.id,
            verb=verb,
            old=proposal.state,
            new=to,
            actor=actor,
            at=at,
            reason=reason,
            release_id=release_id,
        )
    )
    return to


async def pend(
    *,
    actor: Actor,
    event_id: int,
    proposal_ids: Iterable[int],
    state: ProposalState | None,
    at: datetime,
) -> Mapping[int, Problem]:
    """Puts a decision beside each proposal's state, or takes it away with None; nobody outside sees it.

    Gives what could not be, by id; all the others are done, in a fixed number of statements. The caller has checked
    that the actor may decide.
    """
    wrong: dict[int, Problem] = {}
    value = str(state) if state is not None else ""
    async with unit_of_work():
        ids = list(dict.fromkeys(proposal_ids))
        rows = {
            int(row["id"]): row
            for row in await db.query(
                "SELECT id, state, pending_state FROM proposal WHERE event_id = $1 "  # noqa: S608 -- our own words
                f"AND state <> 'draft' AND id {db.in_list('$2', 'int')}",
                event_id,
                db.list_parameter(ids),
            )
        }
        changing = []
        for number in ids:
            row = rows.get(number)
            if row is None:
                wrong[number] = Problem(ProposalCode.UNKNOWN)
            elif state is not None and not may_pend(ProposalState(row["state"]), state):
                wrong[number] = Problem(ProposalCode.MOVE_NOT_FROM_HERE, {"state": row["state"]})
            elif row["pending_state"] != value:
                changing.append(number)
        # The states that were judged are named: what moves meanwhile is told so.
        froms = sorted({str(rows[number]["state"]) for number in changing})
        done = await db.query(
            "UPDATE proposal SET pending_state = $1, pending_at = $2, pending_by = $3 "  # noqa: S608 -- our own words
            f"WHERE id {db.in_list('$4', 'int')} AND state {db.in_list('$5', 'text')} AND pending_state <> $1 RETURNING id",
            value,
            at if value else None,
            actor.key if value else "",
            db.list_parameter(changing),
            db.list_parameter(froms),
        )
        old = {int(row["id"]): str(rows[int(row["id"])]["pending_state"]) for row in done}
        wrong |= {number: Problem(ProposalCode.STALE) for number in changing if number not in old}
        await history.note_many(
            actor=actor,
            event_id=event_id,
            at=at,
            verb="proposal.pend",
            lines={number: Line("pending_state", was, value) for number, was in old.items()},
        )
    return wrong


async def apply_pending(
    *, actor: Actor, event_id: int, proposal_ids: Sequence[int], release_id: int, at: datetime
) -> Sequence[int]:
    """Makes pending decisions true, inside the release's unit of work; gives the ids that moved.

    Those that go the same way go together: a fixed number of statements, but for what ``moved`` makes of each.
    """
    alike: dict[tuple[ProposalState, ProposalState], list[int]] = {}
    rows = Proposal.filter(event_id=event_id, id__in=list(proposal_ids)).exclude(pending_state="")
    for row in await rows.order_by("id").values("id", "state", "pending_state"):
        old, wanted = ProposalState(row["state"]), ProposalState(row["pending_state"])
        if may_pend(old, wanted):
            alike.setdefault((old, wanted), []).append(row["id"])
    done: list[Moved] = []
    for (old, new), ids in alike.items():
        changed = await db.query(
            "UPDATE proposal SET state = $1, release_id = $2, pending_state = '', pending_at = NULL, pending_by = '', "  # noqa: S608
            f"decided_at = $3, updated_at = $3 WHERE state = $4 AND pending_state = $1 AND id {db.in_list('$5', 'int')} "
            "RETURNING id",
            str(new),
            release_id,
            at,
            str(old),
            db.list_parameter(ids),
        )
        gone = sorted(int(row["id"]) for row in changed)
        verb = DECISION_OF[new]
        lines = [(number, Line("state", old, new)) for number in gone]
        await history.write_many(actor=actor, verb=verb, at=at, lines=lines)
        await journal.write_many(
            actor=actor,
            verb="proposal.move",
            object_kind="proposal",
            lines={number: ({"state": old}, {"state": new}) for number in gone},
            event_id=event_id,
            at=at,
        )
        done += [
            Moved(
                event_id=event_id,
                proposal_id=number,
                verb=verb,
                old=old,
                new=new,
                actor=actor,
                at=at,
                release_id=release_id,
            )
            for number in gone
        ]
    for news in done:
        await moved.tell(news)
    return [news.proposal_id for news in done]


async def _journal(
    actor: Actor,
    verb: str,
    event_id: int,
    proposal_id: int,
    at: datetime,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="proposal",
        object_id=proposal_id,
        event_id=event_id,
        old=old,
        new=new,
        at=at,
    )
