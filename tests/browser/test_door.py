"""The story: register on a phone, show the passport, a camera reads it, the board counts one more.

A real server process, three browsers, a film of the very picture that the phone showed. Nobody types a code.
"""

from __future__ import annotations

import asyncio
import email.policy
import io
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from PIL import Image
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    ViewportSize,
    async_playwright,
)

from checkin.models import Checkpoint, Passport, Scan
from events.models import Event
from kernel import db
from kernel.settings import Settings
from people import accounts
from tests import services
from tests.browser.camera import ARGUMENTS, film_arguments, write_film
from tests.factories import make_account, make_checkpoint, make_event, make_role, make_ticket_type
from web import signin

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
PHONE: ViewportSize = {"width": 390, "height": 844}
NAME = "林小满"
ORGANISATION = "开源社志愿者"


@dataclass
class Server:
    """``python main.py run`` on the test's own database, and everything that it writes."""

    base: str
    log: Path
    process: asyncio.subprocess.Process


@asynccontextmanager
async def serving(
    settings: Settings, folder: Path, *, smtp_url: str = "", more: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    port = services.free_port()
    base = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUIWU_")}
    env |= {
        "HUIWU_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": "",
        "HUIWU_SECRET_KEY": settings.secret_key,
        "HUIWU_BASE_URL": base,
        "HUIWU_PORT": str(port),
        "HUIWU_DEVELOPMENT": "1",
        "HUIWU_SMTP_URL": smtp_url,
        **(more or {}),
    }
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "main.py"), "run", env=env, stdout=out, stderr=out, cwd=folder
        )
        try:
            await until(lambda: _answers(port, process), limit_s=60, what=lambda: log.read_text()[-3000:])
            yield Server(base, log, process)
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 20)
                except TimeoutError:
                    process.kill()
                    await process.wait()


class Mailbox:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 kept"

    async def has_mail(self) -> bool:
        return bool(self.letters)


@contextmanager
def mail() -> Iterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=services.free_port())
    controller.start()
    try:
        yield mailbox, f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


async def _answers(port: int, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, "the server ended"
    return services.accepts(port)


async def until(
    asked: Callable[[], Awaitable[Any]], *, limit_s: float = 60, what: Callable[[], Any] = lambda: ""
) -> Any:
    """Asks again until the answer is true."""
    deadline = time.monotonic() + limit_s
    while not (answer := await asked()):
        assert time.monotonic() < deadline, f"waited {limit_s} s in vain: {what()}"
        await asyncio.sleep(0.1)
    return answer


@dataclass
class Evidence:
    """What every browser of the story said and sent: errors of its pages, referrers, addresses."""

    errors: list[str] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        # Playwright writes a note on each handler, which a built-in method does not take.
        page.on("request", lambda request: self.sent.append(request))  # noqa: PLW0108


@asynccontextmanager
async def chromium(playwright: Playwright, *more: str) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=services.chromium(), args=[*ARGUMENTS, *more])
    try:
        yield browser
    finally:
        await browser.close()


async def signed_in(browser: Browser, server: Server, account_id: int, **context: Any) -> BrowserContext:
    token = await accounts.open_sign_in(account_id=account_id, user_agent="story", at=datetime.now(UTC))
    made = await browser.new_context(**context)
    await made.add_cookies([{"name": signin.COOKIE, "value": token, "url": server.base, "httpOnly": True}])
    return made


