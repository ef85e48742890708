"""Pictures of every page, in both languages, on a phone and on a desktop: ``make screenshots``.

Starts the real server with the demo on a fresh SQLite file, sends a morning's scans through the API, and opens each
page of ``SHOTS`` in Chromium. It fails when a page answers otherwise than it should, is wider than the screen, or says
anything wrong on the console. All pictures go to test-results/screenshots/, a chosen few to docs/screenshots/.

A new page is one line in ``SHOTS``; a page that needs hands names a function in ``ACTS``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Route, async_playwright

import main as front_door
from events import groups, partner_links, registrations, transfers
from kernel.settings import Settings
from scripts import demo, demo_events
from tests import services
from web import i18n, render

ROOT: Final = Path(__file__).resolve().parent.parent
ALL: Final = ROOT / "test-results" / "screenshots"
CHOSEN: Final = ROOT / "docs" / "screenshots"
PHONE: Final = 390
DESKTOP: Final = 1440
WALL: Final = 1920
HEIGHTS: Final = {PHONE: 844, DESKTOP: 900, WALL: 1080}
#: The first layout (DESIGN section 8): looked at for its width only.
NARROWEST: Final = 360
LOCALES: Final = {"zh": "zh-Hans", "en": "en"}
#: A page's picture is cut here; nobody looks at the thousandth row.
TALLEST: Final = 4_000
CHOSEN_MAX: Final = 150_000
CHOSEN_TOTAL: Final = 1_200_000
PATIENCE_MS: Final = 15_000
#: Pages open at once.
AT_ONCE: Final = 4

EVENT: Final = f"/e/{demo.SLUG}"
NEXT: Final = f"/e/{demo_events.NEXT}"
MEETUP: Final = f"/e/{demo_events.MEETUP}"
CITIES: Final = f"/e/{demo_events.CITIES}"
EMPTY: Final = f"/e/{demo_events.DRAFT}"

OWNER, ORGANISER, SCANNER, GATE = demo.OWNER, demo.ORGANISER, demo.SCANNER, demo.GATE_SCANNER
LEAD, PARTNER_DESK, VIEWER = demo.LEAD, demo.PARTNER_DESK, demo.VIEWER
#: Two who come to the next edition: one has a place, one was offered one.
VISITOR, WAITING = demo_events.VISITOR, demo_events.WAITING
ADMIN: Final = "admin@example.org"
HOLDER: Final = "holder"
NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One page: where it is, who looks, what has to be done first, and the answer that it should give.

    ``path`` may hold names in braces, which ``House.names`` fills in.
    """

    name: str
    path: str
    who: str = NOBODY
    act: str = ""
    status: int = 200
    widths: tuple[int, ...] = (PHONE, DESKTOP)
    #: Shown as the screen shows it, not down to its end.
    is_screen: bool = False


