"""The registration form with everything on it: questions, files, consents, codes, waiting lists, groups; its desk."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from starlette.applications import Starlette

import main
from events import access, answers, groups, imports, questions
from events.desk import export_bytes
from events.form_rules import ConsentDetails, Option, QuestionDetails
from events.models import (
    AccessCode,
    AccessCodeTicketType,
    Consent,
    ConsentText,
    Event,
    FormField,
    IdDocument,
    Registration,
    TicketType,
)
from events.rules import FieldKind
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Account, JournalEntry, Letter, Upload
from tests.factories import make_account, make_event, make_role, make_ticket_type
from tests.http.test_events_pages import browser

NOW = datetime.now(UTC)
PDF = b"%PDF-1.4 a pretty paper"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@asynccontextmanager
async def desk(app: Starlette, event: Event, role: str = "organiser") -> AsyncIterator[httpx2.AsyncClient]:
    account: Account = await make_account()
    await make_role(event, account, role)
    async with browser(app, account) as client:
        yield client


async def world(**more: Any) -> tuple[Event, TicketType]:
    future = (NOW + timedelta(days=60)).date()
    event = await make_event("coscon", starts_on=future, ends_on=future, **more)
    return event, await make_ticket_type(event, "general", name={"zh-Hans": "普通票", "en": "Attendee"})


async def ask(event: Event, kind: FieldKind, label: str, **more: Any) -> str:
    """A question; gives its field's name."""
    values: dict[str, Any] = {
        "code": f"q{uuid4().hex[:8]}",
        "label": LocalizedText({"en": label, "zh-Hans": f"{label}？"}),
    }
    if kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY):
        values["options"] = (
            Option("meat", LocalizedText({"zh-Hans": "荤", "en": "Meat"})),
            Option("veg", LocalizedText({"zh-Hans": "素", "en": "Vegetarian"})),
        )
    number = await questions.add(
        actor=SYSTEM, event_id=event.id, details=QuestionDetails(kind=kind, **(values | more)), at=NOW
    )
    return f"q.{number}"


async def agree(event: Event, *, is_required: bool, code: str = "coc") -> str:
    text = await questions.add_consent(
        actor=SYSTEM,
        event_id=event.id,
        details=ConsentDetails(
            code=code,
            title=LocalizedText({"en": f"I keep to {code}", "zh-Hans": f"我遵守 {code}"}),
            text=LocalizedText({"en": "Be **kind**. <script>alert(1)</script> [x](javascript:alert(1))"}),
            is_required=is_required,
        ),
        at=NOW,
    )
    return f"consent.{text}"


def problems_of(page: str) -> dict[str, str]:
    """Field by field, what the page says is wrong."""
    found = re.findall(
        r'id="f-([\w.-]+)-error">.*?</svg><span><span class="vh">[^<]*</span>([^<]*)</span>', page, re.DOTALL
    )
    return {name: html.unescape(words).strip() for name, words in found}


def shown(page: str) -> dict[str, list[str]]:
    """The form as a browser without JavaScript would send it untouched: no disabled fieldset, ticked boxes only."""
    [form] = re.findall(r'<form\s+class="form[^"]*"\s+method="post".*?</form>', page, re.DOTALL)
    form = re.sub(r"<fieldset[^>]*\bdisabled\b.*?</fieldset>", "", form, flags=re.DOTALL)
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes["type"] == "file" or "name" not in attributes:
            continue
        if attributes["type"] not in ("radio", "checkbox") or " checked" in tag:
            found.setdefault(attributes["name"], []).append(html.unescape(attributes.get("value", "")))
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        found[name] = [html.unescape(text)]
    for name, options in re.findall(r'<select[^>]*name="([^"]*)".*?>(.*?)</select>', form, re.DOTALL):
        found[name] = re.findall(r'<option value="([^"]*)" selected', options) or [""]
    return found


async def send(
    client: httpx2.AsyncClient,
    values: Mapping[str, Any],
    files: Mapping[str, Any] | None = None,
    path: str = "",
) -> httpx2.Response:
    return await client.post(
        f"/e/coscon/register{path}", data=dict(values), files=dict(files) if files else None
    )


async def opened(
    client: httpx2.AsyncClient, ticket_type: TicketType | None = None, path: str = ""
) -> dict[str, Any]:
    """A form as it was opened, with a person on it."""
    values: dict[str, Any] = dict(shown((await client.get(f"/e/coscon/register{path}")).text))
    values |= {"name": "林小满", "email": "lin@example.org"}
    if ticket_type is not None:
        values["ticket_type"] = str(ticket_type.id)
    return values


