"""Accounts and sign-ins: by a code or a link sent to an e-mail address; a browser's sign-in lives on the server.

The cookie's token is stored only as a digest, a code only as a keyed hash tied to the browser that asked for it. The
link's secret is derived from the row and the installation's key when the letter is sent, and stands in no table
(docs/decisions/0012-ways-in.md).
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from kernel import codes, db
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.errors import Gone, Invalid, NotFound, Problem, Refusal, TooMany
from kernel.settings import Settings
from kernel.text import DEFAULT_LOCALE, LOCALES, N_
from people import journal, letters, rules, visits
from people.models import SignIn, SignInCode
from people.rules import PeopleCode
from web import i18n, render
from web.signin import API_TOKEN_PREFIX

dev_log = logging.getLogger("huiwu.dev")

#: How long this process may go on believing what it read about a token: the time a sign-out elsewhere takes to arrive.
BELIEVED_S: Final = 2.0
CACHE_SIZE: Final = 4096
#: Last-seen times waiting to be written; more than this many people in half a minute are simply seen later.
SEEN_SIZE: Final = 5000

#: Adds the link while a sign-in letter is sent.
LINK_COMPOSER: Final = "sign-in-link"

SUBJECT: Final = N_("%(code)s is your Huiwu sign-in code")


class _Wiring:
    key: bytes = b""
    development: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    until: float
    expires_at: datetime | None


@dataclass(slots=True)
class _Remembered:
    entries: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    seen: dict[int, datetime] = field(default_factory=dict)
    #: The same for API tokens.
    used: dict[int, datetime] = field(default_factory=dict)
    #: Raised by every sign-out, so that a look-up that began before it is not remembered after it.
    round: int = 0


_cache = _Remembered()


def configure(settings: Settings) -> None:
    """Called once by ``people.wiring``."""
    _Wiring.key = settings.key
    _Wiring.development = settings.development


def forget() -> None:
    """Drops what this process remembers about tokens; tests and changes of an account's rights call it."""
    _cache.entries.clear()
    _cache.seen.clear()
    _cache.used.clear()
    _cache.round += 1


# --- codes -------------------------------------------------------------------------------------------------------


