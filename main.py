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

import agenda.cfp_api
import agenda.cfp_desk
import agenda.cfp_export
import agenda.cfp_form
import agenda.cfp_import_pages
import agenda.cfp_own
import agenda.cfp_pages
import agenda.copying
import agenda.dashboard_pages
import agenda.desk
import agenda.invited_pages
import agenda.letters_api
import agenda.letters_desk
import agenda.pages
import agenda.privacy
import agenda.proposal_api
import agenda.proposal_desk
import agenda.releases_desk
import agenda.review_api
import agenda.review_desk
import agenda.review_pages
import agenda.speaker_api
import agenda.speaker_desk
import agenda.speaker_forms
import agenda.speaker_pages
import agenda.speaker_tickets
import agenda.words
import checkin.api
import checkin.arrival_list
import checkin.badge_api
import checkin.badge_pages
import checkin.board
import checkin.conflict_api
import checkin.conflict_pages
import checkin.copying
import checkin.desk
import checkin.device_api
import checkin.device_desk
import checkin.device_pages
import checkin.holder_files
import checkin.installing
import checkin.ledger_pages
import checkin.monitoring
import checkin.names
import checkin.pages
import checkin.person_api
import checkin.phone_test_pages
import checkin.privacy
import checkin.privacy_pages
import checkin.rehearsal_pages
import checkin.room_api
import checkin.room_pages
import checkin.screens
import checkin.sign_in_list
import checkin.snapshot_api
import checkin.station_pages
import checkin.walk_in
import checkin.walk_in_api
import checkin.words
import events.api
import events.arrivals
import events.desk
import events.group_pages
import events.imports
import events.joining
import events.pages
import events.partner_links
import events.partner_pages
import events.privacy
import events.registering
import events.reminders
import events.words
import people.monitoring
import people.pages
import people.privacy_pages
import people.unsubscribe_pages
import people.words
import web.monitoring
import web.pages
from agenda import joining, kept_forms, proposals, review_setup, speaker_letters, speaker_link, twins
from checkin import (
    arrivals,
    board,
    cards,
    checkpoints,
    counting,
    devices,
    pairings,
    passports,
    phone_tests,
    quarantine,
    room_clock,
    scanning,
    snapshot,
)
from events import (
    access,
    copying,
    groups,
    identity,
    invitations,
    meetups,
    merging,
    person_keys,
    questionnaire,
    registrations,
    token_choices,
    transfers,
    waitlist,
)
from events.rules import Module, Permission
from kernel import backup, db, migrations
from kernel.actor import SYSTEM
from kernel.errors import Code, Refusal, where_it_failed
from kernel.live import hub
from kernel.seat import Seat
from kernel.settings import Settings
from kernel.text import N_
from people import account_pages, accounts, jobs, letters, limits, privacy, topics
from web import local_authority, openapi, render, signin, sockets
from web.express import Express
from web.local_authority import Certificates
from web.middleware import CrossSite, Frame
from web.routing import Entry
from web.static_files import StaticFiles
from web.wire import HttpProtocol, WebSocketProtocol

PACKAGES = ("people", "events", "agenda", "checkin")

log = logging.getLogger("huiwu")

#: A stop takes ten seconds at most: two for the sockets' goodbye, so many for requests under way (letters and jobs use
#: the same time to end), so many for what is left after them.
REQUESTS_S, REST_S = 5, 2.5

WORDS: dict[str, str] = {
    **people.words.WORDS,
    **events.words.WORDS,
    **events.desk.WORDS,
    **agenda.words.WORDS,
    **agenda.cfp_import_pages.WORDS,
    **checkin.words.WORDS,
}


