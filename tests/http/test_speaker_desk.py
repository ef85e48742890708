"""Speakers at the desk: what each misses, who may see and change what, reminding all at once, lists and JSON."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx2
import pytest
from openpyxl import load_workbook
from starlette.applications import Starlette

import main
from agenda import speaker_link
from agenda.models import Speaker, SpeakerLetter
from agenda.speakers import change_visit
from events.models import Event
from kernel import db
from kernel.actor import SYSTEM
from kernel.settings import Settings
from people.models import Account, JournalEntry, Letter
from tests.factories import make_account, make_role
from tests.http.test_cfp_pages import words_of
from tests.http.test_events_pages import browser
from tests.http.test_speaker_pages import EN, NOW, ZH, asked, enter, link_of, world


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def confirmed(app: Starlette, event: Event, chair: Account, **more: Any) -> Speaker:
    proposal, speaker = await asked(app, event, chair, **more)
    async with browser(app) as client:
        address = await enter(client, speaker)
        sent = await client.post(f"{address}/talks/{proposal.code}/answer", data={"verb": "confirm"})
        assert sent.status_code == 303
    return speaker


async def owner_of(event: Event) -> Account:
    owner = await make_account("owner@example.org", name="林组织")
    await make_role(event, owner, "owner")
    return owner


async def test_the_list_says_what_each_one_misses(app: Starlette) -> None:
    event, _, chair = await world()
    await confirmed(app, event, chair)
    await asked(app, event, chair, **{"title.zh-Hans": "另一个", "name.zh-Hans": "王五", "email": ""})
    async with browser(app, chair) as client:
        chinese = words_of(await client.get("/e/coscon/desk/speakers", headers=ZH))
        assert "林小满" in chinese
        assert "王五" in chinese
        assert "missing" not in chinese
        missing = words_of(await client.get("/e/coscon/desk/speakers?show=missing&q=林", headers=EN))
        assert "林小满" in missing
        assert "王五" not in missing
        host = words_of(await client.get("/e/coscon/desk/speakers?show=host", headers=EN))
        assert "林小满" in host
        assert "王五" not in host
        nobody = words_of(await client.get("/e/coscon/desk/speakers?q=nobody", headers=EN))
        assert "Nobody here" in nobody


async def test_all_who_miss_something_are_reminded_in_one_go(app: Starlette) -> None:
    event, _, chair = await world()
    speaker = await confirmed(app, event, chair)
    await asked(app, event, chair, **{"name.zh-Hans": "王五", "email": ""})
    english = await confirmed(
        app,
        event,
        chair,
        **{
            "title.zh-Hans": "",
            "title.en": "Rust",
            "name.zh-Hans": "",
            "name.en": "Ann",
            "email": "ann@example.org",
        },
    )
    async with browser(app, chair) as client:
        page = words_of(await client.get("/e/coscon/desk/speakers", headers=EN))
        assert "Remind 2 who miss something" in page
        for done in ("drafted", "same"):
            sent = await client.post("/e/coscon/desk/speakers/nudge", data={})
            assert sent.headers["location"] == f"/e/coscon/desk/speakers?done={done}"
    rows = await SpeakerLetter.filter(code="nudge").order_by("speaker_id")
    assert [row.speaker_id for row in rows] == [speaker.id, english.id]
    texts = {one.to_email: one for one in await Letter.filter(id__in=[row.letter_id for row in rows])}
    assert {one.state for one in texts.values()} == {"drafted"}
    assert "- 你的课件（" in texts["lin@example.org"].text
    assert "- Your slides (until " in texts["ann@example.org"].text
    # The organisers' own part is nobody's reproach.
    assert "looks after" not in texts["ann@example.org"].text
    for row, one in zip((speaker, english), texts.values(), strict=True):
        assert speaker_link.key_of(row.id, 0) not in one.text


async def test_nobody_to_remind_is_said(app: Starlette) -> None:
    _, _, chair = await world()
    async with browser(app, chair) as client:
        empty = await client.get("/e/coscon/desk/speakers", headers=EN)
        assert "No speakers yet" in words_of(empty)
        none = await client.post("/e/coscon/desk/speakers/nudge", data={}, headers=EN)
    assert none.status_code == 409
    assert "misses anything" in words_of(none)


async def test_contacts_and_travel_are_seen_by_right_and_a_host_is_read_by_the_speaker(
    app: Starlette,
) -> None:
    event, _, chair = await world()
    owner = await owner_of(event)
    speaker = await confirmed(app, event, chair)
    path = f"/e/coscon/desk/speakers/{speaker.code}"
    values = {
        "host_name": "赵志愿",
        "host_contact": "微信 zhao",
        "note": "VIP room",
        "arrives_at": "2030-10-27T20:00",
        "email": "lin@example.org",
        "phone": "13800138000",
    }
    async with browser(app, chair) as client:
        page = await client.get(path, headers=EN)
        assert "lin@example.org" not in page.text
        assert speaker_link.key_of(speaker.id, 0) in page.text
        # The chair has no right to contacts: a host is all that is kept of this.
        assert (await client.post(path, data=values)).status_code == 303
    await speaker.refresh_from_db()
    assert (speaker.host_name, speaker.note, speaker.arrives_at, speaker.phone) == ("赵志愿", "", None, "")
    async with browser(app, owner) as client:
        wrong = await client.post(
            path, data=values | {"email": "no", "phone": "12", "note": "x" * 4001}, headers=EN
        )
        assert wrong.status_code == 422
        for name in ("email", "phone", "note"):
            assert f'id="f-{name}-error"' in wrong.text
        assert (await client.post(path, data=values)).status_code == 303
        page = await client.get(path, headers=EN)
        assert "lin@example.org" in page.text
        assert "VIP room" in page.text
    await speaker.refresh_from_db()
    assert (speaker.note, speaker.phone) == ("VIP room", "+8613800138000")
    async with browser(app) as client:
        own = await client.get(await enter(client, speaker), headers=ZH)
    assert "赵志愿" in words_of(own)
    assert "VIP room" not in own.text
    async with browser(app, owner) as client:
        taken = await asked(app, event, chair, **{"name.zh-Hans": "王五", "email": "wang@example.org"})
        clash = await client.post(
            f"/e/coscon/desk/speakers/{taken[1].code}", data={"email": "lin@example.org"}, headers=EN
        )
        assert clash.status_code == 422
        assert "Another speaker of this event has this address." in words_of(clash)


async def test_a_producer_sees_and_changes_their_own_forum_alone(app: Starlette) -> None:
    event, forum, chair = await world()
    inside = await confirmed(app, event, chair, forum=str(forum.id))
    outside = await confirmed(
        app, event, chair, **{"name.zh-Hans": "王五", "email": "wang@example.org", "title.zh-Hans": "别处"}
    )
    producer = await make_account("producer@example.org")
    await make_role(event, producer, "producer", scope_kind="forum", scope_id=forum.id)
    async with browser(app, producer) as client:
        page = words_of(await client.get("/e/coscon/desk/speakers?show=all", headers=ZH))
        assert "林小满" in page
        assert "王五" not in page
        assert (await client.get(f"/e/coscon/desk/speakers/{inside.code}")).status_code == 200
        for path in (f"/e/coscon/desk/speakers/{outside.code}", f"/e/coscon/api/speakers/{outside.code}"):
            assert (await client.get(path)).status_code == 404
        assert (
            await client.post(f"/e/coscon/desk/speakers/{outside.code}", data={"host_name": "x"})
        ).status_code == 404
        assert (await client.post(f"/e/coscon/desk/speakers/{outside.code}/link", data={})).status_code == 404
        assert (await client.post("/e/coscon/desk/speakers/nudge", data={})).status_code == 403
        listed = (await client.get("/e/coscon/api/speakers")).json()
        assert [one["code"] for one in listed["items"]] == [inside.code]


async def test_a_new_link_from_the_desk_kills_the_old_one(app: Starlette) -> None:
    event, _, chair = await world()
    speaker = await confirmed(app, event, chair)
    async with browser(app, chair) as client:
        sent = await client.post(f"/e/coscon/desk/speakers/{speaker.code}/link", data={})
        assert sent.status_code == 303
    async with browser(app) as client:
        assert (await client.get(link_of(speaker))).status_code == 404


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_the_list_goes_out_with_contacts_by_right(app: Starlette, kind: str) -> None:
    event, _, chair = await world()
    owner = await owner_of(event)
    await confirmed(app, event, chair, **{"name.zh-Hans": "=1+1"})

    async def table(who: Account) -> list[list[Any]]:
        async with browser(app, who) as client:
            sent = await client.get(f"/e/coscon/desk/speakers/export/{kind}", headers=EN)
            assert sent.status_code == 200
            assert sent.headers["cache-control"] == "no-store"
        if kind == "csv":
            return list(csv.reader(io.StringIO(sent.content.decode("utf-8-sig"))))
        sheet = load_workbook(io.BytesIO(sent.content)).active
        assert sheet is not None
        return [list(row) for row in sheet.iter_rows(values_only=True)]

    titles, row = await table(chair)
    assert "E-mail" not in titles
    assert "lin@example.org" not in row
    assert row[titles.index("Name")] == ("'=1+1" if kind == "csv" else "=1+1")
    assert row[titles.index("Slides")] == "missing"
    assert await JournalEntry.filter(verb="registration.look").count() == 0
    titles, row = await table(owner)
    assert row[titles.index("E-mail")] == "lin@example.org"
    assert await JournalEntry.filter(verb="registration.look").count() == 1


async def test_programs_read_and_change_speakers_under_the_same_rights(app: Starlette) -> None:
    event, _, chair = await world()
    owner = await owner_of(event)
    speaker = await confirmed(app, event, chair)
    base = "/e/coscon/api/speakers"
    change = {"host_name": "赵志愿", "arrives_at": "2030-10-27T12:00:00Z", "wants_hotel": True}

    async def one(client: httpx2.AsyncClient, **params: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await client.get(f"{base}/{speaker.code}", params=params)).json()
        return found

    async with browser(app, chair) as client:
        found = await one(client)
        assert found["email"] == "l***@example.org"
        assert found["has_contacts"] is False
        assert found["arrives_at"] is None
        assert found["checklist"]["slides"] == "missing"
        # Travel is personal: without the right it is neither read nor written.
        refused = await client.patch(f"{base}/{speaker.code}", json=change)
        assert refused.status_code == 403
        assert (await client.get(f"{base}/{speaker.code}", params={"contacts": "true"})).status_code == 403
        hosted = await client.patch(f"{base}/{speaker.code}", json={"host_name": "赵志愿"})
        assert hosted.json()["host_name"] == "赵志愿"
    async with browser(app, owner) as client:
        assert (await client.patch(f"{base}/{speaker.code}", json=change)).status_code == 200
        assert (await one(client))["email"] == "l***@example.org"
        found = await one(client, contacts="true")
        assert (found["email"], found["wants_hotel"]) == ("lin@example.org", True)
        assert found["arrives_at"] == "2030-10-27T12:00:00Z"
        reversed_ = await client.patch(f"{base}/{speaker.code}", json={"leaves_at": "2030-10-26T12:00:00Z"})
        assert reversed_.status_code == 422
        assert (await client.patch(f"{base}/NOBODY", json={})).status_code == 404
        listed = (await client.get(base, params={"show": "missing"})).json()
        assert [item["code"] for item in listed["items"]] == [speaker.code]
    async with browser(app, await make_account("x@example.org")) as client:
        assert (await client.get(base)).status_code == 403


async def test_the_list_costs_the_same_for_one_and_for_many(app: Starlette) -> None:
    event, _, chair = await world()
    counts: list[int] = []
    async with browser(app, chair) as client:
        for number in range(1, 5):
            _, speaker = await asked(
                app,
                event,
                chair,
                **{
                    "title.zh-Hans": f"议题{number}",
                    "name.zh-Hans": f"讲师{number}",
                    "email": f"s{number}@example.org",
                },
            )
            await change_visit(
                actor=SYSTEM,
                event_id=event.id,
                speaker_id=speaker.id,
                columns={"host_name": "x"},
                at=NOW,
            )
            if number in (2, 3):
                continue
            spent = []
            for _ in range(4):
                before = db.stats.statements
                assert (await client.get("/e/coscon/desk/speakers")).status_code == 200
                spent.append(db.stats.statements - before)
            counts.append(min(spent))
    assert counts[0] == counts[1]