async def ask_code(
    *,
    email: str,
    locale: str,
    browser: str,
    at: datetime,
    next_path: str = "",
    visit_id: int | None = None,
) -> None:
    """Sends a six-digit code to an address, good for ten minutes in the browser that holds ``browser``, and a link
    that opens in any browser and leads to ``next_path``.

    With a ``visit_id`` the code also joins who came back from that visit to a provider. The same happens whether
    there is an account or not, so nobody learns who has one. Raises Invalid at the field ``email``, or TooMany with
    ``minutes`` to wait after five codes within the hour.
    """
    address = rules.read_email(email)
    if address is None:
        raise Invalid({"email": Problem(PeopleCode.EMAIL_INVALID)})
    language = locale if locale in LOCALES else DEFAULT_LOCALE
    code = f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}d}"
    browser_digest = codes.digest(browser)
    async with unit_of_work():
        await db.one_at_a_time(f"people.codes:{address}")
        await _refuse_too_many(address, browser_digest, at)
        row = await SignInCode.create(
            email=address,
            browser_digest=browser_digest,
            code_digest=_code_digest(address, code),
            next_path=next_path[:300],
            visit_id=visit_id,
            created_at=at,
            expires_at=at + rules.CODE_LASTS,
        )
        # The number of the row is part of the secret, so that no two are alike.
        await db.execute(
            "UPDATE sign_in_code SET link_digest = $2 WHERE id = $1",
            row.id,
            codes.digest(_link_secret(row.id, row.code_digest)),
        )
        await letters.queue(
            key=f"sign-in:{row.id}",
            to_email=address,
            locale=language,
            subject=i18n.gettext_in(language, SUBJECT) % {"code": code},
            text=letters.text_in(
                language,
                "people/letters/sign_in.txt",
                code=code,
                minutes=int(rules.CODE_LASTS.total_seconds() // 60),
            ),
            at=at,
            composer=LINK_COMPOSER,
            composer_id=row.id,
            urgent=True,
        )
        if _Wiring.development:
            after_commit(lambda: dev_log.info("sign-in code for %s: %s", address, code))


def _link_secret(code_id: int, code_digest: str) -> str:
    return codes.keyed_hash(_Wiring.key, "sign-in-link", f"{code_id}\x00{code_digest}")


async def compose_link(code_id: int, locale: str) -> letters.Composed | None:
    """The words around the link, added to a letter while it is sent; None once the code is used or too old."""
    row = await SignInCode.get_or_none(id=code_id)
    if row is None or row.used_at is not None or row.expires_at <= datetime.now(UTC):
        return None
    return letters.Composed(
        text_suffix=letters.text_in(
            locale, "people/letters/sign_in_link.txt", link=link_of(row.id, row.code_digest)
        )
    )


def link_of(code_id: int, code_digest: str) -> str:
    """The whole address that a letter shows; for its composer and for the page of codes in development."""
    return render.absolute(render.url("people.sign_in.link", key=_link_secret(code_id, code_digest)))


def _code_digest(address: str, code: str) -> str:
    # Keyed: a million codes are tried in a second against a stolen table that holds plain digests.
    return codes.keyed_hash(_Wiring.key, "sign-in-code", f"{address}\x00{code}")


async def _refuse_too_many(address: str, browser_digest: str, at: datetime) -> None:
    since = at - rules.CODES_COUNT_FOR
    (row,) = await db.query(
        "SELECT sum(CASE WHEN created_at > $2 THEN 1 ELSE 0 END) AS asked, "
        "sum(CASE WHEN created_at > $2 AND browser_digest = $3 THEN 1 ELSE 0 END) AS asked_here, "
        "sum(CASE WHEN used_at IS NOT NULL AND browser_digest = $3 THEN 1 ELSE 0 END) AS used_here, "
        "min(CASE WHEN created_at > $2 THEN created_at END) AS oldest, "
        "min(CASE WHEN created_at > $2 AND browser_digest = $3 THEN created_at END) AS oldest_here "
        "FROM sign_in_code WHERE email = $1",
        address,
        since,
        browser_digest,
    )
    known_here = bool(row["used_here"])
    if rules.may_ask_for_code(
        asked=row["asked"] or 0, asked_here=row["asked_here"] or 0, known_here=known_here
    ):
        return
    oldest = db.as_instant(row["oldest_here"] if known_here else row["oldest"])
    assert oldest is not None
    wait_s = (oldest - since).total_seconds()
    raise TooMany(PeopleCode.TOO_MANY_CODES, minutes=math.ceil(wait_s / 60), retry_after_s=math.ceil(wait_s))


async def sign_in(
    *,
    email: str,
    code: str,
    browser: str,
    user_agent: str,
    at: datetime,
    locale: str = DEFAULT_LOCALE,
    previous: str = "",
) -> str:
    """Trades a code for a new sign-in and gives the cookie's token; ``previous``, this browser's old one, ends.

    Other browsers stay signed in. A visit to a provider that the code was asked for is joined to the account. The
    first sign-in with an address makes its account, speaking ``locale``. A wrong code counts against every live
    code of this browser and address, and the fifth is the last, however many arrive at once; the right one works
    once. Raises Invalid at ``code`` for what is not six digits (not counted), else a Refusal: code_wrong with ``left``,
    code_spent, code_used, code_expired.
    """
    typed = rules.read_code(code)
    if typed is None:
        raise Invalid({"code": Problem(PeopleCode.CODE_MALFORMED)})
    address = rules.read_email(email)
    if address is None:
        raise Refusal(PeopleCode.CODE_EXPIRED)
    browser_digest = codes.digest(browser)

    async def attempt() -> str | Refusal:
        # The refusal is a value here: the count of tries must be committed.
        async with unit_of_work():
            used = await _use_code(address, typed, browser_digest, at)
            if isinstance(used, Refusal):
                return used
            account_id = await create_account(email=address, name="", is_admin=False, locale=locale, at=at)
            if used.visit_id is not None:
                await visits.join(
                    visit_id=used.visit_id, browser_digest=browser_digest, account_id=account_id, at=at
                )
            return await open_sign_in(account_id=account_id, user_agent=user_agent, previous=previous, at=at)

    outcome = await db.retrying(attempt)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True)
