"""The review board, its coverage and files, and the reviews on a proposal's page: for each role what it is shown."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

import main
from agenda.models import (
    Proposal,
    ProposalSpeaker,
    ProposalTag,
    ProposalTwin,
    Review,
    ReviewCriterion,
    ReviewScore,
)
from events.models import Event
from events.sheets import read_table
from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import Account
from tests.actions.test_review_dashboard import make_call, make_review, make_tag
from tests.actions.test_review_queries import (
    make_assignment,
    make_forum,
    make_phase,
    make_proposal,
    make_speaker,
    with_role,
)
from tests.factories import make_account, make_event
from tests.http.desk_house import browser_of

BOARD = "/e/coscon/desk/review-board"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def event(app: Starlette) -> Event:
    event = await make_event("coscon")
    await make_call(event, reviews_needed=2)
    return event


def words_of(page: httpx2.Response) -> str:
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def titles_of(page: httpx2.Response) -> list[str]:
    """The titles on the board, in their order."""
    return [html.unescape(one) for one in re.findall(r'aria-label="Tick ([^"]+)"', page.text)]


async def scored(event: Event, title: str, *totals: int, **more: Any) -> Proposal:
    proposal = await make_proposal(event, title={"en": title}, search=title.casefold(), **more)
    for total in totals:
        await make_review(proposal, total=total)
    return proposal


async def test_the_chair_sorts_filters_and_sees_what_wants_a_look(app: Starlette, event: Event) -> None:
    forum = await make_forum(event)
    tag = await make_tag(event)
    good = await scored(event, "Good", 9_000, 9_400, forum_id=forum.id)
    torn = await scored(event, "Torn", 1_000, 9_000, pending_state="waitlisted")
    await scored(event, "Alone")
    async with unit_of_work():
        await ProposalTag.create(proposal_id=good.id, tag_id=tag.id)
        await ProposalTwin.create(proposal_id=good.id, other_id=torn.id, likeness=83)
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        page = await client.get(BOARD)
        assert titles_of(page) == ["Good", "Torn", "Alone"]
        said = words_of(page)
        assert "92.0" in said
        assert f"83 % like {torn.code}" in said
        assert "to be told: In reserve" in said
        assert "0 / 2" in said
        for query, titles in (
            ("order=spread", ["Torn", "Good", "Alone"]),
            ("order=fewest", ["Alone", "Good", "Torn"]),
            ("order=title", ["Alone", "Good", "Torn"]),
            ("show=lacks", ["Alone"]),
            ("show=twins", ["Good", "Torn"]),
            (f"forum={forum.id}", ["Good"]),
            (f"tag={tag.id}", ["Good"]),
            ("pending=waitlisted", ["Torn"]),
            ("pending=nonsense&order=nonsense&page=99&type=x", ["Good", "Torn", "Alone"]),
            ("q=ALO", ["Alone"]),
            ("state=accepted", []),
        ):
            assert titles_of(await client.get(f"{BOARD}?{query}")) == titles, query
        assert "No proposal matches" in words_of(await client.get(f"{BOARD}?q=nothing"))
        coverage = await client.get(f"{BOARD}/coverage")
        assert "4 / 6" in words_of(coverage)
        assert f"?forum={forum.id}" in coverage.text


async def test_an_empty_board_says_what_will_stand_there(app: Starlette, event: Event) -> None:
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        assert "There is nothing here for you to review" in words_of(await client.get(BOARD))
        assert "Nothing has been handed in yet" in words_of(await client.get(f"{BOARD}/coverage"))


async def test_ticked_ones_are_decided_and_the_filter_stays(app: Starlette, event: Event) -> None:
    one, two = await scored(event, "One"), await scored(event, "Two")
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        done = await client.post(
            f"{BOARD}?order=title", data={"chosen": [str(one.id)], "action": "decide:accepted"}
        )
        assert (done.status_code, done.headers["location"]) == (303, f"{BOARD}?order=title&done=bulk&n=1")
        assert "Done for 1 proposal." in words_of(await client.get(done.headers["location"]))
        everything = await client.post(f"{BOARD}?q=t", data={"scope": "all", "action": "decide:rejected"})
        assert everything.headers["location"] == f"{BOARD}?q=t&done=bulk&n=1"
        cleared = await client.post(BOARD, data={"chosen": [str(one.id)], "action": "decide:"})
        assert cleared.status_code == 303
    rows = {row.id: row.pending_state for row in await Proposal.all()}
    assert rows == {one.id: "", two.id: "rejected"}


async def test_what_could_not_be_done_is_said_and_stays_ticked(app: Starlette, event: Event) -> None:
    fresh, over = await scored(event, "Fresh"), await scored(event, "Over", state="withdrawn")
    chosen = [str(fresh.id), str(over.id), "999999", "x"]
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        page = await client.post(BOARD, data={"chosen": chosen, "action": "decide:accepted"})
    said = words_of(page)
    assert page.status_code == 200
    assert "Not everything could be done" in said
    assert "1 done" in said
    assert "Over : This can't be done with a proposal that is “Withdrawn”." in said
    assert "A proposal that is not shown to you" in said
    assert re.search(rf'value="{over.id}" checked', page.text)
    assert not re.search(rf'value="{fresh.id}" checked', page.text)
    assert (await Proposal.get(id=fresh.id)).pending_state == "accepted"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"action": "decide:accepted"}, "Please tick the proposals first."),
        ({"chosen": "1", "action": "tag:on"}, "Please choose one of the tags."),
        ({"chosen": "1", "action": "decide:draft"}, "Please choose one of the options."),
        ({"chosen": "1"}, "Please choose one of the options."),
    ],
)
async def test_bad_presses_are_told_at_their_field(
    app: Starlette, event: Event, sent: dict[str, str], said: str
) -> None:
    await scored(event, "One")
    await make_tag(event)
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        page = await client.post(BOARD, data=sent)
    assert page.status_code == 422
    assert said in words_of(page)


async def test_tags_are_put_on_many(app: Starlette, event: Event) -> None:
    one, tag = await scored(event, "One"), await make_tag(event)
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        sent = {"chosen": [str(one.id)], "put": str(tag.id), "action": "tag:on"}
        assert (await client.post(BOARD, data=sent)).status_code == 303
        assert await ProposalTag.all().count() == 1
        assert (await client.post(BOARD, data=sent | {"action": "tag:off"})).status_code == 303
        assert await ProposalTag.all().count() == 0


async def test_a_producer_proposes_and_the_chair_takes_over(app: Starlette, event: Event) -> None:
    forum = await make_forum(event)
    own = await scored(event, "Own", 9_000, forum_id=forum.id)
    await scored(event, "Elsewhere", 8_000)
    producer = await with_role(event, "producer", "forum", forum.id)
    async with browser_of(app, producer) as client:
        page = await client.get(BOARD)
        assert titles_of(page) == ["Own"]
        assert "90.0" not in words_of(page)
        assert 'value="decide:accepted"' not in page.text
        sent = {"chosen": [str(own.id)], "action": "propose:accepted", "reason": ""}
        refused = await client.post(BOARD, data=sent)
        assert refused.status_code == 422
        assert "Please say why in a few words." in words_of(refused)
        assert re.search(rf'value="{own.id}" checked', refused.text)
        assert (await client.post(BOARD, data=sent | {"reason": "Ours"})).status_code == 303
        assert "you proposed: Accepted" in words_of(await client.get(BOARD))
        # What is the chair's to decide stays so, whatever is sent.
        page = await client.post(BOARD, data={"chosen": [str(own.id)], "action": "decide:accepted"})
        assert "This is not yours to decide." in words_of(page)
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        assert "producer: Accepted" in words_of(await client.get(f"{BOARD}?show=proposed"))
        taken = await client.post(f"{BOARD}?show=proposed", data={"scope": "all", "action": "take_over:"})
        assert taken.status_code == 303
    assert (await Proposal.get(id=own.id)).pending_state == "accepted"
    async with browser_of(app, producer) as client:
        assert (
            await client.post(BOARD, data={"chosen": [str(own.id)], "action": "propose:"})
        ).status_code == 303
    assert (await Review.get(account_id=producer.id)).recommends == ""


async def test_a_reviewer_sees_what_was_given_without_names(app: Starlette, event: Event) -> None:
    account = await with_role(event, "reviewer")
    speaker = await make_speaker(event)
    given = await scored(event, "Given", 4_000, pending_state="rejected")
    async with unit_of_work():
        await ProposalSpeaker.create(proposal_id=given.id, speaker_id=speaker.id, joined_at=given.created_at)
    await scored(event, "Not given")
    await make_assignment(given, account)
    await make_phase(event)
    async with browser_of(app, account) as client:
        page = await client.get(BOARD)
        sheet = await client.get(f"{BOARD}/files/reviews/csv")
    assert titles_of(page) == ["Given"]
    said = words_of(page)
    assert "40.0" not in said
    assert "Somebody" not in said
    assert "to be told" not in said
    assert f"/desk/review/{given.code}" in page.text
    # Between phases there is nothing, and others' reviews stay hidden until the own one is written.
    assert "Because" not in sheet.text


@pytest.mark.parametrize("role", ["owner", "organiser", "programme_chair"])
async def test_who_speaks_sees_nothing_of_the_own_talk_at_any_door(
    app: Starlette, event: Event, role: str
) -> None:
    account = await with_role(event, role)
    speaker = await make_speaker(event, account)
    own = await make_proposal(event, speaker, title={"en": "My own"}, pending_state="rejected")
    await make_review(own, total=1_234, reason="Too thin")
    await scored(event, "Another", 5_000)
    async with browser_of(app, account) as client:
        board = await client.get(BOARD)
        assert titles_of(board) == ["Another"]
        page = await client.get(f"/e/coscon/desk/proposals/{own.code}")
        assert page.status_code == 200
        listed = await client.get("/e/coscon/desk/proposals")
        for shown in (page, listed):
            assert "told" not in words_of(shown)
            assert "Too thin" not in shown.text
        assert 'name="decision"' not in page.text
        for what in ("board", "reviews"):
            sheet = await client.get(f"{BOARD}/files/{what}/csv")
            assert "Another" in sheet.text
            assert "My own" not in sheet.text
        decided = await client.post(f"/e/coscon/desk/proposals/{own.code}", data={"decision": "accepted"})
        assert decided.status_code == 403
        journal = await client.get("/e/coscon/desk/journal")
        assert "rejected" not in journal.text
    assert (await Proposal.get(id=own.id)).pending_state == "rejected"


async def test_the_history_of_ones_own_talk_keeps_the_decision_to_itself(
    app: Starlette, event: Event
) -> None:
    account = await with_role(event, "owner")
    own = await make_proposal(event, await make_speaker(event, account))
    path = f"/e/coscon/desk/proposals/{own.code}"
    async with browser_of(app, await with_role(event, "programme_chair")) as chair:
        assert (await chair.post(path, data={"decision": "rejected"})).status_code == 303
        assert "Decision prepared" in words_of(await chair.get(path))
    async with browser_of(app, account) as client:
        assert "Decision prepared" not in words_of(await client.get(path))


async def test_a_proposals_page_shows_its_reviews_and_what_is_like_it(app: Starlette, event: Event) -> None:
    one, two = await scored(event, "One"), await scored(event, "Two")
    async with unit_of_work():
        criterion = await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
    review = await make_review(
        one, await make_account(name="Lin Reviewer"), total=7_500, recommends="accepted"
    )
    async with unit_of_work():
        await ReviewScore.create(review_id=review.id, criterion_id=criterion.id, value=4)
        await ProposalTwin.create(proposal_id=one.id, other_id=two.id, likeness=91)
    path = f"/e/coscon/desk/proposals/{one.code}"
    pair = {"one": str(one.id), "other": str(two.id), "aside": "1"}
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        said = words_of(await client.get(path))
        for part in (
            "Lin Reviewer · 75.0 · Accepted",
            "Because",
            "Depth 4 / 5",
            "91 % alike",
            "They are two",
        ):
            assert part in said, part
        done = await client.post(f"{BOARD}/twins", data=pair)
        assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=saved")
        assert "put aside: they are two" in words_of(await client.get(path))
        assert "91 %" not in words_of(await client.get(BOARD))
        for wrong in ({}, pair | {"other": "999"}, pair | {"one": "x"}):
            assert (await client.post(f"{BOARD}/twins", data=wrong)).status_code == 404
    forum = await make_forum(event)
    async with unit_of_work():
        await Proposal.filter(id__in=[one.id, two.id]).update(forum_id=forum.id)
    async with browser_of(app, await with_role(event, "producer", "forum", forum.id)) as client:
        page = await client.get(path)
        assert "91 % alike" in words_of(page)
        assert "Lin Reviewer" not in page.text
        assert "Look again" not in page.text
        assert (await client.post(f"{BOARD}/twins", data=pair)).status_code == 404


async def test_files_have_a_line_for_each_proposal_and_for_each_review(app: Starlette, event: Event) -> None:
    forum = await make_forum(event)
    one = await scored(event, "One", 2_000, forum_id=forum.id, pending_state="accepted")
    await scored(event, "=Two()")
    async with unit_of_work():
        criterion = await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
    review = await make_review(one, await make_account(name="Lin"), total=8_000, recommends="rejected")
    async with unit_of_work():
        await ReviewScore.create(review_id=review.id, criterion_id=criterion.id, value=4)

    def lines(answer: httpx2.Response) -> list[dict[str, str]]:
        assert answer.headers["cache-control"] == "no-store"
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        first, second = lines(await client.get(f"{BOARD}/files/board/csv"))
        assert (first["Code"], first["Score"], first["Disagreement"], first["Reviews"]) == (
            one.code,
            "50",
            "30",
            "2",
        )
        assert (first["Prepared"], first["Recommended: reject"], first["Forum"]) == ("Accepted", "1", "Cloud")
        assert second["Title in English"] == "'=Two()"
        reviews = lines(await client.get(f"{BOARD}/files/reviews/csv"))
        assert [(line["Score"], line["Depth"]) for line in reviews] == [("20", ""), ("80", "4")]
        assert (reviews[1]["Reviewer"], reviews[1]["Recommends"]) == ("Lin", "Not accepted")
        assert lines(await client.get(f"{BOARD}/files/board/csv?q=nothing")) == []
        for what, rows in (("board", 3), ("reviews", 3)):
            book = await client.get(f"{BOARD}/files/{what}/xlsx")
            assert len(read_table("x.xlsx", book.content).rows) == rows
        assert (await client.get(f"{BOARD}/files/board/pdf")).status_code == 404


async def test_the_page_takes_as_many_statements_for_three_as_for_one(app: Starlette, event: Event) -> None:
    async def look(account: Account) -> int:
        async with browser_of(app, account) as client:
            await client.get(BOARD)
            before = db.stats.statements
            assert (await client.get(BOARD)).status_code == 200
            return db.stats.statements - before

    chair = await with_role(event, "programme_chair")

    async def add(title: str) -> None:
        await make_review(await make_proposal(event, await make_speaker(event), title={"en": title}))

    await add("One")
    one = await look(chair)
    await add("Two")
    await add("Three")
    assert await look(chair) == one
    assert one <= 45


async def test_the_board_has_pages_of_a_hundred(app: Starlette, event: Event) -> None:
    for number in range(101):
        await make_proposal(event, title={"en": f"Talk {number:03}"})
    async with browser_of(app, await with_role(event, "programme_chair")) as client:
        first = await client.get(f"{BOARD}?order=title")
        second = await client.get(f"{BOARD}?order=title&page=2")
        assert (len(titles_of(first)), titles_of(second)) == (100, ["Talk 100"])
        ids = [str(row.id) for row in await Proposal.all().limit(100)]
        done = await client.post(f"{BOARD}?page=2", data={"chosen": ids, "action": "decide:accepted"})
        assert done.headers["location"] == f"{BOARD}?page=2&done=bulk&n=100"
