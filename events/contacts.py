"""How a person can be reached and named: phones, e-mail addresses and names as people and spreadsheets write them.

Pure: no table, no network, no clock. Each function gives back the clean value or a ``Problem`` with a ``ContactCode``,
never a half-clean value; a problem's params hold nothing personal. The public form, the organiser's desk and the
import all use these, so that one person typed three ways is found to be one person.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from kernel.errors import Problem

#: Longest name that a badge and the column ``registration.name`` hold.
NAME_LIMIT: Final = 120
#: RFC 5321 allows 254 characters of address; anything past this is not worth a parser's time.
CONTACT_LIMIT: Final = 320


class ContactCode(StrEnum):
    """What can be wrong with a name, a phone or an e-mail address."""

    PHONE_INVALID = "phone_invalid"
    PHONE_SCIENTIFIC = "phone_scientific"
    EMAIL_INVALID = "email_invalid"
    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"


@dataclass(frozen=True, slots=True)
class Phone:
    """A dialable number: E.164 (``+8613800138000``) and the four digits that a desk asks for."""

    e164: str
    last_four: str


@dataclass(frozen=True, slots=True)
class Email:
    """``address`` as its owner wrote it; ``key`` all lower case with an ASCII domain, for comparing and storing."""

    address: str
    key: str


# Unicode's invisible format characters, and the noncharacters that no XML file may hold. Visible members of category
# Cf (Arabic number signs and their like) and unassigned code points (tomorrow's emoji) are not in the list.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
# Letters without ink: a name of only these would look empty on the badge.
_BLANKS: Final = dict.fromkeys(map(ord, "\u115f\u1160\u2800\u3164\uffa0"), " ")
_JOINERS: Final = "\u200c\u200d"
_BLACK_FLAG: Final = "\U0001f3f4"
_VIRAMA: Final = 9


def clean_line(text: str) -> str:
    """One line of text as people mean it: NFC, visible characters only, single spaces inside, none outside.

    Control, zero-width and bidi override characters go (they hide what a name says); line breaks become spaces.
    Emoji stay whole: the zero-width joiner lives on between emoji, and both joiners where Arabic and Indic spelling
    needs them. Cleaning twice changes nothing.
    """
    text = unicodedata.normalize("NFC", text).translate(_BLANKS)
    if _INVISIBLE.search(text):
        text = _without_invisible(text)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _without_invisible(text: str) -> str:
    kept: list[str] = []
    for index, char in enumerate(text):
        if _INVISIBLE.match(char):
            before = kept[-1] if kept else ""
            after = text[index + 1 : index + 2]
            if not (_joins(char, before, after) or _spells_flag(char, before)):
                continue
        kept.append(char)
    return "".join(kept)


def _joins(char: str, before: str, after: str) -> bool:
    """RFC 5892 appendix A (joiners after a virama, between Arabic letters), and emoji sequences of UTS 51."""
    if char not in _JOINERS or not before or not after or _INVISIBLE.match(after):
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return not after.isspace()
    if unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL":
        return True
    return char == "\u200d" and (before == "\ufe0f" or _is_pictograph(before)) and _is_pictograph(after)


def _is_pictograph(char: str) -> bool:
    # By block too: Python's tables are older than the newest emoji.
    return "\U0001f000" <= char <= "\U0001faff" or unicodedata.category(char) in ("So", "Sm")


def _spells_flag(char: str, before: str) -> bool:
    """Tag letters after a black flag spell England, Scotland and Wales; anywhere else they hide text."""
    return "\U000e0020" <= char <= "\U000e007f" and (
        before == _BLACK_FLAG or "\U000e0020" <= before <= "\U000e007e"
    )


def clean_name(text: str) -> str | Problem:
    """A person's name (姓名), never split and never judged: any script, emoji, one letter, all are names.

    Refused: ``name_missing`` when nothing visible is left, ``name_too_long`` (``limit``, ``length``) past 120
    characters.
    """
    name = clean_line(text)
    if not any(unicodedata.category(char)[0] not in "MZC" or _is_pictograph(char) for char in name):
        return Problem(ContactCode.NAME_MISSING)
    if len(name) > NAME_LIMIT:
        return Problem(ContactCode.NAME_TOO_LONG, {"limit": NAME_LIMIT, "length": len(name)})
    return name


def match_key(text: str) -> str:
    """Two names with one key are taken for one: width, case and spaces are folded, nothing else."""
    return "".join(unicodedata.normalize("NFKC", clean_line(text)).casefold().split())


def _fold(text: str) -> str:
    """Full-width forms to ASCII, every dash to a hyphen, and none of the marks that spreadsheets put before text."""
    text = clean_line(unicodedata.normalize("NFKC", text))
    return re.sub("[\u2010-\u2015\u2212]", "-", text).lstrip("'`\u2018\u2019 ")


# Excel's way with long numbers in narrow cells; the digits are gone, so guessing would call a stranger.
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE]\+?\d{1,3}")
_FLOAT: Final = re.compile(r"(\+?\d+)\.0+")
# No letters and no slash: an extension or a second number would be lost in E.164, so it is refused instead.
_DIALLED: Final = re.compile(r"[+\d(][\d() .+-]*")


def normalise_phone(text: str, default_region: str = "CN") -> Phone | Problem:
    """A phone number of any country as E.164; one without ``+`` or ``00`` is read as dialled in ``default_region``.

    Accepted: +86, 0086, full-width digits, spaces, hyphens, brackets, no-break spaces, ``tel:``, a leading
    apostrophe, and ``13800138000.0`` as a spreadsheet's float. Whether a number exists is libphonenumber's word.
    Refused: ``phone_scientific`` for ``1.38E+10`` and its like; ``phone_invalid`` for everything else, empty text,
    two numbers in one cell and extensions included.
    """
    assert default_region in phonenumbers.SUPPORTED_REGIONS, default_region
    invalid = Problem(ContactCode.PHONE_INVALID)
    if len(text) > CONTACT_LIMIT:
        return invalid
    dialled = _fold(text)
    if _SCIENTIFIC.fullmatch(dialled):
        return Problem(ContactCode.PHONE_SCIENTIFIC)
    dialled = re.sub(r"(?i)^tel:\s*", "", dialled)
    if number := _FLOAT.fullmatch(dialled):
        dialled = number[1]
    if not _DIALLED.fullmatch(dialled):
        return invalid
    if dialled.startswith("00"):
        # No country's own numbers begin with 00, and 00 reaches abroad from more places than libphonenumber's
        # default region may be.
        dialled = f"+{dialled[2:]}"
    try:
        parsed = phonenumbers.parse(dialled, default_region)
    except phonenumbers.NumberParseException:
        return invalid
    if not phonenumbers.is_valid_number(parsed):
        return invalid
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164=e164, last_four=e164[-4:])


def normalise_email(text: str) -> Email | Problem:
    """One e-mail address, checked by its form alone (no DNS: a venue may have no network).

    Folded: full-width letters, ＠ and the full stops of Chinese keyboards, spaces around, ``mailto:``. Refused with
    ``email_invalid``: anything else that is no address, two addresses in one cell, domains that can't receive mail,
    and a local part beyond ASCII, which here is a name typed into the wrong column far more often than an address
    that our mail server could reach (RFC 6531).
    """
    invalid = Problem(ContactCode.EMAIL_INVALID)
    if len(text) > CONTACT_LIMIT:
        return invalid
    address = clean_line(unicodedata.normalize("NFKC", text))
    address = re.sub(r"(?i)^mailto:\s*", "", address)
    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return invalid
    domain = checked.ascii_domain or checked.domain
    return Email(address=checked.normalized, key=f"{checked.local_part}@{domain}".lower())
