"""What ``people`` lets others read: plain frozen values, never rows. Each list is a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from kernel import db
from kernel.errors import NotFound
from kernel.settings import Settings
from people import accounts as accounts_
from people import letters as letters_
from people import rules
from people.models import Account, ApiToken, Identity, Job, JournalEntry, Letter, SignIn, SignInCode
from people.rules import JobState, LetterState, LetterTrouble

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class AccountFacts:
    id: int
    email: str
    name: str
    locale: str
    is_admin: bool


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """One browser of an account."""

    id: int
    device: str
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """A provider's name for the owner of an account."""

    id: int
    provider: str
    display: str
    created_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class ApiTokenFacts:
    """A token for programs, without the token."""

    id: int
    name: str
    scopes: tuple[str, ...]
    event_id: int | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """A letter as the outbox shows it; ``problem`` is a code of LetterTrouble or a mail server's own words."""

    id: int
    event_id: int | None
    key: str
    to_email: str
    locale: str
    subject: str
    text: str
    state: LetterState
    urgent: bool
    tries: int
    problem: str
    has_more: bool
    attachments: tuple[str, ...]
    created_at: datetime
    next_try_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """One page of letters, the newest first, and how many there are in each state."""

    items: tuple[LetterFacts, ...]
    total: int
    page: int
    by_state: Mapping[LetterState, int]

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE_SIZE + 1 if self.items else 0

    @property
    def last(self) -> int:
        return (self.page - 1) * PAGE_SIZE + len(self.items)


@dataclass(frozen=True, slots=True)
class FullDomain:
    """A recipient domain whose hour is used up, how many wait for it, and when the next may leave."""

    domain: str
    waiting: int
    free_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxState:
    """Whether letters leave, and what slows them."""

    has_smtp: bool
    sent_last_hour: int
    per_hour: int
    per_domain_hour: int
    waiting: int
    failed: int
    is_full: bool
    free_at: datetime | None
    full_domains: tuple[FullDomain, ...]
    unreachable: bool


