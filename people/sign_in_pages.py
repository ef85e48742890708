"""Signing in and out: by a code, by the link in the same letter, through a provider. Works without JavaScript."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kernel import codes
from kernel.errors import Gone, Invalid, NotFound, Problem, Refusal, TooMany
from people import accounts, identities, limits, providers, queries, rules, visits, wiring
from people.queries import DevelopmentCode
from people.rules import JoinAct, PeopleCode
from people.visits import Bringer
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry, public

#: Remembers, on the reader's own device, whom the code was sent to: the address must stand in no URL, and a phone that
#: comes back from its mail application may load the page anew.
TO_COOKIE: Final = "huiwu_code_to"
TO_LASTS: Final = timedelta(minutes=15)
BROWSER_LASTS: Final = timedelta(days=365)

#: What a return from a provider may say on the sign-in page or the account page; the address carries the code alone.
SAID: Final = frozenset(
    str(code)
    for code in (
        PeopleCode.VISIT_OVER,
        PeopleCode.PROVIDER_DENIED,
        PeopleCode.PROVIDER_DOWN,
        PeopleCode.PROVIDER_WRONG,
        PeopleCode.IDENTITY_TAKEN,
    )
)


@dataclass(frozen=True, slots=True)
class Joining:
    """Whoever came back from a provider and is to prove an address now."""

    provider: str
    label: str
    display: str


@dataclass(frozen=True, kw_only=True)
class SignInContext(FormContext):
    template: ClassVar[str] = "people/sign_in.html"
    #: A code was sent before: its page is one step away.
    has_code: bool = False
    code_href: str = ""
    #: The last code's address is gone: it expired, or this browser keeps no cookies.
    starts_again: bool = False
    #: What went wrong on the way through a provider, in words.
    said: str = ""
    joining: Joining | None = None
    #: (words, where it leads away to)
    providers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    without_href: str = ""


@dataclass(frozen=True, kw_only=True)
class CodeContext(FormContext):
    template: ClassVar[str] = "people/code.html"
    email: str
    minutes: int
    #: This code can't be used any more, so the way out stands first.
    needs_new: bool = False
    joining: Joining | None = None


@dataclass(frozen=True, kw_only=True)
class LinkContext(Context):
    template: ClassVar[str] = "people/link.html"
    #: Empty when the link opens nothing.
    email: str = ""
    key: str = ""
    joining: Joining | None = None
    #: Who is signed in here now, when that is somebody else or the link is over.
    here: str = ""


@dataclass(frozen=True, kw_only=True)
class DevelopmentCodesContext(Context):
    template: ClassVar[str] = "people/dev_codes.html"
    codes: Sequence[tuple[DevelopmentCode, str]]


class AskForm(forms.Form):
    email: str = Field(min_length=1, max_length=320)


class CodeForm(forms.Form):
    code: str = Field(min_length=1, max_length=40)


# --- what the pages share ----------------------------------------------------------------------------------------


def _next(value: Any) -> str:
    return signin.safe_next(value if isinstance(value, str) else None)


def _code_url(target: str, joining: Joining | None = None) -> str:
    return render.with_query(
        render.url("people.sign_in.code"),
        next=target if target != "/" else "",
        join=joining.provider if joining else "",
    )


def sign_in_url(target: str, **more: str) -> str:
    """The sign-in page on the way to ``target``."""
    return render.with_query(render.url("people.sign_in"), next=target if target != "/" else "", **more)


def _sent_to(request: Request) -> str:
    """The address of the last code, out of this browser's own cookie; empty when there is none."""
    raw = request.cookies.get(TO_COOKIE, "")
    try:
        text = base64.urlsafe_b64decode(raw.encode() + b"=" * (-len(raw) % 4)).decode()
    except (binascii.Error, UnicodeError):
        return ""
    return text if rules.read_email(text) else ""


def _browser(request: Request) -> str:
    return request.cookies.get(signin.BROWSER_COOKIE, "")


def mark_browser(response: Response, browser: str) -> None:
    """Names this browser for a year, so that codes, visits and limits are its own."""
    signin.set_cookie(response, signin.BROWSER_COOKIE, browser, lasts=BROWSER_LASTS)


def _host(request: Request) -> str:
    return request.client.host if request.client else ""


def _previous(request: Request) -> str:
    """The sign-in that this browser has now: a new one takes its place."""
    return request.cookies.get(signin.COOKIE, "")


