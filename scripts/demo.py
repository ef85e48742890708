"""The demo: COSCon'23 in Chengdu with its real dates, places and partners, and people who do not exist.

``python main.py demo`` (and ``make run``) makes it once, through the same actions that pages use. Facts about the real
conference are text from its public pages; persons, talks and figures are invented, and the event says so on each page.

Its days are long past, and still a newcomer must see green today. So gates, rooms and booths have no windows, and
lunch has a third one that is open now; dinner keeps its real evening, to show what "time is over" looks like. What needs
a day to come (registering, waiting, handing on) is tried on the next edition: ``scripts.demo_events``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from agenda import queries as agenda
from agenda import sessions
from checkin import badges, checkpoints, passports, printing
from checkin.badge_rules import Boxes, Paper, Plan
from checkin.checkpoints import NewWindow
from checkin.rules import CheckpointKind, Once, OnRepeat
from events import answers, custom_pages, event, queries, questions, registrations, tickets, venue
from events.custom_pages import PageDetails
from events.form_rules import ConsentDetails, Option, QuestionDetails
from events.importing import Action, RowPlan, Values
from events.rules import (
    Details,
    FieldKind,
    PlaceKind,
    RegistrationSource,
    RegistrationState,
    Role,
    TicketRole,
)
from events.tickets import SharedQuotaDetails, TicketTypeDetails
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Conflict
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import accounts
from scripts import demo_call, demo_events, demo_review, demo_texts
from scripts.demo_events import ZONE
from scripts.demo_people import invented
from scripts.demo_texts import both

SLUG: Final = "coscon-2023"
FIRST: Final = date(2023, 10, 28)
SECOND: Final = date(2023, 10, 29)
COLOUR: Final = "#0a5c8f"
#: The window that lets a newcomer try lunch today stays open this long.
TRIAL: Final = timedelta(days=365)

OWNER: Final = "owner@example.org"
ORGANISER: Final = "organiser@example.org"
SCANNER: Final = "scanner@example.org"
GATE_SCANNER: Final = "scanner2@example.org"
LEAD: Final = "lead@example.org"
PARTNER_DESK: Final = "partners@example.org"
VIEWER: Final = "viewer@example.org"


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What is there now. ``try_codes``: short codes to type into the scanner, each with what it shows."""

    created: bool
    registrations: int = 0
    checkpoints: int = 0
    sessions: int = 0
    try_codes: Sequence[tuple[str, str]] = field(default_factory=tuple)
    #: The partner community's link into the next edition.
    partner_link: str = ""


class _Last:
    """The report of this process's ``create``, so that ``print_where_to_look`` can name real codes."""

    report = DemoReport(created=False)


