"""What the pages of a call share: the way to it, its words, and how a proposal reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, joining, proposals, standing
from agenda.cfp_queries import ProposalFacts
from agenda.proposal_rules import (
    CONSENTS,
    CallWindow,
    Condition,
    Level,
    ProposalCode,
    ProposalState,
    Who,
    days_left,
    fallback,
    window,
)
from agenda.proposals import World
from agenda.words import LEVEL_WORDS, PURPOSE_WORDS, STATE_WORDS
from events.access import Door
from events.desk import shared
from events.rules import Permission
from events.ticket_rules import fold_code
from kernel.actor import ActorKind
from kernel.errors import Code, Forbidden, NotFound, Problem, Refusal
from kernel.text import N_, LocalizedText
from people import limits, pictures, uploads
from people import queries as people
from people.rules import Limit
from web import i18n, render

CALL: Final = "agenda.cfp"


OWN: Final = "agenda.cfp.own"


ONE: Final = "agenda.cfp.proposal"


EDIT: Final = "agenda.cfp.edit"


JOIN: Final = "agenda.cfp.join"


#: Wrong access codes from one network in an hour; a class of thirty who mistype is below it.
GUESSES: Final = Limit("cfp_code", 60, timedelta(hours=1), is_network=True)


#: How a state is shown.
STATE_KINDS: Final[Mapping[ProposalState, str]] = {
    ProposalState.DRAFT: "plain",
    ProposalState.INVITED: "note",
    ProposalState.DECLINED: "stop",
    ProposalState.SUBMITTED: "note",
    ProposalState.ACCEPTED: "go",
    ProposalState.WAITLISTED: "care",
    ProposalState.CONFIRMED: "go",
    ProposalState.REJECTED: "plain",
    ProposalState.WITHDRAWN: "plain",
    ProposalState.CANCELLED: "stop",
}


LANGUAGE_NAMES: Final[Mapping[str, str]] = {
    "zh-Hans": N_("Chinese"),
    "zh-Hant": N_("Chinese (traditional)"),
    "en": N_("English"),
    "ja": N_("Japanese"),
    "ko": N_("Korean"),
}


LANG_BOXES: Final = (("zh-Hans", "中文"), ("en", "English"))


def state_words(state: ProposalState) -> str:
    return i18n.gettext(STATE_WORDS[state])


def language_words(tag: str) -> str:
    return i18n.gettext(LANGUAGE_NAMES[tag]) if tag in LANGUAGE_NAMES else tag


def lang_boxes() -> Sequence[tuple[str, str]]:
    """The boxes of a text in two languages, the reader's own first: that one is wanted, the other may stay empty."""
    locale = i18n.current_locale()
    return sorted(LANG_BOXES, key=lambda box: box[0] != locale)


def left_words(call: cfp_queries.CallFacts, at: datetime, zone: str) -> str:
    if call.closes_at is None:
        return i18n.gettext("Open")
    days = days_left(call.closes_at, at, zone)
    if days == 0:
        return i18n.gettext("Closes today")
    return i18n.ngettext("%(num)s day left", "%(num)s days left", days) % {"num": days}


def latest_closing(at_hand: World) -> datetime | None:
    """The last moment at which some type is still taken; None without any end."""
    closings = [at_hand.call.closes_at]
    closings += [one.closes_at for one in at_hand.types if one.is_active and one.closes_at is not None]
    return None if None in closings else max(one for one in closings if one is not None)


def call_window(at_hand: World, at: datetime) -> CallWindow:
    """Open while any type is."""
    return window(at_hand.call.dates, at, own_closing=latest_closing(at_hand))


async def open_call(door: Door) -> World:
    """The event's call. One that is not published is there for those alone who set it up. Raises NotFound."""
    found = await proposals.world(door.event.id)
    if found is None or not (found.call.is_published or door.may(Permission.CHANGE_CALL)):
        raise NotFound()
    return found