async def _bringer(request: Request, provider: Any) -> Bringer | None:
    name = provider if isinstance(provider, str) else ""
    return await visits.bringer(provider=name, browser=_browser(request), at=datetime.now(UTC))


def _joining(bringer: Bringer | None) -> Joining | None:
    if bringer is None:
        return None
    return Joining(bringer.provider, providers.label_of(bringer.provider), bringer.display)


def words_of(said: str | None, provider: str | None) -> str:
    """A code out of an address as a sentence; empty for what is none of ours."""
    if said not in SAID:
        return ""
    known = {one.name: one.label for one in providers.every()}
    return render.words_for(said, {"provider": known.get(provider or "", "?")})


def _slow_down(response: Response, no: Refusal) -> Response:
    if "retry_after_s" in no.params:
        response.headers["retry-after"] = str(no.params["retry_after_s"])
    return response


# --- the code ----------------------------------------------------------------------------------------------------


async def sign_in(request: Request) -> Response:
    """Asks for an address; POST sends a code and leads to the page that takes it."""
    if request.method == "POST":
        return await _ask(request)
    target = _next(request.query_params.get("next"))
    if (await signin.actor_of(request)).signed_in:
        return render.see_other(target)
    bringer = await _bringer(request, request.query_params.get("join"))
    context = _sign_in_context(
        request,
        target,
        _joining(bringer),
        starts_again=request.query_params.get("again") == "1",
        said=words_of(request.query_params.get("said"), request.query_params.get("with")),
    )
    response = await render.page(request, context)
    if not _browser(request):
        mark_browser(response, codes.new_secret())
    return response


def _sign_in_context(
    request: Request,
    target: str,
    joining: Joining | None,
    *,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    has_code: bool | None = None,
    starts_again: bool = False,
    said: str = "",
) -> SignInContext:
    ways = [
        (one.label, render.with_query(render.url("people.sign_in.with", provider=one.name), next=target))
        for one in providers.every()
    ]
    return SignInContext(
        values={**(typed or {}), "next": target, "join": joining.provider if joining else ""},
        problems=problems or {},
        has_code=bool(_sent_to(request)) if has_code is None else has_code,
        code_href=_code_url(target, joining),
        starts_again=starts_again,
        said=said,
        joining=joining,
        providers=() if joining else ways,
        without_href=sign_in_url(target),
    )


async def _ask(request: Request) -> Response:
    data = await forms.form_data(request, max_files=0, max_fields=10)
    typed = forms.typed(data)
    target = _next(typed.get("next"))
    browser = _browser(request) or codes.new_secret()
    bringer = await _bringer(request, typed.get("join")) if typed.get("join") else None
    if typed.get("join") and bringer is None:
        # Half an hour is over: a code now would not join what the page promised to join.
        return render.see_other(sign_in_url(target, said=str(PeopleCode.VISIT_OVER)))
    joining = _joining(bringer)
    try:
        email = forms.read_form(data, AskForm).email
        if rules.read_email(email):
            await limits.count(rules.LETTERS_PER_NETWORK, _host(request), PeopleCode.TOO_MANY_HERE)
        await accounts.ask_code(
            email=email,
            locale=i18n.current_locale(),
            browser=browser,
            next_path=target,
            visit_id=bringer.visit_id if bringer else None,
            at=datetime.now(UTC),
        )
    except (Invalid, TooMany) as no:
        problems = no.fields if isinstance(no, Invalid) else {"email": Problem(no.code, no.params)}
        same = rules.read_email(typed.get("email", "")) == (_sent_to(request) or None)
        context = _sign_in_context(
            request,
            target,
            joining,
            typed=typed,
            problems=problems,
            has_code=isinstance(no, TooMany) and same,
        )
        return _slow_down(await render.page(request, context, no.status), no)
    response = render.see_other(_code_url(target, joining))
    mark_browser(response, browser)
    address = rules.read_email(email) or ""
    signin.set_cookie(
        response, TO_COOKIE, base64.urlsafe_b64encode(address.encode()).decode().rstrip("="), lasts=TO_LASTS
    )
    return response


async def sign_in_code(request: Request) -> Response:
    """Takes the code; POST signs in and leads to where the reader wanted to go."""
    if request.method == "POST":
        return await _enter(request)
    target = _next(request.query_params.get("next"))
    email = _sent_to(request)
    if not email:
        return render.see_other(sign_in_url(target, again="1"))
    joining = _joining(await _bringer(request, request.query_params.get("join")))
    return await render.page(request, _code_context(email, target, joining, {}))


