"""The call and its proposals as JSON: the pages' rules, their refusals, and nothing about one's own review."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.applications import Starlette

import main
from agenda import calls, proposals
from agenda.calls import FieldDetails, ForumDetails
from agenda.models import Proposal, SpeakerInvitation
from agenda.proposal_rules import ProposalState, Subject
from events.rules import FieldKind
from kernel import db
from kernel.actor import SYSTEM
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Account, JournalEntry
from tests.factories import make_account, make_event, make_role
from tests.http.test_cfp_pages import picture, world
from tests.http.test_events_pages import browser

NOW = datetime.now(UTC)
API = "/e/coscon/api"
ORIGIN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


def whole(kind: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "title": {"zh-Hans": "开源大模型的落地实践"},
        "abstract": {"zh-Hans": "三个案例。"},
        "session_type_id": kind,
        "language": "zh-Hans",
        "me": {
            "name": {"zh-Hans": "林小满"},
            "bio": {"zh-Hans": "志愿者"},
            "travel_note": "from Wuhan",
            "allows_slides": True,
            "allows_photo": False,
            "allows_video": True,
        },
    } | more


async def send(client: httpx2.AsyncClient, path: str, body: Any = None, method: str = "POST") -> Any:
    return await client.request(method, f"{API}{path}", json=body, headers=ORIGIN)


async def handed_in(app: Starlette, account: Account, kind: int, **more: Any) -> str:
    async with browser(app, account) as client:
        made = await send(client, "/proposals", whole(kind, **more))
        assert made.status_code == 201, made.text
        code = str(made.json()["code"])
        moved = await send(client, f"/proposals/{code}/moves", {"verb": "submit"})
        assert moved.json()["state"] == "submitted", moved.text
    return code


async def test_a_speaker_writes_hands_in_and_takes_back(app: Starlette) -> None:
    event, kind = await world()
    size = await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code="seats",
            subject=Subject.PROPOSAL,
            kind=FieldKind.NUMBER,
            label=LocalizedText({"en": "Seats"}),
        ),
        at=NOW,
    )
    assert size
    account = await make_account("lin@example.org")
    async with browser(app, account) as client:
        thin = await send(client, "/proposals", {"id": str(uuid4()), "title": {"en": "Idea"}})
        assert thin.status_code == 201
        assert thin.json()["missing"][:2] == ["abstract", "session_type_id"]
        assert "me.allows_photo" in thin.json()["missing"]
        early = await send(client, f"/proposals/{thin.json()['code']}/moves", {"verb": "submit"})
        assert early.status_code == 422
        assert "me.bio" in early.json()["fields"]

        body = whole(kind, answers={"seats": 40})
        made = await send(client, "/proposals", body)
        again = await send(client, "/proposals", body)
        other = await send(client, "/proposals", body | {"notes": "another"})
        assert (made.status_code, again.status_code, other.status_code) == (201, 201, 409)
        assert made.json()["code"] == again.json()["code"]
        assert other.json()["code"] == "replay_mismatch"
        code = made.json()["code"]
        here = f"/proposals/{code}"
        assert made.json()["answers"] == {"seats": 40}
        assert made.json()["moves"] == ["submit"]

        wrong = await send(
            client,
            here,
            {"answers": {"seats": "many", "x": 1}, "language": "fr", "me": {"answers": {"y": 1}}},
            "PATCH",
        )
        assert wrong.status_code == 422
        assert set(wrong.json()["fields"]) == {
            "answers.seats",
            "answers.x",
            "language",
            "me.answers.y",
        }
        late = await send(client, here, {"title": {"en": "X"}, "version": 7}, "PATCH")
        assert (late.status_code, late.json()["code"]) == (409, "proposal_stale")
        changed = await send(
            client, here, {"title": {"zh-Hans": "新题目"}, "me": {"travel_note": ""}}, "PATCH"
        )
        assert changed.status_code == 200
        found = changed.json()
        assert (found["title"], found["answers"], found["language"]) == (
            {"zh-Hans": "新题目"},
            {"seats": 40},
            "zh-Hans",
        )
        [me] = found["speakers"]
        assert (me["name"], me["travel_note"], me["allows_slides"], me["email"]) == (
            {"zh-Hans": "林小满"},
            "",
            True,
            "lin@example.org",
        )
        emptied = await send(client, here, {"answers": {"seats": None}}, "PATCH")
        assert emptied.json()["answers"] == {}


async def test_what_hangs_on_a_proposal_comes_and_goes(app: Starlette) -> None:
    _, kind = await world()
    async with browser(app, await make_account("lin@example.org")) as client:
        made = (await send(client, "/proposals", whole(kind))).json()
        code, [me] = made["code"], made["speakers"]
        here = f"/proposals/{code}"
        asked = await send(client, f"{here}/invitations", {"id": str(uuid4()), "email": "ada@example.org"})
        [waiting] = asked.json()["invitations"]
        assert (asked.status_code, waiting["state"], waiting["email"]) == (201, "parked", "ada@example.org")
        own = await send(client, f"{here}/invitations", {"id": str(uuid4()), "email": "lin@example.org"})
        assert own.json()["fields"]["email"]["code"] == "join_self"
        retracted = await send(client, f"{here}/invitations/{waiting['id']}/retraction")
        assert retracted.json()["invitations"][0]["state"] == "retracted"

        link = await send(client, f"{here}/resources", {"id": str(uuid4()), "url": "https://example.org/a"})
        assert link.status_code == 201
        upload = {"id": str(uuid4()), "filename": "a.png", "content": base64.b64encode(picture()).decode()}
        file = await send(client, f"{here}/resources", upload)
        for _ in range(2):
            file = await send(client, f"{here}/resources", upload)
            assert [one["filename"] for one in file.json()["resources"]] == ["", "a.png"]
        got = await client.get(file.json()["resources"][1]["url"])
        assert got.status_code == 200
        for bad in ("%%%", base64.b64encode(b"MZ nothing").decode()):
            refused = await send(
                client, f"{here}/resources", {"id": str(uuid4()), "filename": "a.exe", "content": bad}
            )
            assert refused.status_code == 422
            assert set(refused.json()["fields"]) == {"content"}
        first = link.json()["resources"][0]["id"]
        removed = await send(client, f"{here}/resources/{first}/removal")
        assert [one["filename"] for one in removed.json()["resources"]] == ["a.png"]

        for verb, state in (("submit", "submitted"), ("withdraw", "withdrawn"), ("reopen", "submitted")):
            moved = await send(client, f"{here}/moves", {"verb": verb})
            assert (moved.status_code, moved.json()["state"]) == (200, state)
        not_mine = await send(client, f"{here}/moves", {"verb": "cancel"})
        assert (not_mine.status_code, not_mine.json()["code"]) == (403, "proposal_move_not_yours")
        not_now = await send(client, f"{here}/moves", {"verb": "confirm"})
        assert (not_now.status_code, not_now.json()["code"]) == (409, "proposal_move_not_from_here")
        alone = await send(client, f"{here}/speakers/{me['id']}/leaving")
        assert (alone.status_code, alone.json()["code"]) == (409, "speaker_last")
        listed = await client.get(f"{API}/own-proposals")
        assert [one["code"] for one in listed.json()["proposals"]] == [code]
    assert await SpeakerInvitation.filter(state="open").count() == 0
    async with browser(app, await make_account()) as client:
        for path in (here, f"{here}/history"):
            assert (await client.get(f"{API}{path}")).status_code == 404
        assert (await send(client, here, {"notes": "x"}, "PATCH")).status_code == 404
        assert (await send(client, f"{here}/moves", {"verb": "withdraw"})).status_code == 404
        assert (await client.get(f"{API}/proposals")).status_code == 403
    async with browser(app) as client:
        assert (await client.get(f"{API}{here}")).status_code == 401


async def _pend(app: Starlette, account: Account, codes: list[str], state: str | None) -> Any:
    async with browser(app, account) as client:
        return (
            await send(client, "/pending-decisions", {"id": str(uuid4()), "codes": codes, "state": state})
        ).json()


async def test_nobody_reads_or_decides_what_is_prepared_about_their_own(app: Starlette) -> None:
    event, kind = await world()
    chair = await make_account("chair@example.org")
    await make_role(event, chair, "programme_chair")
    theirs = await handed_in(app, await make_account("lin@example.org", name="Lin"), kind)
    own = await handed_in(app, chair, kind)
    found = await _pend(app, chair, [theirs, own, "AAAAA9"], "accepted")
    assert found == {
        "pended": 1,
        "refused": [
            {"code": own, "state": "", "problem": "proposal_move_not_yours"},
            {"code": "AAAAA9", "state": "", "problem": "proposal_unknown"},
        ],
    }
    # By another chair, and still not for the speaker to read.
    number = (await Proposal.get(code=own)).id
    await proposals.pend(
        actor=SYSTEM, event_id=event.id, proposal_ids=[number], state=ProposalState.REJECTED, at=NOW
    )
    async with browser(app, chair) as client:
        listed = (await client.get(f"{API}/proposals")).json()
        assert {one["code"]: one["pending_state"] for one in listed["proposals"]} == {
            theirs: "accepted",
            own: "",
        }
        assert (await client.get(f"{API}/proposals/{own}")).json()["pending_state"] == ""
        assert (await client.get(f"{API}/proposals/{theirs}")).json()["pending_state"] == "accepted"
        verbs = [
            [one["verb"] for one in (await client.get(f"{API}/proposals/{code}/history")).json()["changes"]]
            for code in (own, theirs)
        ]
        assert "pend" not in verbs[0]
        assert "pend" in verbs[1]
        # The chair sees whom it concerns, not where they live; asking for it takes another permission.
        [speaker] = (await client.get(f"{API}/proposals/{theirs}")).json()["speakers"]
        assert (speaker["email"], speaker["travel_note"], speaker["has_contacts"]) == (
            "l***@example.org",
            "",
            False,
        )
        assert (await client.get(f"{API}/proposals/{theirs}?contacts=true")).status_code == 403
    owner = await make_account()
    await make_role(event, owner, "owner")
    async with browser(app, owner) as client:
        shown = (await client.get(f"{API}/proposals/{theirs}?contacts=true")).json()["speakers"][0]
        assert (shown["email"], shown["travel_note"]) == ("lin@example.org", "from Wuhan")
        who = {
            one["who"] for one in (await client.get(f"{API}/proposals/{theirs}/history")).json()["changes"]
        }
        assert "Lin" in who
        assert not [name for name in who if "@" in name]
    assert await JournalEntry.filter(verb="registration.look").count() == 1
    assert (await _pend(app, chair, [theirs.lower()], None))["pended"] == 1


async def test_a_producer_has_their_own_forum_and_no_other(app: Starlette) -> None:
    event, kind = await world()
    made = {
        code: await calls.put(
            actor=SYSTEM,
            event_id=event.id,
            details=ForumDetails(code=code, name=LocalizedText({"en": code})),
            at=NOW,
        )
        for code in ("ai", "db")
    }
    producer = await make_account()
    await make_role(event, producer, "producer", "forum", made["ai"])
    speaker = await make_account()
    mine = await handed_in(app, speaker, kind, forum_id=made["ai"])
    other = await handed_in(app, speaker, kind, forum_id=made["db"])
    async with browser(app, producer) as client:
        listed = (await client.get(f"{API}/proposals")).json()
        assert [one["code"] for one in listed["proposals"]] == [mine]
        assert (listed["total"], listed["states"]) == (1, {"submitted": 1})
        assert (await client.get(f"{API}/proposals/{other}")).status_code == 404
        assert (await send(client, f"/proposals/{other}", {"notes": "x"}, "PATCH")).status_code == 404
        changed = await send(client, f"/proposals/{mine}", {"notes": "by the producer"}, "PATCH")
        assert (changed.status_code, changed.json()["notes"]) == (200, "by the producer")
        not_theirs = await send(client, f"/proposals/{mine}", {"me": {"travel_note": "x"}}, "PATCH")
        assert set(not_theirs.json()["fields"]) == {"me"}
        assert (await send(client, "/pending-decisions", {})).status_code == 403


async def test_the_call_is_everybodys_and_its_addresses_are_not(app: Starlette) -> None:
    event = await make_event("coscon")
    chair = await make_account()
    await make_role(event, chair, "programme_chair")
    async with browser(app, chair) as client:
        made = await send(client, "/call", {"closes_at": (NOW + timedelta(days=3)).isoformat()}, "PATCH")
        assert (made.status_code, made.json()["window"]) == (200, "not_yet")
        assert len(made.json()["types"]) == 7
        assert await _status(app, None) == 404
        producer = await send(
            client,
            "/producers",
            {"id": str(uuid4()), "name": {"zh-Hans": "王出品"}, "email": "wang@example.org"},
        )
        body = {
            "id": str(uuid4()),
            "code": "ai",
            "name": {"en": "AI"},
            "producer_ids": [producer.json()["id"]],
        }
        forum = await send(client, "/forums", body)
        assert (forum.status_code, (await send(client, "/forums", body)).json()) == (201, forum.json())
        taken = await send(client, "/forums", body | {"id": str(uuid4())})
        assert taken.json()["fields"]["code"]["code"] == "call_thing_code_taken"
        number = forum.json()["id"]
        changed = await send(client, f"/forums/{number}", {"colour": "#00aa00"}, "PATCH")
        assert (changed.json()["colour"], changed.json()["producers"][0]["name"]) == (
            "#00aa00",
            {"zh-Hans": "王出品"},
        )
        assert (await send(client, "/forums/987654", {"colour": ""}, "PATCH")).status_code == 404
        code = await send(client, "/call-codes", {"id": str(uuid4()), "code": "late", "forum_ids": [number]})
        assert (code.json()["code"], code.json()["forum_ids"]) == ("LATE", [number])
        closed = await send(client, f"/call-codes/{code.json()['id']}", {"is_active": False}, "PATCH")
        assert (closed.json()["is_active"], closed.json()["forum_ids"]) == (False, [number])
        gone = await send(client, "/call-codes", {"id": str(uuid4()), "code": "late2", "forum_ids": [98765]})
        assert (gone.status_code, gone.json()["code"]) == (404, "forum_unknown")
        await send(client, "/call", {"is_published": True}, "PATCH")
        backwards = await send(client, "/call", {"opens_at": "2199-01-01T00:00:00Z"}, "PATCH")
        assert backwards.json()["fields"]["closes_at"]["code"] == "call_window_reversed"
    async with browser(app) as client:
        seen = await client.get(f"{API}/call")
        assert (seen.json()["window"], seen.json()["days_left"]) == ("open", 3)
        assert seen.json()["forums"][0]["producers"][0]["name"] == {"zh-Hans": "王出品"}
        assert "wang@example.org" not in seen.text
        assert "LATE" not in seen.text
        assert (await client.get(f"{API}/producers")).status_code == 401
    assert await _status(app, None) == 200


async def _status(app: Starlette, account: Account | None) -> int:
    async with browser(app, account) as client:
        return int((await client.get(f"{API}/call")).status_code)


@pytest.mark.parametrize("path", ["/proposals", "/own-proposals", "/proposals/{code}"])
async def test_three_proposals_are_read_with_as_many_statements_as_one(app: Starlette, path: str) -> None:
    event, kind = await world()
    chair = await make_account()
    await make_role(event, chair, "programme_chair")
    spent: list[int] = []
    code = ""
    for _ in range(2):
        for _ in range(1 if not spent else 2):
            code = await handed_in(app, chair, kind)
        async with browser(app, chair) as client:
            await client.get(f"{API}{path.format(code=code)}")
            before = db.stats.statements
            assert (await client.get(f"{API}{path.format(code=code)}")).status_code == 200
            spent.append(db.stats.statements - before)
    assert spent[0] == spent[1]
