"""Words and decisions of ``people``: states, refusals, limits, back-off. Pure: no await, no clock, no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from email_validator import EmailNotValidError, validate_email


class LetterState(StrEnum):
    """Where a letter stands; only a waiting one is ever sent."""

    #: Written for a person to read first; waits until somebody sends it.
    DRAFT = "drafted"
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    #: Stopped by a person, until a person lets it go.
    HELD = "held"
    #: Never to be sent: a person said so, its reason is gone, or it came too late.
    DISCARDED = "discarded"


class LetterAct(StrEnum):
    """What a person may do with a letter in the outbox."""

    SEND = "send"
    RETRY = "retry"
    HOLD = "hold"
    DISCARD = "discard"


class LetterTrouble(StrEnum):
    """Why a letter was not sent, where no mail server said it in its own words."""

    MALFORMED_ADDRESS = "malformed_address"
    UNREACHABLE = "unreachable"
    NOT_COMPOSED = "not_composed"
    TOO_LATE = "too_late"
    NO_LONGER_WANTED = "no_longer_wanted"


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PeopleCode(StrEnum):
    """Refusals and problems of this package."""

    EMAIL_INVALID = "email_invalid"
    CODE_MALFORMED = "code_malformed"
    CODE_WRONG = "code_wrong"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    CODE_SPENT = "code_spent"
    TOO_MANY_CODES = "too_many_codes"
    TOO_MANY_HERE = "too_many_here"
    TOO_MANY_WRONG = "too_many_wrong"
    TOO_MANY_FAILED = "too_many_failed"
    LINK_OVER = "link_over"
    # ways in through a provider
    VISIT_OVER = "visit_over"
    PROVIDER_DENIED = "provider_denied"
    PROVIDER_DOWN = "provider_down"
    PROVIDER_WRONG = "provider_wrong"
    IDENTITY_TAKEN = "identity_taken"
    # tokens for programs
    SCOPES_MISSING = "scopes_missing"
    TOO_MANY_TOKENS = "too_many_tokens"
    MADE_ALREADY = "token_made_already"
    NOT_IN_THIS_STATE = "letter_not_in_this_state"
    #: The box that says "yes, drop it all".
    NOT_TICKED = "not_ticked"


# --- sign-in codes -----------------------------------------------------------------------------------------------

CODE_DIGITS: Final = 6
CODE_LASTS: Final = timedelta(minutes=10)
#: One in 200,000 for a whole code; the table's check constraint holds the same number.
CODE_TRIES: Final = 5
CODES_AN_HOUR: Final = 5
CODES_COUNT_FOR: Final = timedelta(hours=1)
SIGN_IN_LASTS: Final = timedelta(days=30)
SEEN_EVERY: Final = timedelta(minutes=10)


def may_ask_for_code(*, asked: int, asked_here: int, known_here: bool) -> bool:
    """Whether an address gets one more code within the hour.

    ``asked`` counts every browser's, ``asked_here`` this browser's. A browser that has signed in with the address
    before has a count of its own, so that a stranger who uses up the hour does not lock its owner out.
    """
    return asked_here < CODES_AN_HOUR if known_here else asked < CODES_AN_HOUR


def mask_email(email: str) -> str:
    """``zhang@example.org`` as ``z***@example.org``: its owner knows it, nobody else can write to it; "" stays empty."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}" if email else ""


def read_email(typed: str) -> str | None:
    """The comparison key of an e-mail address, or None for what is none.

    Folded: compatibility forms (full-width letters), case, and the domain in its ASCII form.
    """
    text = unicodedata.normalize("NFKC", typed).strip()
    if len(text) > 320:
        return None
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    folded = f"{found.local_part.lower()}@{found.ascii_domain.lower()}"
    return folded if len(folded) <= 254 else None


def read_code(typed: str) -> str | None:
    """Six digits out of what was typed or pasted (full-width digits, spaces, hyphens), or None."""
    text = re.sub(r"[\s\-\u2010\u2011·.]", "", unicodedata.normalize("NFKC", typed))
    return text if len(text) == CODE_DIGITS and text.isascii() and text.isdigit() else None


