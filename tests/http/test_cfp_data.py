"""Proposals and speakers in and out: lists with a report, pretalx's JSON, exports that import again as they are."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2
import hypothesis
import orjson
import pytest
from hypothesis import strategies as st
from openpyxl import load_workbook
from starlette.applications import Starlette

import main
from agenda import calls, cfp_export, cfp_import, cfp_tables, history, proposals
from agenda.calls import FieldDetails, ForumDetails, TagDetails
from agenda.cfp_import import Choices
from agenda.models import (
    CallAnswer,
    Forum,
    Proposal,
    ProposalChange,
    ProposalSpeaker,
    ProposalTag,
    Speaker,
)
from agenda.proposal_rules import ProposalState, Subject
from events import access
from events.exporting import to_csv
from events.form_rules import Option
from events.models import Event
from events.rules import FieldKind, Permission
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Account, JournalEntry
from tests.factories import make_account, make_event, make_role
from tests.http.test_cfp_pages import set_up, words_of
from tests.http.test_events_pages import browser

NOW = datetime.now(UTC)
DESK = "/e/coscon/desk/proposals"
ENGLISH = {"accept-language": "en"}


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def world(slug: str = "coscon") -> Event:
    """A call with a forum, a tag and questions of each subject."""
    event = await make_event(slug)
    await set_up(event)
    known: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    name = LocalizedText({"zh-Hans": "人工智能", "en": "AI"})
    await calls.put(details=ForumDetails(code="ai", name=name), **known)
    await calls.put(details=ForumDetails(code="db", name=LocalizedText({"en": "Data"})), **known)
    await calls.put(details=TagDetails(code="new", name=LocalizedText({"en": "Newcomers"})), **known)
    for code, subject, kind, personal in (
        ("seats", Subject.PROPOSAL, FieldKind.NUMBER, False),
        ("topics", Subject.PROPOSAL, FieldKind.CHOOSE_MANY, False),
        ("shirt", Subject.SPEAKER, FieldKind.LINE, True),
    ):
        await calls.put_field(
            details=FieldDetails(
                code=code,
                subject=subject,
                kind=kind,
                label=LocalizedText({"zh-Hans": f"问题{code}", "en": code.title()}),
                options=(
                    Option("a", LocalizedText({"en": "One"})),
                    Option("b", LocalizedText({"en": "Two"})),
                )
                if kind is FieldKind.CHOOSE_MANY
                else (),
                is_personal=personal,
            ),
            **known,
        )
    return event


async def member(event: Event, role: str, *scope: Any) -> Account:
    account = await make_account()
    await make_role(event, account, role, *scope)
    return account


async def upload(client: httpx2.AsyncClient, data: bytes, name: str = "list.csv") -> httpx2.Response:
    sent = await client.post(f"{DESK}/import", files={"file": (name, data, "text/csv")})
    assert sent.status_code == 303, words_of(sent)
    return await client.get(sent.headers["location"], headers=ENGLISH)


async def press(client: httpx2.AsyncClient, page: httpx2.Response, **more: str) -> httpx2.Response:
    """Applies what a page shows."""
    query = page.url.query.decode()
    values = {
        name: re.search(rf'name="{name}" value="([^"]+)"', page.text)[1]  # type: ignore[index]
        for name in ("form", "digest")
    }
    return await client.post(f"{DESK}/import/application?{query}", data=values | more, headers=ENGLISH)


LIST = """ID,议题标题,英文标题,摘要,形式,分论坛,时长,标签,seats,Topics,姓名,公司,职位,邮箱,手机,个人简介,Shirt
A-1,开源大模型,Open models,三个案例。,技术演讲,人工智能,30分钟,Newcomers,40,One；Two,林小满,开源社,志愿者,lin@example.org,138 0013 8000,写代码。,M
A-1,开源大模型,,,,,,,,,Ada Lovelace,Analytical,Analyst,ada@example.org,,,
A-2,数据库内核,,十年。,panel,db,45,,,,林小满,,,lin@example.org,,,
"""


async def test_a_list_is_looked_at_applied_once_and_changes_what_it_made(app: Starlette) -> None:
    event = await world()
    chair = await member(event, "organiser")
    async with browser(app, chair) as client:
        page = await upload(client, LIST.encode("gb18030"))
        assert "New 3" in words_of(page)
        assert await Proposal.all().count() == 0
        done = await press(client, page)
        assert "new=3&changed=0" in done.headers["location"]
        # The same button again, and the same list again: nothing twice.
        assert (await press(client, page)).headers["location"] == done.headers["location"]
        again = await client.get(done.headers["location"], headers=ENGLISH)
        assert "Registered already 3" in words_of(again)
        assert "/application" not in again.text
        changed = LIST.replace("三个案例。", "四个案例。").replace("志愿者", "理事")
        fresh = await upload(client, changed.encode())
        assert "Changed 1" in words_of(fresh)
        assert (await press(client, fresh)).status_code == 303
        # A plan that is another one by now is shown, not applied.
        late = await press(client, fresh, form=str(uuid4()))
        assert late.status_code == 409
    first, second = await Proposal.filter(event_id=event.id).order_by("id")
    assert (first.state, first.origin, first.minutes, first.version, first.submitted_at) == (
        "submitted",
        "import",
        30,
        2,
        None,
    )
    assert dict(first.title) == {"zh-Hans": "开源大模型", "en": "Open models"}
    assert dict(first.abstract) == {"zh-Hans": "四个案例。"}
    assert "open models" in first.search
    assert (second.external_id, second.minutes) == ("A-2", 45)
    lin, ada = await Speaker.filter(event_id=event.id).order_by("id")
    assert (lin.email, lin.phone, dict(lin.title), dict(ada.name)) == (
        "lin@example.org",
        "+8613800138000",
        {"zh-Hans": "理事"},
        {"en": "Ada Lovelace"},
    )
    links = await ProposalSpeaker.all().order_by("proposal_id", "position")
    assert [(one.proposal_id, one.speaker_id) for one in links] == [
        (first.id, lin.id),
        (first.id, ada.id),
        (second.id, lin.id),
    ]
    assert {
        one.value if not isinstance(one.value, list) else tuple(one.value) for one in await CallAnswer.all()
    } == {
        40,
        ("a", "b"),
        "M",
    }
    assert await ProposalTag.filter(proposal_id=first.id).count() == 1
    lines = await ProposalChange.filter(proposal_id=first.id).order_by("id")
    assert [(one.verb, one.field) for one in lines] == [("create", "state"), ("edit", "abstract")]
    assert (lines[1].old, lines[1].new) == ({"zh-Hans": "三个案例。"}, {"zh-Hans": "四个案例。"})
    assert [entry.new for entry in await JournalEntry.filter(verb="proposal.import").order_by("id")] == [
        {"create": 3, "update": 0, "error": 0},
        {"create": 0, "update": 1, "error": 0},
    ]


BAD = """Title,Kind of session,Forum,State,E-mail,Speaker,Length in minutes,Level,Tags,Proposal code,Seats,Language of the talk
,talk,,,,,,,,,,
Good,talk,ai,confirmed,a@example.org,Ada,30,beginner,,,5,en
Bad,dance,moon,asleep,nowhere,,9999,divine,x,12,many,xx
"""


async def test_every_bad_line_is_told_with_its_column_and_left_out_only_on_demand(app: Starlette) -> None:
    event = await world()
    async with browser(app, await member(event, "organiser")) as client:
        page = await upload(client, BAD.encode())
        said = words_of(page)
        for words in (
            "A new proposal needs a title.",
            "Kind of session: The call has no kind of session “dance”",
            "Forum: The event has no forum “moon”",
            "State: The state “asleep” is not known",
            "E-mail: “nowhere” is no e-mail address",
            "Length in minutes: “9999” is no length",
            "Level: The level “divine”",
            "Tags: The event has no tag “x”",
            "Proposal code: A code has six letters",
            "Seats: “many” is no answer",
            "Language of the talk: The language “xx”",
        ):
            assert words in said
        refused = await press(client, page)
        assert refused.status_code == 409
        assert "2 lines can't be imported" in words_of(refused)
        assert await Proposal.all().count() == 0
        report = await client.get(f"{DESK}/import/report.csv?{page.url.query.decode()}", headers=ENGLISH)
        assert [row[0] for row in csv.reader(io.StringIO(report.text.removeprefix("\ufeff")))] == [
            "Line",
            "2",
            "3",
            "4",
        ]
        assert (await press(client, page, partial="1")).status_code == 303
        for wrong, status in ((b"%PDF-1.4", 422), (b"{broken", 422), (b"[]", 422), (b"", 422)):
            answer = await client.post(f"{DESK}/import", files={"file": ("x.csv", wrong, "text/csv")})
            assert (answer.status_code, 'id="f-file' in answer.text) == (status, True)
        stolen = page.url.query.decode().replace("file=", "file=1")
        assert (await client.get(f"{DESK}/import/look?{stolen}")).status_code == 404
    row = await Proposal.get()
    assert (row.state, row.level, row.language) == ("confirmed", "beginner", "en")
    async with browser(app, await member(event, "organiser")) as client:
        # The file is for whoever uploaded it.
        assert (await client.get(f"{DESK}/import/look?{page.url.query.decode()}")).status_code == 404


async def test_columns_that_were_chosen_are_found_again(app: Starlette) -> None:
    event = await world()
    data = "甲,乙\n开源,林小满\n".encode()
    async with browser(app, await member(event, "organiser")) as client:
        page = await upload(client, data)
        assert "No column for a title" in words_of(page)
        chosen = await client.post(
            f"{DESK}/import/choices?{page.url.query.decode()}",
            data={"header": "1", "column.0": "title", "column.1": "speaker.name", "column.9": "x"},
        )
        assert chosen.status_code == 303
        assert "New 1" in words_of(await client.get(chosen.headers["location"], headers=ENGLISH))
        again = await upload(client, data.replace("开源".encode(), "另一个".encode()))
        assert "New 1" in words_of(again)
        assert (await press(client, again)).status_code == 303
    assert dict((await Proposal.get()).title) == {"zh-Hans": "另一个"}
    assert dict((await Speaker.get()).name) == {"zh-Hans": "林小满"}


async def test_who_is_here_keeps_their_words_and_state_and_a_producer_their_forum(app: Starlette) -> None:
    event = await world()
    account = await make_account("lin@example.org")
    async with unit_of_work():
        person = await Speaker.create(
            event_id=event.id,
            code="LINLIN",
            account_id=account.id,
            email="lin@example.org",
            name={"en": "Lin"},
            created_at=NOW,
            updated_at=NOW,
        )
        row = await Proposal.create(
            guid=uuid4(),
            event_id=event.id,
            code="TALK22",
            state="accepted",
            account_id=account.id,
            title={"en": "Here"},
            created_at=NOW,
            updated_at=NOW,
        )
        await ProposalSpeaker.create(proposal_id=row.id, speaker_id=person.id, joined_at=NOW)
        draft = await Proposal.create(
            guid=uuid4(),
            event_id=event.id,
            code="DRAFT2",
            account_id=account.id,
            title={"en": "Mine"},
            created_at=NOW,
            updated_at=NOW,
        )
    data = (
        "Proposal code,Title (English),State,Speaker code,Speaker,E-mail,Forum\n"
        "TALK22,There,rejected,LINLIN,Another,,\n"
        "DRAFT2,Yours,,,,,\n"
        ",New one,,,Lin,lin@example.org,ai\n"
        ",A draft,draft,,,,\n"
    )
    async with browser(app, await member(event, "organiser")) as client:
        page = await upload(client, data.encode())
        said = words_of(page)
        assert "keeps its state" in said
        assert "keeps their own words" in said
        assert "This code belongs to something that you don't see" in said
        assert (await press(client, page, partial="1")).status_code == 303
    await row.refresh_from_db()
    await person.refresh_from_db()
    await draft.refresh_from_db()
    assert (dict(row.title), row.state, dict(person.name), dict(draft.title)) == (
        {"en": "There"},
        "accepted",
        {"en": "Lin"},
        {"en": "Mine"},
    )
    assert await Speaker.all().count() == 1
    assert await Proposal.all().count() == 3
    forum = await Forum.get(event_id=event.id, code="ai")
    producer = await member(event, "producer", "forum", forum.id)
    async with browser(app, producer) as client:
        page = await upload(client, b"Title,Forum\nMine,ai\nOther,db\nNowhere,\n")
        assert words_of(page).count("your own forums only") == 2
        listed = await client.get(f"{DESK}/export/proposals.csv", headers=ENGLISH)
        assert "New one" in listed.text
        assert "There" not in listed.text
        assert "lin@example.org" not in listed.text
    async with browser(app, await member(event, "reviewer")) as client:
        assert (await client.get(f"{DESK}/import")).status_code == 403
        assert (await client.get(f"{DESK}/export")).status_code == 403


PRETALX = {
    "count": 2,
    "results": [
        {
            "code": "ABCDEF",
            "title": "Open models",
            "abstract": "Three cases",
            "state": "canceled",
            "submission_type": {"id": 3, "name": {"en": "Talk", "de": "Vortrag"}},
            "track": {"id": 4, "name": {"en": "AI"}},
            "content_locale": "zh-hans",
            "duration": 30,
            "do_not_record": True,
            "tags": [{"id": 1, "tag": "Newcomers"}],
            "answers": [
                {"id": 1, "question": {"id": 9, "question": {"en": "Seats"}}, "answer": "12"},
                {"id": 2, "question": {"id": 8, "question": {"en": "Diet"}}, "answer": "none"},
            ],
            "speakers": [
                {"code": "QWERTY", "name": "Ada", "biography": "Analyst", "email": "Ada@Example.org"},
                {"code": "ZXCVBN", "name": "Grace"},
            ],
        },
        {"code": "GHIJKL", "title": "Unfinished", "state": "draft", "speakers": []},
    ],
}


async def test_pretalx_comes_in_whole_and_again(app: Starlette) -> None:
    event = await world()
    async with browser(app, await member(event, "organiser")) as client:
        page = await upload(client, orjson.dumps(PRETALX), "submissions.json")
        said = words_of(page)
        assert "New 2" in said
        assert "Not taken: Diet" in said
        assert "A draft: it belongs to whoever is writing it" in said
        assert (await press(client, page)).status_code == 303
        again = await upload(client, orjson.dumps(PRETALX), "submissions.json")
        assert "/application" not in again.text
        people = {"results": [{"code": "QWERTY", "name": "Ada King", "email": "ada@example.org"}]}
        changed = await upload(client, orjson.dumps(people), "speakers.json")
        assert "Changed 1" in words_of(changed)
        assert (await press(client, changed)).status_code == 303
        # The export for people has their titles as keys, and speakers by their codes.
        named = [{"ID": "MNOPQR", "Title": "Later", "Proposal state": "accepted", "speakers": ["QWERTY"]}]
        assert (await press(client, await upload(client, orjson.dumps(named), "s.json"))).status_code == 303
    row = await Proposal.get(external_id="ABCDEF")
    assert (row.state, row.minutes, row.language) == ("cancelled", 30, "zh-Hans")
    ada, grace = await Speaker.all().order_by("id")
    assert (dict(ada.name), dict(ada.bio), ada.email, ada.external_id, grace.external_id) == (
        {"en": "Ada King"},
        {"en": "Analyst"},
        "ada@example.org",
        "QWERTY",
        "ZXCVBN",
    )
    links = await ProposalSpeaker.all().order_by("id")
    assert [(one.speaker_id, one.allows_video) for one in links] == [
        (ada.id, False),
        (grace.id, False),
        (ada.id, None),
    ]
    [answer] = await CallAnswer.all()
    assert answer.value == 12
    assert await ProposalTag.all().count() == 1


async def test_exports_hold_everything_but_what_is_not_for_the_reader(app: Starlette) -> None:
    event = await world()
    organiser = await member(event, "organiser")
    chair = await make_account("chair@example.org", name="Chair")
    await make_role(event, chair, "programme_chair")
    data = "ID,Title,Speaker,E-mail,Shirt,Notes\n1,=1+1,Ada,ada@example.org,Tee XL,@cmd\n2,Own,Chair,,,\n"
    async with browser(app, organiser) as client:
        assert (await press(client, await upload(client, data.encode()))).status_code == 303
    rows = {row.external_id: row for row in await Proposal.all()}
    async with unit_of_work():
        await Proposal.filter(id=rows["2"].id).update(account_id=chair.id)
    both = [row.id for row in rows.values()]
    await proposals.pend(
        actor=SYSTEM, event_id=event.id, proposal_ids=both, state=ProposalState.ACCEPTED, at=NOW
    )
    async with unit_of_work():
        asked = [history.Line("speakers", None, "eve@example.org")]
        await history.write(
            actor=SYSTEM, proposal_id=rows["1"].id, verb="invite_speaker", at=NOW, lines=asked
        )
    async with browser(app, organiser) as client:
        page = await client.get(f"{DESK}/export", headers=ENGLISH)
        assert "2 proposals" in words_of(page)
        sheet = await client.get(f"{DESK}/export/proposals.csv", headers=ENGLISH)
        # A formula is text in a spreadsheet.
        assert "'=1+1" in sheet.text
        assert "'@cmd" in sheet.text
        assert "ada@example.org" in sheet.text
        book = load_workbook(io.BytesIO((await client.get(f"{DESK}/export/proposals.xlsx")).content))
        cells = {cell.value: cell.data_type for line in book.worksheets[0] for cell in line}
        assert cells["=1+1"] == "s"
        people = await client.get(f"{DESK}/export/speakers.csv", headers=ENGLISH)
        assert "Tee XL" in people.text
        whole = (await client.get(f"{DESK}/export/call.json")).json()
        assert {one["pending_state"] for one in whole["proposals"]} == {"accepted"}
        assert {"call", "forums", "questions", "session_types", "tags", "speakers", "history"} < set(whole)
        assert [one["new"] for one in whole["history"] if one["verb"] == "invite_speaker"] == [
            "eve@example.org"
        ]
        assert (await client.get(f"{DESK}/export/call.csv")).status_code == 404
        assert (await client.get(f"{DESK}/export/reviews.csv")).status_code == 404
    assert await JournalEntry.filter(verb="registration.look").count() == 4
    async with browser(app, chair) as client:
        for path in ("proposals.csv", "proposals.json", "speakers.csv", "history.csv", "call.json"):
            found = (await client.get(f"{DESK}/export/{path}", headers=ENGLISH)).text
            assert "ada@example.org" not in found
            assert "eve@example.org" not in found
            assert "Tee XL" not in found
        plain = (await client.get(f"{DESK}/export/call.json")).json()
        assert {one["external_id"]: one["pending_state"] for one in plain["proposals"]} == {
            "1": "accepted",
            "2": "",
        }
        told = {(one["code"], one["verb"]) for one in plain["history"]}
        assert (rows["1"].code, "pend") in told
        assert (rows["2"].code, "pend") not in told
        lines = list(csv.reader(io.StringIO((await client.get(f"{DESK}/export/history.csv")).text)))
        assert len(lines) == 1 + len(plain["history"])


async def _door(event: Event) -> access.Door:
    owner = await member(event, "owner")
    return await access.open_event(
        Actor(kind=ActorKind.ACCOUNT, id=owner.id), event.slug, Permission.CHANGE_PROPOSALS
    )


async def test_many_cost_as_many_statements_as_one(database: Settings) -> None:
    spent: list[tuple[int, int]] = []
    for count in (1, 40):
        event = await world(f"event-{count}")
        door = await _door(event)
        lines = [f"{n},Talk {n},ai,new,5,Speaker {n},s{n}@example.org,M" for n in range(count)]
        data = "\n".join(["ID,Title,Forum,Tags,Seats,Speaker,E-mail,Shirt", *lines]).encode()
        await cfp_import.look(door, filename="x.csv", data=data, choices=Choices())
        before = db.stats.statements
        preview = await cfp_import.look(door, filename="x.csv", data=data, choices=Choices())
        await cfp_import.apply(
            door, preview=preview, digest=preview.digest, partial=False, form_id=uuid4(), at=NOW
        )
        done = db.stats.statements - before
        assert await Proposal.filter(event_id=event.id).count() == count
        before = db.stats.statements
        found = await cfp_tables.read(event.id, actor=door.actor)
        assert found is not None
        assert len(cfp_export.proposals_table(found, zone="UTC", locale="en", shows=True).rows) == count
        assert len(await cfp_export._history(found, shows=True)) == count
        spent.append((done, db.stats.statements - before))
    assert spent[0] == spent[1]
    assert max(spent[0]) <= 45


async def test_of_two_that_import_at_once_nothing_is_there_twice(database: Settings) -> None:
    event = await world()
    door = await _door(event)
    data = b"ID,Title,Speaker,E-mail\n1,Talk,Ada,ada@example.org\n"
    looks = [await cfp_import.look(door, filename="x.csv", data=data, choices=Choices()) for _ in range(2)]
    await cfp_import.apply(
        door, preview=looks[0], digest=looks[0].digest, partial=False, form_id=uuid4(), at=NOW
    )
    with pytest.raises(Conflict) as refused:
        await cfp_import.apply(
            door, preview=looks[1], digest=looks[1].digest, partial=False, form_id=uuid4(), at=NOW
        )
    assert refused.value.code == "import_changed"
    assert (await Proposal.all().count(), await Speaker.all().count()) == (1, 1)
    assert await JournalEntry.filter(verb="proposal.import").count() == 1


# --- what goes out comes in again --------------------------------------------------------------------------------

_CHARS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
_TEXT = st.text(_CHARS, min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
_LOCALIZED = st.dictionaries(st.sampled_from(["zh-Hans", "en", "ja"]), _TEXT, min_size=1, max_size=3)
_MAYBE = st.one_of(st.just(""), _TEXT)
_SAID = st.fixed_dictionaries(
    {
        "title": _LOCALIZED,
        "abstract": _LOCALIZED,
        "description": _LOCALIZED,
        "type": st.sampled_from(["", "talk", "panel"]),
        "forum": st.sampled_from(["", "ai", "db"]),
        "minutes": st.sampled_from(["", "5", "45"]),
        "language": st.sampled_from(["", "zh-Hans", "en"]),
        "level": st.sampled_from(["", "advanced"]),
        "notes": _MAYBE,
        "audience": _MAYBE,
        "state": st.sampled_from(["submitted", "confirmed", "withdrawn"]),
        "tags": st.sampled_from(["", "new"]),
        "seats": st.sampled_from(["", "12"]),
        "topics": st.sampled_from(["", "a", "a, b"]),
        "people": st.lists(
            st.fixed_dictionaries(
                {
                    "name": _LOCALIZED,
                    "bio": _LOCALIZED,
                    "organisation": _LOCALIZED,
                    "shirt": _MAYBE,
                    "email": st.booleans(),
                    "slides": st.sampled_from(["", "yes", "no"]),
                }
            ),
            max_size=2,
        ),
    }
)


def _sheet(said: list[dict[str, Any]]) -> bytes:
    """Generated proposals as a list that somebody might have made."""
    keys = [
        *(
            f"{name} ({tag})"
            for name in ("title", "abstract", "description")
            for tag in ("zh-Hans", "en", "ja")
        ),
        *("type", "forum", "minutes", "language of the talk", "level", "notes", "audience", "state", "tags"),
        *("seats", "topics", "external id"),
    ]
    about = [
        f"{name} ({tag})" for name in ("speaker", "bio", "organisation") for tag in ("zh-Hans", "en", "ja")
    ]
    rows: list[list[str]] = []
    for number, one in enumerate(said):
        own = [
            one[name].get(tag, "")
            for name in ("title", "abstract", "description")
            for tag in ("zh-Hans", "en", "ja")
        ]
        own += [
            one[name]
            for name in ("type", "forum", "minutes", "language", "level", "notes", "audience", "state")
        ]
        own += [one["tags"], one["seats"], one["topics"], f"P-{number}"]
        for place, person in enumerate(one["people"] or [None]):
            if person is None:
                rows.append([*own, *[""] * (len(about) + 4)])
                continue
            texts = [
                person[name].get(tag, "")
                for name in ("name", "bio", "organisation")
                for tag in ("zh-Hans", "en", "ja")
            ]
            mark = f"S-{number}-{place}"
            email = f"s{number}-{place}@example.org" if person["email"] else ""
            rows.append([*own, *texts, person["shirt"], email, mark, person["slides"]])
    titles = [*keys, *about, "shirt", "e-mail", "speaker's external id", "slides may be published"]
    return b"".join(to_csv(titles, rows))


async def _import(event: Event, data: bytes) -> cfp_import.Preview:
    door = await _door(event)
    preview = await cfp_import.look(door, filename="x.csv", data=data, choices=Choices())
    await cfp_import.apply(
        door, preview=preview, digest=preview.digest, partial=True, form_id=uuid4(), at=NOW
    )
    return preview


async def _export(event: Event, locale: str) -> bytes:
    found = await cfp_tables.read(event.id, actor=SYSTEM)
    assert found is not None
    table = cfp_export.proposals_table(found, zone=event.time_zone, locale=locale, shows=True)
    return b"".join(to_csv(table.titles, table.rows))


async def test_what_goes_out_comes_in_again_and_goes_out_the_same(database: Settings) -> None:
    """From one call into an empty one with the same types, forums, questions and tags, in either language."""

    @hypothesis.seed(20231028)
    @hypothesis.settings(max_examples=12, deadline=None, database=None)
    @hypothesis.given(said=st.lists(_SAID, min_size=1, max_size=4), locale=st.sampled_from(["zh-Hans", "en"]))
    def collect(said: list[dict[str, Any]], locale: str) -> None:
        cases.append((said, locale))

    cases: list[tuple[list[dict[str, Any]], str]] = []
    collect()
    for number, (said, locale) in enumerate(cases):
        old, new = await world(f"old-{number}"), await world(f"new-{number}")
        first = await _import(old, _sheet(said))
        assert [line.problems for line in first.plan.lines if line.problems] == []
        gone_out = await _export(old, locale)
        second = await _import(new, gone_out)
        assert [line.problems for line in second.plan.lines if line.problems] == []
        assert await _export(new, locale) == gone_out
        assert await Proposal.filter(event_id=new.id).count() == len(said)
        # And once more into itself it changes nothing.
        door = await _door(new)
        third = await cfp_import.look(door, filename="x.csv", data=gone_out, choices=Choices())
        assert third.plan.totals["create"] == third.plan.totals["update"] == 0, third.plan
