"""The servers that tests talk to: the ones already running here where they answer, our own on free ports where not.

Importing it needs the standard library alone, because scripts/setup.py asks it what is missing before anything
is installed. Nothing is installed from here: what is missing is said, with the command that mends it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

LOCAL_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
LOCAL_REDIS = "redis://127.0.0.1:6379/0"
START_LIMIT_S = 30

# The program, the Debian package that holds it, and other names it goes by.
PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "chromium": ("chromium", ("chromium", "chromium-browser", "google-chrome")),
    "nginx": ("nginx", ("nginx",)),
    "postgres": ("postgresql", ("postgres",)),
    "initdb": ("postgresql", ("initdb",)),
    "redis-server": ("redis-server", ("redis-server", "valkey-server")),
}


class Missing(RuntimeError):
    """A program that the tests drive is not on this machine; the message ends with the command that mends it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is missing on this machine. This mends it: sudo apt-get install {PROGRAMS[name][0]}"
        )


def find(name: str) -> str | None:
    """Debian keeps PostgreSQL's server out of PATH, and nginx in a folder that only root's PATH has."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders += map(str, sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True))
    for other in PROGRAMS[name][1]:
        if found := shutil.which(other, path=os.pathsep.join(folders)):
            return found
    return None


def program(name: str) -> str:
    found = find(name)
    if found is None:
        raise Missing(name)
    return found


def chromium() -> str:
    """For ``playwright.chromium.launch(executable_path=…)``: the machine's own, no browser is downloaded."""
    return program("chromium")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def postgres_trusts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether the server lets the user postgres in without a password, by the first words of its own protocol."""
    words = b"user\0postgres\0database\0postgres\0\0"
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(struct.pack("!ii", 8 + len(words), 3 << 16) + words)
            return connection.recv(9) == b"R" + struct.pack("!ii", 8, 0)  # AuthenticationOk
    except OSError:
        return False


class Server:
    """A process of our own on a port of 127.0.0.1. It can stop or crash and start again with the same data."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        port: int,
        folder: Path,
        url: str = "",
        user: str | None = None,
        crash_signal: signal.Signals = signal.SIGKILL,
        ready: Callable[[int], bool] = accepts,
    ) -> None:
        self.name, self.command, self.port, self.folder, self.url = name, command, port, folder, url
        self._user, self._crash_signal, self._ready = user, crash_signal, ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A session of its own: Ctrl-C ends the tests, and their end stops the server in good order.
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, user=self._user, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._ready(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """No goodbye to clients and nothing flushed, as when the process is killed."""
        self._end(self._crash_signal)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def _folder(name: str, owner: str | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"huiwu-{name}-"))
    if owner is not None:
        shutil.chown(folder, owner)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_server(*options: str) -> Iterator[Server]:
    """A PostgreSQL of one's own, to break: ``with postgres_server("max_connections=20") as server: server.crash()``.

    It trusts everybody on 127.0.0.1. fsync is off unless an option says otherwise: what a killed *process* loses
    is not decided by it, and nobody pulls this machine's plug.
    """
    user = _unprivileged()
    port = free_port()
    with _folder("postgres", user) as folder:
        data = folder / "data"
        made = subprocess.run(
            [
                program("initdb"),
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stdout}\n{made.stderr}")
        settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=200",
        ]
        command = [program("postgres"), "-D", str(data), "-p", str(port)]
        for setting in [*settings, *options]:
            command += ["-c", setting]
        with _running(
            Server(
                "PostgreSQL",
                command,
                port=port,
                folder=folder,
                url=f"postgres://postgres@127.0.0.1:{port}/postgres",
                user=user,
                # To kill the first process alone would leave its children on the data folder; this ends them all
                # at once and leaves recovery to the next start, as a crash does.
                crash_signal=signal.SIGQUIT,
                ready=postgres_trusts,
            )
        ) as server:
            yield server


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: there it gets its own user, where the machine has it, else nobody."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """A Redis of one's own that keeps nothing on disk."""
    port = free_port()
    with _folder("redis") as folder:
        command = [
            program("redis-server"),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            *options,
        ]
        url = f"redis://127.0.0.1:{port}/0"
        with _running(Server("Redis", command, port=port, folder=folder, url=url)) as server:
            yield server


@contextmanager
def nginx(http: str) -> Iterator[Server]:
    """nginx with ``http`` inside its http block; relative log names land in ``server.folder``.

    ``http`` listens on ``127.0.0.1:PORT`` (take a ``free_port()``); the first such port is ``server.port``.
    """
    listen = re.search(r"listen\s+127\.0\.0\.1:(\d+)", http)
    if listen is None:
        raise ValueError("the configuration needs a 'listen 127.0.0.1:PORT'")
    with _folder("nginx") as folder:
        folder.chmod(0o755)  # root's nginx serves from an unprivileged worker, which has to pass through here
        scratch = "\n".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; events {{}}\n"
            f"http {{\naccess_log {folder}/access.log;\n{scratch}\n{http}\n}}\n"
        )
        command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "error.log"]
        with _running(Server("nginx", command, port=int(listen[1]), folder=folder)) as server:
            yield server


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL to make databases in: HUIWU_TEST_PG, the one on port 5432 if it trusts us, or our own."""
    if url := os.environ.get("HUIWU_TEST_PG") or (LOCAL_POSTGRES if postgres_trusts(5432) else ""):
        yield url
    else:
        with postgres_server() as server:
            yield server.url


@contextmanager
def redis() -> Iterator[str]:
    """A Redis: HUIWU_TEST_REDIS, the one on port 6379, or our own. It may be shared: use names of your own in it."""
    if url := os.environ.get("HUIWU_TEST_REDIS") or (LOCAL_REDIS if accepts(6379) else ""):
        yield url
    else:
        with redis_server() as server:
            yield server.url


def run_id() -> str:
    """One word for this run, the same in its workers, so that two runs at once never share a database."""
    return (
        os.environ.get("HUIWU_TEST_RUN")
        or os.environ.get("PYTEST_XDIST_TESTRUNUID", "")[:12]
        or f"p{os.getpid()}"
    )


@contextmanager
def postgres_database(server_url: str, worker: str) -> Iterator[str]:
    """An empty database named for this run and ``worker``; dropped afterwards, whoever is still connected."""
    name = f"huiwu_test_{run_id()}_{worker}"
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    _sql(server_url, drop, f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        _sql(server_url, drop)


def drop_databases(server_url: str, run: str) -> None:
    """What the workers of ``run`` left behind when one of them was killed."""
    rows = _sql(
        server_url, f"SELECT datname FROM pg_database WHERE starts_with(datname, 'huiwu_test_{run}_')"
    )
    if rows:
        _sql(server_url, *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for (name,) in rows))


def _sql(url: str, *statements: str) -> list[tuple[str, ...]]:
    """Each statement on its own; the rows of the last. In a thread, because the tests' event loop owns this one."""

    async def run() -> list[tuple[str, ...]]:
        import asyncpg

        connection = await asyncpg.connect(url)
        try:
            rows = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()
