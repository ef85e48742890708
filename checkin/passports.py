"""Passports: born and kept in step with their registrations, replaced, revoked, found.

Every code that ever led to a passport stays in ``passport_code``; a replaced one is dead, so that the door says
"revoked" and not "unknown". No code is written to the journal, to a letter's row or to a log.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from checkin import cards, snapshot
from checkin.checkpoints import board_topic
from checkin.rules import CodeKind, PassportStatus, read_code
from checkin.undoing import STANDS
from events.desk.exports import ExportPictures
from events.merging_rules import MergeCode
from events.queries import RegistrationFacts, find_event_by_id, groups_led, registration_facts
from events.registrations import secret_of
from events.rules import EventCode, RegistrationState
from events.self_service_rules import SelfServiceCode
from kernel import codes, db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Busy, Conflict, NotFound
from kernel.live import hub
from kernel.text import N_
from people import journal, topics
from people.letters import Attachment, Composed
from web import render
from web.i18n import gettext_in

#: Rounds in which a fresh short code may meet a taken one: at 100,000 codes an event, one in 300,000 does.
TRIES: Final = 8

#: Begins the names of the cookies that open a holder's own page; the value is the key of the secret link.
HOLDER_COOKIE: Final = "huiwu_me_"

_VOID: Final = frozenset({PassportStatus.CANCELLED, PassportStatus.REVOKED})
_STATUS: Final[dict[RegistrationState, PassportStatus]] = {
    RegistrationState.CONFIRMED: PassportStatus.VALID,
    RegistrationState.PENDING: PassportStatus.NOT_CONFIRMED,
    RegistrationState.WAITLISTED: PassportStatus.NOT_CONFIRMED,
    RegistrationState.OFFERED: PassportStatus.NOT_CONFIRMED,
    RegistrationState.DECLINED: PassportStatus.CANCELLED,
    RegistrationState.CANCELLED: PassportStatus.CANCELLED,
}


class News(Protocol):
    """What ``events.registrations.changed`` tells."""

    @property
    def event_id(self) -> int: ...
    @property
    def registration_ids(self) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class PassportView:
    """A passport as pages show it. ``is_live`` is about the code that it was found by: a replaced one is dead."""

    id: int
    event_id: int
    registration_id: int
    ticket_type_id: int
    token: str
    short_code: str
    status: PassportStatus
    badge_name: str
    badge_line: str
    badge_number: int | None = None
    badge_box: str = ""
    is_live: bool = True


def address_of(token: str) -> str:
    """What the QR code says. OPass reads ``?token=`` out of it, any phone's camera opens it."""
    return render.absolute(f"/p?token={token}")


def secret_link(slug: str, registration: RegistrationFacts) -> str:
    """Opens the holder's own page; it may stand in the holder's mail and in the organisers' export, nowhere else."""
    return render.absolute(f"/e/{slug}/me?key={secret_of(registration.id, registration.secret_round)}")


# --- in step with registrations ----------------------------------------------------------------------------------


async def follow_registrations(changed: News) -> None:
    """Creates what is missing and changes what differs, inside the caller's unit of work.

    At most twelve statements, however many registrations. Raises Conflict (``external_code_taken``) when another shop's
    ticket code is already somebody else's code in this event; the caller's whole action is then rolled back.
    """
    ids = sorted(set(changed.registration_ids))
    wanted = [row for row in await registration_facts(ids) if row.event_id == changed.event_id]
    if not wanted:
        return
    led = {number: group.id for number, group in (await groups_led([row.id for row in wanted])).items()}
    known = await _passports(wanted)
    fresh = [row for row in wanted if row.id not in known]
    if fresh:
        await _create(changed.event_id, fresh, led, datetime.now(UTC))
        known |= await _passports(fresh)
    moved = await _update(known, wanted, led)
    renamed = await _follow_aliases(changed.event_id, known, wanted)
    if fresh or moved:
        # The board shows how many are registered.
        topic = board_topic(changed.event_id)
        await topics.bump(topic, snapshot.topic(changed.event_id))
        after_commit(lambda: hub.touched(topic))
    elif renamed:
        await topics.bump(snapshot.topic(changed.event_id))


