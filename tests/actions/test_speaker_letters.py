"""Letters to speakers: drafted in the reader's language, kept until a person sends them, never twice, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

import main
from agenda import letter_templates, privacy, proposals, speaker_letters
from agenda.letter_rules import TEMPLATES, LetterCode, Occasion, Placeholder
from agenda.letter_templates import Words
from agenda.models import LetterTemplate, Proposal, Speaker, SpeakerLetter
from agenda.proposal_rules import Condition, Verb, Who
from agenda.speaker_letters import Telling, Wanted
from events.models import Event
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import drafts, letters, wiring
from people.models import JournalEntry, Letter
from people.privacy import Subject
from people.rules import LetterAct, MailLimits
from tests.actions.test_people_outbox import Server, server  # noqa: F401 -- the mail server's fixture
from tests.factories import NOW, make_account, make_event
from tests.programme_house import make_call, make_forum, make_speaker, make_talk

CHAIR = Actor(kind=ActorKind.ACCOUNT, id=900_001)


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def event(app: Starlette) -> Event:
    return await make_event("coscon", city={"zh-Hans": "成都", "en": "Chengdu"})


async def write(event: Event, code: Occasion, *tellings: Telling, **more: Any) -> speaker_letters.Drafted:
    return await speaker_letters.draft(
        actor=CHAIR, event_id=event.id, code=code, tellings=tellings, at=NOW, **more
    )


async def texts(state: str = "drafted") -> dict[str, Letter]:
    return {row.to_email: row for row in await Letter.filter(state=state).order_by("id")}


async def statements(action: Callable[[], Any]) -> int:
    before = db.stats.statements
    await action()
    return db.stats.statements - before


# --- drafted -----------------------------------------------------------------------------------------------------


async def test_each_reads_their_own_language_and_nothing_leaves(event: Event) -> None:
    await make_call(event, confirm_by=NOW + timedelta(days=3))
    forum = await make_forum(event)
    lin = await make_speaker(event, email="lin@a.example", name={"zh-Hans": "林小满"})
    ann = await make_speaker(event, email="ann@b.example", locale="en", name={"en": "Ann"})
    kim = await make_speaker(event, email="kim@c.example", locale="ja", name={"en": "Kim"})
    talk = await make_talk(
        event, lin, ann, forum_id=forum.id, title={"zh-Hans": "开源硬件入门", "en": "RISC-V"}
    )
    made = await write(
        event,
        Occasion.ACCEPTED,
        *(Telling(speaker_id=one.id, proposal_id=talk.id) for one in (lin, ann, kim)),
    )
    assert len(made.letter_ids) == 3
    by = await texts()
    chinese, english, other = by["lin@a.example"], by["ann@b.example"], by["kim@c.example"]
    assert chinese.subject == "议题已录用：开源硬件入门"
    assert (
        "林小满" in chinese.text and "分论坛：开源硬件" in chinese.text and "10月31日 09:30" in chinese.text
    )
    assert english.subject == "Accepted: RISC-V"
    assert "Hello Ann," in english.text and "31 Oct 09:30" in english.text
    # A language that we don't have: English rather than Chinese.
    assert (other.locale, other.subject) == ("en", "Accepted: RISC-V")
    assert await letters.lease(MailLimits(99, 99), urgent=False, at=NOW + timedelta(days=1)) == []


async def test_lines_without_anything_to_say_are_not_there(event: Event) -> None:
    one = await make_speaker(event, name={}, locale="en")
    talk = await make_talk(event, one, title={})
    await write(event, Occasion.ACCEPTED, Telling(speaker_id=one.id, proposal_id=talk.id))
    letter = await Letter.get()
    assert "Without a title yet" in letter.subject
    assert "Hello speaker," in letter.text
    assert "until" not in letter.text and "Forum" not in letter.text


async def test_the_same_words_go_once_and_again_when_they_were_discarded(event: Event) -> None:
    one = await make_speaker(event)
    talk = await make_talk(event, one)
    telling = Telling(speaker_id=one.id, proposal_id=talk.id)
    first = await write(event, Occasion.ACCEPTED, telling, telling)
    assert (len(first.letter_ids), first.same) == (1, 1)
    again = await write(event, Occasion.ACCEPTED, telling)
    assert (again.letter_ids, again.same) == ([], 1)
    await letters.act(actor=CHAIR, letter_id=first.letter_ids[0], act=LetterAct.DISCARD, at=NOW)
    third = await write(event, Occasion.ACCEPTED, telling)
    assert len(third.letter_ids) == 1
    assert await Letter.all().count() == 2


async def test_32_who_draft_the_same_make_one_letter(event: Event) -> None:
    one = await make_speaker(event)
    telling = Telling(speaker_id=one.id)
    made = await asyncio.gather(
        *(
            write(event, Occasion.NUDGE, replace(telling, values={Placeholder.MISSING: "x"}))
            for _ in range(32)
        )
    )
    assert sum(len(one.letter_ids) for one in made) == 1
    assert await Letter.all().count() == await SpeakerLetter.all().count() == 1


async def test_who_has_no_address_is_named_and_others_get_theirs(event: Event) -> None:
    mute, one = await make_speaker(event, email=None), await make_speaker(event)
    gone = await make_speaker(event, erased_at=NOW)
    other = await make_speaker(await make_event())
    made = await write(
        event, Occasion.NUDGE, *(Telling(speaker_id=each.id) for each in (mute, one, gone, other))
    )
    assert made.without_address == [mute.id]
    assert len(made.letter_ids) == 1
    assert await write(event, Occasion.NUDGE) == speaker_letters.Drafted()
    with pytest.raises(NotFound):
        await speaker_letters.write(event_id=0, code=Occasion.NUDGE, tellings=[Telling(speaker_id=one.id)])


async def test_three_letters_cost_as_many_statements_as_thirty(event: Event) -> None:
    async def some(many: int) -> int:
        told = []
        for _ in range(many):
            one = await make_speaker(event)
            told.append(Telling(speaker_id=one.id, proposal_id=(await make_talk(event, one)).id))
        return await statements(lambda: write(event, Occasion.REJECTED, *told))

    assert await some(3) == await some(30)


async def test_values_of_the_caller_are_read_in_the_letters_language(event: Event) -> None:
    lin, ann = await make_speaker(event), await make_speaker(event, locale="en")
    missing = {Placeholder.MISSING: LocalizedText({"zh-Hans": "· 照片", "en": "· Picture"})}
    await write(event, Occasion.NUDGE, *(Telling(speaker_id=one.id, values=missing) for one in (lin, ann)))
    by = await texts()
    assert "· 照片" in by[lin.email or ""].text
    assert "· Picture" in by[ann.email or ""].text


async def test_an_events_own_words_stand_in_their_language_alone(event: Event) -> None:
    lin, ann = await make_speaker(event), await make_speaker(event, locale="en")
    talk = await make_talk(event, lin, ann)
    change: dict[str, Any] = {"actor": CHAIR, "event_id": event.id, "occasion": Occasion.ACCEPTED, "at": NOW}
    with pytest.raises(Invalid) as wrong:
        await letter_templates.change(
            **change, subject=LocalizedText({"zh-Hans": "x"}), text=LocalizedText({"zh-Hans": "{shoe}"})
        )
    assert wrong.value.fields["text.zh-Hans"].code == LetterCode.PLACEHOLDER_UNKNOWN
    await letter_templates.change(
        **change,
        subject=LocalizedText({"zh-Hans": "恭喜 {name}"}),
        text=LocalizedText({"zh-Hans": "《{title}》来啦"}),
    )
    await write(
        event, Occasion.ACCEPTED, *(Telling(speaker_id=one.id, proposal_id=talk.id) for one in (lin, ann))
    )
    by = await texts()
    assert by[lin.email or ""].subject.startswith("恭喜 讲师")
    assert by[ann.email or ""].subject.startswith("Accepted: ")
    # None at all takes them away again.
    await letter_templates.change(**change, subject=LocalizedText(), text=LocalizedText())
    await letter_templates.change(**change, subject=LocalizedText(), text=LocalizedText())
    assert await LetterTemplate.all().count() == 0
    assert (await letter_templates.find(event.id, Occasion.ACCEPTED)).own is None
    assert [one.occasion for one in await letter_templates.of_event(event.id)] == list(TEMPLATES)
    assert await JournalEntry.filter(verb="letter_template.change").count() == 2


# --- sent --------------------------------------------------------------------------------------------------------


async def test_a_draft_goes_once_however_many_press_and_its_link_was_never_in_the_row(
    database: Settings,
    event: Event,
    server: Server,  # noqa: F811
) -> None:
    settings = replace(database, smtp_url=server.url, mail_from="noreply@a.example")  # type: ignore[attr-defined]
    one = await make_speaker(event)
    speaker_letters.link_with(lambda slug, speaker: f"/e/{slug}/speaker?key={speaker.id}-secret")
    try:
        made = await write(
            event, Occasion.ACCEPTED, Telling(speaker_id=one.id, proposal_id=(await make_talk(event, one)).id)
        )
        assert await letters.send_due(settings, urgent=False, at=NOW) == 0
        done = await asyncio.gather(
            *(
                drafts.act_many(
                    actor=CHAIR, event_id=event.id, letter_ids=made.letter_ids, act=LetterAct.SEND, at=NOW
                )
                for _ in range(32)
            )
        )
        assert sorted(len(each) for each in done) == [0] * 31 + [1]
        assert await JournalEntry.filter(verb="letter.send").count() == 1
        for _ in range(3):
            await letters.send_due(settings, urgent=False, at=NOW)
    finally:
        speaker_letters.link_with(speaker_letters._own_page)
    [(to, message)] = server.mails
    assert to == one.email
    assert f"/e/coscon/speaker?key={one.id}-secret" in message.get_content()
    stored = await Letter.get()
    assert "secret" not in stored.text and "{link}" in stored.text


async def test_bulk_acts_touch_the_events_own_letters_that_fit_in_fixed_statements(event: Event) -> None:
    others = await make_event()

    async def some(of: Event, many: int) -> Sequence[int]:
        told = [Telling(speaker_id=(await make_speaker(of)).id) for _ in range(many)]
        return (await write(of, Occasion.DRAFT_REMINDER, *told)).letter_ids

    async def send(ids: Sequence[int]) -> Sequence[int]:
        return await drafts.act_many(
            actor=CHAIR, event_id=event.id, letter_ids=ids, act=LetterAct.SEND, at=NOW
        )

    few, many, strange = await some(event, 1), await some(event, 20), await some(others, 1)
    first = await statements(lambda: send([*few, *strange]))
    assert await statements(lambda: send(many)) == first
    assert await send(many) == []
    states = {row.id: row.state for row in await Letter.all()}
    assert states[strange[0]] == "drafted"
    assert {states[number] for number in (*few, *many)} == {"waiting"}


async def test_a_draft_is_rewritten_and_one_that_left_is_not(event: Event) -> None:
    one = await make_speaker(event)
    [number] = (await write(event, Occasion.DRAFT_REMINDER, Telling(speaker_id=one.id))).letter_ids
    await letters.rewrite(actor=CHAIR, letter_id=number, subject="Ours", text="Own words {link}", at=NOW)
    assert (await Letter.get(id=number)).text == "Own words {link}"
    async with unit_of_work():
        await Letter.filter(id=number).update(state="sent")
    with pytest.raises(Conflict):
        await letters.rewrite(actor=CHAIR, letter_id=number, subject="Ours", text="Later", at=NOW)


async def test_a_link_that_is_needed_stands_at_the_end_of_a_text_without_it() -> None:
    leased = letters.Leased(
        1, None, "k", "a@a.example", "en", "s", "Words", (), "c", 1, False, "", 1, NOW, NOW
    )
    for needed, expected in ((True, "Words\n\nhttps://x\n"), (False, "Words\n")):
        extra = letters.Composed(link="https://x", link_needed=needed)
        message = letters.build_message(leased, extra, mail_from="a@b.example", base_url="http://x")
        assert message.get_content() == expected


# --- what a move tells -------------------------------------------------------------------------------------------


async def move(talk: Proposal, verb: Verb, who: Who, actor: Actor = CHAIR, **more: Any) -> None:
    await proposals.move(
        actor=actor,
        event_id=talk.event_id,
        proposal_id=talk.id,
        verb=verb,
        who=frozenset({who}),
        holds=frozenset(Condition),
        at=NOW,
        **more,
    )


async def said(talk: Proposal) -> list[tuple[str, str]]:
    rows = await SpeakerLetter.filter(proposal_id=talk.id).order_by("id")
    states = {row.id: row.state for row in await Letter.all()}
    return [(row.code, states[row.letter_id]) for row in rows]


async def test_a_decision_waits_a_receipt_goes_and_what_is_over_is_taken_back(event: Event) -> None:
    account = await make_account()
    one = await make_speaker(event, account_id=account.id)
    talk = await make_talk(event, one)
    own = Actor(kind=ActorKind.ACCOUNT, id=account.id)
    await move(talk, Verb.ACCEPT, Who.CHAIR)
    assert await said(talk) == [("accepted", "drafted")]
    await move(talk, Verb.CONFIRM, Who.SPEAKER, own)
    # Nobody has to be told "accepted" any more, and the speaker's own doing is answered at once.
    assert await said(talk) == [("accepted", "discarded"), ("confirmed", "waiting")]
    await move(talk, Verb.WITHDRAW, Who.SPEAKER, own)
    assert (await said(talk))[1:] == [("confirmed", "discarded"), ("withdrawn", "waiting")]
    await move(talk, Verb.REOPEN, Who.CHAIR)
    await move(talk, Verb.ACCEPT, Who.CHAIR)
    # The same words as before: true again, so they are written again.
    assert (await said(talk))[2:] == [("withdrawn", "discarded"), ("accepted", "drafted")]
    await move(talk, Verb.CANCEL, Who.CHAIR, reason="The room burnt down.")
    assert (await said(talk))[3:] == [("accepted", "discarded"), ("cancelled", "drafted")]
    assert "The room burnt down." in (await Letter.all().order_by("-id"))[0].text


async def test_what_was_sent_stays_sent_and_is_told_again_when_it_is_true_again(event: Event) -> None:
    one = await make_speaker(event)
    talk = await make_talk(event, one)
    await move(talk, Verb.REJECT, Who.CHAIR)
    async with unit_of_work():
        await Letter.all().update(state="sent")
    await move(talk, Verb.REOPEN, Who.CHAIR)
    await move(talk, Verb.REJECT, Who.CHAIR)
    assert await said(talk) == [("rejected", "sent"), ("rejected", "drafted")]


async def test_a_move_on_somebodys_behalf_waits_for_a_person(event: Event) -> None:
    one = await make_speaker(event)
    talk = await make_talk(event, one, state="accepted")
    await move(talk, Verb.CONFIRM, Who.CHAIR)
    assert await said(talk) == [("confirmed", "drafted")]
    talk = await make_talk(event, one, state="accepted")
    await move(talk, Verb.CONFIRM, Who.CHAIR, SYSTEM)
    assert await said(talk) == [("confirmed", "drafted")]
    # A speaker's secret link.
    talk = await make_talk(event, one, state="accepted")
    await move(talk, Verb.CONFIRM, Who.SPEAKER, Actor(kind=ActorKind.HOLDER, id=one.id))
    assert await said(talk) == [("confirmed", "waiting")]
    # Whoever handed it in for others.
    writer = await make_account()
    talk = await make_talk(event, one, account_id=writer.id)
    await move(talk, Verb.WITHDRAW, Who.SPEAKER, Actor(kind=ActorKind.ACCOUNT, id=writer.id))
    assert await said(talk) == [("withdrawn", "waiting")]
    # Nothing is said of these.
    talk = await make_talk(event, one, state="invited")
    await move(talk, Verb.DECLINE, Who.SPEAKER)
    assert await said(talk) == []


# --- read --------------------------------------------------------------------------------------------------------


async def test_the_list_is_narrowed_counted_and_paged_in_three_statements(event: Event) -> None:
    one, two = await make_speaker(event, email="Lin_100%@a.example"), await make_speaker(event)
    talk = await make_talk(event, one, two)
    await write(
        event, Occasion.REJECTED, *(Telling(speaker_id=each.id, proposal_id=talk.id) for each in (one, two))
    )
    await write(
        event,
        Occasion.NUDGE,
        Telling(speaker_id=one.id),
        words=Words(LocalizedText(en="A"), LocalizedText(en="b")),
    )
    found = await speaker_letters.listed(event.id, Wanted())
    assert [line.code for line in found.lines] == ["nudge", "rejected", "rejected"]
    assert (found.by_state, found.by_code) == ({"drafted": 3}, {"nudge": 1, "rejected": 2})
    assert found.newest == found.lines[0].id
    assert found.lines[1].proposal_code == talk.code
    few = await speaker_letters.listed(event.id, Wanted(text="lin_100%"))
    assert len(few.lines) == 2
    assert (await speaker_letters.listed(event.id, Wanted(text="lin+100"))).lines == []
    assert (
        len((await speaker_letters.listed(event.id, Wanted(speaker_id=two.id, state="drafted"))).lines) == 1
    )
    assert (await speaker_letters.listed(event.id, Wanted(state="sent"), page=9)).page == 1
    assert await statements(lambda: speaker_letters.listed(event.id, Wanted())) == 3
    ids = await speaker_letters.numbers(event.id, Wanted(code=Occasion.REJECTED), newest=found.lines[1].id)
    assert ids == [found.lines[2].id, found.lines[1].id]
    assert (await speaker_letters.find(event.id, ids[0])).to_email == one.email
    with pytest.raises(NotFound):
        await speaker_letters.find((await make_event()).id, ids[0])


# --- forgotten ---------------------------------------------------------------------------------------------------


async def test_after_an_erasure_no_letter_to_the_speaker_is_left_to_whatever_address_it_went(
    event: Event,
) -> None:
    one, other = await make_speaker(event, name={"zh-Hans": "林小满"}), await make_speaker(event)
    talk = await make_talk(event, one, other)
    await write(
        event, Occasion.REJECTED, *(Telling(speaker_id=each.id, proposal_id=talk.id) for each in (one, other))
    )
    async with unit_of_work():
        await Speaker.filter(id=one.id).update(email="new@a.example")
        await privacy.erase(Subject(email="new@a.example"), SYSTEM, NOW)
    assert list(await texts()) == [other.email]
    assert await SpeakerLetter.filter(speaker_id=one.id).count() == 0
    assert await speaker_letters.letter_parts(one.id, "en") is None


async def test_drafts_that_nobody_sent_in_half_a_year_go(event: Event) -> None:
    one = await make_speaker(event)
    await write(event, Occasion.DRAFT_REMINDER, Telling(speaker_id=one.id))
    await wiring.purge(NOW + wiring.LETTERS_KEPT - timedelta(days=1))
    assert await Letter.all().count() == 1
    await wiring.purge(NOW + wiring.LETTERS_KEPT)
    assert await Letter.all().count() == 0
