"""Invitations and the handing over of an event: who gets what, once, and who does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from events import access, event, invitations, queries
from events.access import open_event
from events.invitation_rules import LETTERS_MAX, InvitationState, Wanted
from events.models import Event, Invitation, RoleGrant
from events.rules import Permission, Role
from kernel.actor import ANONYMOUS, SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMany
from kernel.settings import Settings
from people.models import Account, JournalEntry, Letter
from tests.factories import NOW, make_account, make_event, make_role

LATER = NOW + timedelta(days=8)


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    import main

    main.create_app(database, workers=False)


def actor(account: Account) -> Actor:
    return Actor(kind=ActorKind.ACCOUNT, id=account.id, email=account.email, name=account.name)


async def owned() -> tuple[Event, Account]:
    made, owner = await make_event("coscon"), await make_account("owner@example.org", name="林组织")
    await make_role(made, owner, Role.OWNER)
    return made, owner


async def invited(
    made: Event,
    owner: Account,
    role: Role = Role.SCANNER,
    *scopes: tuple[str, int],
    email: str = "new@example.org",
) -> int:
    return await invitations.invite(
        actor=actor(owner), event_id=made.id, email=email, wanted=Wanted(role, scopes), at=NOW
    )


async def test_an_invitation_becomes_a_role_with_its_scopes(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(
        made, owner, Role.SCANNER, ("checkpoint", 7), ("site", 3), email=" New@Example.org "
    )
    someone = await make_account("new@example.org")
    taken = await invitations.accept(actor=actor(someone), invitation_id=number, at=NOW)
    assert taken == invitations.Taken(made.id, Role.SCANNER, is_new=True)
    grants = await RoleGrant.filter(account_id=someone.id).order_by("scope_id")
    assert [(one.role, one.scope_kind, one.scope_id) for one in grants] == [
        ("scanner", "site", 3),
        ("scanner", "checkpoint", 7),
    ]
    lines = await JournalEntry.filter(event_id=made.id).order_by("id")
    assert [line.verb for line in lines] == [
        "invitation.add",
        "invitation.accept",
        "role.grant",
        "role.grant",
    ]
    assert lines[0].actor_key == f"account:{owner.id}"
    assert lines[1].actor_key == f"account:{someone.id}"
    # Ids and codes only.
    assert not any("example.org" in str((line.old, line.new)) for line in lines)


async def test_thirty_two_at_once_give_one_grant(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(made, owner)
    someone = await make_account("new@example.org")
    found = await asyncio.gather(
        *(invitations.accept(actor=actor(someone), invitation_id=number, at=NOW) for _ in range(32))
    )
    assert sum(one.is_new for one in found) == 1
    assert await RoleGrant.filter(account_id=someone.id).count() == 1
    assert await JournalEntry.filter(verb="invitation.accept").count() == 1


async def test_accepting_and_withdrawing_in_one_moment_leave_one_truth(database: Settings) -> None:
    made, owner = await owned()
    someone = await make_account("new@example.org")
    for _ in range(8):
        number = await invited(made, owner)
        outcomes = await asyncio.gather(
            invitations.accept(actor=actor(someone), invitation_id=number, at=NOW),
            invitations.revoke(actor=actor(owner), event_id=made.id, invitation_id=number, at=NOW),
            return_exceptions=True,
        )
        has_role = await RoleGrant.filter(account_id=someone.id).exists()
        assert [isinstance(one, Conflict) for one in outcomes] in ([True, False], [False, True])
        assert has_role is not isinstance(outcomes[0], Conflict)
        async with unit_of_work():
            await RoleGrant.filter(account_id=someone.id).delete()


async def test_a_forwarded_letter_opens_nothing(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(made, owner)
    other = await make_account("friend@example.org")
    with pytest.raises(Forbidden) as no:
        await invitations.accept(actor=actor(other), invitation_id=number, at=NOW)
    assert no.value.code == "invitation_for_other"
    assert no.value.params == {}
    # Also when it lies: the account's own row decides, not what the actor carries.
    liar = Actor(kind=ActorKind.ACCOUNT, id=other.id, email="new@example.org")
    with pytest.raises(Forbidden):
        await invitations.accept(actor=liar, invitation_id=number, at=NOW)
    assert await RoleGrant.filter(account_id=other.id).count() == 0


@pytest.mark.parametrize(
    ("who", "code"),
    [(ANONYMOUS, "forbidden"), (SYSTEM, "forbidden"), ("token", "forbidden"), ("device", "forbidden")],
)
async def test_programs_and_devices_accept_nothing(database: Settings, who: Actor | str, code: str) -> None:
    made, owner = await owned()
    number = await invited(made, owner)
    someone = await make_account("new@example.org")
    if who == "token":
        who = Actor(
            kind=ActorKind.ACCOUNT, id=someone.id, token_id=1, token_scopes=frozenset(map(str, Permission))
        )
    elif who == "device":
        who = Actor(kind=ActorKind.DEVICE, id=someone.id)
    assert isinstance(who, Actor)
    with pytest.raises(Forbidden) as no:
        await invitations.accept(actor=who, invitation_id=number, at=NOW)
    assert no.value.code == code


async def test_late_withdrawn_and_used_ones_say_so(database: Settings) -> None:
    made, owner = await owned()
    someone = await make_account("new@example.org")

    async def outcome(number: int, at: object = NOW) -> str:
        try:
            await invitations.accept(actor=actor(someone), invitation_id=number, at=at)  # type: ignore[arg-type]
        except Refusal as refusal:
            return refusal.code
        return "taken"

    late = await invited(made, owner, Role.VIEWER)
    assert await outcome(late, NOW + timedelta(days=7)) == "invitation_expired"
    assert await outcome(late, NOW + timedelta(days=7, microseconds=-1)) == "taken"
    withdrawn = await invited(made, owner, Role.REVIEWER)
    await invitations.revoke(actor=actor(owner), event_id=made.id, invitation_id=withdrawn, at=NOW)
    await invitations.revoke(actor=actor(owner), event_id=made.id, invitation_id=withdrawn, at=NOW)
    assert await outcome(withdrawn) == "invitation_revoked"
    assert await outcome(late) == "taken"  # the same person, the same button once more
    assert await outcome(10**9) == "invitation_unknown"
    with pytest.raises(Conflict):
        await invitations.revoke(actor=actor(owner), event_id=made.id, invitation_id=late, at=NOW)
    assert await JournalEntry.filter(verb="invitation.revoke").count() == 1


async def test_nobody_is_invited_twice_to_the_same_and_everybody_to_more(database: Settings) -> None:
    made, owner = await owned()

    async def trouble(role: Role, *scopes: tuple[str, int], email: str = "new@example.org") -> str:
        try:
            await invited(made, owner, role, *scopes, email=email)
        except Invalid as refusal:
            return str(refusal.fields["email"].code)
        return ""

    assert await trouble(Role.SCANNER, ("checkpoint", 1)) == ""
    assert await trouble(Role.SCANNER, ("checkpoint", 1)) == "invitation_open"
    assert await trouble(Role.SCANNER, ("checkpoint", 2)) == ""
    assert await trouble(Role.VIEWER) == ""
    assert await trouble(Role.OWNER, email="owner@example.org") == "role_held"
    assert await trouble(Role.VIEWER, email="nobody") == "email_invalid"
    with pytest.raises(Invalid) as wrong:
        await invitations.invite(
            actor=actor(owner),
            event_id=made.id,
            email="x@example.org",
            wanted=Wanted(Role.ORGANISER, (("site", 1),), days=31),
            at=NOW,
        )
    assert set(wrong.value.fields) == {"scope", "days"}
    assert wrong.value.fields["scope"].code == "role_unscoped"
    with pytest.raises(NotFound):
        await invitations.invite(
            actor=actor(owner), event_id=10**6, email="x@example.org", wanted=Wanted(Role.VIEWER), at=NOW
        )


async def test_thirty_two_owners_who_invite_one_person_write_one_letter(database: Settings) -> None:
    made, owner = await owned()
    found = await asyncio.gather(*(invited(made, owner) for _ in range(32)), return_exceptions=True)
    assert sum(isinstance(one, int) for one in found) == 1
    assert await Letter.filter(to_email="new@example.org").count() == 1


async def test_the_letter_speaks_both_languages_and_holds_no_key(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(made, owner)
    letter = await Letter.get()
    assert "中国开源年会" in letter.text
    assert "China Open Source Conference" in letter.text
    assert "林组织" in letter.text
    assert "扫码员" in letter.text
    assert "Door scanner" in letter.text
    assert letter.event_id == made.id
    key = invitations.key_of(number)
    assert key not in letter.text
    parts = await invitations.letter_parts(number, "zh-Hans")
    assert parts is not None
    assert f"/invitation?key={key}" in parts.text_suffix
    await invitations.revoke(actor=actor(owner), event_id=made.id, invitation_id=number, at=NOW)
    assert await invitations.letter_parts(number, "zh-Hans") is None


async def test_a_key_opens_its_own_invitation_and_guessing_opens_none(database: Settings) -> None:
    made, owner = await owned()
    one, two = await invited(made, owner), await invited(made, owner, Role.VIEWER)
    found = await invitations.find_by_key(invitations.key_of(one))
    assert found is not None
    assert (found.id, found.email, found.state(NOW)) == (one, "new@example.org", InvitationState.OPEN)
    mac = invitations.key_of(one).partition("-")[2]
    for key in (
        "",
        "-",
        f"{two}-{mac}",
        f"{one}-",
        f"{one}-{mac[:-1]}",
        f"٣-{mac}",
        f"{10**30}-{mac}",
        f"{one}-ü",
    ):
        assert await invitations.find_by_key(key) is None, key


async def test_sending_again_gives_time_and_ends_at_five(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(made, owner)
    who = actor(owner)
    await invitations.send_again(actor=who, event_id=made.id, invitation_id=number, at=LATER)
    row = await Invitation.get()
    assert (row.letters, row.expires_at) == (2, LATER + timedelta(days=7))
    for _ in range(LETTERS_MAX - 2):
        await invitations.send_again(actor=who, event_id=made.id, invitation_id=number, at=LATER)
    with pytest.raises(TooMany):
        await invitations.send_again(actor=who, event_id=made.id, invitation_id=number, at=LATER)
    assert await Letter.all().count() == LETTERS_MAX
    other = await make_event()
    with pytest.raises(NotFound):
        await invitations.send_again(actor=who, event_id=other.id, invitation_id=number, at=LATER)
    with pytest.raises(NotFound):
        await invitations.revoke(actor=who, event_id=other.id, invitation_id=number, at=LATER)
    await invitations.revoke(actor=who, event_id=made.id, invitation_id=number, at=LATER)
    with pytest.raises(Conflict):
        await invitations.send_again(actor=who, event_id=made.id, invitation_id=number, at=LATER)


async def test_what_a_role_was_given_by_hand_meanwhile_is_no_error(database: Settings) -> None:
    made, owner = await owned()
    number = await invited(made, owner, Role.VIEWER)
    someone = await make_account("new@example.org")
    await event.grant(actor=SYSTEM, event_id=made.id, account_id=someone.id, role=Role.VIEWER, at=NOW)
    assert (await invitations.accept(actor=actor(someone), invitation_id=number, at=NOW)).is_new
    assert await RoleGrant.filter(account_id=someone.id).count() == 1


async def test_addresses_of_old_invitations_are_forgotten(database: Settings) -> None:
    made, owner = await owned()
    await invited(made, owner)
    fresh = await invitations.invite(
        actor=actor(owner),
        event_id=made.id,
        email="later@example.org",
        wanted=Wanted(Role.VIEWER, days=30),
        at=NOW + timedelta(days=20),
    )
    await invitations.drop_old(NOW + timedelta(days=36))
    assert await Invitation.all().count() == 2
    await invitations.drop_old(NOW + timedelta(days=38))
    assert [row.id for row in await Invitation.all()] == [fresh]
    assert [one.email for one in await queries.waiting_invitations(made.id)] == ["later@example.org"]


async def test_what_waits_for_an_address_is_found_by_it_alone(database: Settings) -> None:
    made, owner = await owned()
    await invited(made, owner)
    assert len(await queries.invitations_for("new@example.org", at=NOW)) == 1
    assert len(await queries.invitations_for("new@example.org", at=LATER)) == 0
    assert len(await queries.invitations_for("", at=NOW)) == 0


# --- handing over ------------------------------------------------------------------------------------------------


async def roles_of(account: Account) -> set[str]:
    return {row.role for row in await RoleGrant.filter(account_id=account.id)}


@pytest.mark.parametrize(
    ("then", "expected"),
    [(Role.OWNER, {"owner"}), (Role.ORGANISER, {"organiser"}), (None, set())],
)
async def test_an_owner_hands_over_and_stays_what_they_said(
    database: Settings, then: Role | None, expected: set[str]
) -> None:
    made, owner = await owned()
    heir = await make_account()
    await make_role(made, heir, Role.REVIEWER)
    await event.transfer_ownership(
        actor=actor(owner), event_id=made.id, account_id=heir.id, then=then, at=NOW
    )
    assert await roles_of(owner) == expected
    assert await roles_of(heir) == {"reviewer", "owner"}
    line = await JournalEntry.get(verb="event.transfer_ownership")
    assert (line.object_kind, line.object_id, line.new) == (
        "account",
        heir.id,
        {"role": str(then) if then else ""},
    )
    # At once, in this process too.
    assert (await open_event(actor(heir), "coscon", Permission.OWN)).event.id == made.id
    if then is not Role.OWNER:
        with pytest.raises(Forbidden):
            await open_event(actor(owner), "coscon", Permission.OWN)


async def test_only_members_other_than_oneself_can_be_given_an_event(database: Settings) -> None:
    made, owner = await owned()
    stranger = await make_account()
    await make_role(await make_event("other"), stranger, Role.OWNER)
    for account_id in (stranger.id, owner.id, 10**9):
        with pytest.raises(Invalid) as no:
            await event.transfer_ownership(
                actor=actor(owner), event_id=made.id, account_id=account_id, then=None, at=NOW
            )
        assert no.value.fields["account_id"].code == "not_a_member"
    assert await roles_of(owner) == {"owner"}
    assert await JournalEntry.all().count() == 0


async def test_owners_who_hand_over_to_each_other_at_once_leave_an_owner(database: Settings) -> None:
    made, one = await owned()
    two = await make_account()
    await make_role(made, two, Role.OWNER)
    access.forget()
    pairs = [(one, two), (two, one)] * 16
    await asyncio.gather(
        *(
            event.transfer_ownership(actor=actor(a), event_id=made.id, account_id=b.id, then=None, at=NOW)
            for a, b in pairs
        ),
        return_exceptions=True,
    )
    assert await RoleGrant.filter(event_id=made.id, role="owner").count() >= 1


async def test_an_administrator_names_an_owner_without_being_one(database: Settings) -> None:
    made = await make_event("coscon")
    boss, heir = await make_account(is_admin=True), await make_account()
    await make_role(made, heir, Role.VIEWER)
    admin = Actor(kind=ActorKind.ACCOUNT, id=boss.id, is_admin=True)
    await event.transfer_ownership(actor=admin, event_id=made.id, account_id=heir.id, then=None, at=NOW)
    assert await roles_of(heir) == {"viewer", "owner"}
    assert await roles_of(boss) == set()
