"""The routes of the review's setup, pages and JSON, joined: main names them once."""

from __future__ import annotations

from typing import Final

from agenda import assignment_pages, review_setup_api, review_setup_pages
from web.routing import Entry

ROUTES: Final[list[Entry]] = [
    *review_setup_pages.ROUTES,
    *assignment_pages.ROUTES,
    *review_setup_api.ROUTES,
]