def local(day: date, clock: str) -> datetime:
    """``09:20`` on a day in Chengdu, in UTC."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(ZONE)).astimezone(UTC)


async def create(*, settings: Settings, at: datetime) -> DemoReport:
    """Makes the demo conference and the events around it; does nothing when they are complete.

    The house has to be open (``main`` does that). Each step looks at what is there already, so that a start that was
    stopped half way goes on where it was; the conference is published last. Only where codes are shown instead of
    mailed, the owner also runs the installation, to try making events.
    """
    found = await queries.find_event(SLUG)
    if demo_events.is_finished(found):
        assert found is not None
        _Last.report = await _report(found.id, created=False)
        return _Last.report
    owner_id = await accounts.create_account(email=OWNER, name="陈映川", is_admin=settings.development, at=at)
    owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id, name="陈映川", email=OWNER)
    series_id = await demo_events.make_series(owner, at)
    event_id = found.id if found else await event.create(actor=owner, facts=_details(series_id), at=at)
    if found is None or found.cover_upload_id is None:
        await demo_events.put_cover(owner, event_id, COLOUR, 2023, at)
    places = await _places(owner, event_id, at)
    types = await _ticket_types(owner, event_id, at)
    await _form(owner, event_id, at, types)
    await _pages(owner, event_id, at)
    programme = await _sessions(owner, event_id, at)
    doors = await _checkpoints(owner, event_id, at, places=places, types=types)
    await _team(owner, event_id, at, doors)
    await demo_events.next_edition(owner, event_id, at)
    await demo_call.call(owner, demo_events.NEXT, at)
    await demo_review.review(owner, demo_events.NEXT, at)
    await demo_events.earlier_years(owner, series_id, ORGANISER, at)
    await demo_events.evening(owner, ORGANISER, at)
    await demo_events.draft(owner, at)
    await _trial(owner, event_id, doors["lunch"], at)
    people = await _people(owner, event_id, at, types)
    await _badges(owner, event_id, at)
    await event.publish(actor=owner, event_id=event_id, at=at)
    made = await _report(event_id, created=True)
    _Last.report = replace(made, registrations=people, checkpoints=len(doors), sessions=len(programme))
    return _Last.report


async def _report(event_id: int, *, created: bool) -> DemoReport:
    return DemoReport(
        created=created,
        try_codes=await _codes_to_try(event_id),
        partner_link=await demo_events.partner_address(),
    )


# --- the conference ----------------------------------------------------------------------------------------------


def _details(series_id: int) -> Details:
    return Details(
        slug=SLUG,
        name=both("COSCon'23 第八届中国开源年会", "COSCon'23, the 8th China Open Source Conference"),
        tagline=both("川流不息、山海相映", "Rivers that never rest, mountains that meet the sea"),
        text=demo_texts.ABOUT,
        city=both("成都", "Chengdu"),
        address=both(
            "四川省成都市武侯区天府五街200号 菁蓉汇",
            "Jingronghui, 200 Tianfu 5th Street, Wuhou District, Chengdu",
        ),
        starts_on=FIRST,
        ends_on=SECOND,
        time_zone=ZONE,
        theme_colour=COLOUR,
        series_id=series_id,
        registration_closes_at=local(FIRST, "18:00"),
        contact_email="hello@example.org",
        contact=both("微信公众号：开源社（示例）", "On WeChat: KAIYUANSHE (sample)"),
        privacy_notice=demo_texts.PRIVACY,
        is_sample=True,
    )


#: code, parent, kind, zh, en, capacity; parents come first.
_PLACES: Final[Sequence[tuple[str, str, PlaceKind, str, str, int | None]]] = (
    ("venue", "", PlaceKind.VENUE, "菁蓉汇", "Jingronghui", None),
    ("gate-north", "venue", PlaceKind.EXIT, "北门", "North gate", None),
    ("gate-south", "venue", PlaceKind.EXIT, "南门", "South gate", None),
    ("gate-speakers", "venue", PlaceKind.EXIT, "讲师入口", "Speakers' entrance", None),
    ("b7", "venue", PlaceKind.BUILDING, "7 栋", "Building 7", None),
    ("b7-f1", "b7", PlaceKind.FLOOR, "一层", "Ground floor", None),
    ("main", "b7-f1", PlaceKind.ROOM, "菁蓉汇永久会场主会场", "Main hall", 600),
    ("welcome", "b7-f1", PlaceKind.DESK, "签到处", "Welcome desk", None),
    ("speakers", "b7-f1", PlaceKind.ROOM, "讲师休息室", "Speakers' room", 30),
    ("toilet-1", "b7-f1", PlaceKind.TOILET, "一层洗手间", "Toilets, ground floor", None),
    ("b7-f2", "b7", PlaceKind.FLOOR, "二层", "First floor", None),
    ("forum-a", "b7-f2", PlaceKind.ROOM, "分会场 A", "Forum room A", 150),
    ("forum-b", "b7-f2", PlaceKind.ROOM, "分会场 B", "Forum room B", 120),
    ("forum-c", "b7-f2", PlaceKind.ROOM, "分会场 C", "Forum room C", 120),
    ("toilet-2", "b7-f2", PlaceKind.TOILET, "二层洗手间", "Toilets, first floor", None),
    ("b6", "venue", PlaceKind.BUILDING, "6 栋", "Building 6", None),
    ("forum-d", "b6", PlaceKind.ROOM, "分会场 D", "Forum room D", 80),
    ("forum-e", "b6", PlaceKind.ROOM, "分会场 E", "Forum room E", 80),
    ("workshop", "b6", PlaceKind.ROOM, "工作坊教室", "Workshop room", 30),
    ("canteen", "b6", PlaceKind.ROOM, "餐厅", "Canteen", 400),
    ("lawn", "venue", PlaceKind.AREA, "开源集市（草坪）", "Open-source bazaar (lawn)", 500),
    ("stage", "lawn", PlaceKind.STAGE, "集市舞台", "Bazaar stage", None),
    ("teahouse", "lawn", PlaceKind.BOOTH, "开源茶馆", "Open-source tea house", 24),
    ("giftwall", "lawn", PlaceKind.DESK, "礼品墙", "Gift wall", None),
    ("claw", "lawn", PlaceKind.BOOTH, "抓娃娃机", "Claw machine", None),
    *(
        (
            f"booth-{number:02}",
            "lawn",
            PlaceKind.BOOTH,
            f"社区展位 {number:02}",
            f"Community booth {number:02}",
            None,
        )
        for number in range(1, 13)
    ),
)


async def _places(owner: Actor, event_id: int, at: datetime) -> Mapping[str, int]:
    ids = {place.code: place.id for place in await queries.places(event_id)}
    for position, (code, parent, kind, zh, en, capacity) in enumerate(_PLACES):
        if code not in ids:
            ids[code] = await venue.add_place(
                event_id=event_id,
                code=code,
                kind=kind,
                name=both(zh, en),
                parent_id=ids[parent] if parent else None,
                capacity=capacity,
                position=position,
                actor=owner,
                at=at,
            )
    return ids


#: code, zh, en, note zh, note en, quota, how many of the 1,200 people
_TYPES: Final[Sequence[tuple[str, str, str, str, str, int | None, int]]] = (
    ("standard", "普通票", "Attendee", "蓝色挂绳 · 资料袋一份", "Blue lanyard · one kit", 800, 500),
    ("workshop", "工作坊套票", "With workshop", "蓝色挂绳 · 资料袋一份 · 请带电脑", "Blue lanyard · one kit · bring the laptop", 30, 30),
    ("student", "学生票", "Student", "绿色挂绳 · 请看学生证 · 资料袋一份", "Green lanyard · check the student card · one kit", 300, 210),
    ("community", "社区票", "Community", "蓝色挂绳 · 资料袋一份", "Blue lanyard · one kit", 150, 30),
    ("speaker", "讲师", "Speaker", "红色挂绳 · 讲师礼包 · 请带到讲师休息室", "Red lanyard · speaker's kit · walk them to the speakers' room", 130, 96),
    ("volunteer", "志愿者", "Volunteer", "橙色挂绳 · 马甲 · 找组长报到", "Orange lanyard · vest · report to the team lead", 160, 140),
    ("partner", "赞助商与伙伴", "Partner", "紫色挂绳 · 展位在草坪集市", "Purple lanyard · booths are on the lawn", 120, 70),
    ("media", "媒体", "Media", "黄色挂绳 · 媒体手册", "Yellow lanyard · press kit", 40, 24),
    ("online", "线上票", "Online", "线上票不能入场；要现场票请到签到处", "Online only; for a ticket on site please go to the welcome desk", None, 100),
)  # fmt: skip
#: What differs from a plain ticket type that only organisers give. Students' closes a week before the conference.
_TYPES_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "standard": {
        "is_public": True,
        "has_waitlist": True,
        "is_walk_in": True,
        "description": both("两天的主论坛、分论坛与开源集市", "Both days: main forum, forums and the bazaar"),
    },
    "workshop": {
        "is_public": True,
        "has_waitlist": True,
        "description": both(
            "普通票的全部内容，加一场两小时的动手工作坊", "All of the above, and two hours of hands-on work"
        ),
    },
    "student": {
        "is_public": True,
        "needs_approval": True,
        "closes_at": local(FIRST - timedelta(days=7), "23:59"),
        "role": TicketRole.STUDENT,
        "is_walk_in": True,
        "description": both(
            "提交后由组织者审核，入场请带学生证", "An organiser decides; bring your student card"
        ),
    },
    "community": {
        "is_public": True,
        "needs_code": True,
        "description": both(
            "伙伴社区的成员凭邀请码报名", "For members of partner communities, with their code"
        ),
    },
    "speaker": {"role": TicketRole.SPEAKER},
    "volunteer": {"role": TicketRole.VOLUNTEER},
    "partner": {"role": TicketRole.SPONSOR},
    "media": {"role": TicketRole.MEDIA, "needs_approval": True},
    "online": {
        "is_public": True,
        "is_online": True,
        "description": both("看直播，不占会场座位", "The live stream; takes no seat"),
    },
}
#: Those who sit in the main hall share its seats.
_SEATED: Final = ("standard", "workshop", "student", "community")


async def _form(owner: Actor, event_id: int, at: datetime, types: Mapping[str, int]) -> None:
    """Some questions that nobody has to answer, a consent that nobody has to give and one that is short and needed."""
    known = {one.code for one in await answers.questions(event_id, everything=True)}
    for code, kind, label, options, asked in _QUESTIONS:
        if code not in known:
            details = QuestionDetails(
                code=code,
                kind=kind,
                label=label,
                options=tuple(Option(name, words) for name, words in options),
                is_personal=kind is FieldKind.FILE,
                ticket_type_ids=frozenset(types[one] for one in asked),
            )
            await questions.add(actor=owner, event_id=event_id, details=details, at=at)
    agreed = {one.code for one in await answers.consent_texts(event_id, everything=True)}
    for wanted in (
        ConsentDetails(
            code="conduct", title=demo_texts.PROMISE, text=demo_texts.PROMISE_TEXT, is_required=True
        ),
        ConsentDetails(code="photos", title=demo_texts.PHOTOS, text=demo_texts.PHOTOS_TEXT),
    ):
        if wanted.code not in agreed:
            await questions.add_consent(actor=owner, event_id=event_id, details=wanted, at=at)


_FORUMS: Final = (
    ("business", both("开源商业", "Open source business")),
    ("web", both("Web 应用开发", "Web development")),
    ("toolbox", both("开源百宝箱", "The open source toolbox")),
    ("hardware", both("开源硬件", "Open hardware")),
    ("youth", both("青少年开源教育", "Open source for young people")),
)
#: code, kind, label, options, ticket types that are asked (none: all)
_QUESTIONS: Final[
    Sequence[tuple[str, FieldKind, LocalizedText, Sequence[tuple[str, LocalizedText]], Sequence[str]]]
] = (
    (
        "tshirt",
        FieldKind.CHOOSE_ONE,
        both("T 恤尺码", "T-shirt size"),
        tuple((size, LocalizedText({"zh-Hans": size})) for size in ("S", "M", "L", "XL", "XXL")),
        ("standard", "workshop", "student", "community"),
    ),
    (
        "forums",
        FieldKind.CHOOSE_MANY,
        both("想听的分论坛", "Forums that you would like to hear"),
        _FORUMS,
        (),
    ),
    (
        "dinner",
        FieldKind.YES_NO,
        both("参加 28 日的开源之夜晚餐", "I come to the dinner of the first evening"),
        (),
        ("standard", "workshop", "student", "community"),
    ),
    ("hope", FieldKind.LINE, both("最想在大会上听到什么？", "What do you most hope to hear?"), (), ()),
    ("card", FieldKind.FILE, both("学生证照片", "A picture of your student card"), (), ("student",)),
)


async def _pages(owner: Actor, event_id: int, at: datetime) -> None:
    """Pages of the organisers' own."""
    known = {one.slug for one in await custom_pages.listed(event_id)}
    for position, (slug, title, text) in enumerate(
        (
            ("travel", both("怎么来", "Getting there"), demo_texts.TRAVEL),
            ("code-of-conduct", both("行为准则", "Code of conduct"), demo_texts.CONDUCT),
            ("questions", both("常见问题", "Questions and answers"), demo_texts.QUESTIONS),
        )
    ):
        if slug not in known:
            details = PageDetails(slug=slug, title=title, text=text, is_published=True, position=position)
            await custom_pages.add(actor=owner, event_id=event_id, details=details, at=at)


