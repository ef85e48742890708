"""Lists of people on their way in: planned, applied once, forgotten in time; and out and in again."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import Workbook

import main
from events import imports, queries, registrations
from events.desk.exports import (
    EXPORT_COLUMNS,
    EXPORT_PICTURES,
    STATE_TITLES,
    TITLES,
    ExportPictures,
    export_bytes,
)
from events.importing import Action, read_state
from events.imports import ImportCode, ImportFacts, ImportState
from events.models import Event, ImportMapping, Registration, RegistrationImport, TicketType
from events.queries import Filter
from events.registrations import CHUNK, Changed
from events.rules import EventFacts, RegistrationState
from events.sheets import Field, SheetCode, SheetProblem, guess_mapping, read_table
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from people import jobs, uploads
from people.models import Job, JournalEntry, Letter, Upload
from tests.factories import NOW, make_account, make_event, make_registration, make_ticket_type
from web import i18n

pytestmark = pytest.mark.usefixtures("house")


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[None]:
    """The whole house is wired, so that words and jobs are there; nothing is served."""
    main.create_app(database, workers=False)
    yield
    EXPORT_COLUMNS.clear()
    EXPORT_PICTURES.clear()


def csv_of(rows: Sequence[Sequence[object]], encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def xlsx_of(rows: Sequence[Sequence[object]]) -> bytes:
    workbook, stream = Workbook(), io.BytesIO()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    workbook.save(stream)
    return stream.getvalue()


class World:
    """An event with two ticket types, and the organiser who imports into it."""

    def __init__(self, event: Event, facts: EventFacts, actor: Actor, types: Sequence[TicketType]) -> None:
        self.event, self.facts, self.actor = event, facts, actor
        self.general, self.vip = types

    async def begin(
        self, rows: Sequence[Sequence[object]] | bytes, filename: str = "名单.csv"
    ) -> ImportFacts:
        data = rows if isinstance(rows, bytes) else csv_of(rows)
        number = await imports.begin(actor=self.actor, event=self.facts, filename=filename, data=data, at=NOW)
        return await imports.find(self.event.id, number)

    async def choose(self, facts: ImportFacts, **more: Any) -> ImportFacts:
        chosen: dict[str, Any] = {
            "header_row": facts.header_row,
            "mapping": facts.mapping,
            "default_ticket_type_id": facts.default_ticket_type_id,
            "update_same": facts.update_same,
        }
        await imports.choose(
            actor=self.actor, event=self.facts, import_id=facts.id, at=NOW, **(chosen | more)
        )
        return await imports.find(self.event.id, facts.id)

    async def apply(self, facts: ImportFacts, *, partial: bool = False) -> None:
        await imports.apply(
            actor=self.actor,
            event_id=self.event.id,
            import_id=facts.id,
            plan_round=facts.round,
            partial=partial,
            at=NOW,
        )

    async def import_(self, facts: ImportFacts, *, partial: bool = False) -> ImportFacts:
        await self.apply(facts, partial=partial)
        await work()
        return await imports.find(self.event.id, facts.id)


async def work() -> None:
    """Runs every job that is due, as a server's worker would."""
    while await jobs.run_one(NOW):
        pass


async def world(**general: Any) -> World:
    event = await make_event("coscon")
    account = await make_account("organiser@example.org")
    types = [
        await make_ticket_type(event, "general", **general),
        await make_ticket_type(event, "vip", name={"zh-Hans": "贵宾票", "en": "VIP"}, quota=2),
    ]
    facts = await queries.find_event_by_id(event.id)
    assert facts is not None
    return World(event, facts, Actor(kind=ActorKind.ACCOUNT, id=account.id), types)


def said(facts: ImportFacts, kind: str = "problems") -> dict[int, list[str]]:
    return {row["line"]: [one["code"] for one in row[kind]] for row in facts.report["rows"] if row[kind]}


def actions(facts: ImportFacts) -> dict[str, int]:
    return {name: count for name, count in facts.totals.items() if count and name != "warned"}


BAGEVENT = (
    ("报名编号", "姓名", "邮箱", "手机", "单位", "票种", "电子票号"),
    ("E-1", "林小满", "xiaoman@example.org", "138 0013 8000", "开源社", "普通票", "T-0001"),
    ("E-2", "Ada Lovelace", "Ada@Example.org", "+86 13900139000", "分析机", "VIP", "T-0002"),
    ("E-3", "王芳🌸", "", "１３７００１３７０００", "", "general", ""),
)


