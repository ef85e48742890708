"""The events around the demo conference: earlier years of its series, the next edition, a meet-up and a draft.

The next edition is to come, so that a newcomer can register, wait, be approved, hand on and cancel. It is a copy of the
conference, made as organisers make one, and its people come through the same actions as visitors do: a full workshop
whose first in line has just been offered a place, a group, two partners' links, a transfer that waits for both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from events import (
    answers,
    copying,
    event,
    groups,
    invitations,
    meetups,
    partner_links,
    queries,
    registrations,
    series,
    sites,
    tickets,
    transfers,
)
from events.copying_rules import Plan
from events.groups import GroupRow
from events.importing import Action, RowPlan, Values
from events.invitation_rules import Wanted
from events.meetup_rules import Meetup
from events.partner_links import LinkDetails
from events.rules import (
    MODULES_OF,
    Contact,
    Details,
    EventCode,
    EventFacts,
    EventKind,
    EventState,
    Module,
    RegistrationSource,
    RegistrationState,
    Role,
)
from events.sites import SiteDetails
from events.tickets import AccessCodeDetails, TicketTypeDetails
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.errors import Conflict, Invalid
from people import accounts, uploads
from scripts import demo_cover, demo_texts
from scripts.demo_people import invented
from scripts.demo_texts import both

SERIES: Final = "coscon"
NEXT: Final = "coscon-next"
SHANGHAI: Final = "coscon-2019"
CITIES: Final = "coscon-2020"
MEETUP: Final = "chengdu-open-night"
DRAFT: Final = "open-hardware-day"
ZONE: Final = "Asia/Shanghai"

#: People of the next edition whom a newcomer can be: one who has a place, one who has just been offered one.
VISITOR: Final = "visitor@example.org"
WAITING: Final = "waiting@example.org"
INVITED: Final = "reviewer@example.org"

#: Request ids of everything below are made from it, so that a start that was stopped half way repeats nothing.
_OWN: Final = UUID("5d2b6a3e-6d1f-5f8e-9a7e-0d5a3c1b7e42")


def request_id(*words: object) -> UUID:
    return uuid5(_OWN, "/".join(str(word) for word in words))


async def put_cover(owner: Actor, event_id: int, colour: str, seed: int, at: datetime) -> None:
    """Draws the event's cover and puts it up."""
    data = await asyncio.to_thread(demo_cover.draw, colour, seed=seed)
    number = await uploads.keep(
        data=data, filename="cover.jpg", event_id=event_id, actor_key=owner.key, at=at
    )
    await event.set_cover(actor=owner, event_id=event_id, upload_id=number, at=at)


async def make_series(owner: Actor, at: datetime) -> int:
    """The series' id."""
    found = await series.find(SERIES)
    if found is not None:
        return found.id
    name = both("中国开源年会 COSCon", "COSCon, the China Open Source Conference")
    return await series.make(actor=owner, slug=SERIES, name=name, at=at)


#: code, ticket types that it opens, where the tickets come from, uses
_CODES: Final[Sequence[tuple[str, tuple[str, ...], str, int | None]]] = (
    ("DATAWHALE", ("community",), "Datawhale", 100),
    ("SPEAKER-GUEST", ("standard", "community"), "讲师赠票", 40),
    ("PRESS", ("media",), "", None),
)


async def access_codes(owner: Actor, event_id: int, types: Mapping[str, int], at: datetime) -> None:
    """Codes that open ticket types; two of them say where the tickets come from."""
    if (await tickets.access_codes(event_id)).total:
        return
    for code, opens, source, uses in _CODES:
        details = AccessCodeDetails(
            code=code,
            ticket_type_ids=frozenset(types[one] for one in opens),
            ticket_source=source,
            max_uses=uses,
        )
        await tickets.add_access_code(actor=owner, event_id=event_id, details=details, at=at)


async def share(owner: Actor, event_id: int, organiser: str, at: datetime) -> None:
    """Makes somebody an organiser of an event, too."""
    account_id = await accounts.create_account(email=organiser, name="", is_admin=False, at=at)
    try:
        await event.grant(actor=owner, event_id=event_id, account_id=account_id, role=Role.ORGANISER, at=at)
    except Conflict as refusal:
        if refusal.code != EventCode.ROLE_HELD:
            raise


async def types_of(event_id: int) -> Mapping[str, int]:
    """Ticket type ids by code."""
    return {one.code: one.id for one in await queries.ticket_types(event_id)}


