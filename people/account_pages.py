"""One's own account: name and language, the ways in, the browsers that are signed in, tokens for programs.

Tokens name permissions and events, which are words of an upper floor: ``main`` hands them in through ``TOKEN_CHOICES``.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kernel.actor import Actor
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from kernel.text import LOCALES
from people import accounts, api_tokens, identities, providers, queries, rules, sign_in_pages
from people.queries import AccountFacts, ApiTokenFacts, IdentityFacts, SignInFacts
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry, signed_in

LANGUAGES: Final = (("zh-Hans", "中文"), ("en", "English"))
#: How long a token may be good for, in days; anything else up to a year may be posted.
DAYS: Final = (7, 30, 90, 180, rules.TOKEN_DAYS_MAX)
DAYS_DEFAULT: Final = 90


@dataclass(frozen=True, slots=True)
class TokenChoices:
    """What a token may be cut down to, in the reader's words: permissions by value, events by id."""

    scopes: Sequence[tuple[str, str]]
    events: Sequence[tuple[int, str]]


#: What one account may choose from; main hands it in. Nothing to choose from: no tokens.
TOKEN_CHOICES: list[Callable[[Actor], Awaitable[TokenChoices]]] = []
#: What upper floors add to the account page: (English title, icon, route name).
LINKS: list[tuple[str, str, str]] = []


async def _token_choices(actor: Actor) -> TokenChoices:
    return await TOKEN_CHOICES[0](actor) if TOKEN_CHOICES else TokenChoices((), ())


# --- the page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IdentityLine:
    identity: IdentityFacts
    label: str
    when: str


@dataclass(frozen=True, slots=True)
class SignInLine:
    sign_in: SignInFacts
    since: str
    seen: str
    is_this: bool


@dataclass(frozen=True, slots=True)
class TokenLine:
    token: ApiTokenFacts
    may: str
    event: str
    expires: str
    used: str
    is_over: bool


@dataclass(frozen=True, kw_only=True)
class AccountContext(FormContext):
    template: ClassVar[str] = "people/account.html"
    account: AccountFacts
    languages: Sequence[tuple[str, str]] = LANGUAGES
    identities: Sequence[IdentityLine] = field(default_factory=tuple)
    #: Providers that are not joined yet: (words, where it leads away to)
    addable: Sequence[tuple[str, str]] = field(default_factory=tuple)
    sign_ins: Sequence[SignInLine] = field(default_factory=tuple)
    has_tokens: bool = False
    tokens: Sequence[TokenLine] = field(default_factory=tuple)
    #: (words, icon, href)
    links: Sequence[tuple[str, str, str]] = field(default_factory=tuple)
    #: (kind of notice, words): what was just done, or what went wrong on the way through a provider.
    flash: tuple[str, str] | None = None


class AccountForm(forms.Form):
    name: str = Field(min_length=1, max_length=120)
    locale: str = ""


async def account(request: Request) -> Response:
    """Shows who one is here and every way in; POST changes name and language."""
    actor = await signin.actor_of(request)
    typed: Mapping[str, str] = {}
    problems: Mapping[str, Problem] = {}
    if request.method == "POST":
        data = await forms.form_data(request, max_files=0, max_fields=10)
        try:
            chosen = forms.read_form(data, AccountForm)
            locale = chosen.locale or i18n.current_locale()
            if locale not in LOCALES:
                raise Invalid({"locale": Problem(Code.NOT_A_CHOICE)})
            await accounts.change(account_id=actor.id, name=chosen.name, locale=locale)
        except Invalid as no:
            typed, problems = forms.typed(data), no.fields
        else:
            response = render.see_other(_account_url(saved="1"))
            signin.set_language(response, locale)
            return response
    context = await _account_context(request, actor, typed, problems)
    return await render.page(request, context, 422 if problems else 200)


