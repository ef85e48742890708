"""The real server as a process of its own, and helpers that run as modules of this package."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30.0
#: The same for every process of one run: codes and bodies are hashed under it. It guards invented people only.
SECRET_KEY = "measured-with-invented-people-" + "0" * 10
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(RuntimeError):
    """A process of ours ended badly or took too long; the message holds the end of its log."""


def environment(folder: Path, database_url: str, port: int = 0) -> dict[str, str]:
    """Production settings and nothing of the developer's own: a benchmark must not write into their database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUIWU_")}
    for name in ("DATABASE_URL", "REDIS_URL"):
        kept.pop(name, None)
    kept |= {"HUIWU_DATA_DIR": str(folder), "HUIWU_SECRET_KEY": SECRET_KEY, "PYTHONPATH": str(ROOT)}
    if database_url:
        kept["DATABASE_URL"] = database_url
    if port:
        kept |= {"HUIWU_PORT": str(port), "HUIWU_BASE_URL": f"http://127.0.0.1:{port}"}
    return kept


def call(module: str, *arguments: str, env: Mapping[str, str], limit_s: float = 300) -> Any:
    """Runs ``python -m module`` and gives what it printed as JSON. One process knows one database, hence a process."""
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if ran.returncode:
        raise Failed(
            f"{module} {arguments[0] if arguments else ''} ended with {ran.returncode}:\n{ran.stderr[-3000:]}"
        )
    return json.loads(ran.stdout) if ran.stdout.strip() else None


def cpu_of(pid: int) -> float:
    """Processor seconds that a process has used, all its threads."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():  # not Linux: the column stays empty
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Server:
    """``python main.py run`` with production settings, its log in a file; can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        database_url: str = "",
        *,
        command: Sequence[str] = ("main.py", "run"),
        name: str = "server",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self._command = [sys.executable, *command]
        self._env = environment(folder, database_url, self.port) | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers; raises Failed when it ends or stays silent for START_LIMIT_S."""
        log: IO[bytes]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C ends the measurement, whose end stops the server in good order.
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Failed(f"the server did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/live/nothing", headers={"accept": "application/json"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def stop(self) -> int:
        """In good order: what was being decided is finished. Its exit code; -9 when it had to be killed after 20 s."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode

    def cpu_s(self) -> float:
        """Processor seconds that the server has used, all its threads; a shared machine disturbs these least."""
        return cpu_of(self.pid)

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        self.start()
        try:
            yield self
        finally:
            self.stop()