# --- questions and consents --------------------------------------------------------------------------------------


async def test_every_kind_of_question_is_asked_and_answered_in_both_languages(app: Starlette) -> None:
    event, _ = await world()
    names = {kind: await ask(event, kind, f"The {kind}") for kind in FieldKind}
    for language, said in (("en", "The choose_one"), ("zh-CN", "The choose_one？")):
        async with browser(app, language=language) as client:
            page = (await client.get("/e/coscon/register")).text
            assert said in page
            assert ("Vegetarian" in page) == (language == "en")
            assert 'enctype="multipart/form-data"' in page
    async with browser(app) as client:
        values = await opened(client)
        values |= {
            names[FieldKind.LINE]: "one",
            names[FieldKind.TEXT]: "two\nlines",
            names[FieldKind.NUMBER]: "３",
            names[FieldKind.DATE]: "2023-10-28",
            names[FieldKind.YES_NO]: "no",
            names[FieldKind.CHOOSE_ONE]: "veg",
            names[FieldKind.CHOOSE_MANY]: ["meat", "veg"],
            names[FieldKind.URL]: "https://example.org/lin",
        }
        done = await send(client, values, {names[FieldKind.FILE]: ("cv.pdf", PDF, "application/pdf")})
        assert done.status_code == 303
    [row] = await Registration.all()
    found = (await answers.of([row.id]))[row.id].answers
    by_kind = {kind: found[int(name.removeprefix("q."))] for kind, name in names.items()}
    assert {kind: answer.value for kind, answer in by_kind.items()} == {
        FieldKind.LINE: "one",
        FieldKind.TEXT: "two\nlines",
        FieldKind.NUMBER: 3,
        FieldKind.DATE: "2023-10-28",
        FieldKind.YES_NO: False,
        FieldKind.CHOOSE_ONE: "veg",
        FieldKind.CHOOSE_MANY: ["meat", "veg"],
        FieldKind.URL: "https://example.org/lin",
        FieldKind.FILE: None,
    }
    assert by_kind[FieldKind.FILE].filename == "cv.pdf"


async def test_consents_are_kept_with_their_version_and_language_and_shown_safely(app: Starlette) -> None:
    event, _ = await world()
    needed, free = await agree(event, is_required=True), await agree(event, is_required=False, code="photos")
    async with browser(app, language="zh-CN") as client:
        page = (await client.get("/e/coscon/register")).text
        assert "我遵守 coc" in page
        assert "<script>alert" not in page
        assert 'href="javascript' not in page
        assert "<strong>kind</strong>" in page
        values = await opened(client)
        again = await send(client, values)
        assert again.status_code == 422
        assert set(problems_of(again.text)) == {needed}
        assert await Registration.all().count() == 0
        done = await send(client, dict(shown(again.text)) | {needed: "1"})
        assert done.status_code == 303
    rows = {f"consent.{row.consent_text_id}": row for row in await Consent.all()}
    assert {name: row.is_given for name, row in rows.items()} == {needed: True, free: False}
    assert {row.locale for row in rows.values()} == {"zh-Hans"}


async def test_a_tick_for_an_older_text_does_not_count_for_the_new_one(app: Starlette) -> None:
    event, _ = await world()
    old = await agree(event, is_required=True)
    async with browser(app) as client:
        values = await opened(client)
        await questions.change_consent(
            actor=SYSTEM,
            event_id=event.id,
            text_id=int(old.removeprefix("consent.")),
            details=ConsentDetails(code="coc", title=LocalizedText({"en": "New rules"}), is_required=True),
            at=NOW,
        )
        again = await send(client, values | {old: "1"})
        assert again.status_code == 422
        assert "New rules" in again.text
        assert await Registration.all().count() == 0


