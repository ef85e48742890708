"""The interface's languages: gettext catalogues of every package, merged; the reader's choice.

``python -m web.i18n`` extracts every marked message, adds new ones to the zh-Hans catalogues and says what lacks
a translation. The source language is English, so ``en`` needs no catalogue.
"""

from __future__ import annotations

import contextvars
import io
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations
from starlette.requests import HTTPConnection

from kernel.text import DEFAULT_LOCALE, LOCALES

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("web", "people", "events", "agenda", "volunteers", "assets", "checkin")
COOKIE = "huiwu_lang"
#: The same in every catalogue, always: a date of collecting would make any two branches disagree about a line.
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}

_locale: contextvars.ContextVar[str] = contextvars.ContextVar("huiwu_locale", default=DEFAULT_LOCALE)


def catalogue_path(package: str) -> Path:
    folder = ROOT / package / "locale"
    return folder / "zh_Hans" / "web.po" if package == "web" else folder / "zh_Hans.po"


@lru_cache(maxsize=8)
def translations(locale: str) -> NullTranslations:
    """All packages' messages in one; what is missing falls back to the English source."""
    merged: Translations | None = None
    if locale == "zh-Hans":
        for package in PACKAGES:
            path = catalogue_path(package)
            if not path.exists():
                continue
            with path.open("rb") as file:
                catalogue = read_po(file, locale="zh_Hans")
            buffer = io.BytesIO()
            write_mo(buffer, catalogue)
            buffer.seek(0)
            one = Translations(buffer)
            merged = one if merged is None else merged.merge(one)
    return merged or NullTranslations()


def current_locale() -> str:
    return _locale.get()


def use_locale(locale: str) -> contextvars.Token[str]:
    return _locale.set(locale if locale in LOCALES else DEFAULT_LOCALE)


def reset_locale(token: contextvars.Token[str]) -> None:
    _locale.reset(token)


def gettext(message: str) -> str:
    return str(translations(_locale.get()).ugettext(message))


def ngettext(singular: str, plural: str, number: int) -> str:
    return str(translations(_locale.get()).ungettext(singular, plural, number))


def gettext_in(locale: str, message: str) -> str:
    """For letters, which speak their recipient's language, not the sender's."""
    return str(translations(locale).ugettext(message))


@lru_cache(maxsize=512)
def negotiate(cookie: str, accept: str) -> str:
    """The reader's choice, else what the browser prefers, else zh-Hans."""
    if cookie in LOCALES:
        return cookie
    wanted: list[tuple[float, int, str]] = []
    for index, part in enumerate(accept.split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        quality = 1.0
        if rest.strip().startswith("q="):
            try:
                quality = float(rest.strip()[2:])
            except ValueError:
                quality = 0.0
        wanted.append((-quality, index, tag.lower()))
    for quality, _, tag in sorted(wanted):
        if quality == 0:
            continue
        if tag.startswith("zh"):
            return "zh-Hans"
        if tag.startswith("en"):
            return "en"
    # A reader whose languages we don't speak is more likely to read English.
    return "en" if any(tag not in ("", "*") for _, _, tag in wanted) else DEFAULT_LOCALE


def locale_of(connection: HTTPConnection) -> str:
    return negotiate(connection.cookies.get(COOKIE, ""), connection.headers.get("accept-language", ""))


def extracted(package: str) -> dict[str | tuple[str, ...], list[tuple[str, int]]]:
    """Every marked message of a package and where it stands."""
    found: dict[str | tuple[str, ...], list[tuple[str, int]]] = {}
    jinja = {
        "trimmed": "true",
        "newstyle_gettext": "true",
        # A template that can't be read must fail here, not lose its words.
        "silent": "false",
        "extensions": "jinja2.ext.do",
    }
    options: dict[str, dict[str, Any]] = {"**/templates/**.html": jinja, "**/templates/**.txt": jinja}
    rows: Iterable[Any] = extract_from_dir(ROOT / package, METHODS, options, KEYWORDS, ("i18n:",))
    for filename, line, message, _comments, _context in rows:
        key = tuple(message) if isinstance(message, (tuple, list)) else message
        found.setdefault(key, []).append((f"{package}/{filename}", line))
    if package == "web":
        # main belongs to no package; what it says (the navigation's titles) stands with the frame of the pages.
        for line, message, _comments, _context in extract_from_file("python", ROOT / "main.py", KEYWORDS):
            found.setdefault(message if isinstance(message, str) else tuple(message), []).append(
                ("main.py", line)
            )
    return found


def missing(package: str) -> list[str]:
    """Messages of a package that no catalogue translates to zh-Hans, or only as fuzzy."""
    known = set()
    for other in PACKAGES:
        if catalogue_path(other).exists():
            with catalogue_path(other).open("rb") as file:
                for message in read_po(file, locale="zh_Hans"):
                    if message.id and message.string and not message.fuzzy:
                        known.add(message.id)
    return [str(key) for key in extracted(package) if key not in known]


def update() -> None:
    """Adds new messages to the catalogues and drops those that nothing uses."""
    for package in PACKAGES:
        if not (ROOT / package).is_dir():
            continue
        path = catalogue_path(package)
        catalogue = Catalog(
            locale="zh_Hans", project="Huiwu", charset="utf-8", fuzzy=False, creation_date=_NO_DATE
        )
        old: dict[Any, Any] = {}
        if path.exists():
            with path.open("rb") as file:
                old = {
                    message.id: message.string for message in read_po(file, locale="zh_Hans") if message.id
                }
        for key in sorted(extracted(package), key=str):
            catalogue.add(key, old.get(key, ""))
        if len(catalogue):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                write_po(file, catalogue, omit_header=False, sort_output=True, no_location=True, width=110)


if __name__ == "__main__":
    update()
    # What another package's catalogue translates is not missing.
    lacking = [f"{name}: {text}" for name in PACKAGES for text in missing(name)]
    for line in lacking:
        print(line)
    sys.exit(1 if lacking else 0)
