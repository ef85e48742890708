"""The scanner as an application: its manifest in two languages, its icons, and a worker that keeps what there is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from PIL import Image

import main
from events.models import Event
from kernel.settings import Settings
from tests.factories import make_account, make_event, make_role
from web.colour import parse_hex

BASE = "http://127.0.0.1:8000"


@pytest_asyncio.fixture(loop_scope="session")
async def client(database: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    app = main.create_app(database, workers=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def event(client: httpx2.AsyncClient) -> Event:
    return await make_event("coscon", theme_colour="#b4341f")


async def test_the_manifest_speaks_the_readers_language_and_starts_where_it_may(
    client: httpx2.AsyncClient, event: Event
) -> None:
    url = f"/e/{event.slug}/scanner.webmanifest"
    said = (await client.get(url, headers={"accept-language": "zh-CN"})).json()
    assert (said["name"], said["short_name"], said["lang"]) == ("扫码 · 中国开源年会", "扫码", "zh-Hans")
    assert (said["start_url"], said["scope"], said["display"]) == (
        "/e/coscon/scanner",
        "/e/coscon/",
        "standalone",
    )
    own = (await client.get(f"{url}?own=1", headers={"accept-language": "en"})).json()
    assert (own["start_url"], own["short_name"]) == ("/e/coscon/scan", "Scanner")
    for icon in said["icons"]:
        answer = await client.get(icon["src"])
        picture = Image.open(io.BytesIO(answer.content))
        assert (answer.headers["content-type"], picture.format) == ("image/png", "PNG")
        assert f"{picture.width}x{picture.height}" == icon["sizes"]
        corner = picture.convert("RGBA").getpixel((0, 0))
        assert isinstance(corner, tuple)
        if icon["purpose"] == "maskable":
            assert corner == (*(round(channel * 255) for channel in parse_hex("#b4341f")), 255)
        else:
            assert corner[3] == 0
    assert sorted((icon["sizes"], icon["purpose"]) for icon in said["icons"]) == [
        ("192x192", "any"),
        ("192x192", "maskable"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    ]


@pytest.mark.parametrize("path", ["round/180.png", "whole/64.png", "square/192.png", "whole/99999.png"])
async def test_no_other_icon_is_drawn(client: httpx2.AsyncClient, event: Event, path: str) -> None:
    assert (await client.get(f"/e/{event.slug}/scanner-icon/{path}")).status_code == 404


async def test_the_worker_names_files_that_there_are_and_changes_with_them(
    client: httpx2.AsyncClient, event: Event
) -> None:
    answer = await client.get(f"/e/{event.slug}/scanner-worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "unsafe" not in answer.headers["content-security-policy"]
    found = re.search(r"^self\.HUIWU = (.*);$", answer.text, re.MULTILINE)
    assert found is not None
    told = json.loads(found[1])
    assert (told["shell"], told["own"]) == (["/e/coscon/scanner"], "/e/coscon/scan")
    assert all(told["build"] in file for file in told["files"] if file.startswith("/static/"))
    names = {file.rsplit("/", 1)[1] for file in told["files"]}
    assert {"app.js", "judge.js", "zxing_reader.wasm", "lucide.svg", "scanner.css"} <= names
    # Everything that the page's modules import is among what is kept.
    for module in [file for file in told["files"] if "/js/scanner/" in file]:
        source = (await client.get(module)).text
        for target in re.findall(r"""(?:from|import\(|new URL\()\s*"(\.[^"]+)\"""", source):
            assert target.rsplit("/", 1)[1] in names, (module, target)
    missing = [
        file
        for file in [*told["files"], *told["shell"], *re.findall(r'importScripts\("([^"]+)"', answer.text)]
        if (await client.get(file)).status_code != 200
    ]
    assert missing == []


async def test_a_drafts_scanner_is_its_teams_alone(client: httpx2.AsyncClient) -> None:
    draft = await make_event("hidden", state="draft")
    await make_role(draft, await make_account(), "scanner")
    for path in ("scanner.webmanifest", "scanner-worker.js", "scanner-icon/round/192.png"):
        assert (await client.get(f"/e/{draft.slug}/{path}")).status_code == 404
