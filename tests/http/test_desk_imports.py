"""The import as an organiser meets it: upload, look, choose, apply, watch, read; each bad input with its own answer."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import httpx2
import pytest
from openpyxl import Workbook

import main
from events.imports import JOB
from events.models import Registration, RegistrationImport
from kernel.settings import Settings
from people import jobs
from people.models import Job, Upload
from tests.factories import make_event, make_registration
from tests.http.desk_house import Desk, browser_of, chosen, desk_of, field, problem, words_of

ROWS = (
    ("姓名", "邮箱", "手机", "票种"),
    ("林小满", "xiaoman@example.org", "138 0013 8000", "普通票"),
    ("Ada Lovelace", "ada@example.org", "", "VIP"),
)


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    app = main.create_app(database, workers=False)
    async with desk_of(app, "organiser") as one:
        yield one


def csv_of(rows: Sequence[Sequence[object]], encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def xlsx_of(sheets: dict[str, Sequence[Sequence[object]]]) -> bytes:
    workbook, stream = Workbook(), io.BytesIO()
    assert workbook.active is not None
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    workbook.save(stream)
    return stream.getvalue()


async def upload(desk: Desk, data: bytes, filename: str = "名单.csv") -> httpx2.Response:
    return await desk.browser.post(desk.path("/imports"), files={"file": (filename, data)})


async def uploaded(desk: Desk, rows: Sequence[Sequence[object]] | bytes, filename: str = "名单.csv") -> str:
    """The path of the import's page, below the desk."""
    answer = await upload(desk, rows if isinstance(rows, bytes) else csv_of(rows), filename)
    assert answer.status_code == 303, words_of(answer.text)
    return answer.headers["location"].removeprefix(desk.path())


async def work() -> None:
    while await jobs.run_one(datetime.now(UTC)):
        pass


async def test_whole_way_of_a_list(desk: Desk) -> None:
    assert "1 person" not in words_of((await desk.get("/imports")).text)
    path = await uploaded(desk, csv_of(ROWS, "gb18030"))
    page = (await desk.get(path)).text
    assert "Full name A · 姓名 — 林小满, Ada Lovelace" in words_of(page)
    assert "Import 2 lines" in words_of(page)
    assert await Registration.all().count() == 0
    applied = await desk.post(f"{path}/application", {"round": field(page, "round")})
    assert (applied.status_code, applied.headers["location"]) == (303, desk.path(path))
    watching = (await desk.get(path)).text
    assert "How far is it now?" in words_of(watching)
    assert "Reading the list once more…" in words_of(watching)
    number = path.rsplit("/", 1)[1]
    progress = await desk.browser.get(f"/e/coscon/api/imports/{number}")
    assert progress.json() == {
        "state": "applying",
        "done": 0,
        "total": 0,
        "failed": False,
        "totals": progress.json()["totals"],
    }
    # Pressed once more from a tab that still shows the plan.
    assert (await desk.post(f"{path}/application", {"round": field(page, "round")})).status_code == 303
    await work()
    assert (await desk.browser.get(f"/e/coscon/api/imports/{number}")).json()["state"] == "done"
    done = (await desk.get(path)).text
    assert "Done" in words_of(done)
    assert "How far is it now?" not in words_of(done)
    assert await Registration.all().count() == 2
    assert await Job.filter(kind=JOB).count() == 1
    report = await desk.get(f"{path}/report.csv")
    assert report.headers["content-disposition"].startswith("attachment")
    assert report.headers["cache-control"] == "no-store"
    lines = report.content.decode("utf-8-sig").splitlines()
    assert lines[:2] == [
        "Line,What happened,Why,姓名,邮箱,手机,票种",
        "2,New,,林小满,xiaoman@example.org,138 0013 8000,普通票",
    ]
    assert "名单.csv" in words_of((await desk.get("/imports")).text)


