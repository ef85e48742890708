"""JSON of letters to speakers and of releases, under the same right as their pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from agenda import letters_desk, releases, speaker_letters
from agenda.letter_rules import LetterCode, Occasion
from agenda.proposal_rules import ProposalState
from agenda.speaker_letters import LetterLine, Wanted
from events import access
from events.access import Door
from events.json_api import (
    Body,
    Line,
    OnceBody,
    Query,
    RowId,
    Shape,
    Text,
    answer,
    given,
    now,
    once,
    once_id,
    read_body,
    read_query,
)
from events.rules import Permission
from people import drafts, letters
from people import queries as people
from people.rules import LetterAct, LetterState, PeopleCode
from web.api_doc import ApiDoc
from web.routing import Entry

# --- shapes ------------------------------------------------------------------------------------------------------


class SpeakerLetter(Shape):
    """A letter to a speaker; `problem` is a code, or what the mail server said."""

    id: int
    occasion: Occasion
    state: LetterState
    subject: str
    to_email: str
    locale: str
    problem: str
    speaker_id: int | None
    speaker: dict[str, str]
    proposal: str
    release_id: int | None
    created_at: datetime
    sent_at: datetime | None


class WholeSpeakerLetter(SpeakerLetter):
    """A letter with its words; `{link}` in `text` becomes the reader's own link when it leaves."""

    text: str


class SpeakerLetters(Shape):
    """A page of letters, the newest first, and how many there are in each state."""

    total: int
    page: int
    pages: int
    by_state: dict[str, int]
    has_mail_server: bool
    letters: list[SpeakerLetter]


class Acted(Shape):
    """The letters that the act fitted; the others are left as they are."""

    done: list[int]


class PendingReader(Shape):
    """A speaker who would be told; without an address nobody writes to them."""

    speaker_id: int
    name: dict[str, str]
    email: str
    locale: str


class PendingDecision(Shape):
    """A decision that stands beside a proposal's state."""

    proposal: str
    title: dict[str, str]
    state: ProposalState
    decision: ProposalState
    forum_id: int | None
    session_type_id: int | None
    since: datetime | None
    readers: list[PendingReader]


class PendingDecisions(Shape):
    """What a release would make true; send `seen` with it, and nothing else is released."""

    seen: str
    decisions: list[PendingDecision]


class DecisionRelease(Shape):
    """Decisions that became true together, and their letters by state."""

    id: int
    released_at: datetime
    count: int
    letters: dict[str, int]


class DecisionReleases(Shape):
    releases: list[DecisionRelease]


class DecisionsReleased(Shape):
    """What a release did: proposals that moved, letters drafted, speakers without an address."""

    id: int
    count: int
    letters: int
    without_address: int


# --- what is asked -----------------------------------------------------------------------------------------------


class LettersQuery(Query):
    q: Line = Field(default="", description="Part of an address or of a subject.")
    state: LetterState | None = None
    occasion: Occasion | None = None
    release_id: RowId | None = None
    speaker_id: RowId | None = None
    page: int = Field(default=1, ge=1, le=1_000_000)


class LetterChange(Body):
    """What is left out stays."""

    subject: Line = ""
    text: Text = ""


class Act(StrEnum):
    """What may be done with letters; `retry` is for those that failed or were held back."""

    SEND = "send"
    RETRY = "retry"
    HOLD = "hold"
    DISCARD = "discard"


class LetterActs(Body):
    """Sending the same again does nothing more."""

    act: Act
    letter_ids: list[RowId] = Field(min_length=1, max_length=1000)


class NewRelease(OnceBody):
    """`seen` is what the pending decisions said; without it whatever is prepared is released."""

    seen: Annotated[str, StringConstraints(max_length=64, pattern="^[0-9a-f]*$")] | None = None


# --- letters -----------------------------------------------------------------------------------------------------


def _letter(one: LetterLine) -> dict[str, Any]:
    return {
        "id": one.id,
        "occasion": one.code,
        "state": one.state,
        "subject": one.subject,
        "to_email": one.to_email,
        "locale": one.locale,
        "problem": one.problem,
        "speaker_id": one.speaker_id,
        "speaker": dict(one.speaker_name),
        "proposal": one.proposal_code,
        "release_id": one.release_id,
        "created_at": one.created_at,
        "sent_at": one.sent_at,
    }


async def _list(request: Request, door: Door) -> Response:
    asked = read_query(request, LettersQuery)
    wanted = Wanted(
        state=str(asked.state or ""),
        code=asked.occasion,
        release_id=asked.release_id,
        speaker_id=asked.speaker_id,
        text=asked.q[:100],
    )
    found = await speaker_letters.listed(door.event.id, wanted, page=asked.page)
    return answer(
        SpeakerLetters(
            total=found.total,
            page=found.page,
            pages=found.pages,
            by_state=dict(found.by_state),
            has_mail_server=(await letters_desk.post_of(door)).has_smtp,
            letters=[SpeakerLetter(**_letter(one)) for one in found.lines],
        )
    )


