"""The house stands: floors, pure rules, nothing of this machine in the files. Each check is shown a violation too."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in CONFIG["contracts"]}
PACKAGES: list[str] = CONFIG["root_packages"]
BESIDE_THE_HOUSE = {"bench", "migrations", "scripts", "tests"}
# From the ground up; siblings share a floor.
FLOORS = {
    package.strip(): height
    for height, layer in enumerate(reversed(CONTRACTS["floors"]["layers"]))
    for package in layer.split("|")
}


#: A wildcard of import-linter stands for a whole module's name, so that ``*_rules`` must be listed.
RULES_BY_NAME = [name for name in CONTRACTS["rules"]["source_modules"] if "*" not in name]


# The contracts of pyproject.toml


def lint_imports(folder: Path) -> tuple[int, str]:
    """In a process of its own, because it asks the import system where the packages are."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def small_house(folder: Path) -> Path:
    """Every package with every room, all empty, under our own contracts."""
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    for package in PACKAGES:
        (folder / package).mkdir()
        for room in ("__init__", "rules", "models", "queries", "pages", "api", "noun", "db", "live", "text"):
            (folder / package / f"{room}.py").touch()
    for name in RULES_BY_NAME:
        (folder / f"{name.replace('.', '/')}.py").touch()
    return folder


def test_imports_keep_every_contract() -> None:
    code, words = lint_imports(ROOT)
    assert code == 0, words


def test_a_clean_house_keeps_every_contract(tmp_path: Path) -> None:
    code, words = lint_imports(small_house(tmp_path))
    assert code == 0, words


@pytest.mark.parametrize(
    ("contract", "planted"),
    [
        ("floors", {"kernel/text.py": "import web.noun"}),
        ("floors", {"agenda/noun.py": "def later() -> None:\n    from checkin import noun"}),
        ("floors", {"volunteers/noun.py": "import assets.queries"}),
        ("starlette", {"kernel/live.py": "from starlette.websockets import WebSocket"}),
        ("rules", {"events/rules.py": "from tortoise import fields"}),
        ("rules", {"checkin/rules.py": "from kernel.text import x", "kernel/text.py": "import asyncio"}),
        ("rules", {"agenda/rules.py": "import kernel.db"}),
        ("edges", {"agenda/noun.py": "from agenda.pages import routes"}),
        ("edges", {"checkin/pages.py": "import people.api"}),
        *[
            (f"{package}-models", {"checkin/noun.py": f"from {package}.models import Row"})
            for package in ("people", "events", "agenda")
        ],
    ],
)
def test_a_planted_import_breaks_its_contract(tmp_path: Path, contract: str, planted: dict[str, str]) -> None:
    house = small_house(tmp_path)
    for path, text in planted.items():
        (house / path).write_text(text)
    code, words = lint_imports(house)
    assert code == 1, words
    assert f"{CONTRACTS[contract]['name']} BROKEN" in words


def unguarded(folder: Path) -> list[str]:
    """Packages that import-linter does not see, and tables that no contract gives an owner."""
    problems = []
    for package in sorted({path.parent.name for path in folder.glob("*/__init__.py")} - BESIDE_THE_HOUSE):
        if package not in PACKAGES or package not in FLOORS:
            problems.append(f"{package} stands on no floor: add it to [tool.importlinter] in pyproject.toml")
        owner = CONTRACTS.get(f"{package}-models", {})
        if (folder / package / "models.py").exists() and owner.get("allowed_importers") != [package]:
            problems.append(f"{package}.models has no contract {package}-models in pyproject.toml")
    return problems


