"""The scanner as an application on a phone's home screen: its manifest, its icons, and the worker that keeps its files.

The worker is a short script of its own address below the event, so that it may keep the event's pages and no others;
what it does stands in ``static/js/scanner/worker.js``. Its first line changes with any file for the browser, which is
how a browser learns that there is a new version.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import Response

from events import access
from events.access import Door, route
from events.rules import EventFacts, Permission
from kernel.errors import NotFound
from web import colour, render, static_files
from web.i18n import current_locale, gettext
from web.render import url
from web.routing import Entry

#: Sizes that browsers ask for, and whether the picture may be cut to a circle (then it fills the whole square).
ICONS: Final = ((192, False), (512, False), (192, True), (512, True), (180, True))
#: Drawn so much larger and scaled down, for smooth edges.
_FINER: Final = 4
_WEEK: Final = "public, max-age=604800"
#: What the scanner's page loads besides its own modules.
_FILES: Final = (
    "css/tokens.css",
    "css/base.css",
    "css/parts.css",
    "css/scanner.css",
    "img/favicon.svg",
    "js/rehearsal.js",
)
_FOLDERS: Final = ("js/scanner", "vendor/zxing")


async def manifest(request: Request, door: Door) -> Response:
    """For installing; ``?own=1`` starts at the page of signed-in volunteers instead of a paired phone's."""
    slug, event = door.event.slug, door.event
    name = event.name.in_(current_locale())
    is_own = request.query_params.get("own") == "1"
    start = url("checkin.scanner" if is_own else "checkin.shell", slug=slug)
    said: dict[str, Any] = {
        "id": start,
        "name": gettext("Scanner · %(event)s") % {"event": name},
        "short_name": gettext("Scanner"),
        "lang": current_locale(),
        "start_url": start,
        "scope": f"/e/{slug}/",
        "display": "standalone",
        "orientation": "any",
        "background_color": "#0c0d0f",
        "theme_color": "#0c0d0f",
        "icons": [
            {
                "src": icon_url(slug, event.theme_colour, size, is_maskable=is_maskable),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "maskable" if is_maskable else "any",
            }
            for size, is_maskable in ICONS
            if size != 180
        ],
    }
    response = render.json(said)
    response.headers["content-type"] = "application/manifest+json"
    response.headers["cache-control"] = "no-cache"
    return response


def addresses(slug: str) -> dict[str, str]:
    """What the scanner's script asks for besides single scans."""
    return {
        "batch": url("checkin.api.scan_batch", slug=slug),
        "snapshot": url("checkin.api.snapshot", slug=slug),
        "snapshot_seen": url("checkin.api.snapshot_seen", slug=slug),
        "names": url("checkin.api.snapshot_names", slug=slug),
        "conflicts": url("checkin.api.conflicts", slug=slug),
        "conflict_deal": url("checkin.api.conflict_deal", slug=slug, scan_id=str(UUID(int=0))),
    }


def told(slug: str) -> dict[str, str]:
    """What else it is told: where its worker lies and for which pages, which version it is, and what answers a trial."""
    return {
        "worker": url("checkin.scanner_worker", slug=slug),
        "scope": url("checkin.scanner", slug=slug),
        "build": render.build(),
        "health": url("web.health"),
    }


@dataclass(frozen=True, slots=True)
class Links:
    """For the page's head, and where a phone is paired again."""

    manifest: str
    touch_icon: str
    pair: str


def links(event: EventFacts, *, is_own: bool) -> Links:
    """``is_own``: of the page of signed-in volunteers, not of paired phones."""
    slug = event.slug
    return Links(
        manifest=render.with_query(url("checkin.scanner_manifest", slug=slug), own="1" if is_own else ""),
        touch_icon=icon_url(slug, event.theme_colour, 180, is_maskable=True),
        pair=url("checkin.pair", slug=slug),
    )


