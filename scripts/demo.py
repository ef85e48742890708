"""The demo conference: COSCon'23 in Chengdu with its real dates, places and partners, and people who do not exist.

``python main.py demo`` (and ``make run``) makes it once, through the same actions that pages use. Facts about the real
conference are text from its public pages; persons, talks and figures are invented, and the event says so on each page.

Its days are long past, and still a newcomer must see green today. So gates, rooms and booths have no windows, and
lunch has a third one that is open now; dinner keeps its real evening, to show what "time is over" looks like.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from agenda import queries as agenda
from agenda import sessions
from checkin import checkpoints, passports
from checkin.checkpoints import NewWindow
from checkin.rules import CheckpointKind, Once, OnRepeat
from events import event, queries, registrations, venue
from events.event import Details, TicketTypeDetails
from events.importing import Action, RowPlan, Values
from events.rules import EventState, PlaceKind, RegistrationSource, RegistrationState, Role
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Conflict
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import accounts
from scripts.demo_people import invented

SLUG: Final = "coscon-2023"
MEETUP: Final = "chengdu-open-night"
ZONE: Final = "Asia/Shanghai"
FIRST: Final = date(2023, 10, 28)
SECOND: Final = date(2023, 10, 29)
#: The window that lets a newcomer try lunch today stays open this long.
TRIAL: Final = timedelta(days=365)

OWNER: Final = "owner@example.org"
ORGANISER: Final = "organiser@example.org"
SCANNER: Final = "scanner@example.org"
GATE_SCANNER: Final = "scanner2@example.org"


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What is there now. ``try_codes``: short codes to type into the scanner, each with what it shows."""

    created: bool
    registrations: int = 0
    checkpoints: int = 0
    sessions: int = 0
    try_codes: Sequence[tuple[str, str]] = field(default_factory=tuple)


class _Last:
    """The report of this process's ``create``, so that ``print_where_to_look`` can name real codes."""

    report = DemoReport(created=False)


def both(zh: str, en: str) -> LocalizedText:
    return LocalizedText({"zh-Hans": zh, "en": en})


def local(day: date, clock: str) -> datetime:
    """``09:20`` on a day in Chengdu, in UTC."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(ZONE)).astimezone(UTC)


async def create(*, settings: Settings, at: datetime) -> DemoReport:
    """Makes the demo conference and a small draft beside it; does nothing when it is complete.

    The house has to be open (``main`` does that). Each step looks at what is there already, so that a start that was
    stopped half way goes on where it was; the conference is published last.
    """
    del settings
    found = await queries.find_event(SLUG)
    if found is not None and found.state is not EventState.DRAFT:
        _Last.report = DemoReport(created=False, try_codes=await _codes_to_try(found.id))
        return _Last.report
    owner_id = await accounts.create_account(email=OWNER, name="陈映川", is_admin=False, at=at)
    owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id)
    event_id = found.id if found else await event.create(actor=owner, facts=_details(), at=at)
    places = await _places(owner, event_id, at)
    types = await _ticket_types(owner, event_id, at)
    programme = await _sessions(owner, event_id, at)
    doors = await _checkpoints(owner, event_id, at, places=places, types=types, programme=programme)
    await _team(owner, event_id, at, doors)
    people = await _people(owner, event_id, at, types)
    await event.publish(actor=owner, event_id=event_id, at=at)
    await _meetup(owner, at)
    _Last.report = DemoReport(
        created=True,
        registrations=people,
        checkpoints=len(doors),
        sessions=len(programme),
        try_codes=await _codes_to_try(event_id),
    )
    return _Last.report


# --- the conference ----------------------------------------------------------------------------------------------

_ABOUT_ZH: Final = """\
> **这是示例数据。** 活动名称、日期、地点和合作伙伴取自第八届中国开源年会的公开资料，人物、议程题目和数字都是虚构的。活动日期已过，但入口、会场门和展位今天仍可扫码；午餐另开了一个今天可用的“试用”时段，晚餐保留真实时段，用来演示“已过时间”。

## 川流不息、山海相映