SHOTS: Final[Sequence[Shot]] = (
    # first, while the latest scans are a morning's and not those of the pictures below
    Shot("board", f"{EVENT}/live", ORGANISER, widths=(PHONE, DESKTOP, WALL), is_screen=True),
    Shot("board-whole", f"{EVENT}/live", ORGANISER),
    Shot("tend", f"{EVENT}/desk/rooms", ORGANISER),
    Shot("tend-room", EVENT + "/desk/rooms/{hall}", SCANNER),
    Shot("rooms", f"{EVENT}/rooms", widths=(PHONE, DESKTOP, WALL)),
    # for everybody
    Shot("home", "/"),
    Shot("home-none", "/?q=nothing-has-this-name"),
    Shot("home-city", "/?city=成都"),
    Shot("event", EVENT),
    Shot("event-next", NEXT),
    Shot("event-sites", CITIES),
    Shot("event-meetup", MEETUP),
    Shot("event-page", f"{EVENT}/p/code-of-conduct"),
    Shot("event-privacy", f"{EVENT}/privacy"),
    Shot("series", f"/series/{demo_events.SERIES}"),
    Shot("register-over", f"{EVENT}/register"),
    Shot("register", f"{NEXT}/register"),
    Shot("register-refused", f"{NEXT}/register", act="submit_nothing", status=422),
    Shot("register-student", f"{NEXT}/register", act="choose_student"),
    Shot("register-pending", f"{NEXT}/register", act="apply_as_student"),
    Shot("register-code", f"{NEXT}/register", act="show_code"),
    Shot("register-waiting", f"{NEXT}/register", act="wait_in_line"),
    Shot("register-group", f"{NEXT}/register/group"),
    Shot("group", NEXT + "/group?key={group_key}"),
    Shot("partner", NEXT + "/partner?key={partner_key}"),
    Shot("partner-preview", NEXT + "/partner?key={partner_key}", act="paste_people"),
    Shot("transfer-taker", NEXT + "/transfer?key={taker_key}"),
    Shot("transfer-giver", NEXT + "/transfer?key={giver_key}"),
    Shot("transfer-dead", f"{NEXT}/transfer?key=1-nonsense", status=404),
    Shot("unsubscribe-dead", "/unsubscribe?key=1-nonsense", status=404),
    Shot("group-link-dead", f"{EVENT}/group?key=1-nonsense", status=404),
    Shot("programme", f"{EVENT}/agenda"),
    Shot("call", f"{NEXT}/cfp"),
    Shot("call-form", f"{NEXT}/cfp/new"),
    Shot("desk-call", f"{NEXT}/desk/cfp", ORGANISER),
    Shot("desk-call-forums", f"{NEXT}/desk/cfp/forums", ORGANISER),
    Shot("desk-proposals", f"{NEXT}/desk/proposals", ORGANISER),
    Shot("sign-in", "/sign-in"),
    Shot("sign-in-code", "/sign-in", act="ask_for_code"),
    Shot("codes", "/dev/codes"),
    Shot("stranger", "/p?token={token}"),
    # the holder
    Shot("holder-link", EVENT + "/me?key={key}"),
    Shot("holder-link-dead", f"{EVENT}/me?key=1-nonsense", status=404),
    Shot("holder", f"{EVENT}/me", HOLDER),
    Shot("holder-none", f"{EVENT}/me"),
    Shot("holder-print", EVENT + "/me/{registration}/print", HOLDER),
    Shot("me", f"{NEXT}/me", VISITOR),
    Shot("me-change", NEXT + "/me/{visitor}/change", VISITOR),
    Shot("me-change-refused", NEXT + "/me/{visitor}/change", VISITOR, act="clear_name", status=422),
    Shot("me-cancel", NEXT + "/me/{visitor}/cancel", VISITOR),
    Shot("me-transfer", NEXT + "/me/{visitor}/transfer", VISITOR),
    Shot("me-data", NEXT + "/me/{visitor}/data", VISITOR),
    Shot("me-erasure", NEXT + "/me/{visitor}/erasure", VISITOR),
    Shot("me-offered", f"{NEXT}/me", WAITING),
    Shot("account", "/account", HOLDER),
    Shot("account-data", "/account/data", HOLDER),
    Shot("account-erasure", "/account/erasure", HOLDER),
    Shot("account-organiser", "/account", ORGANISER),
    Shot("new-token", "/account/tokens/new", ORGANISER),
    Shot("sign-in-link-over", "/sign-in/link", status=410),
    # the volunteer
    Shot("scanner", f"{EVENT}/scan", SCANNER, is_screen=True),
    Shot("scanner-choose", f"{EVENT}/scan", GATE, act="choose", is_screen=True),
    Shot("scanner-go", EVENT + "/scan?at={north}", SCANNER, act="scan_fresh", is_screen=True),
    Shot("scanner-care", EVENT + "/scan?at={main}", SCANNER, act="scan_again", is_screen=True),
    Shot("scanner-stop", EVENT + "/scan?at={speakers}", SCANNER, act="scan_wrong_type", is_screen=True),
    Shot("scanner-cancelled", EVENT + "/scan?at={north}", SCANNER, act="scan_cancelled", is_screen=True),
    Shot("scanner-search", EVENT + "/scan?at={north}", SCANNER, act="search", is_screen=True),
    Shot("scanner-type", EVENT + "/scan?at={north}", SCANNER, act="type", is_screen=True),
    Shot("scanner-recent", EVENT + "/scan?at={north}", SCANNER, act="recent", is_screen=True),
    Shot("volunteer-home", EVENT, SCANNER),
    Shot("walk-in", f"{EVENT}/walk-in", LEAD),
    Shot("walk-in-done", f"{EVENT}/walk-in", LEAD, act="walk_in"),
    Shot("claim-dead", f"{EVENT}/claim?key=1-2-nonsense", status=404),
    Shot("staff-card", "/p?token={token}", SCANNER),
    Shot("staff-card-scanned", "/p?token={token}", GATE, act="press_scan"),
    # the organisers
    Shot("desk", f"{EVENT}/desk", OWNER),
    Shot("registrations", f"{EVENT}/desk/registrations", ORGANISER),
    Shot("registrations-search", f"{EVENT}/desk/registrations?q=某某大学", ORGANISER),
    Shot("registrations-none", f"{EVENT}/desk/registrations?q=nobody-has-this-name", ORGANISER),
    Shot("registration", EVENT + "/desk/registrations/{registration}", ORGANISER),
    Shot("statistics", f"{NEXT}/desk/statistics", VIEWER),
    Shot("statistics-past", f"{EVENT}/desk/statistics", ORGANISER),
    Shot("statistics-sites", f"{CITIES}/desk/statistics", ORGANISER),
    Shot("registrations-next", f"{NEXT}/desk/registrations", ORGANISER),
    Shot("merge", f"{NEXT}/desk/merge", ORGANISER),
    Shot("merge-two", NEXT + "/desk/merge/{twin}/{other_twin}", ORGANISER),
    Shot("transfers", f"{NEXT}/desk/transfers", ORGANISER),
    Shot("registration-offered", NEXT + "/desk/registrations/{offered}", ORGANISER),
    Shot("erasure", EVENT + "/desk/registrations/{registration}/erasure", OWNER),
    Shot("reminder", f"{NEXT}/desk/reminders/7", ORGANISER),
    Shot("letter", NEXT + "/desk/outbox/{letter}", ORGANISER),
    Shot("partners", f"{NEXT}/desk/partners", PARTNER_DESK),
    Shot("partner-new", f"{NEXT}/desk/partners/new", ORGANISER),
    Shot("partner-change", NEXT + "/desk/partners/{partner}/change", PARTNER_DESK),
    Shot("partner-link-dead", f"{EVENT}/partner?key=1-nonsense", status=404),
    Shot("registration-cancelled", EVENT + "/desk/registrations/{cancelled_registration}", ORGANISER),
    Shot("registration-change", EVENT + "/desk/registrations/{registration}/change", ORGANISER),
    Shot("registration-new", f"{EVENT}/desk/registrations/new", ORGANISER),
    Shot("import-new", f"{EVENT}/desk/imports", ORGANISER),
    Shot("import-preview", f"{EVENT}/desk/imports", ORGANISER, act="import_with_errors"),
    Shot("ticket-types", f"{EVENT}/desk/ticket-types", ORGANISER),
    Shot("ticket-type", EVENT + "/desk/ticket-types/{ticket_type}", ORGANISER),
    Shot("ticket-type-new", f"{EVENT}/desk/ticket-types/new", ORGANISER),
    Shot("shared-quota", EVENT + "/desk/shared-quotas/{shared_quota}", ORGANISER),
    Shot("shared-quota-new", f"{EVENT}/desk/shared-quotas/new", ORGANISER),
    Shot("access-code-new", f"{NEXT}/desk/access-codes/new", ORGANISER),
    Shot("shared-quotas", f"{EVENT}/desk/shared-quotas", ORGANISER),
    Shot("access-codes", f"{NEXT}/desk/access-codes", ORGANISER),
    Shot("access-codes-many", f"{NEXT}/desk/access-codes/many", ORGANISER),
    Shot("approvals", f"{NEXT}/desk/approvals", ORGANISER),
    Shot("waiting-list", f"{NEXT}/desk/waiting-list", ORGANISER),
    Shot("form", f"{EVENT}/desk/form", ORGANISER),
    Shot("question-new", f"{EVENT}/desk/form/questions/new", ORGANISER),
    Shot("consent-new", f"{EVENT}/desk/form/consents/new", ORGANISER),
    Shot("answers", EVENT + "/desk/registrations/{registration}/answers", ORGANISER),
    Shot("places", f"{EVENT}/desk/places", ORGANISER),
    Shot("place-new", f"{EVENT}/desk/places/new", ORGANISER),
    Shot("programme-import", f"{EVENT}/desk/agenda/import", ORGANISER),
    Shot("checkpoints", f"{EVENT}/desk/checkpoints", ORGANISER),
    Shot("checkpoint", EVENT + "/desk/checkpoints/{lunch}", ORGANISER),
    Shot("checkpoint-new", f"{EVENT}/desk/checkpoints/new", ORGANISER),
    Shot("team", f"{EVENT}/desk/team", OWNER),
    Shot("ownership", f"{EVENT}/desk/ownership", OWNER),
    Shot("invitation-none", "/invitation", OWNER),
    Shot("settings", f"{EVENT}/desk/settings", ORGANISER),
    Shot("modules", f"{EVENT}/desk/modules", ORGANISER),
    Shot("series-desk", f"{EVENT}/desk/series", ORGANISER),
    Shot("copy", f"{EVENT}/desk/copy", ORGANISER),
    Shot("sites", f"{CITIES}/desk/sites", ORGANISER),
    Shot("site-new", f"{CITIES}/desk/sites/new", ORGANISER),
    Shot("desk-sites", f"{CITIES}/desk", ORGANISER),
    Shot("desk-next", f"{NEXT}/desk", ORGANISER),
    Shot("desk-meetup", f"{MEETUP}/desk", ORGANISER),
    Shot("team-next", f"{NEXT}/desk/team", OWNER),
    Shot("pages", f"{EVENT}/desk/pages", ORGANISER),
    Shot("page-new", f"{EVENT}/desk/pages/new", ORGANISER),
    Shot("arrivals", f"{MEETUP}/desk/arrivals", ORGANISER),
    Shot("registered", f"{NEXT}/register", act="register"),
    Shot("outbox", f"{NEXT}/desk/outbox", ORGANISER),
    Shot("export", f"{EVENT}/desk/export", ORGANISER),
    Shot("journal", f"{EVENT}/desk/journal", ORGANISER),
    # whoever runs the installation
    Shot("admin-home", "/", ADMIN),
    Shot("admin-outbox", "/outbox", ADMIN),
    Shot("event-new", "/events/new", ADMIN),
    Shot("meetup-new", "/events/new/meetup", ADMIN),
    Shot("gallery", "/dev/gallery"),
    # nothing in it
    Shot("empty-event", EMPTY, OWNER),
    Shot("empty-desk", f"{EMPTY}/desk", OWNER),
    Shot("empty-registrations", f"{EMPTY}/desk/registrations", OWNER),
    Shot("empty-checkpoints", f"{EMPTY}/desk/checkpoints", OWNER),
    Shot("empty-programme", f"{EMPTY}/agenda", OWNER),
    Shot("empty-outbox", f"{EMPTY}/desk/outbox", OWNER),
    Shot("empty-board", f"{EMPTY}/live", OWNER, is_screen=True),
    Shot("empty-scanner", f"{EMPTY}/scan", OWNER, is_screen=True),
    # errors
    Shot("error-404", "/nowhere", status=404),
    Shot("error-404-event", "/e/no-such-event", status=404),
    Shot("error-403", f"{EVENT}/desk", SCANNER, status=403),
    Shot("error-500", "/error-500", status=500),
)