async def conference() -> tuple[Event, Checkpoint, int, int]:
    """An event that is on today, with one gate that warns at repeats; its volunteer's and organiser's accounts."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    event = await make_event(
        "coscon23",
        name={"zh-Hans": "第八届中国开源年会", "en": "China Open Source Conference"},
        city={"zh-Hans": "成都", "en": "Chengdu"},
        starts_on=today,
        ends_on=today + timedelta(days=1),
    )
    await make_ticket_type(
        event,
        "speaker",
        name={"zh-Hans": "讲师", "en": "Speaker"},
        door_note={"zh-Hans": "红色挂绳", "en": "Red lanyard"},
        is_public=True,
    )
    gate = await make_checkpoint(event, name={"zh-Hans": "北门", "en": "North gate"}, on_repeat="warn")
    volunteer, organiser = await make_account(), await make_account()
    await make_role(event, volunteer, "scanner", "checkpoint", gate.id)
    await make_role(event, organiser, "organiser")
    return event, gate, volunteer.id, organiser.id


async def register_on_a_phone(page: Page, server: Server, event: Event) -> bytes:
    """Through the public form to the holder's own page; gives the QR picture that it shows."""
    await page.goto(f"{server.base}/e/{event.slug}")
    await page.get_by_role("link", name="报名").first.click()
    await page.get_by_label("姓名").fill(NAME)
    await page.locator("[name=email]").fill("lin@example.org")
    await page.locator("[name=organisation]").fill(ORGANISATION)
    await page.get_by_role("main").get_by_role("button", name="报名").click()
    await page.wait_for_url(re.compile(rf"/e/{event.slug}/me/\d+$"))
    picture = page.locator(".code-panel img")
    await picture.wait_for()
    assert await page.locator("h1").inner_text() == NAME
    assert await picture.evaluate("img => img.decode().then(() => img.naturalWidth)") >= 400
    answer = await page.request.get(f"{server.base}{await picture.get_attribute('src')}")
    assert answer.headers["content-type"] == "image/png"
    return await answer.body()


