"""The front door: settings become an application, and the command line.

This is the one place that knows everybody: it joins the packages' routes, words and jobs, connects lower floors'
hooks to upper floors' handlers, and starts the workers. Nobody imports it but tests and the benchmarks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

import agenda.desk
import agenda.pages
import agenda.words
import checkin.api
import checkin.board
import checkin.desk
import checkin.pages
import checkin.words
import events.api
import events.desk
import events.imports
import events.pages
import events.words
import people.pages
import people.words
import web.pages
from checkin import board, checkpoints, counting, passports, scanning
from events import access, registrations
from events.rules import Permission
from kernel import db, migrations
from kernel.actor import SYSTEM
from kernel.errors import Code, Refusal, where_it_failed
from kernel.live import hub
from kernel.seat import Seat
from kernel.settings import Settings
from kernel.text import N_
from people import accounts, jobs, letters, topics
from web import local_authority, render, signin, sockets
from web.local_authority import Certificates
from web.middleware import CrossSite, Frame
from web.routing import Entry
from web.static_files import StaticFiles

PACKAGES = ("people", "events", "agenda", "checkin")

log = logging.getLogger("huiwu")

WORDS: dict[str, str] = {
    **people.words.WORDS,
    **events.words.WORDS,
    **events.desk.WORDS,
    **agenda.words.WORDS,
    **checkin.words.WORDS,
}


def entries() -> list[Entry]:
    """Every route of the house; a test walks them and asks each for its access rule.

    The scanners' come first: routes are tried in order, and they are asked for at the door.
    """
    return [
        *checkin.api.ROUTES,
        *sockets.ROUTES,
        *web.pages.ROUTES,
        *people.pages.ROUTES,
        *events.pages.ROUTES,
        *events.api.ROUTES,
        *agenda.pages.ROUTES,
        *agenda.desk.ROUTES,
        *checkin.pages.ROUTES,
        *checkin.board.ROUTES,
        *checkin.desk.ROUTES,
        *events.desk.ROUTES,
    ]


#: The organiser's navigation, in the order of the days: (group, title, icon, route, permission).
NAV = (
    *events.desk.NAV,
    ("prepare", N_("Programme"), "calendar", "agenda.programme", Permission.VIEW_PUBLIC),
    ("prepare", N_("Checkpoints"), "door-open", "checkin.desk.checkpoints", Permission.CHANGE_EVENT),
    ("run", N_("Live board"), "presentation", "checkin.board", Permission.VIEW_BOARD),
    ("run", N_("Scanner"), "scan-line", "checkin.scanner", Permission.SCAN),
)


def wire(settings: Settings) -> None:
    """Connects the floors: hooks upward, providers downward. Doing it twice changes nothing."""
    people.configure(settings)
    registrations.configure(key=settings.key)
    events.desk.configure(settings)
    events.imports.connect()
    scanning.configure(key=settings.key)
    registrations.changed.connect(passports.follow_registrations)
    letters.compose_with("passport", passports.letter_parts)
    events.pages.after_registering = checkin.pages.after_registering
    events.pages.LINKS[:] = [
        (N_("Programme"), "calendar", "agenda.programme"),
        (N_("Rooms now"), "door-open", "checkin.rooms"),
    ]
    events.desk.EXPORT_COLUMNS[:] = [passports.export_columns]
    events.desk.EXPORT_PICTURES[:] = [passports.export_pictures]
    events.desk.REGISTRATION_LINKS[:] = checkin.pages.REGISTRATION_LINKS
    events.desk.SCOPES[:] = [checkin.desk.checkpoint_scopes]
    events.desk.VERBS.update(passports.VERBS | checkin.words.VERBS | agenda.words.VERBS)
    signin.configure(loader=accounts.actor_for_token, secure=settings.secure)
    hub.declare("board", board.load_board)
    hub.declare("rooms", board.load_rooms)
    sockets.configure(authorise=board.authorise, origins=[settings.base_url])
    for group, title, icon, name, permission in NAV:
        access.register_nav(group, title, icon, name, permission)


def create_app(settings: Settings, *, workers: bool = True) -> Starlette:
    """The application. Its lifespan opens the database, which must be at this program's version, and the workers.

    ``workers=False`` serves requests only: tests drive the outbox and the jobs themselves.
    """
    wire(settings)
    files = StaticFiles()
    web.pages.configure(files)
    app = Starlette(
        routes=[entry.as_route() for entry in entries()],
        middleware=[
            Middleware(Frame, secure=settings.secure),
            Middleware(CrossSite, origins=[settings.base_url]),
        ],
        exception_handlers={Refusal: _refused, HTTPException: _http_error},
        lifespan=lambda app: _lifespan(settings, workers=workers),
    )
    render.configure(
        packages=PACKAGES,
        words=WORDS,
        url_for=lambda name, **params: _path(app, name, params),
        static=files.url,
        base_url=settings.base_url,
        development=settings.development,
    )
    return app


def _path(app: Starlette, name: str, params: dict[str, Any]) -> str:
    """The path of a named route; what the path doesn't take goes to the query."""
    route = _route_names(app)[name]
    own = {key: value for key, value in params.items() if key in route.param_convertors}
    path = str(route.url_path_for(name, **own))
    return render.with_query(path, **{key: value for key, value in params.items() if key not in own})


