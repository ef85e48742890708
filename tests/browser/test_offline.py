"""The venue's Wi-Fi dies: the phone goes on by itself, and when the network is back everything arrives, once.

A paired phone, fifty people, one of them let in at another lane meanwhile, a reload in between; then it is revoked.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

import main
from checkin import devices, pairings
from checkin.models import Checkpoint, Passport, Scan
from events import access
from events.models import Event, Registration, RegistrationGroup, TicketType
from events.rules import Permission
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.browser.test_door import (
    PHONE,
    Evidence,
    Server,
    _reader_types,
    chromium,
    conference,
    serving,
    signed_in,
    until,
)
from tests.factories import make_checkpoint, make_passport

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PEOPLE = 50


async def guests(event: Event) -> list[Passport]:
    kind = await TicketType.get(event_id=event.id)
    made = [await make_passport(event, kind, badge_name=f"来宾{number:02}") for number in range(PEOPLE)]
    async with unit_of_work():
        await Registration.filter(id=made[3].registration_id).update(name="曾国强", search="曾国强 开源社")
        await Passport.filter(id=made[3].id).update(badge_name="曾国强")
        from events import pinyin_rules

        await db.execute(
            "INSERT INTO person_key (registration_id, event_id, forms, sort_key, version) VALUES ($1, $2, $3, $4, $5)",
            made[3].registration_id,
            event.id,
            pinyin_rules.forms(["曾国强"]),
            pinyin_rules.sort_key("曾国强"),
            pinyin_rules.VERSION,
        )
    return made


async def led(event: Event) -> list[Passport]:
    """Three people who registered together; the first leads them."""
    kind = await TicketType.get(event_id=event.id)
    made = [await make_passport(event, kind, badge_name=f"组员{number}") for number in range(3)]
    async with unit_of_work():
        group = await RegistrationGroup.create(
            event_id=event.id, kind="group", name="Datawhale", created_at=datetime.now(UTC)
        )
        await Registration.filter(id__in=[one.registration_id for one in made]).update(group_id=group.id)
        await Passport.filter(id=made[0].id).update(leads_group_id=group.id)
    return made


async def paired(context: BrowserContext, server: Server, event: Event, gate: Checkpoint, lead: int) -> Page:
    """A phone becomes a device by its pairing page, and has its list."""
    access.forget()
    door = await access.open_event(
        Actor(kind=ActorKind.ACCOUNT, id=lead), event.slug, Permission.PAIR_DEVICES
    )
    now = datetime.now(UTC)
    wanted = pairings.Wanted(
        name="北门一号",
        count=1,
        checkpoints=[gate.id],
        device_expires_at=now + timedelta(hours=8),
        minutes=30,
        sees_names=True,
    )
    batch = await pairings.make(door=door, wanted=wanted, form_id=uuid.uuid4(), at=now)
    [one] = await pairings.sheet(door=door, batch=batch)
    page = await context.new_page()
    await page.goto(f"{server.base}/e/{event.slug}/pair#{one.fragment}")
    await page.wait_for_selector("[data-pair=ready]", state="attached")
    # This machine has no camera: that is said before anything is spent, and somebody decides.
    await page.locator("#pair-button").click()
    await page.locator("#anyway").click()
    await page.wait_for_url(re.compile("/scanner$"))
    await page.wait_for_selector("[data-scanner=ready][data-list=whole][data-worker=ready]", state="attached")
    return page


async def shows(page: Page, passport: Passport, server: Server) -> dict[str, str]:
    """A reader reads the passport's code; gives what the screen says of it."""
    before = await page.locator("#verdict").get_attribute("data-scan")
    await _reader_types(page, f"{server.base}/p?token={passport.token}")
    return await says(page, before)


async def says(page: Page, before: str | None) -> dict[str, str]:
    await page.wait_for_function(
        """before => {
            const { scan, state } = document.getElementById("verdict").dataset;
            return scan && scan !== before && state === "done";
        }""",
        arg=before,
    )
    verdict = page.locator("#verdict")
    tone = re.search(r"verdict--(go|care|stop)", await verdict.get_attribute("class") or "")
    return {
        "tone": tone[1] if tone else "",
        "name": await page.locator("#verdict-name").inner_text(),
        "word": await page.locator("#verdict-word").inner_text(),
        "mark": await page.locator("#verdict-mark").inner_text(),
    }


