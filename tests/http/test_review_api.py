"""JSON of reviews: the same rules as the pages, behind the same doors."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette

import main
from agenda import calls
from agenda.calls import CallDetails, FieldDetails
from agenda.models import (
    CallAnswer,
    Proposal,
    ProposalComment,
    ProposalRedaction,
    ProposalResource,
    Review,
    ReviewScore,
)
from agenda.proposal_rules import Subject
from events.rules import FieldKind
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from tests.actions.test_review_queries import make_assignment, make_proposal, with_role
from tests.http.test_events_pages import browser
from tests.http.test_review_pages import NOW, house, make_review

API = "/e/coscon/api/reviews"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def test_a_reviewer_reads_their_list_writes_changes_and_takes_back(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house()
    address = f"{API}/{proposal.code}"
    async with browser(app, reviewer) as client:
        listed = (await client.get(API)).json()
        assert listed["phase"] == {"en": "First round"}
        [line] = listed["proposals"]
        assert (line["code"], line["is_assigned"], line["is_reviewed"]) == (proposal.code, True, False)
        found = (await client.get(address)).json()
        assert (found["review"], found["others_shown"], found["names_shown"]) == (None, False, False)
        assert found["criteria"][0]["labels"]["5"] == {"en": "deep"}
        body: dict[str, Any] = {"points": {"depth": 4}, "reason": "Good", "recommends": "accepted"}
        written = (await client.put(address, json=body | {"version": ""})).json()["review"]
        assert (written["total"], written["points"], written["recommends"]) == (
            7500,
            {"depth": 4},
            "accepted",
        )
        late = await client.put(address, json=body | {"reason": "Other", "version": ""})
        assert (late.status_code, late.json()["code"]) == (409, "review_stale")
        changed = await client.put(
            address, json={"abstains": True, "reason": "x", "version": written["version"]}
        )
        assert changed.json()["review"]["total"] is None
        assert (await client.delete(address)).status_code == 204
        gone = await client.delete(address)
        assert (gone.status_code, gone.json()["code"]) == (404, "review_unknown")
    assert await Review.all().count() == await ReviewScore.all().count() == 0
    assert event.id


async def test_what_is_wrong_is_told_by_the_names_that_were_sent(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house()
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(is_published=True), at=NOW)
    fields = {
        kind: await calls.put_field(
            actor=SYSTEM,
            event_id=event.id,
            details=FieldDetails(
                code=str(kind).replace("_", "-"),
                subject=Subject.REVIEW,
                kind=kind,
                label=LocalizedText({"en": "Q"}),
            ),
            at=NOW,
        )
        for kind in (FieldKind.NUMBER, FieldKind.YES_NO, FieldKind.FILE)
    }
    address = f"{API}/{proposal.code}"
    async with browser(app, reviewer) as client:
        wrong = await client.put(
            address,
            json={
                "points": {"depth": 9, "height": 1},
                "reason": " ",
                "answers": {"number": "few", "file": "x", "colour": "red"},
            },
        )
        assert wrong.status_code == 422
        assert set(wrong.json()["fields"]) == {
            "points.depth",
            "points.height",
            "reason",
            "answers.number",
            "answers.file",
            "answers.colour",
        }
        body = {"points": {"depth": 3}, "reason": "x", "answers": {"number": 12.5, "yes-no": True}}
        kept = (await client.put(address, json=body)).json()["review"]
        assert kept["answers"] == {"number": 12.5, "yes-no": True}
        # A file that was given on the page is not lost by a program that knows none.
        row = await Review.get()
        async with unit_of_work():
            await CallAnswer.create(review_id=row.id, call_field_id=fields[FieldKind.FILE], upload_id=1)
        assert (await client.put(address, json=body | {"reason": "y"})).status_code == 200
    assert await CallAnswer.filter(upload_id=1).count() == 1


async def test_names_are_hidden_in_json_too(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(others="always", reviewers_shown=False)
    colleague = await with_role(event, "reviewer")
    await make_review(proposal, colleague, "Well told")
    async with unit_of_work():
        await ProposalComment.create(proposal_id=proposal.id, account_id=colleague.id, text="Hm", at=NOW)
        await ProposalResource.create(
            proposal_id=proposal.id,
            title="Slides",
            url="https://example.org/x",
            actor_key="system:0",
            created_at=NOW,
        )
        await ProposalRedaction.create(
            proposal_id=proposal.id,
            title={"en": "Models in a company"},
            version=1,
            actor_key="system:0",
            updated_at=NOW,
        )
    address = f"{API}/{proposal.code}"
    async with browser(app, reviewer) as client:
        found = (await client.get(address)).json()
        assert (found["title"], found["is_redacted"]) == ({"en": "Models in a company"}, True)
        assert (found["abstract"], found["speakers"], found["resources"]) == ({}, [], [])
        assert found["previous_talks"] == ""
        assert [one["reviewer"] for one in found["others"]] == [""]
        [comment] = (await client.get(f"{address}/comments")).json()["comments"]
        assert (comment["writer"], comment["is_own"], comment["text"]) == ("", False, "Hm")
        [line] = (await client.get(API)).json()["proposals"]
        assert line["title"] == {"en": "Models in a company"}
    async with browser(app, await with_role(event, "programme_chair")) as client:
        found = (await client.get(address)).json()
        assert found["title"] == {"en": "Open models in a bank"}
        assert found["speakers"][0]["organisation"] == {"en": "Secret Labs"}
        assert found["others"][0]["reviewer"] != ""


async def test_a_speaker_who_owns_the_event_gets_nothing_of_their_review(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(reach="all", others="always")
    await make_review(proposal, reviewer, "Judgement")
    owner = await with_role(event, "owner")
    await make_assignment(proposal, owner)
    async with unit_of_work():
        await Proposal.filter(id=proposal.id).update(account_id=owner.id)
    address = f"{API}/{proposal.code}"
    async with browser(app, owner) as client:
        assert (await client.get(API)).json()["proposals"] == []
        for method, path, body in (
            ("GET", address, None),
            ("PUT", address, {"points": {"depth": 5}, "reason": "Best"}),
            ("DELETE", address, None),
            ("GET", f"{address}/comments", None),
            ("POST", f"{address}/comments", {"id": str(uuid4()), "text": "x"}),
            ("DELETE", f"{address}/comments/1", None),
        ):
            refused = await client.request(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "review_own_proposal"), (
                method,
                path,
            )
            assert "Judgement" not in refused.text
    assert await Review.all().count() == 1


async def test_comments_are_said_once_and_taken_back(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(others="always")
    address = f"{API}/{proposal.code}/comments"
    async with browser(app, reviewer) as client:
        said = {"id": str(uuid4()), "text": "Ask them"}
        made = await client.post(address, json=said)
        again = await client.post(address, json=said)
        assert made.status_code == again.status_code == 201
        assert again.json() == made.json()
        [one] = made.json()["comments"]
        assert (one["text"], one["is_own"]) == ("Ask them", True)
        empty = await client.post(address, json={"id": str(uuid4()), "text": " "})
        assert list(empty.json()["fields"]) == ["text"]
        assert (await client.delete(f"{address}/{one['id']}")).status_code == 204
        assert (await client.delete(f"{address}/{one['id']}")).status_code == 404
        assert (await client.get(address)).json() == {"comments": []}
    assert event.id


async def test_comments_are_not_there_where_reviews_are_hidden(app: Starlette) -> None:
    _, reviewer, proposal, _ = await house(others="never")
    async with browser(app, reviewer) as client:
        assert (await client.get(f"{API}/{proposal.code}/comments")).status_code == 404
        for code in ("9" * 400, "A%00BCDE", "ZZZZZZ"):
            assert (await client.get(f"{API}/{code}")).status_code == 404, code
            assert (await client.delete(f"{API}/{code}")).status_code == 404, code
            said = {"id": str(uuid4()), "text": "x"}
            assert (await client.post(f"{API}/{code}/comments", json=said)).status_code == 404, code


async def test_a_longer_list_takes_the_same_statements(app: Starlette) -> None:
    event, reviewer, _, _ = await house(reach="all")
    counts = []
    async with browser(app, reviewer) as client:
        await client.get(API)
        for _ in range(2):
            before = db.stats.statements
            assert (await client.get(API)).status_code == 200
            counts.append(db.stats.statements - before)
            for _ in range(2):
                await make_proposal(event)
    assert counts[0] == counts[1] <= 20