# --- a preview ---------------------------------------------------------------------------------------------------


async def test_a_list_in_gb18030_is_planned_and_nobody_is_registered() -> None:
    w = await world()
    facts = await w.begin(csv_of(BAGEVENT[:3], "gb18030"))
    assert (facts.state, facts.header_row, facts.report["encoding"]) == (ImportState.PREVIEW, 1, "gb18030")
    assert actions(facts) == {"create": 2}
    assert facts.mapping[Field.EXTERNAL_CODE] == 6
    assert facts.report["columns"][1] == {
        "letter": "B",
        "title": "姓名",
        "samples": ["林小满", "Ada Lovelace"],
    }
    assert [row["name"] for row in facts.report["rows"]] == ["林小满", "Ada Lovelace"]
    assert await Registration.all().count() == 0
    [upload] = await Upload.all()
    assert (upload.filename, upload.keep_until) == ("名单.csv", NOW + imports.KEPT)
    assert (await JournalEntry.get(verb="import.begin")).new == {"lines": 2}


async def test_lines_become_registrations_with_everything_they_say() -> None:
    w = await world()
    facts = await w.import_(await w.begin(BAGEVENT))
    assert (facts.state, actions(facts)) == (ImportState.DONE, {"create": 3})
    rows = await Registration.all().order_by("id")
    assert [
        (row.name, row.email, row.phone, row.ticket_type_id, row.external_id, row.external_code)
        for row in rows
    ] == [
        ("林小满", "xiaoman@example.org", "+8613800138000", w.general.id, "E-1", "T-0001"),
        ("Ada Lovelace", "ada@example.org", "+8613900139000", w.vip.id, "E-2", "T-0002"),
        ("王芳🌸", "", "+8613700137000", w.general.id, "E-3", None),
    ]
    assert {row.source for row in rows} == {"import"}
    assert ((await w.general.get(id=w.general.id)).taken, (await w.vip.get(id=w.vip.id)).taken) == (2, 1)
    # People are told by the organisers' own channels, with the export's links.
    assert await Letter.all().count() == 0
    entry = await JournalEntry.get(verb="import.apply")
    assert (entry.actor_key, entry.new) == (w.actor.key, {"create": 3, "update": 0, "same": 0, "error": 0})


async def test_title_lines_above_the_header_are_found_and_another_line_makes_a_new_guess() -> None:
    w = await world()
    rows: list[list[object]] = [
        ["COSCon'23 参会名单"],
        ["请勿外传"],
        ["姓名", "手机号码", "参会类型"],
        ["林小满", 13800138000, "贵宾票"],
    ]
    facts = await w.begin(xlsx_of(rows), "名单.xlsx")
    assert (facts.header_row, facts.report["kind"], facts.sheet) == (3, "xlsx", "Sheet")
    assert facts.mapping == {Field.NAME: 0, Field.PHONE: 1, Field.TICKET_TYPE: 2}
    assert facts.report["head"][:3] == [
        ["COSCon'23 参会名单"],
        ["请勿外传"],
        ["姓名", "手机号码", "参会类型"],
    ]
    wrong = await w.choose(facts, header_row=1)
    assert [one["code"] for one in wrong.report["problems"]] == [
        "name_column_missing",
        "contact_column_missing",
    ]
    right = await w.choose(wrong, header_row=3)
    assert (right.mapping, actions(right)) == (facts.mapping, {"create": 1})
    done = await w.import_(right)
    assert done.state is ImportState.DONE
    assert (await Registration.get()).phone == "+8613800138000"


async def test_a_chosen_mapping_is_remembered_for_the_next_file_with_these_titles() -> None:
    w = await world()
    titles = ["谁", "怎么联系", "备注"]
    first = await w.begin([titles, ["林小满", "xiaoman@example.org", "普通票"]])
    assert first.mapping == {}
    chosen = {Field.NAME: 0, Field.EMAIL: 1}
    again = await w.choose(first, mapping=chosen, default_ticket_type_id=w.general.id)
    assert actions(again) == {"create": 1}
    assert (await w.begin([titles, ["王芳", "fang@example.org", ""]])).mapping == chosen
    assert (await w.begin([[*titles, "新列"], ["王芳", "fang@example.org", "", ""]])).mapping == {}
    # Remembered once for each set of titles, the newest choice.
    await w.choose(again, mapping={Field.NAME: 2, Field.EMAIL: 1}, default_ticket_type_id=w.general.id)
    assert [row.mapping for row in await ImportMapping.all()] == [{"name": 2, "email": 1}]