def icon_url(slug: str, theme_colour: str, size: int, *, is_maskable: bool) -> str:
    """An icon's address, which changes with the event's colour."""
    return render.with_query(
        url("checkin.scanner_icon", slug=slug, size=size, shape="whole" if is_maskable else "round"),
        c=theme_colour.removeprefix("#"),
    )


async def icon(request: Request, door: Door) -> Response:
    size, shape = int(request.path_params["size"]), request.path_params["shape"]
    if (size, shape == "whole") not in ICONS or shape not in ("whole", "round"):
        raise NotFound()
    data = await asyncio.to_thread(draw, door.event.theme_colour, size, is_maskable=shape == "whole")
    kept = _WEEK if not door.roles else "no-cache"
    return Response(data, media_type="image/png", headers={"cache-control": kept})


@lru_cache(maxsize=64)
def draw(theme_colour: str, size: int, *, is_maskable: bool) -> bytes:
    """A camera's frame around a tick, in the event's colour, as a PNG.

    A maskable one fills the square and keeps what matters in the inner four fifths; any other has round corners.
    """
    ground = colour.accent_fill(theme_colour)
    ink = colour.accent_ink(ground)
    whole = size * _FINER
    picture = Image.new("RGBA", (whole, whole), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    if is_maskable:
        pen.rectangle((0, 0, whole, whole), fill=ground)
    else:
        pen.rounded_rectangle((0, 0, whole - 1, whole - 1), radius=whole * 0.22, fill=ground)
    near, far = (0.27, 0.73) if is_maskable else (0.2, 0.8)
    width = round(whole * 0.055)
    arm = whole * 0.13

    def line(*points: tuple[float, float]) -> None:
        pen.line([*points], fill=ink, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)

    for x, to_x in ((near, 1), (far, -1)):
        for y, to_y in ((near, 1), (far, -1)):
            corner = (x * whole, y * whole)
            line((corner[0] + to_x * arm, corner[1]), corner, (corner[0], corner[1] + to_y * arm))
    span = far - near
    line(
        *(
            ((near + span * x) * whole, (near + span * y) * whole)
            for x, y in ((0.27, 0.52), (0.44, 0.68), (0.74, 0.34))
        )
    )
    out = io.BytesIO()
    picture.resize((size, size), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


async def worker(request: Request, door: Door) -> Response:
    """The service worker of this event's scanner, with the list of what it keeps."""
    del request
    slug = door.event.slug
    told = {
        "build": render.build(),
        "slug": slug,
        "shell": [url("checkin.shell", slug=slug)],
        "own": url("checkin.scanner", slug=slug),
        "files": [
            *(render.static(path) for path in _files()),
            access.theme_url(door.event),
            icon_url(slug, door.event.theme_colour, 192, is_maskable=False),
        ],
    }
    script = (
        f"self.HUIWU = {orjson.dumps(told).decode()};\n"
        f"importScripts({orjson.dumps(render.static('js/scanner/worker.js')).decode()});\n"
    )
    return Response(
        script,
        media_type="text/javascript",
        headers={
            "cache-control": "no-cache",
            # A worker takes its policy from its own script's answer: it fetches our files, and nothing from anybody else.
            "content-security-policy": "default-src 'self'; script-src 'self'",
        },
    )


@lru_cache(maxsize=1)
def _files() -> tuple[str, ...]:
    folder = static_files.FOLDER
    found = [
        str(path.relative_to(folder))
        for name in _FOLDERS
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and path.name != "worker.js"
    ]
    return (*_FILES, "vendor/lucide.svg", *found)


ROUTES: list[Entry] = [
    route("/e/{slug}/scanner.webmanifest", manifest, "checkin.scanner_manifest", Permission.VIEW_PUBLIC),
    route("/e/{slug}/scanner-worker.js", worker, "checkin.scanner_worker", Permission.VIEW_PUBLIC),
    route(
        "/e/{slug}/scanner-icon/{shape}/{size:int}.png",
        icon,
        "checkin.scanner_icon",
        Permission.VIEW_PUBLIC,
    ),
]
