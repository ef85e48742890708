"""The board and the rooms over HTTP and WebSocket: who may follow what, what a frame is, and how much one may ask."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket as system
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from checkin import checkpoints
from checkin.models import Checkpoint, Passport
from events import access
from events.models import Event, RoleGrant
from kernel import live as live_topics
from kernel.actor import ANONYMOUS, Actor
from kernel.db import unit_of_work
from kernel.errors import Busy
from kernel.live import Frame, Hub
from kernel.settings import Settings
from main import create_app
from people import accounts, topics
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_ticket_type,
)
from web import signin, sockets
from web.sockets import Limits, Live
from web.wire import WebSocketProtocol

#: Another server, which does not know our extension: everything goes the ordinary way of ASGI.
ANOTHER = "websockets-sansio"

Json = dict[str, Any]


class Quiet(sockets.Server):
    """Serves inside the test's process and leaves its signal handlers alone."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


#: For what comes at once on a machine of one's own; on a busy one it still comes.
PATIENCE_S = 30


@contextlib.asynccontextmanager
async def serving(app: Any, ws: Any = WebSocketProtocol) -> AsyncIterator[tuple[Quiet, str]]:
    """The application on a real port with a real WebSocket protocol, as main serves it unless told otherwise."""
    listener = sockets.listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        ws=ws,
        ws_per_message_deflate=False,
        log_config=None,
        timeout_graceful_shutdown=3,
    )
    server = Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(PATIENCE_S):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
    try:
        yield server, f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def hear(socket: ClientConnection) -> Json:
    """The next thing that is not a greeting or a pong."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            said: Json = orjson.loads(await socket.recv())
            if said.get("op") not in ("hello", "pong"):
                return said


async def nothing(socket: ClientConnection) -> None:
    """Everything that was sent before a pong has been heard by then: so there was nothing."""
    await say(socket, op="ping")
    async with asyncio.timeout(PATIENCE_S):
        while (said := orjson.loads(await socket.recv())).get("op") != "pong":
            assert said.get("op") == "hello", said


async def say(socket: ClientConnection, **what: Any) -> None:
    await socket.send(orjson.dumps(what).decode())


# --- the house's own board ---------------------------------------------------------------------------------------


@dataclass
class House:
    host: str
    event: Event
    gate: Checkpoint
    passports: list[Passport]
    tokens: dict[str, str]

    def browser(self, who: str = "", **headers: str) -> httpx2.AsyncClient:
        sent = {"sec-fetch-site": "same-origin", "accept-language": "en", **headers}
        cookies = {signin.COOKIE: self.tokens[who]} if who else {}
        return httpx2.AsyncClient(
            base_url=f"http://{self.host}", headers=sent, cookies=cookies, trust_env=False
        )

    def socket(self, who: str = "", **headers: str) -> Any:
        if who:
            headers["cookie"] = f"{signin.COOKIE}={self.tokens[who]}"
        return connect(f"ws://{self.host}/live", additional_headers=headers, compression=None, proxy=None)

    @property
    def topic(self) -> str:
        return checkpoints.board_topic(self.event.id)

    async def version(self) -> int:
        return (await topics.versions([self.topic]))[self.topic]

    async def scan(self, code: str, who: str = "owner") -> str:
        body = {"scan_id": str(uuid.uuid4()), "code": code, "checkpoint": self.gate.id}
        async with self.browser(who) as browser:
            answer = await browser.post(f"/e/{self.event.slug}/api/scans", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["verdict"])


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    event, other = await make_event("coscon"), await make_event("elsewhere")
    ticket_type = await make_ticket_type(event)
    place = await make_place(event, "hall", name={"zh-Hans": "主会场", "en": "Main hall"})
    gate = await make_checkpoint(
        event, name={"zh-Hans": "北门", "en": "North gate"}, scans_exits=True, place_id=place.id
    )
    passports = [
        await make_passport(event, ticket_type, badge_name=name)
        for name in ("林小满", "王芳", "<b>陈&思远</b>")
    ]
    tokens = {}
    for who, (where, role) in {
        "owner": (event, "owner"),
        "organiser": (event, "organiser"),
        "scanner": (event, "scanner"),
        "stranger": (other, "organiser"),
    }.items():
        account = await make_account()
        await make_role(where, account, role)
        tokens[who] = await accounts.open_sign_in(account_id=account.id, user_agent="", at=datetime.now(UTC))
    access.forget()
    async with serving(create_app(database, workers=False)) as (_, host):
        yield House(host, event, gate, passports, tokens)


MAY = {"owner": 200, "organiser": 200, "scanner": 403, "stranger": 403, "": 401}


async def test_the_board_is_for_those_who_run_this_event(house: House) -> None:
    for who, status in MAY.items():
        async with house.browser(who) as browser:
            page = await browser.get(f"/e/{house.event.slug}/live")
            polled = await browser.get(f"/live/{house.topic}", headers={"accept": "application/json"})
        assert page.status_code == (303 if status == 401 else status), who
        assert polled.status_code == status, who
        async with house.socket(who) as socket:
            await say(socket, op="sub", topics={house.topic: None})
            said = await hear(socket)
        if status == 200:
            assert said == polled.json(), who
        else:
            code = "sign_in_needed" if status == 401 else "forbidden"
            assert said == {"op": "refused", "topic": house.topic, "code": code}, who
            assert "data" not in polled.text


async def test_rooms_are_for_everybody_and_rounded(house: House) -> None:
    for passport in house.passports:
        await house.scan(passport.token)
    async with house.browser(origin="https://example.org") as browser:
        answer = await browser.get(f"/e/{house.event.slug}/rooms.json")
        again = await browser.get(
            f"/e/{house.event.slug}/rooms.json", headers={"if-none-match": answer.headers["etag"]}
        )
        page = await browser.get(f"/e/{house.event.slug}/rooms")
    (room,) = answer.json()
    assert room | {"id": 0} == {
        "id": 0, "code": "hall", "name": {"zh-Hans": "主会场", "en": "Main hall"}, "state": 0, "count": 10, "of": "inside", "level": 0, "session": None,
    }  # fmt: skip
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (again.status_code, again.content) == (304, b"")
    assert "Main hall" in page.text and "about 10 inside" in page.text
    async with house.socket() as socket:
        await say(socket, op="sub", topics={f"rooms.{house.event.id}": None})
        assert (await hear(socket))["data"] == answer.json()


async def test_a_draft_shows_nobody_its_rooms(house: House) -> None:
    draft = await make_event("secret", state="draft")
    async with house.browser("stranger") as browser:
        assert (await browser.get("/e/secret/rooms.json")).status_code == 404
        assert (await browser.get(f"/live/rooms.{draft.id}")).status_code == 403


async def test_a_socket_moves_with_each_scan_and_repeats_nothing(house: House) -> None:
    async with house.socket("organiser") as socket:
        await say(socket, op="sub", topics={house.topic: await house.version()})
        await nothing(socket)
        assert await house.scan(house.passports[0].token) == "admitted"
        first = await hear(socket)
        assert first["topic"] == house.topic and first["version"] == await house.version()
        assert (first["data"]["arrived"], first["data"]["inside"]) == (1, 1)
        await house.scan(house.passports[1].token)
        second = await hear(socket)
        assert second["data"]["arrived"] == 2 and second["version"] > first["version"]
        async with house.browser("organiser") as browser:
            assert (await browser.get(f"/live/{house.topic}")).json() == second


async def test_whoever_comes_back_gets_what_was_missed_at_once(house: House) -> None:
    async with house.socket("owner") as socket:
        await say(socket, op="sub", topics={house.topic: None})
        version = (await hear(socket))["version"]
    for passport in house.passports:
        await house.scan(passport.token)
    async with house.socket("owner") as socket:
        await say(socket, op="sub", topics={house.topic: version})
        said = await hear(socket)
        assert said["version"] == version + 3 and said["data"]["arrived"] == 3
        await say(socket, op="sub", topics={house.topic: said["version"]})
        await nothing(socket)


async def test_polling_is_the_same_and_says_when_nothing_changed(house: House) -> None:
    async with house.browser("owner") as browser:
        first = await browser.get(f"/live/{house.topic}")
        tag = first.headers["etag"]
        unchanged = await browser.get(f"/live/{house.topic}", headers={"if-none-match": f"W/{tag}"})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
        assert first.headers["cache-control"] == "no-cache"
        await house.scan(house.passports[0].token)
        changed = await browser.get(f"/live/{house.topic}", headers={"if-none-match": tag})
        assert changed.status_code == 200 and changed.json()["data"]["arrived"] == 1
        for unknown in ("board.99999", "board.x", "board.", "door.1", "board." + "9" * 90):
            status = (await browser.get(f"/live/{unknown}")).status_code
            assert status in (403, 404), unknown


async def test_a_role_that_is_taken_away_ends_the_topic(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets._live, "limits", Limits(recheck_s=0.1))
    async with house.socket("organiser") as socket:
        await say(socket, op="sub", topics={house.topic: None, f"rooms.{house.event.id}": None})
        heard = {(await hear(socket))["topic"] for _ in range(2)}
        assert heard == {house.topic, f"rooms.{house.event.id}"}
        async with unit_of_work():
            await RoleGrant.filter(event_id=house.event.id, role="organiser").delete()
        access.forget()
        assert await hear(socket) == {"op": "revoked", "topic": house.topic}
        await house.scan(house.passports[0].token)
        assert (await hear(socket))["topic"] == f"rooms.{house.event.id}"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_sites_socket_is_refused_whoever_it_borrows(house: House, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with house.socket("owner", origin=origin):
            pass
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        async with house.socket("owner", **{"sec-fetch-site": "cross-site"}):
            pass


@pytest.mark.parametrize("origin", ["http://{host}", "http://127.0.0.1:8000"])
async def test_our_own_sites_socket_is_let_in(house: House, origin: str) -> None:
    async with house.socket("owner", origin=origin.format(host=house.host)) as socket:
        await nothing(socket)


async def test_the_page_is_whole_without_scripts_in_both_languages(house: House) -> None:
    await house.scan(house.passports[2].token)
    await house.scan("nobody")
    for language, words in {
        "en": ("Arrived today", "North gate", "Refusals by reason"),
        "zh": ("今日到场", "北门", "拒绝原因"),
    }.items():
        async with house.browser("owner", **{"accept-language": language}) as browser:
            page = await browser.get(f"/e/{house.event.slug}/live")
        for word in words:
            assert word in page.text, word
        figures = dict(re.findall(r'data-figure="([a-z-]+)">([^<]*)<', page.text))
        assert (figures["arrived"], figures["inside"], figures["refused"]) == ("1", "1", "1")
        assert "&lt;b&gt;陈&amp;思远" in page.text and "<b>陈" not in page.text
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script>", page.text)
        assert page.headers["cache-control"] == "no-store"
        match = re.search(r'id="board-data">(.*?)</script>', page.text, re.DOTALL)
        assert match is not None
        data = orjson.loads(match[1])
        assert data["version"] == await house.version() and data["document"]["arrived"] == 1


async def test_names_can_be_left_out_for_a_screen_in_the_hall(house: House) -> None:
    await house.scan(house.passports[0].token)
    async with house.browser("owner") as browser:
        assert "林小满" in (await browser.get(f"/e/{house.event.slug}/live")).text
        page = (await browser.get(f"/e/{house.event.slug}/live?names=0")).text
    assert "<b>林小满" not in page and "<b>Attendee" in page


async def test_a_server_that_stops_says_when_to_come_back(database: Settings) -> None:
    async with serving(create_app(database, workers=False)) as (server, host):
        async with connect(f"ws://{host}/live", compression=None, proxy=None) as socket:
            await nothing(socket)
            server.should_exit = True
            said = await hear(socket)
            assert said["op"] == "bye" and 1 <= said["retry_after"] <= 15
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012


# --- how much one may ask: a small application of the sockets alone ------------------------------------------------


class Numbers:
    """Topics ``n.<anything>`` over a dictionary."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.hub.declare("n", self._load)
        self.version = 1
        self.body = b"1"
        self.forbidden: set[str] = set()

    async def _load(self, topic: str) -> Frame | None:
        return Frame(self.version, self.body)

    async def authorise(self, actor: Actor, topic: str) -> bool:
        assert actor is ANONYMOUS
        return topic not in self.forbidden