async def test_bad_lines_have_each_their_own_answer_and_all_come_or_none() -> None:
    w = await world()
    facts = await w.begin(
        [
            ("姓名", "邮箱", "手机", "票种", "报名时间"),
            ("林小满", "team@example.org", "", "普通票", "2023-10-01 09:30"),
            ("林小满", "team@example.org", "", "普通票", ""),
            ("王芳", "team@example.org", "", "普通票", "2023年10月2日"),
            ("李雷", "lilei@example.org", "", "普通票", "2023-02-30"),
            ("韩梅", "", "1.38E+10", "普通票", ""),
            ("🦄", "unicorn@example.org", "", "普通票", ""),
            ("无名氏", "", "", "普通票", ""),
            ("张三", "zhang@example.org", "", "站票", ""),
        ]
    )
    assert said(facts) == {
        3: ["duplicate_row"],
        5: ["date_invalid"],
        6: ["phone_scientific"],
        8: ["contact_missing"],
        9: ["ticket_type_unknown"],
    }
    # One address under two names is a group that one person registered: warned of, never refused.
    assert said(facts, "warnings") == {2: ["shared_email"], 4: ["shared_email"]}
    assert actions(facts) == {"create": 3, "error": 5}
    with pytest.raises(Conflict) as refused:
        await w.apply(facts)
    assert (refused.value.code, refused.value.params) == (ImportCode.NOT_CLEAN, {"error": 5})
    assert (await Registration.all().count(), await Job.filter(kind=imports.JOB).count()) == (0, 0)
    done = await w.import_(facts, partial=True)
    assert (done.state, actions(done)) == (ImportState.DONE, {"create": 3, "error": 5})
    assert [row.name for row in await Registration.all().order_by("id")] == ["林小满", "王芳", "🦄"]
    assert said(done) == said(facts)


async def test_a_quota_passed_is_named_with_how_many_before_anything_is_written() -> None:
    w = await world()
    await make_registration(w.event, w.vip)
    await registrations.recount_places(w.event.id)
    rows = [("姓名", "邮箱", "票种"), *((f"贵宾{n}", f"vip{n}@example.org", "VIP") for n in range(4))]
    facts = await w.begin(rows)
    assert facts.report["full"] == [{"ticket_type_id": w.vip.id, "wanted": 4, "free": 1, "over": 3}]
    assert said(facts) == {3: ["ticket_type_full"], 4: ["ticket_type_full"], 5: ["ticket_type_full"]}
    done = await w.import_(facts, partial=True)
    assert actions(done) == {"create": 1, "error": 3}
    assert (await w.vip.get(id=w.vip.id)).taken == 2


async def test_an_update_that_moves_to_a_full_ticket_type_counts_too() -> None:
    w = await world()
    for number in range(2):
        await make_registration(w.event, w.vip, external_id=f"V{number}")
    one = await make_registration(w.event, w.general, external_id="A1")
    await registrations.recount_places(w.event.id)
    facts = await w.begin([("报名编号", "票种"), ("A1", "VIP"), ("V0", "VIP"), ("V1", "普通票")])
    assert said(facts) == {2: ["ticket_type_full"]}
    assert actions(facts) == {"error": 1, "same": 1, "update": 1}
    done = await w.import_(facts, partial=True)
    assert (await Registration.get(id=one.id)).ticket_type_id == w.general.id
    assert (actions(done), (await w.vip.get(id=w.vip.id)).taken) == ({"error": 1, "same": 1, "update": 1}, 1)


async def test_a_known_number_updates_and_empties_nothing() -> None:
    w = await world()
    await w.import_(await w.begin(BAGEVENT))
    facts = await w.begin(
        [
            ("报名编号", "姓名", "单位", "票种"),
            ("E-1", "林小满", "", "VIP"),
            ("E-2", "Ada King", "分析机", "VIP"),
        ]
    )
    assert actions(facts) == {"update": 2}
    await w.import_(facts)
    first, second, _third = await Registration.all().order_by("id")
    assert (first.name, first.organisation, first.email, first.ticket_type_id) == (
        "林小满",
        "开源社",
        "xiaoman@example.org",
        w.vip.id,
    )
    assert (second.name, second.search) == ("Ada King", "ada king 分析机")