async def _ticket_types(owner: Actor, event_id: int, at: datetime) -> Mapping[str, int]:
    ids = dict(await demo_events.types_of(event_id))
    make: dict[str, Any] = {"actor": owner, "event_id": event_id, "at": at}
    seats = next((one.id for one in await tickets.shared_quotas(event_id)), None)
    if seats is None:
        hall = SharedQuotaDetails(name=both("主会场座位", "Seats of the main hall"), quota=1_000)
        seats = await tickets.add_shared_quota(**make, details=hall)
    for position, (code, zh, en, note_zh, note_en, quota, _) in enumerate(_TYPES):
        if code not in ids:
            plain: dict[str, Any] = {
                "code": code,
                "name": both(zh, en),
                "door_note": both(note_zh, note_en),
                "quota": quota,
                "position": position,
                "is_public": False,
                "shared_quota_id": seats if code in _SEATED else None,
            }
            details = TicketTypeDetails(**plain | dict(_TYPES_MORE[code]))
            ids[code] = await tickets.add(**make, details=details)
    await demo_events.access_codes(owner, event_id, ids, at)
    return ids


# --- the programme -----------------------------------------------------------------------------------------------


def _programme() -> Iterator[tuple[date, str, str, str, str, str, str]]:
    """Day, from, to, place, kind, zh, en. Times and forums are real where they are known, titles are generic."""
    yield FIRST, "09:00", "09:20", "main", "ceremony", "开幕式", "Opening"
    starts = local(FIRST, "09:20").astimezone(ZoneInfo(ZONE))
    for number in range(1, 6):
        begins, ends = starts + timedelta(minutes=20 * (number - 1)), starts + timedelta(minutes=20 * number)
        yield (
            FIRST,
            f"{begins:%H:%M}",
            f"{ends:%H:%M}",
            "main",
            "talk",
            f"主旨演讲 {number}",
            f"Keynote {number}",
        )
    yield FIRST, "11:00", "12:00", "main", "panel", "圆桌：国际开源社区", "Panel: international communities"
    forums = (
        ("forum-a", "开源商业", "Open source business"),
        ("forum-b", "Web 应用开发", "Web development"),
        ("forum-c", "开源百宝箱", "The open source toolbox"),
        ("forum-d", "开源硬件", "Open hardware"),
        ("forum-e", "青少年开源教育", "Open source for young people"),
    )
    for day, slots in (
        (FIRST, (("13:30", "14:10"), ("14:20", "15:00"))),
        (SECOND, (("09:30", "10:10"),)),
    ):
        for place, zh, en in forums:
            for number, (begins_at, ends_at) in enumerate(slots, start=1 if day == FIRST else 3):
                yield day, begins_at, ends_at, place, "talk", f"{zh}：分享 {number}", f"{en}: talk {number}"
    yield (
        FIRST,
        "15:10",
        "17:10",
        "workshop",
        "workshop",
        "动手工作坊（请带电脑）",
        "Workshop (bring a laptop)",
    )
    yield FIRST, "18:00", "20:30", "lawn", "break", "开源之夜", "Open-source night"
    yield SECOND, "13:30", "15:00", "main", "lightning", "闪电演讲", "Lightning talks"
    yield SECOND, "16:30", "17:00", "main", "ceremony", "闭幕式", "Closing"