def holds_of(
    at_hand: World, proposal: ProposalFacts, at: datetime, *, complete: bool
) -> frozenset[Condition]:
    """The conditions of the table that are true now for a proposal's speakers."""
    found = set()
    if proposals.call_open_for(at_hand, proposal, at):
        found.add(Condition.CALL_OPEN)
    if complete:
        found.add(Condition.COMPLETE)
    if at_hand.call.confirm_by is None or at < at_hand.call.confirm_by:
        found.add(Condition.IN_TIME)
    return frozenset(found)


#: Verbs of the history that organisers do among themselves: not for a proposal's own speakers to read.
INSIDE: Final = frozenset({"pend", "tag"})


async def asked_along(door: Door, at: datetime) -> Sequence[tuple[str, str]]:
    if not door.actor.email or door.actor.token_id:
        return ()
    waiting = await joining.waiting_for(event_id=door.event.id, email=door.actor.email, at=at)
    return [
        (
            title.in_(i18n.current_locale()),
            render.with_query(
                render.url(JOIN, slug=door.event.slug), key=joining.key_of(found.id, found.round)
            ),
        )
        for found, title in waiting
    ]


def new_href(door: Door) -> str:
    return render.url("agenda.cfp.new", slug=door.event.slug)


async def look_at_code(request: Request, door: Door, typed: str, at: datetime) -> Problem | None:
    """What is wrong with a typed code; whoever guesses is slowed down by network."""
    network = request.client.host if request.client else ""
    await limits.check(GUESSES, network, Code.TOO_MANY)
    found = await cfp_queries.find_code(door.event.id, code=fold_code(typed))
    if found is None:
        await limits.count(GUESSES, network)
        return Problem(ProposalCode.CODE_WRONG)
    return found.facts.problem(at)


def require_person(door: Door) -> None:
    """What is somebody's own belongs to an account; a program that may hand in acts for whom it belongs to.

    Raises Forbidden for a device.
    """
    if door.actor.kind is not ActorKind.ACCOUNT:
        raise Forbidden(Code.NOT_A_PERSON)


_DONE: Final[Mapping[str, str]] = {
    "saved": N_("Saved."),
    "submitted": N_("Handed in. You can change it until the call closes."),
    "withdrawn": N_("Withdrawn."),
    "confirmed": N_("Confirmed. See you there!"),
    "declined": N_("You have said no. Thank you for telling us."),
    "reopened": N_("Handed in again."),
    "discarded": N_("The draft is gone."),
    "retracted": N_("Taken back."),
    "asked_again": N_("The letter is on its way once more."),
    "removed": N_("Removed."),
    "joined": N_("You are a speaker of this proposal now. Say who you are, below."),
    "left": N_("You are no speaker of it any more."),
}


def done_words(request: Request) -> str:
    words = _DONE.get(request.query_params.get("done", ""))
    return i18n.gettext(words) if words else ""


async def own_proposal(request: Request, door: Door) -> tuple[ProposalFacts, frozenset[Who]]:
    """The proposal in the address, for somebody who has a part in it; for everybody else there is none."""
    proposal = await cfp_queries.find_proposal(door.event.id, request.path_params["code"])
    if proposal is None:
        raise NotFound(ProposalCode.UNKNOWN)
    who = await standing.of(door, proposal)
    if not who:
        raise NotFound(ProposalCode.UNKNOWN)
    return proposal, who


