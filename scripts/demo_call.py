"""The demo's call for proposals: real names of forums, invented people, and proposals in every state that one may meet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from agenda import calls, cfp_queries, joining, proposals
from agenda.calls import (
    CallDetails,
    CodeDetails,
    CommunityDetails,
    FieldDetails,
    ForumDetails,
    ProducerDetails,
    TagDetails,
)
from agenda.proposal_rules import Condition, Need, ProposalState, Subject, Verb, Who
from agenda.proposals import Draft
from agenda.speakers import Said
from events import queries
from events.rules import FieldKind
from kernel.actor import Actor, ActorKind
from kernel.text import LocalizedText
from people import accounts
from scripts.demo_events import ZONE
from scripts.demo_texts import both

#: Whoever tries the call signs in with one of these.
SPEAKER: Final = "speaker@example.org"

_INTRO: Final = both(
    "我们在找**真实的开源故事**：做成的、没做成的、正在做的。\n\n"
    "- 讲给同行听，少一点广告，多一点细节\n- 第一次上台？我们有人陪你排练\n- 中文或英文都可以\n\n"
    "*这是示例数据：论坛名称取自往届，人和议题都是虚构的。*",
    "We look for **true stories from open source**: what worked, what did not, what is under way.\n\n"
    "- For peers: less advertising, more detail\n- Your first talk? Somebody rehearses with you\n"
    "- In Chinese or in English\n\n"
    "*This is sample data: the forums' names are of earlier years, people and proposals are invented.*",
)
#: code, zh, en
_FORUMS: Final = (
    ("business", "开源商业", "Open source business"),
    ("web", "Web 应用开发", "Web development"),
    ("toolbox", "开源百宝箱", "The open source toolbox"),
    ("hardware", "开源硬件", "Open hardware"),
    ("youth", "青少年开源教育", "Open source for young people"),
    ("os", "开源操作系统", "Operating systems"),
    ("ai", "人工智能", "Artificial intelligence"),
    ("women", "女性", "Women in open source"),
)
_PRODUCERS: Final = (
    ("周予安", "Zhou Yu'an", "示例开源基金会", "Sample Foundation", "理事", "Board member"),
    ("许知远山", "Xu Zhiyuanshan", "示例云", "Sample Cloud", "开源负责人", "Head of open source"),
    ("Maya Lindqvist", "Maya Lindqvist", "Example Labs", "Example Labs", "工程师", "Engineer"),
)
_COMMUNITIES: Final = (("示例社区", "Sample community"), ("校园开源社", "Campus open source club"))

#: speaker, organisation, title zh, title en, type, forum, how far it has come
_PROPOSALS: Final[Sequence[tuple[str, str, str, str, str, str, str]]] = (
    (
        "沈砚秋",
        "示例云",
        "把十万行脚本迁到 Rust：一年之后",
        "A hundred thousand lines to Rust, a year on",
        "talk",
        "toolbox",
        "submitted",
    ),
    (
        "Amara Okafor",
        "Example Labs",
        "",
        "Maintainers are people: on-call for a library",
        "talk",
        "business",
        "submitted",
    ),
    (
        "顾长宁",
        "校园开源社",
        "中学生也能提的第一个 PR",
        "A first pull request at fifteen",
        "workshop",
        "youth",
        "submitted",
    ),
    ("罗一苇", "示例芯片", "RISC-V 开发板上的第一个驱动", "", "talk", "hardware", "submitted"),
    (
        "唐若川",
        "示例大学",
        "大模型评测为什么不可复现",
        "Why model evaluations don't reproduce",
        "talk",
        "ai",
        "submitted",
    ),
    ("唐若川", "示例大学", "大模型评测为何不可复现", "", "lightning", "ai", "submitted"),
    (
        "江晚舟",
        "示例银行",
        "银行里的开源治理：从清单到文化",
        "Open source in a bank: from lists to culture",
        "case",
        "business",
        "accepted",
    ),
    (
        "Jonas Weber",
        "Example GmbH",
        "",
        "Ten years of a JavaScript framework nobody heard of",
        "talk",
        "web",
        "accepted",
    ),
    (
        "苏未眠",
        "示例社区",
        "她们为什么离开，又为什么回来",
        "Why they left, and came back",
        "panel",
        "women",
        "confirmed",
    ),
    ("程远帆", "示例操作系统社区", "发行版的最后一公里：打包自动化", "", "talk", "os", "confirmed"),
    ("贺知微", "示例数据", "我们公司的数据库最好", "", "talk", "toolbox", "rejected"),
    (
        "段清和",
        "示例硬件",
        "一块坏掉的板子教会我的事",
        "What a broken board taught me",
        "lightning",
        "hardware",
        "waitlisted",
    ),
    ("叶扶疏", "示例前端", "无障碍不是可选项", "Accessibility is not an option", "talk", "web", "withdrawn"),
    (
        "林小满",
        "开源社",
        "志愿者怎么排班才不累",
        "Rosters that don't wear people out",
        "case",
        "business",
        "draft",
    ),
)


def _end_of_day(at: datetime) -> datetime:
    """23:59 of the day in the event's zone: how people write a deadline."""
    local = at.astimezone(ZoneInfo(ZONE))
    return local.replace(hour=23, minute=59, second=0, microsecond=0).astimezone(UTC)