async def test_somebody_registered_already_is_left_or_updated_as_was_chosen() -> None:
    w = await world()
    await make_registration(
        w.event, w.general, name="林小满", email="xiaoman@example.org", organisation="旧单位"
    )
    facts = await w.begin(
        [("姓名", "邮箱", "单位", "票种"), ("林小满", "xiaoman@example.org", "新单位", "普通票")]
    )
    assert (actions(facts), said(facts, "warnings")) == ({"same": 1}, {2: ["already_registered"]})
    with pytest.raises(Conflict) as refused:
        await w.apply(facts)
    assert refused.value.code == ImportCode.NOTHING
    chosen = await w.choose(facts, update_same=True)
    assert actions(chosen) == {"update": 1}
    await w.import_(chosen)
    assert (await Registration.get()).organisation == "新单位"


async def test_an_unreadable_file_leaves_nothing_behind() -> None:
    w = await world()
    with pytest.raises(SheetProblem) as refused:
        await w.begin(b"%PDF-1.7 ...")
    assert (refused.value.code, refused.value.params) == (SheetCode.KIND, {"kind": "PDF"})
    assert (await Upload.all().count(), await RegistrationImport.all().count(), await Job.all().count()) == (
        0,
        0,
        0,
    )


async def test_another_events_import_is_not_found() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    other = await make_event("other")
    foreign = await queries.find_event_by_id(other.id)
    assert foreign is not None
    with pytest.raises(NotFound):
        await imports.find(other.id, facts.id)
    with pytest.raises(NotFound):
        await imports.find_progress(other.id, facts.id)
    with pytest.raises(NotFound):
        await imports.apply(
            actor=w.actor,
            event_id=other.id,
            import_id=facts.id,
            plan_round=facts.round,
            partial=False,
            at=NOW,
        )
    with pytest.raises(NotFound):
        await imports.turn_down(actor=w.actor, event_id=other.id, import_id=facts.id, at=NOW)
    with pytest.raises(NotFound):
        await replace_world(w, foreign).choose(facts)


def replace_world(w: World, facts: EventFacts) -> World:
    return World(w.event, facts, w.actor, (w.general, w.vip))


async def test_a_foreign_ticket_type_is_no_choice() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    foreign = await make_ticket_type(await make_event("other"))
    with pytest.raises(Invalid) as refused:
        await w.choose(facts, default_ticket_type_id=foreign.id)
    assert list(refused.value.fields) == ["default_ticket_type_id"]


# --- applied once ------------------------------------------------------------------------------------------------


async def test_pressed_twice_or_by_eight_at_once_it_is_applied_once() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    await asyncio.gather(*(w.apply(facts) for _ in range(8)))
    assert await Job.filter(kind=imports.JOB).count() == 1
    assert (await imports.find(w.event.id, facts.id)).state is ImportState.APPLYING
    with pytest.raises(Conflict):
        await w.choose(facts)
    with pytest.raises(Conflict):
        await imports.turn_down(actor=w.actor, event_id=w.event.id, import_id=facts.id, at=NOW)
    await work()
    await w.apply(facts)
    await work()
    assert await Registration.all().count() == 3
    # The lines are gone with their purpose; the list itself stays until its time.
    assert [row.filename for row in await Upload.all()] == ["名单.csv"]


async def test_a_plan_that_is_not_the_one_seen_is_not_applied() -> None:
    w = await world()
    seen = await w.begin(BAGEVENT)
    await w.choose(seen, mapping={Field.NAME: 1, Field.EMAIL: 2}, default_ticket_type_id=w.general.id)
    with pytest.raises(Conflict) as refused:
        await w.apply(seen)
    assert refused.value.code == ImportCode.CHANGED
    assert await Job.filter(kind=imports.JOB).count() == 0


async def test_two_who_choose_at_once_don_t_overwrite_each_other() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    outcomes = await asyncio.gather(
        *(w.choose(facts, update_same=bool(number % 2)) for number in range(4)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, Conflict)]
    assert len(refused) == 3
    assert {one.code for one in refused} == {ImportCode.CHANGED}
    assert (await imports.find(w.event.id, facts.id)).round == 2


