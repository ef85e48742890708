"""What letters to speakers are about, and what may stand in their words. Pure: values in, values out.

A placeholder stands in braces. A line whose placeholder has nothing to say is left out, so that no letter reads
"until ." because a date is not set; ``{link}`` stays as it is, and becomes the reader's own link when the letter leaves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agenda.proposal_rules import ProposalState, Verb
from kernel.errors import Code, Problem
from kernel.text import LOCALES, LocalizedText

SUBJECT_MAX: Final = 200
TEXT_MAX: Final = 10_000


class Occasion(StrEnum):
    """Why a speaker is written to; a template's code."""

    RECEIVED = "received"
    JOIN = "join"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    REJECTED = "rejected"
    INVITED = "invited"
    FOLLOW_UP = "follow_up"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    NUDGE = "nudge"
    DRAFT_REMINDER = "draft_reminder"
    #: Written by hand, each time anew.
    MESSAGE = "message"


class Placeholder(StrEnum):
    """What stands in braces and is filled in for each reader."""

    NAME = "name"
    EVENT = "event"
    TITLE = "title"
    LINK = "link"
    TYPE = "type"
    FORUM = "forum"
    STATE = "state"
    DEADLINE = "deadline"
    MISSING = "missing"
    HOST = "host"
    WHEN = "when"
    PLACE = "place"
    WHO = "who"
    EMAIL = "email"
    REASON = "reason"


class Missing(StrEnum):
    """What a message may go to everybody about who has not given it."""

    PICTURE = "picture"
    BIO = "bio"
    CONSENTS = "consents"
    SLIDES = "slides"


class LetterCode(StrEnum):
    """Refusals and problems of this part."""

    PLACEHOLDER_UNKNOWN = "letter_placeholder_unknown"
    PLACEHOLDER_NEEDED = "letter_placeholder_needed"
    #: Nobody whom the conditions name can be written to.
    NOBODY = "letter_to_nobody"
    NOTHING_PENDING = "release_nothing_pending"
    #: Decisions were changed after they were looked at.
    CHANGED_MEANWHILE = "release_changed_meanwhile"


def _of(words: str) -> frozenset[Placeholder]:
    return frozenset(Placeholder(word) for word in f"name event {words}".split())


#: What each occasion knows; anything else in braces would reach the reader as it stands.
KNOWN: Final[Mapping[Occasion, frozenset[Placeholder]]] = MappingProxyType(
    {
        Occasion.RECEIVED: _of("title link type forum deadline"),
        Occasion.JOIN: frozenset(
            {
                Placeholder.WHO,
                Placeholder.TITLE,
                Placeholder.EVENT,
                Placeholder.EMAIL,
                Placeholder.DEADLINE,
                Placeholder.LINK,
            }
        ),
        Occasion.ACCEPTED: _of("title link type forum deadline when place"),
        Occasion.WAITLISTED: _of("title link type forum"),
        Occasion.REJECTED: _of("title link type forum"),
        Occasion.INVITED: _of("title link type forum deadline when place who"),
        Occasion.FOLLOW_UP: _of("title link type forum deadline when place who"),
        Occasion.CONFIRMED: _of("title link type forum deadline when place host"),
        Occasion.WITHDRAWN: _of("title link"),
        Occasion.CANCELLED: _of("title link reason"),
        Occasion.NUDGE: _of("title link missing deadline host"),
        # No title: a draft is seen by its writers alone, and organisers read what waits in the outbox.
        Occasion.DRAFT_REMINDER: _of("link deadline"),
        Occasion.MESSAGE: _of("title link type forum state when place host"),
    }
)
#: Without these the reader could do nothing about it.
NEEDED: Final[Mapping[Occasion, Placeholder]] = MappingProxyType(
    {
        Occasion.JOIN: Placeholder.LINK,
        Occasion.INVITED: Placeholder.LINK,
        Occasion.FOLLOW_UP: Placeholder.LINK,
        Occasion.NUDGE: Placeholder.MISSING,
    }
)
#: Occasions that have words of the house and of the event.
TEMPLATES: Final = tuple(one for one in Occasion if one is not Occasion.MESSAGE)
#: What a move is told as; an invitation is told by whoever invites, with what they add.
OF_MOVE: Final[Mapping[Verb, Occasion]] = MappingProxyType(
    {
        Verb.SUBMIT: Occasion.RECEIVED,
        Verb.ACCEPT: Occasion.ACCEPTED,
        Verb.WAITLIST: Occasion.WAITLISTED,
        Verb.REJECT: Occasion.REJECTED,
        Verb.CONFIRM: Occasion.CONFIRMED,
        Verb.WITHDRAW: Occasion.WITHDRAWN,
        Verb.CANCEL: Occasion.CANCELLED,
    }
)
OF_DECISION: Final[Mapping[ProposalState, Occasion]] = MappingProxyType(
    {
        ProposalState.ACCEPTED: Occasion.ACCEPTED,
        ProposalState.WAITLISTED: Occasion.WAITLISTED,
        ProposalState.REJECTED: Occasion.REJECTED,
    }
)
#: What says in which state a proposal is: no longer true when it has moved on.
ABOUT_A_STATE: Final = frozenset(Occasion) - {Occasion.RECEIVED, Occasion.JOIN, Occasion.MESSAGE}
_RECEIPTS: Final = frozenset({Occasion.RECEIVED, Occasion.CONFIRMED, Occasion.WITHDRAWN})