@dataclass(frozen=True, slots=True)
class DevelopmentCode:
    """A sign-in letter of the last hour, for a newcomer's own machine."""

    to_email: str
    subject: str
    code: str
    #: The link of the same letter; empty once it is used or too old.
    link: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobFacts:
    id: int
    event_id: int | None
    kind: str
    key: str
    state: JobState
    done: int
    total: int
    result: Mapping[str, Any]
    tries: int
    actor_key: str
    cancel_wanted: bool
    created_at: datetime
    run_at: datetime
    ended_at: datetime | None

    @property
    def has_ended(self) -> bool:
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JournalLine:
    id: int
    at: datetime
    event_id: int | None
    actor_key: str
    #: The account behind ``actor_key`` as it is called today; empty for others, and once it is gone.
    actor_name: str
    verb: str
    object_kind: str
    object_id: int
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Lines from the newest down; ``before`` goes on with the next page, None at the end."""

    items: tuple[JournalLine, ...]
    before: int | None


# --- accounts ----------------------------------------------------------------------------------------------------


def _account(row: Account) -> AccountFacts:
    return AccountFacts(row.id, row.email, row.name, row.locale, row.is_admin)


async def account(account_id: int) -> AccountFacts:
    """Raises NotFound."""
    row = await Account.get_or_none(id=account_id)
    if row is None:
        raise NotFound()
    return _account(row)


async def accounts(ids: Iterable[int]) -> dict[int, AccountFacts]:
    """Accounts by id; an id without one is left out."""
    source = db.json_rows("$1", id="int")
    rows = await db.query(
        f"SELECT a.id, a.email, a.name, a.locale, a.is_admin FROM account a JOIN {source} ON r.id = a.id",  # noqa: S608 -- our own words
        orjson.dumps([{"id": one} for one in sorted(set(ids))]).decode(),
    )
    return {
        int(row["id"]): AccountFacts(
            int(row["id"]), row["email"], row["name"], row["locale"], bool(row["is_admin"])
        )
        for row in rows
    }


async def sign_ins(account_id: int, at: datetime) -> tuple[SignInFacts, ...]:
    """The browsers that are signed in to an account, the last seen first."""
    rows = (
        await SignIn.filter(account_id=account_id, expires_at__gt=at)
        .order_by("-last_seen_at", "-id")
        .limit(100)
    )
    return tuple(
        SignInFacts(row.id, rules.device_name(row.user_agent), row.created_at, row.last_seen_at)
        for row in rows
    )


async def identities(account_id: int) -> tuple[IdentityFacts, ...]:
    """The providers joined to an account, in the order of joining."""
    rows = await Identity.filter(account_id=account_id).order_by("id")
    return tuple(
        IdentityFacts(row.id, row.provider, row.display, row.created_at, row.last_used_at) for row in rows
    )


async def api_tokens(account_id: int) -> tuple[ApiTokenFacts, ...]:
    """The tokens of an account, the newest first, with those that expired lately."""
    rows = await ApiToken.filter(account_id=account_id).order_by("-id").limit(100)
    return tuple(
        ApiTokenFacts(
            row.id,
            row.name,
            tuple(row.scopes),
            row.event_id,
            row.created_at,
            row.expires_at,
            row.last_used_at,
        )
        for row in rows
    )


# --- letters -----------------------------------------------------------------------------------------------------


def _letter(row: Letter) -> LetterFacts:
    return LetterFacts(
        id=row.id,
        event_id=row.event_id,
        key=row.key,
        to_email=row.to_email,
        locale=row.locale,
        subject=row.subject,
        text=row.text,
        state=LetterState(row.state),
        urgent=row.urgent,
        tries=row.tries,
        problem=row.last_problem,
        has_more=bool(row.composer),
        attachments=tuple(one["filename"] for one in row.attachments),
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        sent_at=row.sent_at,
    )


async def letters(event_id: int | None = None, state: LetterState | None = None, page: int = 1) -> LetterPage:
    """A page of an event's letters, or of the whole installation's; two statements."""
    query = Letter.all() if event_id is None else Letter.filter(event_id=event_id)
    where, values = ("WHERE event_id = $1 ", [event_id]) if event_id is not None else ("", [])
    counts = await db.query(f"SELECT state, count(*) AS n FROM letter {where}GROUP BY state", *values)  # noqa: S608 -- our own words
    by_state = {LetterState(row["state"]): int(row["n"]) for row in counts}
    total = by_state.get(state, 0) if state else sum(by_state.values())
    page = max(1, min(page, -(-total // PAGE_SIZE)))
    if state:
        query = query.filter(state=state)
    rows = await query.order_by("-id").offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)
    return LetterPage(tuple(_letter(row) for row in rows), total, page, by_state)


async def letter(letter_id: int) -> LetterFacts:
    """Raises NotFound."""
    row = await Letter.get_or_none(id=letter_id)
    if row is None:
        raise NotFound()
    return _letter(row)


async def outbox_state(settings: Settings, at: datetime) -> OutboxState:
    """What leaves and what waits for what; three statements."""
    limits = letters_.limits_of(settings)
    since = at - rules.THROTTLE_WINDOW
    rows = await db.query(
        "SELECT domain, "
        "sum(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting, "
        "sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed, "
        "sum(CASE WHEN last_problem = $1 THEN 1 ELSE 0 END) AS unreachable "
        "FROM letter WHERE state IN ('waiting', 'failed') GROUP BY domain",
        str(LetterTrouble.UNREACHABLE),
    )
    waiting = {row["domain"]: int(row["waiting"]) for row in rows}
    sent = await letters_.sent_within_hour(at)
    oldest = await db.query(
        "SELECT domain, min(sent_at) AS oldest FROM letter WHERE sent_at > $1 GROUP BY domain", since
    )
    oldest_by_domain = {row["domain"]: db.as_instant(row["oldest"]) for row in oldest}
    # A worker that is just sending has no sent_at yet: then the hour counts from now.
    free_at = {domain: (first or at) + rules.THROTTLE_WINDOW for domain, first in oldest_by_domain.items()}
    is_full = not rules.may_send(sent.total(), 0, limits)
    full = [
        FullDomain(domain, waiting.get(domain, 0), free_at.get(domain, at + rules.THROTTLE_WINDOW))
        for domain, count in sorted(sent.items())
        if not rules.may_send(0, count, limits) and waiting.get(domain)
    ]
    return OutboxState(
        has_smtp=bool(settings.smtp_url),
        sent_last_hour=sent.total(),
        per_hour=limits.per_hour,
        per_domain_hour=limits.per_domain_hour,
        waiting=sum(waiting.values()),
        failed=sum(int(row["failed"]) for row in rows),
        is_full=is_full,
        free_at=min(free_at.values(), default=None) if is_full else None,
        full_domains=tuple(full),
        unreachable=any(int(row["unreachable"]) for row in rows),
    )


async def development_codes(at: datetime) -> tuple[DevelopmentCode, ...]:
    """The sign-in letters of the last hour; only for a page that exists in development alone."""
    rows = (
        await Letter.filter(key__startswith="sign-in:", created_at__gt=at - timedelta(hours=1))
        .order_by("-created_at", "-id")
        .limit(50)
    )
    codes = {
        code.id: code
        for code in await SignInCode.filter(
            id__in=[row.composer_id for row in rows if row.composer_id], used_at=None, expires_at__gt=at
        )
    }
    return tuple(
        DevelopmentCode(
            row.to_email,
            row.subject,
            found,
            accounts_.link_of(code.id, code.code_digest) if (code := codes.get(row.composer_id or 0)) else "",
            row.created_at,
        )
        for row in rows
        if (found := next((word for word in row.text.split() if rules.read_code(word)), ""))
    )


# --- jobs and the journal ----------------------------------------------------------------------------------------


def _job(row: Job) -> JobFacts:
    return JobFacts(
        id=row.id,
        event_id=row.event_id,
        kind=row.kind,
        key=row.key,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        result=row.result,
        tries=row.tries,
        actor_key=row.actor_key,
        cancel_wanted=row.cancel_wanted,
        created_at=row.created_at,
        run_at=row.run_at,
        ended_at=row.ended_at,
    )


async def job(job_id: int) -> JobFacts:
    """Raises NotFound. Who may see it is the caller's question: compare ``event_id`` and ``actor_key``."""
    row = await Job.get_or_none(id=job_id)
    if row is None:
        raise NotFound()
    return _job(row)


