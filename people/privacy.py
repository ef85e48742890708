"""What is held about a person: shown, given out as a file, and dropped when its owner says so.

Each floor adds what it holds and drops (``PARTS`` and ``ERASERS``, joined by main, the upper floors first). Dropping is
one transaction over all floors: counts and ledgers stay, and nothing in them says any more who that was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel import db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.text import N_
from people import accounts, journal, queries
from people.models import Account, ApiToken, Identity, JournalEntry, Letter, SignIn
from people.rules import device_name

#: Lines of one list in a file; a page shows fewer.
ROWS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data it is: an account with its address, and registrations by id, either of which may be missing."""

    account_id: int = 0
    #: Folded; "" for somebody who is known by a registration's own link only.
    email: str = ""
    registration_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Fact:
    """One value with its name in files and its English title on pages (marked with ``N_``)."""

    key: str
    title: str
    value: Any
    #: What a page says instead of a code: English, marked with ``N_``.
    words: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """One list of what is held: ``code`` names it in files, ``title`` is English, marked with ``N_``."""

    code: str
    title: str
    rows: Sequence[Sequence[Fact]]


Part = Callable[[Subject], Awaitable[Sequence[Held]]]
Eraser = Callable[[Subject, Actor, datetime], Awaitable[None]]

#: What the upper floors hold and drop; main fills both, the upper floors first.
PARTS: Final[list[Part]] = []
ERASERS: Final[list[Eraser]] = []
#: Every floor's words for the verbs of the journal; main fills it.
VERBS: Final[dict[str, str]] = {}


async def held(subject: Subject) -> Sequence[Held]:
    """Everything that any floor holds about the person; lists with nothing in them are left out."""
    found = list(await _held_here(subject))
    for part in PARTS:
        found += await part(subject)
    return [one for one in found if one.rows]


def as_file(parts: Sequence[Held]) -> Mapping[str, Any]:
    """The same as plain JSON values: a list of objects under each part's code."""
    return {one.code: [{fact.key: fact.value for fact in row} for row in one.rows] for one in parts}


async def erase(*, actor: Actor, subject: Subject, at: datetime) -> None:
    """Drops the person on every floor, in one transaction. Once more changes nothing.

    Raises what a floor refuses with (the last owner of an event must hand it over first); then nothing is dropped.
    """

    async def once() -> None:
        async with unit_of_work():
            for eraser in ERASERS:
                await eraser(subject, actor, at)
            if subject.account_id:
                await _erase_account(subject, actor, at)

    await db.retrying(once)


_LANGUAGES: Final = {"zh-Hans": N_("Chinese"), "en": N_("English")}


async def _held_here(subject: Subject) -> Sequence[Held]:
    if not subject.account_id:
        return ()
    account = await queries.account(subject.account_id)
    identities = await Identity.filter(account_id=account.id).order_by("id")
    sign_ins = await SignIn.filter(account_id=account.id).order_by("id").limit(ROWS_MAX)
    tokens = await ApiToken.filter(account_id=account.id).order_by("id").limit(ROWS_MAX)
    letters = await Letter.filter(to_email=account.email).order_by("-id").limit(ROWS_MAX)
    lines = await JournalEntry.filter(actor_key=f"account:{account.id}").order_by("-id").limit(ROWS_MAX)
    return (
        Held(
            "account",
            N_("Account"),
            [
                [
                    Fact("email", N_("E-mail"), account.email),
                    Fact("name", N_("Name"), account.name),
                    Fact("locale", N_("Language"), account.locale, _LANGUAGES.get(account.locale, "")),
                ]
            ],
        ),
        Held(
            "providers",
            N_("Other ways to sign in"),
            [
                [
                    Fact("provider", N_("Provider"), row.provider),
                    Fact("subject", N_("Its number for you"), row.subject),
                    Fact("display", N_("Its name for you"), row.display),
                    Fact("since", N_("Since"), row.created_at),
                ]
                for row in identities
            ],
        ),
        Held(
            "sign_ins",
            N_("Browsers that are signed in"),
            [
                [
                    Fact("device", N_("Device"), device_name(row.user_agent)),
                    Fact("user_agent", N_("What it calls itself"), row.user_agent),
                    Fact("since", N_("Since"), row.created_at),
                    Fact("last_seen", N_("Last seen"), row.last_seen_at),
                ]
                for row in sign_ins
            ],
        ),
        Held(
            "api_tokens",
            N_("Tokens for programs"),
            [
                [
                    Fact("name", N_("Name"), row.name),
                    Fact("since", N_("Since"), row.created_at),
                    Fact("until", N_("Until"), row.expires_at),
                ]
                for row in tokens
            ],
        ),
        Held(
            "letters",
            N_("Letters to you"),
            [
                [
                    Fact("subject", N_("Subject"), row.subject),
                    Fact("queued", N_("When"), row.created_at),
                    Fact("state", N_("State"), row.state),
                    Fact("text", N_("Text"), "" if row.urgent else row.text),
                ]
                for row in letters
            ],
        ),
        Held(
            "journal",
            N_("What you did"),
            [
                [Fact("at", N_("When"), row.at), Fact("verb", N_("What"), row.verb, VERBS.get(row.verb, ""))]
                for row in lines
            ],
        ),
    )


async def _erase_account(subject: Subject, actor: Actor, at: datetime) -> None:
    """The row stays, because the journal names it by its number; nothing in it tells whose it was."""
    account = await Account.get_or_none(id=subject.account_id)
    if account is None or account.email.endswith(_NOBODYS):
        return
    email = account.email
    for table in ("sign_in", "identity", "api_token"):
        await db.execute(f"DELETE FROM {table} WHERE account_id = $1", account.id)  # noqa: S608 -- our own words
    await db.execute("DELETE FROM provider_visit WHERE account_id = $1", account.id)
    await db.execute("DELETE FROM sign_in_code WHERE email = $1", email)
    await drop_letters(None, [email])
    await Account.filter(id=account.id).update(
        email=f"{account.id}{_NOBODYS}", name="", is_admin=False, locale="zh-Hans"
    )
    await journal.write(actor=actor, verb="account.erase", object_kind="account", object_id=account.id, at=at)
    after_commit(accounts.forget)


#: RFC 2606: a domain that no mail ever reaches.
_NOBODYS: Final = "@erased.invalid"


async def drop_letters(event_id: int | None, emails: Sequence[str], names: Sequence[str] = ()) -> None:
    """Letters to these addresses go, of one event or of all; what other people's letters say of these names is blanked.

    A letter that is being handed over at this moment goes, too; the worker that has it finds no row to close.
    """
    await db.execute(
        f"DELETE FROM letter WHERE to_email {db.in_list('$1', 'text')} AND ($2 = 0 OR event_id = $2)",  # noqa: S608 -- our own words
        db.list_parameter([email for email in emails if email]),
        event_id or 0,
    )
    for name in sorted({name for name in names if name}, key=len, reverse=True):
        await db.execute(
            "UPDATE letter SET text = replace(text, $2, $3), subject = replace(subject, $2, $3) "
            "WHERE event_id = $1 AND (position($2 in text) > 0 OR position($2 in subject) > 0)"
            if db.dialect() == "postgres"
            else "UPDATE letter SET text = replace(text, $2, $3), subject = replace(subject, $2, $3) "
            "WHERE event_id = $1 AND (instr(text, $2) > 0 OR instr(subject, $2) > 0)",
            event_id or 0,
            name,
            BLANK,
        )


#: What stands in place of an erased person's name.
BLANK: Final = "—"
