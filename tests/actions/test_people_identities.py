"""Ways in on the database of this process: links, identities of providers, rotated and ended sign-ins, API tokens."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel import codes, db
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Busy, Conflict, Gone, Invalid, NotFound, Refusal
from kernel.settings import Provider, ProviderKind, Settings
from people import accounts, api_tokens, identities, letters, providers, queries, rules, visits, wiring
from people.models import (
    Account,
    ApiToken,
    Identity,
    JournalEntry,
    Letter,
    ProviderVisit,
    SignIn,
    SignInCode,
)
from people.providers import Person
from people.words import WORDS
from tests.factories import NOW, make_account
from web import render

EMAIL = "lin@example.org"
BROWSER = "browser-one"
PROVIDER = Provider(
    name="authing",
    kind=ProviderKind.OIDC,
    label="Authing",
    client_id="c",
    client_secret="s",
    discovery_url="https://far.example/.well-known/openid-configuration",
)


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    wiring.configure(database)
    render.configure(
        packages=("people",),
        words=WORDS,
        url_for=lambda name, **params: render.with_query(f"/{name}", **params),
        static=lambda path: path,
        base_url=database.base_url,
        development=True,
    )


class Far:
    """A provider's word, without the provider."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.asked = 0

    async def who_came(self, _provider: Provider, **_given: str) -> Person:
        self.asked += 1
        await asyncio.sleep(0)
        return self.person


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    made = Far(Person("u-1", "林小满", EMAIL, is_verified=True))
    monkeypatch.setattr(providers._Wiring, "providers", {"authing": PROVIDER})
    monkeypatch.setattr(providers._Wiring, "trusted", frozenset({"authing"}))
    monkeypatch.setattr(providers, "who_came", made.who_came)
    return made


async def begin(
    state: str = "state", *, account_id: int | None = None, at: datetime = NOW, browser: str = BROWSER
) -> None:
    await visits.begin(
        provider="authing",
        state=state,
        nonce="n",
        verifier="v",
        browser=browser,
        next_path="/e/coscon",
        account_id=account_id,
        at=at,
    )


async def arrive(state: str = "state", **more: Any) -> identities.Arrival:
    given: dict[str, Any] = {
        "provider": "authing",
        "state": state,
        "code": "c",
        "error": "",
        "issuer": "",
        "browser": BROWSER,
        "actor": ANONYMOUS,
        "user_agent": "test",
        "locale": "zh-Hans",
        "previous": "",
        "at": NOW,
    }
    return await identities.arrive(**(given | more))


def actor_of(account: Account) -> Actor:
    return Actor(kind=ActorKind.ACCOUNT, id=account.id)


# --- identities --------------------------------------------------------------------------------------------------


async def test_64_parallel_returns_with_one_state_sign_in_once(far: Far) -> None:
    await begin()
    outcomes = await asyncio.gather(*(arrive() for _ in range(64)), return_exceptions=True)
    assert sum(isinstance(one, identities.Arrival) for one in outcomes) == 1
    assert {one.code for one in outcomes if isinstance(one, Refusal)} == {"visit_over"}
    assert far.asked == 1
    assert await SignIn.all().count() == await Identity.all().count() == await Account.all().count() == 1


async def test_32_parallel_first_returns_of_one_person_make_one_identity_and_one_account(far: Far) -> None:
    for number in range(32):
        await begin(f"s{number}")
    outcomes = await asyncio.gather(*(arrive(f"s{number}") for number in range(32)))
    assert {one.act for one in outcomes} <= {"sign_in", "join_by_email"}
    assert await Identity.all().count() == await Account.all().count() == 1
    assert await SignIn.all().count() == 32
    assert Counter(line.verb for line in await JournalEntry.all()) == {"identity.join": 1}


