"""The door to an event: who comes in, who is sent away and how, and what is remembered of it."""

from __future__ import annotations

import asyncio

import pytest

from events import access, event
from events.access import open_event
from events.rules import MAY, Permission, Role
from kernel import db
from kernel.actor import ANONYMOUS, SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Forbidden, NotFound, Refusal, SignInNeeded
from kernel.settings import Settings
from tests.factories import NOW, make_account, make_event, make_role


def account(number: int, *, is_admin: bool = False) -> Actor:
    return Actor(kind=ActorKind.ACCOUNT, id=number, is_admin=is_admin)


async def outcome(actor: Actor, slug: str, permission: Permission) -> str:
    try:
        await open_event(actor, slug, permission)
    except Refusal as refusal:
        return type(refusal).__name__
    return "open"


async def test_each_role_may_what_its_row_says_and_nothing_else(database: Settings) -> None:
    there = await make_event("coscon")
    people: dict[Role | None, Actor] = {None: account((await make_account()).id)}
    for role in Role:
        someone = await make_account()
        await make_role(there, someone, role)
        people[role] = account(someone.id)
    for held, actor in people.items():
        allowed = MAY[held] if held else {Permission.VIEW_PUBLIC, Permission.SUBMIT}
        for permission in Permission:
            expected = "open" if permission in allowed else "Forbidden"
            assert await outcome(actor, "coscon", permission) == expected, (held, permission)


async def test_strangers_see_public_pages_and_are_led_to_sign_in_for_the_rest(database: Settings) -> None:
    await make_event("coscon")
    await make_event("secret", state="draft")
    assert (await open_event(ANONYMOUS, "coscon", Permission.VIEW_PUBLIC)).roles == frozenset()
    for slug in ("coscon", "secret", "nowhere"):
        with pytest.raises(SignInNeeded):
            await open_event(ANONYMOUS, slug, Permission.SCAN)


async def test_a_draft_does_not_exist_for_those_without_a_role(database: Settings) -> None:
    secret = await make_event("secret", state="draft")
    member, stranger = await make_account(), await make_account()
    await make_role(secret, member, Role.SCANNER)
    elsewhere = await make_event("coscon")
    await make_role(elsewhere, stranger, Role.OWNER)

    assert (await open_event(account(member.id), "secret", Permission.VIEW_PUBLIC)).event.id == secret.id
    with pytest.raises(Forbidden):
        await open_event(account(member.id), "secret", Permission.CHANGE_EVENT)
    for actor in (ANONYMOUS, account(stranger.id)):
        with pytest.raises(NotFound) as hidden:
            await open_event(actor, "secret", Permission.VIEW_PUBLIC)
        with pytest.raises(NotFound) as absent:
            await open_event(actor, "nowhere", Permission.VIEW_PUBLIC)
        assert hidden.value.code == absent.value.code
    with pytest.raises(NotFound):
        await open_event(account(stranger.id), "secret", Permission.CHANGE_EVENT)


async def test_administrators_of_the_installation_count_as_owners(database: Settings) -> None:
    await make_event("secret", state="draft")
    boss = account((await make_account(is_admin=True)).id, is_admin=True)
    for actor in (boss, SYSTEM):
        assert (await open_event(actor, "secret", Permission.GRANT_ROLES)).roles == {Role.OWNER}


async def test_a_device_that_claims_an_accounts_number_has_none_of_its_roles(database: Settings) -> None:
    there = await make_event("coscon")
    owner = await make_account()
    await make_role(there, owner, Role.OWNER)
    device = Actor(kind=ActorKind.DEVICE, id=owner.id)
    assert await outcome(account(owner.id), "coscon", Permission.SCAN) == "open"
    assert await outcome(device, "coscon", Permission.SCAN) == "Forbidden"