async def test_what_changes_before_the_worker_comes_is_shown_again_first() -> None:
    w = await world(quota=3)
    facts = await w.begin(BAGEVENT)
    await w.apply(facts)
    for _ in range(2):
        await make_registration(w.event, w.general)
    await registrations.recount_places(w.event.id)
    await work()
    back = await imports.find(w.event.id, facts.id)
    assert (back.state, back.notice, back.round) == (ImportState.PREVIEW, ImportCode.CHANGED, 2)
    assert said(back) == {4: ["ticket_type_full"]}
    assert await Registration.all().count() == 2
    done = await w.import_(back, partial=True)
    assert (actions(done), await Registration.all().count()) == ({"create": 2, "error": 1}, 4)


class Crash(RuntimeError):
    pass


async def test_a_crash_half_way_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    w = await world()
    count = 2 * CHUNK + 10
    rows = [("姓名", "手机", "票种"), *((f"来宾{n}", f"138{n:08}", "普通票") for n in range(count))]
    facts = await w.begin(rows)
    await w.apply(facts)
    told: list[int] = []

    async def crash(news: Changed) -> None:
        told.append(len(news.registration_ids))
        if len(told) == 2:
            raise Crash

    registrations.changed.connect(crash)
    try:
        await jobs.run_one(NOW)
        assert await Registration.all().count() == CHUNK
        await db_now()
        await work()
    finally:
        registrations.changed._handlers.remove(crash)
    done = await imports.find(w.event.id, facts.id)
    assert (done.state, actions(done)) == (ImportState.DONE, {"create": count})
    assert await Registration.all().count() == count
    assert (await w.general.get(id=w.general.id)).taken == count


async def db_now() -> None:
    """Jobs that wait for their next try are due at once."""
    async with db.unit_of_work():
        await Job.filter(kind=imports.JOB).update(run_at=NOW)


async def test_a_job_that_has_failed_for_good_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    await w.apply(facts)
    real = registrations.apply_rows

    async def broken(**_: Any) -> Any:
        raise Crash

    monkeypatch.setattr(registrations, "apply_rows", broken)
    for _ in range(10):
        await db_now()
        await jobs.run_one(NOW)
    assert (await Job.get(kind=imports.JOB)).state == "failed"
    monkeypatch.setattr(registrations, "apply_rows", real)
    for _ in range(2):
        await imports.try_again(actor=w.actor, event_id=w.event.id, import_id=facts.id, at=NOW)
    await work()
    assert (await imports.find(w.event.id, facts.id)).state is ImportState.DONE
    assert await Registration.all().count() == 3
    with pytest.raises(Conflict):
        await imports.try_again(actor=w.actor, event_id=w.event.id, import_id=facts.id, at=NOW)


@pytest.mark.slow
async def test_ten_thousand_lines_in_few_statements(record_property: Callable[[str, object], None]) -> None:
    w = await world()
    rows = [
        ("报名编号", "姓名", "邮箱", "手机", "单位", "职位", "票种", "报名时间"),
        *(
            (
                f"E-{n}",
                f"来宾{n}",
                f"guest{n}@example.org",
                f"139{n:08}",
                "开源社",
                "工程师",
                "普通票",
                "2023-10-01 09:30",
            )
            for n in range(10_000)
        ),
    ]
    data = xlsx_of(rows)
    began = time.monotonic()
    facts = await w.begin(data, "大名单.xlsx")
    planned = time.monotonic()
    assert actions(facts) == {"create": 10_000}
    await w.apply(facts)
    before, db.stats.longest_hold_s = db.stats.statements, 0.0
    await work()
    done = time.monotonic()
    assert (await imports.find(w.event.id, facts.id)).state is ImportState.DONE
    assert await Registration.filter(event_id=w.event.id).count() == 10_000
    # Chunks of 500: twenty transactions of a handful of statements, whatever the passports' hook adds.
    assert db.stats.statements - before < 20 * 40 + 100
    job = await Job.get(kind=imports.JOB)
    assert (job.done, job.total, job.state) == (10_000, 10_000, "done")
    record_property("planned_s", round(planned - began, 1))
    record_property("applied_s", round(done - planned, 1))
    record_property("statements", db.stats.statements - before)
    record_property("longest_hold_ms", round(db.stats.longest_hold_s * 1000))


# --- forgotten in time -------------------------------------------------------------------------------------------