def entries() -> list[Entry]:
    """Every route of the house; a test walks them and asks each for its access rule.

    The scanners' come first: routes are tried in order, and they are asked for at the door.
    """
    return [
        *checkin.api.ROUTES,
        *checkin.snapshot_api.ROUTES,
        *checkin.names.ROUTES,
        *checkin.person_api.ROUTES,
        *checkin.badge_api.ROUTES,
        *checkin.device_api.ROUTES,
        *sockets.ROUTES,
        *web.pages.ROUTES,
        *openapi.ROUTES,
        *web.monitoring.ROUTES,
        *people.pages.ROUTES,
        *people.unsubscribe_pages.ROUTES,
        *people.privacy_pages.ROUTES,
        *events.pages.ROUTES,
        *events.registering.ROUTES,
        *events.group_pages.ROUTES,
        *events.joining.ROUTES,
        *events.partner_pages.ROUTES,
        *events.api.ROUTES,
        *agenda.pages.ROUTES,
        *agenda.desk.ROUTES,
        *agenda.review_desk.ROUTES,
        *agenda.cfp_pages.ROUTES,
        *agenda.cfp_form.ROUTES,
        *agenda.cfp_own.ROUTES,
        *agenda.dashboard_pages.ROUTES,
        *agenda.cfp_export.ROUTES,
        *agenda.cfp_import_pages.ROUTES,
        *agenda.invited_pages.ROUTES,
        *agenda.speaker_pages.ROUTES,
        *agenda.speaker_desk.ROUTES,
        *agenda.speaker_api.ROUTES,
        *agenda.speaker_forms.ROUTES,
        *agenda.proposal_desk.ROUTES,
        *agenda.review_pages.ROUTES,
        *agenda.review_api.ROUTES,
        *agenda.cfp_desk.ROUTES,
        *agenda.releases_desk.ROUTES,
        *agenda.letters_desk.ROUTES,
        *agenda.letters_api.ROUTES,
        *agenda.cfp_api.ROUTES,
        *agenda.proposal_api.ROUTES,
        *checkin.pages.ROUTES,
        *checkin.device_pages.ROUTES,
        *checkin.device_desk.ROUTES,
        *checkin.phone_test_pages.ROUTES,
        *checkin.installing.ROUTES,
        *checkin.holder_files.ROUTES,
        *checkin.privacy_pages.ROUTES,
        *checkin.walk_in.ROUTES,
        *checkin.walk_in_api.ROUTES,
        *checkin.board.ROUTES,
        *checkin.ledger_pages.ROUTES,
        *checkin.conflict_pages.ROUTES,
        *checkin.conflict_api.ROUTES,
        *checkin.rehearsal_pages.ROUTES,
        *checkin.screens.ROUTES,
        *checkin.room_api.ROUTES,
        *checkin.room_pages.ROUTES,
        *checkin.arrival_list.ROUTES,
        *checkin.sign_in_list.ROUTES,
        *checkin.badge_pages.ROUTES,
        *checkin.station_pages.ROUTES,
        *checkin.desk.ROUTES,
        *events.desk.ROUTES,
    ]