async def test_questions_of_one_ticket_type_are_asked_without_javascript_in_one_more_step(
    app: Starlette,
) -> None:
    event, general = await world()
    student = await make_ticket_type(event, "student", name={"en": "Student"})
    school = await ask(
        event, FieldKind.LINE, "Which school?", is_required=True, ticket_type_ids=frozenset({student.id})
    )
    everybody = await ask(event, FieldKind.LINE, "Anything else?")
    async with browser(app) as client:
        page = (await client.get("/e/coscon/register")).text
        assert school not in shown(page)
        assert everybody in shown(page)
        values = await opened(client, student)
        step = await send(client, values | {everybody: "no"})
        assert step.status_code == 200
        assert "A few more questions" in step.text
        assert not problems_of(step.text)
        fields = shown(step.text)
        assert (fields["name"], fields[everybody], fields["ticket_type"]) == (
            ["林小满"],
            ["no"],
            [str(student.id)],
        )
        assert school in fields
        # Now it was asked: an empty answer is a problem at its field.
        empty = await send(client, fields)
        assert set(problems_of(empty.text)) == {school}
        done = await send(client, shown(empty.text) | {school: "Tongji"})
        assert done.status_code == 303
        # Who is not asked answers nothing, whatever a hand-made form says.
        other = await opened(client, general)
        assert (await send(client, other | {school: "x", "name": "王"})).status_code == 303
    said = await answers.of([row.id for row in await Registration.all().order_by("id")])
    assert [len(one.answers) for one in said.values()] == [2, 0]


# --- files -------------------------------------------------------------------------------------------------------


async def test_a_failed_form_keeps_everything_typed_and_the_chosen_file(app: Starlette) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV", is_required=True)
    meals = await ask(event, FieldKind.CHOOSE_MANY, "Meals")
    consent = await agree(event, is_required=True)
    async with browser(app) as client:
        values = await opened(client)
        values |= {"email": "not an address", meals: ["meat", "veg"], consent: "1"}
        again = await send(client, values, {cv: ("简历.pdf", PDF, "application/pdf")})
        assert again.status_code == 422
        assert set(problems_of(again.text)) == {"email"}
        assert "简历.pdf" in again.text
        fields = shown(again.text)
        assert fields[meals] == ["meat", "veg"]
        assert fields[consent] == ["1"]
        assert fields["email"] == ["not an address"]
        [waiting] = await Upload.all()
        assert waiting.keep_until is not None
        done = await send(client, fields | {"email": "lin@example.org"})
        assert done.status_code == 303
    [row] = await Registration.all()
    number = int(cv.removeprefix("q."))
    assert await answers.file_of(event_id=event.id, registration_id=row.id, question_id=number) == (
        PDF,
        "简历.pdf",
    )
    assert (await Upload.get(id=waiting.id)).keep_until is None


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("picture.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not taken"),
        ("picture.png", b"<svg/>", "not taken"),
        ("page.html", b"<script>alert(1)</script>", "not taken"),
        ("cv.pdf", b"", "is empty"),
        ("cv.pdf", b"%PDF-" + bytes(8 * 1024 * 1024), "at most 8 MB"),
    ],
)
async def test_files_that_are_not_what_we_take_are_refused(
    app: Starlette, name: str, data: bytes, says: str
) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV")
    async with browser(app) as client:
        again = await send(client, await opened(client), {cv: (name, data, "image/png")})
        assert again.status_code == 422
        assert says in problems_of(again.text)[cv]
    assert await Upload.all().count() == 0
    assert await Registration.all().count() == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("..\\..\\boot.ini", "boot.ini.pdf"),
        ('a"b<script>.pdf', "a%22b script .pdf"),
        ("\u202efdp.exe", "fdp.exe.pdf"),
        ("x\r\ny.pdf", None),
        ("简历 🎉.pdf", "简历 🎉.pdf"),
    ],
)
async def test_hostile_file_names_are_only_names(app: Starlette, name: str, kept: str | None) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV")
    async with browser(app) as client:
        done = await send(client, await opened(client), {cv: (name, PDF, "application/pdf")})
        assert done.status_code == 303
    [row] = await Registration.all()
    [upload] = await Upload.all()
    assert re.fullmatch(r"[0-9a-f]{32}", upload.stored_name)
    assert not re.search(r'[\r\n<>"/\\\u202e]', upload.filename)
    if kept is not None:
        assert upload.filename == kept
    href = f"/e/coscon/desk/registrations/{row.id}/files/{cv.removeprefix('q.')}"
    async with desk(app, event) as client:
        answer = await client.get(href)
        assert answer.content == PDF
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    async with desk(app, event, "viewer") as client:
        assert (await client.get(href)).status_code == 403
    async with browser(app) as client:
        assert (await client.get(href)).status_code == 303