def _route_names(app: Starlette) -> dict[str, Any]:
    names: dict[str, Any] = getattr(app.state, "route_names", {})
    if not names:
        names = {route.name: route for route in app.routes if isinstance(route, (Route, WebSocketRoute))}
        app.state.route_names = names
    return names


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return await render.refusal(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, wrong method, body too large) in the house's one shape."""
    assert isinstance(error, HTTPException)
    code = {404: Code.NOT_FOUND, 405: Code.METHOD, 413: Code.TOO_LARGE, 403: Code.FORBIDDEN}.get(
        error.status_code, Code.BAD_REQUEST
    )
    refusal = Refusal(code)
    refusal.status = error.status_code
    response = await render.refusal(request, refusal)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


@contextlib.asynccontextmanager
async def _lifespan(settings: Settings, *, workers: bool) -> AsyncIterator[None]:
    opened = not db.is_open()
    if opened:
        await migrations.require_own_version(settings)
        await db.open_database(settings)
    hub.reopen()
    tasks = [asyncio.create_task(_kept_alive("live", lambda: hub.run(topics.versions, live_bus(settings))))]
    if workers:
        tasks += [
            asyncio.create_task(_kept_alive("outbox", lambda: letters.run_outbox(settings))),
            asyncio.create_task(_kept_alive("jobs", jobs.run_jobs)),
        ]
    settle_down()
    try:
        yield
    finally:
        await scanning.committer.finish()
        hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await jobs.stop()
        if opened:
            await db.close_database()


