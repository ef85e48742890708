"""docs/test-long.md from the JUnit files of a run of `make test-long`."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

from tests import services


def write(target: Path, results: dict[str, Path]) -> None:
    """``results``: engine -> JUnit file. What a test records with ``record_property`` stands in its last column."""
    target.write_text(
        "# The long tests\n\n"
        "Servers killed at random moments, long loads and the like. `make test-long` runs them and writes this page.\n\n"
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()}.\n\n"
        "| Test | On | Outcome | Seconds | Seen |\n|---|---|---|---:|---|\n"
        + "".join(row(engine, case) for engine, xml in results.items() for case in cases(xml)),
        encoding="utf-8",
    )


def cases(xml: Path) -> list[ET.Element]:
    if not xml.exists():
        return []
    try:
        return list(ET.parse(xml).getroot().iter("testcase"))
    except ET.ParseError:
        return []


def row(engine: str, case: ET.Element) -> str:
    outcome, why = "passed", ""
    for tag, word in (("skipped", "skipped"), ("failure", "**failed**"), ("error", "**failed**")):
        found = case.find(tag)
        if found is not None:
            outcome, why = word, (found.get("message") or "").split("\n")[0][:160]
    seen = [f"{item.get('name')} {item.get('value')}" for item in case.iter("property")]
    cells = [
        f"`{case.get('name')}`",
        engine,
        outcome,
        f"{float(case.get('time', '0')):.1f}",
        "; ".join([*seen, why]),
    ]
    return "| " + " | ".join(cell.strip("; ").replace("|", "\\|") for cell in cells) + " |\n"


def machine() -> str:
    facts = [f"{os.cpu_count()} cores"]
    memory = Path("/proc/meminfo")
    if memory.exists() and (kilobytes := re.search(r"MemTotal:\s+(\d+)", memory.read_text())):
        facts.append(f"{round(int(kilobytes[1]) / 1024**2)} GiB")
    processor = Path("/proc/cpuinfo")
    if processor.exists() and (model := re.search(r"model name\s*:\s*(.+)", processor.read_text())):
        facts.append(model[1])
    facts += [f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}"]
    facts.append(f"SQLite {sqlite3.sqlite_version}")
    if server := services.find("postgres"):
        said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
        facts += [f"PostgreSQL {version[0]}" for version in [re.search(r"\d+(\.\d+)+", said)] if version]
    return ", ".join(facts)
