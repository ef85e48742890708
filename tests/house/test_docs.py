"""What the documents say is so: settings, routes, verdicts, words, commands, links. Each check is shown a lie too."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from checkin.rules import TONES
from kernel.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def text_of(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def documents() -> dict[str, str]:
    """Every Markdown file that git holds or would take, by its path."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    names = [name.decode() for name in done.stdout.split(b"\0") if name]
    return {name: text_of(name) for name in names if (ROOT / name).is_file()}


def rows(markdown: str) -> list[list[str]]:
    """The cells of every table row, rulers and the words between tables left out."""
    found = [line for line in markdown.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in found
        if not re.match(r"\|[\s:|-]+$", line)
    ]


def apart(said: Iterable[str], real: Iterable[str]) -> list[str]:
    """What stands on one side only, in words."""
    said, real = set(said), set(real)
    return [f"not documented: {one}" for one in sorted(real - said)] + [
        f"does not exist: {one}" for one in sorted(said - real)
    ]


# Settings


def documented_settings(markdown: str) -> dict[str, str]:
    """Name to default, from the tables' first two columns."""
    return {
        row[0].strip("`"): row[1]
        for row in rows(markdown)
        if len(row) > 1 and re.fullmatch(r"`[A-Z][A-Z_]+`", row[0])
    }


def real_settings() -> dict[str, str]:
    def shown(default: Any) -> str:
        if default in ("", ()):
            return "empty"
        if isinstance(default, tuple):
            return f"`{','.join(default)}`"
        return f"`{int(default) if isinstance(default, bool) else default}`"

    found = {item.metadata["env"]: shown(item.default) for item in fields(Settings)}
    return found | {"HUIWU_SECRET_KEY": "made at the first start"}


def test_every_setting_is_documented_with_its_default() -> None:
    said, real = documented_settings(text_of("docs/settings.md")), real_settings()
    assert apart(said, real) == []
    assert said == real


def test_a_forgotten_setting_and_a_wrong_default_are_found() -> None:
    planted = text_of("docs/settings.md").replace("| `HUIWU_PORT` | `8000` |", "| `HUIWU_PROT` | `8000` |")
    assert apart(documented_settings(planted), real_settings()) == [
        "not documented: HUIWU_PORT",
        "does not exist: HUIWU_PROT",
    ]
    planted = text_of("docs/settings.md").replace("| `HUIWU_PORT` | `8000` |", "| `HUIWU_PORT` | `80` |")
    assert documented_settings(planted) != real_settings()


# The HTTP API


def documented_routes(markdown: str) -> dict[str, str]:
    """``POST /e/{slug}/api/scans`` out of the headings (needs: "") and the tables, with the permission it needs."""
    headings = re.findall(r"^### `([A-Z]+ \S+)`$", markdown, re.MULTILINE)
    cells = re.findall(r"^\| `([A-Z]+ /\S*)` \| (\S+) \|", markdown, re.MULTILINE)
    return dict.fromkeys(headings, "") | dict(cells)


def machine_routes() -> tuple[dict[str, str], set[str]]:
    """All routes of the house with what they need, and those that machines call."""
    from main import entries
    from web.openapi import is_json

    every, machines = dict[str, str](), set()
    for entry in entries():
        path = re.sub(r":\w+}", "}", entry.path)
        for method in entry.methods or ("GET",):
            every[f"{method} {path}"] = entry.access.removeprefix("event:").replace("view_public", "public")
            if is_json(entry) or entry.is_socket:
                machines.add(f"{method} {path}")
    return every, machines


def test_every_json_route_is_documented() -> None:
    every, machines = machine_routes()
    said = documented_routes(text_of("docs/http-api.md"))
    assert machines
    assert [one for one in apart(said, every) if one.startswith("does not exist")] == []
    assert [one for one in apart(said, machines) if one.startswith("not documented")] == []
    assert {one: needs for one, needs in said.items() if needs} == {
        one: every[one] for one, needs in said.items() if needs
    }


def test_a_route_that_is_missing_or_gone_is_found() -> None:
    said = documented_routes(
        "### `GET /e/{slug}/api/checkpoints`\n| `GET /e/{slug}/api/ghosts` | scan | |\ntext `GET /no`\n"
    )
    assert apart(said, {"GET /e/{slug}/api/checkpoints", "POST /e/{slug}/api/scans"}) == [
        "not documented: POST /e/{slug}/api/scans",
        "does not exist: GET /e/{slug}/api/ghosts",
    ]


def documented_verdicts(markdown: str) -> dict[str, str]:
    return {
        row[0].strip("`"): row[1]
        for row in rows(markdown)
        if len(row) == 3 and row[1] in ("go", "care", "stop") and row[0].startswith("`")
    }


def test_every_verdict_is_documented_with_its_tone() -> None:
    assert documented_verdicts(text_of("docs/http-api.md")) == {
        code.value: tone.value for code, tone in TONES.items()
    }


def test_a_verdict_in_another_tone_is_found() -> None:
    planted = text_of("docs/http-api.md").replace("| `full` | stop |", "| `full` | care |")
    assert documented_verdicts(planted) != {code.value: tone.value for code, tone in TONES.items()}


# Words

#: The trade's words that the house is built on; each stands in the glossary in both languages.
TERMS = ("Event", "Place", "Person", "Account", "SignIn", "Role", "Registration", "Ticket type", "Passport", "CheckinList", "Checkpoint", "Scan", "Verdict", "Stamp", "Proposal", "Session", "Forum", "Release", "Team", "Post", "Shift", "Item", "StockLocation", "Movement", "Partner", "Benefit", "Letter",)  # fmt: skip


