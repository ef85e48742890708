"""Speakers of an event, and the profile that an account takes along from one event to the next.

Promises: an account is one speaker of an event, however often it hands in; what is said at one event changes the
profile and no other event.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from agenda import call_answers, history
from agenda.cfp_queries import FieldFacts
from agenda.history import Line
from agenda.line_up_rules import LineUpCode
from agenda.models import ProposalSpeaker, Speaker, SpeakerProfile
from agenda.proposal_rules import CONSENTS, ProposalCode, Span, Subject, joined_spans
from events.form_rules import FormCode
from events.rules import fold
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Busy, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal, uploads

Made = TypeVar("Made")

#: No I, O, 0, 1: codes are read aloud. The schedule formats want six of [0-9A-Z].
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: Draws until a code is free: with 2,000 of a thousand million taken, the second draw is rare.
_DRAWS: Final = 8


def new_code() -> str:
    """Six characters that name a speaker or a proposal; that they are free, the database says."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


async def with_new_code(make: Callable[[str], Awaitable[Made]]) -> Made:
    """Makes a row with a code that no other has: draws again where it was taken."""
    for _ in range(_DRAWS):
        try:
            async with unit_of_work():
                return await make(new_code())
        except db.IntegrityError as error:
            if "code" not in str(error):
                raise
    raise Busy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a speaker says of themselves on the form."""

    name: LocalizedText = field(default_factory=LocalizedText)
    organisation: LocalizedText = field(default_factory=LocalizedText)
    title: LocalizedText = field(default_factory=LocalizedText)
    bio: LocalizedText = field(default_factory=LocalizedText)
    #: None: leave the picture as it is.
    picture_upload_id: int | None = None
    #: None: not asked
    availability: list[Span] | None = None
    wants_travel_support: bool | None = None
    travel_note: str = ""


def search_of(name: LocalizedText, organisation: LocalizedText) -> str:
    """What a speaker is found by; as long as the column at most."""
    return fold(" ".join([*name.values(), *organisation.values()]))[:600]


async def of_account(*, event_id: int, actor: Actor, locale: str, at: datetime) -> int:
    """The account's speaker of this event: the one there is, one that waits for its address, or a copy of its profile.

    Inside the caller's unit of work.
    """
    found = await db.query(
        "SELECT id, account_id FROM speaker WHERE event_id = $1 AND (account_id = $2 OR "
        "(account_id IS NULL AND email = $3)) ORDER BY account_id IS NULL, id",
        event_id,
        actor.id,
        actor.email,
    )
    if found:
        row = found[0]
        if row["account_id"] is None:
            await Speaker.filter(id=row["id"]).update(account_id=actor.id, updated_at=at)
        return int(row["id"])
    profile = await SpeakerProfile.get_or_none(account_id=actor.id)
    name = LocalizedText.of(profile.name) if profile else LocalizedText()
    if not name and actor.name:
        name = LocalizedText({locale: actor.name})
    organisation = LocalizedText.of(profile.organisation) if profile else LocalizedText()

    async def make(code: str) -> Speaker:
        return await Speaker.create(
            event_id=event_id,
            code=code,
            account_id=actor.id,
            # Another speaker may hold the address already, entered for them before they had an account: see above.
            email=actor.email,
            locale=locale,
            name=name,
            organisation=organisation,
            title=LocalizedText.of(profile.title) if profile else {},
            bio=LocalizedText.of(profile.bio) if profile else {},
            picture_upload_id=profile.picture_upload_id if profile else None,
            availability=None,
            search=search_of(name, organisation),
            created_at=at,
            updated_at=at,
        )

    return int((await with_new_code(make)).id)


async def change(*, speaker_id: int, said: Said, at: datetime) -> list[str]:
    """Keeps what a speaker said at this event, and in the account's profile; gives the names of what changed.

    Inside the caller's unit of work. A picture that is replaced goes, unless the profile or another event shows it.
    """
    row = await Speaker.get(id=speaker_id)
    columns: dict[str, Any] = {
        "name": said.name,
        "organisation": said.organisation,
        "title": said.title,
        "bio": said.bio,
        "wants_travel_support": said.wants_travel_support,
        "travel_note": said.travel_note,
    }
    if said.availability is not None:
        columns["availability"] = [
            [begin.isoformat(), end.isoformat()] for begin, end in joined_spans(said.availability)
        ]
    if said.picture_upload_id is not None:
        columns["picture_upload_id"] = said.picture_upload_id
    touched = [name for name, value in columns.items() if getattr(row, name) != value]
    async with unit_of_work():
        if touched:
            await Speaker.filter(id=speaker_id).update(
                **columns, search=search_of(said.name, said.organisation), updated_at=at
            )
        if row.account_id is not None:
            await _keep_profile(row.account_id, columns, at)
        if "picture_upload_id" in touched and row.picture_upload_id is not None:
            await drop_picture(row.picture_upload_id)
    return touched


async def _keep_profile(account_id: int, columns: dict[str, Any], at: datetime) -> None:
    own = {
        name: columns[name]
        for name in ("name", "organisation", "title", "bio", "picture_upload_id")
        if name in columns
    }
    if not await SpeakerProfile.filter(account_id=account_id).update(**own, updated_at=at):
        await SpeakerProfile.create(account_id=account_id, **own, updated_at=at)


async def drop_picture(upload_id: int) -> None:
    """Gives a picture to the next purge where no speaker and no profile shows it any more."""
    held = await db.query(
        "SELECT id FROM speaker WHERE picture_upload_id = $1 UNION ALL "
        "SELECT id FROM speaker_profile WHERE picture_upload_id = $1",
        upload_id,
    )
    if not held:
        await uploads.expire([upload_id])


# --- entered by others, and their visit --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody whom organisers enter as a speaker; ``email`` is folded, "" while nobody knows it."""

    name: LocalizedText
    organisation: LocalizedText = field(default_factory=LocalizedText)
    title: LocalizedText = field(default_factory=LocalizedText)
    email: str = ""