# --- limits ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """How often something may happen to one subject within a window of time.

    ``is_network``: the subject is a network address, where a whole hall may stand; venue networks are not counted.
    """

    name: str
    many: int
    within: timedelta
    is_network: bool = False


#: Letters asked for and not yet answered by a sign-in: a hall of 2,000 may ask in the same minute; what this stops is
#: a machine that writes to thousands.
LETTERS_PER_NETWORK: Final = Limit("letters", 2000, timedelta(minutes=10), is_network=True)
#: Wrong codes typed for one address in any browser. One code takes five, an hour brings five codes; this is what
#: somebody has who goes on for days: 120 guesses a day at a million codes.
WRONG_PER_EMAIL: Final = Limit("wrong-email", 15, timedelta(hours=3))
WRONG_PER_BROWSER: Final = Limit("wrong-browser", 30, timedelta(minutes=10))
#: What nobody gets wrong by mistyping: unknown links, states and tokens. Looked at after it failed, so that a right
#: one always opens.
FAILED_PER_NETWORK: Final = Limit("failed", 600, timedelta(minutes=10), is_network=True)


def window_of(now_s: float, within: timedelta) -> tuple[int, float]:
    """The number of the window that ``now_s`` (seconds since 1970) lies in, and how many seconds of it are left."""
    span_s = within.total_seconds()
    number = int(now_s // span_s)
    return number, (number + 1) * span_s - now_s


def network_of(host: str) -> str:
    """The network that a limit counts: an IPv4 address, or an IPv6 address's /64, which one machine has to itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False).network_address)


def lies_in(network: str, networks: tuple[str, ...]) -> bool:
    """Whether what ``network_of`` gave lies in one of these networks (203.0.113.0/24)."""
    try:
        address = ip_address(network)
    except ValueError:
        return False
    return any(address in ip_network(one, strict=False) for one in networks)


# --- identities at providers -------------------------------------------------------------------------------------

#: A trip to a provider and back.
VISIT_LASTS: Final = timedelta(minutes=10)
#: After the return: time to prove an address by a code, asked for twice if need be.
PROVING_LASTS: Final = timedelta(minutes=30)


class JoinAct(StrEnum):
    """What becomes of somebody who comes back from a provider."""

    #: The identity has an account: sign in to it.
    SIGN_IN = "sign_in"
    #: Somebody who is signed in adds the identity to their account.
    ADD = "add"
    #: A trusted provider says the address is verified: sign in to its account, made if there is none.
    JOIN_BY_EMAIL = "join_by_email"
    #: Nobody vouches for an address: it is proved by a code, once.
    PROVE_EMAIL = "prove_email"
    #: Somebody who is signed in brings an identity that opens another account.
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFacts:
    """Who came back: ``owner_id`` is the account of the identity, ``adding_id`` the one that adds it; None for none."""

    owner_id: int | None
    adding_id: int | None
    email: str | None
    is_verified: bool
    is_trusted: bool


def join_decision(facts: JoinFacts) -> JoinAct:
    """Accounts join only by an e-mail code, or where a trusted provider says the address is verified (DESIGN 7)."""
    if facts.adding_id is not None:
        return JoinAct.ADD if facts.owner_id in (None, facts.adding_id) else JoinAct.TAKEN
    if facts.owner_id is not None:
        return JoinAct.SIGN_IN
    if facts.email and facts.is_verified and facts.is_trusted:
        return JoinAct.JOIN_BY_EMAIL
    return JoinAct.PROVE_EMAIL


# --- tokens for programs -----------------------------------------------------------------------------------------

TOKEN_DAYS_MAX: Final = 365
TOKENS_PER_ACCOUNT: Final = 20


# --- devices -----------------------------------------------------------------------------------------------------

