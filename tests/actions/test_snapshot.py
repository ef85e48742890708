"""The snapshot follows whatever changes a passport: lines, tombstones, and codes that scans are made with."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from checkin import badges, notes, passports, privacy, scanning, snapshot
from checkin.models import Passport, PassportCode, SnapshotLine
from checkin.rules import CheckpointKind, Direction, VerdictCode
from checkin.scanning import ScanEntry
from checkin.snapshot_rules import Secrets, secrets_of, unseal
from events.models import Event, Registration, RegistrationGroup
from events.privacy import Erased
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.text import LocalizedText
from people import topics
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_passport, make_ticket_type

pytestmark = pytest.mark.usefixtures("database")


async def taken(event: Event, since: int = 0) -> tuple[snapshot.State, dict[str, str]]:
    """What a scanner has after asking, as if long after the last time."""
    snapshot.forget()
    state = await snapshot.current(event.id)
    lines: dict[str, str] = {}
    after = ""
    while True:
        page = await snapshot.page(event.id, state, since=since, after=after)
        lines |= dict(page.lines)
        if not page.next:
            return state, lines
        after = page.next


def opened(lines: dict[str, str], secrets: Secrets) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(unseal(secrets, lines[secrets.lookup]))
    return found


async def test_every_code_has_a_line_and_leads_to_its_passport() -> None:
    event = await make_event()
    passport = await make_passport(event, await make_ticket_type(event), external="SHOP-1")
    state, lines = await taken(event)
    assert len(lines) == 3
    by_token = opened(lines, secrets_of(passport.token, state.salt))
    assert (by_token["passport"], by_token["name"]) == (passport.id, passport.badge_name)
    for code in (passport.short_code, "SHOP-1"):
        assert opened(lines, secrets_of(code, state.salt)) == {
            "passport": passport.id,
            "type": passport.ticket_type_id,
            "status": "valid",
        }
    kept = "".join(lines.values()) + "".join(lines)
    assert passport.badge_name not in kept and passport.token not in kept and "SHOP" not in kept
    lookups = await PassportCode.filter(kind="lookup").order_by("code").values_list("code", "passport_id")
    assert lookups == sorted(("~" + lookup, passport.id) for lookup in lines)


async def test_nothing_new_is_nothing_sent_and_a_change_is_one_line() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    first = await make_passport(event, kind)
    await make_passport(event, kind)
    state, _ = await taken(event)
    again, lines = await taken(event, since=state.version)
    assert (again.version, lines) == (state.version, {})
    await notes.leave(
        actor=SYSTEM,
        event_id=event.id,
        passport_id=first.id,
        text=LocalizedText({"en": "Please see the speakers' desk"}),
        attention=True,
        at=NOW,
    )
    later, lines = await taken(event, since=state.version)
    assert later.version > state.version
    secrets = secrets_of(first.token, state.salt)
    assert list(lines) == [secrets.lookup], "the short code's line says nothing of a note"
    assert opened(lines, secrets)["notice"] == {
        "text": {"en": "Please see the speakers' desk"},
        "attention": True,
    }


async def test_a_badge_given_a_box_is_news_for_phones() -> None:
    event = await make_event()
    passport = await make_passport(event, await make_ticket_type(event))
    state, _ = await taken(event)
    await badges.put(
        actor=SYSTEM, event_id=event.id, passport_id=passport.id, number=None, box="C", at=datetime.now(UTC)
    )
    new, lines = await taken(event, since=state.version)
    said = opened(lines, secrets_of(passport.token, new.salt))
    assert said["badge"] == {"number": None, "box": "C"}


async def test_what_nobody_told_of_is_found_by_looking() -> None:
    event = await make_event()
    passport = await make_passport(event, await make_ticket_type(event))
    state, _ = await taken(event)
    async with unit_of_work():
        await Passport.filter(id=passport.id).update(badge_name="另一个名字")
    assert (await taken(event))[0].version == state.version, "not due yet"
    async with unit_of_work():
        await db.execute(
            "UPDATE snapshot SET checked_at = $1",
            datetime.now(UTC) - timedelta(seconds=snapshot.RECHECK_S + 1),
        )
    later, lines = await taken(event, since=state.version)
    assert opened(lines, secrets_of(passport.token, later.salt))["name"] == "另一个名字"


async def scan(event: Event, code: str, checkpoint_id: int) -> scanning.Answer:
    door = await make_door(event)
    entry = ScanEntry(uuid.uuid4(), code, checkpoint_id, Direction.ENTRY)
    return await scanning.scan(door=door, entry=entry, at=NOW)


async def test_a_scan_by_lookup_id_is_a_scan_and_a_reissue_kills_it_at_once() -> None:
    event = await make_event()
    gate = await make_checkpoint(event, kind=CheckpointKind.GATE)
    passport = await make_passport(event, await make_ticket_type(event), external="SHOP-1")
    state, _ = await taken(event)
    old, shop = secrets_of(passport.token, state.salt).code, secrets_of("SHOP-1", state.salt).code
    answer = await scan(event, old, gate.id)
    assert (answer.verdict, answer.holder and answer.holder.passport_id) == (
        VerdictCode.ADMITTED,
        passport.id,
    )
    made = await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    assert (await scan(event, old, gate.id)).verdict is VerdictCode.REVOKED
    assert (await scan(event, shop, gate.id)).verdict is VerdictCode.WELCOME_BACK, "another shop's stays"
    later, lines = await taken(event, since=state.version)
    assert opened(lines, secrets_of(passport.token, later.salt))["dead"] is True
    fresh = secrets_of(made.token, later.salt)
    assert opened(lines, fresh)["passport"] == passport.id
    assert (await scan(event, fresh.code, gate.id)).verdict is VerdictCode.WELCOME_BACK


async def test_a_reissue_beside_a_comparison_leaves_no_dead_code_alive() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    made = [await make_passport(event, kind) for _ in range(40)]
    state, _ = await taken(event)
    async with unit_of_work():
        await db.execute("DELETE FROM passport_code WHERE kind = 'lookup'")
        await topics.bump(snapshot.topic(event.id))
    snapshot.forget()
    await asyncio.gather(
        snapshot.current(event.id),
        *(
            passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=one.id, at=NOW)
            for one in made[::2]
        ),
    )
    await taken(event)
    live = {row.code: row.is_live for row in await PassportCode.filter(kind="lookup")}
    assert [live[secrets_of(one.token, state.salt).code] for one in made] == [
        index % 2 == 1 for index in range(40)
    ]


async def test_after_an_erasure_no_line_tells_of_the_person() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    passport, other = await make_passport(event, kind, external="SHOP-9"), await make_passport(event, kind)
    state, _ = await taken(event)
    async with unit_of_work():
        await privacy.follow_erasure(Erased(event.id, (passport.registration_id,)))
    assert (
        not await SnapshotLine.filter(sealed__not="")
        .exclude(lookup__in=[secrets_of(code, state.salt).lookup for code in (other.token, other.short_code)])
        .exists()
    ), "gone at once, not at the next comparison"
    later, lines = await taken(event, since=state.version)
    said = opened(lines, secrets_of(passport.token, later.salt))
    assert said == {"passport": passport.id, "type": kind.id, "status": "revoked", "dead": True}
    assert lines[secrets_of("SHOP-9", later.salt).lookup] == "", "a tombstone"
    _, whole = await taken(event)
    assert secrets_of("SHOP-9", later.salt).lookup not in whole and len(whole) == 4


async def test_a_groups_list_is_a_line_of_its_own() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    async with unit_of_work():
        group = await RegistrationGroup.create(
            event_id=event.id, kind="group", name="Datawhale", created_at=NOW
        )
    people = [await make_passport(event, kind) for _ in range(3)]
    async with unit_of_work():
        await Registration.filter(id__in=[one.registration_id for one in people]).update(group_id=group.id)
        await Passport.filter(id=people[0].id).update(leads_group_id=group.id)
    state, lines = await taken(event)
    assert len(lines) == 7
    told = opened(lines, secrets_of(people[0].token, state.salt))["group"]
    import base64

    key = base64.urlsafe_b64decode(told["key"] + "=")
    listed = opened(lines, Secrets(told["lookup"], key))
    assert listed["name"] == "Datawhale"
    assert [one["lookup"] for one in listed["members"]] == [
        secrets_of(one.token, state.salt).lookup for one in people
    ]
    async with unit_of_work():
        await Passport.filter(id=people[0].id).update(leads_group_id=None)
        await topics.bump(snapshot.topic(event.id))
    _, lines = await taken(event, since=state.version)
    assert lines[told["lookup"]] == ""


async def test_pages_make_the_whole_and_a_cut_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    for _ in range(7):
        await make_passport(event, kind)
    _, whole = await taken(event)
    monkeypatch.setattr(snapshot, "PAGE", 4)
    monkeypatch.setattr(snapshot, "READ_AT_ONCE", 3)
    state, paged = await taken(event)
    assert paged == whole and len(whole) == 14
    first = await snapshot.page(event.id, state, since=0)
    from checkin.snapshot_rules import page_digest

    assert first.digest == page_digest(first.lines) != page_digest(first.lines[:-1])
    ahead = await snapshot.page(event.id, state, since=state.version + 9)
    assert (ahead.is_whole, ahead.since) == (True, 0), "a version from another life is none"


async def statements(event: Event) -> int:
    snapshot.forget()
    async with unit_of_work():
        await topics.bump(snapshot.topic(event.id))
    before = db.stats.statements
    await snapshot.current(event.id)
    return db.stats.statements - before


async def test_one_and_many_take_the_same_statements() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    await taken(event)
    await make_passport(event, kind)
    one = await statements(event)
    for _ in range(5):
        await make_passport(event, kind)
    assert await statements(event) == one


async def test_who_is_here_is_read_from_the_ledger_and_once_more_where_it_overlaps() -> None:
    event = await make_event()
    gate, meal = await make_checkpoint(event, scans_exits=True), await make_checkpoint(event)
    passport = await make_passport(event, await make_ticket_type(event))
    await scan(event, passport.token, gate.id)
    await scan(event, passport.token, meal.id)
    today = NOW.date()

    async def seen(since: int = 0, *lists: int) -> snapshot.SeenScans:
        return await snapshot.seen(event.id, list_ids=lists, since=since, today=today)

    found = await seen(0, gate.list_id)
    assert [row[:5] for row in found.scans] == [[passport.id, gate.list_id, "2023-10-28", 0, "entry"]]
    assert found.scans[0][5:] == [NOW, gate.id]
    assert len((await seen(found.version, gate.list_id)).scans) == 1, "the last ones come again"
    assert (await seen(found.version + 1000, gate.list_id)).scans == []
    assert (
        await snapshot.seen(event.id, list_ids=[gate.list_id], since=0, today=NOW.date() + timedelta(1))
    ).scans == []
