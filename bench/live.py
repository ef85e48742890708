"""How fast the boards are: many WebSocket viewers of one board, two changes a second, on the real server.

The server runs in a process of its own with production settings, the viewers in another, each signed in and following
the organisers' board; a scanner posts two scans a second. Measured are the time from the scan's answer to each viewer's
frame, how much later than the first viewer the others had it, memory per viewer, and processor per message; the same
with one reader frozen; and beside both ``websockets.broadcast`` of the same bytes in the same run, which is
the least that Python can do: no topics, no sign-in, no scan, no document.

    python main.py bench live [--viewers 2000] [--seconds 20] [--write]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from bench import process, store
from bench.door import scan, write_page
from bench.process import ROOT, Failed, Server
from tests.services import free_port

#: Between two changes: a topic tells two a second at most (kernel.live.FRAME_S). A little more than half a second, or a
#: change that was once late would make every later one wait for the next frame, and that wait would be all one sees.
EVERY_S = 0.52
P99_AIM_MS = 250.0
#: A frozen reader is given up after five seconds; the phase outlasts that.
SECONDS_MIN = 3.0
#: After the last change; a machine that is busy delivers late, which the figures show, and not never.
LAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One phase. ``messages``: frames that arrived; ``missed``: pairs of viewer and change that never arrived."""

    title: str
    viewers: int
    changes: int
    messages: int
    missed: int
    p50_ms: float
    p99_ms: float
    #: behind the first viewer who had it
    spread_ms: float
    cpu_us: float
    kib_per_viewer: float
    note: str = ""


def _rss_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0])
    return 0


