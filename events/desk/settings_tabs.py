"""The tabs above the pages that settle what an event is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from events.access import Door
from kernel.text import N_
from web import i18n, render

#: (words, href, current) for ``ui.tabs``.
Tabs = Sequence[tuple[str, str, bool]]

_TABS: Final = (
    (N_("Details"), "events.desk.settings"),
    (N_("Parts of the desk"), "events.desk.modules"),
    (N_("Series"), "events.desk.series"),
    (N_("Copy"), "events.desk.copy"),
)


def tabs(door: Door, current: str) -> Tabs:
    return [
        (i18n.gettext(words), render.url(name, slug=door.event.slug), name == current)
        for words, name in _TABS
    ]