@contextlib.asynccontextmanager
async def numbers(
    limits: Limits, ws: Any = WebSocketProtocol
) -> AsyncIterator[tuple[Numbers, Live, Callable[[], Any]]]:
    those = Numbers()
    live = Live(hub=those.hub, authorise=those.authorise, limits=limits)

    async def versions(names: Any) -> dict[str, int]:
        return dict.fromkeys(names, those.version)

    hub = asyncio.create_task(those.hub.run(versions))
    async with serving(Starlette(routes=[entry.as_route() for entry in live.entries]), ws) as (_, host):
        yield those, live, lambda: connect(f"ws://{host}/live", compression=None, proxy=None)
    hub.cancel()
    await asyncio.gather(hub, return_exceptions=True)


async def closing_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_socket_follows_so_many_topics_and_no_more() -> None:
    async with numbers(Limits(topics=3)) as (those, _, open_socket), open_socket() as socket:
        those.forbidden.add("n.bad")
        await say(socket, op="sub", topics={"n.bad": None, "x.1": None, "n.1": None, "n.2": 1, "n.3": None})
        heard = [await hear(socket) for _ in range(4)]
        assert {"op": "refused", "topic": "n.bad", "code": "sign_in_needed"} in heard
        assert {"op": "refused", "topic": "x.1", "code": "not_found"} in heard
        assert {said.get("topic") for said in heard if "data" in said} == {
            "n.1",
            "n.3",
        }  # n.2 is known already
        await say(socket, op="sub", topics={"n.4": None})
        assert await hear(socket) == {"op": "refused", "topic": "n.4", "code": "too_many"}
        await say(socket, op="unsub", topics=["n.1"])
        await say(socket, op="sub", topics={"n.4": None})
        assert (await hear(socket))["topic"] == "n.4"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{",
        "[]",
        "7",
        '{"op":"sub"}',
        '{"op":"sub","topics":[1]}',
        '{"op":"dance"}',
        '{"op":"unsub","topics":{}}',
    ],
)
async def test_what_is_not_of_the_protocol_is_said_so(wrong: str) -> None:
    async with numbers(Limits()) as (_, _, open_socket), open_socket() as socket:
        await socket.send(wrong)
        assert await hear(socket) == {"op": "error", "code": "malformed"}
        await nothing(socket)