2023 年 10 月 28 日至 29 日（周六、周日），成都菁蓉汇。山，是主论坛与分论坛的登高；海，是草坪上开源集市的热闹。

- **主论坛**：28 日 09:00 开幕，随后是每场 20 分钟的主旨演讲，11:00 圆桌谈国际开源社区
- **分论坛**：开源商业、Web 应用开发、开源百宝箱、开源硬件、青少年开源教育
- **开源集市**：草坪上的社区展位、开源茶馆、礼品墙、抓娃娃机

## 怎么来

四川省成都市武侯区天府五街 200 号（高新区）菁蓉汇，主会场在 7 栋。

## 合作伙伴

- **指导单位**：成都高新区科技创新局
- **协办单位**：电子科技大学、成都傲世信息技术有限公司、中韩未来革新加速器
- **白金赞助**：浪潮、华为
- **金牌赞助**：GOSIM
- **银牌赞助**：NEAR、亚马逊云科技、OceanBase、麒麟软件、蚂蚁开源
- **铜牌赞助**：Seafile、迪码科技、云启资本、ONLYOFFICE
- **星牌赞助**：Redoop、Zilliz、安势信息、Greptime、醋溜科技
- **特别支持**：百度
- 以及多位个人赞助者
"""

_ABOUT_EN: Final = """\
> **This is sample data.** Name, dates, places and partners come from the public pages of the 8th China Open Source Conference; people, talks and figures are invented. The days are past, yet gates, rooms and booths can be scanned today; lunch has a trial window that is open now, and dinner keeps its real evening to show what "time is over" looks like.

## Rivers that never rest, mountains that meet the sea

28 and 29 October 2023, Saturday and Sunday, at Jingronghui in Chengdu. The mountains are the main forum and the themed forums; the sea is the open-source bazaar on the lawn.

- **Main forum**: opening on the 28th at 09:00, keynotes of 20 minutes, at 11:00 a panel on international communities
- **Forums**: open source business, web development, the open source toolbox, open hardware, open source for young people
- **Bazaar**: community booths on the lawn, the tea house, the gift wall, the claw machine

## How to get there

Jingronghui, 200 Tianfu 5th Street, Wuhou District, Chengdu, Sichuan; the main hall is in building 7.

## Partners

