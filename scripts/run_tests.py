"""Runs the checks and the tests, each into a log of its own in test-results/, and ends with one true line.

    python -m scripts.run_tests           static checks; the suite on SQLite and on PostgreSQL; the browser journeys
    python -m scripts.run_tests --fast    static checks, tests/house, tests/rules, tests marked fast, on SQLite
    python -m scripts.run_tests --long    tests marked long, one after the other; writes docs/test-long.md

One process knows one SQL dialect, so each database has a pytest of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts import long_report
from tests import services

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "test-results"
COVERED = RESULTS / "rules.coverage"
BIN = Path(sys.executable).parent
NO_TESTS = 5  # pytest's exit code where nothing was collected
#: A developer's own database is no place for tests: each job is told which to use. And where Python may not keep what
#: it compiled, every one of some fifty processes compiles the whole house: half of all the time.
_NOT_FOR_JOBS = ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Job:
    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    limit_s: int = 2400
    may_be_empty: bool = False
    is_pytest: bool = False
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    code: int | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return RESULTS / f"{self.name}.log"

    @property
    def xml(self) -> Path:
        return RESULTS / f"{self.name}.xml"

    def start(self) -> None:
        self.seconds = time.monotonic()
        env = {key: os.environ[key] for key in os.environ if key not in _NOT_FOR_JOBS} | self.env
        with self.log.open("wb") as log:
            # A session of its own, so that a run that hangs can be ended with everything it started.
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        if self.process is None:
            return False
        if time.monotonic() - self.seconds > self.limit_s:
            self.end(f"ended: it took longer than {self.limit_s} s")
        self.code = self.process.poll()
        if self.code is None:
            return True
        self.process = None
        self.seconds = time.monotonic() - self.seconds
        self.judge()
        return False

    def end(self, why: str) -> None:
        if self.process is None:
            return
        # pytest tells what had failed so far when it is interrupted; what it started goes with it.
        os.killpg(self.process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n{why}\n")

    def judge(self) -> None:
        """A job that went wrong counts as a failure even where no single test did: the last line never flatters."""
        if self.is_pytest:
            self.passed, self.failed, self.skipped = tally(self.xml)
        good = self.code == 0 or (self.may_be_empty and self.code == NO_TESTS)
        if good and self.is_pytest and not self.may_be_empty and not self.passed:
            good = False
        if not good and not self.failed:
            self.failed = 1

    def show(self) -> None:
        """One line for what went well, with the end of its log; the whole log for what did not."""
        counts = (
            f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped" if self.is_pytest else ""
        )
        word = "FAILED" if self.failed else "ok"
        print(f"\n== {self.name}: {word} in {self.seconds:.1f} s  {counts}".rstrip())
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        if self.failed:
            print("\n".join(lines))
        elif self.is_pytest:
            print("\n".join(f"   {line}" for line in lines[-8:]))
        sys.stdout.flush()


def tally(xml: Path) -> tuple[int, int, int]:
    """passed, failed, skipped by test: one that fails and then fails to clean up is one failure."""
    if not xml.exists():
        return 0, 0, 0
    try:
        cases = ET.parse(xml).getroot().iter("testcase")
    except ET.ParseError:  # its writer was killed
        return 0, 1, 0
    worst: dict[tuple[str | None, str | None], int] = {}
    for case in cases:
        outcome = 2 if case.find("failure") is not None or case.find("error") is not None else 0
        if not outcome and case.find("skipped") is not None:
            outcome = 1
        name = (case.get("classname"), case.get("name"))
        worst[name] = max(worst.get(name, 0), outcome)
    outcomes = list(worst.values())
    return outcomes.count(0), outcomes.count(2), outcomes.count(1)


def together(jobs: list[Job]) -> None:
    try:
        for job in jobs:
            print(f"-- {job.name}", flush=True)
            job.start()
        waiting = list(jobs)
        while waiting:
            for job in [job for job in waiting if not job.is_running()]:
                waiting.remove(job)
                job.show()
            time.sleep(0.05)
    finally:
        for job in jobs:
            job.end("ended: the run was stopped")


def static_checks() -> list[Job]:
    return [
        Job("ruff-check", [str(BIN / "ruff"), "check", "--output-format=concise", "."]),
        Job("ruff-format", [str(BIN / "ruff"), "format", "--check", "--output-format=concise", "."]),
        Job("mypy", [str(BIN / "mypy")]),
        Job("import-linter", [str(BIN / "lint-imports"), "--no-logo"]),
        Job("djlint", [str(BIN / "djlint"), ".", "--check", "--lint", "--allow-empty-input"]),
    ]


def branches() -> Job:
    """What the rules' own tests never took: a decision without a test is a failure."""
    report = Job(
        "rules-branches", [sys.executable, "-m", "coverage", "report", "--fail-under=100", "--omit=tests/*"]
    )
    report.command += ["--show-missing", f"--data-file={COVERED}"]
    return report


