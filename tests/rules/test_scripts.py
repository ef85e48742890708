"""The scanner's pure modules, by Node's own test runner: a bad evening's network in milliseconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import judge_vectors, offline_vectors

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests" / "js").glob("*.test.mjs"))


def node() -> str:
    """The machine's, or the one that scripts/setup.py put beside Python where there was none."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), beside]))
    if found is None:
        pytest.skip("no node on this machine; python3 -m scripts.setup --test brings one")
    return found


@pytest.fixture(scope="module", autouse=True)
def _vectors() -> None:
    """The browser's judge is held to the server's by a file of thousands of cases, made anew from the rules; so is
    what else the offline scanner does as the server does."""
    assert judge_vectors.write() >= 2_000
    offline_vectors.write()


@pytest.mark.fast
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_in_node(path: Path) -> None:
    done = subprocess.run(
        [node(), "--test", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "\n# pass 0\n" not in done.stdout
