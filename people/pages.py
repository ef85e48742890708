"""Signing in and out, one's own account, and the outbox. Everything here works without JavaScript."""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from babel.dates import format_timedelta
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kernel import codes
from kernel.errors import Invalid, NotFound, Problem, Refusal, TooMany
from people import accounts, letters, queries, rules, wiring
from people.queries import AccountFacts, DevelopmentCode, LetterFacts, LetterPage, OutboxState, SignInFacts
from people.rules import LetterAct, LetterState, LetterTrouble, PeopleCode
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry, admin, public, signed_in

#: Remembers, on the reader's own device, whom the code was sent to: the address must stand in no URL, and a phone that
#: comes back from its mail application may load the page anew.
TO_COOKIE: Final = "huiwu_code_to"
TO_LASTS: Final = timedelta(minutes=15)
#: Network addresses counted at once; beyond it the oldest counts are forgotten, in favour of the crowd.
NETWORKS: Final = 10_000

_STATE_KINDS: Final[Mapping[LetterState, str]] = {
    LetterState.WAITING: "note",
    LetterState.SENDING: "note",
    LetterState.SENT: "go",
    LetterState.FAILED: "stop",
    LetterState.HELD: "care",
    LetterState.DISCARDED: "plain",
}


# --- signing in --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SignInContext(FormContext):
    template: ClassVar[str] = "people/sign_in.html"
    #: A code was sent before: its page is one step away.
    has_code: bool = False
    code_href: str = ""
    #: The last code's address is gone: it expired, or this browser keeps no cookies.
    starts_again: bool = False


@dataclass(frozen=True, kw_only=True)
class CodeContext(FormContext):
    template: ClassVar[str] = "people/code.html"
    email: str
    minutes: int
    #: This code can't be used any more, so the way out stands first.
    needs_new: bool = False


@dataclass(frozen=True, kw_only=True)
class DevelopmentCodesContext(Context):
    template: ClassVar[str] = "people/dev_codes.html"
    codes: Sequence[tuple[DevelopmentCode, str]]


class AskForm(forms.Form):
    email: str = Field(min_length=1, max_length=320)


class CodeForm(forms.Form):
    code: str = Field(min_length=1, max_length=40)


class NameForm(forms.Form):
    name: str = Field(min_length=1, max_length=120)


class _Networks:
    """Codes asked for by network address within the window; per process, and forgotten with it."""

    asked: ClassVar[dict[str, tuple[float, int]]] = {}


def forget() -> None:
    """Forgets who asked how often; for tests."""
    _Networks.asked.clear()


def _count_network(request: Request) -> None:
    """Raises TooMany for a network address that has asked for hundreds of codes."""
    address = request.client.host if request.client else ""
    now = time.monotonic()
    window_s = rules.CODES_PER_NETWORK_FOR.total_seconds()
    began, count = _Networks.asked.pop(address, (now, 0))
    if now - began >= window_s:
        began, count = now, 0
    _Networks.asked[address] = (began, count + 1)
    while len(_Networks.asked) > NETWORKS:
        del _Networks.asked[next(iter(_Networks.asked))]
    if count >= rules.CODES_PER_NETWORK:
        left_s = window_s - (now - began)
        raise TooMany(
            PeopleCode.TOO_MANY_HERE, minutes=math.ceil(left_s / 60), retry_after_s=math.ceil(left_s)
        )


def _next(value: Any) -> str:
    return signin.safe_next(value if isinstance(value, str) else None)


def _code_url(target: str) -> str:
    return render.with_query(render.url("people.sign_in.code"), next=target if target != "/" else "")


def _sent_to(request: Request) -> str:
    """The address of the last code, out of this browser's own cookie; empty when there is none."""
    raw = request.cookies.get(TO_COOKIE, "")
    try:
        text = base64.urlsafe_b64decode(raw.encode() + b"=" * (-len(raw) % 4)).decode()
    except (binascii.Error, UnicodeError):
        return ""
    return text if rules.read_email(text) else ""