async def _passports(registrations: Iterable[RegistrationFacts]) -> dict[int, dict[str, Any]]:
    """By registration id; ``external`` is the other shop's code that leads to the passport now."""
    rows = orjson.dumps([{"id": registration.id} for registration in registrations]).decode()
    found = await db.query(
        "SELECT p.id, p.registration_id, p.ticket_type_id, p.status, p.badge_name, p.badge_line, p.leads_group_id, "
        "c.code AS external "
        f"FROM {db.json_rows('$1', id='int')} JOIN passport p ON p.registration_id = r.id "
        "LEFT JOIN passport_code c ON c.passport_id = p.id AND c.kind = 'external' AND c.is_live",
        rows,
    )
    return {row["registration_id"]: row for row in found}


async def _create(
    event_id: int, registrations: Sequence[RegistrationFacts], led: Mapping[int, int], at: datetime
) -> None:
    """One passport each, with its token and short code; a short code that is taken is drawn again."""
    left = {row.id: row for row in registrations}
    made: list[dict[str, Any]] = []
    for _ in range(TRIES):
        drawn = {id_: _new_row(row, led.get(id_), at) for id_, row in left.items()}
        rows = await db.query(
            "INSERT INTO passport (event_id, registration_id, ticket_type_id, token, public_token, short_code, status, "
            "badge_name, badge_line, leads_group_id, badge_box, created_at) "
            "SELECT r.event_id, r.registration_id, r.ticket_type_id, r.token, r.public_token, r.short_code, r.status, "
            "r.badge_name, r.badge_line, r.leads_group_id, '', r.created_at FROM "
            + db.json_rows(
                "$1",
                event_id="int",
                registration_id="int",
                ticket_type_id="int",
                token="text",  # noqa: S106 -- the column's kind
                public_token="text",  # noqa: S106
                short_code="text",
                status="text",
                badge_name="text",
                badge_line="text",
                leads_group_id="int",
                created_at="instant",
            )
            + " WHERE NOT EXISTS (SELECT 1 FROM passport_code c WHERE c.event_id = r.event_id AND c.code = r.short_code) "
            "ON CONFLICT DO NOTHING RETURNING id, registration_id, token, short_code",
            orjson.dumps(list(drawn.values())).decode(),
        )
        made += rows
        for row in rows:
            del left[row["registration_id"]]
        if not left:
            break
        # Not drawn badly but created by somebody else in this very moment: theirs is as good.
        for registration_id in await _passports(left.values()):
            del left[registration_id]
        if not left:
            break
    else:
        raise Busy()
    await _add_codes(
        event_id,
        [(row["id"], row["token"], CodeKind.TOKEN) for row in made]
        + [(row["id"], row["short_code"], CodeKind.SHORT) for row in made],
    )


def _new_row(registration: RegistrationFacts, led: int | None, at: datetime) -> dict[str, Any]:
    token = codes.new_token()
    return {
        "event_id": registration.event_id,
        "registration_id": registration.id,
        "token": token,
        "public_token": codes.public_token(token),
        "short_code": codes.new_short_code(),
        "created_at": db.stored_instant(at),
        **_followed(registration, led),
    }


def _followed(registration: RegistrationFacts, led: int | None) -> dict[str, Any]:
    """The part of a passport that a registration decides."""
    return {
        "ticket_type_id": registration.ticket_type_id,
        "status": str(_STATUS[registration.state]),
        "badge_name": registration.badge_name or registration.name,
        "badge_line": registration.organisation,
        "leads_group_id": led,
    }


