"""Answers: pages from typed contexts, JSON, and one shape for every error."""

from __future__ import annotations

import contextvars
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from jinja2 import BytecodeCache, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from kernel.actor import ANONYMOUS, Actor
from kernel.errors import Invalid, Problem, Refusal, where_it_failed
from kernel.text import N_, LocalizedText
from web import i18n, signin

log = logging.getLogger("huiwu.web")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class EventHeader:
    """What every page of an event shows of it."""

    slug: str
    name: str
    theme_url: str
    is_sample: bool = False
    time_zone: str = "UTC"
    #: The event's own pages, for the foot of its public ones: (words, href).
    foot: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class NavEntry:
    title: str
    href: str
    icon: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    entries: Sequence[NavEntry]


@dataclass(frozen=True, kw_only=True)
class Context:
    """Base of every page's context: plain values only, no row, no query, no clock.

    ``template`` names the file; ``event`` and ``nav`` are what the page's frame shows. ``stays_at`` is where the
    language switch comes back to when that is not the page's own address without its secrets: a link's page.
    ``typed_form`` is the id of a long form that the switch takes along: its own address then answers to ``lang``.
    """

    template: ClassVar[str] = ""
    event: EventHeader | None = None
    nav: Sequence[NavGroup] = field(default_factory=tuple)
    stays_at: str = ""
    typed_form: str = ""


@dataclass(frozen=True, kw_only=True)
class FormContext(Context):
    """A page with a form: what was typed and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ErrorContext(Context):
    template: ClassVar[str] = "error.html"
    status: int
    code: str
    what: str
    reference: str
    back: str = "/"


class _Wiring:
    environment: Environment | None = None
    texts: Environment | None = None
    words: Mapping[str, str] = {}
    routes: Callable[..., Any] | None = None
    static: Callable[[str], str] = staticmethod(lambda path: f"/static/0/{path}")
    base_url: str = ""
    development: bool = False


#: The words for the codes of this floor and the kernel's; main joins in every package's own WORDS.
WORDS: dict[str, str] = {
    "bad_request": N_("That request could not be read."),
    "invalid": N_("Please check the marked fields."),
    "sign_in_needed": N_("Please sign in first."),
    "forbidden": N_("You may not do this here."),
    "not_a_person": N_("This page is for people: an API token or a paired device can't open it."),
    "cross_site": N_(
        "This request came from another site, so nothing was done. Open the page here and try again."
    ),
    "not_found": N_("There is nothing at this address."),
    "method_not_allowed": N_("This address does not take that kind of request."),
    "conflict": N_("Somebody else changed this meanwhile. Reload the page and look again."),
    "replay_mismatch": N_("This request was sent before with other content, so nothing was done."),
    "gone": N_("This is no longer here."),
    "too_large": N_("That is too large."),
    "too_many": N_("Too many tries. Please wait a little and try again."),
    "busy": N_("We are very busy this moment. Please send it again; nothing was lost."),
    "unexpected": N_("Something went wrong on our side. It has been written down."),
    "required": N_("Please fill this in."),
    "too_long": N_("This is too long: at most %(limit)s characters."),
    "too_short": N_("This is too short: at least %(limit)s characters."),
    "not_a_choice": N_("Please choose one of the options."),
    "not_a_number": N_("Please enter a whole number."),
    "out_of_range": N_("This number is out of range."),
    "malformed": N_("This does not have the right form."),
}

_request: contextvars.ContextVar[Request | None] = contextvars.ContextVar("huiwu_request", default=None)


class _Compiled(BytecodeCache):
    """Compiled templates, kept for as long as the process lives: every further application begins with them."""

    def __init__(self) -> None:
        self.codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        code = self.codes.get(bucket.key)
        if code is not None:
            bucket.bytecode_from_string(code)  # of a source that has changed it takes nothing

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key] = bucket.bytecode_to_string()


_compiled = _Compiled()


def configure(
    *,
    packages: Sequence[str],
    words: Mapping[str, str],
    url_for: Callable[..., Any],
    static: Callable[[str], str],
    base_url: str,
    development: bool,
) -> None:
    """Called once by main: template folders, the words of every code, addresses."""
    folders = [ROOT / "web" / "templates", *(ROOT / package / "templates" for package in packages)]
    environment = Environment(
        bytecode_cache=_compiled,
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(
        text=lambda value: LocalizedText.of(value).in_(i18n.current_locale()),
        day=day,
        clock=clock,
        moment=moment,
        markdown=markdown,
        said=said,
        # "<" is written as an escape, so no value can close the script element it stands in.
        json=lambda value: Markup(orjson.dumps(value).decode().replace("<", "\\u003c")),  # noqa: S704
    )
    environment.globals.update(url=url, static=static, absolute=absolute, problem_text=problem_text)
    _Wiring.environment = environment
    # A letter is plain text: an apostrophe in a name must not arrive as &#39;.
    _Wiring.texts = environment.overlay(autoescape=False, bytecode_cache=None)
    _Wiring.words = {**WORDS, **words}
    _Wiring.routes = url_for
    _Wiring.static = static
    _Wiring.base_url = base_url
    _Wiring.development = development


def url(name: str, /, **params: Any) -> str:
    """The path of a named route; parameters that the path does not take go to the query."""
    assert _Wiring.routes is not None
    return str(_Wiring.routes(name, **params))


def in_development() -> bool:
    """Whether pages for developers exist on this installation."""
    return _Wiring.development


def build() -> str:
    """The fingerprint of the files for the browser: a page of another one is of another version."""
    return _Wiring.static("").split("/")[2]


def absolute(path: str) -> str:
    return f"{_Wiring.base_url}{path}"


def static(path: str) -> str:
    """The address of a file for the browser, as in templates."""
    return _Wiring.static(path)


def with_query(path: str, **params: Any) -> str:
    kept = {key: value for key, value in params.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def words_for(code: str, params: Mapping[str, Any] | None = None, locale: str | None = None) -> str:
    """A code in the reader's language; an unknown one is a programming mistake and shows as itself."""
    source = _Wiring.words.get(code)
    if source is None:
        log.error("no words for code %s", code)
        return code
    text = i18n.gettext(source) if locale is None else i18n.gettext_in(locale, source)
    return text % dict(params or {}) if "%(" in text else text