async def enter(*, event_id: int, who: Entered, locale: str, at: datetime) -> int:
    """The speaker of this event under an address, or of this name and organisation; else a new one, without an account.

    Inside the caller's unit of work. What somebody who is there has said of themselves stays; gaps are filled.
    """
    row = None
    if who.email:
        row = await Speaker.get_or_none(event_id=event_id, email=who.email)
    if row is None and who.organisation:
        twins = await Speaker.filter(
            event_id=event_id, search=search_of(who.name, who.organisation), erased_at__isnull=True
        )
        # Of one name in one house, and no address that says otherwise.
        row = next((one for one in twins if not who.email or not one.email), None)
    if row is not None:
        await _fill(row, who, at)
        return int(row.id)

    async def make(code: str) -> Speaker:
        return await Speaker.create(
            event_id=event_id,
            code=code,
            email=who.email or None,
            locale=locale,
            name=who.name,
            organisation=who.organisation,
            title=who.title,
            availability=None,
            search=search_of(who.name, who.organisation),
            created_at=at,
            updated_at=at,
        )

    return int((await with_new_code(make)).id)


async def _fill(row: Speaker, who: Entered, at: datetime) -> None:
    gaps: dict[str, Any] = {
        name: text
        for name, text in (("name", who.name), ("organisation", who.organisation), ("title", who.title))
        if text and not LocalizedText.of(getattr(row, name))
    }
    if who.email and not row.email:
        gaps["email"] = who.email
    if gaps:
        name = LocalizedText.of(gaps.get("name", row.name))
        organisation = LocalizedText.of(gaps.get("organisation", row.organisation))
        await Speaker.filter(id=row.id).update(**gaps, search=search_of(name, organisation), updated_at=at)


async def claim(*, speaker_id: int, actor: Actor, at: datetime) -> bool:
    """Makes a speaker without an account the actor's own, once, where its address is the account's; for a POST alone.

    False where it is somebody's, of another address, or the account is another speaker of the event already.
    """
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id or not actor.email:
        return False
    async with unit_of_work():
        rows = await db.query(
            "UPDATE speaker SET account_id = $2, updated_at = $4 WHERE id = $1 AND account_id IS NULL AND email = $3 "
            "AND erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM speaker o WHERE o.event_id = speaker.event_id "
            "AND o.account_id = $2) RETURNING event_id",
            speaker_id,
            actor.id,
            actor.email,
            at,
        )
        if rows:
            await journal.write(
                actor=actor,
                verb="speaker.claim",
                object_kind="speaker",
                object_id=speaker_id,
                event_id=int(rows[0]["event_id"]),
                at=at,
            )
    return bool(rows)


