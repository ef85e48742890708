"""The copy of an event's passports that a scanner carries into a dead network: what a line says, and how it is shut.

Every code of a passport has a line of its own. Its lookup id and its key come from the code itself (HKDF-SHA256 of the
code with the event's salt, under two labels), so a phone opens the lines of those who stand before it and no others:
whoever steals it learns nothing of anybody whose code they do not hold (docs/decisions has why short codes say less).
Pure; randomness comes in as a parameter.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from checkin.rules import CodeKind, PassportStatus

LOOKUP_LABEL: Final = b"huiwu lookup v1"
LINE_LABEL: Final = b"huiwu line v1"
GROUP_LABEL: Final = b"huiwu group v1"
SALT_BYTES: Final = 32
NONCE_BYTES: Final = 12
#: 128 bits name a line; as text they are 22 characters, and with the mark before them a code that scans are made with.
LOOKUP_BYTES: Final = 16
KEY_BYTES: Final = 32
MARK: Final = "~"


class Secrets(NamedTuple):
    """What a code stands for in a snapshot: where its line lies, and what opens it."""

    lookup: str
    key: bytes

    @property
    def code(self) -> str:
        """The lookup id as a scan's code: it says who, and cannot be turned back into what was scanned."""
        return MARK + self.lookup


def secrets_of(code: str, salt: bytes) -> Secrets:
    """Of a code as it is stored: a token in lower case, a short code in upper, another shop's as it is."""
    return _expanded(hmac.digest(salt, code.encode(), "sha256"))


def group_secrets(key: bytes, salt: bytes, group_id: int) -> Secrets:
    """Of a group's list, which no code names: members' own lines tell where it lies. ``key`` is the installation's."""
    return _expanded(hmac.digest(salt, GROUP_LABEL + b"\x00%d\x00" % group_id + key, "sha256"))


def _expanded(extracted: bytes) -> Secrets:
    """HKDF's second half (RFC 5869), one block each."""
    lookup = hmac.digest(extracted, LOOKUP_LABEL + b"\x01", "sha256")[:LOOKUP_BYTES]
    return Secrets(_text(lookup), hmac.digest(extracted, LINE_LABEL + b"\x01", "sha256")[:KEY_BYTES])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(secrets: Secrets, plain: bytes, *, nonce: bytes) -> str:
    """Nonce and ciphertext as text. The lookup id is authenticated too: no line can pass for another's."""
    return _text(nonce + AESGCM(secrets.key).encrypt(nonce, plain, secrets.lookup.encode()))


def unseal(secrets: Secrets, sealed: str) -> bytes:
    """What ``seal`` shut. Raises cryptography's InvalidTag for another key or line."""
    raw = _bytes(sealed)
    return AESGCM(secrets.key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], secrets.lookup.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A passport as its line tells of it."""

    passport_id: int
    ticket_type_id: int
    status: PassportStatus
    name: str
    line: str
    #: A word to staff, as the passport carries it: JSON, or nothing.
    notice: str | None = None
    #: Number and box, whichever was given.
    badge: tuple[int | None, str] | None = None
    group_id: int | None = None


#: Codes that nobody can guess. Short ones have 35 bits, tried in minutes; another shop's may be counted up from one.
UNGUESSABLE: Final = frozenset({CodeKind.TOKEN})


def line_of(holder: Holder, *, kind: str, is_live: bool, group: Secrets | None) -> bytes:
    """What one code's line says of its holder. A line under a key that can be guessed says nothing of the person.

    A replaced code's tells only that it is one.
    """
    said: dict[str, Any] = {
        "passport": holder.passport_id,
        "type": holder.ticket_type_id,
        "status": str(holder.status),
    }
    if not is_live:
        return orjson.dumps(said | {"dead": True})
    if kind not in UNGUESSABLE:
        return orjson.dumps(said)
    said |= {"name": holder.name, "line": holder.line}
    said |= _told_staff(holder)
    if group:
        said["group"] = {"lookup": group.lookup, "key": _text(group.key)}
    return orjson.dumps(said)


def _told_staff(holder: Holder) -> dict[str, Any]:
    """The word to staff and where the badge lies, where there is such."""
    said: dict[str, Any] = {}
    if holder.notice:
        said["notice"] = orjson.Fragment(holder.notice)
    if holder.badge:
        said["badge"] = {"number": holder.badge[0], "box": holder.badge[1]}
    return said


class GroupMember(NamedTuple):
    lookup: str
    holder: Holder


def group_line(name: str, members: Sequence[GroupMember]) -> bytes:
    """The list that a leader's code opens: each as a lookup id, which is what admits them, a name, and what whoever
    hands out badges has to know."""
    return orjson.dumps(
        {
            "name": name,
            "members": [
                {
                    "lookup": lookup,
                    "passport": one.passport_id,
                    "type": one.ticket_type_id,
                    "status": str(one.status),
                    "name": one.name,
                    "line": one.line,
                    **_told_staff(one),
                }
                for lookup, one in members
            ],
        }
    )


def digest_of(key: bytes, lookup: str, plain: bytes) -> str:
    """Tells whether a line says something new, without opening it; keyed, so that it confirms no guess."""
    return hmac.digest(key, b"snapshot\x00" + lookup.encode() + b"\x00" + plain, "sha256").hex()


def page_digest(lines: Iterable[tuple[str, str]]) -> str:
    """What a page of lines has to come to where it arrives: SHA-256 of each lookup id and its sealed text."""
    seen = hashlib.sha256()
    for lookup, sealed in lines:
        seen.update(f"{lookup} {sealed}\n".encode())
    return seen.hexdigest()


@dataclass(frozen=True, slots=True)
class Stored:
    """A code's line as it is stored, and what leads to its passport by the lookup id."""

    lookup: str
    digest: str
    #: The passport that the lookup code leads to, and whether it is live; None where there is none.
    leads_to: tuple[int, bool] | None


