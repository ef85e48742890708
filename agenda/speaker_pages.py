"""A speaker's own page: what is needed next and until when, the talks, who they are, slides, the visit.

Reached by the speaker's secret link without an account, by the sign-in of the account that is this speaker, and by
whoever enters talks on the speaker's behalf. A GET changes nothing; what a link opens is one button.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import uuid4

from markupsafe import Markup
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from agenda import (
    cfp_queries,
    proposals,
    resources,
    speaker_door,
    speaker_link,
    speaker_queries,
    speakers,
)
from agenda.cfp_shown import STATE_KINDS, refusal_words, state_words
from agenda.checklist_rules import Item, Mark
from agenda.line_up_rules import named_with, slides_ending
from agenda.proposal_rules import ProposalState, Purpose, Verb, may_edit
from agenda.resources import NewResource
from agenda.speaker_door import (
    ALIVE,
    ANSWER,
    FILE,
    LINK,
    OPEN,
    OWN,
    PAGE,
    PICTURE,
    PROFILE,
    REMOVAL,
    RENEWAL,
    SLIDES,
    TALK,
    VISIT,
    Own,
    back,
    open_own,
    private,
)
from agenda.speaker_queries import SpeakerTalk
from agenda.words import CHECK_WORDS, CONSENT_QUESTIONS, PURPOSE_WORDS
from events import access, questionnaire
from events.access import Door
from events.desk import shared
from events.desk.answers import file_response
from events.form_rules import FileAnswer, FormCode
from events.rules import Permission
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem, TooLarge
from kernel.text import N_, LocalizedText
from people import uploads
from people.rules import mask_email, safe_filename
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry

_DONE: Final[Mapping[str, str]] = {
    "saved": N_("Saved."),
    "confirmed": N_("Confirmed. See you there!"),
    "declined": N_("You have said no. Thank you for telling us."),
    "withdrawn": N_("Withdrawn."),
    "sent": N_("It is here. Thank you!"),
    "removed": N_("Removed."),
    "renewed": N_("The link is new; older ones open nothing any more."),
}
_ACTS: Final[Mapping[Verb, tuple[str, str, str]]] = {
    Verb.CONFIRM: (N_("Confirm: I will be there"), "primary", "confirmed"),
    Verb.DECLINE: (N_("I can't come"), "secondary", "declined"),
    Verb.WITHDRAW: (N_("Withdraw"), "quiet", "withdrawn"),
}
#: Where a line of the checklist leads.
_ANCHORS: Final[Mapping[Item, str]] = {
    Item.CONFIRM: "#talks",
    Item.PHOTO: "#about",
    Item.BIO: "#about",
    Item.CONSENT: "#talks",
    Item.QUESTIONS: "#about",
    Item.SLIDES: "#talks",
    Item.TRAVEL: "#visit",
}

# --- the link ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LinkPage(Context):
    """What a secret link opens: one button, because chats and mail programs open links, too."""

    template: ClassVar[str] = "agenda/speaker_link.html"
    key: str
    is_good: bool
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class ChoosePage(Context):
    """Several speakers in one browser, or none."""

    template: ClassVar[str] = "agenda/speaker_choose.html"
    lines: Sequence[tuple[str, str]]
    sign_in_href: str
    own_href: str


async def link(request: Request, door: Door) -> Response:
    """Behind a link: its button. Without a key: the speaker whom this browser has opened, a list, or the way in."""
    event, locale = door.event, i18n.current_locale()
    if "key" in request.query_params:
        key = request.query_params["key"]
        row = await speaker_link.find_by_key(event.id, key)
        stays = render.with_query(render.url(LINK, slug=event.slug), key=key) if row else ""
        page = LinkPage(
            event=access.header(door),
            key=key if row else "",
            is_good=row is not None,
            name=LocalizedText.of(row.name).in_(locale) if row else "",
            stays_at=stays,
        )
        return private(await render.page(request, page, 200 if row else 404))
    held = await speaker_door.held_by_link(request.cookies, event.id)
    if len(held) == 1:
        return private(render.see_other(render.url(PAGE, slug=event.slug, code=held[0].code)))
    choose = ChoosePage(
        event=access.header(door),
        lines=[
            (
                LocalizedText.of(one.name).in_(locale) or i18n.gettext("Without a name yet"),
                render.url(PAGE, slug=event.slug, code=one.code),
            )
            for one in held
        ],
        sign_in_href=render.with_query(render.url("people.sign_in"), next=render.url(OWN, slug=event.slug)),
        own_href=render.url(OWN, slug=event.slug) if door.actor.signed_in else "",
    )
    return private(await render.page(request, choose))


async def open_link(request: Request, door: Door) -> Response:
    """The button behind a secret link: this browser is the speaker's from now on."""
    key = forms.typed(await forms.form_data(request)).get("key", "")[:100]
    row = await speaker_link.find_by_key(door.event.id, key)
    if row is None:
        page = LinkPage(event=access.header(door), key="", is_good=False)
        return private(await render.page(request, page, 404))
    response = render.see_other(render.url(PAGE, slug=door.event.slug, code=row.code))
    signin.set_cookie(response, f"{speaker_link.COOKIE}{row.id}", key, lasts=speaker_link.LASTS)
    # One who is signed in with the speaker's own address need not come by the link again.
    await speakers.claim(speaker_id=row.id, actor=door.actor, at=datetime.now(UTC))
    return private(response)