async def test_a_scanner_is_held_to_own_checkpoints(database: Settings) -> None:
    there, other = await make_event("coscon"), await make_event("meetup")
    someone = await make_account()
    actor = account(someone.id)
    await make_role(there, someone, Role.SCANNER, "checkpoint", 7)
    await make_role(there, someone, Role.SCANNER, "checkpoint", 9)
    await make_role(other, someone, Role.SCANNER)
    access.forget()

    assert (await open_event(actor, "coscon", Permission.SCAN)).checkpoint_scope() == frozenset({7, 9})
    assert (await open_event(actor, "meetup", Permission.SCAN)).checkpoint_scope() is None
    await event.grant(actor=SYSTEM, event_id=there.id, account_id=someone.id, role=Role.ORGANISER, at=NOW)
    assert (await open_event(actor, "coscon", Permission.SCAN)).checkpoint_scope() is None
    reader = await open_event(ANONYMOUS, "coscon", Permission.VIEW_PUBLIC)
    assert reader.checkpoint_scope() == frozenset()


async def test_the_second_opening_asks_the_database_nothing(database: Settings) -> None:
    there = await make_event("coscon")
    someone = await make_account()
    await make_role(there, someone, Role.SCANNER)
    actor = account(someone.id)
    await open_event(actor, "coscon", Permission.SCAN)
    before = db.stats.statements
    for _ in range(100):
        await open_event(actor, "coscon", Permission.SCAN)
    assert db.stats.statements == before


async def test_a_role_taken_here_is_gone_at_once(database: Settings) -> None:
    there = await make_event("coscon")
    someone = await make_account()
    actor = account(someone.id)
    with pytest.raises(Forbidden):
        await open_event(actor, "coscon", Permission.SCAN)
    number = await event.grant(
        actor=SYSTEM, event_id=there.id, account_id=someone.id, role=Role.SCANNER, at=NOW
    )
    await open_event(actor, "coscon", Permission.SCAN)
    await event.revoke(actor=SYSTEM, event_id=there.id, grant_id=number, at=NOW)
    with pytest.raises(Forbidden):
        await open_event(actor, "coscon", Permission.SCAN)


