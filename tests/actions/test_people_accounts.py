"""Signing in by a code, on the database of this process: who gets in, how often one may try, what is remembered."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from kernel import codes, db
from kernel.actor import ANONYMOUS, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Invalid, Refusal, TooMany
from kernel.settings import Settings
from people import accounts, wiring
from people.models import Account, Letter, SignIn, SignInCode
from people.words import WORDS
from tests.conftest import BELIEVED_AT_MOST_S
from tests.factories import NOW, make_account
from web import render

EMAIL = "lin@example.org"
BROWSER = "browser-one"

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    wiring.configure(database)
    render.configure(
        packages=("people",),
        words=WORDS,
        url_for=lambda name, **_: f"/{name}",
        static=lambda path: path,
        base_url=database.base_url,
        development=True,
    )


async def ask(email: str = EMAIL, browser: str = BROWSER, at: datetime = NOW, locale: str = "zh-Hans") -> str:
    """Asks for a code and reads it out of the newest letter."""
    await accounts.ask_code(email=email, locale=locale, browser=browser, at=at)
    letter = await Letter.all().order_by("-id").first()
    assert letter is not None
    return next(word for word in letter.text.split() if word.isdigit() and len(word) == 6)


async def enter(code: str, email: str = EMAIL, browser: str = BROWSER, at: datetime = NOW) -> str:
    return await accounts.sign_in(email=email, code=code, browser=browser, user_agent="test", at=at)


def other(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 1_000_000:06d}"


async def refused(code: str, **more: object) -> str:
    with pytest.raises(Refusal) as caught:
        await enter(code, **more)  # type: ignore[arg-type]
    return caught.value.code


@pytest.mark.parametrize("locale", ["zh-Hans", "en"])
async def test_code_letter_speaks_the_recipients_language(locale: str) -> None:
    code = await ask(locale=locale)
    letter = await Letter.get()
    assert code in letter.subject
    assert ("验证码" in letter.subject + letter.text) == (locale == "zh-Hans")
    assert (letter.to_email, letter.domain, letter.urgent, letter.locale) == (
        EMAIL,
        "example.org",
        True,
        locale,
    )
    assert (await SignInCode.get()).code_digest not in (code, codes.digest(code))


async def test_first_sign_in_makes_the_account_and_later_ones_find_it() -> None:
    token = await enter(await ask("  Lin@Example.ORG "), " LIN@example.org")
    account = await Account.get()
    assert (account.email, account.is_admin) == (EMAIL, False)
    second = await enter(await ask())
    assert second != token
    assert await Account.all().count() == 1
    # A new sign-in revokes nothing: the phone stays signed in when the laptop comes.
    assert await SignIn.all().count() == 2
    assert token not in {row.token_digest for row in await SignIn.all()}


async def test_wrong_codes_are_counted_and_the_fifth_is_the_last() -> None:
    code = await ask()
    left = []
    for number in range(4):
        with pytest.raises(Refusal) as caught:
            await enter(other(code, number + 1))
        assert caught.value.code == "code_wrong"
        left.append(caught.value.params["left"])
    assert left == [4, 3, 2, 1]
    assert await refused(other(code, 9)) == "code_spent"
    assert await refused(code) == "code_spent"
    assert (await SignInCode.get()).tries == 5
    assert await Account.all().count() == 0


async def test_what_is_not_six_digits_is_not_counted() -> None:
    code = await ask()
    for typed in ("", "12345", "1234567", "abcdef", "12 34"):
        with pytest.raises(Invalid) as caught:
            await enter(typed)
        assert caught.value.fields["code"].code == "code_malformed"
    assert (await SignInCode.get()).tries == 0
    full_width = code.translate({ord(str(digit)): ord("０") + digit for digit in range(10)})
    assert await enter(f" {full_width[:3]} {full_width[3:]}")


async def test_code_expires_after_ten_minutes_and_works_once() -> None:
    code = await ask()
    assert await refused(code, at=NOW + timedelta(minutes=10)) == "code_expired"
    assert await enter(code, at=NOW + timedelta(minutes=9, seconds=59))
    assert await refused(code) == "code_used"


async def test_code_opens_nothing_in_another_browser_or_for_another_address() -> None:
    code = await ask()
    assert await refused(code, browser="browser-two") == "code_expired"
    assert await refused(code, email="other@example.org") == "code_expired"
    assert (await SignInCode.get()).tries == 0


async def test_either_of_two_live_codes_works_and_uses_both_up() -> None:
    first = await ask()
    second = await ask(at=NOW + timedelta(minutes=1))
    assert await enter(first, at=NOW + timedelta(minutes=2))
    if first != second:
        assert await refused(second, at=NOW + timedelta(minutes=2)) == "code_used"


async def test_64_parallel_guesses_get_five_tries() -> None:
    code = await ask()
    outcomes = await asyncio.gather(*(refused(other(code, number + 1)) for number in range(64)))
    assert Counter(outcomes) == {"code_wrong": 4, "code_spent": 60}
    assert (await SignInCode.get()).tries == 5
    assert await refused(code) == "code_spent"


async def test_64_parallel_uses_of_the_right_code_give_one_sign_in() -> None:
    code = await ask()
    outcomes = await asyncio.gather(*(enter(code) for _ in range(64)), return_exceptions=True)
    tokens = [one for one in outcomes if isinstance(one, str)]
    assert len(tokens) == 1
    assert {one.code for one in outcomes if isinstance(one, Refusal)} == {"code_used"}
    assert await SignIn.all().count() == 1
    assert await Account.all().count() == 1


async def test_five_codes_an_hour_and_the_sixth_says_when() -> None:
    for minute in range(5):
        await ask(browser=f"browser-{minute}", at=NOW + timedelta(minutes=minute))
    at = NOW + timedelta(minutes=30)
    with pytest.raises(TooMany) as caught:
        await ask(browser="browser-9", at=at)
    assert (caught.value.code, caught.value.params) == (
        "too_many_codes",
        {"minutes": 30, "retry_after_s": 1800},
    )
    assert await Letter.all().count() == 5
    assert await ask(email="neighbour@example.org", at=at)
    assert await ask(at=NOW + timedelta(minutes=60))


async def test_parallel_asking_gets_five_codes() -> None:
    outcomes = await asyncio.gather(
        *(accounts.ask_code(email=EMAIL, locale="en", browser=f"b{number}", at=NOW) for number in range(32)),
        return_exceptions=True,
    )
    assert Counter(type(one) for one in outcomes) == {type(None): 5, TooMany: 27}
    assert await SignInCode.all().count() == await Letter.all().count() == 5


async def test_a_stranger_who_uses_up_the_hour_does_not_lock_the_owner_out() -> None:
    await enter(await ask(at=NOW - timedelta(days=3)), at=NOW - timedelta(days=3))
    for number in range(5):
        await ask(browser=f"stranger-{number}")
    with pytest.raises(TooMany):
        await ask(browser="stranger-9")
    mine = [await ask() for _ in range(5)]
    assert await enter(mine[-1])
    with pytest.raises(TooMany):
        await ask()


@pytest.mark.parametrize(
    "email", ["", "lin", "lin@", "@example.org", "a@b", "lin@exa mple.org", "l\r\nBcc: x@y.org"]
)
async def test_what_is_no_address_is_told_at_the_field(email: str) -> None:
    with pytest.raises(Invalid) as caught:
        await accounts.ask_code(email=email, locale="en", browser=BROWSER, at=NOW)
    assert caught.value.fields["email"].code == "email_invalid"
    assert await Letter.all().count() == 0


async def test_code_is_logged_in_development_only(
    database: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    code = await ask()
    assert f"{EMAIL}: {code}" in caplog.text
    caplog.clear()
    monkeypatch.setattr(accounts._Wiring, "development", False)
    code = await ask()
    assert code not in caplog.text
    assert EMAIL not in caplog.text


async def test_rolled_back_asking_sends_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "huiwu.dev")
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await accounts.ask_code(email=EMAIL, locale="en", browser=BROWSER, at=NOW)
            raise ZeroDivisionError
    assert await Letter.all().count() == 0
    assert "sign-in code" not in caplog.text


async def open_now(*, is_admin: bool = False) -> tuple[Account, str]:
    account = await make_account(EMAIL, name="林小满", is_admin=is_admin)
    return account, await accounts.open_sign_in(account_id=account.id, user_agent="t", at=datetime.now(UTC))


async def test_token_becomes_an_actor_and_is_believed_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BELIEVED_AT_MOST_S <= 2
    monkeypatch.setattr(accounts, "BELIEVED_S", 60)
    account, token = await open_now(is_admin=True)
    actor = await accounts.actor_for_token(token)
    assert (actor.kind, actor.id, actor.email, actor.name) == (ActorKind.ACCOUNT, account.id, EMAIL, "林小满")
    assert actor.is_admin
    before = db.stats.statements
    assert await accounts.actor_for_token(token) == actor
    assert db.stats.statements == before
    # Another process ends the sign-in: this one finds out when what it believes has grown old.
    async with unit_of_work():
        await db.execute("DELETE FROM sign_in")
    assert await accounts.actor_for_token(token) == actor
    for digest, known in accounts._cache.entries.items():
        accounts._cache.entries[digest] = dataclasses.replace(known, until=known.until - 60)
    assert await accounts.actor_for_token(token) == ANONYMOUS


async def test_sign_out_is_immediate_and_touches_no_other() -> None:
    account, token = await open_now()
    other_token = await accounts.open_sign_in(account_id=account.id, user_agent="t", at=datetime.now(UTC))
    assert (await accounts.actor_for_token(token)).signed_in
    await accounts.sign_out(token=token)
    assert await accounts.actor_for_token(token) == ANONYMOUS
    assert (await accounts.actor_for_token(other_token)).id == account.id
    await accounts.sign_out(token="unknown")


async def test_look_up_that_began_before_a_sign_out_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, token = await open_now()
    read, reading, go = db.query, asyncio.Event(), asyncio.Event()

    async def slow(sql: str, *values: object) -> list[dict[str, object]]:
        rows = await read(sql, *values)
        if "FROM sign_in s" in sql:
            reading.set()
            await go.wait()
        return rows

    monkeypatch.setattr(db, "query", slow)
    look_up = asyncio.create_task(accounts.actor_for_token(token))
    await reading.wait()
    await accounts.sign_out(token=token)
    go.set()
    assert (await look_up).signed_in  # it was, when the request came
    assert await accounts.actor_for_token(token) == ANONYMOUS


async def test_expired_and_unknown_tokens_are_nobody() -> None:
    account = await make_account(EMAIL)
    old = datetime.now(UTC) - timedelta(days=30)
    token = await accounts.open_sign_in(account_id=account.id, user_agent="t", at=old)
    assert await accounts.actor_for_token(token) == ANONYMOUS
    assert await accounts.actor_for_token("nonsense") == ANONYMOUS


async def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "CACHE_SIZE", 8)
    for number in range(50):
        await accounts.actor_for_token(f"guess-{number}")
    assert len(accounts._cache.entries) == 8


async def test_last_seen_is_written_later_and_at_most_every_ten_minutes() -> None:
    account = await make_account(EMAIL)
    old = datetime.now(UTC) - timedelta(minutes=11)
    tokens = [await accounts.open_sign_in(account_id=account.id, user_agent="t", at=old) for _ in range(3)]
    tokens.append(await accounts.open_sign_in(account_id=account.id, user_agent="t", at=datetime.now(UTC)))
    commits = db.stats.commits
    for token in tokens:
        await accounts.actor_for_token(token)
    assert db.stats.commits == commits
    before = datetime.now(UTC) - timedelta(minutes=10)
    assert await SignIn.filter(last_seen_at__lt=before).count() == 3
    statements = db.stats.statements
    await accounts.write_seen(datetime.now(UTC))
    assert db.stats.statements - statements == 1
    assert await SignIn.filter(last_seen_at__lt=before).count() == 0
    await accounts.write_seen(datetime.now(UTC))
    assert db.stats.statements - statements == 2  # the count above; nothing left to write


async def test_create_account_is_idempotent_and_never_takes_rights_away() -> None:
    ids = await asyncio.gather(
        *(accounts.create_account(email=EMAIL, name="", is_admin=False, at=NOW) for _ in range(32))
    )
    assert len(set(ids)) == 1
    assert await accounts.create_account(email=EMAIL.upper(), name="林小满", is_admin=True, at=NOW) == ids[0]
    assert await accounts.create_account(email=EMAIL, name="Other", is_admin=False, at=NOW) == ids[0]
    account = await Account.get()
    assert (account.name, account.is_admin) == ("林小满", True)
    with pytest.raises(Invalid):
        await accounts.create_account(email="nobody", name="", is_admin=True, at=NOW)


async def test_new_rights_are_seen_at_once() -> None:
    _, token = await open_now()
    assert not (await accounts.actor_for_token(token)).is_admin
    await accounts.create_account(email=EMAIL, name="", is_admin=True, at=NOW)
    assert (await accounts.actor_for_token(token)).is_admin
