"""Badges: their numbers and boxes, and what was done with each: printed, handed over, taken back.

A number is given once: whoever has one keeps it, and one that was printed is given to nobody else. What is done with
a badge is a ledger of its own beside the scans, because printing is not entering, and neither is handing over.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from checkin import passports, snapshot
from checkin.badge_rules import (
    BOX_MAX,
    NUMBER_MAX,
    BadgeAct,
    BadgeCode,
    BadgeState,
    Boxes,
    Handing,
    Plan,
    Waiting,
    Wish,
    WrongLine,
    give,
    state_of,
    take_back,
)
from checkin.lead_rules import UNDO_WITHIN
from checkin.queries import Badge
from checkin.rules import PassportStatus
from events import pinyin_rules
from events import queries as events
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE
from people import journal, topics

#: Badges of one event are numbered by one at a time: the next number is read before it is given.
_TURN: Final = "checkin.badges.{}"
#: Lines of a list in one go, as for registrations.
LINES_MAX: Final = 10_000


# --- numbers and boxes -------------------------------------------------------------------------------------------


async def assign(
    *,
    actor: Actor,
    event_id: int,
    plan: Plan,
    ticket_types: Collection[int] = (),
    at: datetime,
) -> int:
    """Gives every valid passport without a number one, by the plan; of these ticket types, or of all.

    Gives how many. Nothing that was given before changes, so the same again gives numbers to later arrivals only.
    Raises Conflict ``badge_numbers_used_up``. Seven statements for any number of people.
    """
    types = {one.id: one for one in await events.ticket_types(event_id)}
    wanted = sorted(set(ticket_types) & types.keys()) if ticket_types else sorted(types)
    async with unit_of_work():
        await db.one_at_a_time(_TURN.format(event_id))
        rows = await db.query(
            f"""SELECT p.id, p.ticket_type_id, p.badge_name, k.sort_key, g.created_at FROM passport p
                JOIN registration g ON g.id = p.registration_id
                LEFT JOIN person_key k ON k.registration_id = p.registration_id
                WHERE p.event_id = $1 AND p.status = 'valid' AND p.badge_number IS NULL
                    AND p.ticket_type_id {db.in_list("$2", "int")}""",
            event_id,
            db.list_parameter(wanted),
        )
        waiting = []
        for row in rows:
            kind, since = types[row["ticket_type_id"]], db.as_instant(row["created_at"])
            assert since is not None
            waiting.append(
                Waiting(
                    passport_id=row["id"],
                    sort_key=row["sort_key"] or pinyin_rules.sort_key(row["badge_name"]),
                    type_position=kind.position,
                    type_name=kind.name.in_(DEFAULT_LOCALE) or kind.code,
                    registered_at=since,
                )
            )
        given = give(waiting, plan, taken=await _taken(event_id), filled=await _filled(event_id))
        if isinstance(given, BadgeCode):
            raise Conflict(given)
        if not given:
            return 0
        await _write(
            event_id,
            [{"id": one.passport_id, "number": one.number, "box": one.box} for one in given],
            keeps_box=plan.boxes is Boxes.NONE,
        )
        await journal.write(
            actor=actor,
            verb="badges.assign",
            object_kind="event",
            object_id=event_id,
            at=at,
            event_id=event_id,
            new={
                "badges": len(given),
                "from": given[0].number,
                "to": given[-1].number,
                "order": plan.order.value,
                "boxes": plan.boxes.value,
            },
        )
        return len(given)


async def _taken(event_id: int) -> set[int]:
    rows = await db.query(
        "SELECT badge_number AS n FROM passport WHERE event_id = $1 AND badge_number IS NOT NULL "
        "UNION SELECT number FROM badge_event WHERE event_id = $1 AND number IS NOT NULL",
        event_id,
    )
    return {row["n"] for row in rows}


async def _filled(event_id: int) -> dict[str, int]:
    rows = await db.query(
        "SELECT badge_box, count(*) AS n FROM passport WHERE event_id = $1 AND badge_box <> '' GROUP BY badge_box",
        event_id,
    )
    return {row["badge_box"]: int(row["n"]) for row in rows}


async def _write(event_id: int, rows: Sequence[Mapping[str, Any]], *, keeps_box: bool = False) -> None:
    box = "" if keeps_box else ", badge_box = r.box"
    await db.execute(
        f"UPDATE passport SET badge_number = r.number{box} FROM "
        f"{db.json_rows('$1', id='int', number='int', box='text')} WHERE passport.id = r.id",
        orjson.dumps(list(rows)).decode(),
    )
    # A phone without network says the box as well.
    await topics.bump(snapshot.topic(event_id))


async def put(
    *, actor: Actor, event_id: int, passport_id: int, number: int | None, box: str, at: datetime
) -> None:
    """One badge's number and box by hand; the same again changes nothing.

    Raises NotFound for another event's passport, Invalid with the problem at ``number`` (somebody has it, or had it
    printed) or ``box``.
    """
    box = " ".join(box.split())
    if len(box) > BOX_MAX:
        raise Invalid({"box": Problem(Code.TOO_LONG, {"limit": BOX_MAX})})
    if number is not None and not 1 <= number <= NUMBER_MAX:
        raise Invalid({"number": Problem(Code.OUT_OF_RANGE, {"low": 1, "high": NUMBER_MAX})})
    async with unit_of_work():
        await db.one_at_a_time(_TURN.format(event_id))
        was = await passports.by_id(event_id, passport_id)
        if (was.badge_number, was.badge_box) == (number, box):
            return
        if number is not None and number != was.badge_number and await _others(event_id, passport_id, number):
            raise Invalid({"number": Problem(BadgeCode.NUMBER_TAKEN)})
        await _write(event_id, [{"id": passport_id, "number": number, "box": box}])
        await journal.write(
            actor=actor,
            verb="badge.set",
            object_kind="passport",
            object_id=passport_id,
            at=at,
            event_id=event_id,
            old={"number": was.badge_number, "box": was.badge_box},
            new={"number": number, "box": box},
        )


async def _others(event_id: int, passport_id: int, number: int) -> bool:
    return bool(
        await db.query(
            "SELECT id FROM passport WHERE event_id = $1 AND badge_number = $3 AND id <> $2 "
            "UNION ALL SELECT id FROM badge_event WHERE event_id = $1 AND number = $3 AND passport_id <> $2 LIMIT 1",
            event_id,
            passport_id,
            number,
        )
    )


async def put_list(
    *, actor: Actor, event_id: int, wishes: Sequence[Wish], at: datetime
) -> int | list[WrongLine]:
    """Numbers and boxes from a list, by short code or ticket code: all lines, or none and what is wrong with which.

    An empty number or box leaves what is there. Gives how many badges changed; six statements for any number of lines.
    """
    async with unit_of_work():
        await db.one_at_a_time(_TURN.format(event_id))
        rows = await db.query(
            f"""SELECT c.code, p.id, p.badge_number, p.badge_box FROM passport_code c
                JOIN passport p ON p.id = c.passport_id
                WHERE c.event_id = $1 AND c.is_live AND c.code {db.in_list("$2", "text")}""",
            event_id,
            db.list_parameter({form for wish in wishes for form in _forms(wish.code)}),
        )
        found = {row["code"]: row for row in rows}
        owner = await _owners(event_id)
        wrong: list[WrongLine] = []
        changed: dict[int, dict[str, Any]] = {}
        for wish in wishes:
            row = next((found[form] for form in _forms(wish.code) if form in found), None)
            if row is None:
                wrong.append(WrongLine(wish.line, "code_unknown", wish.code))
                continue
            if row["id"] in changed:
                wrong.append(WrongLine(wish.line, "code_twice", wish.code))
                continue
            number = row["badge_number"] if wish.number is None else wish.number
            box = wish.box or row["badge_box"]
            # Also where the other one gives it up in the same list: a badge with it may lie in a box already.
            if number is not None and owner.get(number, row["id"]) != row["id"]:
                wrong.append(WrongLine(wish.line, "number_taken", str(number)))
                continue
            if (number, box) != (row["badge_number"], row["badge_box"]):
                changed[row["id"]] = {"id": row["id"], "number": number, "box": box}
        if wrong:
            return wrong
        if changed:
            await _write(event_id, list(changed.values()))
            await journal.write(
                actor=actor,
                verb="badges.import",
                object_kind="event",
                object_id=event_id,
                at=at,
                event_id=event_id,
                new={"badges": len(changed)},
            )
        return len(changed)


def _forms(code: str) -> tuple[str, ...]:
    """A short code as people write it down, and any code as it is."""
    return (code, code.replace(" ", "").replace("-", "").upper())


async def _owners(event_id: int) -> dict[int, int]:
    """Whose each number is, or was when it was printed."""
    rows = await db.query(
        "SELECT number AS n, passport_id AS id FROM badge_event WHERE event_id = $1 AND number IS NOT NULL "
        "UNION ALL SELECT badge_number, id FROM passport WHERE event_id = $1 AND badge_number IS NOT NULL",
        event_id,
    )
    return {row["n"]: row["id"] for row in rows}


# --- what was done -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handed:
    """What handing over or taking back was answered; ``first_at`` is when it was handed over before."""

    said: Handing
    at: datetime
    first_at: datetime | None = None


async def hand_over(*, actor: Actor, event_id: int, passport_id: int, act_id: UUID, at: datetime) -> Handed:
    """The badge is in its holder's hands; nobody is admitted by it. The same ``act_id`` again is the same act.

    Raises NotFound for another event's passport, Conflict ``replay_mismatch`` when the id was used for something else.
    """
    return await _act(
        actor=actor,
        event_id=event_id,
        passport_id=passport_id,
        act_id=act_id,
        act=BadgeAct.HANDED_OVER,
        at=at,
    )


async def take_it_back(
    *, actor: Actor, event_id: int, passport_id: int, act_id: UUID, at: datetime
) -> Handed:
    """Handing over was a slip: it counts as not handed over, within the time in which a lead may undo."""
    return await _act(
        actor=actor,
        event_id=event_id,
        passport_id=passport_id,
        act_id=act_id,
        act=BadgeAct.TAKEN_BACK,
        at=at,
    )


async def _act(
    *, actor: Actor, event_id: int, passport_id: int, act_id: UUID, act: BadgeAct, at: datetime
) -> Handed:
    async with unit_of_work():
        number = await _hold(event_id, passport_id)
        known = await db.query(
            f"SELECT passport_id, kind, actor_key, at FROM badge_event WHERE act_id {db.in_list('$1', 'uuid')}",
            db.list_parameter([act_id]),
        )
        if known:
            row = known[0]
            if (row["passport_id"], row["kind"], row["actor_key"]) != (passport_id, act.value, actor.key):
                raise Conflict(Code.REPLAY_MISMATCH)
            done = db.as_instant(row["at"])
            assert done is not None
            return Handed(Handing(act.value), done)
        history = await _history([passport_id])
        state, last = history.get(passport_id, (BadgeState(), {}))
        since = last.get(BadgeAct.HANDED_OVER)
        if act is BadgeAct.HANDED_OVER:
            if state.is_out:
                return Handed(Handing.HANDED_OVER_BEFORE, at, since)
            await _add(actor, event_id, passport_id, act_id, act, state.handed_over, number, at)
            return Handed(Handing.HANDED_OVER, at)
        said = take_back(state, age=at - (since or at), within=UNDO_WITHIN)
        if said is Handing.TAKEN_BACK:
            await _add(actor, event_id, passport_id, act_id, act, state.taken_back, number, at)
        return Handed(said, at, since)


async def note_print(*, actor: Actor, event_id: int, passport_id: int, act_id: UUID, at: datetime) -> None:
    """A badge came out of a printer: the first time printed, later reprinted. Inside the caller's unit of work."""
    number = await _hold(event_id, passport_id)
    state, _ = (await _history([passport_id])).get(passport_id, (BadgeState(), {}))
    kind, nth = state.printed()
    await _add(actor, event_id, passport_id, act_id, kind, nth, number, at)


