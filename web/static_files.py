"""Files for the browser, under an address that changes with their content, so that they may be kept for ever."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from kernel.errors import NotFound

FOLDER = Path(__file__).resolve().parent / "static"
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("image/svg+xml", ".svg")


def fingerprint(folder: Path = FOLDER) -> str:
    """One hash over all files: modules import each other by relative address, so they must share one prefix."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            seen.update(str(path.relative_to(folder)).encode())
            seen.update(path.read_bytes())
    return seen.hexdigest()[:12]


class StaticFiles:
    """Serves ``/static/<fingerprint>/<path>``; the wrong fingerprint still answers, but is not kept."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder.resolve()
        self.stamp = fingerprint(folder)

    def url(self, path: str) -> str:
        return f"/static/{self.stamp}/{path}"

    async def serve(self, request: Request) -> Response:
        wanted = (self.folder / request.path_params["path"]).resolve()
        if not wanted.is_file() or self.folder not in wanted.parents:
            raise NotFound()
        fresh = request.path_params["stamp"] == self.stamp
        response = FileResponse(wanted, media_type=mimetypes.guess_type(wanted.name)[0])
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
        if wanted.suffix in (".js", ".mjs"):
            # A worker takes its policy from its own script's answer: the decoder needs WebAssembly, nothing else.
            response.headers["content-security-policy"] = (
                "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
            )
        return response