async def _account_context(
    request: Request, actor: Actor, typed: Mapping[str, str], problems: Mapping[str, Problem]
) -> AccountContext:
    at = datetime.now(UTC)
    facts = await queries.account(actor.id)
    joined = await queries.identities(actor.id)
    choices = await _token_choices(actor)
    tokens = await queries.api_tokens(actor.id)
    have = {one.provider for one in joined}
    return AccountContext(
        values=typed or {"name": facts.name, "locale": facts.locale},
        problems=problems,
        account=facts,
        identities=[
            IdentityLine(one, providers.label_of(one.provider), render.ago(one.last_used_at, at))
            for one in joined
        ],
        addable=[
            (one.label, render.url("people.identity.add", provider=one.name))
            for one in providers.every()
            if one.name not in have
        ],
        sign_ins=[
            SignInLine(
                one,
                render.ago(one.created_at, at),
                render.ago(one.last_seen_at, at),
                one.id == actor.sign_in_id,
            )
            for one in await queries.sign_ins(actor.id, at)
        ],
        has_tokens=bool(choices.scopes or tokens),
        tokens=[_token_line(one, choices, at) for one in tokens],
        links=[(i18n.gettext(words), icon, render.url(route)) for words, icon, route in LINKS],
        flash=_flash(request) if not problems else None,
    )


def _flash(request: Request) -> tuple[str, str] | None:
    query = request.query_params
    if query.get("saved") == "1":
        return "go", i18n.gettext("Saved.")
    if said := sign_in_pages.words_of(query.get("said"), query.get("with")):
        return "care", said
    known = {one.name: one.label for one in providers.every()}
    if query.get("joined") in known:
        return "go", i18n.gettext("%(provider)s opens this account from now on.") % {
            "provider": known[query["joined"]]
        }
    if query.get("parted"):
        label = known.get(query["parted"], "")
        return "go", i18n.gettext("Parted. %(provider)s no longer opens this account.") % {"provider": label}
    return None


def _token_line(token: ApiTokenFacts, choices: TokenChoices, at: datetime) -> TokenLine:
    events = dict(choices.events)
    if token.event_id is None:
        event = i18n.gettext("All my events")
    else:
        event = events.get(token.event_id) or i18n.gettext("An event in which you have no role now")
    return TokenLine(
        token=token,
        may=i18n.gettext(", ").join(words for scope, words in choices.scopes if scope in token.scopes)
        or i18n.gettext("Nothing that you may do now"),
        event=event,
        expires=render.ago(token.expires_at, at),
        used=render.ago(token.last_used_at, at) if token.last_used_at else "",
        is_over=token.expires_at <= at,
    )


def _account_url(**query: str) -> str:
    return render.with_query(render.url("people.account"), **query)


# --- browsers ----------------------------------------------------------------------------------------------------


async def sign_out_others(request: Request) -> Response:
    await accounts.sign_out_others(actor=await signin.actor_of(request), at=datetime.now(UTC))
    return render.see_other(render.url("people.account"))


async def sign_out_everywhere(request: Request) -> Response:
    """Ends every sign-in of the account, this browser's too; API tokens go on until they are revoked."""
    await accounts.sign_out_everywhere(actor=await signin.actor_of(request), at=datetime.now(UTC))
    response = render.see_other("/")
    signin.clear_cookie(response, signin.COOKIE)
    return response


async def end_sign_in(request: Request) -> Response:
    await accounts.end_sign_in(
        actor=await signin.actor_of(request),
        sign_in_id=int(request.path_params["id"]),
        at=datetime.now(UTC),
    )
    return render.see_other(render.url("people.account"))


# --- providers ---------------------------------------------------------------------------------------------------


async def add_identity(request: Request) -> Response:
    """Leads away to a provider, to add it to one's own account on the return."""
    actor = await signin.actor_of(request)
    name = request.path_params["provider"]
    try:
        return await sign_in_pages.leave(request, name, _account_url(joined=name), account_id=actor.id)
    except NotFound:
        raise
    except Refusal as no:
        return render.see_other(_account_url(said=no.code, **{"with": name}))


async def part_identity(request: Request) -> Response:
    provider = await identities.part(
        actor=await signin.actor_of(request),
        identity_id=int(request.path_params["id"]),
        at=datetime.now(UTC),
    )
    return render.see_other(_account_url(parted=provider))


