"""The phone test: a volunteer's page the day before, and the lead's list of what the phones could."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, phone_tests
from checkin.device_api import Words
from checkin.device_pages import CHECK_WORDS, PAIR_WORDS, CheckLine, check_lines, words_of
from checkin.device_rules import Check, DeviceCode, volunteers_of
from checkin.phone_tests import ROUND_TRIP_MAX_MS, SAMPLE, Link, Told
from checkin.shown import private
from events.access import Door, frame, header, route
from events.desk.shared import DeskPage, typed_values, whole_id
from events.json_api import Body, Line, Shape, answer, now, read_body
from events.rules import Permission
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from people.jobs import in_worker
from web import i18n, render
from web.api_doc import ApiDoc
from web.forms import form_data
from web.middleware import SCANNER_POLICY
from web.render import Context, url
from web.routing import Entry

PAGE: Final = "checkin.desk.phone_tests"

TEST_WORDS: Final[Mapping[str, str]] = {
    **{key: PAIR_WORDS[key] for key in ("passed", "failed", "asked", "copied")},
    "testing": N_("Testing…"),
    "test": N_("Test this phone"),
    "again": N_("Test again"),
    "all_good": N_("This phone can scan. The lead knows; nothing more to do today."),
    "some_lack": N_("This phone lacks something; the lead knows. What helps stands beside it."),
    "not_told": N_("The result did not get through. Try again with a better connection."),
    "name_needed": N_("Please type your name first."),
}


# --- the volunteer's page ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TestPage(Context):
    template: ClassVar[str] = "checkin/phone_test.html"
    checks: Sequence[CheckLine]
    volunteer: str
    sample: str
    data: Mapping[str, Any] = field(default_factory=dict)


def _sample() -> str:
    return f"data:image/png;base64,{base64.b64encode(cards.code_png(SAMPLE, 8)).decode()}"


async def _link(request: Request, door: Door) -> Link:
    secret = str(request.path_params["secret"])
    return await phone_tests.find(event_id=door.event.id, secret=secret, at=now())


async def test_page(request: Request, door: Door) -> Response:
    link = await _link(request, door)
    slug = door.event.slug
    page = TestPage(
        event=header(door),
        checks=check_lines(*Check),
        volunteer=link.volunteer,
        sample=await in_worker(_sample),
        data={
            "sample": SAMPLE,
            "locale": i18n.current_locale(),
            "is_named": bool(link.volunteer),
            "api": {
                "scan": url("checkin.api.phone_test_scan", slug=slug, secret=link.secret),
                "tell": url("checkin.api.phone_test", slug=slug, secret=link.secret),
            },
            "words": words_of(TEST_WORDS),
        },
        stays_at=url("checkin.phone_test", slug=slug, secret=link.secret),
    )
    response = private(await render.page(request, page))
    response.headers["content-security-policy"] = SCANNER_POLICY
    return response


class TrialScan(Body):
    """What was read from the sample picture."""

    scan_id: Annotated[UUID, Field(strict=False)]
    code: Line


class TrialAnswer(Shape):
    """A trial's answer: nothing was decided about anybody, and nothing is kept."""

    scan_id: UUID
    is_sample: bool
    server_time: datetime


async def trial_scan(request: Request, door: Door) -> Response:
    await _link(request, door)
    body = await read_body(request, TrialScan)
    return answer(TrialAnswer(scan_id=body.scan_id, is_sample=body.code == SAMPLE, server_time=now()))


class PhoneTestReport(Body):
    """What a phone could, by the names of the checks; `name` where the link is for everybody."""

    instance: Annotated[UUID, Field(strict=False)]
    name: Line = ""
    checks: dict[Annotated[str, Field(max_length=20)], bool] = Field(max_length=12)
    platform: Words = ""
    round_trip_ms: Annotated[int, Field(ge=0, le=ROUND_TRIP_MAX_MS)] | None = None


class PhoneTestTold(Shape):
    """The names of the checks that did not pass."""

    failed: list[Check]