async def _sessions(owner: Actor, event_id: int, at: datetime) -> Mapping[str, int]:
    """Session ids by their English titles."""
    if not await agenda.sessions(event_id):
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(
            ["guid", "title.zh-Hans", "title.en", "kind", "place", "starts_at", "ends_at", "speakers"]
        )
        for day, begins, ends, place, kind, zh, en in _programme():
            guid = uuid5(NAMESPACE_URL, f"{SLUG}/{day}/{begins}/{place}")
            rows.writerow([guid, zh, en, kind, place, f"{day} {begins}", f"{day} {ends}", ""])
        report = await sessions.import_csv(
            actor=SYSTEM, event_id=event_id, filename="programme.csv", data=table.getvalue().encode(), at=at
        )
        assert not report.problems, report.problems
    return {one.title.in_("en"): one.id for one in await agenda.sessions(event_id)}


# --- the door ----------------------------------------------------------------------------------------------------


async def _checkpoints(
    owner: Actor,
    event_id: int,
    at: datetime,
    *,
    places: Mapping[str, int],
    types: Mapping[str, int],
) -> Mapping[str, int]:
    """Twelve: gates that share one list a day, doors that count exits, booths once, meals that refuse repeats."""
    ids = {view.code: view.facts.id for view in (await checkpoints.read_world(event_id)).checkpoints.values()}
    on_site = [types[code] for code, *_ in _TYPES if code != "online"]

    async def add(
        code: str,
        kind: CheckpointKind,
        zh: str,
        en: str,
        place: str,
        *,
        exits: bool = False,
        capacity: int | None = None,
        once: Once | None = None,
        on_repeat: OnRepeat | None = None,
        lane_of: str = "",
        only: Sequence[int] = (),
        windows: Sequence[NewWindow] = (),
    ) -> None:
        position = len(order)
        order.append(code)
        if code in ids:
            return
        ids[code] = await checkpoints.add(
            actor=owner,
            event_id=event_id,
            code=code,
            kind=kind,
            name=both(zh, en),
            at=at,
            once=once,
            on_repeat=on_repeat,
            scans_exits=exits,
            capacity=capacity,
            place_id=places[place],
            windows=windows,
            ticket_type_ids=only,
            shares_list_of=ids[lane_of] if lane_of else None,
            position=position,
        )

    order: list[str] = []
    gate, room, booth, meal = (
        CheckpointKind.GATE,
        CheckpointKind.SESSION,
        CheckpointKind.BOOTH,
        CheckpointKind.MEAL,
    )
    speakers = [types[code] for code in ("speaker", "media", "volunteer")]
    await add("north", gate, "北门", "North gate", "gate-north", exits=True, only=on_site)
    await add("south", gate, "南门", "South gate", "gate-south", exits=True, only=on_site, lane_of="north")
    await add(
        "speakers",
        gate,
        "讲师入口",
        "Speakers' entrance",
        "gate-speakers",
        exits=True,
        only=speakers,
        lane_of="north",
    )
    await add("main", room, "主会场门", "Main hall", "main", once=Once.DAY, exits=True, capacity=600)
    # Follows the programme of its room: whoever comes in counts for the session that is on.
    await add("forum-a", room, "分会场 A 门", "Forum room A", "forum-a", exits=True, capacity=150)
    await add("workshop", room, "工作坊门", "Workshop", "workshop", once=Once.DAY, exits=True, capacity=30)
    await add("teahouse", booth, "开源茶馆", "Tea house", "teahouse")
    await add("hardware", booth, "开源硬件展位", "Open hardware booth", "booth-01")
    await add("claw", booth, "抓娃娃机", "Claw machine", "claw", on_repeat=OnRepeat.REFUSE)
    await add("kit", booth, "资料袋领取", "Kits", "welcome", on_repeat=OnRepeat.REFUSE, only=on_site)
    await add(
        "lunch",
        meal,
        "午餐",
        "Lunch",
        "canteen",
        only=on_site,
        windows=(
            NewWindow(local(FIRST, "11:45"), local(FIRST, "13:30"), both("28 日午餐", "Lunch on the 28th")),
            NewWindow(local(SECOND, "11:45"), local(SECOND, "13:30"), both("29 日午餐", "Lunch on the 29th")),
        ),
    )
    await add(
        "dinner",
        meal,
        "开源之夜晚餐",
        "Open-source night, dinner",
        "lawn",
        only=on_site,
        windows=(
            NewWindow(local(FIRST, "18:00"), local(FIRST, "20:30"), both("28 日晚餐", "Dinner on the 28th")),
        ),
    )
    return {code: ids[code] for code in order}