async def test_columns_are_chosen_with_samples_beside_them(desk: Desk) -> None:
    path = await uploaded(desk, [("谁", "怎么联系"), ("林小满", "xiaoman@example.org")])
    page = (await desk.get(path)).text
    assert "Choose the column that holds the name." in words_of(page)
    assert f"{path}/application" not in page
    data = {
        "header_row": "1",
        "column.name": "0",
        "column.email": "1",
        "default_ticket_type_id": str(desk.vip.id),
    }
    assert (await desk.post(f"{path}/choices", data)).status_code == 303
    page = (await desk.get(path)).text
    assert "Import 1 line" in words_of(page)
    assert (chosen(page, "column.name"), chosen(page, "default_ticket_type_id")) == ("0", str(desk.vip.id))
    again = await uploaded(desk, [("谁", "怎么联系"), ("王芳", "fang@example.org")])
    assert chosen((await desk.get(again)).text, "column.email") == "1"


async def test_choices_out_of_the_air_are_refused_at_their_fields(desk: Desk) -> None:
    path = await uploaded(desk, ROWS)
    data = {"header_row": "77", "column.name": "99", "column.email": "x", "update_same": "1"}
    answer = await desk.post(f"{path}/choices", data)
    assert answer.status_code == 422
    for name in ("header_row", "column.name", "column.email"):
        assert problem(answer.text, name) == "Please choose one of the columns."
    assert re.search(r'name="update_same"[^>]*checked', answer.text), "what was chosen is still chosen"
    data = {"header_row": "1", "column.name": "0", "column.email": "1", "default_ticket_type_id": "999"}
    answer = await desk.post(f"{path}/choices", data)
    assert (answer.status_code, problem(answer.text, "default_ticket_type_id")) == (
        422,
        "This event has no such ticket type.",
    )


async def test_a_sheet_of_a_workbook_is_chosen(desk: Desk) -> None:
    data = xlsx_of({"说明": [("请看第二页",)], "名单": [("2023 参会名单",), (), *ROWS]})
    path = await uploaded(desk, data, "名单.xlsx")
    page = (await desk.get(path)).text
    assert chosen(page, "sheet") == "说明"
    await desk.post(f"{path}/choices", {"header_row": "1", "sheet": "名单"})
    page = (await desk.get(path)).text
    assert (chosen(page, "sheet"), chosen(page, "header_row")) == ("名单", "1")
    await desk.post(f"{path}/choices", {"header_row": "3", "sheet": "名单"})
    assert "Import 2 lines" in words_of((await desk.get(path)).text)
    refused = await desk.post(f"{path}/choices", {"header_row": "1", "sheet": "第三页"})
    assert (refused.status_code, problem(refused.text, "sheet")) == (
        422,
        "There is no such sheet in this workbook.",
    )


BAD = (
    ("姓名", "邮箱", "手机", "票种", "报名时间"),
    ("林小满", "team@example.org", "", "普通票", ""),
    ("林小满", "team@example.org", "", "普通票", ""),
    *((f"组员{n}", "team@example.org", "", "普通票", "") for n in range(9)),
    ("李雷", "lilei@example.org", "", "普通票", "10/28/2023"),
    ("🦄", "unicorn@example.org", "", "普通票", "2023-10-28"),
    ("韩梅", "", "1.38E+10", "普通票", ""),
)


async def test_each_bad_line_is_named_with_its_own_words(desk: Desk) -> None:
    path = await uploaded(desk, BAD)
    page = words_of((await desk.get(path)).text)
    for words in (
        "3 林小满 E-mail: This is the same person as in line 2. Problem",
        "13 李雷 Registered at: This is not a date. Write it like 2023-10-28 or 2023-10-28 09:30. Problem",
        "14 🦄 New",
        "15 韩梅 Mobile phone: The spreadsheet has shortened this number (1.38E+10) and lost its digits.",
        "10 people share this e-mail address; each gets a passport, all letters go there. New",
    ):
        assert words in page, words
    problems = words_of((await desk.get(path, show="error")).text)
    assert "4 组员0" not in problems
    only = (await desk.get(f"{path}/report.csv", show="error")).content.decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in only] == ["Line", "3", "13", "15"]
    chinese = await desk.browser.get(desk.path(path), headers={"accept-language": "zh"})
    assert "第 2 行" in words_of(chinese.text)