async def no_trace(token: str, *, server: Server) -> None:
    """The token stands where a passport is kept, and in no log line, journal row, letter or other table."""
    log = server.log.read_text(errors="replace")
    assert "/p " in log and token not in log, "the log has lines, and the token is in none"
    if db.dialect() == "postgres":
        tables = await db.query(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
    else:
        tables = await db.query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    found = set()
    for table in (row["name"] for row in tables):
        for row in await db.query(f'SELECT * FROM "{table}"'):
            found |= {f"{table}.{column}" for column, value in row.items() if token in str(value)}
    assert found == {"passport.token", "passport_code.code"}
    assert await db.query("SELECT id FROM journal_entry") and await db.query("SELECT id FROM letter")


#: The size of the first verdict while it fills the screen, which it does for two seconds and a half.
FULL_SIZE = """() => {
    const verdict = document.getElementById("verdict");
    new MutationObserver(() => {
        if (globalThis.fullSize === undefined && verdict.classList.contains("verdict--go"))
            globalThis.fullSize = [verdict.offsetWidth, verdict.offsetHeight];
    }).observe(verdict, { attributes: true });
}"""


async def test_register_show_scan_and_the_board_counts_one_more(database: Settings, tmp_path: Path) -> None:
    event, gate, volunteer, organiser = await conference()
    seen = Evidence()
    async with serving(database, tmp_path) as server, async_playwright() as playwright:
        async with chromium(playwright) as browser:
            phone = await browser.new_context(viewport=PHONE, locale="zh-CN", has_touch=True, is_mobile=True)
            page = await phone.new_page()
            seen.watch(page)
            code = await register_on_a_phone(page, server, event)
            passport = await Passport.get()

            wall = await signed_in(
                browser, server, organiser, viewport={"width": 1920, "height": 1080}, locale="zh-CN"
            )
            board = await wall.new_page()
            seen.watch(board)
            frames: list[str | bytes] = []

            def note(frame: str | bytes) -> None:
                frames.append(frame)

            loads: list[str] = []
            board.on("websocket", lambda socket: socket.on("framereceived", note))
            board.on("load", lambda page: loads.append(page.url))
            await board.goto(f"{server.base}/e/{event.slug}/live")
            arrived = board.locator("[data-figure=arrived]")
            await until(lambda: _is(bool(frames)), what=lambda: "no first frame")
            assert await arrived.inner_text() == "0"
            before = len(frames)

            # An empty wall, the passport again and again with less than five seconds between, long nothing, once more.
            # Each time long enough that a busy machine reads it; and after the last so long nothing that it is over.
            short, long = (1.5, None, 0), (9, None, 0)
            film = write_film(
                tmp_path / "camera.y4m",
                [
                    (4, None, 0),
                    (4, code, 14),
                    short,
                    (4, code, -21),
                    short,
                    (4, code, 5),
                    long,
                    (4, code, 168),
                    (20, None, 0),
                ],
            )
            async with chromium(playwright, *film_arguments(film)) as camera:
                context = await signed_in(
                    camera, server, volunteer, viewport=PHONE, locale="zh-CN", permissions=["camera"]
                )
                scanner = await context.new_page()
                seen.watch(scanner)
                await scanner.goto(f"{server.base}/e/{event.slug}/scan")
                assert await scanner.locator("#place").inner_text() == "北门"
                await scanner.evaluate(FULL_SIZE)
                await scanner.get_by_role("button", name="开始扫码").click()

                verdict = scanner.locator("#verdict")
                await scanner.wait_for_selector("#verdict.verdict--go", timeout=60_000)
                assert NAME in await verdict.inner_text() and "讲师" in await verdict.inner_text()
                assert "红色挂绳" in await verdict.inner_text()
                assert await scanner.evaluate("fullSize") == [PHONE["width"], PHONE["height"]]
                first = await verdict.get_attribute("data-scan")

                await until(lambda: _is_text(arrived, "1"), what=lambda: f"{len(frames)} frames")
                assert len(frames) > before and len(loads) == 1, "a frame brought it, no reload"

                # Seen again within five seconds: said again, and no new scan.
                await scanner.wait_for_selector("#verdict.verdict--go:not([data-said='1'])", timeout=60_000)
                assert await verdict.get_attribute("data-scan") == first

                # Seen again later: a new scan, answered as this gate answers repeats.
                await scanner.wait_for_selector("#verdict.verdict--care", timeout=60_000)
                text = await verdict.inner_text()
                assert NAME in text and "首次" in text and "北门" in text
                assert await verdict.get_attribute("data-scan") != first

            scans = await Scan.all().order_by("id")
            assert [(row.verdict, row.passport_id, row.checkpoint_id) for row in scans] == [
                ("admitted", passport.id, gate.id),
                ("already_here", passport.id, gate.id),
            ]
            assert await arrived.inner_text() == "1"
        assert seen.errors == []
        assert not [
            request.url
            for request in seen.sent
            if not request.url.startswith((server.base, "data:", "blob:"))
        ]
        await _open_by_any_camera(server, passport.token)
        # An answer is logged when it is out.
        await until(lambda: _is("/p " in server.log.read_text(errors="replace")))
        await no_trace(passport.token, server=server)


async def _is(value: bool) -> bool:
    return value


async def _is_text(element: Any, text: str) -> bool:
    return bool(await element.inner_text() == text)


async def _open_by_any_camera(server: Server, token: str) -> None:
    """What a phone's own camera does with the code; its line must be in the log, without the token."""
    async with async_playwright() as playwright, chromium(playwright) as browser:
        page = await browser.new_page()
        await page.goto(f"{server.base}/p?token={token}")
        assert page.url == f"{server.base}/p"


async def _leaves_no_trace_at(context: BrowserContext, target: str, token: str, seen: Evidence) -> str:
    """Opens the code and leaves by a link: the token is in no address and no referrer on the way; gives the page."""
    page = await context.new_page()
    seen.watch(page)
    await page.goto(target)
    assert token not in page.url
    content = await page.content()
    await page.locator("a[href^='/e/'] >> visible=true").first.click()
    await page.wait_for_load_state()
    return content


async def _errors_repeat_nothing(
    server: Server, event: Event, volunteers: BrowserContext, token: str
) -> None:
    """Everything that can go wrong with a token in it, as a page and as JSON."""
    home = f"{server.base}/e/{event.slug}"
    for target in (f"/p?token={token}0", f"/p?token={token[:-1]}", f"/e/{event.slug}/me?key={token}"):
        answer = await volunteers.request.get(f"{server.base}{target}", max_redirects=0)
        assert answer.status == 404 and token not in await answer.text(), target
    # Pasted into a path it is no address of ours; the page may say where it is, the log may not.
    for target in (f"/e/{token}", f"/{token}"):
        assert (await volunteers.request.get(f"{server.base}{target}")).status == 404
    headers = {"sec-fetch-site": "same-origin"}
    bodies = ({"code": token}, {"scan_id": f"x{token}", "code": token, "checkpoint": 1}, {"scan_id": [token]})
    for body in bodies:
        refused = await volunteers.request.post(f"{home}/api/scans", data=body, headers=headers)
        assert refused.status == 422 and token not in await refused.text()
    form: dict[str, str | float | bool] = {"scan_id": "x", "code": token, "checkpoint": "1"}
    posted = await volunteers.request.post(f"{home}/scan", form=form, headers=headers)
    assert posted.status == 422 and token not in await posted.text()


def _read_letter(letter: EmailMessage, *, address: str, token: str) -> str:
    """The letter shows the picture, and its words lead to the holder's own page without the token; gives the link."""
    [picture] = [part for part in letter.walk() if part.get_content_type() == "image/png"]
    drawn = Image.open(io.BytesIO(picture.get_payload(decode=True))).convert("L")  # type: ignore[arg-type]
    assert [found.text for found in zxingcpp.read_barcodes(drawn)] == [address]
    words = letter.get_body(("plain",))
    assert words is not None and token not in words.get_content()
    link = re.search(r"http://\S+/me\?key=\S+", words.get_content())
    assert link is not None
    return link[0]


async def test_the_token_stays_out_of_pages_errors_referrers_and_logs(
    database: Settings, tmp_path: Path
) -> None:
    event, _gate, volunteer, organiser = await conference()
    seen = Evidence()
    async with AsyncExitStack() as stack:
        mailbox, smtp_url = stack.enter_context(mail())
        server = await stack.enter_async_context(serving(database, tmp_path, smtp_url=smtp_url))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await stack.enter_async_context(chromium(playwright))
        phone = await browser.new_context(viewport=PHONE, locale="zh-CN")
        page = await phone.new_page()
        seen.watch(page)
        await register_on_a_phone(page, server, event)
        own, token = page.url, (await Passport.get()).token
        address = f"{server.base}/p?token={token}"
        assert token not in await page.content()

        stranger = await _leaves_no_trace_at(await browser.new_context(locale="zh-CN"), address, token, seen)
        assert token not in stranger and NAME not in stranger
        volunteers = await signed_in(browser, server, volunteer, viewport=PHONE, locale="zh-CN")
        assert NAME in await _leaves_no_trace_at(volunteers, address, token, seen)
        organisers = await signed_in(browser, server, organiser, locale="en-GB")
        assert "North gate" in await _leaves_no_trace_at(organisers, address, token, seen)
        await _errors_repeat_nothing(server, event, volunteers, token)

        await until(mailbox.has_mail, what=lambda: server.log.read_text(errors="replace")[-2000:])
        link = _read_letter(mailbox.letters[0], address=address, token=token)
        reader = await (await browser.new_context(viewport=PHONE, locale="zh-CN")).new_page()
        seen.watch(reader)
        await reader.goto(link)
        await reader.get_by_role("button", name="打开我的护照").click()
        await reader.wait_for_url(own)
        assert NAME in await reader.locator("h1").inner_text() and token not in await reader.content()

        # An organiser makes a new one: the dead token is as secret as it was.
        desk = await organisers.new_page()
        number = own.rsplit("/", 1)[1]
        await desk.goto(f"{server.base}/e/{event.slug}/registrations/{number}/passport")
        await desk.locator("main summary").last.click()
        await desk.get_by_role("button", name="Make a new passport").click()
        await desk.wait_for_url(re.compile("done=reissue"))
        fresh = (await Passport.get()).token
        assert fresh != token and token not in await desk.content()

        key = link.partition("key=")[2]
        for request in seen.sent:
            referrer = unquote(request.headers.get("referer", ""))
            assert token not in referrer and key not in referrer
            assert token not in request.url or request.url == address
        log = server.log.read_text(errors="replace")
        assert "/p " in log and "Traceback" not in log
        stored = repr(
            [
                await db.query("SELECT old, new FROM journal_entry"),
                await db.query("SELECT subject, text, attachments, last_problem FROM letter"),
                await db.query("SELECT outcome FROM replay"),
            ]
        )
        assert "passport" in log and "registration_id" in stored
        assert not [secret for secret in (token, fresh, key) if secret in log or secret in stored]
        assert NAME not in log and "lin@example.org" not in log


async def test_a_bad_evening_at_the_door(database: Settings, tmp_path: Path) -> None:
    """No camera, a connection that goes and comes, a sign-in that ends: nothing is lost, nobody comes in unasked."""
    event, gate, volunteer, _organiser = await conference()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(database, tmp_path))
        playwright = await stack.enter_async_context(async_playwright())
        # A name that is neither HTTPS nor localhost: browsers give it no camera and no randomUUID.
        browser = await stack.enter_async_context(
            chromium(playwright, "--host-resolver-rules=MAP venue.example 127.0.0.1")
        )
        phone = await browser.new_context(viewport=PHONE, locale="zh-CN")
        page = await phone.new_page()
        await register_on_a_phone(page, server, event)
        passport = await Passport.get()

        venue = server.base.replace("127.0.0.1", "venue.example")
        context = await browser.new_context(viewport=PHONE, locale="zh-CN")
        token = await accounts.open_sign_in(account_id=volunteer, user_agent="story", at=datetime.now(UTC))
        await context.add_cookies([{"name": signin.COOKIE, "value": token, "url": venue, "httpOnly": True}])
        scanner = await context.new_page()
        sent: list[str] = []

        def note(request: Request) -> None:
            body = request.post_data_json if "/api/scans" in request.url else None
            if body:
                sent.extend(one["scan_id"] for one in body.get("scans", [body]))

        scanner.on("request", note)
        await scanner.goto(f"{venue}/e/{event.slug}/scan")
        verdict, text = scanner.locator("#verdict"), scanner.locator("#verdict-word")
        assert "摄像头需要 HTTPS" in await scanner.locator("#obstacle").inner_text()

        # The connection is gone: amber, nobody admitted, and what a reader types in meanwhile waits in order.
        await context.set_offline(True)
        await _reader_types(scanner, f"{server.base}/p?token={passport.token}")
        await scanner.wait_for_selector("#verdict.verdict--care[data-state=unsent]")
        assert NAME not in await verdict.inner_text() and await Scan.all().count() == 0
        await _reader_types(scanner, "ANOTHER-SHOPS-CODE")
        assert await scanner.locator("#count-waiting b").inner_text() == "2"
        await context.set_offline(False)
        await scanner.wait_for_selector("#verdict.verdict--stop[data-state=done]")
        rows = await Scan.all().order_by("id")
        assert [row.verdict for row in rows] == ["admitted", "unknown"]
        assert len(set(sent)) == 2
        assert {str(row.scan_id) for row in rows} == set(sent)

        # Found by name at the same gate: the same person, so a repeat.
        await verdict.click()
        await scanner.get_by_role("button", name="搜索姓名").click()
        await scanner.locator("#search-text").fill(NAME[1:])
        await scanner.locator(".found").click()
        await scanner.wait_for_selector("#verdict.verdict--care[data-state=done]")
        assert NAME in await verdict.inner_text()
        await scanner.locator("#language").click()  # it waits until the verdict gives the upper half free
        assert await text.inner_text() == "Already here" and "首次" not in await verdict.inner_text()

        # The sign-in ends: the scan waits through a new one, and the reading is not made twice.
        await accounts.sign_out(token=token)
        counts = f"/e/{event.slug}/api/checkpoints/{gate.id}/counts"

        async def is_out() -> bool:  # the server may believe in it for two seconds more
            return bool(await scanner.evaluate("async path => (await fetch(path)).status === 401", counts))

        await until(is_out)
        await _reader_types(scanner, passport.token)
        await scanner.wait_for_selector("#verdict.verdict--care[data-state=signin]")
        token = await accounts.open_sign_in(account_id=volunteer, user_agent="story", at=datetime.now(UTC))
        await context.add_cookies([{"name": signin.COOKIE, "value": token, "url": venue, "httpOnly": True}])
        await scanner.reload()
        await scanner.wait_for_selector("#verdict.verdict--care[data-state=done]")
        assert await Scan.all().count() == 4
        assert len({str(row.scan_id) for row in await Scan.all()} - set(sent)) == 0


async def _reader_types(page: Page, code: str) -> None:
    """As a reader on a cable does: a key a millisecond into whatever has the focus, and Enter.

    Within the page, because each key through the debugger's connection takes as long as a person's on a busy machine.
    """
    await page.evaluate(
        """code => {
            const press = key => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
            for (const key of [...code, "Enter"]) press(key);
        }""",
        code,
    )