async def test_what_another_process_changed_is_seen_after_two_seconds(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await make_event("coscon")
    someone = await make_account()
    actor = account(someone.id)
    clock = 1000.0
    monkeypatch.setattr(access, "_clock", lambda: clock)
    with pytest.raises(Forbidden):
        await open_event(actor, "coscon", Permission.SCAN)
    await make_role(
        there, someone, Role.SCANNER
    )  # past the action, as the command line of another process would
    clock += access.LASTS_S
    assert await outcome(actor, "coscon", Permission.SCAN) == "Forbidden"
    clock += 0.01
    assert await outcome(actor, "coscon", Permission.SCAN) == "open"


async def test_nothing_is_remembered_of_what_is_rolled_back(database: Settings) -> None:
    there = await make_event("coscon")
    someone = await make_account()
    actor = account(someone.id)
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await event.grant(actor=SYSTEM, event_id=there.id, account_id=someone.id, role=Role.OWNER, at=NOW)
            assert (await open_event(actor, "coscon", Permission.CHANGE_EVENT)).roles == {Role.OWNER}
            raise ZeroDivisionError
    with pytest.raises(Forbidden):
        await open_event(actor, "coscon", Permission.CHANGE_EVENT)


async def test_a_read_that_was_under_way_does_not_bring_an_old_fact_back(database: Settings) -> None:
    release = asyncio.Event()
    answers = iter(["old", "new"])

    async def load(_key: str) -> str:
        answer = next(answers)
        if answer == "old":
            await release.wait()
        return answer

    memory: access._Memory[str, str] = access._Memory(load, 4)
    slow = asyncio.create_task(memory.get("a"))
    await asyncio.sleep(0)
    memory.drop(lambda key, _value: key == "a")
    release.set()
    assert await slow == "old"
    assert await memory.get("a") == "new"


async def test_memory_is_bounded(database: Settings) -> None:
    async def load(key: int) -> int:
        return key

    memory: access._Memory[int, int] = access._Memory(load, 8)
    for number in range(100):
        await memory.get(number)
    assert len(memory) == 8


def program(number: int, *scopes: Permission, event_id: int | None = None) -> Actor:
    """An API token of an account that runs the installation: the worst one to lose."""
    return Actor(
        kind=ActorKind.ACCOUNT,
        id=number,
        is_admin=True,
        token_id=1,
        token_scopes=frozenset(map(str, scopes)),
        token_event_id=event_id,
    )


async def test_a_token_may_what_its_account_may_here_and_it_names(database: Settings) -> None:
    there, other = await make_event("coscon"), await make_event("meetup")
    someone = await make_account(is_admin=True)
    await make_role(there, someone, Role.SCANNER)
    one = program(someone.id, Permission.SCAN, Permission.CHANGE_EVENT)
    assert await outcome(one, "coscon", Permission.SCAN) == "open"
    # The account may walk people in, the token does not say so; the token says change, the role may not.
    assert await outcome(one, "coscon", Permission.WALK_IN) == "Forbidden"
    assert await outcome(one, "coscon", Permission.CHANGE_EVENT) == "Forbidden"
    # Rights of an administrator never come with a token.
    assert await outcome(one, "meetup", Permission.SCAN) == "Forbidden"
    assert await outcome(one, "meetup", Permission.VIEW_PUBLIC) == "open"
    bound = program(someone.id, *Permission, event_id=there.id)
    assert await outcome(bound, "coscon", Permission.SCAN) == "open"
    assert await outcome(bound, "meetup", Permission.VIEW_PUBLIC) == "Forbidden"
    assert await access.own_event_ids(bound) == {there.id}
    assert await access.own_event_ids(program(someone.id, event_id=other.id)) == frozenset()


async def test_a_token_sees_the_drafts_of_its_roles_and_no_others(database: Settings) -> None:
    own, foreign = await make_event("own", state="draft"), await make_event("foreign", state="draft")
    someone = await make_account(is_admin=True)
    await make_role(own, someone, Role.VIEWER)
    assert await outcome(program(someone.id, Permission.VIEW_DESK), "own", Permission.VIEW_DESK) == "open"
    assert await outcome(program(someone.id, *Permission), "foreign", Permission.VIEW_PUBLIC) == "NotFound"
    # A token for another event is not told which drafts there are.
    elsewhere = program(someone.id, *Permission, event_id=own.id)
    assert await outcome(elsewhere, "foreign", Permission.VIEW_PUBLIC) == "NotFound"
    assert (own.id, foreign.id) != (0, 0)


async def test_a_narrowed_role_is_read_once_for_a_whole_event(database: Settings) -> None:
    there = await make_event("coscon")
    calls = []

    async def inside(event_id: int) -> dict[int, frozenset[int]]:
        calls.append(event_id)
        return {3: frozenset({30, 31}), 4: frozenset({40})}

    before = dict(access.CHECKPOINTS_OF)
    access.CHECKPOINTS_OF["site"] = inside
    try:
        one, two = await make_account(), await make_account()
        await make_role(there, one, Role.SCANNER, "site", 3)
        await make_role(there, one, Role.SCANNER, "checkpoint", 99)
        await make_role(there, two, Role.VOLUNTEER_LEAD, "site", 4)
        await make_role(there, two, Role.VOLUNTEER_LEAD, "team", 4)
        access.forget()
        for _ in range(3):
            door = await open_event(account(one.id), "coscon", Permission.SCAN)
            assert door.checkpoint_scope() == frozenset({30, 31, 99})
            # A checkpoint is no site: what is not about scanning is not narrowed by it.
            assert door.site_scope(Permission.WALK_IN) is None
            assert (
                await open_event(account(two.id), "coscon", Permission.SCAN)
            ).checkpoint_scope() == frozenset({40})
        assert calls == [there.id]
        access.forget_scopes(there.id)
        await open_event(account(one.id), "coscon", Permission.SCAN)
        access.forget_scopes(there.id + 1)
        await open_event(account(one.id), "coscon", Permission.SCAN)
        assert calls == [there.id, there.id]
    finally:
        access.CHECKPOINTS_OF.clear()
        access.CHECKPOINTS_OF.update(before)