# --- earlier years -----------------------------------------------------------------------------------------------


async def earlier_years(owner: Actor, series_id: int, organiser: str, at: datetime) -> None:
    """2019 in Shanghai, and 2020 online and in five cities, as sites with people of their own."""
    if await queries.find_event(SHANGHAI) is None:
        made = await event.create(
            actor=owner,
            facts=Details(
                slug=SHANGHAI,
                name=both("COSCon'19 中国开源年会", "COSCon'19, China Open Source Conference"),
                tagline=both("开源无疆、携手出航", "Let's cross the boundaries together!"),
                text=demo_texts.SHANGHAI_2019,
                city=both("上海", "Shanghai"),
                address=both(
                    "上海市中山北路3663号 华东师范大学中北校区",
                    "East China Normal University, 3663 North Zhongshan Road, Shanghai",
                ),
                starts_on=date(2019, 11, 2),
                ends_on=date(2019, 11, 3),
                time_zone=ZONE,
                theme_colour="#a3472b",
                series_id=series_id,
                is_sample=True,
            ),
            state=EventState.ENDED,
            at=at,
        )
        await put_cover(owner, made, "#a3472b", 2019, at)
    found = await queries.find_event(CITIES)
    event_id = (
        found.id
        if found
        else await event.create(actor=owner, facts=_cities(series_id), state=EventState.ENDED, at=at)
    )
    if found is None or found.cover_upload_id is None:
        await put_cover(owner, event_id, "#1e6b52", 2020, at)
    await share(owner, event_id, organiser, at)
    await _sites(owner, event_id, at)


def _cities(series_id: int) -> Details:
    return Details(
        slug=CITIES,
        name=both("COSCon'20 中国开源年会", "COSCon'20, China Open Source Conference"),
        tagline=both("开源向善", "Open source for good"),
        text=demo_texts.CITIES_2020,
        city=both("线上与五城", "Online and five cities"),
        starts_on=date(2020, 10, 24),
        ends_on=date(2020, 10, 25),
        time_zone=ZONE,
        theme_colour="#1e6b52",
        series_id=series_id,
        modules=MODULES_OF[EventKind.CONFERENCE] | {Module.SITES},
        is_sample=True,
    )


_CITIES: Final = (
    ("beijing", "北京", "Beijing", 16),
    ("shanghai", "上海", "Shanghai", 14),
    ("shenzhen", "深圳", "Shenzhen", 12),
    ("chengdu", "成都", "Chengdu", 10),
    ("changsha", "长沙", "Changsha", 8),
)


async def _sites(owner: Actor, event_id: int, at: datetime) -> None:
    there = {one.code: one.id for one in await queries.sites(event_id)}
    types = dict(await types_of(event_id))
    for position, (code, zh, en, people) in enumerate(_CITIES):
        if code not in there:
            site = SiteDetails(
                code=code, name=both(f"{zh}分会场", f"{en} site"), city=both(zh, en), position=position
            )
            there[code] = await sites.add(actor=owner, event_id=event_id, details=site, at=at)
        if code not in types:
            ticket = TicketTypeDetails(
                code=code,
                name=both(f"{zh}现场票", f"On site in {en}"),
                site_id=there[code],
                quota=people * 10,
                position=position,
            )
            types[code] = await tickets.add(actor=owner, event_id=event_id, details=ticket, at=at)
    if "online" not in types:
        ticket = TicketTypeDetails(
            code="online", name=both("线上票", "Online"), is_online=True, position=len(_CITIES)
        )
        types["online"] = await tickets.add(actor=owner, event_id=event_id, details=ticket, at=at)
    wanted = [code for code, *_, people in _CITIES for _ in range(people)] + ["online"] * 30
    first = datetime.fromisoformat("2020-09-26T01:00:00+00:00")
    await registrations.apply_rows(
        event_id=event_id,
        rows=list_of(wanted, types, seed=2020, first=first, last=first + timedelta(days=27)),
        source=RegistrationSource.DEMO,
        at=at,
        actor=owner,
        request_id=request_id(CITIES, event_id, "people"),
    )


