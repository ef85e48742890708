"""The registration form's questions, consents, answers and files; identity documents; groups."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from events import answers, groups, identity, queries, questions, registrations
from events.answers import Extras
from events.form_rules import (
    CONSENTS_AT_MOST,
    FILE_QUESTIONS_AT_MOST,
    QUESTIONS_AT_MOST,
    ConsentDetails,
    FileAnswer,
    FormCode,
    Option,
    QuestionDetails,
)
from events.groups import GroupRow
from events.identity_rules import IdDocumentGiven, IdentityCode
from events.models import (
    Consent,
    ConsentText,
    Event,
    FormAnswer,
    FormField,
    IdDocument,
    Registration,
    RegistrationGroup,
    TicketType,
)
from events.rules import Contact, EventCode, FieldKind, IdDocumentKind, RegistrationSource
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem, TooMany
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import letters, uploads
from people.models import JournalEntry, Letter, Upload
from tests.factories import NOW, make_event, make_registration, make_ticket_type

LIN = Contact(name="林小满", email="lin@example.org", organisation="开源社")
MEALS = (
    Option("meat", LocalizedText({"zh-Hans": "荤", "en": "Meat"})),
    Option("veg", LocalizedText({"zh-Hans": "素", "en": "Vegetarian"})),
)


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> None:
    registrations.configure(key=settings.key)
    identity.configure(key=settings.key)
    groups.configure(key=settings.key)
    uploads.configure(settings)


async def world(**ticket: Any) -> tuple[Event, TicketType]:
    event = await make_event("coscon")
    return event, await make_ticket_type(event, "general", **ticket)


def details(**more: Any) -> QuestionDetails:
    values: dict[str, Any] = {
        "code": "meal",
        "kind": FieldKind.LINE,
        "label": LocalizedText({"zh-Hans": "餐食", "en": "Meal"}),
    }
    return QuestionDetails(**(values | more))


async def add(event: Event, **more: Any) -> int:
    return await questions.add(actor=SYSTEM, event_id=event.id, details=details(**more), at=NOW)


async def answer(event: Event, ticket_type: TicketType, extras: Extras, **more: Any) -> int:
    return await registrations.register(
        **{
            "event_id": event.id,
            "ticket_type_id": ticket_type.id,
            "contact": LIN,
            "source": RegistrationSource.FORM,
            "locale": "en",
            "at": NOW,
            "extras": extras,
            **more,
        }
    )


async def pending(event: Event, data: bytes = b"%PDF-1.4", *, until: datetime | None = None) -> FileAnswer:
    number = await uploads.keep(
        data=data,
        filename="cv.pdf",
        event_id=event.id,
        actor_key="-",
        at=NOW,
        keep_until=until or NOW + timedelta(days=1),
    )
    return FileAnswer(number, "cv.pdf", f"digest of {data!r}")


# --- questions ---------------------------------------------------------------------------------------------------


async def test_a_question_is_added_changed_ordered_and_switched_off(database: Settings) -> None:
    event, students = await world()
    other = await make_ticket_type(event, "speaker")
    first = await add(event)
    second = await add(event, code="size", ticket_type_ids=frozenset({students.id}))
    assert [one.code for one in await answers.questions(event.id)] == ["meal", "size"]
    assert [one.code for one in await answers.questions(event.id, other.id)] == ["meal"]
    await questions.move(actor=SYSTEM, event_id=event.id, question_id=second, up=True, at=NOW)
    await questions.move(actor=SYSTEM, event_id=event.id, question_id=second, up=True, at=NOW)
    assert [one.code for one in await answers.questions(event.id)] == ["size", "meal"]
    changed = details(
        label=LocalizedText({"en": "Food"}), is_required=True, ticket_type_ids=frozenset({other.id})
    )
    named = {"actor": SYSTEM, "event_id": event.id, "question_id": first, "at": NOW}
    await questions.change(**named, details=changed)
    await questions.change(**named, details=changed)
    found = await questions.get(event.id, first)
    assert (found.label, found.is_required, found.ticket_type_ids) == (
        {"en": "Food"},
        True,
        frozenset({other.id}),
    )
    await questions.switch(**named, is_active=False)
    assert [one.id for one in await answers.questions(event.id)] == [second]
    await questions.switch(**named, is_active=True)
    assert len(await answers.questions(event.id)) == 2
    verbs = [row.verb for row in await JournalEntry.filter(object_kind="question").order_by("id")]
    # The second move and the second change found nothing to do.
    assert verbs == [
        "question.add",
        "question.add",
        "question.move",
        "question.change",
        "question.change",
        "question.change",
    ]
    lines = await JournalEntry.filter(verb="question.change").order_by("id")
    assert lines[0].new == {"fields": ["is_required", "label", "ticket_types"]}


async def test_an_answered_question_keeps_its_kind_and_its_options(database: Settings) -> None:
    event, ticket_type = await world()
    number = await add(event, kind=FieldKind.CHOOSE_MANY, options=MEALS)
    await answer(event, ticket_type, Extras({number: ["veg"]}))
    named = {"actor": SYSTEM, "event_id": event.id, "question_id": number, "at": NOW}
    with pytest.raises(Invalid) as kind:
        await questions.change(**named, details=details(kind=FieldKind.LINE))
    assert kind.value.fields == {"kind": Problem(FormCode.QUESTION_KIND_FIXED)}
    with pytest.raises(Invalid) as gone:
        await questions.change(
            **named,
            details=details(kind=FieldKind.CHOOSE_MANY, options=(MEALS[0], Option("x", MEALS[0].label))),
        )
    assert gone.value.fields == {"options": Problem(FormCode.OPTION_IN_USE, {"code": "veg"})}
    # An answer that nobody gave may go.
    await questions.change(
        **named,
        details=details(kind=FieldKind.CHOOSE_MANY, options=(MEALS[1], Option("x", MEALS[0].label))),
    )
    with pytest.raises(Conflict) as refusal:
        await questions.remove(**named)
    assert refusal.value.code == FormCode.QUESTION_ANSWERED
    assert await FormAnswer.all().count() == 1


async def test_a_question_without_answers_may_change_its_kind_and_go(database: Settings) -> None:
    event, ticket_type = await world()
    number = await add(event, ticket_type_ids=frozenset({ticket_type.id}))
    named = {"actor": SYSTEM, "event_id": event.id, "question_id": number, "at": NOW}
    await questions.change(**named, details=details(kind=FieldKind.NUMBER))
    await questions.remove(**named)
    assert await FormField.all().count() == 0
    with pytest.raises(NotFound):
        await questions.remove(**named)
    with pytest.raises(NotFound):
        await questions.move(**named, up=True)
    with pytest.raises(NotFound):
        await questions.change(**named, details=details())


async def test_what_is_wrong_with_a_question_is_said_at_its_field(database: Settings) -> None:
    event, _ = await world()
    strange = await make_ticket_type(await make_event(), "strange")
    await add(event)
    for more, where in (({"code": "a b"}, "code"), ({}, "code")):
        with pytest.raises(Invalid) as refusal:
            await add(event, **more)
        assert set(refusal.value.fields) == {where}
    with pytest.raises(NotFound):
        await add(event, code="foreign", ticket_type_ids=frozenset({strange.id}))
    for number in range(FILE_QUESTIONS_AT_MOST):
        await add(event, code=f"file{number}", kind=FieldKind.FILE)
    with pytest.raises(Invalid) as files:
        await add(event, code="file9", kind=FieldKind.FILE)
    assert files.value.fields["kind"].code == FormCode.FILE_QUESTIONS_TOO_MANY
    for number in range(QUESTIONS_AT_MOST - FILE_QUESTIONS_AT_MOST - 1):
        await add(event, code=f"more{number}")
    with pytest.raises(Invalid) as many:
        await add(event, code="last")
    assert many.value.fields["label"].code == FormCode.QUESTIONS_TOO_MANY
    assert await FormField.filter(event_id=event.id).count() == QUESTIONS_AT_MOST


# --- consents ----------------------------------------------------------------------------------------------------


def consent(**more: Any) -> ConsentDetails:
    values: dict[str, Any] = {
        "code": "coc",
        "title": LocalizedText({"en": "Conduct"}),
        "text": LocalizedText({"en": "Be kind."}),
        "is_required": True,
    }
    return ConsentDetails(**(values | more))


async def test_a_change_of_a_consent_is_a_new_version_and_the_old_one_stays(database: Settings) -> None:
    event, ticket_type = await world()
    first = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)
    await answer(event, ticket_type, Extras(consents={first: True}))
    same = await questions.change_consent(
        actor=SYSTEM, event_id=event.id, text_id=first, details=consent(), at=NOW
    )
    assert same == first
    new = consent(text=LocalizedText({"en": "Be kind and quiet."}))
    second = await questions.change_consent(
        actor=SYSTEM, event_id=event.id, text_id=first, details=new, at=NOW
    )
    [asked] = await answers.consent_texts(event.id)
    assert (asked.id, asked.version, asked.text) == (second, 2, {"en": "Be kind and quiet."})
    assert (await questions.consent(event.id, first)).text == {"en": "Be kind."}
    await answer(event, ticket_type, Extras(consents={second: False}), contact=replace(LIN, name="王"))
    counts = await questions.consent_counts(event.id)
    assert (counts[first].given, counts[first].refused) == (1, 0)
    assert (counts[second].given, counts[second].refused) == (0, 1)
    with pytest.raises(Conflict):
        await questions.change_consent(
            actor=SYSTEM, event_id=event.id, text_id=first, details=consent(is_required=False), at=NOW
        )
    await questions.withdraw_consent(actor=SYSTEM, event_id=event.id, text_id=second, at=NOW)
    assert await answers.consent_texts(event.id) == []
    with pytest.raises(Conflict):
        await questions.withdraw_consent(actor=SYSTEM, event_id=event.id, text_id=second, at=NOW)
    assert await ConsentText.all().count() == 2
    row = await Consent.get(consent_text_id=first)
    assert (row.is_given, row.locale, row.at) == (True, "en", NOW)


async def test_two_new_versions_at_once_are_one_and_a_conflict(database: Settings) -> None:
    event, _ = await world()
    first = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)

    async def change(number: int) -> Any:
        try:
            return await questions.change_consent(
                actor=SYSTEM,
                event_id=event.id,
                text_id=first,
                details=consent(title=LocalizedText({"en": f"Conduct {number}"})),
                at=NOW,
            )
        except Conflict:
            return None

    outcomes = await asyncio.gather(*(change(number) for number in range(32)))
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert await ConsentText.filter(is_current=True).count() == 1


async def test_what_is_wrong_with_a_consent(database: Settings) -> None:
    event, _ = await world()
    first = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)
    for more, where in (({"code": "coc"}, "code"), ({"title": LocalizedText()}, "title")):
        with pytest.raises(Invalid) as refusal:
            await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(**more), at=NOW)
        assert set(refusal.value.fields) == {where}
    with pytest.raises(Invalid):
        await questions.change_consent(
            actor=SYSTEM, event_id=event.id, text_id=first, details=consent(title=LocalizedText()), at=NOW
        )
    with pytest.raises(NotFound):
        await questions.consent(event.id, first + 99)
    for number in range(CONSENTS_AT_MOST - 1):
        await questions.add_consent(
            actor=SYSTEM, event_id=event.id, details=consent(code=f"c{number}"), at=NOW
        )
    with pytest.raises(Invalid) as many:
        await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(code="last"), at=NOW)
    assert many.value.fields["title"].code == FormCode.CONSENTS_TOO_MANY


# --- answers -----------------------------------------------------------------------------------------------------


async def test_every_kind_of_answer_comes_back_as_it_was(database: Settings) -> None:
    event, ticket_type = await world()
    given: dict[int, Any] = {}
    for kind, value in (
        (FieldKind.LINE, "一行"),
        (FieldKind.TEXT, "two\nlines"),
        (FieldKind.NUMBER, 7),
        (FieldKind.NUMBER, 1.5),
        (FieldKind.DATE, "2023-10-28"),
        (FieldKind.YES_NO, False),
        (FieldKind.CHOOSE_ONE, "veg"),
        (FieldKind.CHOOSE_MANY, ["meat", "veg"]),
    ):
        options = MEALS if kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY) else ()
        given[await add(event, code=f"q{len(given)}", kind=kind, options=options)] = value
    file = await add(event, code="cv", kind=FieldKind.FILE)
    text = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)
    kept = await pending(event)
    one = await answer(event, ticket_type, Extras({**given, file: kept}, {text: True}))
    found = (await answers.of([one]))[one]
    assert {number: answer.value for number, answer in found.answers.items() if number != file} == given
    assert (found.answers[file].upload_id, found.answers[file].filename) == (kept.upload_id, "cv.pdf")
    assert found.answers[file].value is None
    said = found.consents[text]
    assert (said.is_given, said.locale, said.at) == (True, "en", NOW)
    assert await answers.file_of(event_id=event.id, registration_id=one, question_id=file) == (
        b"%PDF-1.4",
        "cv.pdf",
    )
    stranger = await make_event()
    with pytest.raises(NotFound):
        await answers.file_of(event_id=stranger.id, registration_id=one, question_id=file)
    assert (await Upload.get(id=kept.upload_id)).keep_until is None


async def test_reading_three_costs_what_reading_one_costs(database: Settings) -> None:
    event, ticket_type = await world()
    number = await add(event, kind=FieldKind.FILE)
    ids = [
        await answer(
            event, ticket_type, Extras({number: await pending(event)}), contact=replace(LIN, name=str(n))
        )
        for n in range(3)
    ]
    counts = []
    for wanted in (ids[:1], ids):
        before = db.stats.statements
        assert len(await answers.of(wanted)) == len(wanted)
        counts.append(db.stats.statements - before)
    assert counts[0] == counts[1] <= 3
    assert await answers.of([]) == {}


async def test_a_file_answers_one_form_only(database: Settings) -> None:
    event, ticket_type = await world()
    number = await add(event, kind=FieldKind.FILE)
    file = await pending(event)
    await answer(event, ticket_type, Extras({number: file}))
    with pytest.raises(Invalid) as refusal:
        await answer(event, ticket_type, Extras({number: file}), contact=replace(LIN, name="王"))
    assert refusal.value.fields == {f"q.{number}": Problem(FormCode.FILE_GONE)}
    late = await pending(event, until=NOW)
    with pytest.raises(Invalid):
        await answer(event, ticket_type, Extras({number: late}), contact=replace(LIN, name="王"))
    assert await Registration.all().count() == 1


async def test_a_form_sent_again_with_its_file_is_one_registration(database: Settings) -> None:
    event, ticket_type = await world()
    number = await add(event, kind=FieldKind.FILE)
    request_id = uuid4()
    ids = {
        await answer(event, ticket_type, Extras({number: await pending(event)}), request_id=request_id)
        for _ in range(2)
    }
    assert len(ids) == 1
    with pytest.raises(Conflict):
        await answer(
            event,
            ticket_type,
            Extras({number: await pending(event, b"%PDF-other")}),
            request_id=request_id,
        )


async def test_answers_of_another_event_are_not_taken(database: Settings) -> None:
    event, ticket_type = await world()
    other = await make_event()
    number = await add(other)
    text = await questions.add_consent(actor=SYSTEM, event_id=other.id, details=consent(), at=NOW)
    await answer(event, ticket_type, Extras({number: "x"}, {text: True}))
    assert (await FormAnswer.all().count(), await Consent.all().count()) == (0, 0)


async def replace_answers(event: Event, number: int, extras: Extras, asked: set[int] | None = None) -> None:
    async with unit_of_work():
        await answers.replace(
            event_id=event.id, registration_id=number, extras=extras, locale="zh-Hans", at=NOW, asked=asked
        )


async def test_answers_are_replaced_and_what_was_not_asked_stays(database: Settings) -> None:
    event, ticket_type = await world()
    line, size, cv = (
        await add(event),
        await add(event, code="size"),
        await add(event, code="cv", kind=FieldKind.FILE),
    )
    text = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)
    file = await pending(event)
    one = await answer(event, ticket_type, Extras({line: "a", size: "M", cv: file}, {text: True}))
    await replace_answers(event, one, Extras({line: "b", cv: file}, {text: False}), asked={line, cv})
    found = (await answers.of([one]))[one]
    assert {number: answer.value for number, answer in found.answers.items()} == {
        line: "b",
        size: "M",
        cv: None,
    }
    assert not found.consents[text].is_given
    assert (await Upload.get(id=file.upload_id)).keep_until is None
    # Another file in its place: the old one goes with the next purge.
    other = await pending(event, b"%PDF-2")
    await replace_answers(event, one, Extras({cv: other}), asked={cv})
    assert (await answers.of([one]))[one].answers[cv].upload_id == other.upload_id
    assert await uploads.purge(NOW + timedelta(days=2)) == 1
    assert await Upload.exists(id=other.upload_id)
    await replace_answers(event, one, Extras())
    assert (await answers.of([one]))[one].answers == {}


# --- identity documents ------------------------------------------------------------------------------------------

CARD = IdDocumentGiven(IdDocumentKind.RESIDENT_ID, "11010519491231002X")


async def test_a_document_lies_nowhere_in_clear_and_each_look_is_journalled(database: Settings) -> None:
    event, ticket_type = await world()
    one = await answer(event, ticket_type, Extras(identity=CARD))
    other = await answer(
        event,
        ticket_type,
        Extras(identity=IdDocumentGiven(IdDocumentKind.PASSPORT, "E12345678")),
        contact=replace(LIN, name="王"),
    )
    row = await IdDocument.get(registration_id=one)
    assert CARD.number not in row.ciphertext
    found = await identity.find(one)
    assert found is not None
    assert (found.kind, found.consented_at) == (IdDocumentKind.RESIDENT_ID, NOW)
    shown = await identity.show(actor=SYSTEM, event_id=event.id, registration_ids=[one], at=NOW)
    assert shown == {one: CARD}
    every = await identity.show(actor=SYSTEM, event_id=event.id, registration_ids=[one, other], at=NOW)
    assert every[other].number == "E12345678"
    lines = await JournalEntry.filter(verb="identity.see").order_by("id")
    assert [(line.object_kind, line.object_id, line.new) for line in lines] == [
        ("registration", one, {"count": 1}),
        ("event", event.id, {"count": 2}),
    ]
    # Another registration's ciphertext does not open, even under the right key.
    async with unit_of_work():
        await IdDocument.filter(registration_id=other).update(ciphertext=row.ciphertext)
    with pytest.raises(Conflict) as refusal:
        await identity.show(actor=SYSTEM, event_id=event.id, registration_ids=[other], at=NOW)
    assert refusal.value.code == IdentityCode.UNREADABLE
    stranger = await make_event()
    with pytest.raises(NotFound):
        await identity.show(actor=SYSTEM, event_id=stranger.id, registration_ids=[one], at=NOW)
    dump = [str(line.__dict__) for line in await JournalEntry.all()] + [
        letter.text for letter in await Letter.all()
    ]
    assert not any(CARD.number in text for text in dump)


async def test_another_key_opens_no_document(database: Settings, settings: Settings) -> None:
    sealed = identity.seal(1, CARD)
    assert sealed != identity.seal(1, CARD)
    identity.configure(key=b"another key of thirty-two bytes!!!")
    with pytest.raises(Conflict):
        identity.unseal(1, sealed)
    identity.configure(key=settings.key)
    assert identity.unseal(1, sealed) == CARD.number


async def test_documents_go_in_time_and_at_once_when_switched_off(database: Settings) -> None:
    event = await make_event(id_document_days=3, ends_on=date(2023, 10, 29))
    ticket_type = await make_ticket_type(event)
    await answer(event, ticket_type, Extras(identity=CARD))
    facts = await queries.find_event_by_id(event.id)
    assert facts is not None
    due = identity.due_at(facts)
    # Midnight in Shanghai after the third day.
    assert due == datetime.fromisoformat("2023-11-01T16:00:00+00:00")
    assert identity.due_on(facts) == date(2023, 11, 1)
    assert await identity.purge(due - timedelta(seconds=1)) == 0
    assert await identity.purge(due) == 1
    [line] = await JournalEntry.filter(verb="identity.purge")
    assert line.new == {"count": 1}
    assert await identity.purge(due) == 0
    await answer(event, ticket_type, Extras(identity=CARD), contact=replace(LIN, name="王"))
    async with unit_of_work():
        await Event.filter(id=event.id).update(id_document_days=None)
    assert await identity.purge(NOW) == 1


async def test_a_document_is_replaced_and_taken_back(database: Settings) -> None:
    event, ticket_type = await world()
    one = await answer(event, ticket_type, Extras(identity=CARD))
    async with unit_of_work():
        await identity.store(
            registration_id=one, given=IdDocumentGiven(IdDocumentKind.PASSPORT, "E1234567"), at=NOW
        )
    assert await IdDocument.all().count() == 1
    named = {"actor": SYSTEM, "event_id": event.id, "registration_id": one, "at": NOW}
    await identity.remove(**named)
    assert await identity.find(one) is None
    with pytest.raises(NotFound):
        await identity.remove(**named)


# --- groups ------------------------------------------------------------------------------------------------------


def row(number: int, ticket_type: TicketType, **more: Any) -> GroupRow:
    contact = Contact(name=f"同学{number}", email=f"student{number}@example.org")
    return GroupRow(number, more.pop("contact", contact), ticket_type.id, **more)


def group(event: Event, rows: list[GroupRow], **more: Any) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "name": "三年二班",
        "contact_name": "周老师",
        "contact_email": "zhou@example.org",
        "rows": rows,
        "consents": {},
        "locale": "zh-Hans",
        "at": NOW,
        "request_id": uuid4(),
        **more,
    }


async def test_a_group_is_registered_with_letters_consents_and_one_link(database: Settings) -> None:
    event, ticket_type = await world(quota=5)
    text = await questions.add_consent(actor=SYSTEM, event_id=event.id, details=consent(), at=NOW)
    rows = [row(number, ticket_type) for number in (1, 2)]
    rows.append(row(3, ticket_type, contact=Contact(name="无邮箱", phone="+8613800138000")))
    form = group(event, rows, consents={text: True})
    number = await groups.register(**form)
    assert await groups.register(**form) == number
    made = await Registration.filter(group_id=number).order_by("id")
    assert [one.source for one in made] == ["group"] * 3
    assert (await TicketType.get(id=ticket_type.id)).taken == 3
    assert await Consent.filter(consent_text_id=text, is_given=True).count() == 3
    assert sorted(letter.to_email for letter in await Letter.all()) == [
        "student1@example.org",
        "student2@example.org",
        "zhou@example.org",
    ]
    parts = await letters._composers["group"](number, "zh-Hans")
    assert isinstance(parts, letters.Composed)
    for one in made:
        assert registrations.secret_of(one.id, 0) in parts.text_suffix
    secret = groups.secret_of(number, 0)
    assert secret in parts.text_suffix
    [letter] = await Letter.filter(key=f"group:{number}")
    assert secret not in letter.text
    found = await groups.find_by_secret(event.id, secret)
    assert found is not None
    assert found.name == "三年二班"
    members = await groups.members(found)
    assert [member.name for member in members] == ["同学1", "同学2", "无邮箱"]
    other = await make_event()
    assert await groups.find_by_secret(other.id, secret) is None
    for wrong in (secret[:-1] + "#", "", "x", f"{number}-", "999-abc", "１-abc"):
        assert await groups.find_by_secret(event.id, wrong) is None


async def test_one_bad_row_stops_the_whole_group_and_every_bad_row_is_named(database: Settings) -> None:
    event, ticket_type = await world(quota=2)
    closed = await make_ticket_type(event, "inner", is_public=False)
    rows = [row(number, ticket_type) for number in (1, 2, 4)] + [row(7, closed)]
    with pytest.raises(Invalid) as refusal:
        await groups.register(**group(event, rows))
    assert {name: problem.code for name, problem in refusal.value.fields.items()} == {
        "row.4.ticket_type": EventCode.TICKET_TYPE_FULL,
        "row.7.ticket_type": EventCode.TICKET_TYPE_UNKNOWN,
    }
    assert await Registration.all().count() == 0
    assert await RegistrationGroup.all().count() == 0
    assert await Letter.all().count() == 0
    assert (await TicketType.get(id=ticket_type.id)).taken == 0


async def test_sixty_four_groups_at_once_take_what_there_is_and_no_more(database: Settings) -> None:
    """Groups of two for five places: two groups come in whole, the fifth place stays free."""
    event, ticket_type = await world(quota=5)

    async def one(number: int) -> bool:
        rows = [row(number * 2, ticket_type), row(number * 2 + 1, ticket_type)]
        try:
            await groups.register(**group(event, rows, contact_email=f"leader{number}@example.org"))
        except Invalid:
            return False
        return True

    outcomes = await asyncio.gather(*(one(number) for number in range(64)))
    assert sum(outcomes) == 2
    assert (await TicketType.get(id=ticket_type.id)).taken == 4
    assert await Registration.all().count() == 4
    assert await RegistrationGroup.all().count() == 2


async def test_the_same_group_form_sent_by_thirty_two_at_once_is_one_group(database: Settings) -> None:
    event, ticket_type = await world()
    form = group(event, [row(1, ticket_type), row(2, ticket_type)])
    ids = await asyncio.gather(*(groups.register(**form) for _ in range(32)))
    assert len(set(ids)) == 1
    assert await Registration.all().count() == 2


async def test_a_leader_registers_five_groups_an_hour(database: Settings) -> None:
    event, ticket_type = await world()
    for number in range(groups.GROUPS_AN_HOUR):
        await groups.register(**group(event, [row(number, ticket_type)]))
    with pytest.raises(TooMany):
        await groups.register(**group(event, [row(99, ticket_type)]))
    await groups.register(**group(event, [row(99, ticket_type)], at=NOW + timedelta(hours=2)))


async def test_a_leader_resends_and_cancels_own_people_only(database: Settings) -> None:
    event, ticket_type = await world(quota=2)
    async with unit_of_work():
        await Event.filter(id=event.id).update(starts_on=date(2030, 1, 1), ends_on=date(2030, 1, 1))
    number = await groups.register(**group(event, [row(1, ticket_type), row(2, ticket_type)]))
    found = await groups.find_by_secret(event.id, groups.secret_of(number, 0))
    assert found is not None
    first, second = await groups.members(found)
    before = await Letter.all().count()
    for _ in range(3):
        await groups.resend(group=found, registration_id=first.id, at=NOW)
    assert await Letter.all().count() == before + 1
    named: dict[str, Any] = {"group": found, "actor": SYSTEM, "at": NOW}
    request_id = uuid4()
    for _ in range(2):
        await groups.cancel(**named, registration_id=second.id, request_id=request_id)
    assert (await TicketType.get(id=ticket_type.id)).taken == 1
    with pytest.raises(Conflict):
        await groups.resend(group=found, registration_id=second.id, at=NOW)
    stranger = await make_registration(event, ticket_type)
    with pytest.raises(NotFound):
        await groups.resend(group=found, registration_id=stranger.id, at=NOW)
    with pytest.raises(NotFound):
        await groups.cancel(**named, registration_id=stranger.id, request_id=uuid4())


async def test_a_place_that_was_handed_on_is_out_of_the_leaders_hands(database: Settings) -> None:
    event, ticket_type = await world()
    number = await groups.register(**group(event, [row(1, ticket_type), row(2, ticket_type)]))
    found = await groups.find_by_secret(event.id, groups.secret_of(number, 0))
    assert found is not None
    first, second = await groups.members(found)
    key = await registrations.renew_secret(actor=SYSTEM, event_id=event.id, registration_id=second.id, at=NOW)
    assert [member.id for member in await groups.members(found)] == [first.id]
    parts = await letters._composers["group"](number, "en")
    assert isinstance(parts, letters.Composed)
    assert key not in parts.text_suffix
    assert registrations.secret_of(first.id, 0) in parts.text_suffix
    with pytest.raises(NotFound):
        await groups.resend(group=found, registration_id=second.id, at=NOW)
    with pytest.raises(NotFound):
        await groups.cancel(group=found, registration_id=second.id, actor=SYSTEM, at=NOW, request_id=uuid4())


async def test_a_letter_to_a_group_that_is_gone_is_not_sent(database: Settings) -> None:
    event, ticket_type = await world()
    number = await groups.register(**group(event, [row(1, ticket_type)]))
    [one] = await Registration.filter(group_id=number)
    await registrations.cancel(actor=SYSTEM, event_id=event.id, registration_id=one.id, at=NOW)
    assert await letters._composers["group"](number, "en") is None
    assert await letters._composers["group"](number + 99, "en") is None