async def _hold(event_id: int, passport_id: int) -> int | None:
    """Two at once follow one another. Gives the badge's number; raises NotFound for another event's passport."""
    rows = await db.query(
        "UPDATE passport SET status = status WHERE id = $1 AND event_id = $2 RETURNING badge_number",
        passport_id,
        event_id,
    )
    if not rows:
        raise NotFound()
    number: int | None = rows[0]["badge_number"]
    return number


async def _add(  # noqa: PLR0917 -- a row, in the order of its columns
    actor: Actor,
    event_id: int,
    passport_id: int,
    act_id: UUID,
    act: BadgeAct,
    nth: int,
    number: int | None,
    at: datetime,
) -> None:
    columns = (
        ("act_id", "uuid"),
        ("event_id", "int"),
        ("passport_id", "int"),
        ("kind", "text"),
        ("nth", "int"),
        ("number", "int"),
        ("at", "instant"),
        ("actor_key", "text"),
    )
    row = (act_id, event_id, passport_id, act.value, nth, number, at, actor.key)
    await db.write_together(db.Insert("badge_event", columns, [row]))


Last = dict[str, datetime]


async def _history(passport_ids: Sequence[int]) -> dict[int, tuple[BadgeState, Last]]:
    """By passport: its state, and when each kind of act was done last; one statement."""
    rows = await db.query(
        f"""SELECT passport_id, kind, count(*) AS n, max(at) AS last FROM badge_event
            WHERE passport_id {db.in_list("$1", "int")} GROUP BY passport_id, kind""",
        db.list_parameter(passport_ids),
    )
    counts: dict[int, dict[str, int]] = {}
    lasts: dict[int, Last] = {}
    for row in rows:
        counts.setdefault(row["passport_id"], {})[row["kind"]] = int(row["n"])
        at = db.as_instant(row["last"])
        assert at is not None
        lasts.setdefault(row["passport_id"], {})[row["kind"]] = at
    return {number: (state_of(found), lasts[number]) for number, found in counts.items()}