def problem_text(problem: Problem | None) -> str:
    return words_for(problem.code, problem.params) if problem else ""


said = words_for


def known_words() -> Mapping[str, str]:
    return _Wiring.words


_BABEL = {"zh-Hans": "zh_Hans_CN", "en": "en"}


def _babel() -> str:
    return _BABEL[i18n.current_locale()]


def day(value: date | datetime, zone: str | None = None) -> str:
    """A date as people say it: 2023年10月28日 周六 / Sat, 28 Oct 2023."""
    if isinstance(value, datetime) and zone:
        value = value.astimezone(ZoneInfo(zone))
    pattern = "y年M月d日 EEE" if i18n.current_locale() == "zh-Hans" else "EEE, d MMM y"
    return format_date(value, pattern, locale=_babel())


def clock(value: datetime, zone: str) -> str:
    return format_time(value.astimezone(ZoneInfo(zone)).timetz(), "HH:mm", locale=_babel())


def moment(value: datetime, zone: str) -> str:
    pattern = "M月d日 HH:mm" if i18n.current_locale() == "zh-Hans" else "d MMM HH:mm"
    return format_datetime(value.astimezone(ZoneInfo(zone)), pattern, locale=_babel())


def ago(value: datetime, at: datetime) -> str:
    """How long ago, or how soon, in the reader's words: nobody has to know the server's time zone."""
    return str(format_timedelta(value - at, add_direction=True, locale=_babel()))


#: "js-default": no raw HTML passes, links are checked for their scheme.
_markdown = MarkdownIt("js-default", {"linkify": False, "breaks": True}).disable("image")


def markdown(source: str) -> Markup:
    """Markdown as safe HTML: raw HTML is shown as text, pictures are left out, javascript: links are refused."""
    return Markup(_markdown.render(source))  # noqa: S704 -- the renderer escapes raw HTML


async def page(request: Request, context: Context, status: int = 200, *, private: bool = True) -> Response:
    """Renders a context's template. ``private`` pages are kept by nobody; public ones may be kept by a browser."""
    actor = await signin.actor_of(request)
    html = render(context, actor=actor, path=_here(request))
    response = HTMLResponse(html, status)
    response.headers["cache-control"] = "no-store" if private else "no-cache"
    response.headers["vary"] = "Cookie, Accept-Language"
    return response