async def _whole(door: Door, letter_id: int) -> WholeSpeakerLetter:
    line = await speaker_letters.find(door.event.id, letter_id)
    return WholeSpeakerLetter(**_letter(line), text=(await people.letter(line.id)).text)


async def _one(request: Request, door: Door) -> Response:
    return answer(await _whole(door, int(request.path_params["letter_id"])))


async def _change(request: Request, door: Door) -> Response:
    body = await read_body(request, LetterChange)
    number, at, sent = int(request.path_params["letter_id"]), now(), given(body)

    async def change() -> Mapping[str, Any]:
        old = await _whole(door, number)
        if sent:
            await letters.rewrite(
                actor=door.actor,
                letter_id=number,
                subject=sent.get("subject", old.subject),
                text=sent.get("text", old.text),
                at=at,
            )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return answer(await _whole(door, number))


async def _act(request: Request, door: Door) -> Response:
    body = await read_body(request, LetterActs)
    # Letters to speakers alone: the others of the event have an outbox and a right of their own.
    own = await speaker_letters.own(door.event.id, body.letter_ids)
    done = await drafts.act_many(
        actor=door.actor, event_id=door.event.id, letter_ids=own, act=LetterAct(body.act), at=now()
    )
    return answer(Acted(done=list(done)))


# --- releases ----------------------------------------------------------------------------------------------------


async def _pending(request: Request, door: Door) -> Response:
    del request
    found = await releases.pending(door.event.id)
    return answer(
        PendingDecisions(
            seen=found.stamp,
            decisions=[
                PendingDecision(
                    proposal=one.code,
                    title=dict(one.title),
                    state=one.state,
                    decision=one.decision,
                    forum_id=one.forum_id,
                    session_type_id=one.session_type_id,
                    since=one.since,
                    readers=[
                        PendingReader(
                            speaker_id=reader.speaker_id,
                            name=dict(reader.name),
                            email=reader.email,
                            locale=reader.locale,
                        )
                        for reader in one.readers
                    ],
                )
                for one in found.decisions
            ],
        )
    )


async def _release(request: Request, door: Door) -> Response:
    body = await read_body(request, NewRelease)
    done = await releases.release(
        actor=door.actor,
        event_id=door.event.id,
        form_id=once_id(request, body),
        seen=body.seen,
        at=now(),
    )
    return answer(DecisionsReleased.model_validate(done), 201)


async def _history(request: Request, door: Door) -> Response:
    del request
    return answer(
        DecisionReleases(
            releases=[
                DecisionRelease(
                    id=one.id, released_at=one.released_at, count=one.count, letters=dict(one.letters)
                )
                for one in await releases.history(door.event.id)
            ]
        )
    )


_TAG = "Telling speakers"
_MAY = Permission.DECIDE
ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/speaker-letters",
        _list,
        "agenda.api.letters",
        _MAY,
        api=ApiDoc(
            tag=_TAG,
            summary="Letters to speakers, fifty to a page.",
            answer=SpeakerLetters,
            query=LettersQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/speaker-letters/{letter_id:int}",
        _one,
        "agenda.api.letter",
        _MAY,
        api=ApiDoc(tag=_TAG, summary="One letter with its words.", answer=WholeSpeakerLetter),
    ),
    access.route(
        "/e/{slug}/api/speaker-letters/{letter_id:int}",
        _change,
        "agenda.api.letter_change",
        _MAY,
        ("PATCH",),
        api=ApiDoc(
            tag=_TAG,
            summary="Other words for a letter that has not left.",
            answer=WholeSpeakerLetter,
            body=LetterChange,
            is_once=True,
            refusals={409: (PeopleCode.NOT_IN_THIS_STATE,)},
        ),
    ),
    access.route(
        "/e/{slug}/api/speaker-letters/acts",
        _act,
        "agenda.api.letters_act",
        _MAY,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Sends, holds back or discards letters, each once however often it is asked.",
            answer=Acted,
            body=LetterActs,
        ),
    ),
    access.route(
        "/e/{slug}/api/releases/pending",
        _pending,
        "agenda.api.releases_pending",
        _MAY,
        api=ApiDoc(
            tag=_TAG, summary="Decisions that are prepared and told to nobody.", answer=PendingDecisions
        ),
    ),
    access.route(
        "/e/{slug}/api/releases",
        _history,
        "agenda.api.releases",
        _MAY,
        api=ApiDoc(tag=_TAG, summary="Releases that were made, the latest first.", answer=DecisionReleases),
    ),
    access.route(
        "/e/{slug}/api/releases",
        _release,
        "agenda.api.release_new",
        _MAY,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Makes every prepared decision true and drafts the letters; nothing is sent by it.",
            answer=DecisionsReleased,
            status=201,
            body=NewRelease,
            is_once=True,
            refusals={409: (LetterCode.NOTHING_PENDING, LetterCode.CHANGED_MEANWHILE)},
        ),
    ),
]