def settle_down() -> None:
    """Tunes the interpreter for a door: what start-up made is left out of every later collection, and a thread that
    comes back from SQLite waits half a millisecond for its turn, not five."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(0.0005)


async def _kept_alive(name: str, start: Any) -> None:
    """A worker that falls over is written down and started again a little later; it must not end with the night."""
    while True:
        try:
            await start()
            return
        except Exception as error:  # noqa: BLE001 -- whatever it was, the worker goes on
            log.error("the %s worker failed and starts again: %s", name, where_it_failed(error))
            await asyncio.sleep(2)


def live_bus(settings: Settings) -> Any:
    """Redis between processes where it is set; within one process no bus is needed."""
    if not settings.redis_url:
        return None
    from kernel.live_redis import RedisBus

    return RedisBus(settings.redis_url)


# --- the command line --------------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def _house(settings: Settings) -> AsyncIterator[None]:
    """The house without its server: for commands. They may run while a server serves."""
    wire(settings)
    create_app(settings, workers=False)  # letters and exports need the pages' addresses
    await migrations.require_own_version(settings)
    await db.open_database(settings)
    try:
        yield
    finally:
        await jobs.stop()
        await db.close_database()


async def _migrate(settings: Settings) -> None:
    applied = await migrations.migrate(settings)
    print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


async def _demo(settings: Settings) -> None:
    from scripts import demo

    async with _house(settings):
        await demo.create(settings=settings, at=_now())
    print(demo.print_where_to_look(settings))


async def _create_admin(settings: Settings, email: str, name: str) -> None:
    async with _house(settings):
        account_id = await accounts.create_account(
            email=email, name=name, is_admin=True, locale="zh-Hans", at=_now()
        )
    print(f"account {account_id} runs this installation; sign in at {settings.base_url}/sign-in")


async def _sign_in_token(settings: Settings, email: str) -> None:
    async with _house(settings):
        account_id = await accounts.create_account(
            email=email, name="", is_admin=False, locale="zh-Hans", at=_now()
        )
        print(await accounts.open_sign_in(account_id=account_id, user_agent="command line", at=_now()))


async def _import(settings: Settings, slug: str, name: str, data: bytes, *, partial: bool) -> int:
    """Reads a list and prints its report; 1 when any line could not be read."""
    async with _house(settings):
        door = await access.open_event(SYSTEM, slug, Permission.CHANGE_REGISTRATIONS)
        outcome = await events.imports.run(
            door.event.id, name, data, actor=SYSTEM, at=_now(), partial=partial
        )
        for row in outcome.rows:
            for problem in (*row["problems"], *row["warnings"]):
                said = render.words_for(problem["code"], problem.get("params"))
                print(f"line {row['line']}: {row['action']}: {said}")
        for problem in outcome.problems:
            print(render.words_for(problem["code"], problem.get("params")))
        print(", ".join(f"{count} {name}" for name, count in outcome.totals.items()))
        print("imported" if outcome.applied else "nothing was imported")
    return 0 if outcome.applied and not outcome.totals["error"] else 1


async def _export(settings: Settings, slug: str, suffix: str) -> bytes:
    # A workbook comes with each person's QR picture: organisers send them by their own channels.
    kinds = {".csv": "csv", ".xlsx": "xlsx-qr"}
    if suffix not in kinds:
        raise SystemExit("export writes name.csv or name.xlsx")
    async with _house(settings):
        door = await access.open_event(SYSTEM, slug, Permission.SEE_REGISTRATIONS)
        return await events.desk.export_bytes(door.event.id, kinds[suffix], at=_now())


async def _rebuild(settings: Settings, slug: str) -> None:
    async with _house(settings):
        door = await access.open_event(SYSTEM, slug, Permission.VIEW_PUBLIC)
        differences = await counting.rebuild(door.event.id)
        checkpoints.forget_event(door.event.id)
    print("every total equals the ledger" if not differences else f"{len(differences)} totals were put right")


def _serve(settings: Settings, certificates: Certificates | None) -> None:
    """Serves until stopped. SIGTERM finishes running scans and tells sockets when to come back."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("tortoise", "aiosqlite", "asyncio"):
        # At DEBUG they write down every value, sign-in codes included.
        logging.getLogger(name).setLevel(logging.WARNING)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        # Live frames are small and the same for thousands: compressing each costs more than sending it.
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024,
        # Ours leaves out queries and tokens; uvicorn's would not.
        access_log=False,
        server_header=False,
        log_config=None,
        # Believed only from the proxies that are configured; none by default.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies) or "",
        timeout_graceful_shutdown=10,
        ssl_certfile=str(certificates.certificate) if certificates else None,
        ssl_keyfile=str(certificates.key) if certificates else None,
    )
    server = sockets.Server(config)

    async def serve() -> None:
        seat = Seat(settings)
        await seat.take()
        try:
            await server.serve(sockets=[sockets.listen(settings.host, settings.port)])
        finally:
            await seat.leave()

    _run(serve())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def _lan(settings: Settings) -> tuple[Settings, Certificates]:
    """Settings for phones on the LAN, and a certificate that they can be made to trust."""
    addresses = local_authority.lan_addresses()
    certificates = local_authority.ensure(settings.data_dir / "lan", addresses)
    host = addresses[0] if addresses else "localhost"
    base_url = os.environ.get("HUIWU_BASE_URL") or f"https://{host}:{settings.port}"
    web.pages.LOCAL_AUTHORITY = certificates.authority
    print(f"On the phone open {base_url}/local-authority.crt once, install it as a trusted authority,")
    print(f"then open {base_url}. It was made for this machine alone: {certificates.authority}")
    return dataclasses.replace(settings, host="0.0.0.0", base_url=base_url), certificates  # noqa: S104 -- asked for