#: The organiser's navigation, in the order of the days: (group, title, icon, route, permission, module if of one).
NAV: tuple[access.NavLine, ...] = (
    *events.desk.NAV,
    (
        "prepare",
        N_("Call for proposals"),
        "presentation",
        "agenda.desk.call",
        Permission.CHANGE_CALL,
        Module.PROGRAMME,
    ),
    (
        "prepare",
        N_("Proposals"),
        "inbox",
        "agenda.desk.proposals",
        Permission.SEE_PROPOSALS,
        Module.PROGRAMME,
    ),
    ("prepare", N_("My reviews"), "list-checks", "agenda.desk.review", Permission.REVIEW, Module.PROGRAMME),
    (
        "prepare",
        N_("Review board"),
        "chart-column",
        "agenda.desk.review_board",
        Permission.REVIEW,
        Module.PROGRAMME,
    ),
    (
        "prepare",
        N_("Invited talks"),
        "mail",
        "agenda.invited",
        Permission.CHANGE_PROPOSALS,
        Module.PROGRAMME,
    ),
    ("prepare", N_("Speakers"), "users", "agenda.desk.speakers", Permission.SEE_PROPOSALS, Module.PROGRAMME),
    (
        "prepare",
        N_("Prepared decisions"),
        "list-checks",
        "agenda.desk.decisions",
        Permission.DECIDE,
        Module.PROGRAMME,
    ),
    (
        "prepare",
        N_("Letters to speakers"),
        "mail",
        "agenda.desk.letters",
        Permission.DECIDE,
        Module.PROGRAMME,
    ),
    ("prepare", N_("Programme"), "calendar", "agenda.programme", Permission.VIEW_PUBLIC, Module.PROGRAMME),
    (
        "prepare",
        N_("Checkpoints"),
        "door-open",
        "checkin.desk.checkpoints",
        Permission.CHANGE_EVENT,
        Module.CHECKPOINTS,
    ),
    ("run", N_("Live board"), "presentation", "checkin.board", Permission.VIEW_BOARD, Module.BOARD),
    ("run", N_("Rooms"), "door-open", "checkin.tend", Permission.SCAN, Module.CHECKPOINTS),
    ("run", N_("Arrivals"), "check", "checkin.arrivals", Permission.SEE_REGISTRATIONS, Module.ARRIVALS),
    (
        "run",
        N_("Sign-in list"),
        "list-checks",
        "checkin.sign_in_list",
        Permission.SEE_REGISTRATIONS,
        Module.CHECKPOINTS,
    ),
    ("run", N_("Badges"), "ticket", "checkin.badges", Permission.SEE_REGISTRATIONS, Module.CHECKPOINTS),
    ("run", N_("Print stations"), "printer", "checkin.stations", Permission.WALK_IN, Module.CHECKPOINTS),
    ("run", N_("Scanner"), "scan-line", "checkin.scanner", Permission.SCAN),
    ("run", N_("Devices"), "shield", "checkin.desk.devices", Permission.PAIR_DEVICES, Module.CHECKPOINTS),
    ("run", N_("Walk-in"), "user-plus", "checkin.walk_in", Permission.WALK_IN, Module.CHECKPOINTS),
)


def wire(settings: Settings) -> None:
    """Connects the floors: hooks upward, providers downward. Doing it twice changes nothing."""
    people.configure(settings)
    web.monitoring.configure(settings)
    web.monitoring.PARTS[:] = [people.monitoring.families, checkin.monitoring.families]
    registrations.configure(key=settings.key)
    identity.configure(key=settings.key)
    questionnaire.configure(key=settings.key)
    groups.configure(key=settings.key)
    events.group_pages.short_codes = passports.short_codes
    invitations.configure(key=settings.key)
    events.desk.configure(settings)
    events.imports.connect()
    events.reminders.connect()
    privacy.PARTS[:], privacy.ERASERS[:] = [checkin.privacy.held], []
    events.privacy.connect()
    events.privacy.erased.connect(checkin.privacy.follow_erasure)
    events.privacy.emptied.connect(checkin.privacy.follow_emptying)
    account_pages.LINKS[:] = [(N_("My data"), "shield", "people.data")]
    scanning.configure(key=settings.key)
    snapshot.configure(key=settings.key)
    checkin.walk_in.configure(key=settings.key)
    _wire_phones(settings)
    events.partner_links.configure(key=settings.key, codes=passports.short_codes)
    events.desk.partners.DRAW[:] = [cards.png]
    letters.compose_with(events.partner_links.COMPOSER, events.partner_links.letter_parts)
    events.arrivals.connect(by_type=arrivals.by_type, among=arrivals.among)
    registrations.changed.connect(person_keys.follow)
    registrations.changed.connect(passports.follow_registrations)
    registrations.changed.connect(transfers.follow_registrations)
    transfers.configure(key=settings.key, was_admitted=passports.admitted)
    transfers.transferred.connect(passports.follow_transfer)
    merging.merged.connect(passports.follow_merge)
    letters.compose_with("transfer_giver", transfers.giver_letter)
    letters.compose_with("transfer_taker", transfers.taker_letter)
    jobs.chore("events.person_keys", 3600.0, person_keys.keep_filled)
    jobs.chore("events.transfers", 600.0, transfers.expire_due)
    copying.copied.connect(agenda.copying.follow_copy)
    copying.copied.connect(checkin.copying.follow_copy)
    meetups.made.connect(checkpoints.open_door)
    room_clock.connect()
    letters.compose_with("passport", passports.letter_parts)
    for name, composer in registrations.COMPOSERS.items():
        letters.compose_with(name, composer)
    waitlist.connect()
    events.registering.after_registering = checkin.pages.after_registering
    events.pages.LINKS[:] = [
        (N_("My passport"), "qr-code", "checkin.me", None),
        (N_("Programme"), "calendar", "agenda.programme", Module.PROGRAMME),
        (N_("Rooms now"), "door-open", "checkin.rooms", Module.CHECKPOINTS),
    ]
    events.desk.EXPORT_COLUMNS[:] = [passports.export_columns]
    events.desk.EXPORT_PICTURES[:] = [passports.export_pictures]
    events.desk.REGISTRATION_LINKS[:] = [*checkin.pages.REGISTRATION_LINKS, *events.desk.PERSON_LINKS]
    events.desk.SCOPES[:] = [
        checkin.desk.checkpoint_scopes,
        events.desk.site_scopes,
        agenda.cfp_desk.forum_scopes,
    ]
    access.CHECKPOINTS_OF["site"] = checkpoints.by_site
    events.desk.VERBS.update(
        transfers.VERBS | merging.VERBS | passports.VERBS | checkin.words.VERBS | agenda.words.VERBS
    )
    events.desk.CODES.update(
        kind=checkin.words.KINDS, once=checkin.words.ONCE, on_repeat=checkin.words.ON_REPEAT
    )
    privacy.VERBS.update(events.desk.VERBS)
    signin.configure(
        loader=devices.loader(accounts.actor_for_token),
        secure=settings.secure,
        failed=limits.count_failed_token,
    )
    account_pages.TOKEN_CHOICES[:] = [token_choices.choices]
    hub.declare("board", board.load_board)
    hub.declare("rooms", board.load_rooms)
    sockets.configure(
        authorise=board.authorise,
        origins=[settings.base_url],
        sockets=settings.sockets_max,
        network_of=limits.counted_network,
    )
    _wire_programme(settings)


