"""A person is shown what is held, and after an erasure nothing names them, while every total stays."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import main
from checkin import counting, scanning
from checkin.models import Passport
from checkin.scanning import ScanEntry
from events import privacy as event_privacy
from events import registrations, transfers
from events.answers import Extras
from events.models import (
    Event,
    FormAnswer,
    FormField,
    IdDocument,
    Registration,
    RoleGrant,
    TicketType,
    Transfer,
)
from events.rules import Contact, EventCode, RegistrationSource, RegistrationState
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Conflict, NotFound
from kernel.settings import Settings
from people import accounts, jobs, letters, privacy, uploads
from people.models import Account, JournalEntry, Letter, Upload
from people.privacy import Subject
from tests.factories import (
    make_account,
    make_checkpoint,
    make_door,
    make_event,
    make_registration,
    make_role,
    make_ticket_type,
)

SECRETS = (
    "欧阳震华",
    "ouyang.zhenhua@secret.example",
    "13911112222",
    "保密研究院",
    "素食不吃香菜",
    "SHOP-77",
)
SOON = datetime.now(UTC).date() + timedelta(days=20)


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[Settings]:
    main.create_app(database, workers=False)
    yield database
    letters._composers.clear()


async def _person(event: Event, kind: TicketType, **more: Any) -> int:
    values: dict[str, Any] = {
        "event_id": event.id,
        "ticket_type_id": kind.id,
        "contact": Contact(
            name=SECRETS[0],
            badge_name=SECRETS[0],
            email=SECRETS[1],
            phone=f"+86{SECRETS[2]}",
            organisation=SECRETS[3],
        ),
        "source": RegistrationSource.ORGANISER,
        "locale": "zh-Hans",
        "at": datetime.now(UTC),
        "external_code": SECRETS[5],
    }
    return await registrations.register(**(values | more))


async def _question(event: Event, code: str, kind: str, *, is_personal: bool) -> FormField:
    async with db.unit_of_work():
        return await FormField.create(
            event_id=event.id,
            code=code,
            kind=kind,
            label={"en": code},
            options=[{"code": "yes", "label": {"en": "Yes"}}] if kind == "choose_one" else [],
            is_personal=is_personal,
        )


async def _answers_with_a_file(event: Event, registration_id: int) -> int:
    question = await _question(event, "student_card", "file", is_personal=True)
    file = await uploads.keep(
        data=b"%PDF", filename="student card.pdf", event_id=event.id, actor_key="", at=datetime.now(UTC)
    )
    async with db.unit_of_work():
        await FormAnswer.create(
            registration_id=registration_id, form_field_id=question.id, value=None, upload_id=file
        )
    return file


async def _everything() -> str:
    """All text in all tables, whatever they are called."""
    if db.dialect() == "sqlite":
        tables = [
            row["name"] for row in await db.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
    else:
        tables = [
            row["name"]
            for row in await db.query(
                "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
            )
        ]
    parts = []
    for table in tables:
        for row in await db.query(f'SELECT * FROM "{table}"'):
            parts += [f"{table}.{name}={value}" for name, value in row.items()]
    return "\n".join(parts)


def _named(text: str) -> list[str]:
    escaped = {secret: secret.encode("unicode_escape").decode() for secret in SECRETS}
    return [
        line[:200]
        for line in text.splitlines()
        for secret in SECRETS
        if secret in line or escaped[secret] in line or secret[-4:] == line.rpartition("=")[2]
    ]


async def test_after_an_erasure_no_table_names_the_person_and_totals_are_equal(house: Settings) -> None:
    event = await make_event(starts_on=SOON, ends_on=SOON)
    kind = await make_ticket_type(event, quota=5)
    free = await _question(event, "diet", "line", is_personal=True)
    shirt = await _question(event, "shirt", "choose_one", is_personal=False)
    number = await _person(
        event, kind, extras=Extras(answers={free.id: SECRETS[4], shirt.id: "yes"}), request_id=uuid.uuid4()
    )
    other = await _person(
        event, kind, contact=Contact(name="林小雨", email="lin@a.example"), external_code=None
    )
    async with db.unit_of_work():
        await IdDocument.create(
            registration_id=number, kind="passport", ciphertext="x", consented_at=datetime.now(UTC)
        )
    await transfers.begin(
        actor=SYSTEM,
        event_id=event.id,
        registration_id=other,
        to_name=SECRETS[0],
        to_email=SECRETS[1],
        secret_round=0,
        at=datetime.now(UTC),
        request_id=uuid.uuid4(),
    )
    # Somebody else's letter that names the person.
    await letters.queue(
        key="group",
        to_email="leader@a.example",
        locale="zh-Hans",
        subject=f"{SECRETS[0]}已报名",
        text=f"您替{SECRETS[0]}报了名。",
        event_id=event.id,
        at=datetime.now(UTC),
    )
    gate = await make_checkpoint(event)
    door = await make_door(event)
    passport = await Passport.get(registration_id=number)
    await scanning.scan(
        door=door, entry=ScanEntry(uuid.uuid4(), passport.token, gate.id), at=datetime.now(UTC)
    )
    before = await db.query("SELECT * FROM day_tally")
    assert len(_named(await _everything())) > 10
    assert (
        await event_privacy.erase(
            actor=SYSTEM, event_id=event.id, registration_ids=[number], at=datetime.now(UTC)
        )
        == 1
    )
    assert _named(await _everything()) == []
    row = await Registration.get(id=number)
    assert row.erased_at is not None
    assert row.state == RegistrationState.CANCELLED
    assert (await TicketType.get(id=kind.id)).taken == 1
    assert (await Transfer.get()).state == "withdrawn", "nobody is there any more to take it"
    assert [answer.form_field_id for answer in await FormAnswer.all()] == [shirt.id]
    assert (await Letter.get(key="group")).text == "您替—报了名。"
    assert await db.query("SELECT * FROM day_tally") == before
    assert await counting.rebuild(event.id) == []
    [line] = await JournalEntry.filter(verb="registration.erase")
    assert (line.object_id, line.new) == (number, {"registrations": [number]})


async def test_the_passport_of_nobody_opens_no_gate(house: Settings) -> None:
    event = await make_event(starts_on=SOON, ends_on=SOON)
    number = await _person(event, await make_ticket_type(event))
    gate, door = await make_checkpoint(event), await make_door(event)
    passport = await Passport.get(registration_id=number)
    await event_privacy.erase(
        actor=SYSTEM, event_id=event.id, registration_ids=[number], at=datetime.now(UTC)
    )
    for code, verdict in (
        (passport.token, "revoked"),
        (passport.short_code, "revoked"),
        (SECRETS[5], "unknown"),
    ):
        answer = await scanning.scan(
            door=door, entry=ScanEntry(uuid.uuid4(), code, gate.id), at=datetime.now(UTC)
        )
        assert answer.verdict.value == verdict
        assert answer.holder is None or answer.holder.name == ""


async def test_once_more_changes_nothing_and_strangers_are_not_there(house: Settings) -> None:
    event, other = await make_event(starts_on=SOON, ends_on=SOON), await make_event()
    number = await _person(event, await make_ticket_type(event))

    async def erase(event_id: int) -> int:
        return await event_privacy.erase(
            actor=SYSTEM, event_id=event_id, registration_ids=[number], at=datetime.now(UTC)
        )

    with pytest.raises(NotFound):
        await erase(other.id)
    assert sum(await asyncio.gather(*(erase(event.id) for _ in range(16)))) == 1
    assert await JournalEntry.filter(verb="registration.erase").count() == 1


async def test_a_past_registration_keeps_its_state_for_the_counts(house: Settings) -> None:
    event = await make_event(starts_on=date(2023, 10, 28), ends_on=date(2023, 10, 29))
    number = await _person(event, await make_ticket_type(event))
    await event_privacy.erase(
        actor=SYSTEM, event_id=event.id, registration_ids=[number], at=datetime.now(UTC)
    )
    assert (await Registration.get(id=number)).state == RegistrationState.CONFIRMED


# --- an account --------------------------------------------------------------------------------------------------


async def _account(email: str = SECRETS[1]) -> tuple[Account, Actor, str]:
    account = await make_account(email, name=SECRETS[0])
    token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
    return account, Actor(kind=ActorKind.ACCOUNT, id=account.id, email=account.email), token


async def test_an_account_sees_what_is_held_in_every_event(house: Settings) -> None:
    account, _, _ = await _account()
    number = 0
    for _ in range(2):
        event = await make_event()
        number = await _person(event, await make_ticket_type(event))
        await make_role(event, account, "viewer")
    found = privacy.as_file(await privacy.held(Subject(account.id, account.email)))
    assert found["account"][0]["email"] == SECRETS[1]
    assert {row["phone"] for row in found["registrations"]} == {f"+86{SECRETS[2]}"}
    assert len(found["registrations"]) == len(found["passports"]) == len(found["roles"]) == 2
    assert len(found["letters"]) == 2
    alone = privacy.as_file(await privacy.held(Subject(registration_ids=frozenset({number}))))
    assert len(alone["registrations"]) == 1
    assert "account" not in alone
    assert "letters" not in alone


async def test_one_and_three_registrations_cost_the_same_statements(house: Settings) -> None:
    account, _, _ = await _account()
    costs = []
    for more in (1, 2):
        for _ in range(more):
            event = await make_event()
            await _person(event, await make_ticket_type(event))
        before = db.stats.statements
        await privacy.held(Subject(account.id, account.email))
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]


async def test_an_erased_account_is_nobodys(house: Settings) -> None:
    account, actor, token = await _account()
    event = await make_event(starts_on=SOON, ends_on=SOON)
    await _person(event, await make_ticket_type(event))
    await make_role(event, account, "organiser")
    await accounts.ask_code(email=SECRETS[1], locale="en", browser="b", at=datetime.now(UTC))
    await privacy.erase(actor=actor, subject=Subject(account.id, account.email), at=datetime.now(UTC))
    assert _named(await _everything()) == []
    assert not (await accounts.actor_for_token(token)).signed_in
    # The address is free: whoever has it now is somebody new.
    assert (
        await accounts.create_account(email=SECRETS[1], name="", is_admin=False, at=datetime.now(UTC))
        != account.id
    )


async def test_the_last_owner_hands_the_event_over_first(house: Settings) -> None:
    account, actor, token = await _account()
    event = await make_event(starts_on=SOON, ends_on=SOON)
    number = await _person(event, await make_ticket_type(event))
    file = await _answers_with_a_file(event, number)
    await make_role(event, account, "owner")
    subject = Subject(account.id, account.email)
    with pytest.raises(Conflict) as refused:
        await privacy.erase(actor=actor, subject=subject, at=datetime.now(UTC))
    assert refused.value.code == EventCode.LAST_OWNER
    assert (await accounts.actor_for_token(token)).signed_in
    assert (await Registration.get()).name == SECRETS[0], "what was refused has dropped nothing"
    assert await uploads.read(file) == (b"%PDF", "student card.pdf")
    path = house.media_dir / (await Upload.get(id=file)).stored_name
    await make_role(event, await make_account(), "owner")
    await privacy.erase(actor=actor, subject=subject, at=datetime.now(UTC))
    assert (await Registration.get()).name == ""
    assert not path.exists()
    with pytest.raises(NotFound):
        await uploads.read(file)


async def test_of_two_owners_who_go_at_once_one_stays(house: Settings) -> None:
    people = [await _account(f"{name}@a.example") for name in ("one", "two")]
    events = [await make_event(starts_on=SOON, ends_on=SOON) for _ in range(3)]
    for event in events:
        for account, _, _ in people:
            await make_role(event, account, "owner")
    done = await asyncio.gather(
        *(
            privacy.erase(actor=actor, subject=Subject(account.id, account.email), at=datetime.now(UTC))
            for account, actor, _ in people
        ),
        return_exceptions=True,
    )
    assert sorted(str(one) for one in done) == ["None", EventCode.LAST_OWNER]
    for event in events:
        assert await RoleGrant.filter(event_id=event.id, role="owner").count() == 1


async def test_who_is_refused_by_any_floor_has_lost_no_file(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, actor, _ = await _account()
    event = await make_event(starts_on=SOON, ends_on=SOON)
    file = await _answers_with_a_file(event, await _person(event, await make_ticket_type(event)))

    async def refuse(*_: object) -> None:
        raise Conflict(EventCode.LAST_OWNER)

    monkeypatch.setattr(privacy, "ERASERS", [*privacy.ERASERS, refuse])
    with pytest.raises(Conflict):
        await privacy.erase(actor=actor, subject=Subject(account.id, account.email), at=datetime.now(UTC))
    assert await uploads.read(file) == (b"%PDF", "student card.pdf")


# --- in time -----------------------------------------------------------------------------------------------------


async def _run_jobs() -> None:
    now = datetime.now(UTC)
    await event_privacy.queue_due(now)
    while await jobs.run_one(now + timedelta(seconds=1)):
        pass


def test_over_is_midnight_by_the_events_clock() -> None:
    over = event_privacy.over_at(date(2023, 10, 29), 30, "Asia/Shanghai")
    assert over == datetime(2023, 11, 28, 16, tzinfo=UTC)  # 29 November, 00:00 in Chengdu


async def test_everybody_is_dropped_when_the_events_time_is_over(house: Settings) -> None:
    past: dict[str, Any] = {"starts_on": date(2023, 10, 28), "ends_on": date(2023, 10, 29)}
    kept, dropped = await make_event(**past), await make_event(**past, retention_days=30)
    later = await make_event(starts_on=SOON, ends_on=SOON, retention_days=30)
    for event in (kept, dropped, later):
        kind = await make_ticket_type(event)
        for _ in range(3):
            await make_registration(event, kind)
    await letters.queue(
        key="k",
        to_email="x@a.example",
        locale="en",
        subject="s",
        text="t",
        event_id=dropped.id,
        at=datetime.now(UTC),
    )
    await _run_jobs()
    assert await Registration.filter(event_id=dropped.id, erased_at=None).count() == 0
    assert await Registration.filter(event_id=dropped.id, state="confirmed").count() == 3
    assert await Registration.filter(event_id__in=[kept.id, later.id], erased_at=None).count() == 6
    assert await Letter.filter(event_id=dropped.id).count() == 0
    assert (await Event.get(id=dropped.id)).people_dropped_at is not None
    [line] = await JournalEntry.filter(verb="event.drop_people")
    assert line.new == {"registrations": 3}
    await _run_jobs()
    assert await JournalEntry.filter(verb="event.drop_people").count() == 1
