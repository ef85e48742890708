"""No text that a person reads is outside gettext, and none lacks its Chinese words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment

from web import i18n

ROOT = i18n.ROOT
TEMPLATES = sorted(path for package in i18n.PACKAGES for path in (ROOT / package).glob("templates/**/*.html"))

#: Words that are the same in both languages: the switch itself, the product's name, a language's own name.
_SAME = {
    "Huiwu",
    "会务",
    "中文",
    "English",
    "中",
    "EN",
    "CSV",
    "XLSX",
    "PNG",
    "SVG",
    "JSON",
    "UTC",
    "zh",
    "en",
    "ID",
    "QR",
}
_LETTERS = re.compile(r"[A-Za-z\u4e00-\u9fff]+")
_SPOKEN = {"placeholder", "title", "alt", "aria-label"}


class _Reader(HTMLParser):
    """Collects what a person would read: text outside scripts, and the attributes that are shown or spoken."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag in ("script", "style")
        self.words += [value for name, value in attrs if name in _SPOKEN and value and _LETTERS.search(value)]

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if not self._script:
            self.words += [word for word in _LETTERS.findall(data) if word not in _SAME]


def bare_words(source: str) -> list[str]:
    """Words in a template that no gettext call surrounds: what is left when Jinja's own parts are taken out."""
    tokens = Environment(autoescape=True, extensions=["jinja2.ext.i18n", "jinja2.ext.do"]).lex(source)
    # Every expression becomes a digit, so that an attribute or tag around it stays whole.
    html: list[str] = []
    names: list[str] = []
    inside = muted = ""
    for _line, kind, value in tokens:
        if kind in ("variable_begin", "block_begin", "comment_begin", "raw_begin"):
            inside, names = kind, []
            html.append("0" if kind == "variable_begin" else "")
        elif kind in ("variable_end", "block_end", "comment_end", "raw_end"):
            if inside == "block_begin" and names:
                # Words of the layout, and words that {% trans %} hands to gettext.
                if names[:2] == ["block", "body_class"] or names[0] == "trans":
                    muted = names[0]
                elif names[0] == f"end{muted}":
                    muted = ""
            inside = ""
        elif kind == "name":
            names.append(value)
        elif kind == "data" and not inside and not muted:
            # Attributes that a macro writes stand outside any tag of this file.
            html.append(re.sub(r"""\s(?:aria|data)-[a-z]+="[^"]*"?|^"$""", " ", value))
    reader = _Reader()
    reader.feed("".join(html))
    reader.close()
    return reader.words


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_hold_no_bare_text(path: Path) -> None:
    if path.name == "gallery.html":
        pytest.skip("sample words of every component")
    assert bare_words(path.read_text(encoding="utf-8")) == []


def test_the_check_finds_bare_text() -> None:
    assert bare_words(
        "<p>{{ _('Fine') }}</p><p>Not fine</p><img alt='' title=\"Bad\">{% trans %}Fine{% endtrans %}"
    ) == ["Not", "fine", "Bad"]


@pytest.mark.parametrize("package", i18n.PACKAGES)
def test_every_message_has_chinese_words(package: str) -> None:
    assert i18n.missing(package) == []


def test_placeholders_survive_translation() -> None:
    wrong = []
    for package in i18n.PACKAGES:
        path = i18n.catalogue_path(package)
        if not path.exists():
            continue
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans"):
                if not message.id or not message.string:
                    continue
                source = message.id if isinstance(message.id, str) else message.id[1]
                target = message.string if isinstance(message.string, str) else message.string[0]
                if set(re.findall(r"%\((\w+)\)", source)) != set(re.findall(r"%\((\w+)\)", target)):
                    wrong.append(source)
    assert wrong == []
