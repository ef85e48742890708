"""The scanner's pure modules, by Node's own test runner: a bad evening's network in milliseconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests" / "js").glob("*.test.mjs"))


def node() -> str:
    """The machine's, or the one that scripts/setup.py put beside Python where there was none."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), beside]))
    if found is None:
        pytest.skip("no node on this machine; python3 -m scripts.setup --test brings one")
    return found


@pytest.mark.fast
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_in_node(path: Path) -> None:
    done = subprocess.run(
        [node(), "--test", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "\n# pass 0\n" not in done.stdout