async def test_all_or_none_unless_the_organiser_says_otherwise(desk: Desk) -> None:
    path = await uploaded(desk, BAD)
    page = (await desk.get(path)).text
    assert "Leave out the 3 lines with problems" in words_of(page)
    answer = await desk.post(f"{path}/application", {"round": field(page, "round")})
    assert answer.status_code == 409
    assert problem(answer.text, "partial").startswith("3 lines can't be imported, so nothing was.")
    assert (await RegistrationImport.get()).state == "preview"
    await desk.post(f"{path}/application", {"round": field(page, "round"), "partial": "1"})
    await work()
    assert await Registration.all().count() == 11


async def test_too_many_for_a_ticket_type_are_named_before_anything_is_written(desk: Desk) -> None:
    rows = [ROWS[0], *((f"贵宾{n}", f"vip{n}@example.org", "", "VIP") for n in range(5))]
    page = words_of((await desk.get(await uploaded(desk, rows))).text)
    assert "VIP: 3 people too many" in page
    assert "The list wants 5 places, 2 are left. Raise the quota" in page


async def test_a_plan_that_has_changed_is_shown_again_and_not_applied(desk: Desk) -> None:
    path = await uploaded(desk, ROWS)
    before = field((await desk.get(path)).text, "round")
    await desk.post(
        f"{path}/choices",
        {"header_row": "1", "column.name": "0", "column.email": "1", "column.ticket_type": "3"},
    )
    answer = await desk.post(f"{path}/application", {"round": before})
    assert answer.status_code == 409
    assert "have changed since this page was shown" in words_of(answer.text)
    assert await Job.filter(kind=JOB).count() == 0


async def test_turned_down_it_is_gone(desk: Desk) -> None:
    path = await uploaded(desk, ROWS)
    round_ = field((await desk.get(path)).text, "round")
    answer = await desk.post(f"{path}/cancellation")
    assert answer.headers["location"] == f"{desk.path('/imports')}?done=turned_down"
    page = words_of((await desk.browser.get(answer.headers["location"])).text)
    assert "The uploaded file has been erased." in page
    assert "名单.csv" not in page
    assert await Upload.all().count() == 0
    late = await desk.post(f"{path}/application", {"round": round_})
    assert (late.status_code, "applied or turned down already" in late.text) == (409, True)
    assert (await desk.get(path)).status_code == 200
    assert (await desk.get(f"{path}/report.csv")).status_code == 409


async def test_a_failed_job_says_so_and_can_be_gone_on_with(desk: Desk) -> None:
    path = await uploaded(desk, ROWS)
    await desk.post(f"{path}/application", {"round": field((await desk.get(path)).text, "round")})
    from kernel.db import unit_of_work

    async with unit_of_work():
        await Job.filter(kind=JOB).update(
            state="failed", result={"code": "unexpected", "reference": "abcd1234"}
        )
    page = await desk.get(path)
    assert "Reference: abcd1234" in words_of(page.text)
    number = path.rsplit("/", 1)[1]
    assert (await desk.browser.get(f"/e/coscon/api/imports/{number}")).json()["failed"] is True
    assert (await desk.post(f"{path}/continuation")).status_code == 303
    await work()
    assert await Registration.all().count() == 2
    assert (await desk.post(f"{path}/continuation")).status_code == 409


# --- files that can't be taken -----------------------------------------------------------------------------------


async def test_fifty_megabytes_are_answered_politely_and_lose_nothing(desk: Desk) -> None:
    before = await uploaded(desk, ROWS)
    answer = await upload(desk, b"x" * (50 * 1024 * 1024))
    assert answer.status_code == 413
    assert problem(answer.text, "file").startswith(
        "This file has 50.0 MB, and at most 10 MB are taken. Nothing was changed."
    )
    assert await RegistrationImport.all().count() == 1
    assert (await desk.get(before)).status_code == 200