- **Guidance**: 成都高新区科技创新局
- **Co-organisers**: 电子科技大学 (UESTC), 成都傲世信息技术有限公司, 中韩未来革新加速器
- **Platinum**: 浪潮 (Inspur), 华为 (Huawei)
- **Gold**: GOSIM
- **Silver**: NEAR, 亚马逊云科技 (AWS), OceanBase, 麒麟软件 (KylinSoft), 蚂蚁开源 (Ant Group Open Source)
- **Bronze**: Seafile, 迪码科技, 云启资本, ONLYOFFICE
- **Star**: Redoop, Zilliz, 安势信息, Greptime, 醋溜科技
- **Special support**: 百度 (Baidu)
- and personal sponsors
"""


def _details() -> Details:
    return Details(
        slug=SLUG,
        name=both("COSCon'23 第八届中国开源年会", "COSCon'23, the 8th China Open Source Conference"),
        tagline=both("川流不息、山海相映", "Rivers that never rest, mountains that meet the sea"),
        text=both(_ABOUT_ZH, _ABOUT_EN),
        city=both("成都", "Chengdu"),
        address=both(
            "四川省成都市武侯区天府五街200号 菁蓉汇",
            "Jingronghui, 200 Tianfu 5th Street, Wuhou District, Chengdu",
        ),
        starts_on=FIRST,
        ends_on=SECOND,
        time_zone=ZONE,
        theme_colour="#0a5c8f",
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


#: code, zh, en, note zh, note en, quota, on the public form, online, how many of the 1,200 people
_TYPES: Final[Sequence[tuple[str, str, str, str, str, int | None, bool, bool, int]]] = (
    ("standard", "普通票", "Attendee", "蓝色挂绳 · 资料袋一份", "Blue lanyard · one kit", 800, True, False, 560),
    ("student", "学生票", "Student", "绿色挂绳 · 请看学生证 · 资料袋一份", "Green lanyard · check the student card · one kit", 300, True, False, 210),
    ("speaker", "讲师", "Speaker", "红色挂绳 · 讲师礼包 · 请带到讲师休息室", "Red lanyard · speaker's kit · walk them to the speakers' room", 130, False, False, 96),
    ("volunteer", "志愿者", "Volunteer", "橙色挂绳 · 马甲 · 找组长报到", "Orange lanyard · vest · report to the team lead", 160, False, False, 140),
    ("partner", "赞助商与伙伴", "Partner", "紫色挂绳 · 展位在草坪集市", "Purple lanyard · booths are on the lawn", 120, False, False, 70),
    ("media", "媒体", "Media", "黄色挂绳 · 媒体手册", "Yellow lanyard · press kit", 40, False, False, 24),
    ("online", "线上票", "Online", "线上票不能入场；要现场票请到签到处", "Online only; for a ticket on site please go to the welcome desk", None, True, True, 100),
)  # fmt: skip


async def _ticket_types(owner: Actor, event_id: int, at: datetime) -> Mapping[str, int]:
    ids = {one.code: one.id for one in await queries.ticket_types(event_id)}
    for position, (code, zh, en, note_zh, note_en, quota, is_public, is_online, _) in enumerate(_TYPES):
        if code not in ids:
            details = TicketTypeDetails(
                code=code,
                name=both(zh, en),
                door_note=both(note_zh, note_en),
                quota=quota,
                is_public=is_public,
                is_online=is_online,
                position=position,
            )
            ids[code] = await event.add_ticket_type(actor=owner, event_id=event_id, details=details, at=at)
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
    programme: Mapping[str, int],
) -> Mapping[str, int]:
    """Twelve: gates that share one list a day, doors that count exits, booths once, meals that refuse repeats."""
    ids = {view.code: view.facts.id for view in (await checkpoints.read_world(event_id)).checkpoints.values()}
    on_site = [types[code] for code in ("standard", "student", "speaker", "volunteer", "partner", "media")]

    async def add(
        code: str,
        kind: CheckpointKind,
        zh: str,
        en: str,
        place: str,
        *,
        session: str = "",
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
            session_id=programme[session] if session else None,
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
    # Most rooms count by the day: a door that belongs to a session shows as closed once that session is over.
    await add("main", room, "主会场门", "Main hall", "main", once=Once.DAY, exits=True, capacity=600)
    forum = "Open source business: talk 1"
    await add(
        "forum-a", room, "分会场 A 门", "Forum room A", "forum-a", session=forum, exits=True, capacity=150
    )
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
            NewWindow(at - timedelta(days=1), at + TRIAL, both("试用", "Trial")),
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


# --- people ------------------------------------------------------------------------------------------------------


async def _team(owner: Actor, event_id: int, at: datetime, doors: Mapping[str, int]) -> None:
    """Somebody for each role; the second scanner may scan at the north gate and at lunch only."""
    for email, name, role, scopes in (
        (ORGANISER, "何映雪", Role.ORGANISER, ()),
        (SCANNER, "林小满", Role.SCANNER, ()),
        (GATE_SCANNER, "Joana Costa", Role.SCANNER, ("north", "lunch")),
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
    if code in ("standard", "student"):
        if number % 23 == 0:
            return RegistrationState.CANCELLED
        if number % 41 == 0:
            return RegistrationState.PENDING
        if number % 67 == 0:
            return RegistrationState.WAITLISTED
    return RegistrationState.CONFIRMED


async def _people(owner: Actor, event_id: int, at: datetime, types: Mapping[str, int]) -> int:
    """1,200 registrations over the eight weeks before the conference, in an order that mixes the ticket types."""
    codes = [code for code, *_, count in _TYPES for _ in range(count)]
    # A stride without a common factor visits each once: mixed, and the same each time.
    mixed = [codes[index * 509 % len(codes)] for index in range(len(codes))]
    first = local(FIRST, "08:00") - timedelta(weeks=8)
    step = timedelta(weeks=8) / len(codes)
    rows = []
    for number, (code, person) in enumerate(zip(mixed, invented(len(codes)), strict=True), start=1):
        rows.append(
            RowPlan(
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
                    state=_state(number, code),
                    registered_at=first + step * number,
                ),
            )
        )
    applied = await registrations.apply_rows(
        event_id=event_id,
        rows=rows,
        source=RegistrationSource.DEMO,
        at=at,
        actor=owner,
        request_id=uuid5(NAMESPACE_URL, f"{SLUG}/people/{event_id}"),
    )
    return applied.created


async def _codes_to_try(event_id: int) -> Sequence[tuple[str, str]]:
    """A few short codes that show something different at the north gate, with what it is."""
    wanted = {
        "a speaker": ("speaker", RegistrationState.CONFIRMED),
        "an attendee": ("standard", RegistrationState.CONFIRMED),
        "a cancelled registration": ("standard", RegistrationState.CANCELLED),
        "an online ticket": ("online", RegistrationState.CONFIRMED),
    }
    types = {one.id: one.code for one in await queries.ticket_types(event_id)}
    rows = await queries.export_rows(event_id, limit=100)
    chosen = {}
    for words, (code, state) in wanted.items():
        found = next(
            (row for row in rows if types.get(row.ticket_type_id) == code and row.state is state), None
        )
        if found is not None:
            chosen[found.id] = words
    views = await passports.by_registration(chosen)
    return [(words, views[number].short_code) for number, words in chosen.items() if number in views]


# --- a second, small event ---------------------------------------------------------------------------------------


async def _meetup(owner: Actor, at: datetime) -> None:
    """A meet-up in draft, three weeks from now: so that lists are not lonely, and a draft can be seen and published."""
    if await queries.find_event(MEETUP) is not None:
        return
    day = at.date() + timedelta(weeks=3)
    event_id = await event.create(
        actor=owner,
        facts=Details(
            slug=MEETUP,
            name=both("成都开源之夜（小聚）", "Chengdu open-source evening"),
            tagline=both("三场分享，一壶茶", "Three talks and a pot of tea"),
            text=both(
                "示例数据：一场 40 人的小聚，还是草稿。", "Sample data: a meet-up for forty, still a draft."
            ),
            city=both("成都", "Chengdu"),
            starts_on=day,
            ends_on=day,
            time_zone=ZONE,
            theme_colour="#7a3e9d",
            is_sample=True,
        ),
        at=at,
    )
    await venue.add_place(
        event_id=event_id,
        code="teahouse",
        kind=PlaceKind.VENUE,
        name=both("茶馆", "Tea house"),
        capacity=40,
        actor=owner,
        at=at,
    )
    await event.add_ticket_type(
        actor=owner,
        event_id=event_id,
        details=TicketTypeDetails(code="guest", name=both("参会者", "Guest"), quota=40),
        at=at,
    )


# --- where to look -----------------------------------------------------------------------------------------------


def print_where_to_look(settings: Settings) -> str:
    """What ``make run`` prints: addresses, and how to sign in as each role."""
    site, conference = settings.base_url, f"{settings.base_url}/e/{SLUG}"
    how = (
        f"Sign in with one of these addresses; the code is at {site}/dev/codes and in this log."
        if settings.development
        else "Sign in with one of these addresses (with HUIWU_DEVELOPMENT=1 the codes are shown)."
    )
    lines = [
        "",
        "Huiwu 会务 is ready, with a sample conference.",
        "",
        f"  conference    {conference}            register: {conference}/register",
        f"  live board    {conference}/live",
        f"  scanner       {conference}/scan",
        f"  organisers    {conference}/desk",
        f"  sign in       {site}/sign-in",
        "",
        how,
        f"  {OWNER:24} everything, roles included",
        f"  {ORGANISER:24} everything but roles",
        f"  {SCANNER:24} scans at every checkpoint",
        f"  {GATE_SCANNER:24} scans at the north gate and at lunch only",
        "",
    ]
    if _Last.report.try_codes:
        lines.append("Type these into the scanner at the north gate:")
        lines += [f"  {code[:4]} {code[4:]}   {words}" for words, code in _Last.report.try_codes]
        lines.append("")
    return "\n".join(lines)
