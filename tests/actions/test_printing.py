"""A print station: in order, one at a time, each once, whatever windows are open and whichever of them crash."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

import main
from checkin import badges, passports, printing
from checkin.badge_rules import LEASE, TRIES_MAX, BadgeCode, JobState, Paper, Pause, PrintFailure
from checkin.models import BadgeEvent, Passport, PrintJob, PrintStation
from checkin.printing import Layout, Taken
from events import privacy
from events.models import Event
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound
from kernel.settings import Settings
from people.models import JournalEntry
from tests.factories import make_event, make_passport, make_ticket_type

NOW = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)


async def house(count: int = 3) -> tuple[Event, int, list[Passport]]:
    event = await make_event()
    kind = await make_ticket_type(event)
    station = await printing.save(
        actor=SYSTEM, event_id=event.id, station_id=None, name="一号台", layout=Layout(), at=NOW
    )
    return event, station, [await make_passport(event, kind, badge_name=f"人{n}") for n in range(count)]


async def ask(
    event: Event, station: int, passport: Passport, request_id: UUID | None = None
) -> printing.Wanted:
    return await printing.ask(
        actor=SYSTEM,
        event_id=event.id,
        station_id=station,
        passport_id=passport.id,
        request_id=request_id or uuid4(),
        at=NOW,
    )


async def take(event: Event, station: int, window: UUID, *, later: timedelta = timedelta()) -> Taken | None:
    return await printing.take(event_id=event.id, station_id=station, window=window, at=NOW + later)


async def done(
    event: Event, station: int, job: int, window: UUID, failure: PrintFailure | None = None
) -> JobState:
    return await printing.finish(
        actor=SYSTEM,
        event_id=event.id,
        station_id=station,
        job_id=job,
        window=window,
        failure=failure,
        at=NOW,
    )


async def test_badges_come_out_in_the_order_of_the_wishes_each_once(database: Settings) -> None:
    event, station, people = await house()
    window = uuid4()
    assert [(await ask(event, station, one)).ahead for one in people] == [0, 1, 2]
    for one in people:
        taken = await take(event, station, window)
        assert taken is not None and (taken.passport_id, taken.tries) == (one.id, 1)
        assert await take(event, station, window) == taken, "the answer was lost: the same job again"
        assert await take(event, station, uuid4()) is None, "one at a time"
        assert [await done(event, station, taken.job_id, window) for _ in range(2)] == [JobState.PRINTED] * 2
    assert await take(event, station, window) is None
    assert [row.kind for row in await BadgeEvent.all()] == ["printed"] * 3
    again = await ask(event, station, people[0])
    taken = await take(event, station, window)
    assert taken is not None and taken.job_id == again.job_id
    await done(event, station, taken.job_id, window)
    facts = await badges.of(await passports.by_id(event.id, people[0].id))
    assert (facts.prints, facts.reprints) == (2, 1)
    now = await printing.queue_of(event_id=event.id, station_id=station)
    assert (now.waiting, [one.name for one in now.last]) == (0, ["人0", "人2", "人1", "人0"])


async def test_of_32_windows_each_badge_comes_out_of_one(database: Settings) -> None:
    event, station, people = await house(8)
    for one in people:
        await ask(event, station, one)
    out: list[int] = []

    async def window() -> None:
        own = uuid4()
        while len(out) < len(people):
            taken = await take(event, station, own)
            if taken is None:
                await asyncio.sleep(0)
                continue
            out.append(taken.passport_id)
            await done(event, station, taken.job_id, own)

    async with asyncio.timeout(60):
        await asyncio.gather(*(window() for _ in range(32)))
    assert out == [one.id for one in people], "in order, too"
    assert await PrintJob.filter(state="printed").count() == 8
    assert await PrintJob.filter(tries=1).count() == 8


async def test_a_window_that_crashed_hands_back_and_comes_too_late_with_its_word(database: Settings) -> None:
    event, station, [one, other, _] = await house()
    await ask(event, station, one)
    await ask(event, station, other)
    crashed, second = uuid4(), uuid4()
    taken = await take(event, station, crashed)
    assert taken is not None
    assert await take(event, station, second, later=LEASE) is None
    again = await take(event, station, second, later=LEASE + timedelta(seconds=1))
    assert again is not None and (again.job_id, again.tries) == (taken.job_id, 2)
    with pytest.raises(Conflict) as gone:
        await done(event, station, taken.job_id, crashed)
    assert gone.value.code == BadgeCode.JOB_GONE
    with pytest.raises(Conflict):
        await printing.held(event_id=event.id, station_id=station, job_id=taken.job_id, window=crashed)
    assert (await printing.held(event_id=event.id, station_id=station, job_id=taken.job_id, window=second)).id
    # A word that is late, but nobody took the job meanwhile, counts.
    assert await done(event, station, taken.job_id, second) is JobState.PRINTED
    assert await BadgeEvent.all().count() == 1


async def test_a_badge_that_breaks_every_window_is_set_aside(database: Settings) -> None:
    event, station, [one, other, _] = await house()
    first = await ask(event, station, one)
    await ask(event, station, other)
    step = LEASE + timedelta(seconds=1)
    for nth in range(TRIES_MAX):
        taken = await take(event, station, uuid4(), later=step * nth)
        assert taken is not None and taken.passport_id == one.id
    taken = await take(event, station, uuid4(), later=step * TRIES_MAX)
    assert taken is not None and taken.passport_id == other.id
    row = await PrintJob.get(id=first.job_id)
    assert (row.state, row.failure) == ("failed", "lapsed")


async def test_a_paused_station_takes_nothing_and_goes_on(database: Settings) -> None:
    event, station, [one, *_] = await house()
    await ask(event, station, one)
    for why in (Pause.PAPER_OUT, Pause.PAPER_OUT):
        await printing.pause(event_id=event.id, station_id=station, why=why)
    assert await take(event, station, uuid4()) is None
    assert (await printing.get(event.id, station)).is_there(NOW + timedelta(seconds=45))
    assert not (await printing.get(event.id, station)).is_there(NOW + timedelta(seconds=46))
    await printing.pause(event_id=event.id, station_id=station, why=None)
    taken = await take(event, station, (window := uuid4()))
    assert taken is not None
    assert await done(event, station, taken.job_id, window, PrintFailure.BROWSER) is JobState.FAILED
    assert await BadgeEvent.all().count() == 0
    assert await done(event, station, taken.job_id, window) is JobState.FAILED, "the first word counts"


async def test_a_wish_sent_twice_is_one_job(database: Settings) -> None:
    event, station, [one, other, void] = await house()
    wish = uuid4()
    made = await asyncio.gather(*(ask(event, station, one, wish) for _ in range(8)))
    assert len({job.job_id for job in made}) == 1 and await PrintJob.all().count() == 1
    with pytest.raises(Conflict) as mismatch:
        await ask(event, station, other, wish)
    assert mismatch.value.code == Code.REPLAY_MISMATCH
    assert await printing.drop(event_id=event.id, station_id=station, job_id=made[0].job_id, at=NOW)
    assert not await printing.drop(event_id=event.id, station_id=station, job_id=made[0].job_id, at=NOW)
    assert (await ask(event, station, one, wish)).state is JobState.DROPPED
    async with unit_of_work():
        await Passport.filter(id=void.id).update(status="revoked")
    with pytest.raises(Conflict) as nothing:
        await ask(event, station, void)
    assert nothing.value.code == BadgeCode.NOTHING_TO_PRINT
    with pytest.raises(NotFound):
        await printing.ask(
            actor=SYSTEM,
            event_id=event.id,
            station_id=station,
            passport_id=99_999,
            request_id=uuid4(),
            at=NOW,
        )
    with pytest.raises(NotFound):
        await ask(event, station + 1, one)


async def test_a_full_or_closed_station_takes_no_more(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, station, [one, other, _] = await house()
    monkeypatch.setattr(printing, "QUEUE_MAX", 1)
    await ask(event, station, one)
    with pytest.raises(Conflict) as full:
        await ask(event, station, other)
    assert full.value.code == BadgeCode.QUEUE_FULL
    await printing.save(
        actor=SYSTEM,
        event_id=event.id,
        station_id=station,
        name="二号台",
        layout=Layout(paper=Paper.A7, shows_code=False),
        is_open=False,
        at=NOW,
    )
    with pytest.raises(Conflict) as closed:
        await ask(event, station, other)
    assert closed.value.code == BadgeCode.STATION_CLOSED
    assert await take(event, station, uuid4()) is None
    assert await printing.stations(event.id) == []
    [found] = await printing.stations(event.id, closed=True)
    assert (found.name, found.layout) == ("二号台", Layout(paper=Paper.A7, shows_code=False))
    verbs = [line.verb for line in await JournalEntry.all().order_by("id")]
    assert verbs == ["print_station.added", "print_station.changed"]
    for name in ("", " ", "x" * 61):
        with pytest.raises(Invalid):
            await printing.save(
                actor=SYSTEM, event_id=event.id, station_id=None, name=name, layout=Layout(), at=NOW
            )
    assert await PrintStation.all().count() == 1


async def test_whoever_is_gone_is_not_printed(database: Settings) -> None:
    main.create_app(database, workers=False)
    event, station, [one, other, _] = await house()
    await ask(event, station, one)
    await ask(event, station, other)
    await privacy.erase(actor=SYSTEM, event_id=event.id, registration_ids=[one.registration_id], at=NOW)
    taken = await take(event, station, uuid4())
    assert taken is not None and taken.passport_id == other.id


async def test_another_actor_learns_nothing_of_a_wish(database: Settings) -> None:
    event, station, [one, *_] = await house()
    wish = uuid4()
    await ask(event, station, one, wish)
    with pytest.raises(Conflict):
        await printing.ask(
            actor=Actor(kind=ActorKind.ACCOUNT, id=5),
            event_id=event.id,
            station_id=station,
            passport_id=one.id,
            request_id=wish,
            at=NOW,
        )