async def sign_in(request: Request) -> Response:
    """Asks for an address; POST sends a code and leads to the page that takes it."""
    if request.method == "POST":
        return await _ask(request)
    target = _next(request.query_params.get("next"))
    if (await signin.actor_of(request)).signed_in:
        return render.see_other(target)
    context = SignInContext(
        values={"next": target},
        has_code=bool(_sent_to(request)),
        code_href=_code_url(target),
        starts_again=request.query_params.get("again") == "1",
    )
    response = await render.page(request, context)
    _mark_browser(request, response)
    return response


async def _ask(request: Request) -> Response:
    data = await forms.form_data(request, max_files=0, max_fields=10)
    typed = forms.typed(data)
    target = _next(typed.get("next"))
    browser = request.cookies.get(signin.BROWSER_COOKIE) or codes.new_secret()
    try:
        email = forms.read_form(data, AskForm).email
        _count_network(request)
        await accounts.ask_code(
            email=email, locale=i18n.current_locale(), browser=browser, at=datetime.now(UTC)
        )
    except (Invalid, TooMany) as no:
        problems = no.fields if isinstance(no, Invalid) else {"email": Problem(no.code, no.params)}
        same = rules.read_email(typed.get("email", "")) == (_sent_to(request) or None)
        context = SignInContext(
            values={**typed, "next": target},
            problems=problems,
            has_code=isinstance(no, TooMany) and same,
            code_href=_code_url(target),
        )
        response = await render.page(request, context, no.status)
        if "retry_after_s" in no.params:
            response.headers["retry-after"] = str(no.params["retry_after_s"])
        return response
    response = render.see_other(_code_url(target))
    signin.set_cookie(response, signin.BROWSER_COOKIE, browser, lasts=timedelta(days=365))
    address = rules.read_email(email) or ""
    signin.set_cookie(
        response, TO_COOKIE, base64.urlsafe_b64encode(address.encode()).decode().rstrip("="), lasts=TO_LASTS
    )
    return response


def _mark_browser(request: Request, response: Response) -> None:
    if not request.cookies.get(signin.BROWSER_COOKIE):
        signin.set_cookie(response, signin.BROWSER_COOKIE, codes.new_secret(), lasts=timedelta(days=365))


async def sign_in_code(request: Request) -> Response:
    """Takes the code; POST signs in and leads to where the reader wanted to go."""
    if request.method == "POST":
        return await _enter(request)
    target = _next(request.query_params.get("next"))
    email = _sent_to(request)
    if not email:
        return render.see_other(render.with_query(render.url("people.sign_in"), again="1", next=target))
    return await render.page(request, _code_context(email, target, {}))