async def _update(
    known: dict[int, dict[str, Any]], registrations: Sequence[RegistrationFacts], led: Mapping[int, int]
) -> bool:
    """Whether any passport had to change."""
    moved = []
    for registration in registrations:
        passport = known[registration.id]
        now = _followed(registration, led.get(registration.id))
        if passport["status"] == PassportStatus.REVOKED:
            now["status"] = str(PassportStatus.REVOKED)  # only a reissue ends that
        if any(passport[name] != value for name, value in now.items()):
            moved.append({"id": passport["id"], **now})
    if moved:
        await db.execute(
            "UPDATE passport SET ticket_type_id = r.ticket_type_id, status = r.status, badge_name = r.badge_name, "
            "badge_line = r.badge_line, leads_group_id = r.leads_group_id FROM "
            + db.json_rows(
                "$1",
                id="int",
                ticket_type_id="int",
                status="text",
                badge_name="text",
                badge_line="text",
                leads_group_id="int",
            )
            + " WHERE passport.id = r.id",
            orjson.dumps(moved).decode(),
        )
    return bool(moved)


async def _follow_aliases(
    event_id: int, known: dict[int, dict[str, Any]], registrations: Sequence[RegistrationFacts]
) -> bool:
    """Another shop's ticket code leads to the passport, too; one that was taken back dies and may be given anew.

    Whether any code had to change.
    """
    moved = [
        (known[row.id], row.external_code or None)
        for row in registrations
        if known[row.id]["external"] != (row.external_code or None)
    ]
    dead = [passport["id"] for passport, _ in moved if passport["external"]]
    if dead:
        await db.execute(
            "UPDATE passport_code SET is_live = FALSE WHERE kind = 'external' AND passport_id IN "
            f"(SELECT r.id FROM {db.json_rows('$1', id='int')})",
            orjson.dumps([{"id": id_} for id_ in dead]).decode(),
        )
    await _add_codes(
        event_id, [(passport["id"], code, CodeKind.EXTERNAL) for passport, code in moved if code]
    )
    if moved:
        await snapshot.follow_codes([passport["id"] for passport, _ in moved])
    return bool(moved)


async def _add_codes(event_id: int, wanted: Sequence[tuple[int, str, CodeKind]]) -> None:
    """Makes each code lead to its passport. Raises Conflict where it leads to another already."""
    if not wanted:
        return
    rows = await db.query(
        "INSERT INTO passport_code (event_id, passport_id, code, kind, is_live) "
        "SELECT r.event_id, r.passport_id, r.code, r.kind, TRUE FROM "
        + db.json_rows("$1", event_id="int", passport_id="int", code="text", kind="text")
        + " WHERE TRUE ON CONFLICT (event_id, code) DO UPDATE SET passport_id = excluded.passport_id, is_live = TRUE "
        "WHERE passport_code.kind = 'external' AND excluded.kind = 'external' "
        "AND (NOT passport_code.is_live OR passport_code.passport_id = excluded.passport_id) RETURNING passport_id",
        orjson.dumps(
            [
                {"event_id": event_id, "passport_id": passport_id, "code": code, "kind": str(kind)}
                for passport_id, code, kind in wanted
            ]
        ).decode(),
    )
    if len(rows) < len(wanted):
        raise Conflict(EventCode.EXTERNAL_CODE_TAKEN)


# --- replaced and revoked ----------------------------------------------------------------------------------------


async def reissue(*, actor: Actor, event_id: int, passport_id: int, at: datetime) -> PassportView:
    """A new token and short code; the old ones are dead at once and say "revoked" at the door. Ends a revocation.

    Another shop's ticket code and the secret link in the holder's mail are not ours to print, and stay: change them
    at the registration. Raises NotFound when the event has no such passport.
    """
    async with unit_of_work():
        rows = await db.query(
            # The row is taken first (a lock on PostgreSQL), so that two at once follow one another.
            "UPDATE passport SET status = status WHERE id = $1 AND event_id = $2 RETURNING registration_id, status",
            passport_id,
            event_id,
        )
        if not rows:
            raise NotFound()
        was = rows[0]
        [registration] = await registration_facts([was["registration_id"]])
        status = str(_STATUS[registration.state])
        await db.execute(
            "UPDATE passport_code SET is_live = FALSE "
            "WHERE passport_id = $1 AND kind NOT IN ('external', 'alias', 'lookup')",
            passport_id,
        )
        await snapshot.follow_codes([passport_id])
        await _renew(event_id, passport_id, status)
        await journal.write(
            actor=actor,
            verb="passport.reissue",
            object_kind="passport",
            object_id=passport_id,
            at=at,
            event_id=event_id,
            old={"status": was["status"]},
            new={"status": status},
        )
        await topics.bump(snapshot.topic(event_id))
        return await by_id(event_id, passport_id)