async def kept(page: Page) -> dict[str, int]:
    """How much lies in each store of the phone's database."""
    found: dict[str, int] = await page.evaluate(
        """() => new Promise((done, failed) => {
            const request = indexedDB.open("huiwu-scanner");
            request.onerror = () => failed(request.error);
            request.onsuccess = async () => {
                const names = [...request.result.objectStoreNames];
                const counts = {};
                await Promise.all(names.map(name => new Promise(counted => {
                    const count = request.result.transaction(name).objectStore(name).count();
                    count.onsuccess = () => { counts[name] = count.result; counted(); };
                })));
                request.result.close();
                done(counts);
            };
        })"""
    )
    return found


async def at_another_lane(
    volunteers: BrowserContext, server: Server, event: Event, lane: Checkpoint, code: str
) -> str:
    body = {"scan_id": str(uuid.uuid4()), "code": code, "checkpoint": lane.id}
    answer = await volunteers.request.post(
        f"{server.base}/e/{event.slug}/api/scans", data=body, headers={"sec-fetch-site": "same-origin"}
    )
    return str((await answer.json())["verdict"])


async def test_nobody_notices_that_the_network_is_gone(  # noqa: PLR0915 -- one long evening
    database: Settings, tmp_path: Path
) -> None:
    main.wire(database)
    event, gate, _volunteer, organiser = await conference()
    other = await make_checkpoint(
        event, list_id=gate.list_id, name={"zh-Hans": "南门", "en": "South gate"}, on_repeat="warn"
    )
    people, group = await guests(event), await led(event)
    seen = Evidence()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(database, tmp_path))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await stack.enter_async_context(chromium(playwright))
        context = await browser.new_context(viewport=PHONE, locale="zh-CN")
        page = await paired(context, server, event, gate, organiser)
        seen.watch(page)
        lanes = await signed_in(browser, server, organiser)

        assert await shows(page, people[0], server) == {
            "tone": "go",
            "name": "来宾00",
            "word": "欢迎",
            "mark": "",
        }
        assert await at_another_lane(lanes, server, event, other, people[1].token) == "admitted"
        board = await lanes.new_page()
        seen.watch(board)
        await board.goto(f"{server.base}/e/{event.slug}/live")
        await expect(board.locator("#conflicts-open")).to_be_hidden()

        # The network goes; the phone goes on, in the same colours.
        await context.set_offline(True)
        await page.wait_for_selector("#offline >> visible=true")
        first = await shows(page, people[1], server)
        assert (first["tone"], first["name"], first["mark"]) == ("go", "来宾01", "离线 · 本机判定")
        newcomer = await make_passport(event, await TicketType.get(event_id=event.id), badge_name="新来的")
        unknown = await shows(page, newcomer, server)
        assert (unknown["tone"], unknown["word"], unknown["name"]) == ("care", "名单里还没有", "")
        # Found as at the desk: by initials, and by whole pinyin in either reading of the first character.
        await page.locator("#verdict-next").click()
        before = await page.locator("#verdict").get_attribute("data-scan")
        await page.locator("[data-drawer=search]").click()
        for typed in ("zgq", "cengguoqiang", "zengguoqiang"):
            await page.locator("#search-text").fill("")
            await expect(page.locator(".found")).to_have_count(0)
            await page.locator("#search-text").fill(typed)
            await expect(page.locator(".found__name")).to_have_text("曾国强")
        await page.locator(".found").click()
        assert (await says(page, before))["name"] == "曾国强"
        # A leader's code opens the list that lies on the phone; whoever is ticked is one scan each.
        assert (await shows(page, group[0], server))["name"] == "组员0"
        await page.locator("#verdict-person").click()
        await page.locator("#group-admit >> text=2").click()
        await page.wait_for_selector("#group-list li:nth-child(3) .state--go")
        assert "离线 · 本机判定" in await page.locator("#group-name").inner_text()
        await page.locator("#drawer-group [data-close]").click()
        for passport in people[4:20]:
            assert (await shows(page, passport, server))["tone"] == "go"
        assert await page.locator("#count-waiting b").inner_text() == "22"

        # The page is loaded again in the middle of it: from the phone itself, and nothing is lost.
        await page.reload()
        await page.wait_for_selector("[data-scanner=ready]", state="attached")
        assert await page.locator("#count-waiting b").inner_text() == "22"
        for passport in (people[4], people[0]):
            again = await shows(page, passport, server)
            assert (again["tone"], again["word"]) == ("care", "已到过"), "it still knows who came"
            assert again["name"] == passport.badge_name
        for passport in people[20:]:
            assert (await shows(page, passport, server))["tone"] == "go"
        assert await page.locator("#count-waiting b").inner_text() == "54"
        assert await Scan.all().count() == 2

        # It is back: everything arrives once, and one person was let in at two lanes.
        await context.set_offline(False)
        await page.wait_for_selector("#offline", state="hidden", timeout=60_000)
        await until(lambda: _has(page, "#count-waiting", hidden=True), limit_s=60)
        rows = await Scan.filter(checkpoint_id=gate.id)
        assert len({row.scan_id for row in rows}) == len(rows)
        device_rows = [row for row in rows if row.actor_key.startswith("device:")]
        assert Counter(row.verdict for row in device_rows) == {
            "admitted": PEOPLE - 2 + 1 + len(group),
            "already_here": 3,
        }
        clashes = await db.query("SELECT scan_id FROM scan_conflict")
        assert len(clashes) == 1
        await page.locator("#conflicts-open").click()
        [clash] = await page.locator(".clash").all()
        text = await clash.inner_text()
        assert "来宾01" in text and "北门" in text and "南门" in text
        # The organiser sees it, too: the board by itself, and who and where behind it.
        await expect(board.locator("#conflicts-open")).to_have_text("1", timeout=40_000)
        looking = await lanes.new_page()
        await looking.goto(f"{server.base}/e/{event.slug}/live/conflicts")
        [card] = await looking.locator("[data-conflict]").all()
        told = await card.inner_text()
        assert "来宾01" in told and "North gate" in told and "South gate" in told
        await clash.get_by_role("button").click()
        await until(lambda: _has(page, "#conflicts-open", hidden=True))
        # Dealt with on the phone, it leaves the organiser's screens without anybody's doing.
        await expect(board.locator("#conflicts-open")).to_be_hidden(timeout=40_000)
        await expect(looking.locator("[data-conflict]")).to_have_count(0, timeout=40_000)
        await page.locator("#drawer-conflicts [data-close]").click()
        assert (await kept(page))["queue"] == 0

        # Revoked while it is away: at the first contact it hands over what it holds, and forgets the event.
        await context.set_offline(True)
        await page.wait_for_selector("#offline >> visible=true")
        late = await make_passport(event, await TicketType.get(event_id=event.id), badge_name="很晚的人")
        await shows(page, late, server)
        access.forget()
        lead = await access.open_event(
            Actor(kind=ActorKind.ACCOUNT, id=organiser), event.slug, Permission.PAIR_DEVICES
        )
        [device] = await devices.list_devices(door=lead)
        await devices.revoke(door=lead, device_id=device.id, at=datetime.now(UTC))
        await context.set_offline(False)
        await page.wait_for_selector("#over >> text=本机不再保存", timeout=60_000)
        left = await kept(page)
        assert {name: left[name] for name in ("pairing", "queue", "snapshot", "names", "kept")} == {
            "pairing": 0,
            "queue": 0,
            "snapshot": 0,
            "names": 0,
            "kept": 0,
        }
        assert [row["passport_id"] for row in await db.query("SELECT passport_id FROM quarantined_scan")] == [
            late.id
        ]
        assert not await Scan.filter(passport_id=late.id).exists(), "kept apart, never counted by itself"
        await page.reload()
        await page.wait_for_selector("#over >> text=未配对")
        # A browser writes an error for each request without a network or with a refusal; there is none of our own.
        spoken = re.compile("ERR_INTERNET_DISCONNECTED|status of 401")
        assert [error for error in seen.errors if not spoken.search(error)] == []


async def _has(page: Page, selector: str, *, hidden: bool) -> bool:
    return (await page.locator(selector).is_hidden()) is hidden