def list_of(
    codes: Sequence[str],
    types: Mapping[str, int],
    *,
    seed: int,
    first: datetime,
    last: datetime,
    states: Mapping[int, RegistrationState] | None = None,
) -> list[RowPlan]:
    """Invented people as lines of a list, one a ticket type code, registered evenly between two moments."""
    step = (last - first) / max(len(codes), 1)
    return [
        RowPlan(
            line=number,
            action=Action.CREATE,
            values=Values(
                name=person.name,
                badge_name=person.badge_name,
                english_name=person.english_name,
                email=person.email.replace("guest", f"guest-{seed}-"),
                phone=person.phone,
                organisation=person.organisation,
                position=person.position,
                locale=person.locale,
                ticket_type_id=types[code],
                external_id=f"DEMO-{seed}-{number:03}",
                state=(states or {}).get(number),
                registered_at=first + step * (number - 1),
            ),
        )
        for number, (code, person) in enumerate(
            zip(codes, invented(len(codes), seed=seed), strict=True), start=1
        )
    ]


# --- the next edition --------------------------------------------------------------------------------------------


def saturday_after(day: date) -> date:
    return day + timedelta(days=(5 - day.weekday()) % 7)


async def next_edition(owner: Actor, conference_id: int, at: datetime) -> None:
    """A copy of the conference, six weeks from now: its registration is open, and everything can be tried."""
    facts = await queries.find_event(NEXT)
    if facts is None:
        plan = Plan(
            slug=NEXT,
            name=both("下一届中国开源年会（示例）", "The next China Open Source Conference (sample)"),
            starts_on=saturday_after(at.date() + timedelta(weeks=6)),
            with_team=True,
            with_programme=True,
        )
        event_id = await copying.copy(actor=owner, event_id=conference_id, plan=plan, at=at)
        facts = await queries.find_event_by_id(event_id)
        assert facts is not None
    if not facts.is_sample:
        await put_cover(owner, facts.id, "#0b6e4f", 5, at)
        # Last of what is set up: a copy that does not say that it is a sample is not finished.
        details = replace(
            Details.of(facts),
            tagline=both("从报名试起", "Start by registering"),
            text=demo_texts.NEXT_ABOUT,
            theme_colour="#0b6e4f",
            registration_opens_at=at - timedelta(weeks=3),
            registration_closes_at=None,
            offer_hours=72,
            retention_days=180,
            is_sample=True,
        )
        await event.change(actor=owner, event_id=facts.id, facts=details, at=at)
    if facts.state is EventState.DRAFT:
        await event.publish(actor=owner, event_id=facts.id, at=at)
    types = await types_of(facts.id)
    await access_codes(owner, facts.id, types, at)
    await _by_list(owner, facts.id, types, at)
    come = _Coming(facts.id, types, at, await _extras(facts.id))
    await come.one_by_one(owner)
    await come.together()
    await _partners(owner, facts.id, types, at)
    try:
        offer = Wanted(Role.REVIEWER)
        await invitations.invite(actor=owner, event_id=facts.id, email=INVITED, wanted=offer, at=at)
    except Invalid as refusal:
        if refusal.fields["email"].code != EventCode.INVITATION_OPEN:
            raise


async def _extras(event_id: int) -> Mapping[int, answers.Extras]:
    """What somebody says on the form, by how they feel about photographs (0: no word about it)."""
    asked = {one.code: one.id for one in await answers.questions(event_id)}
    texts = {one.code: one.id for one in await answers.consent_texts(event_id)}
    said: dict[int, Any] = {asked["tshirt"]: "L", asked["dinner"]: True}
    kept = {texts["conduct"]: True}
    return {
        0: answers.Extras(answers=said, consents=kept),
        1: answers.Extras(answers=said, consents=kept | {texts["photos"]: True}),
    }


async def _by_list(owner: Actor, event_id: int, types: Mapping[str, int], at: datetime) -> None:
    """Those who came before: 29 of the workshop's 30 places, students who wait for an organiser's word or have it."""
    codes = ["standard", "workshop", "student", "workshop", "online"] * 14 + ["workshop"]
    states = {}
    students = [number for number, code in enumerate(codes, start=1) if code == "student"]
    for number in students[4:12]:
        states[number] = RegistrationState.PENDING
    for number in students[12:]:
        states[number] = RegistrationState.DECLINED
    await registrations.apply_rows(
        event_id=event_id,
        rows=list_of(
            codes,
            types,
            seed=2026,
            first=at - timedelta(days=20),
            last=at - timedelta(days=9),
            states=states,
        ),
        source=RegistrationSource.IMPORT,
        at=at,
        actor=owner,
        request_id=request_id(NEXT, event_id, "people"),
    )