@contextlib.contextmanager
def watching(folder: Path, plan: dict[str, Any]) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The viewers' process once all of them have their first frame."""
    plan_file, result = folder / "viewers.json", folder / "seen.json"
    plan_file.write_bytes(orjson.dumps(plan))
    result.unlink(missing_ok=True)
    log: IO[str]
    with (folder / "viewers.log").open("w", encoding="utf-8") as log:
        client = subprocess.Popen(
            [sys.executable, "-m", "bench.viewers", str(plan_file), str(result)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert client.stdout is not None
        if client.stdout.readline().strip() != "ready":
            words = (folder / "viewers.log").read_text(encoding="utf-8")
            raise Failed(f"the viewers did not get their boards:\n{words[-2000:]}")
        yield client, result
    finally:
        if client.poll() is None:
            client.kill()
        client.wait()


def end_watching(client: subprocess.Popen[str], result: Path) -> dict[str, Any]:
    client.communicate(timeout=60)
    found: dict[str, Any] = orjson.loads(result.read_bytes())
    if found["problem"]:
        raise Failed(found["problem"])
    return found


def _delays(
    seen: Sequence[Sequence[Sequence[float]]], changes: Sequence[tuple[int, float]]
) -> tuple[list[float], list[float], int]:
    """For each viewer and change: seconds from the change to a frame of that version or a newer one, and from the
    first viewer who had it; and how many never came.
    """
    delays, behind, missed = [], [], 0
    versions = [[version for version, _ in own] for own in seen]
    for version, at in changes:
        came = []
        for own, known in zip(seen, versions, strict=True):
            index = bisect_left(known, version)
            if index == len(own):
                missed += 1
            else:
                came.append(own[index][1])
        delays += [max(0.0, one - at) for one in came]
        behind += [one - min(came) for one in came]
    return sorted(delays), sorted(behind), missed


def _p99_ms(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000


def _measured(
    title: str,
    found: dict[str, Any],
    changes: Sequence[tuple[int, float]],
    *,
    began: float,
    cpu_s: float,
    kib: float,
    note: str = "",
) -> Measured:
    delays, behind, missed = _delays(found["seen"], changes)
    messages = sum(1 for own in found["seen"] for _, at in own if at >= began)
    if not delays or not messages:
        raise Failed(f"{title}: nothing arrived")
    return Measured(
        title=title,
        viewers=len(found["seen"]),
        changes=len(changes),
        messages=messages,
        missed=missed,
        p50_ms=delays[len(delays) // 2] * 1000,
        p99_ms=_p99_ms(delays),
        spread_ms=_p99_ms(behind),
        cpu_us=cpu_s / messages * 1e6,
        kib_per_viewer=kib / max(1, len(found["seen"])),
        note=note,
    )


class House:
    """The real server with a conference, and a scanner at its door."""

    def __init__(self, folder: Path, passports: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        facts = folder / "facts.json"
        env = process.environment(folder, "")
        process.call("bench.store", "create", str(facts), str(passports), "1", env=env)
        self.facts = json.loads(facts.read_text(encoding="utf-8"))
        self.codes: Iterator[str] = iter(self.facts["codes"])
        self.server = Server(folder)

    @property
    def topic(self) -> str:
        return f"board.{self.facts['event_id']}"

    def scan(self, connection: http.client.HTTPConnection) -> float:
        """Admits the next person; gives when the answer was there."""
        code = next(self.codes)
        doors = self.facts["doors"]
        body = orjson.dumps(scan(code, doors[int(code[:8], 16) % len(doors)]))
        headers = {
            "authorization": f"Bearer {self.facts['scanner_tokens'][0]}",
            "content-type": "application/json",
            "accept": "application/json",
        }
        connection.request("POST", f"/e/{store.SLUG}/api/scans", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failed(f"a scan was answered {answer.status}: {text[:200]!r}")
        return time.monotonic()

    def version(self, connection: http.client.HTTPConnection) -> int:
        headers = {"authorization": f"Bearer {self.facts['owner_token']}", "accept": "application/json"}
        connection.request("GET", f"/live/{self.topic}", headers=headers)
        return int(orjson.loads(connection.getresponse().read())["version"])

    def phase(self, title: str, viewers: int, seconds: float, *, frozen: int = 0) -> tuple[Measured, str]:
        """One phase, and the text of a frame as it went over the wire."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        plan = {
            "port": self.server.port,
            "topic": self.topic,
            "token": self.facts["owner_token"],
            "viewers": viewers,
            "frozen": frozen,
        }
        before = _rss_kib(self.server.pid)
        with watching(self.folder, plan) as (client, result):
            kib = _rss_kib(self.server.pid) - before
            time.sleep(2 * EVERY_S)
            version = self.version(connection)
            began, cpu_s = time.monotonic(), self.server.cpu_s()
            changes: list[tuple[int, float]] = []
            for number in range(int(seconds / EVERY_S)):
                time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
                at = self.scan(connection)
                version += 1
                changes.append((version, at))
            time.sleep(LAST_S)
            cpu_s = self.server.cpu_s() - cpu_s
            found = end_watching(client, result)
        connection.close()
        log = self.server.log.read_text(encoding="utf-8", errors="replace")
        note = f"{log.count('a socket was dropped')} of {frozen} dropped" if frozen else ""
        one = _measured(title, found, changes, began=began, cpu_s=cpu_s, kib=kib, note=note)
        return one, found["sample"]


def floor(folder: Path, frame: str, viewers: int, seconds: float) -> Measured:
    """``websockets.broadcast`` of the same bytes, to the same viewers."""
    folder.mkdir(parents=True, exist_ok=True)
    text, sent = folder / "frame.json", folder / "sent.json"
    text.write_text(frame, encoding="utf-8")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.broadcast", str(port), str(text), str(EVERY_S), str(sent)], cwd=ROOT
    )
    try:
        _wait_for(port)
        before = _rss_kib(server.pid)
        plan = {"port": port, "topic": "floor.1", "token": "", "viewers": viewers, "frozen": 0}
        with watching(folder, plan) as (client, result):
            kib = _rss_kib(server.pid) - before
            time.sleep(2 * EVERY_S)
            began, cpu_s = time.monotonic(), process.cpu_of(server.pid)
            time.sleep(seconds)
            cpu_s, ended = process.cpu_of(server.pid) - cpu_s, time.monotonic()
            time.sleep(LAST_S)
            found = end_watching(client, result)
        server.terminate()
        server.wait(20)
        changes = [(version, at) for version, at in orjson.loads(sent.read_bytes()) if began <= at < ended]
        for own in found["seen"]:
            own[:] = [(version, at) for version, at in own if at < ended + EVERY_S]
        return _measured(
            "*floor:* `websockets.broadcast`, the same bytes",
            found,
            changes,
            began=began,
            cpu_s=cpu_s,
            kib=kib,
        )
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + process.START_LIMIT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise Failed("the floor did not start")


def _times(one: float, other: float) -> str:
    """A ratio; empty where the other is nothing: processor time comes in steps of 10 ms, and few messages take less."""
    return f"{one / other:.2f}" if other else ""


def table(every: Sequence[Measured], frame_bytes: int) -> str:
    """What was measured as Markdown, as it stands in docs/performance.md."""
    board, frozen, least = every
    lines = [
        f"| {board.viewers:,} viewers, a change every {EVERY_S:g} s, {frame_bytes:,} bytes a frame | p50 ms | p99 ms | p99 behind the first viewer, ms | CPU µs a message | × floor | KiB a viewer | messages | missed |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in every:
        note = f" ({one.note})" if one.note else ""
        lines.append(
            f"| {one.title}{note} | {one.p50_ms:.0f} | {one.p99_ms:.0f} | {one.spread_ms:.0f} | {one.cpu_us:.1f} | {_times(one.cpu_us, least.cpu_us)} "
            f"| {one.kib_per_viewer:.0f} | {one.messages:,} | {one.missed} |"
        )
    worst = max(board.p99_ms, frozen.p99_ms)
    lines += [
        "",
        f"- Aim, p99 under {P99_AIM_MS:.0f} ms: **{'met' if worst < P99_AIM_MS else 'missed'}** ({worst:.0f} ms).",
        f"- With one reader frozen the p99 is {frozen.p99_ms / board.p99_ms:.2f} ×, the processor a message {_times(frozen.cpu_us, board.cpu_us)} × of what it is without.",
        "- Memory of the second row is little because the first row's viewers left theirs to the process.",
        "- Frames are so small that the system's buffers hold a frozen reader's for minutes; that it is dropped when they are full shows `tests/load/test_frozen_reader.py`.",
    ]
    return "\n".join(lines) + "\n"


def facts(arguments: Sequence[str]) -> str:
    return (
        f"Taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with `{shlex.join(['python', 'main.py', 'bench', 'live', *arguments])}`: "
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; load average at "
        f"the start {os.getloadavg()[0]:.1f} (server and viewers share the cores).\n"
    )


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python main.py bench live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--viewers", type=int, default=2_000, help="WebSockets at once (2000)")
    top.add_argument("--seconds", type=float, default=20.0, help="of each phase (20)")
    top.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints the table; exit code 1 when a change never reached a viewer."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parser().parse_args(arguments)
    if not 1 <= chosen.viewers <= 2_400 or not SECONDS_MIN <= chosen.seconds <= 90:
        raise SystemExit("bench: 1 to 2400 viewers (one address has 2500 sockets), 3 to 90 seconds")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < chosen.viewers + 512:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, chosen.viewers + 512), hard))
    said = facts(arguments)
    print(said, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="huiwu-bench-") as folder:
            every, frame_bytes = _run(Path(folder), chosen.viewers, chosen.seconds)
    except Failed as failed:
        raise SystemExit(f"bench: {failed}") from None
    text = table(every, frame_bytes)
    print(text, flush=True)
    if chosen.write:
        write_page({"live": f"{said}\n{text}"})
    if any(one.missed for one in every):
        raise SystemExit(1)


def _run(folder: Path, viewers: int, seconds: float) -> tuple[list[Measured], int]:
    house = House(folder / "house", passports=int(4 * seconds / EVERY_S) + 200)
    with house.server.running():
        connection = http.client.HTTPConnection("127.0.0.1", house.server.port, timeout=30)
        for _ in range(40):  # a board with something on it
            house.scan(connection)
        connection.close()
        board, frame = house.phase("the board", viewers, seconds)
        frozen, _ = house.phase("the board, one reader frozen", viewers, seconds, frozen=1)
    least = floor(folder / "floor", frame, viewers, seconds)
    return [board, frozen, least], len(frame.encode())


if __name__ == "__main__":
    main()