async def test_a_holder_gets_their_file_back_and_nobody_elses(app: Starlette) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV")
    number = cv.removeprefix("q.")
    async with browser(app) as client:
        done = await send(client, await opened(client), {cv: ("cv.pdf", PDF, "application/pdf")})
        base = done.headers["location"]
        mine = await client.get(f"{base}/files/{number}")
        assert mine.content == PDF
        assert mine.headers["content-disposition"].startswith("attachment;")
        page = (await client.get(f"{base}/change")).text
        assert f'href="{base}/files/{number}"' in page
        # The form as it is, sent back: the file stays the answer.
        fields = dict(shown(page))
        assert (await client.post(f"{base}/change", data=fields)).status_code == 303
        assert (await client.get(f"{base}/files/{number}")).content == PDF
        assert (await client.get(f"{base}/files/999")).status_code == 404
    async with browser(app) as stranger:
        assert (await stranger.get(f"{base}/files/{number}")).status_code == 303
    async with browser(app, await make_account()) as somebody:
        assert (await somebody.get(f"{base}/files/{number}")).status_code == 404


async def test_a_picture_is_drawn_anew(app: Starlette) -> None:
    event, _ = await world()
    photo = await ask(event, FieldKind.FILE, "A photo")
    drawn = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (40, 30), "red").save(drawn, "JPEG", exif=exif)
    assert b"taken at home" in drawn.getvalue()
    async with browser(app) as client:
        values = await opened(client)
        broken = await send(client, values, {photo: ("a.png", b"\x89PNG\r\n\x1a\n nothing", "image/png")})
        assert photo in problems_of(broken.text)
        sent = {photo: ("me.jpeg", drawn.getvalue() + b"<script>", "image/jpeg")}
        assert (await send(client, values, sent)).status_code == 303
        assert (await send(client, values, sent)).status_code == 303
    [row] = await Registration.all()
    data, name = await answers.file_of(
        event_id=event.id, registration_id=row.id, question_id=int(photo.removeprefix("q."))
    )
    assert b"taken at home" not in data
    assert b"<script>" not in data
    assert name.startswith("me.")
    assert Image.open(io.BytesIO(data)).size == (40, 30)


async def test_a_made_up_or_used_mark_opens_no_file(app: Starlette) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV")
    async with browser(app) as client:
        values = await opened(client)
        again = await send(client, values | {"email": ""}, {cv: ("cv.pdf", PDF, "application/pdf")})
        fields = shown(again.text)
        mark = fields[f"{cv}.kept"][0]
        for wrong in (mark[:-1] + ("0" if mark[-1] != "0" else "1"), "1.a.b", "x", "１.a.b"):
            refused = await send(client, values | {f"{cv}.kept": wrong})
            assert "no longer here" in problems_of(refused.text)[cv]
        assert (await send(client, fields | {"email": "lin@example.org"})).status_code == 303
        used = await send(client, values | {f"{cv}.kept": mark, "name": "王", "form": str(uuid4())})
        assert used.status_code == 422
        assert "no longer here" in problems_of(used.text)[cv]
        assert f"{cv}.kept" not in shown(used.text)
        # Without a file that nobody needs it goes on.
        dropped = shown(used.text) | {"form": str(uuid4())}
        assert (await send(client, dropped)).status_code == 303
    assert await Registration.all().count() == 2


async def test_a_form_with_a_file_sent_twice_registers_once(app: Starlette) -> None:
    event, _ = await world()
    cv = await ask(event, FieldKind.FILE, "Your CV")
    async with browser(app) as client:
        values = await opened(client)
        targets = {
            (await send(client, values, {cv: ("cv.pdf", PDF, "application/pdf")})).headers["location"]
            for _ in range(2)
        }
    assert len(targets) == 1
    assert await Registration.all().count() == 1


# --- codes, waiting lists, approval ------------------------------------------------------------------------------


async def code_for(event: Event, ticket_type: TicketType, code: str = "OPEN-SESAME") -> None:
    async with unit_of_work():
        row = await AccessCode.create(event_id=event.id, code=code, ticket_source="讲师赠票", created_at=NOW)
        await AccessCodeTicketType.create(access_code_id=row.id, ticket_type_id=ticket_type.id)