async def call(owner: Actor, slug: str, at: datetime) -> None:
    """Sets up the call of the edition to come, with its proposals; what is there already stays as it is."""
    event = await queries.find_event(slug)
    assert event is not None
    if await cfp_queries.find_call(event.id) is None:
        details = CallDetails(
            is_published=True,
            intro=_INTRO,
            opens_at=_end_of_day(at - timedelta(weeks=5)),
            closes_at=_end_of_day(at + timedelta(days=12)),
            review_by=_end_of_day(at + timedelta(days=19)),
            notify_by=_end_of_day(at + timedelta(days=22)),
            confirm_by=_end_of_day(at + timedelta(days=27)),
            slides_due_at=_end_of_day(at + timedelta(days=36)),
        )
        await calls.set_up(actor=owner, event_id=event.id, details=details, at=at)
        await _around(owner, event.id, at)
    there = {row.title.in_("zh-Hans") for row in await _everything(event.id, at)}
    at_hand = await proposals.world(event.id)
    assert at_hand is not None
    for number, line in enumerate(_PROPOSALS):
        if (line[2] or line[3]) not in there:
            await _propose(owner, at_hand, event.id, number, at)


async def _everything(event_id: int, at: datetime) -> Sequence[cfp_queries.ProposalLine]:
    found = list((await cfp_queries.list_proposals(event_id, cfp_queries.Wanted())).lines)
    account = await accounts.create_account(email=SPEAKER, name="林小满", is_admin=False, at=at)
    return [*found, *await cfp_queries.own_proposals(event_id=event_id, account_id=account)]


async def _around(owner: Actor, event_id: int, at: datetime) -> None:
    people = [
        await calls.put(
            actor=owner,
            event_id=event_id,
            at=at,
            details=ProducerDetails(
                name=both(zh, en),
                organisation=both(org_zh, org_en),
                title=both(title_zh, title_en),
                position=number,
            ),
        )
        for number, (zh, en, org_zh, org_en, title_zh, title_en) in enumerate(_PRODUCERS)
    ]
    groups = [
        await calls.put(
            actor=owner,
            event_id=event_id,
            at=at,
            details=CommunityDetails(name=both(zh, en), url="https://example.org/", position=number),
        )
        for number, (zh, en) in enumerate(_COMMUNITIES)
    ]
    forums = {}
    for number, (code, zh, en) in enumerate(_FORUMS):
        forums[code] = await calls.put(
            actor=owner,
            event_id=event_id,
            at=at,
            details=ForumDetails(
                code=code,
                name=both(zh, en),
                position=number,
                producer_ids=tuple(
                    dict.fromkeys([people[number % len(people)], people[(number + number % 2) % len(people)]])
                ),
                community_ids=(groups[number % len(groups)],),
                helpers=("helper@example.org",) if code == "youth" else (),
            ),
        )
    for code, zh, en in (("newcomer", "首次登台", "First talk"), ("international", "国际", "International")):
        await calls.put(
            actor=owner, event_id=event_id, at=at, details=TagDetails(code=code, name=both(zh, en))
        )
    await calls.put_field(
        actor=owner,
        event_id=event_id,
        at=at,
        details=FieldDetails(
            code="repository",
            subject=Subject.PROPOSAL,
            kind=FieldKind.URL,
            label=both("代码仓库", "Repository"),
            help=both("有开源代码的话，给个链接。", "A link, if there is open code."),
            is_public=True,
        ),
    )
    await calls.put_field(
        actor=owner,
        event_id=event_id,
        at=at,
        details=FieldDetails(
            code="board",
            subject=Subject.PROPOSAL,
            kind=FieldKind.LINE,
            label=both("会带什么硬件到现场？", "What hardware do you bring?"),
            need=Need.REQUIRED,
            forum_ids=frozenset({forums["hardware"]}),
        ),
    )
    await calls.put_code(
        actor=owner,
        event_id=event_id,
        at=at,
        details=CodeDetails(
            code="KEYNOTE-DEMO", note="主题演讲嘉宾", max_uses=6, type_ids=await _keynote(event_id)
        ),
    )