async def allow(
    *,
    actor: Actor,
    proposal_id: int,
    speaker_id: int,
    said: tuple[bool | None, bool | None, bool | None],
    at: datetime,
) -> None:
    """What a speaker allows to be published of one talk: three answers, each in the history when it changes."""
    async with unit_of_work():
        link = await ProposalSpeaker.get(proposal_id=proposal_id, speaker_id=speaker_id)
        changed = {
            name: (getattr(link, name), value)
            for name, value in zip(CONSENTS, said, strict=True)
            if getattr(link, name) != value
        }
        if not changed:
            return
        await ProposalSpeaker.filter(id=link.id).update(
            **{name: new for name, (_, new) in changed.items()}, allowed_at=at
        )
        await history.write(
            actor=actor,
            proposal_id=proposal_id,
            verb="edit",
            at=at,
            lines=[Line(name, old, new) for name, (old, new) in changed.items()],
        )


#: What speakers say of their visit, and what organisers add.
VISIT: Final = (
    "arrives_at",
    "leaves_at",
    "arrival_note",
    "wants_hotel",
    "hotel_note",
    "wants_pick_up",
    "pick_up_note",
    "wants_travel_support",
    "travel_note",
)
HOSTING: Final = ("host_name", "host_contact", "note", "email", "phone")


async def change_visit(
    *, actor: Actor, event_id: int, speaker_id: int, columns: Mapping[str, Any], at: datetime
) -> None:
    """Keeps some of ``VISIT`` and ``HOSTING``. The journal names the columns and no values.

    Raises NotFound; Invalid at ``leaves_at`` for whoever leaves before they come, at ``email`` for an address that is
    another speaker's. Who has an account is reached under its address: theirs stays.
    """
    assert set(columns) <= {*VISIT, *HOSTING}
    async with unit_of_work():
        row = await Speaker.get_or_none(id=speaker_id, event_id=event_id, erased_at__isnull=True)
        if row is None:
            raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
        touched = {
            name: value
            for name, value in columns.items()
            if getattr(row, name) != value and not (name == "email" and row.account_id is not None)
        }
        after = {name: touched.get(name, getattr(row, name)) for name in ("arrives_at", "leaves_at")}
        if after["arrives_at"] and after["leaves_at"] and after["leaves_at"] < after["arrives_at"]:
            raise Invalid({"leaves_at": Problem(ProposalCode.WINDOW_REVERSED)})
        if not touched:
            return
        try:
            async with unit_of_work():
                await Speaker.filter(id=speaker_id).update(**touched, updated_at=at)
        except db.IntegrityError as error:
            raise Invalid({"email": Problem(LineUpCode.EMAIL_TAKEN)}) from error
        await journal.write(
            actor=actor,
            verb="speaker.change",
            object_kind="speaker",
            object_id=speaker_id,
            event_id=event_id,
            at=at,
            new={"fields": sorted(touched)},
        )


async def keep_profile(
    *,
    actor: Actor,
    event_id: int,
    speaker_id: int,
    said: Said,
    fields: Sequence[FieldFacts],
    answers: Mapping[int, Any],
    at: datetime,
) -> None:
    """Keeps what the programme says of a speaker, and their answers to these questions; sent twice it changes nothing.

    ``said.picture_upload_id`` is a file that waits. The journal names what changed and no words. Raises Invalid at
    ``picture`` for a file that is gone.
    """
    async with unit_of_work():
        if said.picture_upload_id is not None and not await uploads.claim([said.picture_upload_id], at):
            raise Invalid({"picture": Problem(FormCode.FILE_GONE)})
        touched = await change(speaker_id=speaker_id, said=said, at=at)
        lines = await call_answers.replace(
            subject=Subject.SPEAKER, subject_id=speaker_id, fields=fields, answers=answers, at=at
        )
        touched += [line.field for line in lines]
        if touched:
            await journal.write(
                actor=actor,
                verb="speaker.change",
                object_kind="speaker",
                object_id=speaker_id,
                event_id=event_id,
                at=at,
                new={"fields": sorted(touched)},
            )