async def _renew(event_id: int, passport_id: int, status: str) -> None:
    token = codes.new_token()
    short_code = await _claim_short_code(event_id, passport_id)
    await _add_codes(event_id, [(passport_id, token, CodeKind.TOKEN)])
    await db.execute(
        "UPDATE passport SET token = $1, public_token = $2, short_code = $3, status = $4 WHERE id = $5",
        token,
        codes.public_token(token),
        short_code,
        status,
        passport_id,
    )


async def _claim_short_code(event_id: int, passport_id: int) -> str:
    for _ in range(TRIES):
        drawn = codes.new_short_code()
        if await db.query(
            "INSERT INTO passport_code (event_id, passport_id, code, kind, is_live) VALUES ($1, $2, $3, 'short', TRUE) "
            "ON CONFLICT DO NOTHING RETURNING id",
            event_id,
            passport_id,
            drawn,
        ):
            return drawn
    raise Busy()


async def revoke(*, actor: Actor, event_id: int, passport_id: int, at: datetime) -> None:
    """Nothing that leads to this passport admits anybody any more, until it is reissued. Twice is once."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE passport SET status = 'revoked' WHERE id = $1 AND event_id = $2 AND status <> 'revoked' RETURNING id",
            passport_id,
            event_id,
        )
        if not rows:
            await by_id(event_id, passport_id)  # NotFound for another event's
            return
        await journal.write(
            actor=actor,
            verb="passport.revoke",
            object_kind="passport",
            object_id=passport_id,
            at=at,
            event_id=event_id,
            new={"status": str(PassportStatus.REVOKED)},
        )
        await topics.bump(snapshot.topic(event_id))


# --- passed on and joined ----------------------------------------------------------------------------------------


async def admitted(registration_ids: Sequence[int]) -> frozenset[int]:
    """Which of these registrations were ever let in, at whatever checkpoint; one statement."""
    rows = await db.query(
        "SELECT DISTINCT p.registration_id FROM passport p JOIN scan s ON s.passport_id = p.id "
        f"WHERE p.registration_id {db.in_list('$1', 'int')} AND s.turn IS NOT NULL AND s.direction = 'entry' "
        f"AND {STANDS}",
        db.list_parameter(registration_ids),
    )
    return frozenset(row["registration_id"] for row in rows)


async def _hold(registration_ids: Sequence[int]) -> dict[int, int]:
    """Passport ids by registration id, locked in id order: no scan of them comes in between until the commit."""
    found = await by_registration(registration_ids)
    held = {}
    for passport in sorted(found.values(), key=lambda view: view.id):
        await db.execute("UPDATE passport SET status = status WHERE id = $1", passport.id)
        held[passport.registration_id] = passport.id
    return held


class Handed(Protocol):
    """What ``events.transfers.transferred`` tells."""

    @property
    def event_id(self) -> int: ...
    @property
    def registration_id(self) -> int: ...


async def follow_transfer(news: Handed) -> None:
    """The taker's passport is a new one; every code that the giver holds is dead, and says "revoked" at the door.

    Raises Conflict ``self_service_admitted`` when the giver was let in while this was pressed.
    """
    [passport_id] = (await _hold([news.registration_id])).values()
    if await admitted([news.registration_id]):
        raise Conflict(SelfServiceCode.ADMITTED)
    [registration] = await registration_facts([news.registration_id])
    await db.execute("UPDATE passport_code SET is_live = FALSE WHERE passport_id = $1", passport_id)
    await _renew(news.event_id, passport_id, str(_STATUS[registration.state]))
    await topics.bump(snapshot.topic(news.event_id))


class Joined(Protocol):
    """What ``events.merging.merged`` tells."""

    @property
    def event_id(self) -> int: ...
    @property
    def survivor_id(self) -> int: ...
    @property
    def merged_id(self) -> int: ...


async def follow_merge(news: Joined) -> None:
    """Every code of the merged passport leads to the survivor's and is as live as before; scans stay where they are.

    Raises Conflict ``merge_other_admitted`` when the one that goes was let in while this was pressed.
    """
    held = await _hold([news.survivor_id, news.merged_id])
    if await admitted([news.merged_id]):
        raise Conflict(MergeCode.OTHER_ADMITTED)
    # A passport follows one shop code, its registration's; a second live one stays beside it as an alias.
    await db.execute(
        "UPDATE passport_code SET kind = CASE WHEN kind = 'external' AND EXISTS (SELECT 1 FROM passport_code own "
        "WHERE own.passport_id = $1 AND own.kind = 'external' AND own.is_live) THEN 'alias' ELSE kind END, "
        "passport_id = $1 WHERE passport_id = $2",
        held[news.survivor_id],
        held[news.merged_id],
    )
    await topics.bump(snapshot.topic(news.event_id))


# --- found -------------------------------------------------------------------------------------------------------

_VIEW: Final = "p.id, p.event_id, p.registration_id, p.ticket_type_id, p.token, p.short_code, p.status, p.badge_name, p.badge_line, p.badge_number, p.badge_box"


def _view(row: dict[str, Any]) -> PassportView:
    return PassportView(
        **{
            **row,
            "status": PassportStatus(row["status"]),
            "is_live": bool(row.get("is_live", True)),
        }
    )


async def by_token(token: str) -> PassportView | None:
    """Whose token this is or was, in any event; None for nobody's."""
    rows = await db.query(
        f"SELECT {_VIEW}, c.is_live FROM passport_code c JOIN passport p ON p.id = c.passport_id "
        "WHERE c.code = $1 AND c.kind = 'token'",
        token,
    )
    return _view(rows[0]) if rows else None