def test_every_package_has_a_floor_and_every_table_an_owner(tmp_path: Path) -> None:
    assert unguarded(ROOT) == []
    for name in ("attic/__init__.py", "assets/__init__.py", "assets/models.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert len(unguarded(tmp_path)) == (2 if "assets-models" not in CONTRACTS else 1)


# What import-linter cannot see: main is no package, and imports for the type checker are excluded there


def imported(source: str) -> Iterable[tuple[int, str]]:
    """The first word of each import, wherever it stands, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def upward_imports(package: str, source: str) -> list[str]:
    return [
        f"line {line}: {package} imports {name}"
        for line, name in imported(source)
        if name == "main" or (name != package and FLOORS.get(name, -1) >= FLOORS[package])
    ]


def test_nobody_imports_main_or_upwards_even_for_types() -> None:
    found = {
        str(path.relative_to(ROOT)): problems
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if (problems := upward_imports(package, path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_an_import_of_main_or_upwards_is_found() -> None:
    assert upward_imports("events", "def late():\n    import main") == ["line 2: events imports main"]
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from agenda.models import Session\n"
    assert upward_imports("events", typed) == ["line 3: events imports agenda"]
    assert upward_imports("volunteers", "import assets.rules") == ["line 1: volunteers imports assets"]
    assert (
        upward_imports("agenda", "import events.rules\nimport agenda.rules\nimport json\nfrom . import rules")
        == []
    )


# Rules: no waiting and no clock


CLOCK = re.compile(r"(^|\.)(datetime|date)\.(now|utcnow|today)$")


def impurities(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(f"line {node.lineno}: waits")
        elif isinstance(node, ast.Attribute) and CLOCK.search(ast.unparse(node)):
            found.append(f"line {node.lineno}: {ast.unparse(node)} reads the clock; take it as an argument")
    # Nothing in the module time is for rules, and an alias could not be followed.
    found += [f"line {line}: imports time" for line, name in imported(source) if name == "time"]
    return found


def test_every_module_of_rules_is_under_the_contract() -> None:
    there = [
        f"{path.parent.name}.{path.stem}" for path in ROOT.glob("*/*_rules.py") if path.parent.name != "tests"
    ]
    assert sorted(there) == RULES_BY_NAME


def test_rules_neither_wait_nor_read_the_clock() -> None:
    rules = sorted([*ROOT.glob("*/rules.py"), *ROOT.glob("*/*_rules.py")])
    assert rules
    found = {
        str(path.relative_to(ROOT)): problems
        for path in rules
        if (problems := impurities(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "planted",
    [
        "async def judge(): ...",
        "def judge():\n    async def inner():\n        await other()",
        "from datetime import datetime, UTC\nnow = datetime.now(UTC)",
        "import datetime as dt\nused = dt.datetime.utcnow()",
        "from datetime import date\ndef day(): return date.today()",
        "import datetime\nfield(default_factory=datetime.datetime.now)",
        "import time\ndef judge(): return time.time()",
        "from time import monotonic as tick",
    ],
)
def test_a_rule_that_waits_or_reads_the_clock_is_found(planted: str) -> None:
    assert impurities(planted)


def test_a_clock_given_as_an_argument_is_no_impurity() -> None:
    assert (
        impurities("from datetime import datetime\ndef judge(facts, at: datetime): return facts.now < at")
        == []
    )


# Nothing of this machine, no registry's address, in what is committed


# Written so that this file does not match itself.
MACHINE = re.compile(
    r"(pypi|pythonhosted)\.org|registry\.[a-z.]*npm|npm(js|mirror)\.(org|com)|(deb|security)\.debian\.org"
    r"|[a-z]+\.ubuntu\.com|proxy\.golang\.org|crates\.io|(cn|tuna)\.[a-z.]*edu\.cn/(pypi|simple)"
    r"|(?<![\w.])/(work/(main|shared|\.)|root/|home/[a-z]|Users/[A-Za-z])"
)


def machine_words(text: str) -> list[str]:
    return [
        f"line {number}: {found[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := MACHINE.search(line))
    ]


def committed() -> list[Path]:
    """What git holds or would take: an addition is caught before it is committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split(b"\0") if name and (path := ROOT / name.decode()).is_file()]


def test_no_registry_address_and_no_path_of_a_machine_is_committed() -> None:
    files = committed()
    assert len(files) > 20
    found = {
        str(path.relative_to(ROOT)): problems
        for path in files
        if (problems := machine_words(path.read_bytes().decode("utf-8", errors="ignore")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "planted",
    [
        "--index-url https://pypi" + ".org/simple",
        '"resolved": "https://registry' + ".npmjs" + '.org/uplot/-/uplot-1.6.32.tgz"',
        "#    uv pip compile /work" + "/main/pyproject.toml",
        "see /ho" + "me/ada/huiwu",
        'Path("/ro' + 'ot/.cache")',
    ],
)
def test_an_address_or_a_path_is_found(planted: str) -> None:
    assert machine_words(planted)


def test_routes_that_look_like_paths_are_not() -> None:
    assert machine_words('url("/homes/") /workshops/ /e/coscon/work/ ../work/main') == []


# Words


def says_materials(docstring: str | None) -> bool:
    return "物料" in (docstring or "")


def test_assets_are_materials() -> None:
    assert says_materials(
        ast.get_docstring(ast.parse((ROOT / "assets/__init__.py").read_text(encoding="utf-8")))
    )
    assert not says_materials("Files for the browser.")
