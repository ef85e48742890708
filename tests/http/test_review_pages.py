"""Reviewing at the desk: tapped on a phone, kept once, hidden from whom it concerns at every door."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.applications import Starlette

import main
from agenda import calls
from agenda.calls import CallDetails, FieldDetails
from agenda.models import (
    ConflictOfInterest,
    Proposal,
    ProposalComment,
    ProposalRedaction,
    ProposalResource,
    Review,
    ReviewAssignment,
    ReviewCriterion,
    ReviewScore,
)
from agenda.proposal_rules import Need, Subject
from events import access
from events.models import Event
from events.rules import FieldKind
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Account
from tests.actions.test_review_queries import (
    make_assignment,
    make_forum,
    make_phase,
    make_proposal,
    make_reviewer,
    make_speaker,
    with_role,
)
from tests.factories import make_account, make_event, make_role
from tests.http.test_cfp_pages import words_of
from tests.http.test_events_pages import browser

EN = {"accept-language": "en"}
DESK = "/e/coscon/desk/review"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def make_criterion(event: Event, code: str, **more: Any) -> ReviewCriterion:
    async with unit_of_work():
        return await ReviewCriterion.create(event_id=event.id, code=code, name={"en": code.title()}, **more)


async def named(account: Account, name: str) -> Account:
    async with unit_of_work():
        await Account.filter(id=account.id).update(name=name)
    return account


async def make_review(
    proposal: Proposal, account: Account, reason: str = "Good", total: int = 7500
) -> Review:
    async with unit_of_work():
        return await Review.create(
            proposal_id=proposal.id,
            account_id=account.id,
            reason=reason,
            total=total,
            created_at=NOW,
            updated_at=NOW,
        )


def hidden(page: httpx2.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, page.text[-3000:]
    return found[1]


async def house(**phase: Any) -> tuple[Event, Account, Proposal, ReviewCriterion]:
    """An event in review, a reviewer, and a proposal that was given to them."""
    event = await make_event("coscon")
    reviewer = await named(await with_role(event, "reviewer"), "Rui Wang")
    speaker = await make_speaker(event, await make_account(), "Secret Labs")
    proposal = await make_proposal(
        event,
        speaker,
        title={"en": "Open models in a bank"},
        abstract={"en": "Three cases."},
        previous_talks="FOSDEM as Somebody",
        notes="For organisers",
    )
    await make_assignment(proposal, reviewer)
    criterion = await make_criterion(
        event, "depth", labels={"1": {"en": "shallow"}, "5": {"en": "deep"}}, weight=2
    )
    await make_phase(event, **phase)
    return event, reviewer, proposal, criterion


async def test_a_review_is_tapped_saved_and_leads_to_the_next(app: Starlette) -> None:
    event, reviewer, first, criterion = await house()
    second = await make_proposal(event, title={"en": "Another"})
    await make_assignment(second, reviewer)
    async with browser(app, reviewer) as client:
        overview = await client.get(DESK, headers=EN)
        assert "0 of 2" in words_of(overview)
        assert f'href="{DESK}/{first.code}"' in overview.text
        assert (await client.get(f"{DESK}/next")).headers["location"] == f"{DESK}/{first.code}"
        page = await client.get(f"{DESK}/{first.code}", headers=EN)
        assert 'type="radio"' in page.text
        assert "1 shallow" in words_of(page)
        form = {
            "form": hidden(page, "form"),
            "version": hidden(page, "version"),
            f"score.{criterion.id}": "5",
            "reason": "Real cases",
            "recommends": "accepted",
            "next": "1",
        }
        saved = await client.post(f"{DESK}/{first.code}", data=form)
        assert (saved.status_code, saved.headers["location"]) == (303, f"{DESK}/{second.code}?done=reviewed")
        # Pressed twice it is one review, kept once.
        again = await client.post(f"{DESK}/{first.code}", data=form)
        assert again.status_code == 303
        row = await Review.get()
        assert (row.total, row.reason, row.recommends, row.account_id) == (
            10_000,
            "Real cases",
            "accepted",
            reviewer.id,
        )
        assert await ReviewScore.all().count() == 1
        page = await client.get(f"{DESK}/{second.code}", headers=EN)
        form = {
            "form": hidden(page, "form"),
            "version": "",
            "abstains": "1",
            "reason": "Not my field",
            "next": "1",
        }
        last = await client.post(f"{DESK}/{second.code}", data=form)
        assert last.headers["location"] == f"{DESK}?done=all_done"
        done = await client.get(last.headers["location"], headers=EN)
        assert "2 of 2" in words_of(done)
        assert "All done" in words_of(done)
        assert (await client.get(f"{DESK}/next")).headers["location"] == DESK
        # What was given is on the form again.
        page = await client.get(f"{DESK}/{first.code}", headers=EN)
        assert "Real cases" in page.text
        assert re.search(r'value="5" checked', page.text)
    assert (await Review.get(proposal_id=second.id)).total is None


async def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(app: Starlette) -> None:
    event, reviewer, proposal, criterion = await house()
    wide = await make_criterion(event, "clarity", low=0, high=100, position=1)
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(is_published=True), at=NOW)
    field = await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code="minutes",
            subject=Subject.REVIEW,
            kind=FieldKind.NUMBER,
            label=LocalizedText({"en": "Minutes that it needs"}),
            need=Need.REQUIRED,
        ),
        at=NOW,
    )
    async with browser(app, reviewer) as client:
        page = await client.get(f"{DESK}/{proposal.code}", headers=EN)
        form = {
            "form": hidden(page, "form"),
            "version": "",
            f"score.{criterion.id}": "9",
            f"score.{wide.id}": "many",
            "recommends": "perhaps",
            f"q.{field}": "a few",
            "reason": " ",
        }
        wrong = await client.post(f"{DESK}/{proposal.code}", data=form, headers=EN)
        assert wrong.status_code == 422
        for name in (f"score.{criterion.id}", f"score.{wide.id}", "reason", "recommends", f"q.{field}"):
            assert f'href="#f-{name}"' in wrong.text, name
            assert f'id="f-{name}"' in wrong.text, name
        assert 'value="many"' in wrong.text
        assert 'value="a few"' in wrong.text
        assert await Review.all().count() == 0
        form |= {
            "form": hidden(wrong, "form"),
            f"score.{criterion.id}": "3",
            f"score.{wide.id}": "50",
            "recommends": "",
            f"q.{field}": "30",
            "reason": "Fine",
        }
        saved = await client.post(f"{DESK}/{proposal.code}", data=form)
        assert saved.headers["location"] == f"{DESK}/{proposal.code}?done=reviewed"
        page = await client.get(saved.headers["location"], headers=EN)
        assert 'value="30"' in page.text
        assert "Your review is kept" in words_of(page)
    assert (await Review.get()).total == 5000


async def test_a_window_that_is_late_is_told_and_keeps_what_was_typed(app: Starlette) -> None:
    _, reviewer, proposal, criterion = await house()
    address = f"{DESK}/{proposal.code}"
    async with browser(app, reviewer) as client:
        one, other = await client.get(address), await client.get(address)
        values = {f"score.{criterion.id}": "4", "version": ""}
        await client.post(address, data=values | {"form": hidden(one, "form"), "reason": "First"})
        late = await client.post(
            address, data=values | {"form": hidden(other, "form"), "reason": "Second"}, headers=EN
        )
        assert late.status_code == 409
        assert "another window" in words_of(late)
        assert "Second" in late.text
        assert (await Review.get()).reason == "First"
        # Told so, they may put theirs in its place.
        form = {"form": hidden(late, "form"), "version": hidden(late, "version"), "reason": "Second"}
        assert (await client.post(address, data=values | form)).status_code == 303
    assert (await Review.get()).reason == "Second"


async def test_names_are_hidden_on_the_page_in_the_list_and_behind_every_link(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house()
    async with unit_of_work():
        link = await ProposalResource.create(
            proposal_id=proposal.id,
            title="Slides of Somebody",
            url="https://example.org/somebody",
            actor_key="system:0",
            created_at=NOW,
        )
    address = f"{DESK}/{proposal.code}"
    async with browser(app, reviewer) as client:
        page = await client.get(address, headers=EN)
        assert "Three cases." in page.text
        for secret in ("Somebody", "Secret Labs", "FOSDEM", "example.org/somebody", "For organisers<"):
            assert secret not in page.text, secret
        assert (await client.get(f"{address}/files/{link.id}")).status_code == 404
        assert (await client.get(f"/e/coscon/desk/proposals/{proposal.code}")).status_code == 403
        async with unit_of_work():
            await ProposalRedaction.create(
                proposal_id=proposal.id,
                title={"en": "Open models in a company"},
                abstract={"en": "Cases."},
                description={},
                version=1,
                actor_key="system:0",
                updated_at=NOW,
            )
        page, overview = await client.get(address, headers=EN), await client.get(DESK, headers=EN)
        for shown in (page, overview):
            assert "Open models in a company" in shown.text
            assert "in a bank" not in shown.text
        assert "Three cases" not in page.text
    # Whoever produces the forum knows its speakers, and reads what they wrote.
    forum = await make_forum(event)
    async with unit_of_work():
        await Proposal.filter(id=proposal.id).update(forum_id=forum.id)
    producer = await with_role(event, "producer", "forum", forum.id)
    async with browser(app, producer) as client:
        page = await client.get(address, headers=EN)
        assert "Open models in a bank" in page.text
        assert "Secret Labs" in page.text
        assert "example.org/somebody" in page.text


async def test_names_are_shown_where_the_phase_says_so_but_not_to_who_never_sees_them(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(names_shown=True)
    other = await with_role(event, "reviewer")
    await make_reviewer(event, other, never_sees_names=True)
    await make_assignment(proposal, other)
    async with browser(app, reviewer) as client:
        assert "Secret Labs" in (await client.get(f"{DESK}/{proposal.code}")).text
    async with browser(app, other) as client:
        page = await client.get(f"{DESK}/{proposal.code}")
        assert page.status_code == 200
        assert "Secret Labs" not in page.text


@pytest.mark.parametrize(
    ("others", "reviewers_shown", "said"),
    [
        ("never", True, (False, False, False)),
        ("after_own", True, (False, True, True)),
        ("always", False, (True, True, False)),
    ],
)
async def test_others_reviews_are_shown_as_the_phase_lets(
    app: Starlette, others: str, reviewers_shown: bool, said: tuple[bool, bool, bool]
) -> None:
    before, after, name = said
    event, reviewer, proposal, _ = await house(others=others, reviewers_shown=reviewers_shown)
    colleague = await named(await with_role(event, "reviewer"), "Colleague Li")
    await make_review(proposal, colleague, "Well told indeed")
    async with browser(app, reviewer) as client:
        page = await client.get(f"{DESK}/{proposal.code}", headers=EN)
        assert ("Well told indeed" in page.text) is before
        await make_review(proposal, reviewer, "Mine")
        page = await client.get(f"{DESK}/{proposal.code}", headers=EN)
        assert ("Well told indeed" in page.text) is after
        assert ("Colleague Li" in page.text) is name
        assert ("75 %" in page.text) is after


async def test_who_speaks_in_a_proposal_sees_nothing_of_its_review_were_they_the_owner(
    app: Starlette,
) -> None:
    event, reviewer, proposal, criterion = await house(reach="all", others="always")
    await make_review(proposal, reviewer, "Judgement")
    owner = await with_role(event, "owner")
    async with unit_of_work():
        await Proposal.filter(id=proposal.id).update(account_id=owner.id)
        await ProposalComment.create(
            proposal_id=proposal.id, account_id=reviewer.id, text="Between us", at=NOW
        )
    await make_assignment(proposal, owner)
    address = f"{DESK}/{proposal.code}"
    async with browser(app, owner) as client:
        for page in (await client.get(address), await client.get(DESK, params={"show": "all"})):
            assert "Judgement" not in page.text
            assert "Between us" not in page.text
        assert (await client.get(address)).status_code == 403
        assert proposal.code not in (await client.get(DESK, params={"show": "all"})).text
        form = {"reason": "Best", f"score.{criterion.id}": "5", "version": ""}
        for path, values in (
            ("", form),
            ("/comments", {"comment": "x"}),
            ("/withdrawal", {}),
            ("/conflict", {}),
        ):
            assert (await client.post(address + path, data=values)).status_code == 403, path
    assert await Review.all().count() == 1
    assert await ProposalComment.all().count() == 1


async def test_a_chair_reads_everything_and_a_stranger_to_the_proposal_nothing(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(others="never")
    await make_review(proposal, reviewer, "Judgement")
    chair, stranger = await with_role(event, "programme_chair"), await with_role(event, "reviewer")
    address = f"{DESK}/{proposal.code}"
    async with browser(app, chair) as client:
        page = await client.get(address, headers=EN)
        for words in ("Judgement", "Rui Wang", "Secret Labs", "For organisers"):
            assert words in page.text, words
        assert f"/desk/proposals/{proposal.code}" in page.text
        assert 'href="/e/coscon/desk/review"' in page.text
    async with browser(app, stranger) as client:
        assert (await client.get(address)).status_code == 403
        assert (await client.get(f"{DESK}/ZZZZZZ")).status_code == 404
        assert "Nothing has been given to you yet" in words_of(await client.get(DESK, headers=EN))
        assert (await client.post(address, data={"reason": "x"})).status_code == 403
    async with browser(app, await with_role(event, "scanner")) as client:
        assert (await client.get(address)).status_code == 403
        assert 'href="/e/coscon/desk/review"' not in (await client.get("/e/coscon")).text


async def test_between_phases_nothing_is_reviewed_and_the_list_says_when(app: Starlette) -> None:
    event, reviewer, proposal, criterion = await house(starts_at=NOW + DAY, ends_at=NOW + 2 * DAY)
    async with browser(app, reviewer) as client:
        page = await client.get(DESK, headers=EN)
        assert "Nothing is reviewed now" in words_of(page)
        assert "begins on" in words_of(page)
        assert proposal.code not in page.text
        assert (await client.get(f"{DESK}/{proposal.code}")).status_code == 409
        form = {"reason": "Good", f"score.{criterion.id}": "5", "version": ""}
        assert (await client.post(f"{DESK}/{proposal.code}", data=form)).status_code == 409
    assert await Review.all().count() == 0
    assert event.id


async def test_a_decided_proposal_keeps_its_review_and_takes_no_other(app: Starlette) -> None:
    _, reviewer, proposal, criterion = await house()
    await make_review(proposal, reviewer, "As I said")
    async with unit_of_work():
        await Proposal.filter(id=proposal.id).update(state="accepted")
    async with browser(app, reviewer) as client:
        page = await client.get(f"{DESK}/{proposal.code}", headers=EN)
        assert "As I said" in page.text
        assert "<textarea" not in page.text.split('id="comments"')[0].split('id="own"')[1]
        form = {"reason": "Other", f"score.{criterion.id}": "5", "version": ""}
        assert (await client.post(f"{DESK}/{proposal.code}", data=form)).status_code == 409
        assert (await client.post(f"{DESK}/{proposal.code}/withdrawal")).status_code == 409
        listed = await client.get(DESK, params={"show": "done"})
        assert proposal.code in listed.text
    assert (await Review.get()).reason == "As I said"


async def test_a_review_is_taken_back_and_too_near_gives_the_proposal_away(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house()
    await make_review(proposal, reviewer)
    address = f"{DESK}/{proposal.code}"
    async with browser(app, reviewer) as client:
        assert (await client.post(f"{address}/withdrawal")).headers["location"] == f"{address}?done=withdrawn"
        assert await Review.all().count() == 0
        assert (await client.post(f"{address}/withdrawal")).status_code == 303
        await make_review(proposal, reviewer)
        gone = await client.post(f"{address}/conflict")
        assert gone.headers["location"] == f"{DESK}?done=near"
        assert await Review.all().count() == await ReviewAssignment.all().count() == 0
        assert (await client.get(address)).status_code == 403
        overview = await client.get(DESK, headers=EN)
        assert f"Proposal {proposal.code}" in words_of(overview)
        assert f'href="{DESK}/{proposal.code}"' not in overview.text
        conflict = await ConflictOfInterest.get()
        removal = f"{DESK}/conflicts/{conflict.id}/removal"
        assert removal in overview.text
        async with browser(app, await with_role(event, "reviewer")) as other:
            assert (await other.post(removal)).status_code == 404
        assert (await client.post(removal)).headers["location"] == f"{DESK}?done=not_near"
        assert (await client.post(removal)).status_code == 404
        empty = await client.post(f"{DESK}/conflicts", data={"organisation": " "}, headers=EN)
        assert empty.status_code == 422
        assert 'id="f-organisation-error"' in empty.text
        await client.post(f"{DESK}/conflicts", data={"organisation": "SECRET labs"})
        await make_assignment(proposal, reviewer)
        assert (await client.get(address)).status_code == 403
    # What an organiser said of somebody is not theirs to unsay.
    async with unit_of_work():
        await ConflictOfInterest.all().update(actor_key="account:0")
    row = await ConflictOfInterest.get()
    async with browser(app, reviewer) as client:
        assert (await client.post(f"{DESK}/conflicts/{row.id}/removal")).status_code == 404
        assert f"/conflicts/{row.id}/" not in (await client.get(DESK)).text


async def test_comments_are_said_once_and_removed_by_their_writer(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(others="always")
    colleague = await with_role(event, "reviewer")
    await make_assignment(proposal, colleague)
    address = f"{DESK}/{proposal.code}"
    async with browser(app, reviewer) as client:
        page = await client.get(address, headers=EN)
        form = {"comment_form": hidden(page, "comment_form"), "comment": "Ask for <b>slides</b>"}
        for _ in range(2):
            assert (await client.post(f"{address}/comments", data=form)).status_code == 303
        row = await ProposalComment.get()
        page = await client.get(address, headers=EN)
        assert "Ask for <b>slides</b>" in words_of(page)
        assert "<b>slides" not in page.text
        empty = await client.post(
            f"{address}/comments", data={"comment_form": str(uuid4()), "comment": " "}, headers=EN
        )
        assert empty.status_code == 422
        assert 'id="f-comment-error"' in empty.text
        long = await client.post(
            f"{address}/comments", data={"comment_form": str(uuid4()), "comment": "x" * 4001}
        )
        assert long.status_code == 422
        assert "x" * 4001 in long.text
    removal = f"{address}/comments/{row.id}/removal"
    async with browser(app, colleague) as client:
        page = await client.get(address, headers=EN)
        assert "Rui Wang" in page.text
        assert removal not in page.text
        assert (await client.post(removal)).status_code == 404
    async with browser(app, reviewer) as client:
        assert (await client.post(removal)).status_code == 303
        assert (await client.post(removal)).status_code == 404
        assert "slides" not in (await client.get(address)).text.split('id="comments"')[1]
    assert (await ProposalComment.get()).text == ""


async def test_comments_stay_hidden_where_reviews_are(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house(others="never")
    forum = await make_forum(event)
    async with unit_of_work():
        await Proposal.filter(id=proposal.id).update(forum_id=forum.id)
        await ProposalComment.create(
            proposal_id=proposal.id, account_id=reviewer.id, text="Between us", at=NOW
        )
    address = f"{DESK}/{proposal.code}"
    async with browser(app, reviewer) as client:
        assert "Between us" not in (await client.get(address)).text
        refused = await client.post(f"{address}/comments", data={"comment": "x"})
        assert refused.status_code == 404
    async with browser(app, await with_role(event, "producer", "forum", forum.id)) as client:
        page = await client.get(address, headers=EN)
        assert "Between us" in page.text
        # Who said it stays as hidden as reviewers are.
        assert "Rui Wang" not in page.text
    assert await ProposalComment.all().count() == 1


async def test_where_all_may_be_reviewed_what_has_fewest_reviews_comes_first(app: Starlette) -> None:
    event, reviewer, given, _ = await house(reach="all")
    often, never = await make_proposal(event), await make_proposal(event)
    await make_proposal(event, state="confirmed", origin="invited")
    await make_review(often, await with_role(event, "reviewer"))
    forum = await make_forum(event)
    async with unit_of_work():
        await Proposal.filter(id=never.id).update(forum_id=forum.id)
        await Proposal.filter(id=often.id).update(forum_id=(await make_forum(event)).id)
    async with browser(app, reviewer) as client:
        page = await client.get(DESK, headers=EN)
        order = re.findall(rf'class="row__title"><a href="{DESK}/(\w+)"', page.text)
        assert order == [given.code, never.code, often.code]
        narrowed = await client.get(DESK, params={"forum": str(forum.id)})
        assert re.findall(rf'class="row__title"><a href="{DESK}/(\w+)"', narrowed.text) == [never.code]
        none = await client.get(DESK, params={"forum": str(forum.id), "show": "done"}, headers=EN)
        assert "No proposal matches" in words_of(none)


async def test_one_and_three_rows_take_the_same_statements(app: Starlette) -> None:
    event, reviewer, proposal, criterion = await house(reach="all", others="always")
    address = f"{DESK}/{proposal.code}"
    counts: dict[str, list[int]] = {DESK: [], address: []}

    async def count_all() -> None:
        async with browser(app, reviewer) as client:
            await client.get(DESK)
            for path, found in counts.items():
                before = db.stats.statements
                assert (await client.get(path)).status_code == 200
                found.append(db.stats.statements - before)

    async def more() -> None:
        other = await make_proposal(event, await make_speaker(event, await make_account(), "Acme"))
        await make_assignment(other, reviewer)
        colleague = await with_role(event, "reviewer")
        review = await make_review(proposal, colleague)
        async with unit_of_work():
            await ReviewScore.create(review_id=review.id, criterion_id=criterion.id, value=3)
            await ProposalComment.create(proposal_id=proposal.id, account_id=colleague.id, text="Hm", at=NOW)
            await ConflictOfInterest.create(
                event_id=event.id,
                account_id=reviewer.id,
                proposal_id=(await make_proposal(event)).id,
                actor_key=f"account:{reviewer.id}",
                created_at=NOW,
            )

    await more()
    await count_all()
    await more()
    await more()
    await count_all()
    for path, (one, three) in counts.items():
        assert one == three <= 60, path


async def test_a_reviewer_who_speaks_elsewhere_is_led_past_their_friends(app: Starlette) -> None:
    event, reviewer, proposal, _ = await house()
    friend = await make_account()
    beside = await make_speaker(event, friend)
    await make_proposal(event, await make_speaker(event, reviewer), beside)
    near = await make_proposal(event, beside)
    await make_assignment(near, reviewer)
    async with browser(app, reviewer) as client:
        page = await client.get(DESK)
        assert proposal.code in page.text
        assert near.code not in page.text
        assert (await client.get(f"{DESK}/{near.code}")).status_code == 403
    await make_role(event, reviewer, "producer")
    access.forget()
    async with browser(app, reviewer) as client:
        page = await client.get(f"{DESK}/{near.code}", headers=EN)
        assert "speaks with one of the speakers" in words_of(page)
        assert 'name="reason"' not in page.text