class _UsedCode:
    visit_id: int | None


async def _use_code(address: str, typed: str, browser_digest: str, at: datetime) -> Refusal | _UsedCode:
    """Counts the try and uses the code up, each by one conditional statement: parallel guesses take turns on the row."""
    live = await db.query(
        "UPDATE sign_in_code SET tries = tries + 1 WHERE email = $1 AND browser_digest = $2 AND used_at IS NULL "
        "AND expires_at > $3 AND tries < $4 RETURNING id, code_digest, tries, visit_id",
        address,
        browser_digest,
        at,
        rules.CODE_TRIES,
    )
    if not live:
        return Refusal(await _why_no_code(address, browser_digest, at))
    digest = _code_digest(address, typed)
    right = [row for row in live if secrets.compare_digest(row["code_digest"], digest)]
    if not right:
        left = rules.CODE_TRIES - min(int(row["tries"]) for row in live)
        return Refusal(PeopleCode.CODE_WRONG, left=left) if left else Refusal(PeopleCode.CODE_SPENT)
    await _use_up(address, browser_digest, at)
    visit_ids = [int(row["visit_id"]) for row in right if row["visit_id"] is not None]
    return _UsedCode(max(visit_ids, default=None))


async def _use_up(address: str, browser_digest: str, at: datetime) -> None:
    # Every live code of this browser is used up with it: a second mail on its way opens nothing any more.
    await db.execute(
        "UPDATE sign_in_code SET used_at = $3 WHERE email = $1 AND browser_digest = $2 AND used_at IS NULL",
        address,
        browser_digest,
        at,
    )


async def _why_no_code(address: str, browser_digest: str, at: datetime) -> PeopleCode:
    newest = (
        await SignInCode.filter(email=address, browser_digest=browser_digest)
        .order_by("-created_at", "-id")
        .first()
    )
    if newest is None:
        return PeopleCode.CODE_EXPIRED
    if newest.used_at is not None:
        return PeopleCode.CODE_USED
    if newest.tries >= rules.CODE_TRIES and newest.expires_at > at:
        return PeopleCode.CODE_SPENT
    return PeopleCode.CODE_EXPIRED


# --- links -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """Whom a link signs in; ``visit_id`` is the visit to a provider that it joins in that visit's own browser."""

    email: str
    visit_id: int | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new sign-in's token and the path where its owner wanted to go."""

    token: str
    next_path: str


async def link_facts(*, key: str, at: datetime) -> LinkFacts:
    """Whom a link would sign in; looking changes nothing. Raises Gone for a used, late or invented one."""
    row = await SignInCode.get_or_none(link_digest=codes.digest(key), used_at=None, expires_at__gt=at)
    if row is None:
        raise Gone(PeopleCode.LINK_OVER)
    return LinkFacts(row.email, row.visit_id)


async def sign_in_by_link(
    *,
    key: str,
    browser: str,
    user_agent: str,
    at: datetime,
    locale: str = DEFAULT_LOCALE,
    previous: str = "",
) -> SignedIn:
    """Trades a letter's link for a sign-in, in whichever browser it was opened; uses up the letter's code as well.

    Works once, within ten minutes, also after five wrong codes were typed: whoever has the link reads the mail.
    Raises Gone for a used, late or invented one.
    """

    async def attempt() -> SignedIn:
        async with unit_of_work():
            rows = await db.query(
                "UPDATE sign_in_code SET used_at = $2 WHERE link_digest = $1 AND used_at IS NULL AND expires_at > $2 "
                "RETURNING email, browser_digest, next_path, visit_id",
                codes.digest(key),
                at,
            )
            if not rows:
                raise Gone(PeopleCode.LINK_OVER)
            (row,) = rows
            await _use_up(row["email"], row["browser_digest"], at)
            account_id = await create_account(
                email=row["email"], name="", is_admin=False, locale=locale, at=at
            )
            if row["visit_id"] is not None and browser:
                await visits.join(
                    visit_id=int(row["visit_id"]),
                    browser_digest=codes.digest(browser),
                    account_id=account_id,
                    at=at,
                )
            token = await open_sign_in(account_id=account_id, user_agent=user_agent, previous=previous, at=at)
            return SignedIn(token, row["next_path"])

    return await db.retrying(attempt)