async def _trial(owner: Actor, event_id: int, lunch_id: int, at: datetime) -> None:
    """Lunch gets its third window, open now; after the copy was made, which needs none."""
    view = (await checkpoints.read_world(event_id)).checkpoints[lunch_id]
    facts = view.facts
    windows = [
        NewWindow(window.opens_at, window.closes_at, name)
        for window, name in zip(facts.windows, view.window_names, strict=True)
    ]
    if len(windows) > 2:
        return
    await checkpoints.change(
        actor=owner,
        event_id=event_id,
        checkpoint_id=lunch_id,
        at=at,
        name=view.name,
        once=facts.once,
        on_repeat=facts.on_repeat,
        is_open=facts.is_open,
        scans_exits=facts.scans_exits,
        capacity=facts.capacity,
        place_id=view.place_id,
        session_id=view.session_id,
        windows=[*windows, NewWindow(at - timedelta(days=1), at + TRIAL, both("试用", "Trial"))],
        ticket_type_ids=facts.ticket_types,
    )


# --- people ------------------------------------------------------------------------------------------------------


async def _team(owner: Actor, event_id: int, at: datetime, doors: Mapping[str, int]) -> None:
    """Somebody for each role; the second scanner may scan at the north gate and at lunch only."""
    for email, name, role, scopes in (
        (ORGANISER, "何映雪", Role.ORGANISER, ()),
        (SCANNER, "林小满", Role.SCANNER, ()),
        (GATE_SCANNER, "Joana Costa", Role.SCANNER, ("north", "lunch")),
        (LEAD, "谭小乐", Role.VOLUNTEER_LEAD, ()),
        (PARTNER_DESK, "余青禾", Role.PARTNER_DESK, ()),
        (VIEWER, "Mei Kim", Role.VIEWER, ()),
    ):
        account_id = await accounts.create_account(email=email, name=name, is_admin=False, at=at)
        for scope in scopes or ("",):
            try:
                await event.grant(
                    actor=owner,
                    event_id=event_id,
                    account_id=account_id,
                    role=role,
                    at=at,
                    scope_kind="checkpoint" if scope else "",
                    scope_id=doors[scope] if scope else 0,
                )
            except Conflict:
                continue  # held since an earlier start