def _code_context(
    email: str,
    target: str,
    joining: Joining | None,
    typed: Mapping[str, str],
    *,
    problems: Mapping[str, Problem] | None = None,
    code: str = "",
) -> CodeContext:
    return CodeContext(
        values={**typed, "next": target, "join": joining.provider if joining else ""},
        problems=problems or {},
        email=email,
        minutes=int(rules.CODE_LASTS.total_seconds() // 60),
        needs_new=code in (PeopleCode.CODE_EXPIRED, PeopleCode.CODE_USED, PeopleCode.CODE_SPENT),
        joining=joining,
    )


async def _enter(request: Request) -> Response:
    data = await forms.form_data(request, max_files=0, max_fields=10)
    typed = forms.typed(data)
    target = _next(typed.get("next"))
    email, browser = _sent_to(request), _browser(request)
    if not email or not browser:
        return render.see_other(sign_in_url(target, again="1"))

    async def again(problems: Mapping[str, Problem], no: Refusal, status: int) -> Response:
        joining = _joining(await _bringer(request, typed.get("join")))
        context = _code_context(email, target, joining, typed, problems=problems, code=no.code)
        return _slow_down(await render.page(request, context, status), no)

    try:
        code = forms.read_form(data, CodeForm).code
        # A code can be guessed, so even a right one waits here; the letter's link never does.
        await limits.check(rules.WRONG_PER_EMAIL, email, PeopleCode.TOO_MANY_WRONG)
        await limits.check(rules.WRONG_PER_BROWSER, browser, PeopleCode.TOO_MANY_WRONG)
        token = await accounts.sign_in(
            email=email,
            code=code,
            browser=browser,
            user_agent=request.headers.get("user-agent", ""),
            at=datetime.now(UTC),
            locale=i18n.current_locale(),
            previous=_previous(request),
        )
    except Invalid as no:
        return await again(no.fields, no, no.status)
    except TooMany as no:
        return await again({"code": Problem(no.code, no.params)}, no, no.status)
    except Refusal as no:
        if no.code == PeopleCode.CODE_USED and (await signin.actor_of(request)).signed_in:
            # The button was pressed twice: the first press has signed in.
            return render.see_other(target)
        if no.status != Refusal.status:
            raise
        if no.code in (PeopleCode.CODE_WRONG, PeopleCode.CODE_SPENT):
            await limits.count(rules.WRONG_PER_EMAIL, email)
            await limits.count(rules.WRONG_PER_BROWSER, browser)
        return await again({"code": Problem(no.code, no.params)}, no, 422)
    await limits.give_back(rules.LETTERS_PER_NETWORK, _host(request))
    response = render.see_other(target)
    signin.set_cookie(response, signin.COOKIE, token)
    signin.clear_cookie(response, TO_COOKIE)
    return response


# --- the link ----------------------------------------------------------------------------------------------------


async def link(request: Request) -> Response:
    """What a letter's link opens: whom it would sign in, and one button. Mail filters open links too, so only the
    POST behind the button does it. A link that opens nothing leads back to the code."""
    at = datetime.now(UTC)
    if request.method == "POST":
        key = forms.typed(await forms.form_data(request, max_files=0, max_fields=10)).get("key", "")
        try:
            done = await accounts.sign_in_by_link(
                key=key,
                browser=_browser(request),
                user_agent=request.headers.get("user-agent", ""),
                at=at,
                locale=i18n.current_locale(),
                previous=_previous(request),
            )
        except Gone:
            return await _link_over(request)
        await limits.give_back(rules.LETTERS_PER_NETWORK, _host(request))
        response = render.see_other(_next(done.next_path))
        signin.set_cookie(response, signin.COOKIE, done.token)
        signin.clear_cookie(response, TO_COOKIE)
        return _unseen(response)
    key = request.query_params.get("key", "")
    try:
        facts = await accounts.link_facts(key=key, at=at)
    except Gone:
        return await _link_over(request)
    bringer = await visits.bringer_of(visit_id=facts.visit_id, browser=_browser(request), at=at)
    actor = await signin.actor_of(request)
    context = LinkContext(
        email=facts.email,
        key=key,
        joining=_joining(bringer),
        here=actor.email if actor.email != facts.email else "",
        stays_at=render.url("people.sign_in.link", key=key),
    )
    return _unseen(await render.page(request, context))


async def _link_over(request: Request) -> Response:
    await limits.count(rules.FAILED_PER_NETWORK, _host(request), PeopleCode.TOO_MANY_FAILED)
    here = (await signin.actor_of(request)).email
    return _unseen(await render.page(request, LinkContext(here=here), Gone.status))


def _unseen(response: Response) -> Response:
    # The address holds a secret: no page that is opened from here is told it.
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["cache-control"] = "no-store"
    return response


# --- through a provider ------------------------------------------------------------------------------------------


async def with_provider(request: Request) -> Response:
    """Leads away to a provider. A GET, because a form may not lead off this site; all it changes is a visit's row."""
    target = _next(request.query_params.get("next"))
    if (await signin.actor_of(request)).signed_in:
        return render.see_other(target)
    name = request.path_params["provider"]
    try:
        return await leave(request, name, target, account_id=None)
    except NotFound:
        raise
    except Refusal as no:
        return render.see_other(sign_in_url(target, said=no.code, **{"with": name}))


async def leave(request: Request, name: str, target: str, account_id: int | None) -> Response:
    """The redirect to a provider, its visit begun; raises what ``identities.leave`` raises."""
    browser = _browser(request) or codes.new_secret()
    address = await identities.leave(
        provider=name, browser=browser, next_path=target, account_id=account_id, at=datetime.now(UTC)
    )
    response = render.see_other(address)
    mark_browser(response, browser)
    return _unseen(response)


async def come_back(request: Request) -> Response:
    """Where a provider sends the browser back to. Whatever went wrong is said on the page that one came from."""
    name = request.path_params["provider"]
    query = request.query_params
    try:
        arrival = await identities.arrive(
            provider=name,
            state=query.get("state", ""),
            code=query.get("code", ""),
            error=query.get("error", ""),
            issuer=query.get("iss", ""),
            browser=_browser(request),
            actor=await signin.actor_of(request),
            user_agent=request.headers.get("user-agent", ""),
            locale=i18n.current_locale(),
            previous=_previous(request),
            at=datetime.now(UTC),
        )
    except NotFound:
        raise
    except identities.NoArrival as no:
        said = {"said": no.code, "with": name}
        if no.adding:
            return _unseen(render.see_other(render.with_query(render.url("people.account"), **said)))
        return _unseen(render.see_other(sign_in_url(_next(no.next_path), **said)))
    except Refusal as no:
        await limits.count(rules.FAILED_PER_NETWORK, _host(request), PeopleCode.TOO_MANY_FAILED)
        return _unseen(render.see_other(sign_in_url("/", said=no.code)))
    target = _next(arrival.next_path)
    if arrival.act is JoinAct.PROVE_EMAIL:
        return _unseen(render.see_other(sign_in_url(target, join=name)))
    response = render.see_other(target)
    if arrival.token:
        signin.set_cookie(response, signin.COOKIE, arrival.token)
    return _unseen(response)


# --- out, and for newcomers --------------------------------------------------------------------------------------


async def sign_out(request: Request) -> Response:
    token = signin.token_of(request)
    if token:
        await accounts.sign_out(token=token)
    response = render.see_other("/")
    signin.clear_cookie(response, signin.COOKIE)
    return response


async def dev_codes(request: Request) -> Response:
    """The codes just sent, for a newcomer on their own machine; anywhere else there is no such page."""
    if not wiring.settings().development:
        raise NotFound()
    at = datetime.now(UTC)
    found = [(one, render.ago(one.created_at, at)) for one in await queries.development_codes(at)]
    return await render.page(request, DevelopmentCodesContext(codes=found))


ROUTES: list[Entry] = [
    public("/sign-in", sign_in, "people.sign_in", ("GET", "POST")),
    public("/sign-in/code", sign_in_code, "people.sign_in.code", ("GET", "POST")),
    public("/sign-in/link", link, "people.sign_in.link", ("GET", "POST")),
    public("/sign-in/with/{provider}", with_provider, "people.sign_in.with"),
    public("/sign-in/return/{provider}", come_back, "people.sign_in.return"),
    public("/sign-out", sign_out, "people.sign_out", ("POST",)),
    Entry("/dev/codes", "people.dev_codes", "development", dev_codes),
]
