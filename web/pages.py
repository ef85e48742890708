"""What belongs to no trade: the language switch, files for the browser, health, and what crawlers and phones ask for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from kernel import db
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LOCALES
from web import forms, render, signin
from web.render import FormContext
from web.routing import Entry, public
from web.static_files import StaticFiles

#: The local certificate authority's file, set by main for a rehearsal on the LAN; phones install it once.
LOCAL_AUTHORITY: Path | None = None

#: How long a health check waits for the database before it says no.
HEALTH_TIMEOUT_S: Final = 2.0

#: Pages about one person are no business of a search engine, whatever links to them.
_ROBOTS: Final = "User-agent: *\nDisallow: /p\nDisallow: /e/*/me\nDisallow: /e/*/desk\nDisallow: /sign-in\n"


class _Wiring:
    files: StaticFiles | None = None


def configure(files: StaticFiles) -> None:
    """Called once by main: where the browser's files lie."""
    _Wiring.files = files


def _files() -> StaticFiles:
    assert _Wiring.files is not None, "main calls web.pages.configure first"
    return _Wiring.files


async def language(request: Request) -> Response:
    """Remembers the reader's language on their own device and goes back to where they were."""
    data = forms.typed(await forms.form_data(request))
    if data.get("lang") not in LOCALES:
        raise Invalid({"lang": Problem(Code.NOT_A_CHOICE)})
    response = render.see_other(signin.safe_next(data.get("next")))
    signin.set_language(response, data["lang"])
    return response


async def health(_request: Request) -> Response:
    """200 while requests can be answered, which takes the database and nothing else; 503 otherwise."""
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            await db.query("SELECT 1 AS one")
    except Exception:  # noqa: BLE001 -- whatever it is, the answer is "not now"
        return render.json({"ok": False}, 503)
    return render.json({"ok": True})


async def static(request: Request) -> Response:
    return await _files().serve(request)


async def favicon(_request: Request) -> Response:
    return FileResponse(
        _files().folder / "img" / "favicon.svg",
        media_type="image/svg+xml",
        headers={"cache-control": "max-age=86400"},
    )


async def robots(_request: Request) -> Response:
    return PlainTextResponse(_ROBOTS, headers={"cache-control": "max-age=86400"})


async def local_authority(_request: Request) -> Response:
    """The certificate of this machine's own authority; there is one only while main rehearses on the LAN."""
    if LOCAL_AUTHORITY is None:
        raise NotFound()
    return FileResponse(
        LOCAL_AUTHORITY, media_type="application/x-x509-ca-cert", headers={"cache-control": "no-store"}
    )


class Gallery(FormContext):
    template: ClassVar[str] = "gallery.html"


async def gallery(request: Request) -> Response:
    """Every part of the look on one page, in development only."""
    if not render.in_development():
        raise NotFound()
    problems = {"email": Problem(Code.REQUIRED), "kind": Problem(Code.NOT_A_CHOICE)}
    return await render.page(request, Gallery(problems=problems))


ROUTES: list[Entry] = [
    public("/language", language, "web.language", ("POST",)),
    public("/healthz", health, "web.health"),
    public("/static/{stamp}/{path:path}", static, "web.static"),
    public("/favicon.ico", favicon, "web.favicon"),
    public("/robots.txt", robots, "web.robots"),
    public("/local-authority.crt", local_authority, "web.local_authority"),
    Entry("/dev/gallery", "web.gallery", "development", gallery),
]