def number_in(request: Request, name: str) -> int:
    found = shared.whole_id(request.path_params[name])
    if found is None:
        raise NotFound()
    return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text for the reader; ``other`` names the language where it is not theirs."""

    title: str
    html: Markup | str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    about: str
    bio: Markup | None
    leave_href: str


def said_of(proposal: ProposalFacts, at_hand: World | None) -> Sequence[tuple[str, str]]:
    """The short facts of a proposal, for its speakers and for the desk."""
    locale = i18n.current_locale()
    kind = at_hand.type_of(proposal.session_type_id) if at_hand else None
    forum = at_hand.forum_of(proposal.forum_id) if at_hand else None
    minutes = proposal.minutes or (kind.minutes if kind else None)
    found = [
        (i18n.gettext("Kind of session"), kind.name.in_(locale) if kind else ""),
        (i18n.gettext("Forum"), forum.name.in_(locale) if forum else ""),
        (
            i18n.gettext("Length"),
            i18n.ngettext("%(num)d minute", "%(num)d minutes", minutes) % {"num": minutes} if minutes else "",
        ),
        (i18n.gettext("Language of the talk"), language_words(proposal.language)),
        (
            i18n.gettext("Level"),
            i18n.gettext(LEVEL_WORDS[Level(proposal.level)]) if proposal.level in tuple(Level) else "",
        ),
    ]
    return [(term, value) for term, value in found if value]


def texts_of(proposal: ProposalFacts, *, with_notes: bool) -> Sequence[Text]:
    """The words of a proposal for a reader; Markdown is made safe here, everything else is plain text."""
    locale = i18n.current_locale()
    found: list[Text] = []
    for title, text, is_markdown in (
        (i18n.gettext("Abstract"), proposal.abstract, False),
        (i18n.gettext("Description"), proposal.description, True),
    ):
        shown, is_other = fallback(text, locale)
        if shown:
            tag = next((tag for tag, part in text.items() if part == shown), "")
            found.append(
                Text(
                    title,
                    render.markdown(shown) if is_markdown else shown,
                    language_words(tag) if is_other else "",
                )
            )
    plain = [
        (i18n.gettext("For whom it is"), proposal.audience),
        (i18n.gettext("What people take home"), proposal.takeaways),
        (i18n.gettext("Talks given before"), proposal.previous_talks),
        (i18n.gettext("Equipment"), proposal.equipment),
    ]
    if with_notes:
        plain.append((i18n.gettext("Notes for the organisers"), proposal.notes))
    return found + [Text(title, text) for title, text in plain if text]


def person_line(one: cfp_queries.JoinedSpeaker, leave_href: str = "") -> Person:
    locale, speaker = i18n.current_locale(), one.speaker
    bio = speaker.bio.in_(locale)
    return Person(
        name=speaker.name.in_(locale) or i18n.gettext("Without a name yet"),
        about=shared.joined(speaker.organisation.in_(locale), speaker.title.in_(locale)),
        bio=render.markdown(bio) if bio else None,
        leave_href=leave_href,
    )


async def picture_response(place: cfp_queries.JoinedSpeaker | None) -> Response:
    """A speaker's picture, for somebody who may see it; kept by nobody. Raises NotFound for none."""
    if place is None or place.speaker.picture_upload_id is None:
        raise NotFound()
    data, _ = await uploads.read(place.speaker.picture_upload_id)
    kind = pictures.kind_of(data)
    if not kind:
        raise NotFound()
    return Response(data, media_type=kind, headers={"cache-control": "private, no-cache"})


_HISTORY: Final[Mapping[str, str]] = {
    "create": N_("Begun"),
    "edit": N_("Changed"),
    "submit": N_("Handed in"),
    "invite": N_("Invited"),
    "decline": N_("Declined"),
    "accept": N_("Accepted"),
    "waitlist": N_("Put in reserve"),
    "reject": N_("Not accepted"),
    "confirm": N_("Confirmed"),
    "withdraw": N_("Withdrawn"),
    "cancel": N_("Cancelled"),
    "reopen": N_("Opened again"),
    "pend": N_("Decision prepared"),
    "resource": N_("Files and links"),
    "invite_speaker": N_("Speaker invited"),
    "follow_up": N_("Asked again"),
    "join": N_("Speaker joined"),
    "join_declined": N_("Speaker declined"),
    "speakers": N_("Speakers"),
    "tag": N_("Tags"),
}