async def test_two_accounts_that_add_one_identity_at_once_get_one_winner(far: Far) -> None:
    owners = [await make_account() for _ in range(8)]
    for owner in owners:
        await begin(f"s{owner.id}", account_id=owner.id)
    outcomes = await asyncio.gather(
        *(arrive(f"s{owner.id}", actor=actor_of(owner)) for owner in owners), return_exceptions=True
    )
    won = [one for one in outcomes if isinstance(one, identities.Arrival)]
    assert len(won) == 1
    assert won[0].token == ""
    assert {one.code for one in outcomes if isinstance(one, identities.NoArrival)} == {"identity_taken"}
    assert await Identity.all().count() == 1


async def test_a_visit_lasts_ten_minutes_and_belongs_to_its_browser(far: Far) -> None:
    await begin()
    for more in ({"browser": "browser-two"}, {"browser": ""}, {"state": "other"}, {"state": ""}):
        with pytest.raises(Refusal) as caught:
            await arrive(**({"state": "state"} | more))
        assert caught.value.code == "visit_over"
    with pytest.raises(Refusal):
        await arrive(at=NOW + timedelta(minutes=10))
    assert far.asked == 0
    assert (await arrive(at=NOW + timedelta(minutes=9, seconds=59))).next_path == "/e/coscon"
    with pytest.raises(NotFound):
        await arrive(provider="nobody")


async def test_proving_an_address_later_joins_within_half_an_hour(far: Far) -> None:
    far.person = Person("u-1", "林小满", None, is_verified=False)
    await begin()
    arrival = await arrive()
    assert (arrival.act, arrival.token) == (rules.JoinAct.PROVE_EMAIL, "")
    found = await visits.bringer(provider="authing", browser=BROWSER, at=NOW + timedelta(minutes=29))
    assert found is not None
    assert found.display == "林小满"
    for more in (
        {"browser": "browser-two"},
        {"browser": ""},
        {"provider": "github"},
        {"at": NOW + timedelta(minutes=30)},
    ):
        given: dict[str, Any] = {"provider": "authing", "browser": BROWSER, "at": NOW}
        assert await visits.bringer(**(given | more)) is None
    await ask(visit_id=found.visit_id, at=NOW + timedelta(minutes=5))
    await accounts.sign_in(
        email=EMAIL,
        code=await newest_code(),
        browser=BROWSER,
        user_agent="t",
        at=NOW + timedelta(minutes=6),
    )
    assert (await Identity.get()).account_id == (await Account.get()).id
    # Used up: a second code asked for in its name joins nobody else.
    other = await make_account("ma@example.org")
    digest = codes.digest(BROWSER)
    assert not await visits.join(visit_id=found.visit_id, browser_digest=digest, account_id=other.id, at=NOW)
    assert await visits.bringer(provider="authing", browser=BROWSER, at=NOW) is None


async def test_an_identity_that_found_its_account_meanwhile_is_not_moved(far: Far) -> None:
    far.person = Person("u-1", "林小满", None, is_verified=False)
    await begin("one")
    await arrive("one")
    owner, late = await make_account(), await make_account()
    await visits.attach(account_id=owner.id, provider="authing", subject="u-1", display="", at=NOW)
    visit = await ProviderVisit.get()
    digest = codes.digest(BROWSER)
    assert not await visits.join(visit_id=visit.id, browser_digest=digest, account_id=late.id, at=NOW)
    assert (await Identity.get()).account_id == owner.id


async def test_identity_parted_in_the_same_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await make_account()

    async def nothing(*_args: Any) -> list[dict[str, Any]]:
        return []

    monkeypatch.setattr(db, "query", nothing)
    with pytest.raises(Busy):
        await visits.attach(account_id=owner.id, provider="authing", subject="u-1", display="", at=NOW)


# --- links -------------------------------------------------------------------------------------------------------


async def ask(**more: Any) -> None:
    given: dict[str, Any] = {"email": EMAIL, "locale": "zh-Hans", "browser": BROWSER, "at": NOW}
    await accounts.ask_code(**(given | more))


