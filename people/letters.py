"""Letters: queued as rows of the action's own transaction, sent at least once by the outbox of every server process.

docs/decisions/0007-letters-and-jobs.md says why. Nothing here logs an address or a letter's words.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import html
import logging
import re
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import orjson

from kernel import codes, db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, where_it_failed
from kernel.settings import Settings
from kernel.text import N_
from people import journal, rules, unsubscribing
from people.rules import LetterAct, LetterState, LetterTrouble, MailLimits, PeopleCode
from web import i18n, render

log = logging.getLogger("huiwu.outbox")

#: How often a process looks for letters that another one queued, or whose time has come; its own wake it at once.
POLL_S = 5.0
SMTP_TIMEOUT_S = 15.0
#: Ordinary letters leased at once; each takes at most a few SMTP_TIMEOUT_S, so the lease outlives an average batch.
BATCH = 20
LEASE = timedelta(minutes=5)
#: A letter whose lease ends sooner is left for the next round: nobody else may be sending it too.
LEASE_MARGIN = timedelta(seconds=90)
#: How long a stopping server waits for the letter that is just being handed over.
GRACE_S = 5.0
SUBJECT_MAX = 300
TEXT_MAX = 20_000

#: What stands in a text for the link that its composer makes when it is sent.
LINK_MARK: Final = "{link}"

#: Below every letter that one can do without.
ENOUGH = N_("No more letters of this kind: %(link)s")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a letter; with an ``inline_id`` it is a picture shown in the letter itself."""

    filename: str
    content_type: str
    data: bytes
    inline_id: str = ""


@dataclass(frozen=True, slots=True)
class Composed:
    """What a composer adds at sending time: files, and words that must not lie in the row (a secret link).

    ``link`` stands where the text says ``{link}``; with ``link_needed`` at the text's end where it says so nowhere.
    """

    attachments: Sequence[Attachment] = ()
    text_suffix: str = ""
    link: str = ""
    link_needed: bool = False