class Code(NamedTuple):
    """A code that a passport has or had."""

    id: int
    code: str
    kind: str
    is_live: bool
    holder: Holder
    stored: Stored | None


class Line(NamedTuple):
    """A line to be written; one of a group has no code."""

    lookup: str
    code_id: int | None
    group_id: int | None
    digest: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a comparison found: lines that say something new, and codes whose lookup code must follow them."""

    lines: Sequence[Line]
    #: (id of the code, the lookup code)
    codes: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Keys:
    """The event's salt and the installation's key."""

    salt: bytes
    key: bytes


def compare_codes(codes: Iterable[Code], *, keys: Keys, nonces: Iterable[bytes]) -> Changes:
    """Compares what each code's line should say with what is stored; only what differs is sealed."""
    fresh = iter(nonces)
    lines: list[Line] = []
    leads: list[tuple[int, str]] = []
    for code in codes:
        secrets = None
        if code.stored is None:
            secrets = secrets_of(code.code, keys.salt)
            lookup = secrets.lookup
        else:
            lookup = code.stored.lookup
        holder = code.holder
        group = group_secrets(keys.key, keys.salt, holder.group_id) if holder.group_id is not None else None
        plain = line_of(holder, kind=code.kind, is_live=code.is_live, group=group)
        digest = digest_of(keys.key, lookup, plain)
        if code.stored is None or code.stored.digest != digest:
            secrets = secrets or secrets_of(code.code, keys.salt)
            lines.append(Line(lookup, code.id, None, digest, seal(secrets, plain, nonce=next(fresh))))
        if code.stored is None or code.stored.leads_to != (holder.passport_id, code.is_live):
            leads.append((code.id, MARK + lookup))
    return Changes(lines, leads)


def compare_groups(
    groups: Mapping[int, tuple[str, Sequence[tuple[str, Holder]]]],
    stored: Mapping[int, str],
    *,
    keys: Keys,
    nonces: Iterable[bytes],
) -> Sequence[Line]:
    """The lists of groups that say something new. ``groups``: by id the name, and each member's token and facts;
    ``stored``: digests by group."""
    fresh = iter(nonces)
    lines = []
    for group_id, (name, people) in groups.items():
        secrets = group_secrets(keys.key, keys.salt, group_id)
        members = [GroupMember(secrets_of(token, keys.salt).lookup, holder) for token, holder in people]
        plain = group_line(name, members)
        digest = digest_of(keys.key, secrets.lookup, plain)
        if stored.get(group_id) != digest:
            lines.append(
                Line(secrets.lookup, None, group_id, digest, seal(secrets, plain, nonce=next(fresh)))
            )
    return lines