async def newest_code() -> str:
    letter = await Letter.all().order_by("-id").first()
    assert letter is not None
    return next(word for word in letter.text.split() if rules.read_code(word))


async def newest_key() -> str:
    row = await SignInCode.all().order_by("-id").first()
    assert row is not None
    return accounts.link_of(row.id, row.code_digest).partition("key=")[2]


async def by_link(key: str, at: datetime = NOW, **more: str) -> accounts.SignedIn:
    return await accounts.sign_in_by_link(
        key=key, browser=more.pop("browser", "elsewhere"), user_agent="t", at=at, **more
    )


async def test_link_works_once_in_any_browser_and_uses_up_the_code() -> None:
    await ask(next_path="/e/coscon")
    key, code = await newest_key(), await newest_code()
    assert (await accounts.link_facts(key=key, at=NOW)).email == EMAIL
    assert await SignIn.all().count() == 0
    done = await by_link(key)
    assert done.next_path == "/e/coscon"
    assert (await SignIn.get()).token_digest == codes.digest(done.token)
    for wrong in (key, "", "x", key[:-1], key.upper()):
        with pytest.raises(Gone):
            await by_link(wrong)
        with pytest.raises(Gone):
            await accounts.link_facts(key=wrong, at=NOW)
    with pytest.raises(Refusal) as caught:
        await accounts.sign_in(email=EMAIL, code=code, browser=BROWSER, user_agent="t", at=NOW)
    assert caught.value.code == "code_used"


async def test_code_uses_up_the_link_and_ten_minutes_end_both() -> None:
    await ask()
    key = await newest_key()
    with pytest.raises(Gone):
        await accounts.link_facts(key=key, at=NOW + timedelta(minutes=10))
    with pytest.raises(Gone):
        await by_link(key, at=NOW + timedelta(minutes=10))
    await accounts.sign_in(email=EMAIL, code=await newest_code(), browser=BROWSER, user_agent="t", at=NOW)
    with pytest.raises(Gone):
        await by_link(key)


async def test_64_parallel_presses_of_one_link_sign_in_once() -> None:
    await ask()
    key = await newest_key()
    outcomes = await asyncio.gather(*(by_link(key) for _ in range(64)), return_exceptions=True)
    assert Counter(type(one) for one in outcomes) == {accounts.SignedIn: 1, Gone: 63}
    assert await SignIn.all().count() == 1


async def test_link_opens_after_five_wrong_codes() -> None:
    """Whoever guesses in somebody's name does not lock them out."""
    await ask()
    wrong = f"{(int(await newest_code()) + 1) % 1_000_000:06d}"
    for _ in range(5):
        with pytest.raises(Refusal):
            await accounts.sign_in(email=EMAIL, code=wrong, browser=BROWSER, user_agent="t", at=NOW)
    assert (await by_link(await newest_key())).token


async def test_link_is_composed_while_the_letter_is_sent_and_stands_in_no_row() -> None:
    now = datetime.now(UTC)
    await ask(at=now)
    key, letter = await newest_key(), await Letter.get()
    assert key not in letter.text + letter.subject
    assert key not in str(await db.query("SELECT * FROM sign_in_code"))
    assert letter.composer in letters._composers
    made = await accounts.compose_link(letter.composer_id or 0, "zh-Hans")
    assert made is not None
    assert f"http://127.0.0.1:8000/people.sign_in.link?key={key}" in made.text_suffix
    assert "按一下按钮" in made.text_suffix
    await by_link(key, at=now)
    assert await accounts.compose_link(letter.composer_id or 0, "en") is None
    assert await accounts.compose_link(0, "en") is None


async def test_two_letters_have_two_links() -> None:
    await ask()
    first = await newest_key()
    await ask(at=NOW + timedelta(minutes=1))
    assert await newest_key() != first
    assert (await by_link(first, at=NOW + timedelta(minutes=2))).token


# --- sign-ins ----------------------------------------------------------------------------------------------------