FIELD_WORDS: Final[Mapping[str, str]] = {
    "title": N_("Title"),
    "abstract": N_("Abstract"),
    "description": N_("Description"),
    "session_type_id": N_("Kind of session"),
    "forum_id": N_("Forum"),
    "minutes": N_("Length"),
    "language": N_("Language of the talk"),
    "level": N_("Level"),
    "audience": N_("For whom it is"),
    "takeaways": N_("What people take home"),
    "previous_talks": N_("Talks given before"),
    "equipment": N_("Equipment"),
    "notes": N_("Notes for the organisers"),
    "speakers": N_("Speakers"),
    "speaker.name": N_("Name"),
    "speaker.organisation": N_("Organisation"),
    "speaker.title": N_("Position"),
    "speaker.bio": N_("About the speaker"),
    "speaker.picture_upload_id": N_("Picture"),
    "speaker.availability": N_("When they are there"),
    "speaker.wants_travel_support": N_("Travel support"),
    "speaker.travel_note": N_("About the travel"),
    "allows_slides": N_("Slides may be published"),
    "allows_photo": N_("Photographs may be published"),
    "allows_video": N_("The video may be published"),
    "pending_state": N_("Decision"),
    "tags": N_("Tags"),
    **{str(purpose): words for purpose, words in PURPOSE_WORDS.items()},
}


def history_lines(
    changes: Sequence[cfp_queries.Change], names: Mapping[str, str], zone: str
) -> Sequence[tuple[str, str, str]]:
    """The history in words: when, who, what."""
    lines = []
    for one in changes:
        what = i18n.gettext(_HISTORY.get(one.verb, N_("Changed")))
        if one.field == "state" and one.new in tuple(ProposalState):
            what = f"{what}: {state_words(ProposalState(one.old))} → {state_words(ProposalState(one.new))}"
        elif one.field:
            old, new = _short(one.old), _short(one.new)
            what = f"{what}: {_field_words(one.field)}"
            if old or new:
                what += f" ({old or '–'} → {new or '–'})"
        if one.reason:
            what += f" – {one.reason}"
        lines.append((render.moment(one.at, zone), names.get(one.actor_key, i18n.gettext("Somebody")), what))
    return lines


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = LocalizedText.of(value).in_(i18n.current_locale())
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        value = i18n.gettext("Yes") if value else i18n.gettext("No")
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _field_words(name: str) -> str:
    if name.startswith("answer."):
        return name.removeprefix("answer.")
    words = FIELD_WORDS.get(name)
    return i18n.gettext(words) if words else name


def allowed(one: cfp_queries.JoinedSpeaker) -> Sequence[tuple[str, str]]:
    """What a speaker allows, in words: three answers."""
    words = {True: i18n.gettext("Yes"), False: i18n.gettext("No"), None: i18n.gettext("not said yet")}
    return [
        (i18n.gettext(FIELD_WORDS[name]), words[said])
        for name, said in zip(CONSENTS, one.allows, strict=True)
    ]


async def actor_names(keys: Sequence[str]) -> Mapping[str, str]:
    """Who acted, as organisers and speakers may read it: the account's name, else its address."""
    ids = {key: int(key.partition(":")[2]) for key in keys if key.startswith("account:")}
    known = await people.accounts(set(ids.values()))
    found = {key: known[number].name or known[number].email for key, number in ids.items() if number in known}
    # By a secret link: nobody is signed in then.
    linked = {key: int(key.partition(":")[2]) for key in keys if key.startswith("speaker:")}
    names = await cfp_queries.speaker_names(linked.values()) if linked else {}
    locale = i18n.current_locale()
    return found | {key: names[number].in_(locale) for key, number in linked.items() if names.get(number)}


def refusal_words(refusal: Refusal) -> str:
    """A refusal in words; a state in it by its name."""
    params = dict(refusal.params)
    if params.get("state") in tuple(ProposalState):
        params["state"] = state_words(ProposalState(params["state"]))
    return render.words_for(refusal.code, params)


def back_to(door: Door, proposal: ProposalFacts, done: str) -> Response:
    return render.see_other(
        render.with_query(render.url(ONE, slug=door.event.slug, code=proposal.code), done=done)
    )