#: What a browser calls itself, the more particular first: every Edge says Chrome, every Chrome says Safari.
_BROWSERS: Final = (
    ("MicroMessenger", "WeChat 微信"),
    ("DingTalk", "DingTalk 钉钉"),
    ("Lark", "Feishu 飞书"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str) -> str:
    """What a person calls a browser, "WeChat 微信 · iPhone"; only ever shown, nothing is decided by it."""
    found = [
        next((name for mark, name in names if mark in user_agent), "") for names in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(name for name in found if name) or user_agent[:60]


# --- letters -----------------------------------------------------------------------------------------------------

#: After the first, second, ... failure; after the last the letter has failed and waits for a person.
LETTER_BACK_OFF: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
)
#: A mail server that can't be reached says nothing about a letter: nothing is counted, all wait this long.
UNREACHABLE_PAUSE: Final = timedelta(minutes=1)
#: An urgent letter carries a sign-in code and is worth nothing once that has expired.
URGENT_LASTS: Final = CODE_LASTS
THROTTLE_WINDOW: Final = timedelta(hours=1)

LETTER_ACTS: Final[Mapping[LetterAct, tuple[frozenset[LetterState], LetterState]]] = {
    LetterAct.SEND: (frozenset({LetterState.DRAFT}), LetterState.WAITING),
    LetterAct.RETRY: (
        frozenset({LetterState.FAILED, LetterState.HELD, LetterState.DISCARDED}),
        LetterState.WAITING,
    ),
    LetterAct.HOLD: (frozenset({LetterState.WAITING}), LetterState.HELD),
    LetterAct.DISCARD: (
        frozenset({LetterState.DRAFT, LetterState.WAITING, LetterState.HELD, LetterState.FAILED}),
        LetterState.DISCARDED,
    ),
}
#: A letter that has not left: its words may still be changed, and it may still be taken back.
UNSENT: Final = frozenset({LetterState.DRAFT, LetterState.WAITING, LetterState.HELD, LetterState.FAILED})


@dataclass(frozen=True, slots=True)
class MailLimits:
    """How many letters leave within an hour: in all, and to one recipient domain."""

    per_hour: int
    per_domain_hour: int


def may_send(sent_last_hour: int, sent_to_domain_last_hour: int, limits: MailLimits) -> bool:
    """Whether one more letter may leave now; sign-in codes are counted but never asked about."""
    return sent_last_hour < limits.per_hour and sent_to_domain_last_hour < limits.per_domain_hour


def retry_after(tries: int, schedule: tuple[timedelta, ...]) -> timedelta | None:
    """How long to wait after ``tries`` attempts, all failed; None when that was the last."""
    return schedule[tries - 1] if 1 <= tries <= len(schedule) else None


def domain_of(email: str) -> str:
    """The recipient's domain, for throttling; empty for what has none."""
    _, at, domain = email.rpartition("@")
    return domain.lower() if at else ""


def can_be_addressed(email: str) -> bool:
    """Whether an address can stand in a header: one @, no space, no control character, not too long."""
    local, at, domain = email.rpartition("@")
    return bool(
        at
        and local
        and domain
        and len(email) <= 254
        and not any(
            char.isspace() or unicodedata.category(char).startswith("C") or char in "<>,;" for char in email
        )
    )


def one_line(text: str, limit: int) -> str:
    """Text for a header: no line break or other control character survives, and it ends at ``limit`` characters."""
    clean = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in text)
    return " ".join(clean.split())[:limit]


# --- jobs --------------------------------------------------------------------------------------------------------

JOB_LEASE: Final = timedelta(seconds=60)
JOB_BACK_OFF: Final = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))


# --- uploads -----------------------------------------------------------------------------------------------------

#: What Windows, macOS and a mail client may each choke on in a file's name.
_RESERVED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u2028\u2029]')
#: Invisible signs that turn the reading direction around, so that "gpj.exe" reads "exe.jpg".
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def safe_filename(name: str, limit: int = 120) -> str:
    """A name to show and to save under: the last part of a path, no control or reserved character, its ending kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    clean = " ".join(_RESERVED.sub(" ", _TURNING.sub("", last)).split()).strip(". ")
    if not clean:
        return "file"
    if len(clean) <= limit:
        return clean
    stem, dot, ending = clean.rpartition(".")
    if not dot or len(ending) > 10:
        return clean[:limit]
    return f"{stem[: limit - len(ending) - 1]}.{ending}"