# --- tokens for programs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewTokenContext(FormContext):
    template: ClassVar[str] = "people/new_token.html"
    scopes: Sequence[tuple[str, str]]
    chosen: Sequence[str] = field(default_factory=tuple)
    #: The first choice, with an empty value, is every event.
    events: Sequence[tuple[str, str]]
    days: Sequence[tuple[str, str]]
    #: A problem of the whole form: it was sent before, or there are too many tokens.
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class MadeTokenContext(Context):
    template: ClassVar[str] = "people/made_token.html"
    token: str
    name: str
    #: What a program sends, with the token's beginning.
    header: str = f"Authorization: Bearer {signin.API_TOKEN_PREFIX}…"


class TokenForm(forms.Form):
    """The form but for its ticked permissions, which are many under one name."""

    form_id: uuid.UUID
    name: str = Field(min_length=1, max_length=80)
    event: int | None = None
    days: int = Field(ge=1, le=rules.TOKEN_DAYS_MAX)


async def new_token(request: Request) -> Response:
    """The form for a token; POST makes it and shows it on the very page that answers: it is never shown again."""
    actor = await signin.actor_of(request)
    choices = await _token_choices(actor)
    if not choices.scopes:
        raise NotFound()
    if request.method != "POST":
        values = {"form_id": str(uuid.uuid4()), "days": str(DAYS_DEFAULT)}
        return await render.page(request, _new_token_context(choices, values))
    data = await forms.form_data(request, max_files=0, max_fields=60)
    ticked = tuple(str(one) for one in data.getlist("scopes"))
    try:
        wanted = forms.read_form(data, TokenForm)
        offered = {value for value, _ in choices.scopes}
        if not offered.issuperset(ticked):
            raise Invalid({"scopes": Problem(Code.NOT_A_CHOICE)})
        if wanted.event is not None and wanted.event not in {id_ for id_, _ in choices.events}:
            raise Invalid({"event": Problem(Code.NOT_A_CHOICE)})
        token = await api_tokens.create(
            actor=actor,
            name=wanted.name,
            scopes=ticked,
            event_id=wanted.event,
            days=wanted.days,
            form_id=wanted.form_id,
            at=datetime.now(UTC),
        )
    except (Invalid, Conflict) as no:
        problems = no.fields if isinstance(no, Invalid) else {}
        trouble = "" if problems else render.words_for(no.code, no.params)
        # A program may have left the form's own number out: the next try then is a form of its own.
        typed = {"form_id": str(uuid.uuid4()), **forms.typed(data)}
        context = _new_token_context(choices, typed, problems, ticked, trouble)
        return await render.page(request, context, no.status)
    return await render.page(request, MadeTokenContext(token=token, name=wanted.name))


def _new_token_context(
    choices: TokenChoices,
    values: Mapping[str, str],
    problems: Mapping[str, Problem] | None = None,
    ticked: Sequence[str] = (),
    trouble: str = "",
) -> NewTokenContext:
    return NewTokenContext(
        values=values,
        problems=problems or {},
        scopes=choices.scopes,
        chosen=ticked,
        events=[("", i18n.gettext("All my events")), *((str(id_), name) for id_, name in choices.events)],
        days=[
            (str(days), i18n.ngettext("%(num)d day", "%(num)d days", days) % {"num": days}) for days in DAYS
        ],
        trouble=trouble,
    )


async def revoke_token(request: Request) -> Response:
    await api_tokens.revoke(
        actor=await signin.actor_of(request),
        token_id=int(request.path_params["id"]),
        at=datetime.now(UTC),
    )
    return render.see_other(render.url("people.account"))


ROUTES: list[Entry] = [
    signed_in("/account", account, "people.account", ("GET", "POST")),
    signed_in("/account/others/sign-out", sign_out_others, "people.sign_out.others", ("POST",)),
    signed_in("/account/everywhere/sign-out", sign_out_everywhere, "people.sign_out.everywhere", ("POST",)),
    signed_in("/account/sign-ins/{id:int}/end", end_sign_in, "people.sign_in.end", ("POST",)),
    signed_in("/account/providers/{provider}", add_identity, "people.identity.add"),
    signed_in("/account/identities/{id:int}/part", part_identity, "people.identity.part", ("POST",)),
    signed_in("/account/tokens/new", new_token, "people.api_token.new", ("GET", "POST")),
    signed_in("/account/tokens/{id:int}/revoke", revoke_token, "people.api_token.revoke", ("POST",)),
]