#: For the README: name, language, width.
FOR_README: Final = (
    ("event-next", "zh", PHONE),
    ("holder", "zh", PHONE),
    ("scanner-go", "zh", PHONE),
    ("board", "zh", DESKTOP),
    ("statistics", "en", DESKTOP),
)


# --- a house with a morning behind it ----------------------------------------------------------------------------


@dataclass(slots=True)
class House:
    """The running server, everybody's sign-in, and what the pages' addresses need to know."""

    site: str
    folder: Path
    environment: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    #: Short codes of people who have not been anywhere, one for each picture of a green light.
    fresh: Iterator[str] = field(default_factory=lambda: iter(()))
    error_page: dict[str, str] = field(default_factory=dict)

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        connection = sqlite3.connect(f"file:{self.folder / 'huiwu.sqlite3'}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def command(self, *arguments: str) -> str:
        """What a command of ``main.py`` says last."""
        done = subprocess.run(
            [sys.executable, "main.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"screenshots: main.py {arguments[0]} failed\n{done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def post(self, path: str, body: object, who: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- our own server
            self.site + path,
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.tokens[who]}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def house() -> Iterator[House]:
    """The server on a fresh database with the demo; it is ended by its own id."""
    with tempfile.TemporaryDirectory(prefix="huiwu-shots-") as folder:
        port = services.free_port()
        site = f"http://127.0.0.1:{port}"
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("HUIWU_") and key != "DATABASE_URL"
        }
        environment |= {
            "HUIWU_DATA_DIR": folder,
            "HUIWU_PORT": str(port),
            "HUIWU_BASE_URL": site,
            "HUIWU_DEVELOPMENT": "1",
        }
        log = ALL / "server.log"
        with log.open("w") as out:
            server = subprocess.Popen(
                [sys.executable, "main.py", "run", "--demo"],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=out,
            )
            try:
                found = House(site, Path(folder), environment)
                _wait_for(server, site, log)
                furnish(found)
                yield found
            finally:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()


def _wait_for(server: subprocess.Popen[bytes], site: str, log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"screenshots: the server did not start\n{log.read_text()[-4000:]}")
        try:
            urllib.request.urlopen(f"{site}/", timeout=5).close()  # noqa: S310 -- our own server
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("screenshots: the server did not answer within a minute")


def furnish(place: House) -> None:
    """Sign-ins for everybody, a morning of scans, and the names that addresses need."""
    _wire(place)
    passports = place.rows(
        "SELECT p.id, p.token, p.short_code, p.status, p.registration_id, p.ticket_type_id, t.code AS type, g.email, p.badge_name "
        "FROM passport p JOIN ticket_type t ON t.id = p.ticket_type_id JOIN registration g ON g.id = p.registration_id "
        "JOIN event e ON e.id = p.event_id WHERE e.slug = ? ORDER BY p.id",
        demo.SLUG,
    )
    valid = [row for row in passports if row["status"] == "valid"]
    on_site = [row for row in valid if row["type"] != "online"]
    holder = next(row for row in valid if row["type"] == "speaker" and row["email"])
    cancelled = next(row for row in passports if row["status"] == "cancelled")
    place.command("create-admin", ADMIN)
    signed_in = (OWNER, ORGANISER, SCANNER, GATE, LEAD, PARTNER_DESK, VIEWER, VISITOR, WAITING, ADMIN)
    for who, email in {one: one for one in signed_in}.items() | {(HOLDER, holder["email"])}:
        place.tokens[who] = place.command("sign-in-token", email)
    doors = {
        row["code"]: row["id"]
        for row in place.rows(
            "SELECT c.code, c.id FROM checkpoint c JOIN event e ON e.id = c.event_id WHERE e.slug = ?",
            demo.SLUG,
        )
    }
    standard = [row for row in on_site if row["type"] == "standard"]
    place.names = {
        **doors,
        "ticket_type": holder["ticket_type_id"],
        "token": holder["token"],
        "registration": holder["registration_id"],
        "cancelled_registration": cancelled["registration_id"],
        "cancelled_code": cancelled["short_code"],
        "wrong_code": standard[0]["short_code"],
        "again_code": standard[1]["short_code"],
        "search": holder["badge_name"][:2],
        "hall": place.rows(
            "SELECT p.id FROM place p JOIN event e ON e.id = p.event_id WHERE e.slug = ? AND p.code = 'main'",
            demo.SLUG,
        )[0][0],
        "key": registrations.secret_of(holder["registration_id"], 0),
        **_names_of_next(place),
    }
    place.fresh = iter(
        [row["short_code"] for row in reversed(on_site) if row["type"] == "speaker" and row is not holder]
    )
    a_morning(place, [row["short_code"] for row in on_site if row["type"] != "speaker"], doors)


def _wire(place: House) -> None:
    """This process derives the same secrets as the server, for the links that letters carry."""
    front_door.create_app(Settings.from_env(place.environment), workers=False)


def _names_of_next(place: House) -> dict[str, Any]:
    """What the addresses of the next edition's pages need."""

    def one(sql: str, *values: object) -> Any:
        return place.rows(sql, *values)[0][0]

    event_id = one("SELECT id FROM event WHERE slug = ?", demo_events.NEXT)
    person = "SELECT id FROM registration WHERE event_id = ? AND email = ?"
    group = "SELECT id FROM registration_group WHERE event_id = ? AND kind = ? ORDER BY id"
    partner, transfer = one(group, event_id, "partner"), one("SELECT id FROM transfer")
    twins = place.rows(
        "SELECT id FROM registration WHERE event_id = ? AND name = '孟星河' ORDER BY id", event_id
    )
    return {
        "visitor": one(person, event_id, VISITOR),
        "offered": one(person, event_id, WAITING),
        "group_key": groups.secret_of(one(group, event_id, "group"), 0),
        "partner": partner,
        "partner_key": partner_links.secret_of(partner, 0),
        "taker_key": transfers.secret_of(transfer, transfers.Side.TAKER),
        "giver_key": transfers.secret_of(transfer, transfers.Side.GIVER),
        "twin": twins[0][0],
        "other_twin": twins[1][0],
        "letter": one("SELECT max(id) FROM letter WHERE event_id = ?", event_id),
        "shared_quota": one(
            "SELECT q.id FROM shared_quota q JOIN event e ON e.id = q.event_id WHERE e.slug = ?", demo.SLUG
        ),
    }


def a_morning(place: House, people: Sequence[str], doors: dict[str, int]) -> None:
    """Some 700 scans over the last hour and a half: arrivals that swell and ebb, rooms, booths, repeats, refusals."""
    draw = random.Random(9)  # noqa: S311 -- a picture's crowd
    scans: list[dict[str, Any]] = []

    def scan(code: str, door: str, minutes_ago: float, direction: str = "entry") -> None:
        scans.append(
            {
                "scan_id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
                "code": code,
                "checkpoint": doors[door],
                "direction": direction,
                "age_ms": max(1, int(minutes_ago * 60_000)),
            }
        )

    arrived = [*people[:2], *draw.sample(people[2:], 420)]
    for index, code in enumerate(arrived):
        ago = min(89.0, max(1.5, draw.gauss(48, 18)))
        scan(code, "north" if index % 5 < 3 else "south", ago)
        if index % 19 == 0:
            scan(code, "south", max(0.6, ago - 9))
        if index % 23 == 0:
            scan(code, "north", max(0.5, ago - 20), "exit")
        if index % 2 == 0:
            scan(code, "main", max(0.4, ago - 6))
        if index % 11 == 0:
            scan(code, draw.choice(["teahouse", "hardware", "claw"]), max(0.3, ago - 12))
        if index % 3 == 0:
            scan(code, "kit", max(0.3, ago - 2))
        if index % 9 == 0:
            scan(code, "lunch", max(0.2, ago / 4))
        if index % 63 == 0:
            scan(code, "lunch", max(0.1, ago / 4 - draw.uniform(0.5, 6.0)))
        if 40 <= index < 78:
            scan(code, "workshop", draw.uniform(4.0, 22.0))
    for index in range(12):
        scan(
            f"https://pay.example.org/{index}" if index % 3 else "WIFI:S:guest;;",
            "north",
            draw.uniform(1, 60),
        )
    scan(place.names["again_code"], "main", 14.0)
    scans.sort(key=lambda one: -one["age_ms"])
    for start in range(0, len(scans), 500):
        answers = place.post(f"{EVENT}/api/scans/batch", {"scans": scans[start : start + 500]}, SCANNER)[
            "results"
        ]
        wrong = [one for one in answers if not one["ok"]]
        if wrong:
            raise SystemExit(f"screenshots: {len(wrong)} scans were refused, the first: {wrong[0]}")


# --- what hands do -----------------------------------------------------------------------------------------------

Act = Callable[[Page, House], Awaitable[None]]


async def submit_nothing(page: Page, place: House) -> None:
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").last.click()


async def ask_for_code(page: Page, place: House) -> None:
    await page.locator("main input[name=email]").fill("newcomer@example.org")
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").first.click()


async def _fill_in(page: Page, nth: int) -> None:
    await page.locator("main input[name=ticket_type]").nth(nth).check()
    await page.locator("main input[name=name]").fill("欧阳映川")
    await page.locator("main input[name=email]").fill(f"ouyang-{uuid.uuid4().hex[:6]}@example.org")
    await page.locator("main input[name=organisation]").fill("某某大学")
    for needed in await page.locator("main input[type=checkbox][required]").all():
        await needed.check()
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").last.click()


async def register(page: Page, place: House) -> None:
    await _fill_in(page, 0)


async def wait_in_line(page: Page, place: House) -> None:
    await _fill_in(page, 1)


async def choose_student(page: Page, place: House) -> None:
    """Shows what only students are asked."""
    await page.locator("main input[name=ticket_type]").nth(2).check()


async def apply_as_student(page: Page, place: House) -> None:
    await _fill_in(page, 2)


async def show_code(page: Page, place: House) -> None:
    await page.locator("main details:has(input[name=access_code]) summary").click()
    await page.locator("main input[name=access_code]").fill("datawhale")
    async with page.expect_navigation():
        await page.locator("main button[name=apply_code]").click()


async def paste_people(page: Page, place: House) -> None:
    people = "姓名\t邮箱\t单位\n章小鱼\tzhang@example.org\t某某大学\n没有邮箱\t不是邮箱\t某某大学\nAda Kim\tada@example.org\t"
    await page.locator("main textarea").first.fill(people)
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").first.click()


async def clear_name(page: Page, place: House) -> None:
    await page.locator("main input[name=name]").fill("")
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").last.click()


async def walk_in(page: Page, place: House) -> None:
    await page.locator("main input[name=name]").fill("欧阳映川")
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").last.click()


async def press_scan(page: Page, place: House) -> None:
    async with page.expect_navigation():
        await page.locator(".scan-button").first.click()


async def recent(page: Page, place: House) -> None:
    for code in (place.names["cancelled_code"], place.names["wrong_code"]):
        await _typed(page, code, "stop" if code == place.names["cancelled_code"] else "go")
        await page.locator("#verdict-next").click()
    await page.locator("[data-drawer=recent]").click()


async def choose(page: Page, place: House) -> None:
    await page.locator("[data-drawer=choose]").click()


async def _typed(page: Page, code: str, tone: str) -> None:
    await page.locator("[data-drawer=type]").click()
    await page.locator("#type-text").fill(code)
    await page.locator("#type-form button[type=submit]").click()
    await page.locator(f"#verdict.verdict--{tone}[data-state=done]").wait_for(timeout=PATIENCE_MS)


async def scan_fresh(page: Page, place: House) -> None:
    await _typed(page, next(place.fresh), "go")


async def scan_again(page: Page, place: House) -> None:
    await _typed(page, place.names["again_code"], "care")


async def scan_wrong_type(page: Page, place: House) -> None:
    await _typed(page, place.names["wrong_code"], "stop")


async def scan_cancelled(page: Page, place: House) -> None:
    await _typed(page, place.names["cancelled_code"], "stop")


async def search(page: Page, place: House) -> None:
    await page.locator("[data-drawer=search]").click()
    await page.locator("#search-text").fill("某某大学")
    await page.locator("#search-list li").first.wait_for(timeout=PATIENCE_MS)


async def type(page: Page, place: House) -> None:  # noqa: A001 -- what the button says
    await page.locator("[data-drawer=type]").click()


#: A list as they come: a title row, a wrong address, a number that a spreadsheet ruined, one person twice, an emoji.
LIST: Final = (
    "报名名单,,,,\n姓名,邮箱,手机,单位,票种\n林小满,lin@example.org,+86 199 0000 0001,某某大学,普通票\n"
    "欧阳映川,ouyang@example,19900000002,某某大学,普通票\n🐙小章鱼,octo@example.org,1.99E+10,,学生票\n"
    "李禾,,,某某科技有限公司,普通票\n王海,wang@example.org,19900000003,,贵宾票\n王海,wang@example.org,19900000003,,普通票\n"
    "张帆,lin@example.org,,某某大学,普通票\n"
)


async def import_with_errors(page: Page, place: House) -> None:
    await page.locator("input[type=file]").set_input_files(
        {"name": "报名名单.csv", "mimeType": "text/csv", "buffer": LIST.encode("gb18030", errors="replace")}
    )
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").first.click()


ACTS: Final[dict[str, Act]] = {
    act.__name__: act
    for act in (
        submit_nothing,
        ask_for_code,
        register,
        wait_in_line,
        choose_student,
        apply_as_student,
        show_code,
        paste_people,
        clear_name,
        walk_in,
        press_scan,
        recent,
        choose,
        scan_fresh,
        scan_again,
        scan_wrong_type,
        scan_cancelled,
        search,
        type,
        import_with_errors,
    )
}


# --- taking them -------------------------------------------------------------------------------------------------

OVERFLOW: Final = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return "";
  const wide = [...document.querySelectorAll("body *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.right > root.clientWidth + 1 && getComputedStyle(one).position !== "fixed";
  });
  const last = wide[wide.length - 1];
  const name = last ? last.tagName.toLowerCase() + (last.className ? "." + String(last.className).trim().replace(/\\s+/g, ".") : "") : "?";
  return `${root.scrollWidth} px on ${root.clientWidth} px, by ${name}`;
}"""


class Photographer:
    """One browser for all; a context for each person and language, so that nobody carries another's cookies."""

    def __init__(self, browser: Browser, place: House) -> None:
        self.browser, self.place = browser, place
        self.problems: list[str] = []
        self.taken = 0
        self._making = asyncio.Lock()
        self._camera = asyncio.Lock()
        self._contexts: dict[tuple[str, str, bool, bool], BrowserContext] = {}

    async def context(self, shot: Shot, language: str, width: int) -> BrowserContext:
        is_phone = width == PHONE
        # Twice the pixels cost four times the time: only for those that the README shows.
        is_crisp = is_phone and (shot.name, language, width) in FOR_README
        key = (shot.who, language, is_phone, is_crisp)
        async with self._making:
            if key not in self._contexts:
                self._contexts[key] = await self._context(
                    shot.who, language, is_phone=is_phone, scale=2 if is_crisp else 1
                )
        return self._contexts[key]

    async def _context(self, who: str, language: str, *, is_phone: bool, scale: int) -> BrowserContext:
        context = await self.browser.new_context(
            locale="zh-CN" if language == "zh" else "en-GB",
            timezone_id="Asia/Shanghai",
            device_scale_factor=scale,
            has_touch=is_phone,
            reduced_motion="reduce",
        )
        cookies: list[Any] = [{"name": "huiwu_lang", "value": LOCALES[language], "url": self.place.site}]
        if who:
            cookies.append({"name": "huiwu_signin", "value": self.place.tokens[who], "url": self.place.site})
        await context.add_cookies(cookies)
        await context.route("**/error-500", self._error_500)
        return context

    async def _error_500(self, route: Route) -> None:
        """A page of our own server that no address shows on purpose."""
        language = "zh" if "zh" in (await route.request.all_headers()).get("accept-language", "") else "en"
        await route.fulfill(
            status=500, content_type="text/html; charset=utf-8", body=self.place.error_page[language]
        )

    async def take(self, shot: Shot, language: str, width: int) -> None:
        name = f"{shot.name}.{language}.{width}"
        context = await self.context(shot, language, width)
        page = await context.new_page()
        said: list[str] = []
        address = self.place.site + shot.path.format(**self.place.names)

        def console(message: ConsoleMessage) -> None:
            # A refused document is told on the console, too; that is what we asked for.
            if (
                message.type in ("error", "warning")
                and "the server responded with a status of" not in message.text
            ):
                said.append(f"console: {message.text}")

        statuses: list[int] = []
        page.on("console", console)
        page.on("pageerror", lambda error: said.append(f"script: {error}"))
        page.on(
            "response",
            lambda answer: (
                statuses.append(answer.status)
                if answer.request.is_navigation_request() and answer.status not in (301, 302, 303)
                else said.append(f"{answer.status} for {answer.url.removeprefix(self.place.site)}")
                if answer.status >= 400
                else None
            ),
        )
        try:
            await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            await page.goto(address, timeout=PATIENCE_MS)
            if shot.act:
                await ACTS[shot.act](page, self.place)
            # Not "networkidle": a live page never is.
            await page.wait_for_load_state("load", timeout=PATIENCE_MS)
            await page.evaluate("document.fonts.ready")
            await page.wait_for_timeout(1_200 if "live" in shot.path else 150)
            if not statuses or statuses[-1] != shot.status:
                said.append(f"answers {statuses[-1] if statuses else 'nothing'}, not {shot.status}")
            # One capture at a time: two at once have been seen to mix their pixels.
            async with self._camera:
                await page.bring_to_front()
                await self._picture(page, name, width, is_screen=shot.is_screen)
            for wide in (width, NARROWEST) if width == PHONE else (width,):
                if wide != width:
                    await page.set_viewport_size({"width": wide, "height": HEIGHTS[width]})
                    await page.wait_for_timeout(300)  # charts follow a moment later
                if found := await page.evaluate(OVERFLOW):
                    said.append(f"too wide: {found}")
        except Exception as error:  # noqa: BLE001 -- one page's trouble is told, the others are taken all the same
            said.append(f"{error.__class__.__name__}: {str(error).splitlines()[0]}")
        finally:
            await page.close()
        self.problems += [f"{name}: {one}" for one in dict.fromkeys(said)]

    async def _picture(self, page: Page, name: str, width: int, *, is_screen: bool) -> None:
        if not is_screen:
            # A screen as tall as the page: what sticks to its lower edge then stands at the end, not across the middle.
            tall = min(TALLEST, await page.evaluate("document.documentElement.scrollHeight"))
            await page.set_viewport_size({"width": width, "height": max(tall, HEIGHTS[width])})
            await page.evaluate("window.scrollTo(0, 0)")  # a form's summary of errors takes the focus
        await page.screenshot(path=ALL / f"{name}.png", animations="disabled")
        self.taken += 1
        if (*name.split(".")[:2], width) in FOR_README:
            await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            data = b""
            for quality in (80, 70, 60, 50):
                data = await page.screenshot(type="jpeg", quality=quality, animations="disabled")
                if len(data) < CHOSEN_MAX:
                    break
            else:
                self.problems.append(f"{name}: {len(data)} bytes are too many for the README")
            (CHOSEN / f"{name}.jpg").write_bytes(data)


async def photograph(place: House, wanted: Sequence[Shot]) -> tuple[int, list[str]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=services.chromium(),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        photographer = Photographer(browser, place)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(shot: Shot, language: str, width: int) -> None:
            async with turns:
                await photographer.take(shot, language, width)
            print(".", end="", flush=True)

        async with asyncio.TaskGroup() as group:
            for shot, language in itertools.product(wanted, LOCALES):
                for width in shot.widths:
                    group.create_task(one(shot, language, width))
        print()
        await browser.close()
    return photographer.taken, sorted(photographer.problems)


def error_pages(place: House) -> dict[str, str]:
    """The page for what nobody expected, as the server would render it."""
    pages = {}
    for language, locale in LOCALES.items():
        token = i18n.use_locale(locale)
        what = render.words_for("unexpected")
        pages[language] = render.render(
            render.ErrorContext(status=500, code="unexpected", what=what, reference=render.new_reference())
        )
        i18n.reset_locale(token)
    return pages


def main(arguments: Sequence[str]) -> int:
    """Everything, or only the pages whose names are given (a part of the name is enough)."""
    wanted = [shot for shot in SHOTS if not arguments or any(part in shot.name for part in arguments)]
    if not arguments:
        shutil.rmtree(ALL, ignore_errors=True)
    ALL.mkdir(parents=True, exist_ok=True)
    CHOSEN.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with house() as place:
        place.error_page = error_pages(place)
        taken, problems = asyncio.run(photograph(place, wanted))
    for path in CHOSEN.iterdir():
        if tuple(path.stem.split(".")) not in {
            (name, language, str(width)) for name, language, width in FOR_README
        }:
            path.unlink()
    total = sum(path.stat().st_size for path in CHOSEN.iterdir())
    if total > CHOSEN_TOTAL:
        problems.append(f"docs/screenshots holds {total} bytes, more than {CHOSEN_TOTAL}")
    print(
        f"{taken} pictures of {len(wanted)} pages in {time.monotonic() - began:.0f} s: test-results/screenshots/"
    )
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
