"""The review at the desk: set up in one press, given out by plan or by hand, and shown to nobody who speaks in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette

import main
from agenda import calls, review_queries, review_setup
from agenda.calls import CallDetails
from agenda.models import (
    ConflictOfInterest,
    Proposal,
    ProposalRedaction,
    ReviewAssignment,
    ReviewCriterion,
    Reviewer,
    ReviewPhase,
)
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import Account
from tests.actions.test_review_queries import make_forum, make_proposal, make_speaker
from tests.factories import make_account, make_role
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def desk(app: Starlette) -> AsyncIterator[Desk]:
    async with desk_of(app, "programme_chair") as made:
        await calls.set_up(actor=SYSTEM, event_id=made.event.id, details=CallDetails(), at=NOW)
        yield made


async def make_reviewers(desk: Desk, count: int = 3) -> list[Account]:
    people = [await make_account(name=f"Reviewer {number}") for number in range(count)]
    for account in people:
        await make_role(desk.event, account, "reviewer")
    return people


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


async def test_without_a_call_there_is_no_review(app: Starlette) -> None:
    async with desk_of(app) as desk:
        for path in ("/review-setup", "/reviewers", "/assignments", "/assignments/plan"):
            assert (await desk.get(path)).status_code == 404


async def test_one_press_sets_the_review_up_and_another_phase_is_made_active(desk: Desk) -> None:
    page = await desk.get("/review-setup")
    assert "Set up the usual review" in words_of(page.text)
    done = await desk.post("/review-setup", {"act": "defaults"})
    assert done.status_code == 303
    said = words_of((await desk.browser.get(done.headers["location"])).text)
    assert "Set up the usual review" not in said
    assert "Not an advertisement" in said
    assert "weight 2" in said
    review, selection = await review_queries.phases(desk.event.id)
    assert review.is_active
    await desk.post("/review-setup", {"act": "activate", "phase": str(selection.id)})
    assert [one.is_active for one in await review_queries.phases(desk.event.id)] == [False, True]
    assert (await desk.post("/review-setup", {"act": "activate", "phase": "999"})).status_code == 404
    assert (await desk.post("/review-setup", {"act": "other"})).status_code == 404
    # The call's own pages lead here.
    assert "/desk/review-setup" in (await desk.get("/cfp")).text


async def test_a_phase_is_typed_in_the_events_time_and_keeps_what_was_wrong(desk: Desk) -> None:
    typed = {
        "name.zh-Hans": "初审",
        "name.en": "First round",
        "starts_at": "2026-09-01T09:00",
        "ends_at": "2026-08-01T09:00",
        "reach": "all",
        "others": "never",
        "may_review": "1",
        "speakers_may_edit": "1",
        "position": "3",
    }
    wrong = await desk.post("/review-setup/phases/new", typed)
    assert wrong.status_code == 422
    assert problem(wrong.text, "ends_at") == "A phase can't end before it begins."
    assert field(wrong.text, "name.zh-Hans") == "初审"
    await desk.post("/review-setup/phases/new", typed | {"ends_at": "2026-09-03T09:00"})
    [row] = await ReviewPhase.filter(event_id=desk.event.id)
    assert row.starts_at == datetime(2026, 9, 1, 1, tzinfo=UTC)
    assert (row.reach, row.others, row.names_shown, row.speakers_may_edit) == ("all", "never", False, True)
    page = await desk.get(f"/review-setup/phases/{row.id}")
    assert field(page.text, "ends_at") == "2026-09-03T09:00"
    await desk.post(f"/review-setup/phases/{row.id}", typed | {"ends_at": "", "names_shown": "1"})
    await row.refresh_from_db()
    assert (row.ends_at, row.names_shown) == (None, True)
    assert (await desk.post(f"/review-setup/phases/{row.id}", {"act": "remove"})).status_code == 303
    assert (await desk.get(f"/review-setup/phases/{row.id}")).status_code == 404


async def test_a_criterion_has_words_for_its_points(desk: Desk) -> None:
    typed = {
        "name.zh-Hans": "相关性",
        "name.en": "Relevance for us",
        "weight": "2",
        "low": "0",
        "high": "3",
        "labels": "3 | 很好 | Excellent\n\n0 | 很弱 |\n",
        "is_required": "1",
        "is_active": "1",
    }
    for name, value, said in (
        ("labels", "good | 好", "Please enter a whole number."),
        ("labels", "7 | 好", "The words for 7 are outside the range of points."),
        ("high", "0", "The highest number of points must be above the lowest."),
    ):
        wrong = await desk.post("/review-setup/criteria/new", typed | {name: value})
        assert wrong.status_code == 422
        assert said in problem(wrong.text, name)
    await desk.post("/review-setup/criteria/new", typed)
    [row] = await ReviewCriterion.filter(event_id=desk.event.id)
    assert (row.code, row.labels) == (
        "relevance-for-us",
        {"0": {"zh-Hans": "很弱"}, "3": {"zh-Hans": "很好", "en": "Excellent"}},
    )
    page = await desk.get(f"/review-setup/criteria/{row.id}")
    assert "3 | 很好 | Excellent" in page.text
    await desk.post(f"/review-setup/criteria/{row.id}", typed | {"weight": "5", "code": row.code})
    assert (await ReviewCriterion.get(id=row.id)).weight == 5
    await desk.post(f"/review-setup/criteria/{row.id}", {"act": "remove"})
    assert await ReviewCriterion.filter(event_id=desk.event.id).count() == 0


async def test_how_scores_are_made_is_asked_and_refused_at_its_field(desk: Desk) -> None:
    wrong = await desk.post("/review-setup", {"act": "totals", "total_by": "median", "reviews_needed": "50"})
    assert wrong.status_code == 422
    assert problem(wrong.text, "reviews_needed")
    await desk.post("/review-setup", {"act": "totals", "total_by": "median", "reviews_needed": "2"})
    assert field((await desk.get("/review-setup")).text, "reviews_needed") == "2"


async def test_a_reviewer_gets_limits_and_a_conflict_of_interest(desk: Desk) -> None:
    [account] = await make_reviewers(desk, 1)
    speaker = await make_speaker(desk.event)
    talk = await make_proposal(desk.event, speaker, code="TALKAB")
    here = f"/reviewers/{account.id}"
    wrong = await desk.post(here, {"act": "save", "takes_at_most": "many", "organisation": "Acme"})
    assert wrong.status_code == 422
    assert (problem(wrong.text, "takes_at_most") != "", field(wrong.text, "organisation")) == (True, "Acme")
    await desk.post(here, {"act": "save", "takes_at_most": "4", "organisation": "Acme", "is_resting": "1"})
    row = await Reviewer.get(event_id=desk.event.id, account_id=account.id)
    assert (row.takes_at_most, row.organisation, row.is_resting) == (4, "Acme", True)
    said = words_of((await desk.get("/reviewers")).text)
    assert "Reviewer 0" in said
    assert "at most 4" in said
    for kind, which in (("proposal", "NOSUCH"), ("speaker", "nobody"), ("organisation", ""), ("", "x")):
        refused = await desk.post(here, {"act": "declare", "kind": kind, "which": which})
        assert refused.status_code == 422, kind
    await make_speaker(desk.event)
    several = await desk.post(here, {"act": "declare", "kind": "speaker", "which": "Somebody"})
    assert "Several speakers" in problem(several.text, "which")
    for kind, which in (("proposal", "talkab"), ("organisation", "Other Corp")):
        assert (await desk.post(here, {"act": "declare", "kind": kind, "which": which})).status_code == 303
    shown = words_of((await desk.get(here)).text)
    assert "A talk" in shown
    assert "other corp" in shown
    [first, _] = await ConflictOfInterest.filter(account_id=account.id).order_by("id")
    assert first.proposal_id == talk.id
    await desk.post(here, {"act": "withdraw", "conflict": str(first.id)})
    assert await ConflictOfInterest.filter(account_id=account.id).count() == 1
    assert (await desk.post(here, {"act": "withdraw", "conflict": str(first.id)})).status_code == 404
    assert (await desk.get("/reviewers/999999")).status_code == 404


async def test_a_forum_is_given_to_people_by_hand(desk: Desk) -> None:
    people = await make_reviewers(desk)
    cloud, web = await make_forum(desk.event), await make_forum(desk.event)
    own = await make_proposal(desk.event, await make_speaker(desk.event, people[0]), forum_id=cloud.id)
    await make_proposal(desk.event, await make_speaker(desk.event), forum_id=cloud.id)
    await make_proposal(desk.event, await make_speaker(desk.event), forum_id=web.id)
    nobody = await desk.post("/assignments", {"act": "give", "forum": str(cloud.id)})
    assert nobody.status_code == 422
    assert problem(nobody.text, "reviewers")
    chosen = [str(account.id) for account in people[:2]]
    done = await desk.post("/assignments", {"act": "give", "forum": str(cloud.id), "reviewers": chosen})
    said = words_of(done.text)
    assert "3 assignments made." in said
    assert "1 left out: own proposal." in said
    assert not await ReviewAssignment.filter(proposal_id=own.id, account_id=people[0].id).exists()
    assert await ReviewAssignment.all().count() == 3
    one = await desk.get(f"/proposals/{own.code}/reviewers")
    assert "Too near: own proposal" in words_of(one.text)
    await desk.post(f"/proposals/{own.code}/reviewers", {"act": "take", "account": str(people[1].id)})
    assert await ReviewAssignment.filter(proposal_id=own.id).count() == 0
    await desk.post(f"/proposals/{own.code}/reviewers", {"act": "give", "reviewers": [str(people[2].id)]})
    assert await ReviewAssignment.filter(proposal_id=own.id).count() == 1
    # What somebody has comes back from their own page, too.
    await desk.post(f"/reviewers/{people[2].id}", {"act": "take", "proposal": str(own.id)})
    assert await ReviewAssignment.filter(proposal_id=own.id).count() == 0


async def test_a_plan_is_looked_at_and_given_out_once(desk: Desk) -> None:
    await make_reviewers(desk)
    for _ in range(3):
        await make_proposal(desk.event, await make_speaker(desk.event))
    page = await desk.get("/assignments/plan", needed="2")
    assert "6 assignments would be made" in words_of(page.text)
    sent = {name: hidden(page.text, name) for name in ("form", "plan", "needed", "forum")}
    for _ in range(2):
        assert (await desk.post("/assignments/plan", sent)).status_code == 303
    assert await ReviewAssignment.all().count() == 6
    late = await desk.post("/assignments/plan", sent | {"form": str(uuid4())})
    assert late.status_code == 409
    assert "Something has changed" in late.text
    again = await desk.get("/assignments/plan", needed="5")
    said = words_of(again.text)
    assert "Would still lack reviewers 3" in said
    assert "1 reviewer short" in said
    for needed in ("0", "99", "x"):
        assert (await desk.get("/assignments/plan", needed=needed)).status_code == (422)


async def test_what_waits_in_vain_is_taken_back_together(desk: Desk) -> None:
    [account] = await make_reviewers(desk, 1)
    talk = await make_proposal(desk.event, await make_speaker(desk.event, None, "Acme"))
    async with unit_of_work():
        await ReviewAssignment.create(
            proposal_id=talk.id, account_id=account.id, actor_key="x", created_at=NOW
        )
        await Reviewer.create(
            event_id=desk.event.id, account_id=account.id, organisation="ACME", updated_at=NOW
        )
    assert "Waiting in vain" in words_of((await desk.get("/assignments")).text)
    await desk.post("/assignments", {"act": "relieve"})
    assert await ReviewAssignment.all().count() == 0


async def test_whoever_speaks_in_a_proposal_learns_nothing_of_who_reviews_it(desk: Desk) -> None:
    people = await make_reviewers(desk, 2)
    talk = await make_proposal(
        desk.event, await make_speaker(desk.event, desk.account), code="MINEAA", title={"en": "Mine alone"}
    )
    async with unit_of_work():
        await ReviewAssignment.create(
            proposal_id=talk.id, account_id=people[0].id, actor_key="x", created_at=NOW
        )
    for path in ("reviewers", "redaction"):
        assert (await desk.get(f"/proposals/{talk.code}/{path}")).status_code == 403
        assert (await desk.post(f"/proposals/{talk.code}/{path}", {"act": "take"})).status_code == 403
    for path in ("/assignments", "/assignments/plan", f"/reviewers/{people[0].id}"):
        assert "Mine alone" not in (await desk.get(path)).text
    assert "/reviewers" not in (await desk.get(f"/proposals/{talk.code}")).text.partition("<main")[2]
    api = await desk.browser.get(f"/e/{desk.event.slug}/api/review/assignments")
    assert api.json() == {"assignments": []}
    plan = await desk.browser.get(f"/e/{desk.event.slug}/api/review/plan")
    assert (plan.json()["added"], plan.json()["lacking"]) == ([], {})
    # By hand it stays as it is.
    pair = {"assignments": [{"proposal_id": talk.id, "account_id": people[0].id}]}
    ended = await desk.browser.post(f"/e/{desk.event.slug}/api/review/assignments/end", json=pair)
    assert ended.json() == {"ended": 0}
    assert await ReviewAssignment.filter(proposal_id=talk.id).count() == 1


async def test_a_copy_without_names_stands_beside_the_original_and_says_when_that_changed(
    desk: Desk,
) -> None:
    speaker = await make_speaker(desk.event, None, "Acme")
    talk = await make_proposal(
        desk.event,
        speaker,
        code="TALKAB",
        title={"zh-Hans": "我在 Acme 的十年", "en": "Ten years at Acme"},
        abstract={"en": "What I did."},
    )
    here = f"/proposals/{talk.code}/redaction"
    page = await desk.get(here)
    assert "Look for: Acme" in words_of(page.text)
    assert page.text.count("Ten years at Acme") >= 2
    wrong = await desk.post(here, {"version": "1", "abstract.en": "What I did."})
    assert wrong.status_code == 422
    assert problem(wrong.text, "title.zh-Hans")
    typed = {"version": "1", "title.en": "Ten years at a company", "abstract.en": "What I did."}
    assert (await desk.post(here, typed)).status_code == 303
    row = await ProposalRedaction.get(proposal_id=talk.id)
    assert (dict(row.title), row.version) == ({"en": "Ten years at a company"}, 1)
    async with unit_of_work():
        await Proposal.filter(id=talk.id).update(version=2)
    assert "The proposal was changed since" in words_of((await desk.get(here)).text)
    assert "Changed since" in words_of((await desk.get("/review-setup")).text)
    await desk.post(here, typed | {"version": "2"})
    assert "The proposal was changed since" not in words_of((await desk.get(here)).text)
    await desk.post(here, {"act": "remove"})
    assert await ProposalRedaction.all().count() == 0
    assert here in (await desk.get(f"/proposals/{talk.code}")).text


@pytest.mark.parametrize("path", ["/review-setup", "/reviewers", "/assignments", "/assignments/plan"])
async def test_a_page_costs_the_same_for_any_number(desk: Desk, path: str) -> None:
    await review_setup.set_up(actor=SYSTEM, event_id=desk.event.id, at=NOW)
    costs = []
    for size in (1, 3):
        await make_reviewers(desk, size)
        for _ in range(size):
            talk = await make_proposal(desk.event, await make_speaker(desk.event))
            async with unit_of_work():
                await ProposalRedaction.create(proposal_id=talk.id, version=1, actor_key="x", updated_at=NOW)
        await desk.get(path)  # what is remembered of roles is read once
        before = db.stats.statements
        assert (await desk.get(path)).status_code == 200
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]


async def test_the_json_changes_what_is_sent_and_nothing_else(desk: Desk) -> None:
    base = f"/e/{desk.event.slug}/api/review"
    made = await desk.browser.post(
        f"{base}/phases", json={"id": str(uuid4()), "name": {"en": "Round"}, "names_shown": True}
    )
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    changed = await desk.browser.patch(f"{base}/phases/{number}", json={"others": "always"})
    assert (changed.json()["others"], changed.json()["names_shown"]) == ("always", True)
    active = await desk.browser.post(f"{base}/phases/{number}/activation")
    assert [one["is_active"] for one in active.json()["phases"]] == [True]
    one = await desk.browser.post(
        f"{base}/criteria",
        json={
            "id": str(uuid4()),
            "code": "depth",
            "name": {"en": "Depth"},
            "labels": {"1": {"en": "Poor"}},
        },
    )
    assert one.status_code == 201, one.text
    changed = await desk.browser.patch(f"{base}/criteria/{one.json()['id']}", json={"weight": 7})
    assert (changed.json()["weight"], changed.json()["labels"]) == (7, {"1": {"en": "Poor"}})
    [account] = await make_reviewers(desk, 1)
    kept = await desk.browser.patch(f"{base}/reviewers/{account.id}", json={"takes_at_most": 2})
    assert kept.json()["takes_at_most"] == 2
    talk = await make_proposal(desk.event, await make_speaker(desk.event))
    plan = (await desk.browser.get(f"{base}/plan", params={"needed": 1})).json()
    assert {(pair["proposal_id"], pair["account_id"]) for pair in plan["added"]} <= {
        (talk.id, account.id),
        (talk.id, desk.account.id),
    }
    sent = {"id": str(uuid4()), "plan": plan["plan"], "needed": 1}
    for _ in range(2):
        out = await desk.browser.post(f"{base}/plan", json=sent)
        assert (out.status_code, out.json()["added"]) == (201, 1)


async def test_reviewers_and_producers_set_up_nothing(app: Starlette, desk: Desk) -> None:
    for role in ("reviewer", "producer"):
        account = await make_account()
        await make_role(desk.event, account, role)
        async with browser_of(app, account) as browser:
            for path in ("review-setup", "reviewers", "assignments", "assignments/plan"):
                assert (await browser.get(f"/e/{desk.event.slug}/desk/{path}")).status_code == 403


async def test_a_speaker_edits_what_was_handed_in_while_the_phase_lets_them(
    app: Starlette, desk: Desk
) -> None:
    account = await make_account()
    talk = await make_proposal(
        desk.event, await make_speaker(desk.event, account), account_id=account.id, code="TALKAB"
    )
    await calls.set_up(
        actor=SYSTEM,
        event_id=desk.event.id,
        details=CallDetails(closes_at=NOW - DAY, is_published=True),
        at=NOW,
    )
    values: dict[str, Any] = {"name.en": "Round", "reach": "assigned", "others": "never"}
    await desk.post("/review-setup/phases/new", values)
    [phase] = await ReviewPhase.filter(event_id=desk.event.id)
    await desk.post("/review-setup", {"act": "activate", "phase": str(phase.id)})
    here = f"/e/{desk.event.slug}/cfp/p/{talk.code}"
    async with browser_of(app, account) as browser:
        assert (await browser.get(f"{here}/edit")).status_code == 403
        await desk.post(f"/review-setup/phases/{phase.id}", values | {"speakers_may_edit": "1"})
        assert (await browser.get(f"{here}/edit")).status_code == 200
        assert f"{here}/edit" in (await browser.get(here)).text