def _here(request: Request) -> str:
    """This page's own address, to come back to; without its query where that holds a secret."""
    query = request.url.query
    kept = query and not any(name in request.query_params for name in ("key", "token"))
    return f"{request.url.path}?{query}" if kept else request.url.path


def render(context: Context, *, actor: Actor | None = ANONYMOUS, path: str = "/") -> str:
    """The page as text; no request needed, so that a test can render every template.

    With ``actor`` None the frame says nothing about its reader: for ``web.shared_pages``.
    """
    assert _Wiring.environment is not None
    assert context.template, type(context).__name__
    locale = i18n.current_locale()
    return _Wiring.environment.get_template(context.template).render(
        page=context,
        event=context.event,
        nav=context.nav,
        actor=actor,
        path=path,
        locale=locale,
        html_lang="zh-Hans" if locale == "zh-Hans" else "en",
        development=_Wiring.development,
    )


def text_of(template: str, **values: Any) -> str:
    """Renders a text template (letters); the caller has chosen the locale with i18n.use_locale."""
    assert _Wiring.texts is not None
    return _Wiring.texts.get_template(template).render(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, (UUID, Path)):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(type(value).__name__)


def json_bytes(value: Any) -> bytes:
    """JSON with UTC instants ending in Z; dataclasses and UUIDs are taken as they are."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


#: What an answer in JSON says of itself besides its length; nobody keeps it.
JSON_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``value`` as JSON; bytes are JSON already."""
    body = value if isinstance(value, bytes) else json_bytes(value)
    response = Response(body, status, media_type="application/json")
    response.headers["cache-control"] = "no-store"
    for name, text in (headers or {}).items():
        response.headers[name] = text
    return response


def reader_has(request: Request, etag: str) -> bool:
    """Whether the reader has this very version: a 304 says all. Weak comparison (RFC 9110, 13.1.2)."""
    known = request.headers.get("if-none-match", "").split(",")
    return etag.removeprefix("W/") in (one.strip().removeprefix("W/") for one in known)


def see_other(target: str) -> Response:
    return RedirectResponse(target, 303)


def new_reference() -> str:
    """The number on an error page and in the one log line for it."""
    return secrets.token_hex(4)


def wants_json(request: Request) -> bool:
    path = request.url.path
    is_for_machines = "/api/" in path or path.endswith(".json") or path.startswith("/live/")
    return is_for_machines or "application/json" in request.headers.get("accept", "").split(",")[0]


async def refusal(request: Request, error: Refusal) -> Response:
    """The one shape of every expected "no", as problem JSON (RFC 9457's members) or as a page."""
    if wants_json(request):
        body: dict[str, Any] = {
            "code": error.code,
            "title": words_for(error.code, error.params),
            "status": error.status,
        }
        if isinstance(error, Invalid) and error.fields:
            body["fields"] = {
                name: {"code": problem.code, "text": problem_text(problem)}
                for name, problem in error.fields.items()
            }
        response = json(body, error.status)
        response.headers["content-type"] = "application/problem+json"
    elif error.status == 401:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        response = see_other(
            with_query(url("people.sign_in"), next=target if request.method == "GET" else "/")
        )
    else:
        context = ErrorContext(
            status=error.status,
            code=error.code,
            what=words_for(error.code, error.params),
            reference=new_reference(),
        )
        response = await page(request, context, error.status)
    if "retry_after_s" in error.params or error.status == 503:
        response.headers["retry-after"] = str(int(error.params.get("retry_after_s", 1)))
    return response


async def unexpected(request: Request, error: Exception) -> Response:
    """One page, one id, one log line with context and nothing personal (the path's template, not the path)."""
    reference = new_reference()
    route = request.scope.get("route")
    log.error(
        "unexpected error %s at %s %s: %s",
        reference,
        request.method,
        getattr(route, "path", "?"),
        # Not the exception's own text: drivers and parsers quote the values that they choke on.
        where_it_failed(error),
    )
    if wants_json(request):
        return json(
            {"code": "unexpected", "title": words_for("unexpected"), "status": 500, "reference": reference},
            500,
        )
    context = ErrorContext(status=500, code="unexpected", what=words_for("unexpected"), reference=reference)
    return HTMLResponse(render(context), 500, headers={"cache-control": "no-store"})