async def test_fifty_rechecks_of_one_actor_are_few_questions() -> None:
    async with (
        numbers(Limits(recheck_s=0.6)) as (those, live, open_socket),
        contextlib.AsyncExitStack() as stack,
    ):
        every = [await stack.enter_async_context(open_socket()) for _ in range(50)]
        await asyncio.gather(*[say(socket, op="sub", topics={"n.1": 1}) for socket in every])
        await asyncio.gather(*[nothing(socket) for socket in every])
        asked = 0
        authorise = live.authorise

        async def counted(actor: Actor, topic: str) -> bool:
            nonlocal asked
            asked += 1
            return await authorise(actor, topic)

        live.authorise = counted
        those.forbidden.add("n.1")
        heard = await asyncio.gather(*[hear(socket) for socket in every])
        assert heard == [{"op": "revoked", "topic": "n.1"}] * 50
        assert asked == 1
        those.version += 1
        those.hub.touched("n.1")
        await asyncio.gather(*[nothing(socket) for socket in every])


async def test_a_round_asks_again_though_one_question_failed(caplog: pytest.LogCaptureFixture) -> None:
    async with numbers(Limits(recheck_s=0.1)) as (those, live, open_socket), open_socket() as socket:
        await say(socket, op="sub", topics={"n.1": 1})
        await nothing(socket)
        authorise, failures = live.authorise, [Busy(), RuntimeError("not a refusal")]

        async def failing(actor: Actor, topic: str) -> bool:
            if failures:
                raise failures.pop(0)
            return await authorise(actor, topic)

        live.authorise = failing
        those.forbidden.add("n.1")
        assert await hear(socket) == {"op": "revoked", "topic": "n.1"}
        assert failures == [] and caplog.text.count("could not be asked") == 1