async def test_a_large_file_of_unknown_length_is_found_out_too(desk: Desk) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(11):
            yield b"x" * 1024 * 1024
        yield b"\r\n--b--\r\n"

    answer = await desk.browser.post(
        desk.path("/imports"), content=body(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 413
    assert problem(answer.text, "file").startswith("This file has 11.0 MB")


@pytest.mark.parametrize(
    ("data", "filename", "words"),
    [
        (b"", "", "Please choose a file."),
        (b"", "leer.csv", "There is nothing in this table."),
        (b"%PDF-1.7", "名单.xlsx", "This is not a CSV or XLSX table, its content is PDF."),
        (b"PK\x03\x04 broken", "名单.xlsx", "This file can't be read."),
        (b"\xff\xff\x00\x01\x02", "名单.csv", "This file is not text in UTF-8, UTF-16 or GB18030."),
    ],
)
async def test_what_is_no_table_is_refused_at_its_field(
    desk: Desk, data: bytes, filename: str, words: str
) -> None:
    answer = await upload(desk, data, filename)
    assert (answer.status_code, problem(answer.text, "file").startswith(words)) == (422, True), words_of(
        answer.text
    )
    assert (await Upload.all().count(), await RegistrationImport.all().count()) == (0, 0)


async def test_a_form_without_a_file_is_no_error_of_ours(desk: Desk) -> None:
    for data in ({}, {"file": "text"}):
        assert (await desk.post("/imports", data)).status_code == 422
    answer = await desk.browser.post(
        desk.path("/imports"), content=b"--x", headers={"content-type": "multipart/form-data; boundary=y"}
    )
    assert answer.status_code in (400, 422)


async def test_an_upload_from_another_site_is_refused_unread(desk: Desk) -> None:
    answer = await desk.browser.post(
        desk.path("/imports"),
        files={"file": ("名单.csv", csv_of(ROWS))},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert (answer.status_code, "another site" in words_of(answer.text)) == (403, True)
    assert await RegistrationImport.all().count() == 0


async def test_another_events_organiser_sees_nothing_of_it(desk: Desk, database: Settings) -> None:
    path = await uploaded(desk, ROWS)
    from tests.factories import make_account, make_role

    stranger, other = await make_account(), await make_event("other")
    await make_role(other, stranger, "owner")
    app = main.create_app(database, workers=False)
    number = path.rsplit("/", 1)[1]
    async with browser_of(app, stranger) as browser:
        assert (await browser.get(desk.path(path))).status_code == 403
        for address in (
            f"/e/other/desk{path}",
            f"/e/other/desk{path}/report.csv",
            f"/e/other/api/imports/{number}",
        ):
            assert (await browser.get(address)).status_code == 404
        for verb in ("application", "cancellation", "choices", "continuation"):
            assert (await browser.post(f"/e/other/desk{path}/{verb}")).status_code == 404
    assert (await RegistrationImport.get()).state == "preview"


async def test_the_example_list_imports(desk: Desk) -> None:
    example = await desk.get("/imports/example.csv")
    path = await uploaded(desk, example.content)
    assert "Import 2 lines" in words_of((await desk.get(path)).text)


async def test_long_reports_are_paged(desk: Desk) -> None:
    path = await uploaded(
        desk, [ROWS[0], *((f"来宾{n}", f"g{n}@example.org", "", "普通票") for n in range(120))]
    )
    assert "1 to 50 of 120" in words_of((await desk.get(path)).text)
    assert "101 to 120 of 120" in words_of((await desk.get(path, page="3")).text)
    assert "101 to 120 of 120" in words_of((await desk.get(path, page="99")).text)
    assert "1 to 50 of 120" in words_of((await desk.get(path, page="x", show="nonsense")).text)


async def test_everybody_registered_already_is_good_news(desk: Desk) -> None:
    await make_registration(desk.event, desk.general, name="林小满", email="xiaoman@example.org")
    path = await uploaded(desk, [ROWS[0], ("林小满", "xiaoman@example.org", "", "普通票")])
    assert "Everybody in this list is registered already" in words_of((await desk.get(path)).text)
