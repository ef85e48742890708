"""A conference five weeks before its days, in the middle of its registration, its call and its rehearsals at the door.

Every state that a page can show is here once: places full and waited for, applications, a group, a partner's link, a
transfer on its way, two records of one person, invitations, somebody registered at the door. Names are as long as
people's names get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from checkin import (
    badges,
    devices,
    notes,
    pairings,
    phone_tests,
    printing,
    quarantine,
    rooms,
    scanning,
    walk_in,
)
from checkin.badge_rules import Boxes, Plan
from checkin.models import Checkpoint, Passport
from checkin.offline_rules import Local
from checkin.printing import Layout
from checkin.room_rules import RoomState
from checkin.scanning import ScanEntry
from events import (
    access,
    custom_pages,
    event,
    groups,
    invitations,
    partner_links,
    queries,
    questions,
    registrations,
    sites,
    tickets,
    transfers,
)
from events import series as row_of_years
from events.access import Door
from events.form_rules import ConsentDetails, Option, QuestionDetails
from events.invitation_rules import Wanted
from events.models import Event
from events.partner_links import LinkDetails
from events.rules import Contact, Details, FieldKind, Module, Permission, RegistrationSource, Role, TicketRole
from events.tickets import AccessCodeDetails, SharedQuotaDetails, TicketTypeDetails
from events.transfers import Side
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.text import LocalizedText
from people import accounts
from scripts import demo_call
from tests.factories import make_checkpoint, make_door, make_place, make_session

SLUG = "open-day"
OWNER = "owner@example.org"
LONG = "阿卜杜热合曼·买买提依明·吐尔逊江（开源社长期志愿者）"
LONG_ENGLISH = "Wolfeschlegelsteinhausenbergerdorff Adolph Blaine Charles David Earl Frederick Gerald"


def both(zh: str, en: str) -> LocalizedText:
    return LocalizedText({"zh-Hans": zh, "en": en})


@dataclass
class Scene:
    """Numbers and keys that addresses need; ``tokens`` are sign-ins by e-mail address."""

    event_id: int
    tokens: dict[str, str] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=dict)


async def furnish(at: datetime) -> Scene:
    """Builds it through the actions that pages use; the house has to be wired (``main.wire``) and open."""
    owner_id = await accounts.create_account(email=OWNER, name="陈映川", is_admin=True, at=at)
    owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id)
    row_id = await row_of_years.make(
        actor=owner, slug="open-days", name=both("开源日", "Open Source Days"), at=at
    )
    details = _details(at, row_id)
    event_id = await event.create(actor=owner, facts=details, at=at)
    here = Scene(event_id)
    site = await sites.add(
        actor=owner,
        event_id=event_id,
        details=sites.SiteDetails(
            code="chengdu", name=both("成都分会场", "Chengdu site"), city=both("成都", "Chengdu")
        ),
        at=at,
    )
    here.names["site"] = site
    await _ticket_types(here, owner, site, at)
    await _form(here, owner, at)
    await _pages(here, owner, at)
    await event.publish(actor=owner, event_id=event_id, at=at)
    await _people(here, owner, at)
    await _links(here, owner, at)
    await _door(here, at)
    await demo_call.call(owner, SLUG, at)
    for who in (OWNER, "traveller@example.org", "guest@example.org"):
        number = await accounts.create_account(email=who, name="", is_admin=False, at=at)
        here.tokens[who] = await accounts.open_sign_in(
            account_id=number, user_agent="Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile", at=at
        )
    return here


def _details(at: datetime, series_id: int) -> Details:
    day = at.astimezone(UTC).date() + timedelta(days=35)
    return Details(
        slug=SLUG,
        name=both(
            "2026 开源日暨第十一届中国开源年会",
            "Open Source Day 2026 and the 11th China Open Source Conference",
        ),
        tagline=both("众人拾柴，开源同行", "Many hands, one source"),
        text=both(
            "## 日程\n\n两天，六个分论坛。\n\n- 主论坛\n- 工作坊",
            "## Programme\n\nTwo days, six forums.\n\n- Main forum\n- Workshops",
        ),
        city=both("杭州", "Hangzhou"),
        address=both("浙江省杭州市余杭区文一西路 969 号", "969 Wenyi West Road, Yuhang District, Hangzhou"),
        starts_on=day,
        ends_on=day + timedelta(days=1),
        theme_colour="#b4341f",
        is_sample=True,
        series_id=series_id,
        modules=frozenset(Module),
        contact_email="hello@example.org",
        contact=both("微信公众号：开源日", "WeChat: opensourceday"),
        privacy_notice=both(
            "## 我们收集什么\n\n报名信息，仅用于本次活动。",
            "## What we collect\n\nWhat you register with, for this event only.",
        ),
        retention_days=90,
        id_document_days=7,
    )


async def _ticket_types(here: Scene, owner: Actor, site: int, at: datetime) -> None:
    seats = await tickets.add_shared_quota(
        actor=owner,
        event_id=here.event_id,
        details=SharedQuotaDetails(name=both("主会场座位", "Seats of the main hall"), quota=500),
        at=at,
    )
    here.names["shared_quota"] = seats
    kinds = (
        TicketTypeDetails(
            code="standard",
            name=both("普通票", "Attendee"),
            description=both("全部分论坛，含两天午餐。", "All forums, lunch on both days."),
            quota=400,
            shared_quota_id=seats,
            is_walk_in=True,
        ),
        TicketTypeDetails(
            code="workshop",
            name=both(
                "工作坊票（请自带笔记本电脑与电源适配器）", "Workshop ticket (bring a laptop and its charger)"
            ),
            quota=3,
            has_waitlist=True,
        ),
        TicketTypeDetails(code="dinner", name=both("晚宴票", "Dinner"), quota=1, is_online=False),
        TicketTypeDetails(
            code="student",
            name=both("学生票", "Student"),
            role=TicketRole.STUDENT,
            shared_quota_id=seats,
            needs_approval=True,
            site_id=site,
        ),
        TicketTypeDetails(
            code="speaker", name=both("讲师票", "Speaker"), role=TicketRole.SPEAKER, needs_code=True
        ),
        TicketTypeDetails(code="online", name=both("线上票", "Online"), is_online=True),
        TicketTypeDetails(
            code="late",
            name=both("现场票", "Late ticket"),
            opens_at=at + timedelta(days=20),
        ),
    )
    for position, details in enumerate(kinds):
        here.types[details.code] = await tickets.add(
            actor=owner, event_id=here.event_id, details=_at_position(details, position), at=at
        )
    for code, uses, until in (("SPEAKER2026", 20, None), ("ONCE", 1, at + timedelta(days=3))):
        here.names["access_code"] = await tickets.add_access_code(
            actor=owner,
            event_id=here.event_id,
            details=AccessCodeDetails(
                code=code,
                ticket_type_ids=frozenset({here.types["speaker"]}),
                ticket_source="讲师邀请",
                max_uses=uses,
                valid_until=until,
            ),
            at=at,
        )


def _at_position(details: TicketTypeDetails, position: int) -> TicketTypeDetails:
    from dataclasses import replace

    return replace(details, position=position)


async def _form(here: Scene, owner: Actor, at: datetime) -> None:
    sizes = tuple(Option(size, both(size, size)) for size in ("S", "M", "L", "XL"))
    topics = (
        Option("ai", both("人工智能", "AI")),
        Option("cloud", both("云原生", "Cloud native")),
        Option("community", both("社区运营与治理", "Community work and governance")),
    )
    for code, kind, label, more in (
        ("hope", FieldKind.LINE, both("最想听到什么？", "What do you hope to hear?"), {}),
        (
            "diet",
            FieldKind.TEXT,
            both("饮食禁忌", "Dietary needs"),
            {"help": both("写给厨房。", "For the kitchen.")},
        ),
        ("years", FieldKind.NUMBER, both("从业年限", "Years at work"), {}),
        ("arrives", FieldKind.DATE, both("到达日期", "Day of arrival"), {}),
        ("first", FieldKind.YES_NO, both("是第一次来吗？", "Is it your first time?"), {}),
        (
            "tshirt",
            FieldKind.CHOOSE_ONE,
            both("T 恤尺码", "T-shirt size"),
            {"options": sizes, "is_required": True},
        ),
        ("topics", FieldKind.CHOOSE_MANY, both("感兴趣的话题", "Topics"), {"options": topics}),
        (
            "card",
            FieldKind.FILE,
            both("学生证照片", "Photograph of the student card"),
            {"ticket_type_ids": frozenset({here.types["student"]})},
        ),
    ):
        here.names["question"] = await questions.add(
            actor=owner,
            event_id=here.event_id,
            details=QuestionDetails(code=code, kind=kind, label=label, is_personal=code == "diet", **more),
            at=at,
        )
    for code, title, required in (
        ("conduct", both("我同意行为规范", "I accept the code of conduct"), True),
        ("photos", both("同意公开使用含有我的现场照片", "Photographs that show me may be published"), False),
    ):
        here.names["consent"] = await questions.add_consent(
            actor=owner,
            event_id=here.event_id,
            details=ConsentDetails(
                code=code,
                title=title,
                text=both("请善待每一位参会者。", "Please be kind to everybody."),
                is_required=required,
            ),
            at=at,
        )


async def _pages(here: Scene, owner: Actor, at: datetime) -> None:
    for slug, title, text, is_published in (
        ("travel", both("交通与住宿", "Travel"), both("## 地铁\n\n5 号线。", "## Metro\n\nLine 5."), True),
        ("conduct", both("行为规范", "Code of conduct"), both("善待彼此。", "Be kind."), True),
        ("later", both("还没写好", "Not ready"), both("……", "..."), False),
    ):
        here.names["page"] = await custom_pages.add(
            actor=owner,
            event_id=here.event_id,
            details=custom_pages.PageDetails(slug=slug, title=title, text=text, is_published=is_published),
            at=at,
        )


async def _people(here: Scene, owner: Actor, at: datetime) -> None:
    async def come(who: str, kind: str, name: str, *, waits: bool = False, **more: str) -> int:
        contact = Contact(name=name, email=f"{who}@example.org", **more).with_last4()
        here.people[who] = await registrations.register(
            event_id=here.event_id,
            ticket_type_id=here.types[kind],
            contact=contact,
            source=RegistrationSource.FORM,
            locale="zh-Hans",
            at=at,
            join_waitlist=waits,
            request_id=uuid4(),
        )
        return here.people[who]

    for number in range(8):
        await come(f"guest{number}", "standard", f"来宾{number}", organisation="某某大学")
    await come(
        "traveller",
        "standard",
        LONG,
        organisation="中国开源社成都城市社区志愿者工作组与文档翻译小组",
        position="高级工程师",
    )
    await come("english", "standard", LONG_ENGLISH, organisation="Free Software Foundation Europe e.V.")
    await come("giver", "standard", "林小满", phone="+8613800000001")
    await come("gone", "standard", "何书宁")
    await registrations.cancel(
        actor=owner, event_id=here.event_id, registration_id=here.people["gone"], at=at
    )
    for number in range(3):
        await come(f"maker{number}", "workshop", f"工匠{number}")
    for number in range(3):
        await come(f"waiting{number}", "workshop", f"候补{number}", waits=True)
    await registrations.cancel(
        actor=owner, event_id=here.event_id, registration_id=here.people["maker0"], at=at
    )
    await come("diner", "dinner", "周夏")
    for number in range(3):
        await come(f"student{number}", "student", f"学生{number}", organisation="电子科技大学")
    # One person twice: by two addresses, one phone.
    await come("twice", "standard", "欧阳映雪", phone="+8613800000009", organisation="某某科技有限公司")
    await come("again", "online", "欧阳映雪", phone="+8613800000009")
    here.people["walker"] = await walk_in.register(
        actor=owner,
        event_id=here.event_id,
        ticket_type_id=here.types["standard"],
        contact=Contact(name="路过的人"),
        locale="zh-Hans",
        request_id=uuid4(),
        at=at,
    )


async def _links(here: Scene, owner: Actor, at: datetime) -> None:
    found = await queries.find_event(SLUG)
    assert found is not None
    group = await groups.register(
        event_id=here.event_id,
        name="某某大学开源协会",
        contact_name="李老师",
        contact_email="leader@example.org",
        rows=[
            groups.GroupRow(
                number,
                Contact(name=f"组员{number}", email=f"member{number}@example.org"),
                here.types["standard"],
            )
            for number in range(1, 4)
        ],
        consents={},
        locale="zh-Hans",
        at=at,
        request_id=UUID(int=7),
    )
    link = await partner_links.add(
        actor=owner,
        event_id=here.event_id,
        details=LinkDetails(
            name="蓝天开源基金会",
            ticket_type_id=here.types["standard"],
            quota=10,
            contact_name="王老师",
            contact_email="partner@example.org",
        ),
        at=at,
    )
    held = await partner_links.find(here.event_id, link)
    await partner_links.submit(
        link=held,
        text="张一\tzhang@example.org\n王二\twang@example.org",
        leave_out=frozenset(),
        form_id=uuid4(),
        locale="zh-Hans",
        at=at,
    )
    transfer = await transfers.begin(
        actor=ANONYMOUS,
        event_id=here.event_id,
        registration_id=here.people["giver"],
        secret_round=0,
        to_name="接手的人",
        to_email="taker@example.org",
        at=at,
        request_id=uuid4(),
    )
    invitation = await invitations.invite(
        actor=owner,
        event_id=here.event_id,
        email="guest@example.org",
        wanted=Wanted(role=Role.ORGANISER),
        at=at,
    )
    here.names |= {
        "slug": SLUG,
        "group": group,
        "link": link,
        "group_key": groups.secret_of(group, 0),
        "partner_key": partner_links.secret_of(link, 0),
        "giver_key": transfers.secret_of(transfer, Side.GIVER),
        "taker_key": transfers.secret_of(transfer, Side.TAKER),
        "invitation_key": invitations.key_of(invitation),
    }


async def _door(here: Scene, at: datetime) -> None:
    """Rooms of every kind, phones of every kind, and all that waits for a lead's look."""
    made = await Event.get(id=here.event_id)
    lead = await make_door(made, "organiser", "lead@example.org")
    hall, corner = [
        await make_place(made, code, name=dict(both(zh, en)), capacity=capacity)
        for code, zh, en, capacity in (
            ("hall", "国际会议中心一层报告厅", "Lecture hall of the conference centre", 4),
            ("tea", "茶馆", "Tea house", 20),
        )
    ]
    for begins, zh, en in (
        (-10, "开源与商业：十年回顾与下一个十年", "Open source and business"),
        (50, "圆桌", "Panel"),
    ):
        await make_session(
            made,
            place_id=hall.id,
            title=dict(both(zh, en)),
            starts_at=at + timedelta(minutes=begins),
            ends_at=at + timedelta(minutes=begins + 40),
        )
    north = await make_checkpoint(made, name=dict(both("北门", "North gate")), scans_exits=True)
    south = await make_checkpoint(
        made, name=dict(both("南门（靠近停车场）", "South gate, by the car park")), list_id=north.list_id
    )
    room = await make_checkpoint(
        made, kind="session", once="session", on_repeat="warn", place_id=hall.id, scans_exits=True,
        name=dict(both("报告厅门", "Lecture hall")),
    )  # fmt: skip
    people = await Passport.filter(event_id=made.id, status="valid").order_by("id")

    async def scan(door: Door, where: Checkpoint, code: str, local: Local = Local.NONE) -> None:
        entry = ScanEntry(uuid4(), code, where.id, age_ms=60_000 if local else None, local=local)
        await scanning.scan(door=door, entry=entry, at=at)

    phones = await _phones(here, lead, [north.id, south.id], at)
    for number, passport in enumerate(people[:5]):
        await scan(lead, south if number % 2 else north, passport.token)
        await scan(lead, room, passport.token)
    await scan(lead, north, "https://pay.example.org/1")
    for passport in people[:2]:
        await scan(phones[0], south, passport.token, Local.ADMITTED)
    await rooms.say(door=lead, place_id=corner.id, state=RoomState.FULL, request_id=uuid4(), at=at)
    await rooms.count_heads(door=lead, place_id=corner.id, count=17, request_id=uuid4(), at=at)
    late = [ScanEntry(uuid4(), one.token, north.id, age_ms=1_000) for one in people[5:7]]
    await devices.revoke(door=lead, device_id=phones[1].actor.id, at=at)
    await quarantine.take(actor=phones[1].actor, entries=late, is_wiped=True, at=at)
    await notes.leave(
        actor=lead.actor, event_id=made.id, passport_id=people[0].id,
        text=both("请到讲师接待处", "Please see the speakers' desk"), attention=True, at=at,
    )  # fmt: skip
    plan = Plan(boxes=Boxes.LETTERS, per_box=5)
    await badges.assign(actor=lead.actor, event_id=made.id, plan=plan, at=at)
    station = await printing.save(
        actor=lead.actor, event_id=made.id, station_id=None, name="签到处打印机", layout=Layout(), at=at
    )
    for passport in people[:3]:
        await printing.ask(
            actor=lead.actor, event_id=made.id, station_id=station, passport_id=passport.id,
            request_id=uuid4(), at=at,
        )  # fmt: skip
    await phone_tests.make_links(door=lead, volunteers=["林小满", "欧阳映雪"], at=at)
    link = (await phone_tests.links(made.id, at))[0]
    told = phone_tests.Told(uuid4(), "林小满", {"camera": True, "secure": True}, "Android", 420)
    await phone_tests.tell(link=link, told=told, at=at)
    here.names |= {
        "hall": hall.id,
        "corner": corner.id,
        "north": north.id,
        "device": phones[0].actor.id,
        "revoked": phones[1].actor.id,
        "station": station,
        "phone_test": link.secret,
        "passport": people[0].id,
        "token": people[0].token,
    }


async def _phones(here: Scene, lead: Door, checkpoints: Sequence[int], at: datetime) -> list[Door]:
    """Two that are paired, and a sheet with codes that wait."""
    wanted = pairings.Wanted(
        name="北门",
        count=3,
        checkpoints=checkpoints,
        device_expires_at=at + timedelta(hours=9),
        minutes=600,
        volunteers=["林小满"],
        sees_names=True,
    )
    batch = await pairings.make(door=lead, wanted=wanted, form_id=uuid4(), at=at)
    here.names["sheet"] = batch
    found = []
    for one in (await pairings.sheet(door=lead, batch=batch))[:2]:
        phone = pairings.Phone(uuid4(), "1", "Android", {"camera": True})
        paired = await pairings.pair(
            event_id=here.event_id, code=one.code, phone=phone, at=at - timedelta(hours=1)
        )
        actor = await devices.actor_for_token(paired.token)
        found.append(await access.open_event(actor, SLUG, Permission.SCAN))
    return found


def key_of(here: Scene, who: str) -> str:
    """The key in the holder's link of one of ``people``."""
    return registrations.secret_of(here.people[who], 0)
