"""Speakers of an event, and the profile that an account takes along from one event to the next.

Promises: an account is one speaker of an event, however often it hands in; what is said at one event changes the
profile and no other event.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from agenda.models import Speaker, SpeakerProfile
from agenda.proposal_rules import Span, joined_spans
from events.rules import fold
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Busy
from kernel.text import LocalizedText
from people import uploads

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