# --- accounts and sign-ins ---------------------------------------------------------------------------------------


async def create_account(
    *, email: str, name: str, is_admin: bool, locale: str = DEFAULT_LOCALE, at: datetime
) -> int:
    """The account of an address, made if there is none; gives its id either way, also in a race.

    An existing account keeps its name, its locale and its rights; ``is_admin`` only ever adds. Raises Invalid at
    ``email``.
    """
    address = rules.read_email(email)
    if address is None:
        raise Invalid({"email": Problem(PeopleCode.EMAIL_INVALID)})
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO account (email, name, locale, is_admin, created_at) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (email) DO UPDATE SET is_admin = account.is_admin OR excluded.is_admin, "
            "name = CASE WHEN account.name = '' THEN excluded.name ELSE account.name END RETURNING id",
            address,
            name.strip()[:120],
            locale if locale in LOCALES else DEFAULT_LOCALE,
            is_admin,
            at,
        )
        if is_admin:
            after_commit(forget)
    return int(rows[0]["id"])


async def change(*, account_id: int, name: str, locale: str) -> None:
    """Changes the name that an account shows to others and the language that letters to it speak."""
    async with unit_of_work():
        await db.execute(
            "UPDATE account SET name = $2, locale = $3 WHERE id = $1",
            account_id,
            rules.one_line(name, 120),
            locale if locale in LOCALES else DEFAULT_LOCALE,
        )
        after_commit(forget)


async def open_sign_in(*, account_id: int, user_agent: str, at: datetime, previous: str = "") -> str:
    """A new sign-in of somebody whose right to it is proved already; gives the token for the cookie.

    It lasts thirty days from ``at``, by the real clock. ``previous`` is the token that this browser had: it ends, so
    that whoever planted or saw it has nothing.
    """
    token = codes.new_secret()
    async with unit_of_work():
        if previous:
            await sign_out(token=previous)
        await SignIn.create(
            account_id=account_id,
            token_digest=codes.digest(token),
            user_agent=rules.one_line(user_agent, 200),
            created_at=at,
            last_seen_at=at,
            expires_at=at + rules.SIGN_IN_LASTS,
        )
    return token


async def sign_out(*, token: str) -> None:
    """Ends one sign-in at once in this process, within two seconds in every other; an unknown token is no error."""
    digest = codes.digest(token)
    async with unit_of_work():
        await db.execute("DELETE FROM sign_in WHERE token_digest = $1", digest)
        after_commit(lambda: _drop(digest))


def _drop(digest: str) -> None:
    _cache.entries.pop(digest, None)
    _cache.round += 1


async def sign_out_others(*, actor: Actor, at: datetime) -> int:
    """Ends every sign-in of one's own account but this one (a phone was lost); gives how many. API tokens go on."""
    return await _end_all(actor, at, keep_id=actor.sign_in_id)


async def end_sign_in(*, actor: Actor, sign_in_id: int, at: datetime) -> None:
    """Ends one sign-in of one's own account, this one or another; raises NotFound for anything else."""
    async with unit_of_work():
        ended = await db.execute(
            "DELETE FROM sign_in WHERE id = $1 AND account_id = $2", sign_in_id, actor.id
        )
        if not ended:
            raise NotFound()
        await journal.write(
            actor=actor, verb="sign_in.revoke", object_kind="sign_in", object_id=sign_in_id, at=at
        )
        after_commit(forget)


async def sign_out_everywhere(*, actor: Actor, at: datetime) -> int:
    """Ends every sign-in of one's own account, this one included; gives how many. API tokens go on."""
    return await _end_all(actor, at, keep_id=0)


async def _end_all(actor: Actor, at: datetime, *, keep_id: int) -> int:
    async with unit_of_work():
        ended = await db.execute("DELETE FROM sign_in WHERE account_id = $1 AND id <> $2", actor.id, keep_id)
        await journal.write(
            actor=actor,
            verb="sign_in.revoke",
            object_kind="account",
            object_id=actor.id,
            at=at,
            new={"ended": ended},
        )
        after_commit(forget)
    return ended