async def test_turned_down_it_is_erased_at_once() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    for _ in range(2):
        await imports.turn_down(actor=w.actor, event_id=w.event.id, import_id=facts.id, at=NOW)
    gone = await imports.find(w.event.id, facts.id)
    assert (gone.state, gone.filename, gone.report) == (ImportState.TURNED_DOWN, "", {})
    assert await Upload.all().count() == 0
    with pytest.raises(Conflict):
        await w.apply(facts)
    assert await Registration.all().count() == 0


async def test_after_its_time_no_name_is_left_and_the_totals_are() -> None:
    w = await world()
    facts = await w.import_(await w.begin(BAGEVENT))
    waiting = await w.begin(BAGEVENT)
    job = await Job.get(key=f"{imports.ERASE_JOB}:{facts.id}")
    assert db.as_instant(job.run_at) == NOW + imports.KEPT
    async with db.unit_of_work():
        await Job.filter(kind=imports.ERASE_JOB).update(run_at=NOW)
    await work()
    for row in await RegistrationImport.all():
        text = f"{row.filename} {row.report} {row.options} {row.mapping}"
        assert not any(word in text for word in ("林小满", "xiaoman", "名单"))
    erased = await imports.find(w.event.id, facts.id)
    assert (erased.state, erased.is_erased, actions(erased)) == (ImportState.DONE, True, {"create": 3})
    assert (await imports.find(w.event.id, waiting.id)).state is ImportState.TURNED_DOWN
    assert (await Upload.all().count(), await Registration.all().count()) == (0, 3)
    with pytest.raises(Conflict) as refused:
        await imports.report_file(event_id=w.event.id, import_id=facts.id, titles=("a", "b", "c"), said={})
    assert refused.value.code == ImportCode.ERASED


async def test_a_preview_without_its_file_says_so() -> None:
    w = await world()
    facts = await w.begin(BAGEVENT)
    await uploads.purge(NOW + imports.KEPT + timedelta(days=1))
    with pytest.raises(Conflict) as refused:
        await w.choose(facts)
    assert refused.value.code == ImportCode.ERASED


# --- the report as a file, the command line ----------------------------------------------------------------------


async def test_the_report_is_the_list_with_what_happened_before_each_line() -> None:
    w = await world()
    facts = await w.begin(
        [
            ("姓名", "手机", "票种", "备注"),
            ("林小满", "+86 13800138000", "普通票", "=1+1"),
            ("王芳", "123", "普通票", ""),
        ]
    )
    body = await imports.report_file(
        event_id=w.event.id,
        import_id=facts.id,
        titles=("行", "结果", "原因"),
        said={3: ("有问题", "电话不对")},
    )
    assert body.decode("utf-8-sig").splitlines() == [
        "行,结果,原因,姓名,手机,票种,备注",
        "3,有问题,电话不对,王芳,123,普通票,",
    ]
    whole = await imports.report_file(
        event_id=w.event.id,
        import_id=facts.id,
        titles=("行", "结果", "原因"),
        said={2: ("新增", ""), 3: ("有问题", "")},
    )
    assert "2,新增,,林小满,'+86 13800138000,普通票,'=1+1" in whole.decode("utf-8-sig")
    # Corrected and uploaded once more, it is read as the list it was.
    again = await w.begin(whole.replace(b"123", b"13900139000"))
    assert (actions(again), said(again)) == ({"create": 2}, {})


async def test_the_command_line_imports_by_the_same_steps() -> None:
    w = await world()
    outcome = await imports.run(w.event.id, "名单.csv", csv_of(BAGEVENT), actor=SYSTEM, at=NOW)
    assert (outcome.applied, imports.is_clean(outcome), await Registration.all().count()) == (True, True, 3)
    assert imports.as_text(outcome).splitlines()[0] == (
        "applied: New 3, Changed 0, Registered already 0, Left out 0, Problem 0"
    )
    again = await imports.run(w.event.id, "名单.csv", csv_of(BAGEVENT), actor=SYSTEM, at=NOW)
    assert (again.applied, imports.is_clean(again), await Registration.all().count()) == (False, True, 3)
    bad = csv_of(
        [
            BAGEVENT[0],
            ("E-9", "赵六", "zhao@example.org", "12", "", "普通票", ""),
            ("E-10", "钱七", "qian@example.org", "", "", "普通票", ""),
        ]
    )
    refused = await imports.run(w.event.id, "名单.csv", bad, actor=SYSTEM, at=NOW)
    assert (refused.applied, imports.is_clean(refused), await Registration.all().count()) == (False, False, 3)
    assert "line 2: Mobile phone: This is not a phone number" in imports.as_text(refused)
    partial = await imports.run(w.event.id, "名单.csv", bad, actor=SYSTEM, at=NOW, partial=True)
    assert (partial.applied, imports.is_clean(partial), await Registration.all().count()) == (True, False, 4)
    mapped = await imports.run(
        w.event.id,
        "x.csv",
        csv_of([("谁", "哪儿", "票"), ("孙八", "sun@example.org", "普通票")]),
        {Field.NAME: 0, Field.EMAIL: 1, Field.TICKET_TYPE: 2},
        actor=SYSTEM,
        at=NOW,
    )
    assert mapped.applied
    # Every try stands in the list of imports, so that the pages show what the command line did.
    assert len(await imports.list_imports(w.event.id)) == 5
    with pytest.raises(NotFound):
        await imports.run(0, "x.csv", b"a,b\n", actor=SYSTEM, at=NOW)