def leaves_at_once(occasion: Occasion, *, own_doing: bool) -> bool:
    """Whether a letter about a move waits for nobody: a receipt for what the speakers did themselves."""
    return own_doing and occasion in _RECEIPTS


_BRACES: Final = re.compile(r"\{([^{}\n]{0,40})\}")


def placeholders(text: str) -> list[str]:
    """The names in braces, in their order."""
    return [found.strip() for found in _BRACES.findall(text)]


def unknown(text: str, occasion: Occasion, *, in_subject: bool = False) -> list[str]:
    """What stands in braces and says nothing on this occasion; a subject holds no link."""
    known = {str(one) for one in KNOWN[occasion]} - ({str(Placeholder.LINK)} if in_subject else set())
    return [name for name in placeholders(text) if name not in known]


def problems(
    occasion: Occasion,
    subject: LocalizedText,
    text: LocalizedText,
    *,
    tags: Collection[str] = LOCALES,
    optional: bool = True,
) -> dict[str, Problem]:
    """What is wrong with somebody's words, by field and language (``text.en``).

    A language without any words takes the house's where ``optional``; where not, one language at least has both.
    """
    found: dict[str, Problem] = {}
    for tag in sorted({*subject, *text} | set(tags)):
        pair = {"subject": (subject.get(tag, ""), SUBJECT_MAX), "text": (text.get(tag, ""), TEXT_MAX)}
        if not any(words.strip() for words, _ in pair.values()):
            continue
        for name, (words, limit) in pair.items():
            if not words.strip():
                found[f"{name}.{tag}"] = Problem(Code.REQUIRED)
            elif len(words) > limit:
                found[f"{name}.{tag}"] = Problem(Code.TOO_LONG, {"limit": limit})
            elif wrong := unknown(words, occasion, in_subject=name == "subject"):
                found[f"{name}.{tag}"] = Problem(LetterCode.PLACEHOLDER_UNKNOWN, {"name": wrong[0]})
        needed = NEEDED.get(occasion)
        if needed is not None and f"text.{tag}" not in found and needed not in placeholders(pair["text"][0]):
            found[f"text.{tag}"] = Problem(LetterCode.PLACEHOLDER_NEEDED, {"name": str(needed)})
    if not optional and not found and not any(words.strip() for words in subject.values()):
        first = next(iter(tags))
        found = {f"subject.{first}": Problem(Code.REQUIRED), f"text.{first}": Problem(Code.REQUIRED)}
    return found


def filled(text: str, values: Mapping[Placeholder, str]) -> str:
    """The text with every placeholder's value; a line with one that has nothing to say is left out.

    ``{link}`` and what is no placeholder stay as they are; a value's own braces do, too.
    """
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        named = [Placeholder(name) for name in placeholders(line) if name in set(Placeholder)]
        if any(name is not Placeholder.LINK and not values.get(name, "").strip() for name in named):
            continue
        lines.append(_BRACES.sub(lambda found: _value(found, values), line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def filled_line(text: str, values: Mapping[Placeholder, str]) -> str:
    """As ``filled`` for a subject: one line, whatever a value holds."""
    return " ".join(_BRACES.sub(lambda found: _value(found, values), text).split())


def _value(found: re.Match[str], values: Mapping[Placeholder, str]) -> str:
    name = found[1].strip()
    if name not in set(Placeholder):
        return found[0]
    return "{link}" if name == Placeholder.LINK else values.get(Placeholder(name), "").strip()


def language_for(wanted: str, offered: Collection[str]) -> str:
    """In which of the languages at hand somebody is written to: theirs, one like it, else English, else the first."""
    if wanted in offered:
        return wanted
    primary = wanted.partition("-")[0]
    for tag in offered:
        if tag.partition("-")[0] == primary:
            return tag
    return "en" if "en" in offered else next(iter(offered))