# --- the page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Todo:
    words: str
    #: done, missing, late
    mark: str
    due: str
    href: str


@dataclass(frozen=True, slots=True)
class FileLine:
    title: str
    href: str
    purpose: str
    removal_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkShown:
    code: str
    title: str
    state: tuple[str, str]
    meta: str
    edit_href: str
    answer_href: str
    #: (verb, words, kind)
    acts: Sequence[tuple[str, str, str]]
    allows: Sequence[tuple[str, str]]
    files: Sequence[FileLine]
    slides_href: str
    is_alive: bool


@dataclass(frozen=True, kw_only=True)
class SpeakerPage(FormContext):
    template: ClassVar[str] = "agenda/speaker.html"
    code: str
    name: str
    about: str
    done: str
    trouble: str
    is_self: bool
    todo: Sequence[Todo]
    all_done: bool
    talks: Sequence[TalkShown]
    form_id: str
    picture_src: str
    bio: Markup | None
    about_facts: Sequence[tuple[str, str]]
    profile_href: str
    visit: Sequence[tuple[str, str]]
    visit_href: str
    host: Sequence[tuple[str, str]]
    #: For whoever acts on the speaker's behalf: the link to send on.
    link: str
    renewal_href: str
    back_href: str
    sign_in_href: str
    masked_email: str
    slides_due: str
    accepts: str


async def own_page(request: Request, door: Door) -> Response:
    """The account's own speaker of this event; for an account that is none, how to become one."""
    actor = door.actor
    rows = await speaker_queries.speakers_of_account(
        event_id=door.event.id, account_id=actor.id if not actor.token_id else 0, email=actor.email
    )
    if not rows:
        return render.see_other(render.url("agenda.cfp.own", slug=door.event.slug))
    own = await speaker_door.opened(door, rows[0], actor=actor, is_self=True)
    return await _shown(request, own)


async def page(request: Request, door: Door) -> Response:
    return await _shown(request, await open_own(request, door))