async def tell(request: Request, door: Door) -> Response:
    link = await _link(request, door)
    body = await read_body(request, PhoneTestReport)
    if not link.volunteer and not body.name:
        raise Invalid({"name": Problem(Code.REQUIRED)})
    told = Told(body.instance, body.name, body.checks, body.platform, body.round_trip_ms)
    await phone_tests.tell(link=link, told=told, at=now())
    return answer(PhoneTestTold(failed=[one for one in Check if not body.checks.get(one.value)]))


# --- the lead's list ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkLine:
    id: int
    volunteer: str
    address: str
    until: str


@dataclass(frozen=True, slots=True)
class ResultLine:
    id: int
    name: str
    failed: str
    platform: str
    round_trip: str
    at: str
    is_good: bool


@dataclass(frozen=True, kw_only=True)
class TestsPage(DeskPage):
    template: ClassVar[str] = "checkin/desk/phone_tests.html"
    links: Sequence[LinkLine]
    results: Sequence[ResultLine]
    back: str
    action: str
    erase_href: str


async def tests_page(request: Request, door: Door) -> Response:
    at, slug, zone = datetime.now(UTC), door.event.slug, door.event.time_zone
    if request.method == "POST":
        values = typed_values(await form_data(request))
        await phone_tests.make_links(door=door, volunteers=volunteers_of(values.get("volunteers", "")), at=at)
        return render.see_other(url(PAGE, slug=slug))
    joint = "、" if i18n.current_locale() == "zh-Hans" else ", "
    page = TestsPage(
        links=[
            LinkLine(
                one.id,
                one.volunteer,
                render.absolute(url("checkin.phone_test", slug=slug, secret=one.secret)),
                render.moment(one.ends_at, zone),
            )
            for one in await phone_tests.links(door.event.id, at)
        ],
        results=[
            ResultLine(
                one.id,
                one.name,
                joint.join(i18n.gettext(CHECK_WORDS[check][0]) for check in one.failed),
                one.platform,
                "" if one.round_trip_ms is None else f"{one.round_trip_ms} ms",
                render.moment(one.tested_at, zone),
                not one.failed,
            )
            for one in await phone_tests.results(door.event.id)
        ],
        back=url("checkin.desk.devices", slug=slug),
        action=url(PAGE, slug=slug),
        erase_href=url("checkin.desk.phone_test_erasure", slug=slug),
        **frame(door, "checkin.desk.devices"),
    )
    return private(await render.page(request, page))


async def erase(request: Request, door: Door) -> Response:
    values = typed_values(await form_data(request))
    test_id, link_id = whole_id(values.get("test")), whole_id(values.get("link"))
    if test_id is not None or link_id is not None:
        await phone_tests.erase(door=door, test_id=test_id, link_id=link_id, at=datetime.now(UTC))
    return render.see_other(url(PAGE, slug=door.event.slug))


_OVER: Final = {410: (DeviceCode.TEST_LINK_OVER,)}

ROUTES: list[Entry] = [
    route("/e/{slug}/phone-test/{secret}", test_page, "checkin.phone_test", Permission.VIEW_PUBLIC),
    route(
        "/e/{slug}/api/phone-test/{secret}/scan",
        trial_scan,
        "checkin.api.phone_test_scan",
        Permission.VIEW_PUBLIC,
        ("POST",),
        api=ApiDoc(
            tag="Paired phones",
            summary="A trial scan there and back; nobody is looked up and nothing is kept.",
            answer=TrialAnswer,
            body=TrialScan,
            path={"secret": {"type": "string"}},
            refusals=_OVER,
        ),
    ),
    route(
        "/e/{slug}/api/phone-test/{secret}",
        tell,
        "checkin.api.phone_test",
        Permission.VIEW_PUBLIC,
        ("POST",),
        api=ApiDoc(
            tag="Paired phones",
            summary="Tells the lead what a phone could; the same phone again replaces it.",
            answer=PhoneTestTold,
            body=PhoneTestReport,
            path={"secret": {"type": "string"}},
            refusals=_OVER,
        ),
    ),
    route("/e/{slug}/desk/devices/tests", tests_page, PAGE, Permission.PAIR_DEVICES, ("GET", "POST")),
    route(
        "/e/{slug}/desk/devices/tests/erasure",
        erase,
        "checkin.desk.phone_test_erasure",
        Permission.PAIR_DEVICES,
        ("POST",),
    ),
]