async def test_new_sign_in_takes_the_place_of_this_browsers_old_one() -> None:
    await ask()
    other = await make_account("ma@example.org")
    old = await accounts.open_sign_in(account_id=other.id, user_agent="t", at=datetime.now(UTC))
    phone = await accounts.open_sign_in(account_id=other.id, user_agent="phone", at=datetime.now(UTC))
    assert (await accounts.actor_for_token(old)).signed_in
    new = await accounts.sign_in(
        email=EMAIL, code=await newest_code(), browser=BROWSER, user_agent="t", at=NOW, previous=old
    )
    assert new != old
    assert not (await accounts.actor_for_token(old)).signed_in
    assert (await accounts.actor_for_token(phone)).signed_in


async def test_sign_ins_are_ended_by_their_owner_alone() -> None:
    owner, stranger = await make_account(), await make_account()
    at = datetime.now(UTC)
    tokens = [await accounts.open_sign_in(account_id=owner.id, user_agent="t", at=at) for _ in range(3)]
    rows = await SignIn.all().order_by("id")
    with pytest.raises(NotFound):
        await accounts.end_sign_in(actor=actor_of(stranger), sign_in_id=rows[0].id, at=at)
    await accounts.end_sign_in(actor=actor_of(owner), sign_in_id=rows[0].id, at=at)
    assert [(await accounts.actor_for_token(one)).signed_in for one in tokens] == [False, True, True]
    with pytest.raises(NotFound):
        await accounts.end_sign_in(actor=actor_of(owner), sign_in_id=rows[0].id, at=at)
    here = await accounts.actor_for_token(tokens[1])
    other = await accounts.open_sign_in(account_id=stranger.id, user_agent="t", at=at)
    assert await accounts.sign_out_others(actor=here, at=at) == 1
    assert [(await accounts.actor_for_token(one)).signed_in for one in tokens] == [False, True, False]
    assert await accounts.sign_out_everywhere(actor=here, at=at) == 1
    assert (await accounts.actor_for_token(other)).signed_in
    assert [(await accounts.actor_for_token(one)).signed_in for one in tokens] == [False] * 3
    lines = await JournalEntry.all().order_by("id")
    assert [(line.verb, line.object_kind, line.event_id) for line in lines] == [
        ("sign_in.revoke", "sign_in", None),
        ("sign_in.revoke", "account", None),
        ("sign_in.revoke", "account", None),
    ]


# --- API tokens --------------------------------------------------------------------------------------------------


async def make_token(account: Account, **more: Any) -> str:
    given: dict[str, Any] = {
        "actor": actor_of(account),
        "name": "Badge printer",
        "scopes": ["scan", "view_board"],
        "event_id": 7,
        "days": 30,
        "form_id": uuid.uuid4(),
        "at": datetime.now(UTC),
    }
    return await api_tokens.create(**(given | more))


async def test_token_is_its_account_cut_down_and_kept_as_a_digest() -> None:
    account = await make_account(EMAIL, name="林小满")
    token = await make_token(account)
    assert token.startswith("hwt_")
    assert len(token) > 40
    actor = await accounts.actor_for_token(token)
    row = await ApiToken.get()
    assert (actor.kind, actor.id, actor.sign_in_id, actor.token_id) == (
        ActorKind.ACCOUNT,
        account.id,
        0,
        row.id,
    )
    assert (actor.token_scopes, actor.token_event_id) == (frozenset({"scan", "view_board"}), 7)
    assert token not in str(await db.query("SELECT * FROM api_token"))
    assert token not in str(await db.query("SELECT * FROM replay"))
    (line,) = await JournalEntry.all()
    assert (line.verb, line.event_id, line.object_id) == ("api_token.create", None, row.id)
    assert "Badge printer" not in str(line.new)
    # A sign-in is no token and a token no sign-in, whatever it begins with.
    sign_in = await accounts.open_sign_in(account_id=account.id, user_agent="t", at=datetime.now(UTC))
    assert (await accounts.actor_for_token(sign_in)).token_id == 0
    assert await accounts.actor_for_token(f"hwt_{sign_in}") is ANONYMOUS
    assert await accounts.actor_for_token(token[4:]) is ANONYMOUS