def rules() -> Job:
    """tests/rules, watched for every branch of every rules.py and *_rules.py."""
    job = pytest("rules", "tests/rules")
    watched = ["-m", "coverage", "run", "--branch", "--rcfile=/dev/null", f"--data-file={COVERED}"]
    job.command[1:2] = [*watched, "--include=*/rules.py,*/*_rules.py", "-m"]
    return job


def pytest(name: str, *arguments: str, workers: int = 0, env: dict[str, str] | None = None) -> Job:
    job = Job(name, [], env or {}, is_pytest=True)
    job.command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--durations=10",
        f"--junitxml={job.xml}",
        *arguments,
    ]
    # Two runs side by side would write the same cache.
    job.command += ["-p", "no:cacheprovider"]
    if workers:
        job.command += ["-n", str(workers), "--dist=worksteal"]
    return job


def fast() -> list[Job]:
    """Everything at once: ruff and import-linter are done before pytest has collected."""
    marked = pytest(
        "fast", "-m", "fast and not long and not browser", "--ignore=tests/house", "--ignore=tests/rules"
    )
    marked.may_be_empty = True
    jobs = [*static_checks(), pytest("house-and-rules", "tests/house", "tests/rules"), marked]
    together(jobs)
    return jobs


def full(postgres_url: str) -> list[Job]:
    os.environ["HUIWU_TEST_REPEATABLE"] = "1"
    checks = static_checks()
    together(checks)
    # Tests wait for disks and servers as much as they compute, so each run may have a worker for every core.
    workers = int(os.environ.get("HUIWU_TEST_WORKERS", "0")) or max(2, min(4, os.cpu_count() or 2))
    suites = [
        # Rules cannot reach a database (a contract of import-linter), so one run of them tells everything.
        rules(),
        pytest("sqlite", "--ignore=tests/rules", workers=workers),
        # What the house's rules say of the code is the same on every database.
        pytest(
            "postgres",
            "--ignore=tests/rules",
            "--ignore=tests/house",
            workers=workers,
            env={"DATABASE_URL": postgres_url},
        ),
    ]
    together(suites)
    covered = branches()
    together([covered])
    # Alone on the machine: a journey watches a clock, as a person does.
    journeys = pytest("browser", "-m", "browser", "tests/browser")
    journeys.limit_s = 600
    together([journeys])
    return [*checks, *suites, covered, journeys]


def long(postgres_url: str) -> list[Job]:
    jobs = [
        pytest("long-sqlite", "-m", "long", "--timeout=1800"),
        pytest("long-postgres", "-m", "long", "--timeout=1800", env={"DATABASE_URL": postgres_url}),
    ]
    for job in jobs:
        job.limit_s = 3600
        together([job])
    long_report.write(
        ROOT / "docs" / "test-long.md", {job.name.removeprefix("long-"): job.xml for job in jobs}
    )
    return jobs


def with_servers(run: Callable[[str], list[Job]]) -> list[Job]:
    with services.postgres() as postgres_url, services.redis() as redis_url:
        os.environ |= {"HUIWU_TEST_PG": postgres_url, "HUIWU_TEST_REDIS": redis_url}
        try:
            return run(postgres_url)
        finally:
            services.drop_databases(postgres_url, services.run_id())


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped on the way out
    if arguments not in ([], ["--fast"], ["--long"]):
        raise SystemExit(__doc__)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir()
    os.environ["HUIWU_TEST_RUN"] = secrets.token_hex(4)
    try:
        jobs = fast() if arguments == ["--fast"] else with_servers(long if arguments else full)
    except services.Missing as missing:
        raise SystemExit(f"test: {missing}") from None

    print(f"\n{'':16}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for job in jobs:
        passed, skipped = (job.passed, job.skipped) if job.is_pytest else ("-", "-")
        print(f"{job.name:16}{passed:>8}{job.failed:>8}{skipped:>8}{job.seconds:>9.1f}")
    passed, failed, skipped = (
        sum(getattr(job, key) for job in jobs) for key in ("passed", "failed", "skipped")
    )
    if not passed and not failed:
        failed = 1  # nothing ran
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