def _state(number: int, code: str) -> RegistrationState:
    """Most are confirmed; some of the public ticket types are not."""
    if code == "student" and number % 13 == 0:
        return RegistrationState.DECLINED if number % 2 else RegistrationState.PENDING
    if code in ("standard", "student"):
        if number % 23 == 0:
            return RegistrationState.CANCELLED
        if number % 67 == 0:
            return RegistrationState.WAITLISTED
        if number % 149 == 0:
            return RegistrationState.OFFERED
    return RegistrationState.CONFIRMED


def _source(number: int, code: str) -> RegistrationSource:
    """Most came by the form, every tenth by another shop's list, some at the door; speakers and helpers by the team."""
    if number % 10 == 0:
        return RegistrationSource.IMPORT
    if code == "standard" and number % 29 == 0:
        return RegistrationSource.WALK_IN
    return (
        RegistrationSource.FORM if _TYPES_MORE[code].get("is_public", False) else RegistrationSource.ORGANISER
    )


async def _people(owner: Actor, event_id: int, at: datetime, types: Mapping[str, int]) -> int:
    """1,200 registrations over the eight weeks before the conference, in an order that mixes the ticket types."""
    codes = [code for code, *_, count in _TYPES for _ in range(count)]
    # A stride without a common factor visits each once: mixed, and the same each time.
    mixed = [codes[index * 509 % len(codes)] for index in range(len(codes))]
    first, doors = local(FIRST, "08:00") - timedelta(weeks=8), local(FIRST, "08:20")
    step = timedelta(weeks=8) / len(codes)
    asked = {one.code: one.id for one in await answers.questions(event_id)}
    rows: dict[RegistrationSource, list[RowPlan]] = {}
    for number, (code, person) in enumerate(zip(mixed, invented(len(codes)), strict=True), start=1):
        source = _source(number, code)
        came_in = source is RegistrationSource.WALK_IN
        row = RowPlan(
            line=number,
            action=Action.CREATE,
            values=Values(
                name=person.name,
                badge_name=person.badge_name,
                english_name=person.english_name,
                email=person.email,
                phone=person.phone,
                organisation=person.organisation,
                position=person.position,
                locale=person.locale,
                ticket_type_id=types[code],
                external_id=f"DEMO-{number:04}",
                # Some came through another shop, whose codes scanners take as well.
                external_code=f"BG{20230000 + number}" if number % 10 == 0 else None,
                state=RegistrationState.CONFIRMED if came_in else _state(number, code),
                registered_at=doors + timedelta(minutes=number % 90) if came_in else first + step * number,
                answers=_answers(number, code, asked) if source is RegistrationSource.FORM else None,
            ),
        )
        rows.setdefault(source, []).append(row)
    made = 0
    for source, part in sorted(rows.items()):
        applied = await registrations.apply_rows(
            event_id=event_id,
            rows=part,
            source=source,
            at=at,
            actor=owner,
            request_id=demo_events.request_id(SLUG, event_id, source),
        )
        made += applied.created
    return made