async def test_token_is_read_once_in_two_seconds_and_its_use_written_later() -> None:
    token = await make_token(await make_account())
    await accounts.actor_for_token(token)
    before = db.stats.statements
    for _ in range(10):
        await accounts.actor_for_token(token)
    assert db.stats.statements == before
    assert (await ApiToken.get()).last_used_at is None
    await accounts.write_seen(datetime.now(UTC))
    used_at = (await ApiToken.get()).last_used_at
    assert used_at is not None
    (facts,) = await queries.api_tokens((await Account.get()).id)
    assert (facts.last_used_at, facts.scopes) == (used_at, ("scan", "view_board"))


async def test_revoked_and_expired_tokens_open_nothing() -> None:
    account, stranger = await make_account(), await make_account()
    token = await make_token(account)
    late = await make_token(account, at=datetime.now(UTC) - timedelta(days=31))
    assert await accounts.actor_for_token(late) is ANONYMOUS
    assert (await accounts.actor_for_token(token)).signed_in
    row = await ApiToken.get(token_digest=codes.digest(token))
    with pytest.raises(NotFound):
        await api_tokens.revoke(actor=actor_of(stranger), token_id=row.id, at=NOW)
    await api_tokens.revoke(actor=actor_of(account), token_id=row.id, at=NOW)
    assert await accounts.actor_for_token(token) is ANONYMOUS
    with pytest.raises(NotFound):
        await api_tokens.revoke(actor=actor_of(account), token_id=row.id, at=NOW)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"),
        ({"scopes": []}, "scopes"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
    ],
)
async def test_what_is_no_token_is_told_at_the_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await make_token(await make_account(), **wrong)
    assert list(caught.value.fields) == [field]
    assert await ApiToken.all().count() == 0


async def test_form_sent_twice_makes_one_token_and_shows_it_once() -> None:
    account, form_id, at = await make_account(), uuid.uuid4(), datetime.now(UTC)
    outcomes = await asyncio.gather(
        *(make_token(account, form_id=form_id, at=at) for _ in range(16)), return_exceptions=True
    )
    assert sum(isinstance(one, str) for one in outcomes) == 1
    assert {one.code for one in outcomes if isinstance(one, Conflict)} == {"token_made_already"}
    assert await ApiToken.all().count() == 1


async def test_twenty_tokens_an_account_however_many_ask() -> None:
    account = await make_account()
    outcomes = await asyncio.gather(*(make_token(account) for _ in range(32)), return_exceptions=True)
    assert Counter(type(one) for one in outcomes) == {str: 20, Conflict: 12}
    assert await ApiToken.all().count() == 20


# --- what nobody needs any longer --------------------------------------------------------------------------------


async def test_purge_takes_old_visits_and_long_expired_tokens() -> None:
    account, now = await make_account(), datetime.now(UTC)
    await begin("old", at=now - timedelta(minutes=11))
    await begin("new", at=now)
    await make_token(account, at=now - timedelta(days=61))
    kept = await make_token(account, at=now - timedelta(days=59))
    counts = await wiring.purge(now)
    assert (counts["provider_visit"], counts["api_token"]) == (1, 1)
    assert (await ProviderVisit.get()).state_digest == codes.digest("new")
    assert (await ApiToken.get()).token_digest == codes.digest(kept)


async def test_account_takes_its_identities_and_tokens_along() -> None:
    account = await make_account()
    await visits.attach(account_id=account.id, provider="authing", subject="u-1", display="", at=NOW)
    await make_token(account)
    async with unit_of_work():
        await db.execute("DELETE FROM account WHERE id = $1", account.id)
    assert await Identity.all().count() == await ApiToken.all().count() == 0