@dataclass(frozen=True, slots=True)
class _Coming:
    """People who come to the next edition by its public form."""

    event_id: int
    types: Mapping[str, int]
    at: datetime
    extras: Mapping[int, answers.Extras]

    async def come(self, name: str, email: str, ticket_type: str, *, days_ago: float, **more: Any) -> int:
        return await registrations.register(
            event_id=self.event_id,
            ticket_type_id=self.types[ticket_type],
            contact=Contact(
                name=name,
                email="" if email.startswith("+") else email,
                phone=email if email.startswith("+") else "",
                organisation="某某大学",
            ),
            source=RegistrationSource.FORM,
            locale="zh-Hans",
            at=self.at - timedelta(days=days_ago),
            request_id=request_id(NEXT, self.event_id, email),
            **{"extras": self.extras[len(name) % 2], **more},
        )

    async def one_by_one(self, owner: Actor) -> None:
        """One who has a place; the workshop's last place, four who wait for one, and the first of them is offered it."""
        await self.come("沈星野", VISITOR, "standard", days_ago=8.6)
        last = await self.come("苗若川", "miao@example.org", "workshop", days_ago=8)
        waiting = (
            ("许知行", WAITING),
            ("方晓棠", "fang@example.org"),
            ("Hana Björklund", "hana@example.org"),
            ("黎望舒", "li@example.org"),
        )
        for nth, (name, email) in enumerate(waiting):
            await self.come(name, email, "workshop", days_ago=7 - nth * 1.3, join_waitlist=True)
        code = {"access_code": "DATAWHALE"}
        await self.come("段思源", "duan@example.org", "community", days_ago=5.5, **code)
        await self.come("阎明朗", "yan@example.org", "community", days_ago=4.2, **code)
        guest = {"access_code": "SPEAKER-GUEST"}
        await self.come("Farid Haddad", "farid@example.org", "standard", days_ago=3.8, **guest)
        # One person twice, by address and by number: something to merge.
        await self.come("孟星河", "meng@example.org", "standard", days_ago=3.1)
        await self.come("孟星河", "+8619900007777", "standard", days_ago=0.9)
        await self.come("戴佳", "dai@example.org", "student", days_ago=0.4)
        giver = await self.come("柳云帆", "liu@example.org", "standard", days_ago=2.4)
        await transfers.begin(
            actor=Actor(kind=ActorKind.HOLDER, id=giver),
            event_id=self.event_id,
            registration_id=giver,
            secret_round=0,
            to_name="贺小舟",
            to_email="he@example.org",
            at=self.at - timedelta(hours=3),
            request_id=request_id(NEXT, self.event_id, "transfer"),
        )
        try:
            await registrations.cancel(
                actor=Actor(kind=ActorKind.HOLDER, id=last),
                event_id=self.event_id,
                registration_id=last,
                at=self.at - timedelta(hours=2),
            )
        except Conflict as refusal:
            if refusal.code != EventCode.ALREADY_CANCELLED:
                raise

    async def together(self) -> None:
        """A reading circle that one person registers."""
        people = (
            ("雷文博", "lei@example.org", "standard"),
            ("姜晨曦", "jiang@example.org", "standard"),
            ("陶一禾", "", "standard"),
            ("Noor Ivanova", "noor@example.org", "online"),
        )
        await groups.register(
            event_id=self.event_id,
            name="山海读书会（虚构）",
            contact_name="雷文博",
            contact_email="lei@example.org",
            rows=[
                GroupRow(
                    number=number,
                    contact=Contact(name=name, email=email, phone="" if email else "+8619900006666"),
                    ticket_type_id=self.types[ticket_type],
                )
                for number, (name, email, ticket_type) in enumerate(people, start=1)
            ],
            consents=self.extras[0].consents,
            locale="zh-Hans",
            at=self.at - timedelta(days=1.5),
            actor=ANONYMOUS,
            request_id=request_id(NEXT, self.event_id, "group"),
        )


#: name, who looks after it, address, ticket type, places, people so far
_LINKS: Final = (
    ("Datawhale", "康明月", "partner@example.org", "community", 30, 6),
    ("某某科技大学 · 开源软件课", "龙老师", "teacher@example.org", "student", 45, 9),
)