def _answers(number: int, code: str, asked: Mapping[str, int]) -> tuple[tuple[int, Any], ...]:
    """What most of those who came by the form said; some left a question out."""
    said: list[tuple[int, Any]] = []
    if code in _SEATED and number % 7:
        said.append((asked["tshirt"], ("M", "L", "L", "XL", "S", "M", "XXL")[number * 5 % 7]))
        said.append((asked["dinner"], number % 3 != 0))
    if number % 4:
        picks = [_FORUMS[number % 5][0], _FORUMS[number * 3 % 5][0]]
        said.append((asked["forums"], sorted(set(picks))))
    return tuple(said)


async def _badges(owner: Actor, event_id: int, at: datetime) -> None:
    """Numbers in pinyin order, a hundred badges a box, and a station to print those of the door."""
    plan = Plan(boxes=Boxes.LETTERS, per_box=100)
    await badges.assign(actor=owner, event_id=event_id, plan=plan, at=at)
    if not await printing.stations(event_id):
        await printing.save(
            actor=owner,
            event_id=event_id,
            station_id=None,
            name="胸牌 1 号台 Badge desk 1",
            layout=printing.Layout(paper=Paper.A6),
            at=at,
        )


async def _codes_to_try(event_id: int) -> Sequence[tuple[str, str]]:
    """A few short codes that show something different at the north gate, with what it is."""
    wanted = {
        "a speaker": ("speaker", RegistrationState.CONFIRMED),
        "an attendee": ("standard", RegistrationState.CONFIRMED),
        "a cancelled registration": ("standard", RegistrationState.CANCELLED),
        "an online ticket": ("online", RegistrationState.CONFIRMED),
    }
    types = {one.id: one.code for one in await queries.ticket_types(event_id)}
    rows = await queries.export_rows(event_id, limit=2_000)
    chosen = {}
    for words, (code, state) in wanted.items():
        found = next(
            (row for row in rows if types.get(row.ticket_type_id) == code and row.state is state), None
        )
        if found is not None:
            chosen[found.id] = words
    views = await passports.by_registration(chosen)
    return [(words, views[number].short_code) for number, words in chosen.items() if number in views]