async def jobs(event_id: int | None = None, kind: str = "", limit: int = PAGE_SIZE) -> tuple[JobFacts, ...]:
    """The newest jobs of an event, or of the whole installation."""
    query = Job.all() if event_id is None else Job.filter(event_id=event_id)
    if kind:
        query = query.filter(kind=kind)
    return tuple(_job(row) for row in await query.order_by("-id").limit(limit))


async def journal(
    *,
    event_id: int | None = None,
    actor_key: str = "",
    verb: str = "",
    object_kind: str = "",
    object_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = PAGE_SIZE,
) -> JournalPage:
    """A page of the journal, the newest first, filtered by whatever is given; two statements.

    ``since`` and ``until`` are aware and half-open.
    """
    query = JournalEntry.all() if event_id is None else JournalEntry.filter(event_id=event_id)
    wanted: dict[str, Any] = {
        "actor_key": actor_key,
        "verb": verb,
        "object_kind": object_kind,
        "object_id": object_id,
    }
    query = query.filter(**{name: value for name, value in wanted.items() if value not in ("", None)})
    if since is not None:
        query = query.filter(at__gte=since)
    if until is not None:
        query = query.filter(at__lt=until)
    if before is not None:
        query = query.filter(id__lt=before)
    rows: Sequence[JournalEntry] = await query.order_by("-id").limit(limit + 1)
    shown = rows[:limit]
    known = await accounts(
        int(number)
        for kind, _, number in (row.actor_key.partition(":") for row in shown)
        if kind == "account"
    )
    names = {f"account:{one.id}": one.name or one.email for one in known.values()}
    items = tuple(
        JournalLine(
            id=row.id,
            at=row.at,
            event_id=row.event_id,
            actor_key=row.actor_key,
            actor_name=names.get(row.actor_key, ""),
            verb=row.verb,
            object_kind=row.object_kind,
            object_id=row.object_id,
            old=row.old,
            new=row.new,
        )
        for row in shown
    )
    return JournalPage(items, shown[-1].id if len(rows) > limit else None)


async def journal_verbs(event_id: int) -> Sequence[str]:
    """What has been done in an event, each verb once; one statement."""
    rows = await db.query(
        "SELECT DISTINCT verb FROM journal_entry WHERE event_id = $1 ORDER BY verb LIMIT 200", event_id
    )
    return [row["verb"] for row in rows]
