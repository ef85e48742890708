"""Identity documents: which kinds there are, how their numbers are written, and which can't be. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from events.rules import IdDocumentKind
from kernel.errors import Code, Problem


class IdentityCode(StrEnum):
    """What can be wrong with an identity document."""

    NUMBER_MALFORMED = "identity_number_malformed"
    NUMBER_CHECK = "identity_number_check"
    CONSENT_NEEDED = "identity_consent_needed"
    UNKNOWN = "identity_unknown"
    UNREADABLE = "identity_unreadable"


@dataclass(frozen=True, slots=True)
class IdDocumentGiven:
    """A document as its holder gave it, clean, with their consent."""

    kind: IdDocumentKind
    number: str

    def digest(self) -> str:
        """For telling two sendings of one form apart without writing the number anywhere."""
        return hashlib.sha256(f"{self.kind}\x00{self.number}".encode()).hexdigest()


#: GB 11643-1999: weights of the first 17 digits (2^(18-i) mod 11) and the check characters by remainder.
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"

#: Patterns as the documents are printed; sources: National Immigration Administration's descriptions of the permits
#: (H/M and 8 digits, once with 2 more; 8 digits for Taiwan; 15 characters for the permanent residence card of 2017).
_PATTERNS: Final[Mapping[IdDocumentKind, str]] = {
    IdDocumentKind.PASSPORT: r"(?=.*\d)[A-Z0-9]{5,15}",
    IdDocumentKind.HK_MACAO_PERMIT: r"[HM]\d{8}(\d{2})?",
    IdDocumentKind.TAIWAN_PERMIT: r"\d{8}(\d{2})?",
    # Since 2023 the card's number is built as a resident's, beginning with 9.
    IdDocumentKind.FOREIGNER_ID: r"[A-Z]{3}\d{12}",
}


def clean_number(text: str) -> str:
    """A number as it is compared and kept: half width, upper case, without spaces, dots and hyphens."""
    return re.sub(r"[\s.\-·]", "", unicodedata.normalize("NFKC", text)).upper()


def resident_check(body: str) -> str:
    """The eighteenth character for the seventeen digits before it: ISO 7064 MOD 11-2."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def _is_resident(number: str) -> Problem | None:
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", number, re.ASCII):
        return Problem(IdentityCode.NUMBER_MALFORMED)
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return Problem(IdentityCode.NUMBER_CHECK)
    if not 1850 <= born.year <= 2100 or resident_check(number[:17]) != number[17]:
        return Problem(IdentityCode.NUMBER_CHECK)
    return None


def check_number(kind: IdDocumentKind, text: str) -> str | Problem:
    """The clean number, or what is wrong with it: its form, or its check character."""
    number = clean_number(text)
    if not number:
        return Problem(Code.REQUIRED)
    if kind is IdDocumentKind.RESIDENT_ID or (
        kind is IdDocumentKind.FOREIGNER_ID and number[:1] == "9" and len(number) == 18
    ):
        return _is_resident(number) or number
    if not re.fullmatch(_PATTERNS[kind], number, re.ASCII):
        return Problem(IdentityCode.NUMBER_MALFORMED)
    return number


def read_identity(kind: str, number: str, *, consented: bool) -> IdDocumentGiven | dict[str, Problem]:
    """A document out of a form's three fields (``id_kind``, ``id_number``, ``id_consent``), or what is wrong at each."""
    problems: dict[str, Problem] = {}
    chosen = next((one for one in IdDocumentKind if one == kind), None)
    clean: str | Problem = Problem(Code.REQUIRED)
    if chosen is None:
        problems["id_kind"] = Problem(Code.NOT_A_CHOICE)
    if number.strip():
        clean = check_number(chosen, number) if chosen else number
    if isinstance(clean, Problem):
        problems["id_number"] = clean
    if not consented:
        problems["id_consent"] = Problem(IdentityCode.CONSENT_NEEDED)
    if problems or chosen is None or isinstance(clean, Problem):
        return problems
    return IdDocumentGiven(chosen, clean)


def masked(number: str) -> str:
    """A number to recognise and not to copy: ``5****************X``."""
    return number[:1] + "*" * max(len(number) - 2, 0) + number[-1:] if len(number) > 2 else "*" * len(number)