# --- out and in again --------------------------------------------------------------------------------------------


def test_export_titles_and_states_are_read_back_in_both_languages() -> None:
    for locale in ("zh-Hans", "en"):
        titles = [i18n.gettext_in(locale, title) for title in TITLES]
        assert sorted(guess_mapping(titles).values()) == list(range(len(TITLES)))
        for state, words in STATE_TITLES.items():
            assert read_state(i18n.gettext_in(locale, words)) is state
    assert set(STATE_TITLES) == set(RegistrationState)


async def everybody(w: World) -> list[dict[str, Any]]:
    rows = await Registration.filter(event_id=w.event.id).order_by("id").values()
    return [{name: value for name, value in row.items() if name != "updated_at"} for row in rows]


async def awkward(w: World) -> None:
    """People whose data is hard on spreadsheets."""
    more: list[dict[str, Any]] = [
        {
            "name": "林小满",
            "phone": "+8613800138000",
            "phone_last4": "8000",
            "external_id": "000123",
            "locale": "en",
        },
        {"name": '=HYPERLINK("http://evil")', "organisation": "+1+1", "position": "@SUM(A1)"},
        {"name": "-5", "badge_name": "'quoted", "external_code": "1E5"},
        {
            "name": "王芳🌸",
            "english_name": 'Fang, "the" Wang',
            "organisation": "行一 行二",
            "email": "",
            "phone": "+8613900139000",
        },
        {"name": "取消者", "state": "cancelled", "external_id": "X-1"},
        {"name": "候补者", "state": "waitlisted", "ticket_type_id": w.vip.id},
        {"name": "待确认者", "state": "pending", "email": "shared@example.org"},
        {"name": "同邮箱者", "email": "shared@example.org"},
        {"name": "长号码", "external_id": "12345678901234567890", "external_code": "007"},
    ]
    for values in more:
        ticket_type = await TicketType.get(id=values.pop("ticket_type_id", w.general.id))
        row = await make_registration(w.event, ticket_type, **values)
        async with db.unit_of_work():
            search = registrations.Contact(
                name=row.name,
                badge_name=row.badge_name,
                english_name=row.english_name,
                organisation=row.organisation,
            ).search
            await Registration.filter(id=row.id).update(search=search)
    await registrations.recount_places(w.event.id)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("locale", ["zh-Hans", "en"])
async def test_an_export_comes_back_as_nothing_to_do(kind: str, locale: str) -> None:
    w = await world()
    await awkward(w)
    before = await everybody(w)
    data = await export_bytes(w.event.id, kind, at=NOW, locale=locale)
    facts = await w.begin(data, f"export.{kind}")
    assert said(facts) == {}
    assert actions(facts) == {"same": len(before)}
    with pytest.raises(Conflict) as refused:
        await w.apply(facts)
    assert refused.value.code == ImportCode.NOTHING
    assert actions(await w.choose(facts, update_same=True)) == {"same": len(before)}
    assert await everybody(w) == before
    # And into an event that has nobody yet, it brings everybody but those who were cancelled.
    empty = await make_event("empty")
    await make_ticket_type(empty, "general")
    await make_ticket_type(empty, "vip", name={"zh-Hans": "贵宾票", "en": "VIP"})
    outcome = await imports.run(empty.id, f"export.{kind}", data, actor=SYSTEM, at=NOW)
    assert outcome.applied, imports.as_text(outcome)
    copied = await Registration.filter(event_id=empty.id).order_by("id").values()
    same = (
        "name",
        "badge_name",
        "english_name",
        "email",
        "phone",
        "organisation",
        "position",
        "state",
        "locale",
        "external_id",
        "external_code",
    )
    wanted = [row for row in before if row["state"] != "cancelled"]
    assert [{name: row[name] for name in same} for row in copied] == [
        {name: row[name] for name in same} for row in wanted
    ]
    assert [row["created_at"] for row in copied] == [row["created_at"] for row in wanted]