async def test_nobody_is_asked_about_where_nobody_is_connected() -> None:
    async with numbers(Limits(recheck_s=0.1)) as (_, live, open_socket):
        async with open_socket() as socket:
            await nothing(socket)
            assert live._rounds is not None
        async with asyncio.timeout(5):
            while live._rounds is not None:  # noqa: ASYNC110 -- it ends on its own
                await asyncio.sleep(0.01)


async def test_floods_great_messages_and_bytes_end_the_socket() -> None:
    async with numbers(Limits(burst=20, per_s=0, message=200)) as (_, live, open_socket):
        for messages, code in (
            ([b'{"op":"ping"}'.decode()] * 30, 1008),
            (['{"op":"sub","topics":{' + ",".join(f'"n.{n}":1' for n in range(25)) + "}}"], 1009),
            (['{"op":"unsub","topics":[' + ",".join(["1"] * 25) + "]}", '{"op":"ping"}'], None),
            ([b"bytes"], 1003),
        ):
            async with open_socket() as socket:
                with contextlib.suppress(ConnectionClosed):
                    for one in messages:
                        await socket.send(one)
                if code is None:
                    await nothing(socket)
                else:
                    assert await closing_code(socket) == code, messages
        async with asyncio.timeout(PATIENCE_S):
            while live.connections:  # noqa: ASYNC110 -- they end on their own
                await asyncio.sleep(0.01)


