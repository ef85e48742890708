"""The words of letters to speakers: the house's for every occasion, and an event's own in place of them, by language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agenda.letter_rules import TEMPLATES, Occasion, problems
from agenda.models import LetterTemplate
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Invalid
from kernel.text import LOCALES, N_, LocalizedText
from people import journal
from web.i18n import gettext_in

#: Subject and text of each occasion, in the source language.
_HOUSE: Final[Mapping[Occasion, tuple[str, str]]] = {
    Occasion.RECEIVED: (
        N_("We have your proposal: {title}"),
        N_(
            """Hello {name},

thank you. “{title}” has been handed in for {event}.

Kind: {type}
Forum: {forum}

You will hear from us until {deadline}.

You can look at it, change it, or ask somebody to speak along here:
{link}
"""
        ),
    ),
    Occasion.JOIN: (
        N_("You are asked to speak along: {title}"),
        N_(
            """Hello,

{who} names you as a speaker of “{title}”, a proposal for {event}.

Open this link, sign in with {email}, and say whether you join:
{link}

The invitation is for this address alone. If it means nothing to you, do nothing.

It ends on {deadline}.
"""
        ),
    ),
    Occasion.ACCEPTED: (
        N_("Accepted: {title}"),
        N_(
            """Hello {name},

good news: “{title}” was accepted for {event}.

When: {when}
Where: {place}
Forum: {forum}

Please confirm on your own page that you will speak, or tell us there that you can't:
{link}

Please answer until {deadline}.
"""
        ),
    ),
    Occasion.WAITLISTED: (
        N_("In reserve: {title}"),
        N_(
            """Hello {name},

thank you for “{title}”. There were more good proposals for {event} than we have time for, and we keep yours in reserve. If a place becomes free, we will write to you.

If you no longer want to wait, please withdraw it here:
{link}
"""
        ),
    ),
    Occasion.REJECTED: (
        N_("About your proposal: {title}"),
        N_(
            """Hello {name},

thank you for handing in “{title}” for {event}. There were more proposals than we have time for, and this time we could not include yours.

We hope to see you at {event} all the same, and to read from you again.
"""
        ),
    ),
    Occasion.INVITED: (
        N_("Would you speak at {event}?"),
        N_(
            """Hello {name},

we would like to invite you to speak at {event}: “{title}”.

Invited by: {who}
When: {when}
Where: {place}
Forum: {forum}

Please tell us on your own page whether you will. You need no account for it; the link is yours alone:
{link}

Please answer until {deadline}.
"""
        ),
    ),
    Occasion.FOLLOW_UP: (
        N_("Have you had time to think about {event}?"),
        N_(
            """Hello {name},

some days ago we invited you to speak at {event}: “{title}”. We would be glad to hear from you, even if the answer is no.

Invited by: {who}
When: {when}
Where: {place}
Forum: {forum}

Please answer on your own page:
{link}

Please answer until {deadline}.
"""
        ),
    ),
    Occasion.CONFIRMED: (
        N_("Thank you for confirming: {title}"),
        N_(
            """Hello {name},

thank you. “{title}” is confirmed for {event}.

When: {when}
Where: {place}
Forum: {forum}
Your host: {host}

Please keep your own page complete: picture, biography, slides, travel.
{link}

Your slides are due on {deadline}.
"""
        ),
    ),
    Occasion.WITHDRAWN: (
        N_("Withdrawn: {title}"),
        N_(
            """Hello {name},

“{title}” was withdrawn, as you wished; it will not be part of {event}. Thank you for having offered it.
"""
        ),
    ),
    Occasion.CANCELLED: (
        N_("Taken out of the programme: {title}"),
        N_(
            """Hello {name},

we are sorry: we had to take “{title}” out of {event}.

Why: {reason}

If you have questions, please write to us.
"""
        ),
    ),
    Occasion.NUDGE: (
        N_("Something is still missing for {event}"),
        N_(
            """Hello {name},

we look forward to you at {event}. This is still missing:

{missing}

You can add it on your own page:
{link}

We need it until {deadline}.
Your host: {host}
"""
        ),
    ),
    Occasion.DRAFT_REMINDER: (
        N_("Your draft for {event} is not handed in yet"),
        N_(
            """Hello {name},

you began a proposal for {event} and have not handed it in. Nobody reads a draft but you.

Go on where you were:
{link}

The call closes on {deadline}.
"""
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Words:
    """Subject and text by language; every language in ``subject`` stands in ``text``, too."""

    subject: LocalizedText
    text: LocalizedText

    def over(self, below: Words) -> Words:
        """These words, and ``below``'s in the languages that these don't have."""
        own = [tag for tag, words in self.text.items() if words and self.subject.get(tag)]
        return Words(
            LocalizedText({**below.subject, **{tag: self.subject[tag] for tag in own}}),
            LocalizedText({**below.text, **{tag: self.text[tag] for tag in own}}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFacts:
    """An occasion's words in an event: as they are sent, and which of them are the event's own."""

    occasion: Occasion
    words: Words
    own: Words | None
    updated_at: datetime | None


def house(occasion: Occasion) -> Words:
    """The house's own words, in every language of the interface; a message by hand has none."""
    pair = _HOUSE.get(occasion)
    if pair is None:
        return Words(LocalizedText(), LocalizedText())
    subject, text = ({locale: gettext_in(locale, one) for locale in LOCALES} for one in pair)
    return Words(LocalizedText(subject), LocalizedText(text))


def _facts(occasion: Occasion, row: LetterTemplate | None) -> TemplateFacts:
    own = Words(LocalizedText.of(row.subject), LocalizedText.of(row.text)) if row else None
    base = house(occasion)
    return TemplateFacts(
        occasion=occasion,
        words=own.over(base) if own else base,
        own=own,
        updated_at=row.updated_at if row else None,
    )


async def of_event(event_id: int) -> Sequence[TemplateFacts]:
    """Every occasion's words, in their order; one statement."""
    rows = {row.code: row for row in await LetterTemplate.filter(event_id=event_id)}
    return [_facts(occasion, rows.get(occasion)) for occasion in TEMPLATES]


async def find(event_id: int, occasion: Occasion) -> TemplateFacts:
    """One occasion's words; one statement."""
    return _facts(occasion, await LetterTemplate.get_or_none(event_id=event_id, code=occasion))


async def change(
    *,
    actor: Actor,
    event_id: int,
    occasion: Occasion,
    subject: LocalizedText,
    text: LocalizedText,
    at: datetime,
) -> None:
    """Puts an event's own words in place of the house's; none at all takes them away again.

    Letters that are drafted already keep their words. Raises Invalid at ``subject.<language>`` or ``text.<language>``.
    """
    if found := problems(occasion, subject, text):
        raise Invalid(found)
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.letter_template:{event_id}")
        if not any(subject.values()):
            gone = await LetterTemplate.filter(event_id=event_id, code=occasion).delete()
            if not gone:
                return
        else:
            values: dict[str, Any] = {"subject": subject, "text": text, "updated_at": at}
            if not await LetterTemplate.filter(event_id=event_id, code=occasion).update(**values):
                await LetterTemplate.create(event_id=event_id, code=occasion, **values)
        await journal.write(
            actor=actor,
            verb="letter_template.change",
            object_kind="event",
            object_id=event_id,
            event_id=event_id,
            new={"occasion": occasion, "is_own": any(subject.values())},
            at=at,
        )