async def _shown(
    request: Request,
    own: Own,
    *,
    trouble: str = "",
    problems: Mapping[str, Problem] | None = None,
    values: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    event, locale, facts = own.door.event, i18n.current_locale(), own.row.facts
    bio = facts.bio.in_(locale)
    done = _DONE.get(request.query_params.get("done", ""), "")
    lines = [
        one
        for one in own.row.lines
        if one.mark is not Mark.NOT_ASKED and not (own.is_self and one.item is Item.HOST)
    ]
    todo = [
        Todo(
            words=i18n.gettext(CHECK_WORDS[one.item]),
            mark=str(one.mark),
            due=render.moment(one.due, event.time_zone) if one.due and one.is_owed else "",
            href=_ANCHORS.get(one.item, ""),
        )
        for one in lines
    ]
    files = await speaker_queries.files_of([one.proposal_id for one in own.talks])
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(event.id)}
    forums = {one.id: one.name.in_(locale) for one in await cfp_queries.forums(event.id)}
    call = own.world.call
    sees = speaker_door.may_see_contacts(own)
    shown = SpeakerPage(
        **access.frame(own.door, "agenda.invited" if not own.is_self else ""),
        values=values or {},
        problems=problems or {},
        code=facts.code,
        name=facts.name.in_(locale) or i18n.gettext("Without a name yet"),
        about=shared.joined(facts.organisation.in_(locale), facts.title.in_(locale)),
        done=i18n.gettext(done) if done and not trouble and not problems else "",
        trouble=trouble,
        is_self=own.is_self,
        todo=todo,
        all_done=bool(todo) and not any(one.is_owed for one in lines),
        talks=[_talk_shown(own, one, files.get(one.proposal_id, ()), types, forums) for one in own.talks],
        form_id=str(uuid4()),
        picture_src=render.url(PICTURE, slug=event.slug, code=facts.code, v=facts.picture_upload_id)
        if facts.picture_upload_id
        else "",
        bio=render.markdown(bio) if bio else None,
        about_facts=[
            (
                i18n.gettext("E-mail"),
                facts.email if own.is_self and facts.account_id else mask_email(facts.email),
            )
            if facts.email
            else (i18n.gettext("E-mail"), ""),
        ],
        profile_href=render.url(PROFILE, slug=event.slug, code=facts.code),
        visit=visit_lines(own.row.visit, facts, event.time_zone) if sees or own.may else [],
        visit_href=render.url(VISIT, slug=event.slug, code=facts.code),
        host=[
            (i18n.gettext("Name"), own.row.visit.host_name),
            (i18n.gettext("How to reach them"), own.row.visit.host_contact),
        ]
        if own.row.visit.host_name
        else [],
        link=speaker_link.link_of(event, facts) if not own.is_self else "",
        renewal_href=render.url(RENEWAL, slug=event.slug, code=facts.code) if not own.is_self else "",
        back_href=render.url("agenda.invited", slug=event.slug) if not own.is_self else "",
        sign_in_href=render.with_query(render.url("people.sign_in"), next=render.url(OWN, slug=event.slug))
        if own.is_self and not own.door.actor.signed_in and facts.email
        else "",
        masked_email=mask_email(facts.email) if facts.email else "",
        slides_due=render.moment(call.slides_due_at, event.time_zone) if call and call.slides_due_at else "",
        accepts=_SLIDES_ACCEPT,
    )
    return private(await render.page(request, shown, status))


def _talk_shown(
    own: Own,
    one: SpeakerTalk,
    files: Sequence[cfp_queries.ResourceFacts],
    types: Mapping[int, str],
    forums: Mapping[int, str],
) -> TalkShown:
    slug, code, locale = own.door.event.slug, own.row.facts.code, i18n.current_locale()

    def at_(name: str, **more: Any) -> str:
        return render.url(name, slug=slug, code=code, talk=one.code, **more)

    said = {True: i18n.gettext("Yes"), False: i18n.gettext("No"), None: i18n.gettext("not said yet")}
    alive = one.state in ALIVE
    can_edit = alive and may_edit(one.state, who=own.who(one), call_open=False)
    return TalkShown(
        code=one.code,
        title=one.title.in_(locale) or i18n.gettext("Without a title yet"),
        state=(STATE_KINDS[one.state], state_words(one.state)),
        meta=shared.joined(types.get(one.session_type_id or 0, ""), forums.get(one.forum_id or 0, "")),
        edit_href=at_(TALK) if can_edit else "",
        answer_href=at_(ANSWER),
        acts=[(str(verb), i18n.gettext(_ACTS[verb][0]), _ACTS[verb][1]) for verb in own.verbs(one) if alive],
        allows=[
            (i18n.gettext(words), said[answer])
            for words, answer in zip(CONSENT_QUESTIONS, one.allows, strict=True)
        ]
        if alive
        else [],
        files=[
            FileLine(
                file.title,
                file.url or at_(FILE, resource_id=file.id),
                i18n.gettext(PURPOSE_WORDS[file.purpose]),
                at_(REMOVAL, resource_id=file.id) if can_edit else "",
            )
            for file in files
        ],
        slides_href=at_(SLIDES) if can_edit else "",
        is_alive=alive,
    )