async def test_an_access_code_shows_and_opens_what_is_kept_for_its_owner(app: Starlette) -> None:
    event, _ = await world()
    speaker = await make_ticket_type(event, "speaker", name={"en": "Speaker"}, is_public=False)
    await code_for(event, speaker)
    async with browser(app) as client:
        page = (await client.get("/e/coscon/register")).text
        assert "Speaker" not in page
        by_link = (await client.get("/e/coscon/register?code=open-sesame")).text
        assert "Speaker" in by_link
        # A link whose code is wrong says so at the code, before anything is typed.
        by_bad_link = await client.get("/e/coscon/register?code=sesame")
        assert by_bad_link.status_code == 200 and "access_code" in problems_of(by_bad_link.text)
        values = await opened(client)
        wrong = await send(client, values | {"access_code": "sesame", "apply_code": "1"})
        assert "access_code" in problems_of(wrong.text)
        looked = await send(
            client, values | {"access_code": "open sesame".replace(" ", "-"), "apply_code": "1"}
        )
        assert looked.status_code == 200
        assert shown(looked.text)["name"] == ["林小满"]
        assert "Speaker" in looked.text
        assert await Registration.all().count() == 0
        done = await send(client, shown(looked.text) | {"ticket_type": str(speaker.id)})
        assert done.status_code == 303
        without = await send(client, values | {"ticket_type": str(speaker.id), "form": str(uuid4())})
        assert "ticket_type" in problems_of(without.text)
    [row] = await Registration.all()
    assert (row.ticket_type_id, row.ticket_source) == (speaker.id, "讲师赠票")
    assert (await AccessCode.get(event_id=event.id)).used == 1


async def test_a_full_type_offers_its_waiting_list_and_a_race_is_told_before_anybody_waits(
    app: Starlette,
) -> None:
    event, _ = await world()
    small = await make_ticket_type(event, "small", name={"en": "Workshop"}, quota=1, has_waitlist=True)
    async with browser(app) as client:
        early = await opened(client, small)
        assert (await send(client, early)).status_code == 303
        # This form was opened while there was a place: nobody is put on a list without having read it.
        late = await send(client, early | {"name": "王", "form": str(uuid4())})
        assert late.status_code == 409
        assert "ticket_type" in problems_of(late.text)
        assert "you can join the waiting list" in late.text
        waits = await send(client, shown(late.text))
        assert waits.status_code == 303
        assert waits.headers["location"].startswith("/e/coscon/registered?state=waitlisted")
        page = (await client.get(waits.headers["location"])).text
        assert "You are on the waiting list" in page
        row = await Registration.get(name="王")
        assert row.state == "waitlisted"
        assert f"/e/coscon/me/{row.id}" in page
        assert "王" not in page


async def test_a_type_that_is_approved_leads_to_a_page_that_says_so(app: Starlette) -> None:
    event, _ = await world()
    media = await make_ticket_type(event, "media", name={"en": "Media"}, needs_approval=True)
    async with browser(app) as client:
        assert "organisers look at each registration first" in (await client.get("/e/coscon/register")).text
        done = await send(client, await opened(client, media))
        page = (await client.get(done.headers["location"])).text
        assert "Your registration is with the organisers" in page
        # Nothing but what the address says; another event's registration leads nowhere.
        bare = (await client.get("/e/coscon/registered?state=pending&own=999")).text
        assert "/me/" not in bare
        odd = (await client.get("/e/coscon/registered?state=<b>&own=x")).text
        assert "You are registered" in odd
    assert (await Registration.get()).state == "pending"


# --- identity documents ------------------------------------------------------------------------------------------

NUMBER = "11010519491231002X"


async def test_an_identity_document_is_asked_only_where_it_is_switched_on(app: Starlette) -> None:
    event, _ = await world()
    async with browser(app) as client:
        assert "id_number" not in (await client.get("/e/coscon/register")).text
    async with unit_of_work():
        await Event.filter(id=event.id).update(id_document_days=7)
    access.forget()
    async with browser(app) as client:
        values = await opened(client)
        again = await send(client, values | {"id_kind": "resident_id", "id_number": "110105194912310021"})
        assert set(problems_of(again.text)) == {"id_number", "id_consent"}
        done = await send(
            client, values | {"id_kind": "resident_id", "id_number": NUMBER.lower(), "id_consent": "1"}
        )
        assert done.status_code == 303
    [row] = await Registration.all()
    assert await IdDocument.all().count() == 1
    href = f"/e/coscon/desk/registrations/{row.id}"
    async with desk(app, event) as client:
        page = (await client.get(href)).text
        assert "Identity document: Resident identity card" in page
        assert NUMBER not in page
        assert (await client.post(f"{href}/identity", data={"act": "show"})).status_code == 403
        assert (await client.post("/e/coscon/desk/form/identity.csv")).status_code == 403
    async with desk(app, event, "owner") as client:
        page = (await client.post(f"{href}/identity", data={"act": "show"})).text
        assert NUMBER in page
        sheet = (await client.post("/e/coscon/desk/form/identity.csv")).text
        assert NUMBER in sheet
        assert await JournalEntry.filter(verb="identity.see").count() == 2
        assert (await client.post(f"{href}/identity", data={"act": "remove"})).status_code == 303
    assert await IdDocument.all().count() == 0


# --- groups ------------------------------------------------------------------------------------------------------