async def test_a_changed_cell_of_an_export_updates_its_registration() -> None:
    w = await world()
    await awkward(w)
    data = await export_bytes(w.event.id, "csv", at=NOW)
    text = data.decode("utf-8-sig").replace("林小满", "林大满")
    facts = await w.begin(text.encode("utf-8-sig"))
    assert {row["line"]: row["action"] for row in facts.report["rows"] if row["action"] != Action.SAME} == {
        2: "update"
    }
    await w.import_(facts)
    assert (await Registration.get(external_id="000123")).name == "林大满"


async def test_the_filter_of_the_list_is_the_filter_of_the_export() -> None:
    w = await world()
    await awkward(w)
    for wanted in (
        Filter(),
        Filter(state=RegistrationState.CANCELLED),
        Filter(ticket_type_id=w.vip.id),
        Filter(text="小满"),
        Filter(text="8000"),
        Filter(text="SHARED@example"),
        Filter(text="000123"),
        Filter(text="1E5"),
        Filter(text="％"),
        Filter(text="nobody"),
        Filter(text="者", state=RegistrationState.WAITLISTED),
    ):
        page = await queries.registrations_page(w.event.id, wanted)
        table = read_table("x.csv", await export_bytes(w.event.id, "csv", at=NOW, wanted=wanted))
        assert sorted(row[0] for row in table.rows[1:]) == sorted(
            name if not name.startswith(("=", "-5=")) else f"'{name}"
            for name in (row.contact.name for row in page.rows)
        )


async def test_columns_and_pictures_of_upper_floors_stand_in_the_file() -> None:
    w = await world()
    asked: list[int] = []

    async def columns(event_id: int, ids: Sequence[int]) -> dict[str, dict[int, str]]:
        assert event_id == w.event.id
        asked.append(len(ids))
        return {"Personal link": {number: f"https://example.org/{number}" for number in ids}, "Short": {}}

    async def texts(event_id: int, ids: Sequence[int]) -> dict[int, str]:
        assert event_id == w.event.id
        return {number: f"code {number}" for number in ids[1:]}

    EXPORT_COLUMNS[:] = [columns]
    EXPORT_PICTURES[:] = [ExportPictures("QR", texts, picture)]
    first, second = [await make_registration(w.event, w.general) for _ in range(2)]
    table = read_table("x.csv", await export_bytes(w.event.id, "csv", at=NOW, locale="en"))
    assert table.rows[0][-2:] == ["Personal link", "Short"]
    assert [row[-1] for row in table.rows[1:]] == [
        f"https://example.org/{first.id}",
        f"https://example.org/{second.id}",
    ]
    assert asked == [0, 2]
    from openpyxl import load_workbook

    workbook = load_workbook(io.BytesIO(await export_bytes(w.event.id, "xlsx-qr", at=NOW)))
    [drawn] = workbook.worksheets[0]._images  # type: ignore[attr-defined]
    assert drawn.anchor._from.row == 2
    plain = load_workbook(io.BytesIO(await export_bytes(w.event.id, "xlsx", at=NOW)))
    assert plain.worksheets[0]._images == []  # type: ignore[attr-defined]
    assert (await JournalEntry.filter(verb="registration.export").count()) == 3
    with pytest.raises(Invalid):
        await export_bytes(w.event.id, "pdf", at=NOW)
    with pytest.raises(NotFound):
        await export_bytes(0, "csv", at=NOW)


def picture(text: str) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("1", (8, 8), text.endswith("1")).save(stream, "PNG")
    return stream.getvalue()


async def test_an_export_reads_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from events.desk import exports

    monkeypatch.setattr(exports, "CHUNK", 2)
    w = await world()
    for _ in range(5):
        await make_registration(w.event, w.general)
    table = read_table("x.csv", await export_bytes(w.event.id, "csv", at=NOW))
    assert len(table.rows) == 6
    assert len({row[0] for row in table.rows}) == 6
    assert replace(table, rows=[]).encoding == "utf-8-sig"
