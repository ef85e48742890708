"""People who are not a code: the card, a lead's word, a group's list, and the list on paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin import counting
from checkin.models import Checkpoint, HolderNote, Passport, Presence, Scan, ScanReason
from events import access, privacy, registrations
from events.models import Event, RegistrationGroup, TicketType
from events.rules import Contact, RegistrationSource
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts
from people.models import JournalEntry
from tests.factories import forget, make_account, make_checkpoint, make_event, make_role, make_ticket_type
from web import signin

BASE = "http://127.0.0.1:8000"
SAME_SITE = {"origin": BASE}


def today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


@dataclass
class House:
    app: Starlette
    event: Event
    kind: TicketType
    gate: Checkpoint

    async def reader(self, role: str, scope: int = 0) -> httpx2.AsyncClient:
        account = await make_account()
        await make_role(self.event, account, role, "checkpoint" if scope else "", scope)
        access.forget()
        token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=BASE,
            headers=SAME_SITE | {"accept-language": "en"},
        )
        client.cookies.set(signin.COOKIE, token)
        return client

    async def person(self, name: str, **more: object) -> Passport:
        contact = Contact(name=name, email=str(more.pop("email", f"{uuid4().hex[:8]}@example.org")))
        number = await registrations.register(
            event_id=self.event.id,
            ticket_type_id=self.kind.id,
            contact=contact,
            source=RegistrationSource.ORGANISER,
            locale="zh-Hans",
            at=datetime.now(UTC),
            **more,  # type: ignore[arg-type]
        )
        return await Passport.get(registration_id=number)

    def at(self, passport: Passport, path: str = "") -> str:
        return f"/e/{self.event.slug}/people/{passport.id}{path}"


@pytest.fixture
async def house(database: Settings) -> House:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon", starts_on=today(), ends_on=today())
    kind = await make_ticket_type(event, "general")
    gate = await make_checkpoint(event)
    return House(app, event, kind, gate)


async def _group(house: House, kind: str = "group", contact: str = "leader@example.org") -> RegistrationGroup:
    async with unit_of_work():
        return await RegistrationGroup.create(
            event_id=house.event.id,
            kind=kind,
            name="Datawhale",
            contact_email=contact,
            created_at=datetime.now(UTC),
        )


async def scan(
    client: httpx2.AsyncClient, house: House, passport: Passport, **more: object
) -> dict[str, object]:
    body = {"scan_id": str(uuid4()), "code": passport.short_code, "checkpoint": house.gate.id} | more
    answer = await client.post(f"/e/{house.event.slug}/api/scans", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


# --- a note ------------------------------------------------------------------------------------------------------


async def test_a_note_is_shown_with_every_verdict_until_a_lead_marks_it_done(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    passport = await house.person("单雄信")
    form = {"text.zh-Hans": "请到讲师接待处", "text.en": "Please see the speakers' desk", "attention": "1"}
    assert (await staff.post(house.at(passport, "/note"), data=form)).status_code == 403
    assert (await lead.post(house.at(passport, "/note"), data=form)).status_code == 303
    assert (await lead.post(house.at(passport, "/note"), data=form)).status_code == 303
    note = await HolderNote.get()
    said = await scan(staff, house, passport)
    wanted = {"text": {"zh-Hans": "请到讲师接待处", "en": "Please see the speakers' desk"}, "attention": True}
    assert (said["verdict"], said["notice"]) == ("admitted", wanted)
    assert (await scan(staff, house, passport))["notice"] == wanted
    again = await scan(staff, house, passport, scan_id=said["scan_id"])
    assert (again["replayed"], again["notice"]) == (True, wanted)
    card = await staff.get(house.at(passport))
    assert "speakers&#39; desk" in card.text and "The note is done" not in card.text
    assert (await staff.post(house.at(passport, "/note/done"), data={"note": note.id})).status_code == 403
    for _ in range(2):
        done = await lead.post(house.at(passport, "/note/done"), data={"note": note.id})
        assert done.status_code == 303
    assert (await scan(staff, house, passport))["notice"] is None
    await note.refresh_from_db()
    assert note.done_at is not None and note.done_by.startswith("account") and note.open_for is None
    verbs = [line.verb for line in await JournalEntry.filter(object_id=passport.id, object_kind="passport")]
    assert verbs == ["note.set", "note.done"]
    lines = str([(line.old, line.new) for line in await JournalEntry.all()])
    assert "讲师" not in lines


async def test_a_new_note_takes_the_place_of_the_old_and_an_empty_one_is_refused(house: House) -> None:
    lead = await house.reader("organiser")
    passport = await house.person("解晓东")
    empty = await lead.post(house.at(passport, "/note"), data={"text.en": ""})
    assert empty.status_code == 422 and await HolderNote.all().count() == 0
    long = await lead.post(house.at(passport, "/note"), data={"text.en": "x" * 201})
    assert long.status_code == 422 and "x" * 201 in long.text
    for text in ("first", "second"):
        await lead.post(house.at(passport, "/note"), data={"text.en": text})
    notes = await HolderNote.all().order_by("id")
    assert [(one.open_for, one.done_at is None) for one in notes] == [(None, False), (passport.id, True)]
    assert (await lead.post(house.at(passport, "/note/done"), data={"note": "999"})).status_code == 404


# --- against a refusal -------------------------------------------------------------------------------------------


async def test_a_lead_admits_against_a_refusal_with_a_reason(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    other = await make_ticket_type(house.event, "vip")
    room = await make_checkpoint(house.event, kind="session", ticket_types=[other], once="event", capacity=1)
    passport = await house.person("曾毅")
    refused = await lead.post(
        f"/e/{house.event.slug}/scan",
        data={"scan_id": str(uuid4()), "code": passport.short_code, "checkpoint": room.id},
    )
    assert "Let them in all the same" in refused.text
    form = {"scan_id": str(uuid4()), "checkpoint": str(room.id), "reason": "Speaker's guest"}
    assert (await staff.post(house.at(passport, "/overrule"), data=form)).status_code == 403
    without = await lead.post(house.at(passport, "/overrule"), data=form | {"reason": ""})
    assert without.status_code == 422 and form["scan_id"] in without.text
    for _ in range(2):
        done = await lead.post(house.at(passport, "/overrule"), data=form)
        assert done.status_code == 200 and "Let in by a lead" in done.text
    changed = await lead.post(house.at(passport, "/overrule"), data=form | {"reason": "another"})
    assert changed.status_code == 409
    [row] = await Scan.filter(verdict="admitted_by_lead")
    assert (row.turn, str(row.scan_id), row.direction) == (0, form["scan_id"], "entry")
    reason = await ScanReason.get()
    assert (reason.text, reason.scan_id) == ("Speaker's guest", UUID(form["scan_id"]))
    [line] = await JournalEntry.filter(verb="scan.override")
    assert line.object_id == passport.id and "guest" not in str(line.new)
    # Past the limit as well; and the limit goes on to hold for everybody else.
    second = await house.person("张伟")
    form = {"scan_id": str(uuid4()), "checkpoint": str(room.id), "reason": "Full, but the chair asks"}
    assert "Let in by a lead" in (await lead.post(house.at(second, "/overrule"), data=form)).text
    assert (await Presence.get(list_id=room.list_id)).inside == 2
    assert await counting.differences(house.event.id) == []


async def test_a_lead_of_one_checkpoint_overrules_at_no_other(house: House) -> None:
    closed = await make_checkpoint(house.event, is_open=False)
    other = await make_checkpoint(house.event, is_open=False)
    lead = await house.reader("volunteer_lead", scope=closed.id)
    passport = await house.person("张伟")
    form = {"scan_id": str(uuid4()), "checkpoint": str(closed.id), "reason": "it opens"}
    assert (await lead.post(house.at(passport, "/overrule"), data=form)).status_code == 200
    form |= {"scan_id": str(uuid4()), "checkpoint": str(other.id)}
    assert (await lead.post(house.at(passport, "/overrule"), data=form)).status_code == 403


async def test_what_staff_wrote_goes_with_the_person_and_the_totals_stay(house: House) -> None:
    lead = await house.reader("volunteer_lead")
    closed = await make_checkpoint(house.event, is_open=False)
    passport = await house.person("欧阳娜娜")
    await lead.post(house.at(passport, "/note"), data={"text.en": "Nana's ring is at the desk"})
    form = {"scan_id": str(uuid4()), "checkpoint": str(closed.id), "reason": "Nana forgot her ring"}
    await lead.post(house.at(passport, "/overrule"), data=form)
    await privacy.erase(
        actor=SYSTEM,
        event_id=house.event.id,
        registration_ids=[passport.registration_id],
        at=datetime.now(UTC),
    )
    [note], [reason] = await HolderNote.all(), await ScanReason.all()
    assert (dict(note.text), note.open_for, reason.text) == ({}, None, "")
    await passport.refresh_from_db()
    assert (passport.notice, passport.leads_group_id) == (None, None)
    assert await counting.differences(house.event.id) == []


# --- a group -----------------------------------------------------------------------------------------------------


def _form_id(text: str) -> str:
    match = re.search(r'name="form" value="([^"]+)"', text)
    assert match
    return match[1]


async def test_a_leader_brings_the_group_and_some_of_it_come_in(house: House) -> None:
    staff = await house.reader("scanner", scope=house.gate.id)
    group = await _group(house)
    people = [await house.person(name, group_id=group.id) for name in ("李明", "王芳", "张伟")]
    stranger = await house.person("单雄信")
    found = (await staff.get(f"/e/{house.event.slug}/api/people", params={"q": "wf"})).json()["people"]
    assert found[0]["group"] == {"name": "Datawhale", "people": 3}
    assert (await scan(staff, house, people[0]))["holder"]["leads_group"] is True  # type: ignore[index]
    assert (await scan(staff, house, stranger))["holder"]["leads_group"] is False  # type: ignore[index]
    card = await staff.get(house.at(people[0]))
    assert "3 people of this group" in card.text
    page = await staff.get(house.at(people[0], "/group"))
    assert page.status_code == 200 and "1 of 3 are here" in page.text and "单雄信" not in page.text
    form = {"form": _form_id(page.text), "checkpoint": str(house.gate.id), "people[]": [str(people[1].id)]}
    for _ in range(2):
        done = await staff.post(house.at(people[0], "/group"), data=form)
        assert done.status_code == 200 and "1 of 1 were let in" in done.text
    assert await Scan.filter(verdict="admitted").count() == 3
    assert await Scan.filter(passport_id=people[1].id).count() == 1
    wrong = await staff.post(
        house.at(people[0], "/group"), data=form | {"form": str(uuid4()), "people[]": [str(stranger.id)]}
    )
    assert wrong.status_code == 422
    nobody = await staff.post(
        house.at(people[0], "/group"), data={"form": str(uuid4()), "checkpoint": str(house.gate.id)}
    )
    assert "Nobody was ticked" in nobody.text
    broken = await staff.post(house.at(people[0], "/group"), data=form | {"form": "x"})
    assert broken.status_code == 422
    assert (await staff.get(house.at(stranger, "/group"))).status_code == 404


async def test_a_partners_contact_opens_the_partners_list_and_its_people_do_not(house: House) -> None:
    staff = await house.reader("scanner")
    group = await _group(house, "partner", "boss@example.org")
    member = await house.person("李明", group_id=group.id)
    boss = await house.person("王总", email="boss@example.org")
    assert (await staff.get(house.at(boss, "/group"))).status_code == 200
    assert (await staff.get(house.at(member, "/group"))).status_code == 404


async def test_a_group_costs_the_same_statements_however_many_come(house: House) -> None:
    staff = await house.reader("scanner")
    counted = []
    for size in (1, 8):
        group = await _group(house, contact=f"leader{size}@example.org")
        people = [await house.person(f"李{size}{number}", group_id=group.id) for number in range(size)]
        # What is kept for two seconds is read anew both times.
        forget()
        before = db.stats.statements
        assert (await staff.get(house.at(people[0], "/group"))).status_code == 200
        counted.append(db.stats.statements - before)
    assert counted[0] == counted[1]


# --- taken back --------------------------------------------------------------------------------------------------


def _slip(text: str) -> dict[str, str]:
    block = text.partition('/undo"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(scan_id|target)" value="([^"]+)"', block))


async def test_a_lead_takes_a_scan_back_with_a_reason(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    passport = await house.person("张伟")
    said = await scan(staff, house, passport)
    assert _slip((await staff.get(house.at(passport))).text) == {}
    slip = _slip((await lead.get(house.at(passport))).text)
    assert slip["target"] == said["scan_id"]
    form = slip | {"undo_reason": "wrong person"}
    assert (await staff.post(house.at(passport, "/undo"), data=form)).status_code == 403
    empty = await lead.post(house.at(passport, "/undo"), data=form | {"undo_reason": ""})
    assert empty.status_code == 422
    for _ in range(2):
        assert (await lead.post(house.at(passport, "/undo"), data=form)).status_code == 303
    again = await lead.post(house.at(passport, "/undo"), data=form | {"scan_id": str(uuid4())})
    assert again.status_code == 422 and "be taken back" in again.text
    assert await Scan.filter(direction="undo").count() == 1
    assert (await ScanReason.get()).text == "wrong person"
    assert (await scan(staff, house, passport))["verdict"] == "admitted"
    replay = await staff.post(
        f"/e/{house.event.slug}/api/scans",
        json={"scan_id": form["scan_id"], "code": passport.short_code, "checkpoint": house.gate.id},
    )
    assert replay.status_code == 409
    assert await counting.differences(house.event.id) == []


# --- on paper ----------------------------------------------------------------------------------------------------


async def test_the_list_stands_in_the_order_of_pinyin_and_can_be_narrowed(house: House) -> None:
    desk, staff = await house.reader("organiser"), await house.reader("scanner")
    for name in ("Bob", "张伟", "单雄信", "曾毅", "李明"):
        await house.person(name)
    here = await Passport.get(badge_name="李明")
    await scan(staff, house, here)
    path = f"/e/{house.event.slug}/desk/sign-in-list"
    assert (await staff.get(path)).status_code == 403
    page = await desk.get(path)
    names = re.findall(r'signlist__name" scope="row">([^<]+)<', page.text)
    assert names == ["李明", "单雄信", "曾毅", "张伟", "Bob"]
    assert f"{here.short_code[:4]} {here.short_code[4:]}" in page.text
    for query, wanted in (
        ("show=missing", ["单雄信", "曾毅", "张伟", "Bob"]),
        ("letters=S-Z", ["单雄信", "曾毅", "张伟"]),
        ("letters=*", ["Bob"]),
        (f"type={house.kind.id + 99}", []),
    ):
        found = re.findall(r'signlist__name" scope="row">([^<]+)<', (await desk.get(f"{path}?{query}")).text)
        assert found == wanted, query


async def test_ticks_are_entered_later_as_scans_of_then(house: House) -> None:
    desk, staff = await house.reader("organiser"), await house.reader("scanner")
    people = [await house.person(name) for name in ("李明", "王芳", "张伟")]
    path = f"/e/{house.event.slug}/desk/sign-in-list/enter"
    assert "王芳" not in (await staff.get(path)).text
    page = await desk.get(path)
    earlier = datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=25)
    form = {
        "form": _form_id(page.text),
        "checkpoint": str(house.gate.id),
        "time": f"{earlier:%H:%M}",
        "codes": f"{people[0].short_code[:4]} {people[0].short_code[4:]}\nNOSUCHCODE",
        "people[]": [str(people[1].id)],
    }
    for _ in range(2):
        done = await desk.post(path, data=form)
        assert done.status_code == 200 and "2 of 3 were let in" in done.text, done.text
    rows = await Scan.all().order_by("id")
    assert [(row.verdict, row.passport_id) for row in rows] == [
        ("admitted", people[0].id),
        ("unknown", None),
        ("admitted", people[1].id),
    ]
    assert all(timedelta(minutes=24) < row.received_at - row.at < timedelta(minutes=27) for row in rows)
    for wrong, kept in (({"time": "25:00"}, "25:00"), ({"codes": "", "people[]": []}, "")):
        answer = await desk.post(path, data=form | {"form": str(uuid4())} | wrong)
        assert answer.status_code == 422 and kept in answer.text
    by_code = await staff.post(
        path, data={"form": str(uuid4()), "checkpoint": str(house.gate.id), "codes": people[2].short_code}
    )
    assert "1 of 1 were let in" in by_code.text
    assert await Scan.all().count() == 4


async def test_who_may_not_scan_here_enters_nothing(house: House) -> None:
    staff = await house.reader("scanner", scope=house.gate.id)
    other = await make_event("other")
    assert (await staff.get(f"/e/{other.slug}/desk/sign-in-list/enter")).status_code == 403