async def by_code(event_id: int, raw: str) -> PassportView | None:
    """Whose code a camera or a finger gave, in this event; None for nobody's. A replaced one is not live."""
    candidates = read_code(raw).candidates
    rows = await db.query(
        f"SELECT {_VIEW}, c.is_live, c.code FROM passport_code c JOIN passport p ON p.id = c.passport_id "
        f"WHERE c.event_id = $1 AND c.code {db.in_list('$2', 'text')}",
        event_id,
        db.list_parameter(candidates),
    )
    found = {row.pop("code"): row for row in rows}
    return next((_view(found[code]) for code in candidates if code in found), None)


async def by_id(event_id: int, passport_id: int) -> PassportView:
    """Raises NotFound when the event has no such passport."""
    rows = await db.query(
        f"SELECT {_VIEW} FROM passport p WHERE p.id = $1 AND p.event_id = $2", passport_id, event_id
    )
    if not rows:
        raise NotFound()
    return _view(rows[0])


async def by_registration(registration_ids: Iterable[int]) -> dict[int, PassportView]:
    """By registration id; one statement."""
    rows = await db.query(
        f"SELECT {_VIEW} FROM {db.json_rows('$1', id='int')} JOIN passport p ON p.registration_id = r.id",
        orjson.dumps([{"id": id_} for id_ in sorted(set(registration_ids))]).decode(),
    )
    return {row["registration_id"]: _view(row) for row in rows}


# --- leaving the house -------------------------------------------------------------------------------------------

