"""The page behind the last line of every letter that one can do without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from kernel.errors import NotFound
from people import unsubscribing
from web import forms, render
from web.render import Context
from web.routing import Entry, public

PATH: Final = "/unsubscribe"
#: A mailbox's own button posts here from another site (RFC 8058); the key in the address is all that counts.
OPEN_PATHS: Final = (PATH,)


@dataclass(frozen=True, kw_only=True)
class UnsubscribePage(Context):
    template: ClassVar[str] = "people/unsubscribe.html"
    #: empty for a key that is none, or a letter that is no longer kept
    key: str
    masked: str = ""
    is_over: bool = False


async def unsubscribe(request: Request) -> Response:
    """GET shows one button and changes nothing; POST, by the button or by a mailbox, stops the letters."""
    key = request.query_params.get("key", "")
    try:
        if request.method == "POST":
            values = forms.typed(await forms.form_data(request, max_files=0, max_fields=10))
            if values.get("act") == "resume":
                await unsubscribing.resume(key=key, at=datetime.now(UTC))
            else:
                everywhere = values.get("everywhere") == "1"
                await unsubscribing.stop(key=key, at=datetime.now(UTC), everywhere=everywhere)
        found = await unsubscribing.find(key)
    except NotFound:
        response = await render.page(request, UnsubscribePage(key=""), 404)
    else:
        page = UnsubscribePage(key=key, masked=found.masked, is_over=found.is_over)
        response = await render.page(request, page)
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


ROUTES: list[Entry] = [public(PATH, unsubscribe, "people.unsubscribe", ("GET", "POST"), body_max=8 * 1024)]