async def test_the_public_cannot_take_the_last_sockets() -> None:
    async with numbers(Limits(sockets=3, kept_for_signed_in=1)) as (_, live, open_socket):
        async with open_socket() as one, open_socket() as two:
            await nothing(one)
            await nothing(two)
            async with open_socket() as three:
                assert await closing_code(three) == sockets.POLL_INSTEAD
            assert live.refused == 1
        async with asyncio.timeout(PATIENCE_S):
            while live.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with open_socket() as again:
            await nothing(again)


async def test_one_address_has_its_share_and_the_rest_is_sent_to_polling() -> None:
    async with numbers(Limits(sockets=9, kept_for_signed_in=0, per_address=3)) as (_, live, open_socket):
        async with contextlib.AsyncExitStack() as stack:
            served = [await stack.enter_async_context(open_socket()) for _ in range(3)]
            for one in served:
                await nothing(one)
            crowd = [await stack.enter_async_context(open_socket()) for _ in range(20)]
            codes = await asyncio.gather(*[closing_code(one) for one in crowd])
            assert set(codes) == {sockets.POLL_INSTEAD} and live.refused == 20
            for one in served:  # those who are in stay in
                await nothing(one)
            assert len(live.connections) == 3
            live.network_of = lambda host: None  # the venue's own network
            for _ in range(6):
                await nothing(await stack.enter_async_context(open_socket()))
            async with open_socket() as tenth:
                assert await closing_code(tenth) == sockets.POLL_INSTEAD
        async with asyncio.timeout(PATIENCE_S):
            while live.connections:  # noqa: ASYNC110 -- they end on their own
                await asyncio.sleep(0.01)
        assert not live._by_network
        live.network_of = str
        async with open_socket() as again:
            await nothing(again)


async def test_whoever_finds_no_room_can_poll_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets._live, "limits", Limits(sockets=1, kept_for_signed_in=0))
    async with house.socket("owner") as one:
        await say(one, op="sub", topics={house.topic: None})
        said = await hear(one)
        async with house.socket("owner") as two:
            assert await closing_code(two) == sockets.POLL_INSTEAD
        async with house.browser("owner") as browser:
            assert (await browser.get(f"/live/{house.topic}")).json() == said


async def test_a_socket_that_says_nothing_is_not_kept() -> None:
    async with numbers(Limits(idle_s=0.1)) as (_, _, open_socket), open_socket() as socket:
        assert await closing_code(socket) == 1000


@pytest.mark.parametrize(("ws", "tasks_woken"), [(WebSocketProtocol, 0), (ANOTHER, 100)])
async def test_a_hundred_followers_are_one_load_a_frame(ws: Any, tasks_woken: int) -> None:
    async with numbers(Limits(), ws) as (those, _, open_socket), contextlib.AsyncExitStack() as stack:
        every = [await stack.enter_async_context(open_socket()) for _ in range(100)]
        await asyncio.gather(*[say(socket, op="sub", topics={"n.1": 1}) for socket in every])
        await asyncio.gather(*[nothing(socket) for socket in every])
        loads, waited = those.hub.stats.loads, those.hub.stats.waited
        those.version, those.body = 2, b'{"people":2}'
        those.hub.touched("n.1")
        heard = await asyncio.gather(*[hear(socket) for socket in every])
        assert all(said == {"topic": "n.1", "version": 2, "data": {"people": 2}} for said in heard)
        assert those.hub.stats.loads == loads + 1
        assert those.hub.stats.waited == waited + tasks_woken