def visit_lines(
    visit: speaker_queries.VisitFacts, facts: cfp_queries.SpeakerFacts, zone: str
) -> Sequence[tuple[str, str]]:
    """A visit in words, for the speaker and for the desk; what was not said is left out."""
    said = {True: i18n.gettext("Yes"), False: i18n.gettext("No"), None: ""}

    def moment(at: datetime | None) -> str:
        return render.moment(at, zone) if at else ""

    found = [
        (i18n.gettext("Arrival"), shared.joined(moment(visit.arrives_at), visit.arrival_note)),
        (i18n.gettext("Departure"), moment(visit.leaves_at)),
        (i18n.gettext("Hotel room"), shared.joined(said[visit.wants_hotel], visit.hotel_note)),
        (i18n.gettext("Pick-up"), shared.joined(said[visit.wants_pick_up], visit.pick_up_note)),
        (
            i18n.gettext("Travel support"),
            shared.joined(said[facts.wants_travel_support], facts.travel_note),
        ),
    ]
    return [(term, words) for term, words in found if words]


# --- an answer ---------------------------------------------------------------------------------------------------


async def answer(request: Request, door: Door) -> Response:
    """Yes, no, or taken back; pressed twice it is said once."""
    own = await open_own(request, door)
    talk = own.talk(request.path_params["talk"])
    verb = shared.word_of(Verb, forms.typed(await forms.form_data(request)).get("verb"))
    if verb is None or verb not in _ACTS:
        raise NotFound()
    await speaker_door.claimed(own)
    try:
        await proposals.move(
            actor=own.actor,
            event_id=door.event.id,
            proposal_id=talk.proposal_id,
            verb=verb,
            who=own.who(talk),
            holds=own.holds(),
            at=own.at,
        )
    except Conflict as refusal:
        now = await cfp_queries.find_proposal_by_id(talk.proposal_id)
        if not (now and now.state is _SAID[verb]):
            return await _shown(request, own, trouble=refusal_words(refusal), status=refusal.status)
    except Forbidden as refusal:
        return await _shown(request, own, trouble=refusal_words(refusal), status=refusal.status)
    return back(own, _ACTS[verb][2], "#talks")


#: What an answer makes of a talk: pressed twice, the second press finds it so.
_SAID: Final[Mapping[Verb, ProposalState]] = {
    Verb.CONFIRM: ProposalState.CONFIRMED,
    Verb.DECLINE: ProposalState.DECLINED,
    Verb.WITHDRAW: ProposalState.WITHDRAWN,
}


# --- slides ------------------------------------------------------------------------------------------------------

_SLIDES_ACCEPT: Final = ".pdf,.pptx,.key,.odp,.zip"
#: The largest file that is read at all; what this installation keeps may be less (HUIWU_UPLOAD_MB).
_SLIDES_BODY: Final = 51 * 1024 * 1024


async def slides(request: Request, door: Door) -> Response:
    """Slides or their backup, as a file or a link; what can't be taken is said at its field."""
    own = await open_own(request, door)
    mine = own.talk(request.path_params["talk"])
    if not may_edit(mine.state, who=own.who(mine), call_open=False):
        raise NotFound()
    data = await forms.form_data(request)
    values = forms.typed(data)
    purpose = Purpose.SLIDES_BACKUP if values.get("purpose") == Purpose.SLIDES_BACKUP else Purpose.SLIDES
    problems: Mapping[str, Problem] = {}
    try:
        file = await _read_slides(own, data)
        await speaker_door.claimed(own)
        await resources.add(
            actor=own.actor,
            proposal_id=mine.proposal_id,
            new=NewResource(file=file, purpose=purpose, url="" if file else values.get("url", "")),
            at=own.at,
        )
    except Invalid as refusal:
        problems = {f"{name}.{mine.code}": problem for name, problem in refusal.fields.items()}
    finally:
        await data.close()
    if problems:
        again = {f"url.{mine.code}": values.get("url", ""), f"purpose.{mine.code}": str(purpose)}
        return await _shown(request, own, problems=problems, values=again, status=Invalid.status)
    return back(own, "sent", "#talks")