async def _keynote(event_id: int) -> frozenset[int]:
    return frozenset(one.id for one in await cfp_queries.session_types(event_id) if one.code == "keynote")


async def _propose(owner: Actor, at_hand: proposals.World, event_id: int, number: int, at: datetime) -> None:
    name, organisation, zh, en, kind, forum_code, state = _PROPOSALS[number]
    email = SPEAKER if state == "draft" else f"talk{number:02}@example.org"
    account_id = await accounts.create_account(email=email, name=name, is_admin=False, at=at)
    actor = Actor(kind=ActorKind.ACCOUNT, id=account_id, email=email, name=name)
    forum = next(one for one in at_hand.forums if one.code == forum_code)
    fields = {one.question.code: one.id for one in at_hand.fields}
    answers = {fields["board"]: "一块开发板"} if forum_code == "hardware" else {}
    said = Said(
        name=LocalizedText({"en": name}) if name.isascii() else LocalizedText({"zh-Hans": name}),
        organisation=LocalizedText({"zh-Hans": organisation}),
        bio=both(
            "长期参与开源，喜欢把事情讲清楚。（示例）",
            "Long in open source, likes to make things clear. (sample)",
        ),
    )
    draft = Draft(
        title=LocalizedText.of({"zh-Hans": zh, "en": en}),
        abstract=LocalizedText.of(
            {
                "zh-Hans": "我们走过的弯路、留下的数字，以及下一次会怎么做。（示例）" if zh else "",
                "en": "The detours we took, the numbers we kept, and what we would do next time. (sample)"
                if en
                else "",
            }
        ),
        description=both("1. 背景\n2. 过程\n3. **教训**", "1. Background\n2. What happened\n3. **Lessons**"),
        session_type_id=next(one.id for one in at_hand.types if one.code == kind),
        forum_id=forum.id,
        language="zh-Hans" if zh else "en",
        level="intermediate" if number % 3 else "beginner",
        takeaways="能直接拿回去用的清单。（示例）",
        answers=answers,
        said=said,
        allows=(True, True, number % 4 != 0) if state != "draft" else (None, None, None),
    )
    form = uuid5(NAMESPACE_URL, f"huiwu-demo/{event_id}/proposal/{number}")
    proposal_id = await proposals.save(
        actor=actor,
        event_id=event_id,
        at_hand=at_hand,
        draft=draft,
        form_id=form,
        locale="zh-Hans",
        at=at - timedelta(days=20 - number),
    )
    found = await cfp_queries.find_proposal_by_id(proposal_id)
    assert found is not None
    if number in (0, 4):
        await joining.invite(
            actor=actor,
            proposal=found,
            email=f"co{number}@example.org",
            locale="zh-Hans",
            at_most=at_hand.call.speakers_at_most,
            at=at - timedelta(days=20 - number),
        )
    if state == "draft":
        return
    submitted = at - timedelta(days=15 - number)
    await proposals.submit(
        actor=actor, at_hand=at_hand, proposal_id=proposal_id, who=frozenset({Who.SPEAKER}), at=submitted
    )
    await _decide(owner, actor, found, state, at)


async def _decide(
    owner: Actor, actor: Actor, proposal: cfp_queries.ProposalFacts, state: str, at: datetime
) -> None:
    event_id, proposal_id = proposal.event_id, proposal.id
    chair, speaker = frozenset({Who.CHAIR}), frozenset({Who.SPEAKER})
    steps: dict[str, Sequence[tuple[Actor, Verb, frozenset[Who]]]] = {
        "accepted": [(owner, Verb.ACCEPT, chair)],
        "confirmed": [(owner, Verb.ACCEPT, chair), (actor, Verb.CONFIRM, speaker)],
        "rejected": [(owner, Verb.REJECT, chair)],
        "waitlisted": [(owner, Verb.WAITLIST, chair)],
        "withdrawn": [(actor, Verb.WITHDRAW, speaker)],
    }
    for who_acts, verb, who in steps.get(state, ()):
        await proposals.move(
            actor=who_acts,
            event_id=event_id,
            proposal_id=proposal_id,
            verb=verb,
            who=who,
            holds=frozenset({Condition.IN_TIME}),
            at=at,
        )
    if state == "submitted" and proposal_id % 3 == 0:
        await proposals.pend(
            actor=owner, event_id=event_id, proposal_ids=[proposal_id], state=ProposalState.ACCEPTED, at=at
        )
