"""Every verb that any package writes into the journal is called something on the journal's page, in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import main
from events import desk
from kernel.settings import Settings
from web import i18n

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("people", "events", "agenda", "volunteers", "assets", "checkin")
#: Lines of an account or of the whole installation: they stand in no event's journal, so no page shows them.
OF_NO_EVENT = ("api_token.", "account.", "identity.", "sign_in.", "series.", "person.", "data.", "person_")
VERB = re.compile(r"[a-z_]+\.[a-z_]+")


def verbs_in(source: str) -> Iterator[str]:
    """Verbs in calls that write a line: the keyword ``verb``, or an argument of a module's own ``_write`` or ``_journal``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [word.value for word in node.keywords if word.arg == "verb"]
        if name in ("_write", "_journal", "_note"):
            given += node.args
        for one in given:
            for part in ast.walk(one):
                if (
                    isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and VERB.fullmatch(part.value)
                ):
                    yield part.value


def test_verbs_are_found_where_they_are_written() -> None:
    source = 'journal.write(verb="a.b", x="no.no")\n_write(actor, "c.d" if x else "e.f")\nother("g.h")'
    assert set(verbs_in(source)) == {"a.b", "c.d", "e.f"}


def test_every_verb_has_words_in_both_languages() -> None:
    main.create_app(Settings.from_env({}, secret_key="k" * 40), workers=False)
    missing = {}
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for verb in verbs_in(path.read_text(encoding="utf-8")):
                found.add(verb)
                words = desk.VERBS.get(verb)
                is_said = words is not None and i18n.gettext_in("zh-Hans", words) != words
                if not is_said and not verb.startswith(OF_NO_EVENT):
                    missing[verb] = str(path.relative_to(ROOT))
    assert missing == {}
    assert len(found) > 20