def people(ticket_type: TicketType, count: int) -> dict[str, str]:
    found = {"contact_name": "周老师", "contact_email": "zhou@example.org", "group": "三年二班"}
    for number in range(1, count + 1):
        found |= {
            f"row.{number}.name": f"同学{number}",
            f"row.{number}.reach": f"s{number}@example.org",
            f"row.{number}.ticket_type": str(ticket_type.id),
        }
    return found


async def group_form(client: httpx2.AsyncClient) -> dict[str, Any]:
    return dict(shown((await client.get("/e/coscon/register/group")).text))


async def test_a_group_of_five_with_one_bad_row_registers_nobody_and_keeps_every_row(app: Starlette) -> None:
    event, ticket_type = await world()
    consent = await agree(event, is_required=True)
    async with browser(app) as client:
        values = await group_form(client) | people(ticket_type, 5) | {"row.3.reach": "12", consent: "1"}
        again = await send(client, values, path="/group")
        assert again.status_code == 422
        assert set(problems_of(again.text)) == {"row.3.reach"}
        assert "Person 3, E-mail or phone" in again.text
        fields = shown(again.text)
        assert [fields[f"row.{n}.name"] for n in range(1, 6)] == [[f"同学{n}"] for n in range(1, 6)]
        assert fields["row.3.reach"] == ["12"]
        assert await Registration.all().count() == 0
        done = await send(client, fields | {"row.3.reach": "13800138000"}, path="/group")
        assert done.status_code == 303
        page = (await client.get(done.headers["location"])).text
        for number in range(1, 6):
            assert f"同学{number}" in page
        assert page.count("short-code") >= 5
        twice = await send(client, fields | {"row.3.reach": "13800138000"}, path="/group")
        assert twice.headers["location"] == done.headers["location"]
    assert await Registration.all().count() == 5
    assert await Consent.filter(is_given=True).count() == 5
    assert await Letter.filter(to_email="zhou@example.org").count() == 1


async def test_five_more_rows_come_by_a_button_and_keep_what_was_typed(app: Starlette) -> None:
    _, ticket_type = await world()
    async with browser(app) as client:
        values = await group_form(client) | people(ticket_type, 5)
        more = await send(client, values | {"more": "1"}, path="/group")
        assert more.status_code == 200
        fields = shown(more.text)
        assert fields["row.5.name"] == ["同学5"]
        assert "row.10.name" in fields
        assert "row.11.name" not in fields
        for _ in range(4):
            more = await send(client, dict(shown(more.text)) | {"more": "1"}, path="/group")
        assert "row.20.name" in shown(more.text)
        assert "row.21.name" not in shown(more.text)
        assert "Add five more rows" not in more.text


async def test_a_group_past_the_quota_is_told_at_its_rows(app: Starlette) -> None:
    event, _ = await world()
    small = await make_ticket_type(event, "small", name={"en": "Small"}, quota=2)
    async with browser(app) as client:
        values = await group_form(client) | people(small, 4)
        again = await send(client, values, path="/group")
        assert set(problems_of(again.text)) == {"row.3.ticket_type", "row.4.ticket_type"}
        nobody = await send(client, await group_form(client) | {"contact_name": "周"}, path="/group")
        assert set(problems_of(nobody.text)) == {"contact_email", "row.1.name"}
    assert await Registration.all().count() == 0
    assert (await TicketType.get(id=small.id)).taken == 0


async def test_the_groups_page_opens_by_its_secret_link_alone(app: Starlette) -> None:
    _, ticket_type = await world()
    async with browser(app) as client:
        done = await send(client, await group_form(client) | people(ticket_type, 2), path="/group")
        place = done.headers["location"]
    number = int(place.rpartition("/")[2])
    first, second = await Registration.filter(group_id=number).order_by("id")
    async with browser(app) as stranger:
        assert (await stranger.get(place)).status_code == 404
        assert (
            await stranger.post(f"{place}/cancel", data={"registration": str(first.id)})
        ).status_code == 404
        assert (await stranger.get(f"/e/coscon/group?key={number}-AAAA")).status_code == 404
        link = await stranger.get(f"/e/coscon/group?key={groups.secret_of(number, 0)}")
        assert link.status_code == 200
        assert link.headers["referrer-policy"] == "no-referrer"
        # Opening the link alone opens nothing yet: crawlers follow links.
        assert (await stranger.get(place)).status_code == 404
        opened_ = await stranger.post("/e/coscon/group", data={"key": groups.secret_of(number, 0)})
        assert opened_.headers["location"] == place
        page = await stranger.get(place)
        assert page.headers["cache-control"] == "no-store"
        assert "同学1" in page.text
        before = await Letter.all().count()
        sent = await stranger.post(f"{place}/resend", data={"registration": str(first.id)})
        assert "Sent again" in (await stranger.get(sent.headers["location"])).text
        assert await Letter.all().count() == before + 1
        gone = await stranger.post(
            f"{place}/cancel", data={"registration": str(second.id), "form": str(uuid4())}
        )
        assert gone.status_code == 303
        assert (await stranger.post(f"{place}/explode", data={"registration": "1"})).status_code == 404
    assert (await Registration.get(id=second.id)).state == "cancelled"