# --- where to look -----------------------------------------------------------------------------------------------


def print_where_to_look(settings: Settings) -> str:
    """What ``make run`` prints: addresses, and how to sign in as each role."""
    site = settings.base_url
    conference, upcoming = f"{site}/e/{SLUG}", f"{site}/e/{demo_events.NEXT}"
    how = (
        f"Sign in with one of these addresses and open the page; the code is at {site}/dev/codes and in this log."
        if settings.development
        else "Sign in with one of these addresses and open the page (with HUIWU_DEVELOPMENT=1 the codes are shown)."
    )
    lines = [
        "",
        "Huiwu 会务 is ready, with sample events.",
        "",
        f"  all events    {site}/",
        f"  sign in       {site}/sign-in",
        "",
        "COSCon'23, to scan and to look around as an organiser:",
        f"  its page      {conference}",
        f"  scanner       {conference}/scan",
        f"  live board    {conference}/live",
        f"  organisers    {conference}/desk",
        "",
        "The next edition, to register, wait, be approved, hand on:",
        f"  register      {upcoming}/register            several people: {upcoming}/register/group",
        f"  organisers    {upcoming}/desk",
    ]
    if _Last.report.partner_link:
        lines.append(f"  a partner     {_Last.report.partner_link}")
    lines += [
        "",
        f"A meet-up with a list to tick off: {site}/e/{demo_events.MEETUP}/desk/arrivals",
        "",
        how,
        *(f"  {email:24} {site + path:{len(site) + 32}} {words}" for email, path, words in _WHO),
        "",
    ]
    if _Last.report.try_codes:
        lines.append("Type these into the scanner at the north gate:")
        lines += [f"  {code[:4]} {code[4:]}   {words}" for words, code in _Last.report.try_codes]
        lines.append("")
    return "\n".join(lines)


#: Who, what to open first, what they may.
_WHO: Final = (
    (OWNER, f"/e/{SLUG}/desk", "everything: roles, identity documents, new events"),
    (ORGANISER, f"/e/{demo_events.NEXT}/desk/approvals", "everything but roles"),
    (SCANNER, f"/e/{SLUG}/scan", "scans everywhere, registers people at the door"),
    (GATE_SCANNER, f"/e/{SLUG}/scan", "scans at the north gate and at lunch only"),
    (LEAD, f"/e/{SLUG}/walk-in", "leads volunteers: the door, and the live board"),
    (PARTNER_DESK, f"/e/{demo_events.NEXT}/desk/partners", "partners' and teachers' links"),
    (VIEWER, f"/e/{demo_events.NEXT}/desk/statistics", "the live board and numbers, no names"),
    (demo_call.SPEAKER, f"/e/{demo_events.NEXT}/cfp/own", "has a proposal of their own, still a draft"),
    (demo_review.REVIEWER, f"/e/{demo_events.NEXT}/desk/review", "reviews proposals without seeing names"),
    (demo_events.VISITOR, f"/e/{demo_events.NEXT}/me", "comes: change, hand on or cancel it"),
    (demo_events.WAITING, f"/e/{demo_events.NEXT}/me", "has been offered a place from the waiting list"),
)