_SUFFIX: Final = N_("""Your passport page: %(link)s

The QR code is your passport: show it at every door. If a camera can't read it, say this code: %(code)s

The link above opens your own page. Keep it to yourself.
""")


async def letter_parts(registration_id: int, locale: str) -> Composed | None:
    """What the composer ``passport`` adds to a letter when it is sent: the QR picture, the secret link, the short code.

    None when there is nothing to show any more (cancelled or revoked since): the letter is then not sent.
    """
    registration = next(iter(await registration_facts([registration_id])), None)
    passport = (await by_registration([registration_id])).get(registration_id)
    if registration is None or passport is None or passport.status in _VOID:
        return None
    event = await find_event_by_id(registration.event_id)
    assert event is not None
    return Composed(
        attachments=(
            Attachment(
                filename="passport.png",
                content_type="image/png",
                data=await cards.png(address_of(passport.token)),
                inline_id="passport",
            ),
        ),
        text_suffix=gettext_in(locale, _SUFFIX)
        % {
            "link": secret_link(event.slug, registration),
            "code": spoken(passport.short_code),
        },
    )


def spoken(short_code: str) -> str:
    """A short code in two groups, as people read it aloud."""
    return f"{short_code[:4]} {short_code[4:]}"


async def export_columns(event_id: int, registration_ids: Sequence[int]) -> dict[str, dict[int, str]]:
    """For the organisers' export, so that they can send passports by their own channels: values by registration id."""
    links: dict[int, str] = {}
    short_codes: dict[int, str] = {}
    numbers: dict[int, str] = {}
    boxes: dict[int, str] = {}
    if registration_ids:
        event = await find_event_by_id(event_id)
        assert event is not None
        wanted = [row for row in await registration_facts(registration_ids) if row.event_id == event_id]
        found = await by_registration([row.id for row in wanted])
        links = {row.id: secret_link(event.slug, row) for row in wanted if row.id in found}
        short_codes = {row.id: found[row.id].short_code for row in wanted if row.id in found}
        numbers = {
            row.id: str(found[row.id].badge_number)
            for row in wanted
            if row.id in found and found[row.id].badge_number is not None
        }
        boxes = {row.id: found[row.id].badge_box for row in wanted if row.id in found}
    return {
        N_("Personal passport link"): links,
        N_("Short code"): short_codes,
        N_("Badge number"): numbers,
        N_("Badge box"): boxes,
    }


async def short_codes(registration_ids: Sequence[int]) -> dict[int, str]:
    """The short codes of passports that open a door, by registration id; for a group's leader."""
    found = await by_registration(registration_ids)
    return {
        number: view.short_code
        for number, view in found.items()
        if view.is_live and view.status is PassportStatus.VALID
    }


async def export_texts(event_id: int, registration_ids: Sequence[int]) -> dict[int, str]:
    """What the QR code of each registration says; cancelled and revoked ones have none."""
    found = await by_registration(registration_ids)
    return {
        number: address_of(passport.token)
        for number, passport in found.items()
        if passport.event_id == event_id and passport.status not in _VOID
    }


#: Beside each row of a workbook.
export_pictures: Final = ExportPictures(title=N_("Passport"), texts=export_texts, draw=cards.code_png)

#: What the journal's page says of this module's lines.
VERBS: Final[dict[str, str]] = {
    "passport.reissue": N_("Made a new passport"),
    "passport.revoke": N_("Revoked a passport"),
}


async def after_registering(registration_id: int) -> tuple[str, str, str]:
    """Where somebody who has just registered goes, and the cookie (name, value) that shows them their own page."""
    [registration] = await registration_facts([registration_id])
    event = await find_event_by_id(registration.event_id)
    assert event is not None
    secret = secret_of(registration.id, registration.secret_round)
    return f"/e/{event.slug}/me/{registration.id}", holder_cookie(registration.id), secret


def holder_cookie(registration_id: int) -> str:
    """One cookie a registration, so that a family's passports live side by side in one browser."""
    return f"{HOLDER_COOKIE}{registration_id}"