@pytest.mark.parametrize("ws", [WebSocketProtocol, ANOTHER])
async def test_frames_of_every_size_arrive_whole_and_in_order(
    ws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_topics, "FRAME_S", 0.01)
    async with numbers(Limits(), ws) as (those, _, open_socket), open_socket() as socket:
        those.body = orjson.dumps("")
        await say(socket, op="sub", topics={"n.1": None})
        assert (await hear(socket))["data"] == ""
        # The head of a frame has three lengths; each is met from both sides.
        empty = len(b'{"topic":"n.1","version":2,"data":""}')
        for size in (125 - empty, 126 - empty, 65_535 - empty, 65_536 - empty, 200_000):
            those.version = 3 if those.version == 2 else 2
            those.body = orjson.dumps("会" * (size % 2) + "x" * (size - 3 * (size % 2)))
            those.hub.touched("n.1")
            said = await hear(socket)
            assert orjson.dumps(said["data"]) == those.body and said["version"] == those.version


@pytest.mark.parametrize("ws", [WebSocketProtocol, ANOTHER])
async def test_a_slow_reader_never_gets_an_older_frame_after_a_newer(
    ws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that reads by fits and starts: some frames go straight out, some wait; versions only rise."""
    monkeypatch.setattr(live_topics, "FRAME_S", 0.01)
    async with numbers(Limits(send_s=10), ws) as (those, live, open_socket), open_socket() as quick:
        host, port = quick.remote_address[:2]
        slow = system.socket()
        slow.setsockopt(system.SOL_SOCKET, system.SO_RCVBUF, 2048)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, (host, port))
        reader, writer = await asyncio.open_connection(sock=slow, limit=1024)
        await _handshake(reader, writer, f"{host}:{port}")
        writer.write(_masked(b'{"op":"sub","topics":{"n.1":1}}'))
        await say(quick, op="sub", topics={"n.1": 1})
        await nothing(quick)
        those.body = orjson.dumps("x" * 1_000_000)
        heard: list[int] = []
        for number in range(2, 42):
            those.version = number
            those.hub.touched("n.1")
            assert (await hear(quick))["version"] == number
            if number % 8 == 0:
                heard.append(await _version(reader))
        while not heard or heard[-1] < 41:
            heard.append(await _version(reader))
        assert heard == sorted(set(heard))
        assert those.hub.stats.replaced >= 41 - 1 - len(heard) > 5
        assert live.dropped == 0
        writer.transport.abort()


async def _version(reader: asyncio.StreamReader) -> int:
    """Of the next frame of a topic."""
    async with asyncio.timeout(10):
        while True:
            _, length = await reader.readexactly(2)
            if length >= 126:
                length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
            payload = await reader.readexactly(length)
            if (said := orjson.loads(payload)).get("topic"):
                return int(said["version"])


async def test_a_flood_from_one_client_is_cut_off_and_nobody_else_feels_it() -> None:
    """It sends as fast as it can and reads nothing: what it said last is never looked at, nothing piles up."""
    async with numbers(Limits(send_s=1)) as (those, live, open_socket), open_socket() as quick:
        await say(quick, op="sub", topics={"n.1": 1})
        await nothing(quick)
        host, port = quick.remote_address[:2]
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        await _handshake(reader, writer, f"{host}:{port}")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        ping = _masked(b'{"op":"ping"}')
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while len(live.connections) == 2:
                    writer.write(ping * 1000)
                    await asyncio.sleep(0)
                    if writer.transport.get_write_buffer_size() > 1_000_000:
                        await asyncio.sleep(0.01)
        assert len(live.connections) == 1
        those.version, those.body = 2, b"2"
        those.hub.touched("n.1")
        assert (await hear(quick))["version"] == 2
        writer.transport.abort()


async def test_a_frozen_reader_is_dropped_and_nobody_waits_for_it() -> None:
    """The client takes nothing from its socket: the frames pile up until a send has waited too long."""
    async with numbers(Limits(send_s=0.3)) as (those, live, open_socket):
        those.body = orjson.dumps("x" * 1_000_000)
        async with open_socket() as quick:
            host, port = quick.remote_address[:2]
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            await _handshake(reader, writer, f"{host}:{port}")
            writer.write(_masked(b'{"op":"sub","topics":{"n.1":null}}'))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await say(quick, op="sub", topics={"n.1": None})
            version = (await hear(quick))["version"]
            async with asyncio.timeout(20):
                while not live.dropped:
                    those.version += 1
                    those.hub.touched("n.1")
                    said = await hear(quick)
                    assert said["version"] > version
                    version = said["version"]
            assert len(live.connections) == 1
            writer.transport.abort()


async def _handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    writer.write(
        f"GET /live HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")


def _masked(payload: bytes) -> bytes:
    """A client's text frame, masked with zeros."""
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