# --- read --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BadgeFacts:
    """One badge and what was done with it."""

    badge: Badge | None
    prints: int = 0
    reprints: int = 0
    printed_at: datetime | None = None
    is_out: bool = False
    handed_over_at: datetime | None = None


async def of(passport: passports.PassportView) -> BadgeFacts:
    """What stands on somebody's badge and what was done with it; one statement."""
    found = await _history([passport.id])
    return _facts(
        Badge.of(passport.badge_number, passport.badge_box), *found.get(passport.id, (BadgeState(), {}))
    )


def _facts(badge: Badge | None, state: BadgeState, last: Last) -> BadgeFacts:
    printed = [last[kind] for kind in (BadgeAct.PRINTED, BadgeAct.REPRINTED) if kind in last]
    return BadgeFacts(
        badge=badge,
        prints=state.prints,
        reprints=state.reprints,
        printed_at=max(printed, default=None),
        is_out=state.is_out,
        handed_over_at=last.get(BadgeAct.HANDED_OVER) if state.is_out else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeLine:
    """Somebody's badge in a list."""

    passport_id: int
    registration_id: int
    name: str
    line: str
    ticket_type_id: int
    short_code: str
    facts: BadgeFacts


@dataclass(frozen=True, slots=True)
class BoxCount:
    """How many badges lie in a box ("" for none), and how many of them were printed and handed over."""

    box: str
    badges: int
    first: int | None
    last: int | None
    printed: int
    handed_over: int


_OUT: Final = """(SELECT count(*) FROM badge_event e WHERE e.passport_id = p.id AND e.kind = 'handed_over')
    > (SELECT count(*) FROM badge_event e WHERE e.passport_id = p.id AND e.kind = 'taken_back')"""
_PRINTED: Final = "EXISTS (SELECT 1 FROM badge_event e WHERE e.passport_id = p.id AND e.kind = 'printed')"


async def boxes(event_id: int) -> list[BoxCount]:
    """Every box with its figures, in the order of their first numbers; one statement. Valid passports only."""
    rows = await db.query(
        f"""SELECT badge_box, count(*) AS n, min(badge_number) AS low, max(badge_number) AS high,
                sum(CASE WHEN {_PRINTED} THEN 1 ELSE 0 END) AS printed,
                sum(CASE WHEN {_OUT} THEN 1 ELSE 0 END) AS handed
            FROM passport p WHERE p.event_id = $1 AND p.status = 'valid' GROUP BY badge_box""",
        event_id,
    )
    found = [
        BoxCount(
            row["badge_box"], int(row["n"]), row["low"], row["high"], int(row["printed"]), int(row["handed"])
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (not one.box, one.first or 0, one.box))


class Show:
    """What a list of badges is narrowed to."""

    ALL: Final = ""
    WAITING: Final = "waiting"
    OUT: Final = "out"
    UNPRINTED: Final = "unprinted"
    NO_NUMBER: Final = "no_number"


_SHOWN: Final[Mapping[str, str]] = {
    Show.ALL: "",
    Show.WAITING: f"AND NOT ({_OUT})",
    Show.OUT: f"AND {_OUT}",
    Show.UNPRINTED: f"AND NOT {_PRINTED}",
    Show.NO_NUMBER: "AND p.badge_number IS NULL",
}
SHOWS: Final = frozenset(_SHOWN)


async def listed(
    event_id: int,
    *,
    show: str = "",
    box: str | None = None,
    text: str = "",
    after: int = 0,
    limit: int,
) -> tuple[list[BadgeLine], int]:
    """Valid passports' badges by number, those without one last; ``after`` skips so many. With how many there are in
    all; three statements for any number."""
    values: list[Any] = [event_id]
    where = f"p.event_id = $1 AND p.status = '{PassportStatus.VALID.value}' {_SHOWN[show]}"
    if box is not None:
        values.append(box)
        where += f" AND p.badge_box = ${len(values)}"
    if text:
        where += f""" AND EXISTS (SELECT 1 FROM registration g WHERE g.id = p.registration_id
            AND {events.text_condition(text, values)})"""
    [counted] = await db.query(f"SELECT count(*) AS n FROM passport p WHERE {where}", *values)
    rows = await db.query(
        f"""SELECT p.id, p.registration_id, p.badge_name, p.badge_line, p.ticket_type_id, p.short_code,
                p.badge_number, p.badge_box FROM passport p WHERE {where}
            ORDER BY p.badge_number IS NULL, p.badge_number, p.id LIMIT {int(limit)} OFFSET {int(after)}""",
        *values,
    )
    history = await _history([row["id"] for row in rows])
    return [
        BadgeLine(
            passport_id=row["id"],
            registration_id=row["registration_id"],
            name=row["badge_name"],
            line=row["badge_line"],
            ticket_type_id=row["ticket_type_id"],
            short_code=row["short_code"],
            facts=_facts(
                Badge.of(row["badge_number"], row["badge_box"]), *history.get(row["id"], (BadgeState(), {}))
            ),
        )
        for row in rows
    ], int(counted["n"])