async def _partners(owner: Actor, event_id: int, types: Mapping[str, int], at: datetime) -> None:
    """A partner community's link and a teacher's, each with some of their people."""
    there = {one.name: one for one in await partner_links.links(event_id)}
    for name, contact, email, ticket_type, quota, people in _LINKS:
        link = there.get(name)
        if link is None:
            details = LinkDetails(
                name=name,
                ticket_type_id=types[ticket_type],
                quota=quota,
                valid_until=at + timedelta(weeks=5),
                contact_name=contact,
                contact_email=email,
            )
            made = await partner_links.add(actor=owner, event_id=event_id, details=details, at=at)
            link = await partner_links.find(event_id, made)
        drawn = invented(people, seed=link.quota)
        text = "\n".join(
            f"{person.name}\tpupil-{quota}-{nth}@example.org\t{person.organisation}"
            for nth, person in enumerate(drawn, start=1)
        )
        await partner_links.submit(
            link=link,
            text=text,
            leave_out=frozenset(),
            form_id=request_id(NEXT, event_id, name),
            locale="zh-Hans",
            at=at - timedelta(days=1),
        )


async def partner_address() -> str:
    """What the partner community opens; empty before there is a link."""
    facts = await queries.find_event(NEXT)
    links = await partner_links.links(facts.id) if facts else []
    named = [link for link in links if link.name == _LINKS[0][0]]
    return partner_links.address_of(NEXT, named[0]) if named else ""


# --- small ones --------------------------------------------------------------------------------------------------


async def evening(owner: Actor, organiser: str, at: datetime) -> None:
    """A meet-up in two weeks, made by the preset: published, with a list of people to tick off."""
    facts = await queries.find_event(MEETUP)
    if facts is None:
        await meetups.create(
            actor=owner,
            meetup=Meetup(
                slug=MEETUP,
                name=both("成都开源之夜（小聚）", "Chengdu open-source evening"),
                day=at.date() + timedelta(weeks=2),
                starts_minute=19 * 60,
                ends_minute=21 * 60 + 30,
                place=both("某某茶馆 二楼", "The tea house, upstairs"),
                quota=40,
                text=demo_texts.EVENING,
                city=both("成都", "Chengdu"),
                time_zone=ZONE,
            ),
            at=at,
        )
        facts = await queries.find_event(MEETUP)
        assert facts is not None
    if not facts.is_sample:
        await put_cover(owner, facts.id, "#7a3e9d", 3, at)
        details = replace(
            Details.of(facts),
            tagline=both("三场分享，一壶茶", "Three talks and a pot of tea"),
            theme_colour="#7a3e9d",
            contact_email="evening@example.org",
            is_sample=True,
        )
        await event.change(actor=owner, event_id=facts.id, facts=details, at=at)
    if facts.state is EventState.DRAFT:
        await event.publish(actor=owner, event_id=facts.id, at=at)
    await share(owner, facts.id, organiser, at)
    types = await types_of(facts.id)
    await registrations.apply_rows(
        event_id=facts.id,
        rows=list_of(
            ["guest"] * 23, types, seed=40, first=at - timedelta(days=12), last=at - timedelta(hours=5)
        ),
        source=RegistrationSource.DEMO,
        at=at,
        actor=owner,
        request_id=request_id(MEETUP, facts.id, "people"),
    )


async def draft(owner: Actor, at: datetime) -> None:
    """An event with nothing in it yet: so that a draft can be seen, filled and published."""
    if await queries.find_event(DRAFT) is not None:
        return
    day = saturday_after(at.date() + timedelta(weeks=10))
    event_id = await event.create(
        actor=owner,
        facts=Details(
            slug=DRAFT,
            name=both("开源硬件日（草稿）", "Open hardware day (draft)"),
            text=demo_texts.DRAFT,
            city=both("深圳", "Shenzhen"),
            starts_on=day,
            ends_on=day,
            time_zone=ZONE,
            theme_colour="#8a5a00",
            is_sample=True,
        ),
        at=at,
    )
    ticket = TicketTypeDetails(code="guest", name=both("参会者", "Guest"), quota=60)
    await tickets.add(actor=owner, event_id=event_id, details=ticket, at=at)


def is_finished(facts: EventFacts | None) -> bool:
    """Whether the demo is whole: the conference is published after everything else."""
    return facts is not None and facts.state is not EventState.DRAFT