def _code_context(
    email: str,
    target: str,
    typed: Mapping[str, str],
    problems: Mapping[str, Problem] | None = None,
    code: str = "",
) -> CodeContext:
    return CodeContext(
        values={**typed, "next": target},
        problems=problems or {},
        email=email,
        minutes=int(rules.CODE_LASTS.total_seconds() // 60),
        needs_new=code in (PeopleCode.CODE_EXPIRED, PeopleCode.CODE_USED, PeopleCode.CODE_SPENT),
    )


async def _enter(request: Request) -> Response:
    data = await forms.form_data(request, max_files=0, max_fields=10)
    typed = forms.typed(data)
    target = _next(typed.get("next"))
    email, browser = _sent_to(request), request.cookies.get(signin.BROWSER_COOKIE, "")
    if not email or not browser:
        return render.see_other(render.with_query(render.url("people.sign_in"), again="1", next=target))
    try:
        token = await accounts.sign_in(
            email=email,
            code=forms.read_form(data, CodeForm).code,
            browser=browser,
            user_agent=request.headers.get("user-agent", ""),
            at=datetime.now(UTC),
            locale=i18n.current_locale(),
        )
    except Invalid as no:
        return await render.page(request, _code_context(email, target, typed, no.fields), no.status)
    except Refusal as no:
        if no.code == PeopleCode.CODE_USED and (await signin.actor_of(request)).signed_in:
            # The button was pressed twice: the first press has signed in.
            return render.see_other(target)
        if no.status != Refusal.status:
            raise
        problems = {"code": Problem(no.code, no.params)}
        return await render.page(request, _code_context(email, target, typed, problems, no.code), 422)
    response = render.see_other(target)
    signin.set_cookie(response, signin.COOKIE, token)
    signin.clear_cookie(response, TO_COOKIE)
    return response


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
    found = [(one, ago(one.created_at, at)) for one in await queries.development_codes(at)]
    return await render.page(request, DevelopmentCodesContext(codes=found))


# --- one's own account -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AccountContext(FormContext):
    template: ClassVar[str] = "people/account.html"
    account: AccountFacts
    #: Each browser, when it was last seen, and whether it is this one.
    sign_ins: Sequence[tuple[SignInFacts, str, bool]]
    saved: bool = False


async def account(request: Request) -> Response:
    """Shows who one is here, and from where one is signed in; POST changes the name."""
    actor = await signin.actor_of(request)
    typed: Mapping[str, str] = {}
    problems: Mapping[str, Problem] = {}
    if request.method == "POST":
        data = await forms.form_data(request, max_files=0, max_fields=10)
        try:
            await accounts.rename(account_id=actor.id, name=forms.read_form(data, NameForm).name)
        except Invalid as no:
            typed, problems = forms.typed(data), no.fields
        else:
            return render.see_other(render.with_query(render.url("people.account"), saved="1"))
    at = datetime.now(UTC)
    facts = await queries.account(actor.id)
    context = AccountContext(
        values=typed or {"name": facts.name},
        problems=problems,
        account=facts,
        sign_ins=[
            (one, ago(one.last_seen_at, at), one.id == actor.sign_in_id)
            for one in await queries.sign_ins(actor.id, at)
        ],
        saved=request.query_params.get("saved") == "1",
    )
    return await render.page(request, context, 422 if problems else 200)


async def sign_out_others(request: Request) -> Response:
    actor = await signin.actor_of(request)
    await accounts.sign_out_others(account_id=actor.id, keep_id=actor.sign_in_id)
    return render.see_other(render.url("people.account"))


# --- the outbox --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A letter as a line of the list or the head of its page, in the reader's words."""

    letter: LetterFacts
    #: Empty for a sign-in code, which stands in its subject.
    subject: str
    kind: str
    state: str
    problem: str
    when: str
    href: str


@dataclass(frozen=True, kw_only=True)
class OutboxContext(Context):
    template: ClassVar[str] = "people/outbox.html"
    outbox: OutboxState
    letters: LetterPage
    lines: Sequence[LetterLine]
    #: (words, address, count, is chosen)
    chips: Sequence[tuple[str, str, int, bool]]
    full_domains: Sequence[tuple[str, int, str]]
    free_in: str
    prev_href: str | None
    next_href: str | None


@dataclass(frozen=True, kw_only=True)
class LetterContext(Context):
    template: ClassVar[str] = "people/letter.html"
    line: LetterLine
    #: The letter's words by line; empty where they are secret or gone.
    text: Sequence[str]
    is_secret: bool
    #: (what the button sends, its words)
    acts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    next_try: str = ""


def ago(value: datetime, at: datetime) -> str:
    """How long ago, or how soon, in the reader's words: nobody has to know the server's time zone."""
    locale = "zh_Hans_CN" if i18n.current_locale() == "zh-Hans" else "en"
    return str(format_timedelta(value - at, add_direction=True, locale=locale))


def _is_secret(letter: LetterFacts) -> bool:
    """A sign-in code is shown in development only: an administrator must not be able to sign in as somebody else."""
    return letter.urgent and not wiring.settings().development


def _line(letter: LetterFacts, at: datetime) -> LetterLine:
    known = letter.problem in {str(one) for one in LetterTrouble}
    return LetterLine(
        letter=letter,
        subject="" if _is_secret(letter) else letter.subject,
        kind=_STATE_KINDS[letter.state],
        state=render.words_for(letter.state),
        problem=render.words_for(letter.problem) if known else letter.problem,
        when=ago(letter.sent_at or letter.created_at, at),
        href=render.url("people.letter", id=letter.id),
    )


async def outbox(request: Request) -> Response:
    """Every letter of the installation by state, and what slows them."""
    at = datetime.now(UTC)
    wanted = request.query_params.get("state", "")
    state = LetterState(wanted) if wanted in {str(one) for one in LetterState} else None
    number = request.query_params.get("page", "1")
    page = await queries.letters(
        state=state, page=int(number) if number.isdecimal() and len(number) < 9 else 1
    )
    facts = await queries.outbox_state(wiring.settings(), at)

    def href(one: LetterState | None, number: int = 1) -> str:
        return render.with_query(render.url("people.outbox"), state=one, page=number if number > 1 else None)

    total = sum(page.by_state.values())
    context = OutboxContext(
        outbox=facts,
        letters=page,
        lines=[_line(letter, at) for letter in page.items],
        chips=[
            (i18n.gettext("All"), href(None), total, state is None),
            *(
                (render.words_for(one), href(one), page.by_state.get(one, 0), one is state)
                for one in LetterState
                if page.by_state.get(one) or one is state
            ),
        ],
        full_domains=[(full.domain, full.waiting, ago(full.free_at, at)) for full in facts.full_domains],
        free_in=ago(facts.free_at, at) if facts.free_at else "",
        prev_href=href(state, page.page - 1) if page.page > 1 else None,
        next_href=href(state, page.page + 1) if page.last < page.total else None,
    )
    return await render.page(request, context)


async def letter(request: Request) -> Response:
    """One letter: its words, what became of it, and what may be done."""
    at = datetime.now(UTC)
    found = await queries.letter(int(request.path_params["id"]))
    is_secret = _is_secret(found)
    context = LetterContext(
        line=_line(found, at),
        text=() if is_secret else found.text.splitlines(),
        is_secret=is_secret,
        acts=[
            (str(act), render.words_for(act))
            for act, (states, _) in rules.LETTER_ACTS.items()
            if found.state in states
        ],
        next_try=ago(found.next_try_at, at)
        if found.state is LetterState.WAITING and found.next_try_at > at
        else "",
    )
    return await render.page(request, context)


class ActForm(forms.Form):
    act: LetterAct


async def letter_act(request: Request) -> Response:
    """Sends again, holds back or discards one letter."""
    letter_id = int(request.path_params["id"])
    chosen = forms.read_form(await forms.form_data(request, max_files=0, max_fields=10), ActForm)
    await letters.act(
        actor=await signin.actor_of(request), letter_id=letter_id, act=chosen.act, at=datetime.now(UTC)
    )
    return render.see_other(render.url("people.letter", id=letter_id))


ROUTES: list[Entry] = [
    public("/sign-in", sign_in, "people.sign_in", ("GET", "POST")),
    public("/sign-in/code", sign_in_code, "people.sign_in.code", ("GET", "POST")),
    public("/sign-out", sign_out, "people.sign_out", ("POST",)),
    Entry("/dev/codes", "people.dev_codes", "development", dev_codes),
    signed_in("/account", account, "people.account", ("GET", "POST")),
    signed_in("/account/others/sign-out", sign_out_others, "people.sign_out.others", ("POST",)),
    admin("/outbox", outbox, "people.outbox"),
    admin("/outbox/{id:int}", letter, "people.letter"),
    admin("/outbox/{id:int}/state", letter_act, "people.letter.act", ("POST",)),
]