async def actor_for_token(token: str) -> Actor:
    """Who holds a token; ANONYMOUS for an unknown or expired one. Believed for at most two seconds.

    A sign-in's token gives its account; an API token gives the account too, with ``token_id``, ``token_scopes`` and
    ``token_event_id``, by which the doors cut its rights.

    Costs one read at most, never a write: last-seen times wait in memory for ``write_seen``.
    """
    digest = codes.digest(token)
    clock, at = time.monotonic(), datetime.now(UTC)
    known = _cache.entries.get(digest)
    if known is not None and known.until > clock and (known.expires_at is None or known.expires_at > at):
        return known.actor
    round_ = _cache.round
    is_program = token.startswith(API_TOKEN_PREFIX)
    actor, expires_at = await (_program(digest, at) if is_program else _person(digest, at))
    if round_ == _cache.round:
        _cache.entries[digest] = _Known(actor, clock + BELIEVED_S, expires_at)
        _cache.entries.move_to_end(digest)
        while len(_cache.entries) > CACHE_SIZE:
            _cache.entries.popitem(last=False)
    return actor


async def _person(digest: str, at: datetime) -> tuple[Actor, datetime | None]:
    rows = await db.query(
        "SELECT s.id AS sign_in_id, s.expires_at, s.last_seen_at, a.id, a.email, a.name, a.is_admin "
        "FROM sign_in s JOIN account a ON a.id = s.account_id WHERE s.token_digest = $1 AND s.expires_at > $2",
        digest,
        at,
    )
    if not rows:
        return ANONYMOUS, None
    (row,) = rows
    last_seen_at = db.as_instant(row["last_seen_at"])
    assert last_seen_at is not None
    sign_in_id = int(row["sign_in_id"])
    if at - last_seen_at >= rules.SEEN_EVERY and len(_cache.seen) < SEEN_SIZE:
        _cache.seen[sign_in_id] = at
    return _actor(row, sign_in_id=sign_in_id), db.as_instant(row["expires_at"])


async def _program(digest: str, at: datetime) -> tuple[Actor, datetime | None]:
    rows = await db.query(
        "SELECT t.id AS token_id, t.expires_at, t.last_used_at, t.scopes, t.event_id, a.id, a.email, a.name, a.is_admin "
        "FROM api_token t JOIN account a ON a.id = t.account_id WHERE t.token_digest = $1 AND t.expires_at > $2",
        digest,
        at,
    )
    if not rows:
        return ANONYMOUS, None
    (row,) = rows
    token_id, last_used_at = int(row["token_id"]), db.as_instant(row["last_used_at"])
    is_stale = last_used_at is None or at - last_used_at >= rules.SEEN_EVERY
    if is_stale and len(_cache.used) < SEEN_SIZE:
        _cache.used[token_id] = at
    stored, event_id = row["scopes"], row["event_id"]
    scopes = orjson.loads(stored) if isinstance(stored, (str, bytes)) else stored
    actor = _actor(
        row,
        token_id=token_id,
        token_scopes=frozenset(str(scope) for scope in scopes),
        token_event_id=None if event_id is None else int(event_id),
    )
    return actor, db.as_instant(row["expires_at"])


def _actor(row: dict[str, Any], **more: Any) -> Actor:
    return Actor(
        kind=ActorKind.ACCOUNT,
        id=int(row["id"]),
        email=row["email"],
        name=row["name"] or row["email"].partition("@")[0],
        is_admin=bool(row["is_admin"]),
        **more,
    )


async def write_seen(at: datetime) -> None:
    """Writes the last-seen times that have gathered, a statement a table; a chore of every server process."""
    del at
    seen, _cache.seen = _cache.seen, {}
    used, _cache.used = _cache.used, {}
    source = db.json_rows("$1", id="int", seen="instant")
    for table, column, times in (("sign_in", "last_seen_at", seen), ("api_token", "last_used_at", used)):
        if not times:
            continue
        async with unit_of_work():
            await db.execute(
                f"UPDATE {table} SET {column} = (SELECT r.seen FROM {source} WHERE r.id = {table}.id) "  # noqa: S608 -- our own words
                f"WHERE id IN (SELECT r.id FROM {source})",
                orjson.dumps(
                    [{"id": id_, "seen": db.stored_instant(when)} for id_, when in sorted(times.items())]
                ).decode(),
            )