def without_a_line(glossary: str, terms: Sequence[str]) -> list[str]:
    """Terms that have no row with a Chinese word and a meaning."""
    known = {row[0]: row for row in rows(glossary) if len(row) >= 3}
    return [
        term
        for term in terms
        if term not in known or not re.search(r"[\u4e00-\u9fff]", known[term][1]) or len(known[term][2]) < 10
    ]


def test_the_glossary_has_every_term_in_both_languages() -> None:
    assert without_a_line(text_of("docs/glossary.md"), TERMS) == []


def test_a_missing_or_untranslated_term_is_found() -> None:
    planted = "| Event | 活动 | One conference. |\n| Place | place | Anything on the map. |\n"
    assert without_a_line(planted, ["Event", "Place", "Scan"]) == ["Place", "Scan"]


# Decisions

HEADINGS = ["Context", "Decision", "Alternatives considered", "Consequences", "Held by"]


def wrong_decisions(pages: Mapping[str, str]) -> list[str]:
    """Gaps and doubles in the numbers, headings that are missing, tests that do not exist."""
    found = []
    numbers = sorted(int(name[:4]) for name in pages)
    if numbers != list(range(1, len(pages) + 1)):
        found.append(f"the numbers have a gap or a double: {numbers}")
    for name, page in sorted(pages.items()):
        if not re.match(rf"# {name[:4]} \S", page):
            found.append(f"{name}: the title does not begin with its number")
        if (headings := re.findall(r"^## (.+)$", page, re.MULTILINE)) != HEADINGS:
            found.append(f"{name}: headings {headings}")
        tests = re.findall(r"`(tests/[\w./]+\.(?:py|mjs))`", page.partition("## Held by")[2])
        if not tests:
            found.append(f"{name}: no test holds it")
        found += [f"{name}: no such test {test}" for test in tests if not (ROOT / test).is_file()]
    return found


def decisions() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "decisions").glob("*.md")}


def test_decisions_are_numbered_whole_and_held() -> None:
    pages = decisions()
    assert len(pages) >= 10
    assert wrong_decisions(pages) == []


def test_a_gap_a_missing_heading_and_an_invented_test_are_found() -> None:
    pages = decisions()
    first = pages["0001-record-decisions.md"]
    del pages["0002-floors.md"]
    pages["0001-record-decisions.md"] = first.replace("## Consequences", "## After").replace(
        "`tests/house/test_docs.py`", "`tests/house/test_ghost.py`"
    )
    found = "\n".join(wrong_decisions(pages))
    assert "gap" in found
    assert "0001-record-decisions.md: headings" in found
    assert "no such test tests/house/test_ghost.py" in found


# Commands


def made() -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9-]*):", text_of("Makefile"), re.MULTILINE))


def told(markdown: str, command: str) -> set[str]:
    """The words after ``make`` or ``main.py`` in code: that is where a reader copies from."""
    code = re.findall(r"```.*?```|`[^`\n]+`", markdown, re.DOTALL)
    return {word for piece in code for word in re.findall(rf"\b{command} ([a-z][a-z0-9-]*)\b", piece)}


def command_line() -> set[str]:
    from main import parser

    return {
        name
        for action in parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }


def test_every_command_that_a_document_names_exists() -> None:
    everything = "\n".join(documents().values())
    assert {"run", "test"} <= told(text_of("README.md"), "make")
    assert told(everything, "make") - made() == set()
    assert told(everything, r"main\.py") - command_line() == set()


def test_a_command_that_does_not_exist_is_found() -> None:
    planted = "Type `make run`, then\n```\nmake magic\npython main.py conjure\n```\nand make sure of it."
    assert told(planted, "make") - made() == {"magic"}
    assert told(planted, r"main\.py") == {"conjure"}


# Links and paths


def broken(name: str, markdown: str) -> list[str]:
    """Relative links, and paths in code, that lead nowhere from this document or from the root."""
    here = (ROOT / name).parent
    prose = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or "{{" in target:
            continue
        aim = here / path if path else ROOT / name
        if not aim.exists():
            found.append(f"{name}: {target}")
        elif anchor and anchor not in anchors(aim.read_text(encoding="utf-8")):
            found.append(f"{name}: no heading for {target}")
    # Only what begins with a folder of ours: look.md names templates and styles from their own folders.
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|sql|html|css|js|toml))`", prose)
    ours = [path for path in paths if path.startswith("../") or (ROOT / path.split("/")[0]).is_dir()]
    found += [
        f"{name}: {path}" for path in ours if not ((here if path.startswith("../") else ROOT) / path).exists()
    ]
    return found


def anchors(markdown: str) -> set[str]:
    """Headings as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_and_paths_in_documents_lead_somewhere() -> None:
    pages = documents()
    assert {"README.md", "docs/ARCHITECTURE.md"} <= pages.keys()
    assert [problem for name, page in pages.items() for problem in broken(name, page)] == []


@pytest.mark.parametrize(
    "planted",
    [
        "[gone](docs/ghost.md)",
        '<img src="docs/ghost.png">',
        "[x](README.md#no-such-heading)",
        "see `kernel/ghost.py`",
    ],
)
def test_a_link_to_nowhere_is_found(planted: str) -> None:
    assert len(broken("README.md", planted)) == 1


def test_links_elsewhere_and_links_that_work_are_left_alone() -> None:
    fine = "[a](https://example.org/x) [b](docs/ARCHITECTURE.md) [c](mailto:a@example.org) `kernel/db.py` `css/x.css`"
    assert broken("README.md", fine) == []