# --- the desk ----------------------------------------------------------------------------------------------------


async def test_the_desk_sets_the_form_up(app: Starlette) -> None:
    event, ticket_type = await world()
    async with desk(app, event) as client:
        base = "/e/coscon/desk/form"
        assert "No questions of your own" in (await client.get(base)).text
        bad = await client.post(f"{base}/questions/new", data={"kind": "choose_one", "label.en": ""})
        assert bad.status_code == 422
        assert set(problems_of(bad.text)) == {"label.zh-Hans", "options"}
        await client.post(
            f"{base}/questions/new",
            data={
                "kind": "choose_one",
                "label.zh-Hans": "餐食",
                "label.en": "Meal",
                "options": "荤 | Meat\n素 | Vegetarian",
                "types": [str(ticket_type.id)],
                "is_required": "1",
            },
        )
        await client.post(f"{base}/questions/new", data={"kind": "line", "label.en": "T-shirt"})
        first, second = await FormField.filter(event_id=event.id).order_by("position")
        assert (first.code, first.is_personal, [one["code"] for one in first.options]) == (
            "q1",
            False,
            ["1", "2"],
        )
        page = (await client.get(base)).text
        assert page.index("Meal") < page.index("T-shirt")
        await client.post(f"{base}/questions/{second.id}/position", data={"direction": "up"})
        page = (await client.get(base)).text
        assert page.index("T-shirt") < page.index("Meal")
        shown_ = (await client.get(f"{base}/questions/{first.id}")).text
        assert "1: 荤 | Meat" in shown_
        saved = await client.post(
            f"{base}/questions/{first.id}",
            data={"kind": "choose_one", "label.en": "Food", "options": "1: 荤\n3: 鱼", "code": "food"},
        )
        assert saved.status_code == 303
        await client.post(f"{base}/questions/{second.id}", data={"act": "off"})
        assert not (await FormField.get(id=second.id)).is_active
        await client.post(f"{base}/questions/{second.id}", data={"act": "remove"})
        assert await FormField.filter(event_id=event.id).count() == 1
        assert (await client.get(f"{base}/questions/{second.id}")).status_code == 404


async def test_the_desk_keeps_every_version_of_a_consent(app: Starlette) -> None:
    event, _ = await world()
    async with desk(app, event) as client:
        base = "/e/coscon/desk/form/consents"
        bad = await client.post(f"{base}/new", data={"text.en": "…"})
        assert set(problems_of(bad.text)) == {"title.zh-Hans"}
        await client.post(f"{base}/new", data={"title.en": "Conduct", "text.en": "Old", "is_required": "1"})
        [first] = await ConsentText.all()
        changed = await client.post(
            f"{base}/{first.id}", data={"title.en": "Conduct", "text.en": "New", "is_required": "1"}
        )
        assert changed.status_code == 303
        late = await client.post(f"{base}/{first.id}", data={"title.en": "Conduct", "text.en": "Newer"})
        assert late.status_code == 409
        second = await ConsentText.get(is_current=True)
        page = (await client.get(f"{base}/{second.id}")).text
        assert "Version 1" in page
        assert "Old" in page
        await client.post(f"{base}/{second.id}", data={"act": "withdraw"})
        assert "Asked no more" in (await client.get("/e/coscon/desk/form")).text
    assert await ConsentText.all().count() == 2