def parser() -> argparse.ArgumentParser:
    """The command line; ``python main.py --help`` is its documentation."""
    top = argparse.ArgumentParser(prog="python main.py", description="Huiwu 会务: run a conference.")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve; migrates first")
    run.add_argument(
        "--demo", action="store_true", help="create the demo conference if there is none, and show codes"
    )
    run.add_argument(
        "--lan", action="store_true", help="HTTPS from a local authority, for real phones on the LAN"
    )
    commands.add_parser("migrate", help="bring the database up to this program's version")
    commands.add_parser("demo", help="create the demo conference if there is none")
    admin = commands.add_parser(
        "create-admin", help="make or promote the account that runs this installation"
    )
    admin.add_argument("email")
    admin.add_argument("--name", default="")
    token = commands.add_parser(
        "sign-in-token", help="print a bearer token for an account: scripts and load tests"
    )
    token.add_argument("email")
    imported = commands.add_parser("import-registrations", help="read a CSV or XLSX list into an event")
    imported.add_argument("event", help="the event's alias")
    imported.add_argument("file", type=Path)
    imported.add_argument("--partial", action="store_true", help="leave out the rows that the report names")
    export = commands.add_parser("export", help="write an event's registrations")
    export.add_argument("event", help="the event's alias")
    export.add_argument("file", type=Path, help="name.csv or name.xlsx")
    rebuild = commands.add_parser("rebuild-counts", help="compute an event's totals anew from its scans")
    rebuild.add_argument("event", help="the event's alias")
    commands.add_parser("bench", help="measure the door; see bench/door.py --help", add_help=False)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives the exit code. Refusals end in one plain line, not in a traceback."""
    chosen, rest = parser().parse_known_args(arguments)
    if chosen.command == "bench":
        # Its options are its own, and so are its databases.
        from bench import door

        door.main(rest)
        return 0
    if rest:
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    overrides: dict[str, Any] = {}
    if chosen.command == "run" and chosen.demo and "HUIWU_DEVELOPMENT" not in os.environ:
        overrides["development"] = True
    settings = Settings.from_env(**overrides)
    try:
        if chosen.command == "run":
            certificates = None
            if chosen.lan:
                settings, certificates = _lan(settings)
            _run(_migrate(settings))
            if chosen.demo:
                _run(_demo(settings))
            _serve(settings, certificates)
        elif chosen.command == "migrate":
            _run(_migrate(settings))
        elif chosen.command == "demo":
            _run(_migrate(settings))
            _run(_demo(settings))
        elif chosen.command == "create-admin":
            _run(_create_admin(settings, chosen.email, chosen.name))
        elif chosen.command == "sign-in-token":
            _run(_sign_in_token(settings, chosen.email))
        elif chosen.command == "import-registrations":
            return int(
                _run(
                    _import(
                        settings,
                        chosen.event,
                        chosen.file.name,
                        chosen.file.read_bytes(),
                        partial=chosen.partial,
                    )
                )
            )
        elif chosen.command == "export":
            chosen.file.write_bytes(
                _run(_export(settings, chosen.event, chosen.file.suffix.lstrip(".").lower()))
            )
            print(f"written: {chosen.file}")
        elif chosen.command == "rebuild-counts":
            _run(_rebuild(settings, chosen.event))
    except Refusal as refusal:
        print(f"{refusal.code}: {render.words_for(refusal.code, refusal.params, 'en')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