#: Gives None when the letter's reason is gone (a cancelled registration): it is then discarded.
Composer = Callable[[int, str], Awaitable[Composed | Sequence[Attachment] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """A letter to be queued; ``key`` names its occasion, such as ``registration:17:confirmed``."""

    key: str
    to_email: str
    locale: str
    subject: str
    text: str
    event_id: int | None = None
    attachments: Sequence[Attachment] = ()
    composer: str = ""
    composer_id: int | None = None
    urgent: bool = False
    #: "" for what its reader needs; anything else may be unsubscribed from (``people.unsubscribing``).
    purpose: str = ""
    #: It waits until a person sends it (``people.drafts``).
    is_draft: bool = False


_composers: dict[str, Composer] = {}


@dataclass(slots=True)
class _Outbox:
    """What the workers of this process share."""

    lanes: dict[bool, asyncio.Event] = field(default_factory=dict)


_outbox = _Outbox()


# --- queueing ----------------------------------------------------------------------------------------------------


async def queue(
    *,
    key: str,
    to_email: str,
    locale: str,
    subject: str,
    text: str,
    at: datetime,
    event_id: int | None = None,
    attachments: Sequence[Attachment] = (),
    composer: str = "",
    composer_id: int | None = None,
    urgent: bool = False,
    purpose: str = "",
) -> None:
    """Puts one letter into the action's own transaction; a second one with the same key changes nothing.

    ``urgent`` is for sign-in codes: sent within a second, past the throttle, and thrown away after ten minutes.
    Secrets belong into what ``composer`` makes of ``composer_id`` at sending time, never into ``text``.
    """
    letter = NewLetter(
        key=key,
        to_email=to_email,
        locale=locale,
        subject=subject,
        text=text,
        event_id=event_id,
        attachments=attachments,
        composer=composer,
        composer_id=composer_id,
        urgent=urgent,
        purpose=purpose,
    )
    await queue_many([letter], at=at)


async def queue_many(letters: Sequence[NewLetter], *, at: datetime) -> int:
    """``queue`` for a whole import in one statement; gives how many were new.

    An address that can't stand on a letter makes a failed one, seen in the outbox, and fails nobody else.
    """
    if not letters:
        return 0
    rows = orjson.dumps([_as_row(letter, at) for letter in letters]).decode()
    source = db.json_rows(
        "$1",
        event_id="int",
        key="text",
        to_email="text",
        domain="text",
        locale="text",
        subject="text",
        text="text",
        attachments="json",
        composer="text",
        composer_id="int",
        state="text",
        urgent="bool",
        purpose="text",
        next_try_at="instant",
        last_problem="text",
        created_at="instant",
    )
    async with unit_of_work():
        new = await db.query(
            "INSERT INTO letter (event_id, key, to_email, domain, locale, subject, text, attachments, composer, "  # noqa: S608 -- our own words
            "composer_id, state, urgent, purpose, tries, next_try_at, last_problem, created_at) "
            "SELECT r.event_id, r.key, r.to_email, r.domain, r.locale, r.subject, r.text, r.attachments, r.composer, "
            "r.composer_id, r.state, r.urgent, r.purpose, 0, r.next_try_at, r.last_problem, r.created_at "
            f"FROM {source} WHERE true ON CONFLICT (key) DO NOTHING RETURNING id",
            rows,
        )
        if new:
            for urgent in {letter.urgent for letter in letters}:
                after_commit(lambda urgent=urgent: wake(urgent=urgent))  # type: ignore[misc]
    return len(new)


def _as_row(letter: NewLetter, at: datetime) -> dict[str, Any]:
    to_email = letter.to_email.strip()
    sound = rules.can_be_addressed(to_email)
    return {
        "event_id": letter.event_id,
        "key": letter.key,
        "to_email": to_email if sound else rules.one_line(to_email, 254),
        "domain": rules.domain_of(to_email)[:254] if sound else "",
        "locale": rules.one_line(letter.locale, 16),
        "subject": rules.one_line(letter.subject, 300),
        "text": letter.text.replace("\x00", ""),
        "attachments": [
            {
                "filename": rules.safe_filename(one.filename),
                "content_type": rules.one_line(one.content_type, 100),
                "base64": base64.b64encode(one.data).decode(),
                "inline_id": one.inline_id,
            }
            for one in letter.attachments
        ],
        "composer": letter.composer,
        "composer_id": letter.composer_id,
        "state": LetterState.FAILED
        if not sound
        else LetterState.DRAFT
        if letter.is_draft
        else LetterState.WAITING,
        "urgent": letter.urgent,
        "purpose": letter.purpose,
        "next_try_at": db.stored_instant(at),
        "last_problem": "" if sound else LetterTrouble.MALFORMED_ADDRESS,
        "created_at": db.stored_instant(at),
    }


def compose_with(name: str, composer: Composer) -> None:
    """Connects a composer; called by main. ``composer(composer_id, locale)`` runs each time a letter is sent."""
    _composers[name] = composer


def text_in(locale: str, template: str, **values: Any) -> str:
    """A letter's text from ``templates/<package>/letters/*.txt`` in its recipient's language."""
    token = i18n.use_locale(locale)
    try:
        return render.text_of(template, **values).strip() + "\n"
    finally:
        i18n.reset_locale(token)


def wake(*, urgent: bool) -> None:
    """Tells this process's outbox that a letter may be due."""
    lane = _outbox.lanes.get(urgent)
    if lane is not None:
        lane.set()


# --- what a person does in the outbox ----------------------------------------------------------------------------


async def act(*, actor: Actor, letter_id: int, act: LetterAct, at: datetime) -> LetterState:
    """Sends again, holds back or discards one letter; gives its new state.

    Raises NotFound, or Conflict when the letter is in a state that the act does not fit (it was just sent).
    """
    allowed, state = rules.LETTER_ACTS[act]
    states = ", ".join(f"'{one}'" for one in sorted(allowed))
    async with unit_of_work():
        rows = await db.query(
            "UPDATE letter SET state = $2, tries = 0, next_try_at = $3, last_problem = '' "  # noqa: S608 -- enum words
            f"WHERE id = $1 AND state IN ({states}) RETURNING urgent, event_id",
            letter_id,
            str(state),
            at,
        )
        if not rows:
            if not await db.query("SELECT id FROM letter WHERE id = $1", letter_id):
                raise NotFound()
            raise Conflict(PeopleCode.NOT_IN_THIS_STATE)
        await journal.write(
            actor=actor,
            verb=f"letter.{act}",
            object_kind="letter",
            object_id=letter_id,
            event_id=rows[0]["event_id"],
            at=at,
        )
        urgent = bool(rows[0]["urgent"])
        after_commit(lambda: wake(urgent=urgent))
    return state


async def rewrite(*, actor: Actor, letter_id: int, subject: str, text: str, at: datetime) -> None:
    """Other words for a letter that has not left. What a composer adds (a QR picture, a link) stays.

    Raises NotFound, Invalid for empty or too long words, Conflict when it is being sent or has been, and for a
    sign-in letter, whose words are not anybody's to change.
    """
    problems = {}
    for name, words, limit in (("subject", subject, SUBJECT_MAX), ("text", text, TEXT_MAX)):
        if not words.strip():
            problems[name] = Problem(Code.REQUIRED)
        elif len(words) > limit:
            problems[name] = Problem(Code.TOO_LONG, {"limit": limit})
    if problems:
        raise Invalid(problems)
    unsent = ", ".join(sorted(f"'{one}'" for one in rules.UNSENT))
    async with unit_of_work():
        rows = await db.query(
            "UPDATE letter SET subject = $2, text = $3 WHERE id = $1 AND NOT urgent "  # noqa: S608 -- enum words
            f"AND state IN ({unsent}) RETURNING event_id",
            letter_id,
            rules.one_line(subject, SUBJECT_MAX),
            text.replace("\x00", "").replace("\r\n", "\n"),
        )
        if not rows:
            if not await db.query("SELECT id FROM letter WHERE id = $1", letter_id):
                raise NotFound()
            raise Conflict(PeopleCode.NOT_IN_THIS_STATE)
        await journal.write(
            actor=actor,
            verb="letter.rewrite",
            object_kind="letter",
            object_id=letter_id,
            event_id=rows[0]["event_id"],
            at=at,
        )


# --- the message -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leased:
    """A letter in this worker's hands; ``tries`` is its fencing token: only the newest lease may write."""

    id: int
    event_id: int | None
    key: str
    to_email: str
    locale: str
    subject: str
    text: str
    attachments: tuple[Attachment, ...]
    composer: str
    composer_id: int | None
    urgent: bool
    purpose: str
    tries: int
    created_at: datetime
    leased_until: datetime


_CONTENT_TYPE = re.compile(r"([\w.+-]+)/([\w.+-]+)((?:\s*;\s*[\w-]+=[\w.+-]+)*)\s*\Z", re.ASCII)


def build_message(letter: Leased, extra: Composed, *, mail_from: str, base_url: str) -> EmailMessage:
    """The mail itself: plain text, its pictures beside it in an HTML twin, its files behind.

    The Message-ID is the same at every try, so that a mail that arrives twice can be seen to be one. No header can
    be smuggled in: every value is one line, and the library refuses what is not.
    """
    message = EmailMessage(policy=policy.SMTP)
    sender_name, sender = parseaddr(mail_from)
    message["From"] = Address(rules.one_line(sender_name, 120), addr_spec=sender)
    message["To"] = Address(addr_spec=letter.to_email)
    message["Subject"] = rules.one_line(letter.subject, 300)
    message["Date"] = format_datetime(letter.created_at.astimezone(UTC))
    host = urlsplit(base_url).hostname or "localhost"
    message["Message-ID"] = f"<letter.{letter.id}.{codes.digest(letter.key)[:16]}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = rules.one_line(letter.locale, 16)
    said = letter.text.rstrip()
    needed = extra.link if extra.link_needed and LINK_MARK not in said else ""
    if extra.link:
        said = said.replace(LINK_MARK, extra.link)
    parts = [said, needed, extra.text_suffix.strip()]
    if letter.purpose:
        link = unsubscribing.link_of(letter.id)
        # RFC 2369 and RFC 8058: the button of the reader's own mailbox posts to the same link.
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        parts.append(i18n.gettext_in(letter.locale, ENOUGH) % {"link": link})
    text = "\n\n".join(part for part in parts if part) + "\n"
    # base64 for Chinese: 8bit depends on every server on the way.
    encoding = "quoted-printable" if text.isascii() else "base64"
    message.set_content(text, cte=encoding)
    every = (*letter.attachments, *extra.attachments)
    pictures = [one for one in every if one.inline_id and one.content_type.startswith("image/")]
    if pictures:
        names = [f"{number}.{codes.digest(one.inline_id)[:12]}@{host}" for number, one in enumerate(pictures)]
        body = _as_html(text, letter.locale, list(zip(names, pictures, strict=True)))
        message.add_alternative(body, subtype="html", cte="base64")
        twin = message.get_payload()[1]  # type: ignore[index]
        assert isinstance(twin, EmailMessage)
        for name, one in zip(names, pictures, strict=True):
            twin.add_related(
                one.data,
                maintype="image",
                subtype=_kind(one.content_type)[1],
                cid=f"<{name}>",
                disposition="inline",
                filename=rules.safe_filename(one.filename),
            )
    for one in every:
        if one in pictures:
            continue
        maintype, subtype, params = _kind(one.content_type)
        message.add_attachment(
            one.data,
            maintype=maintype,
            subtype=subtype,
            params=params,
            filename=rules.safe_filename(one.filename),
        )
    return message


def _kind(content_type: str) -> tuple[str, str, dict[str, str]]:
    found = _CONTENT_TYPE.match(content_type)
    if found is None:
        return "application", "octet-stream", {}
    params = dict(pair.strip().split("=", 1) for pair in found[3].split(";") if "=" in pair)
    return found[1].lower(), found[2].lower(), params


_LINK = re.compile(r"https?://[^\s<>\"'，。）]+")


def _as_html(text: str, locale: str, pictures: Sequence[tuple[str, Attachment]]) -> str:
    paragraphs = []
    for paragraph in re.split(r"\n{2,}", text.strip()):
        # Escaped first: an address contains nothing that escaping changes but &, which belongs escaped in href too.
        safe = _LINK.sub(
            lambda found: f'<a href="{found[0]}">{found[0]}</a>', html.escape(paragraph, quote=False)
        )
        paragraphs.append("<p>" + safe.replace("\n", "<br>\n") + "</p>")
    shown = [
        f'<p><img src="cid:{name}" alt="{html.escape(one.filename)}" width="240"></p>'
        for name, one in pictures
    ]
    return (
        f'<!doctype html>\n<html lang="{html.escape(locale)}"><body>\n'
        + "\n".join(paragraphs + shown)
        + "\n</body></html>\n"
    )


# --- taking and sending ------------------------------------------------------------------------------------------

_DUE = "((state = 'waiting' AND next_try_at <= $1) OR (state = 'sending' AND leased_until <= $1))"
_PICKED = "id, event_id, key, to_email, locale, subject, text, attachments, composer, composer_id, urgent, purpose, tries, created_at, leased_until"


async def lease(limits: MailLimits, *, urgent: bool, at: datetime, many: int = BATCH) -> list[Leased]:
    """Takes letters that are due and may leave now; they are this worker's until their lease ends.

    One worker at a time counts and takes, so that two never pass a limit together. Urgent ones are not counted
    against a limit here (they do count for the others), and those that came too late are thrown away.
    """
    # A look outside any transaction first: an idle outbox must not take the writer's turn.
    if not await db.query(f"SELECT id FROM letter WHERE urgent = $2 AND {_DUE} LIMIT 1", at, urgent):  # noqa: S608 -- our own words
        return []
    async with unit_of_work():
        await db.one_at_a_time("people.outbox")
        if urgent:
            await _drop_late(at)
            chosen = await _due(urgent=True, at=at, full=[], many=many)
        else:
            chosen = await _within_limits(limits, at=at, many=many)
        if not chosen:
            return []
        rows = await db.query(
            "UPDATE letter SET state = 'sending', tries = tries + 1, leased_until = $3 "  # noqa: S608 -- our own words
            f"WHERE id IN (SELECT r.id FROM {db.json_rows('$2', id='int')}) AND {_DUE} RETURNING {_PICKED}",
            at,
            orjson.dumps([{"id": row["id"]} for row in chosen]).decode(),
            at + LEASE,
        )
    return [_leased(row) for row in sorted(rows, key=lambda row: int(row["id"]))]


def _leased(row: dict[str, Any]) -> Leased:
    stored = row["attachments"]
    created_at, leased_until = db.as_instant(row["created_at"]), db.as_instant(row["leased_until"])
    assert created_at is not None
    assert leased_until is not None
    return Leased(
        id=int(row["id"]),
        event_id=row["event_id"],
        key=row["key"],
        to_email=row["to_email"],
        locale=row["locale"],
        subject=row["subject"],
        text=row["text"],
        attachments=tuple(
            Attachment(
                one["filename"],
                one["content_type"],
                base64.b64decode(one["base64"]),
                one.get("inline_id", ""),
            )
            for one in (orjson.loads(stored) if isinstance(stored, (str, bytes)) else stored)
        ),
        composer=row["composer"],
        composer_id=row["composer_id"],
        urgent=bool(row["urgent"]),
        purpose=row["purpose"],
        tries=int(row["tries"]),
        created_at=created_at,
        leased_until=leased_until,
    )


async def _due(*, urgent: bool, at: datetime, full: Sequence[str], many: int) -> list[dict[str, Any]]:
    return await db.query(
        f"SELECT id, domain FROM letter WHERE urgent = $2 AND {_DUE} "  # noqa: S608 -- our own words
        f"AND domain NOT IN (SELECT r.domain FROM {db.json_rows('$3', domain='text')}) "
        "ORDER BY next_try_at, id LIMIT $4",
        at,
        urgent,
        orjson.dumps([{"domain": domain} for domain in full]).decode(),
        many,
    )


async def sent_within_hour(at: datetime) -> Counter[str]:
    """Letters of the last hour by domain, those in a worker's hands included."""
    rows = await db.query(
        "SELECT domain, count(*) AS n FROM letter "
        "WHERE sent_at > $1 OR (state = 'sending' AND leased_until > $2) GROUP BY domain",
        at - rules.THROTTLE_WINDOW,
        at,
    )
    return Counter({row["domain"]: int(row["n"]) for row in rows})


async def _within_limits(limits: MailLimits, *, at: datetime, many: int) -> list[dict[str, Any]]:
    counts = await sent_within_hour(at)
    total = counts.total()
    full = [domain for domain, count in counts.items() if not rules.may_send(0, count, limits)]
    chosen = []
    for row in await _due(urgent=False, at=at, full=full, many=many):
        if rules.may_send(total, counts[row["domain"]], limits):
            chosen.append(row)
            counts[row["domain"]] += 1
            total += 1
    return chosen


async def _drop_late(at: datetime) -> None:
    # Discarded and emptied: the words hold a code that nobody needs any more.
    await db.execute(
        "UPDATE letter SET state = 'discarded', last_problem = $3, subject = '', text = '', leased_until = NULL "  # noqa: S608 -- our own words
        f"WHERE urgent = $2 AND created_at <= $4 AND {_DUE}",
        at,
        True,
        str(LetterTrouble.TOO_LATE),
        at - rules.URGENT_LASTS,
    )


class Unreachable(Exception):
    """The mail server can't be talked to at all, which is nobody's letter's fault."""


class Post:
    """One connection to the mail server, opened when first needed, for the letters of one batch."""

    def __init__(self, smtp_url: str) -> None:
        parts = urlsplit(smtp_url)
        direct = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        context = ssl.create_default_context()
        if _is_loopback(self._host):
            # A relay on this machine has a certificate that nobody signed; nothing leaves the machine here.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._options: dict[str, Any] = {
            "hostname": self._host,
            "port": parts.port or (465 if direct else 587),
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": direct,
            # None: STARTTLS where the server offers it.
            "start_tls": False if direct else None,
            "tls_context": context,
            "timeout": SMTP_TIMEOUT_S,
        }
        self._client: aiosmtplib.SMTP | None = None

    async def hand_over(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Gives one mail to the server. Raises Unreachable, or what aiosmtplib says about this mail."""
        if self._client is None or not self._client.is_connected:
            client = aiosmtplib.SMTP(**self._options)
            try:
                await client.connect()
            except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
                client.close()
                raise Unreachable(type(error).__name__) from error
            self._client = client
        await self._client.send_message(message, sender=sender, recipients=[recipient])

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            try:
                async with asyncio.timeout(2):
                    await client.quit()
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def limits_of(settings: Settings) -> MailLimits:
    return MailLimits(settings.mail_per_hour, settings.mail_per_domain_hour)


async def send_due(
    settings: Settings, *, urgent: bool, at: datetime | None = None, stopping: asyncio.Event | None = None
) -> int:
    """Leases one batch and sends it; gives how many letters it took. What the worker repeats and tests call.

    ``at`` replaces the clock in tests. When ``stopping`` is set, letters not yet begun go back untouched.
    """
    batch = await lease(limits_of(settings), urgent=urgent, at=at or datetime.now(UTC))
    post = Post(settings.smtp_url)
    try:
        for place, letter in enumerate(batch):
            now = at or datetime.now(UTC)
            if (stopping is not None and stopping.is_set()) or letter.leased_until - now < LEASE_MARGIN:
                await _give_back(batch[place:], at=now)
                break
            try:
                await _send(post, letter, settings, at=now)
            except Unreachable:
                log.warning("the mail server can't be reached; %d letters wait", len(batch) - place)
                await _give_back(
                    batch[place:], at=now + rules.UNREACHABLE_PAUSE, trouble=LetterTrouble.UNREACHABLE
                )
                break
    finally:
        await post.close()
    return len(batch)


async def _send(post: Post, letter: Leased, settings: Settings, *, at: datetime) -> None:
    if letter.purpose and await unsubscribing.without(letter.event_id, [letter.to_email]):
        await _close(letter, LetterState.DISCARDED, LetterTrouble.NO_LONGER_WANTED, at=at)
        return
    try:
        extra = await _composed(letter)
    except Exception as error:  # noqa: BLE001 -- a composer is another package's code; its failure is this letter's
        log.error("letter %d could not be composed: %s", letter.id, where_it_failed(error))
        await _again_later(letter, LetterTrouble.NOT_COMPOSED, at=at)
        return
    if extra is None:
        await _close(letter, LetterState.DISCARDED, LetterTrouble.NO_LONGER_WANTED, at=at)
        return
    try:
        message = build_message(letter, extra, mail_from=settings.mail_from, base_url=settings.base_url)
    except (ValueError, IndexError, TypeError) as error:
        # What the library refuses to write in a header; the error's words would quote it.
        log.error("letter %d could not be written: %s", letter.id, type(error).__name__)
        await _close(letter, LetterState.FAILED, LetterTrouble.MALFORMED_ADDRESS, at=at)
        return
    sender = parseaddr(settings.mail_from)[1]
    try:
        await post.hand_over(message, sender=sender, recipient=letter.to_email)
    except Unreachable:
        raise
    except (aiosmtplib.SMTPException, OSError) as error:
        code, words = _answer(error)
        if not code:
            await post.close()  # lost or late: what it says next would answer something else
        log.warning("letter %d was not taken: %s", letter.id, code or type(error).__name__)
        if 500 <= code < 600:
            await _close(letter, LetterState.FAILED, f"{code} {words}", at=at)
        else:
            await _again_later(letter, f"{code} {words}" if code else type(error).__name__, at=at)
        return
    await _close(letter, LetterState.SENT, "", at=at, keep_words=settings.development or not letter.urgent)


def _answer(error: Exception) -> tuple[int, str]:
    """The server's code and words about one letter; 0 when it said nothing (time-out, lost connection)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        return error.recipients[0].code, error.recipients[0].message
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code, error.message
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return 553, "SMTPUTF8"
    return 0, ""


async def _composed(letter: Leased) -> Composed | None:
    if not letter.composer:
        return Composed()
    composer = _composers.get(letter.composer)
    if composer is None or letter.composer_id is None:
        raise LookupError(f"no composer {letter.composer}")
    made = await composer(letter.composer_id, letter.locale)
    return made if made is None or isinstance(made, Composed) else Composed(tuple(made))


async def _close(
    letter: Leased, state: LetterState, problem: str, *, at: datetime, keep_words: bool = True
) -> None:
    async with unit_of_work():
        await db.execute(
            "UPDATE letter SET state = $3, last_problem = $4, leased_until = NULL, sent_at = $5"  # noqa: S608 -- our own words
            + ("" if keep_words else ", subject = '', text = ''")
            + " WHERE id = $1 AND tries = $2 AND state = 'sending'",
            letter.id,
            letter.tries,
            str(state),
            rules.one_line(problem, 300),
            at if state is LetterState.SENT else None,
        )


async def _again_later(letter: Leased, problem: str, *, at: datetime) -> None:
    pause = rules.retry_after(letter.tries, rules.LETTER_BACK_OFF)
    if pause is None:
        await _close(letter, LetterState.FAILED, problem, at=at)
        return
    async with unit_of_work():
        await db.execute(
            "UPDATE letter SET state = 'waiting', last_problem = $3, leased_until = NULL, next_try_at = $4 "
            "WHERE id = $1 AND tries = $2 AND state = 'sending'",
            letter.id,
            letter.tries,
            rules.one_line(problem, 300),
            at + pause,
        )


async def _give_back(letters: Sequence[Leased], *, at: datetime, trouble: str = "") -> None:
    """Back to waiting, the try not counted."""
    source = db.json_rows("$1", id="int", tries="int")
    async with unit_of_work():
        await db.execute(
            "UPDATE letter SET state = 'waiting', tries = tries - 1, leased_until = NULL, next_try_at = $2, "  # noqa: S608 -- our own words
            f"last_problem = $3 WHERE state = 'sending' AND EXISTS (SELECT 1 FROM {source} "
            "WHERE r.id = letter.id AND r.tries = letter.tries)",
            orjson.dumps([{"id": one.id, "tries": one.tries} for one in letters]).decode(),
            at,
            str(trouble),
        )


# --- the worker --------------------------------------------------------------------------------------------------


async def run_outbox(settings: Settings) -> None:
    """The outbox of this server process; runs until it is cancelled, then lets the letter in hand arrive.

    Main starts one in every server process. Two lanes, so that a sign-in code never waits behind a mass mailing. Without
    HUIWU_SMTP_URL nothing is sent: letters stay waiting and the outbox page says so.
    """
    if not settings.smtp_url:
        log.info("HUIWU_SMTP_URL is not set: letters stay in the outbox")
        await asyncio.Event().wait()
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(_lane(settings, urgent=True))
        lanes.create_task(_lane(settings, urgent=False))


async def _lane(settings: Settings, *, urgent: bool) -> None:
    signal = _outbox.lanes[urgent] = asyncio.Event()
    try:
        while True:
            signal.clear()
            if not await _round(settings, urgent=urgent):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await signal.wait()
    finally:
        if _outbox.lanes.get(urgent) is signal:
            del _outbox.lanes[urgent]


async def _round(settings: Settings, *, urgent: bool) -> int:
    """One batch. A cancelled worker lets the letter in hand arrive, for a few seconds, and gives the rest back."""
    stopping = asyncio.Event()
    batch = asyncio.create_task(send_due(settings, urgent=urgent, stopping=stopping))
    try:
        return await asyncio.shield(batch)
    except asyncio.CancelledError:
        stopping.set()
        await asyncio.wait([batch], timeout=GRACE_S)
        batch.cancel()
        await asyncio.gather(batch, return_exceptions=True)
        raise
    except Exception as error:  # noqa: BLE001 -- an outbox that ends for one bad moment would never come back
        log.error("the outbox met %s", where_it_failed(error))
        return 0