async def test_a_registrations_page_shows_and_changes_what_was_answered(app: Starlette) -> None:
    event, _ = await world()
    size = await ask(event, FieldKind.CHOOSE_ONE, "Meal", is_personal=False)
    secret = await ask(event, FieldKind.LINE, "Allergy")
    cv = await ask(event, FieldKind.FILE, "Your CV", is_required=True)
    consent = await agree(event, is_required=False)
    async with browser(app) as client:
        values = await opened(client) | {size: "veg", secret: "nuts", consent: "1"}
        assert (await send(client, values, {cv: ("cv.pdf", PDF, "application/pdf")})).status_code == 303
    [row] = await Registration.all()
    href = f"/e/coscon/desk/registrations/{row.id}"
    async with desk(app, event) as client:
        page = (await client.get(href)).text
        for words in ("Vegetarian", "nuts", "cv.pdf", "I keep to coc"):
            assert words in page, words
        form = (await client.get(f"{href}/answers")).text
        fields = shown(form)
        assert (fields[size], fields[secret]) == (["veg"], ["nuts"])
        bad = await client.post(f"{href}/answers", data=fields | {"payment_state": "stolen"})
        assert set(problems_of(bad.text)) == {"payment_state"}
        saved = await client.post(
            f"{href}/answers",
            data=fields
            | {
                size: "meat",
                secret: "",
                "payment_state": "paid",
                "invoice_title": "开源社",
                "tax_number": "91",
            },
        )
        assert saved.status_code == 303
        page = (await client.get(href)).text
        for words in ("Meat", "cv.pdf", "Paid", "开源社"):
            assert words in page, words
        assert "nuts" not in page
    [line] = await JournalEntry.filter(verb="registration.change")
    assert line.new["fields"] == ["invoice_title", "payment_state", "tax_number"]
    assert await Upload.all().count() == 1


async def test_an_export_holds_answers_consents_and_payment_and_comes_back_as_nothing_new(
    app: Starlette,
) -> None:
    event, _ = await world()
    meal = await ask(event, FieldKind.CHOOSE_MANY, "Meal", is_personal=False)
    number = await ask(event, FieldKind.NUMBER, "=1+1")
    cv = await ask(event, FieldKind.FILE, "Your CV")
    consent = await agree(event, is_required=False)
    async with browser(app) as client:
        values = await opened(client) | {meal: ["meat", "veg"], number: "3", consent: "1"}
        assert (await send(client, values, {cv: ("cv.pdf", PDF, "application/pdf")})).status_code == 303
    [row] = await Registration.all()
    async with unit_of_work():
        await Registration.filter(id=row.id).update(payment_state="refunded", invoice_title="=cmd()")
    data = await export_bytes(event.id, "csv", locale="en")
    titles, line = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    cells = dict(zip(titles, line, strict=True))
    assert cells["Meal"] == "Meat, Vegetarian"
    assert cells["'=1+1"] == "3"
    assert cells["Your CV"].endswith(f"/registrations/{row.id}/files/{cv.removeprefix('q.')}")
    assert cells["I keep to coc"] == "Yes (version 1)"
    assert cells["Payment"] == "Refunded"
    assert cells["Invoice title"] == "'=cmd()"
    # The file as it is, brought back, changes nothing.
    back = await imports.run(event.id, "list.csv", data, actor=SYSTEM, at=NOW)
    assert {name: count for name, count in back.totals.items() if count} == {"same": 1}


async def test_a_list_brings_answers_by_the_questions_words(app: Starlette) -> None:
    event, _ = await world()
    meal = await ask(event, FieldKind.CHOOSE_MANY, "Meal", code="meal")
    first = await ask(event, FieldKind.YES_NO, "First time?", code="first")
    table = "姓名,邮箱,meal,First time?,支付状态,发票抬头,税号,票务来源\n"
    table += "林小满,lin@example.org,荤、素,是,已支付,开源社,91A,讲师\n王,wang@example.org,,否,未支付,,,\n"
    done = await imports.run(event.id, "list.csv", table.encode(), actor=SYSTEM, at=NOW)
    assert done.totals["create"] == 2
    lin, wang = await Registration.filter(event_id=event.id).order_by("id")
    found = await answers.of([lin.id, wang.id])
    numbers = [int(name.removeprefix("q.")) for name in (meal, first)]
    assert [found[lin.id].answers[number].value for number in numbers] == [["meat", "veg"], True]
    assert {number: one.value for number, one in found[wang.id].answers.items()} == {numbers[1]: False}
    assert (lin.payment_state, lin.invoice_title, lin.tax_number, lin.ticket_source) == (
        "paid",
        "开源社",
        "91A",
        "讲师",
    )
    assert wang.payment_state == "unpaid"
    wrong = table.replace("荤、素", "鱼").replace("已支付", "也许")
    again = await imports.run(event.id, "list.csv", wrong.encode(), actor=SYSTEM, at=NOW)
    assert [problem["code"] for row in again.rows for problem in row["problems"]] == [
        "payment_unknown",
        "answer_wrong",
    ]
