"""The opening hour (bench.opening), smaller: lanes without network, a process killed, and every book right."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import opening
from bench.opening import CUT, CUT_AT, CUT_LASTS, make_plan
from tests import services


def test_a_plan_keeps_its_stories_within_the_cut_and_everybody_else_out_of_them() -> None:
    plan = make_plan(1_000, 90, random.Random(3))
    steps = Counter(step.person for step in plan.steps)
    assert len(steps) == plan.people
    assert plan.admitted + plan.let_in == 1_000
    assert plan.conflicts == 30
    assert plan.inside == 1_000 - plan.left and 20 < plan.left < 80
    for step in plan.steps:
        if step.tag:
            assert CUT_AT < step.at < CUT_AT + CUT_LASTS and step.lane in CUT
    doubles = {step.person for step in plan.steps if step.tag == "two_offline"}
    lanes = {person: {step.lane for step in plan.steps if step.person == person} for person in doubles}
    assert all(len(both) == 2 for both in lanes.values())
    # Nobody else is seen at two lanes, or a conflict would come of it that was not planted.
    planted = {step.person for step in plan.steps if step.tag}
    for person in steps.keys() - planted:
        assert len({step.lane for step in plan.steps if step.person == person}) == 1


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.skipif(
    not os.environ.get("DATABASE_URL"), reason="several processes are for PostgreSQL; SQLite serves one"
)
def test_an_opening_hour_ends_with_every_book_right(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = random.randrange(2**32)
    with services.postgres_database(os.environ["DATABASE_URL"], "opening") as url:
        played = opening.run(tmp_path, url, arrivals=400, seconds=60, viewers=60, seed=seed)
    assert played.problems == [], f"seed {seed}"
    record_property("seed", seed)
    record_property("people", played.plan.admitted)
    record_property("conflicts", played.plan.conflicts)
    record_property("sent again", sum(one.tries > 1 for _, one in played.readings))
    record_property("screens that came back", played.viewers["came_back"])