def _wire_phones(settings: Settings) -> None:
    """Paired phones: their secrets, and what time alone changes about them."""
    for one in (pairings, quarantine, phone_tests):
        one.configure(key=settings.key)
    jobs.chore("checkin.pairings", 3600.0, pairings.purge)
    jobs.chore("checkin.devices", 30.0, devices.watch)


def _wire_programme(settings: Settings) -> None:
    """The call for proposals and its speakers; and the navigation, which is everybody's."""
    for item in NAV:
        access.register_nav(*item)
    joining.configure(key=settings.key)
    speaker_link.configure(key=settings.key)
    proposals.moved.connect(agenda.speaker_tickets.follow_move)
    kept_forms.connect()
    speaker_letters.configure(key=settings.key)
    speaker_letters.link_with(speaker_link.path_of)
    proposals.moved.connect(speaker_letters.follow_move)
    review_setup.connect()
    twins.connect()
    agenda.privacy.connect()
    events.privacy.erased.connect(agenda.privacy.follow_erasure)
    events.pages.MORE_LINKS[:] = [agenda.cfp_pages.home_links]


def create_app(settings: Settings, *, workers: bool = True) -> Starlette:
    """The application. Its lifespan opens the database, which must be at this program's version, and the workers.

    ``workers=False`` serves requests only: tests drive the outbox and the jobs themselves.
    """
    wire(settings)
    files = StaticFiles()
    web.pages.configure(files)
    openapi.configure(entries, server=settings.base_url)
    every = entries()
    app = Starlette(
        routes=[entry.as_route() for entry in every],
        middleware=[
            Middleware(Express, entries=every, secure=settings.secure, origins=[settings.base_url]),
            Middleware(Frame, secure=settings.secure),
            Middleware(
                CrossSite, origins=[settings.base_url], open_paths=people.unsubscribe_pages.OPEN_PATHS
            ),
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
        _workers[:] = [
            asyncio.create_task(_kept_alive("outbox", lambda: letters.run_outbox(settings))),
            asyncio.create_task(_kept_alive("jobs", jobs.run_jobs)),
        ]
        tasks += _workers
    settle_down()
    try:
        yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await scanning.committer.finish()
        hub.close()
        tasks[0].cancel()
        _stop_workers()
        await asyncio.wait(tasks, timeout=REST_S)
        await jobs.stop()
        await limits.close()
        if opened:
            await db.close_database()


#: Letters and jobs of this process, while they have not been told to stop.
_workers: list[asyncio.Task[None]] = []


def _stop_workers() -> None:
    """Tells letters and jobs to end what they do and to give the rest back; a second call does nothing."""
    while _workers:
        _workers.pop().cancel()


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


async def _backup(settings: Settings, target: Path) -> None:
    made = await backup.backup(settings, target, at=_now())
    print(f"written: {target} ({made['database']}, schema {made['schema']}, {made['files']} files)")


async def _restore(settings: Settings, source: Path) -> None:
    seat = Seat(settings)
    await seat.take()  # on SQLite, and where one process serves, nobody serves meanwhile
    try:
        made = await backup.restore(settings, source)
    finally:
        await seat.leave()
    print(f"restored: {made['files']} files, schema {made['schema']}, as of {made['made_at']}")
    print("next: python main.py migrate, then python main.py rebuild-counts <alias> for each event")


async def _rebuild(settings: Settings, slug: str) -> None:
    async with _house(settings):
        door = await access.open_event(SYSTEM, slug, Permission.VIEW_PUBLIC)
        differences = await counting.rebuild(door.event.id)
        checkpoints.forget_event(door.event.id)
    print("every total equals the ledger" if not differences else f"{len(differences)} totals were put right")


def _serve(settings: Settings, certificates: Certificates | None) -> None:
    """Serves until stopped. SIGTERM takes nothing new, finishes running scans and tells sockets when to come back."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("tortoise", "aiosqlite", "asyncio", "httpx2", "httpcore2", "authlib"):
        # They write down values, sign-in codes included, or the addresses of calls to sign-in providers.
        logging.getLogger(name).setLevel(logging.WARNING)
    _allow_descriptors(settings.sockets_max + 1_024)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=HttpProtocol,
        ws=WebSocketProtocol,
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
        timeout_graceful_shutdown=REQUESTS_S,
        ssl_certfile=str(certificates.certificate) if certificates else None,
        ssl_keyfile=str(certificates.key) if certificates else None,
    )
    server = sockets.Server(config, leaving=_stop_workers)

    async def serve() -> None:
        seat = Seat(settings)
        await seat.take()
        try:
            await server.serve(sockets=[sockets.listen(settings.host, settings.port)])
        finally:
            await seat.leave()

    _run(serve())


def _allow_descriptors(wanted: int) -> None:
    """Raises this process's soft limit of open files, which is often 1024; as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
        if reached < wanted:
            log.warning("only %d files may be open: fewer live screens than HUIWU_SOCKETS_MAX fit", reached)


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
    saved = commands.add_parser(
        "backup", help="write database and uploads into one file, while the server serves"
    )
    saved.add_argument("file", type=Path, help="name.tar.gz; must not exist")
    restored = commands.add_parser("restore", help="put a backup into an empty place, while no server runs")
    restored.add_argument("file", type=Path)
    commands.add_parser(
        "bench",
        help="measure the door, with 'live' the boards, with 'opening' play an opening hour, with 'review' the review board; see bench/",
        add_help=False,
    )
    return top


def _bench(arguments: list[str]) -> int:
    """Its options are its own, and so are its databases."""
    from bench import door, live, opening, review

    others = {"live": live.main, "opening": opening.main, "review": review.main}
    if arguments and arguments[0] in others:
        others[arguments[0]](arguments[1:])
    else:
        door.main(arguments)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives the exit code. Refusals end in one plain line, not in a traceback."""
    chosen, rest = parser().parse_known_args(arguments)
    if chosen.command == "bench":
        return _bench(rest)
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
        elif chosen.command in ("backup", "restore"):
            _run((_backup if chosen.command == "backup" else _restore)(settings, chosen.file))
    except Refusal as refusal:
        print(f"{refusal.code}: {render.words_for(refusal.code, refusal.params, 'en')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
