"""Codes that people and cameras read: short codes with a check character, keyed hashes, signed values."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

#: Crockford's base 32: no I, L, O, U, so nothing is mistaken for 1, 0 or V and no word forms by accident.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Check symbol over 32 values keeps the code inside one alphabet: weighted sum modulo 31 (prime), see short_check.
SHORT_LENGTH: Final = 8
_FOLD: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})


def new_token() -> str:
    """128 random bits as 32 lower-case hex characters (reference/opass.md 2.4 says why no other alphabet)."""
    return secrets.token_hex(16)


def public_token(token: str) -> str:
    """``sha1(token)`` in lower-case hex, as the OPass applications compute it; an identifier, not a secret's guard."""
    return hashlib.sha1(token.encode(), usedforsecurity=False).hexdigest()


def new_secret() -> str:
    """256 random bits, URL-safe: sign-ins, links."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """SHA-256 in hex, for values with enough entropy of their own (tokens), so that a stolen table opens nothing."""
    return hashlib.sha256(value.encode()).hexdigest()


def keyed_hash(key: bytes, purpose: str, value: str) -> str:
    """HMAC-SHA-256 in hex; ``purpose`` keeps two uses of one key apart."""
    return hmac.digest(key, f"{purpose}\x00{value}".encode(), "sha256").hex()


def link_secret(key: bytes, purpose: str, *of: object) -> str:
    """The 22 characters that make a link secret: 128 bits of an HMAC over its purpose and whatever it is about.

    Derived, never stored; purposes keep two uses of one key apart. Whatever is in ``of`` may not contain a NUL.
    Links in people's mails hold these for years: what comes out for given values never changes.
    """
    assert len(key) >= 32, "main hands the installation's key to whoever makes links"
    message = "\x00".join((purpose, *map(str, of))).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")[:16]).rstrip(b"=").decode()


def link_number(text: str) -> int | None:
    """The id in front of a link's key, ``<id>-…``, or None where none can be."""
    number, _, secret = text.partition("-")
    # The databases' integers end at 2^63; an id is ASCII digits and nothing else.
    return int(number) if secret and number.isascii() and number.isdigit() and len(number) <= 18 else None


def same_secret(right: str, given: str) -> bool:
    """Whether ``given`` is ``right``, in a time that does not tell how much of it is."""
    return hmac.compare_digest(right.encode(), given.encode("utf-8", "replace"))


def derived_short_code(key: bytes, purpose: str, value: str) -> str:
    """A short code (``new_short_code``) that is no draw of its own: whoever has key and value can tell it again."""
    drawn = hmac.digest(key, f"{purpose}\x00{value}".encode(), "sha256")
    body = "".join(ALPHABET[byte % len(ALPHABET)] for byte in drawn[: SHORT_LENGTH - 1])
    return body + short_check(body)


def short_check(body: str) -> str:
    """The check character of a short code's first seven.

    Positions weigh 1..7 and the sum is taken modulo 31, a prime above every weight, so that one wrong character
    and one swap of neighbours are caught, except where the two characters are 31 apart in the alphabet (0 and Z).
    """
    total = sum((index + 1) * ALPHABET.index(char) for index, char in enumerate(body))
    return ALPHABET[total % 31]


def new_short_code() -> str:
    """Eight characters: seven random (35 bits), one check. Unique per event by the database, not by luck."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(SHORT_LENGTH - 1))
    return body + short_check(body)


def read_short_code(typed: str) -> str | None:
    """What a person typed, folded (case, spaces, hyphens, I/L as 1, O as 0), or None when its check fails."""
    folded = "".join(char for char in typed.upper() if char not in " -\u2010\u2011\u3000_").translate(_FOLD)
    if len(folded) != SHORT_LENGTH or any(char not in ALPHABET for char in folded):
        return None
    return folded if short_check(folded[:-1]) == folded[-1] else None