async def _read_slides(own: Own, data: FormData) -> FileAnswer | None:
    """The file of the form, kept and waiting; None where there is none."""
    chosen = [one for one in data.getlist("file") if isinstance(one, UploadFile) and one.filename]
    if not chosen:
        return None
    content = await chosen[-1].read()
    ending = slides_ending(content)
    if isinstance(ending, Problem):
        raise Invalid({"file": ending})
    if await uploads.pending_bytes(own.door.event.id) > questionnaire.PENDING_MB * 1024 * 1024:
        raise Invalid({"file": Problem(Code.TOO_MANY)})
    filename = named_with(safe_filename(chosen[-1].filename or "", 110), ending)
    try:
        number = await uploads.keep(
            data=content,
            filename=filename,
            event_id=own.door.event.id,
            actor_key=own.actor.key,
            at=own.at,
            keep_until=own.at + timedelta(hours=1),
        )
    except TooLarge as refusal:
        raise Invalid(
            {"file": Problem(FormCode.FILE_SIZE, {"limit": refusal.params.get("limit_mb", 0)})}
        ) from None
    return FileAnswer(number, filename, "")


async def file_(request: Request, door: Door) -> Response:
    own = await open_own(request, door)
    mine = own.talk(request.path_params["talk"])
    data, name = await resources.file_of(
        proposal_id=mine.proposal_id, resource_id=_number(request, "resource_id")
    )
    return private(file_response(data, name))


async def removal(request: Request, door: Door) -> Response:
    own = await open_own(request, door)
    mine = own.talk(request.path_params["talk"])
    if not may_edit(mine.state, who=own.who(mine), call_open=False):
        raise NotFound()
    await resources.remove(
        actor=own.actor,
        proposal_id=mine.proposal_id,
        resource_id=_number(request, "resource_id"),
        at=own.at,
    )
    return back(own, "removed", "#talks")


def _number(request: Request, name: str) -> int:
    found = shared.whole_id(request.path_params[name])
    if found is None:
        raise NotFound()
    return found


async def renewal(request: Request, door: Door) -> Response:
    """A new link, for one that got into other hands; for whoever acts on the speaker's behalf."""
    own = await open_own(request, door)
    if own.may is None:
        raise Forbidden()
    await speaker_link.renew(actor=own.actor, event_id=door.event.id, speaker_id=own.id, at=own.at)
    return back(own, "renewed")


_ANY: Final = Permission.VIEW_PUBLIC
_POST: Final = ("POST",)
_P: Final = "/e/{slug}/speaker/{code}"
_T: Final = f"{_P}/talks/{{talk}}"
ROUTES: list[Entry] = [
    access.route("/e/{slug}/cfp/speaker", own_page, OWN, Permission.SUBMIT),
    access.route("/e/{slug}/speaker", link, LINK, _ANY),
    access.route("/e/{slug}/speaker", open_link, OPEN, _ANY, _POST),
    access.route(_P, page, PAGE, _ANY),
    access.route(f"{_P}/link", renewal, RENEWAL, _ANY, _POST),
    access.route(f"{_T}/answer", answer, ANSWER, _ANY, _POST),
    access.route(f"{_T}/slides", slides, SLIDES, _ANY, _POST, body_max=_SLIDES_BODY),
    access.route(f"{_T}/files/{{resource_id}}", file_, FILE, _ANY),
    access.route(f"{_T}/files/{{resource_id}}/removal", removal, REMOVAL, _ANY, _POST),
]
