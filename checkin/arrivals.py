"""Who has come to an event at all: what the pages below the door's floor ask through ``events.arrivals``."""

# ruff: noqa: S608 -- statements are put together from kernel.db's own parts; values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from kernel.db import json_rows, query


def _ids(ids: Sequence[int]) -> str:
    return orjson.dumps([{"id": number} for number in sorted(set(ids))]).decode()


async def by_type(event_ids: Sequence[int]) -> Mapping[tuple[int, int], int]:
    """People admitted at any gate, each once however many days they came, by (event id, ticket type id)."""
    rows = await query(
        "SELECT a.event_id AS e, p.ticket_type_id AS t, count(DISTINCT a.passport_id) AS n "
        f"FROM {json_rows('$1', id='int')} JOIN arrival a ON a.event_id = r.id "
        "JOIN passport p ON p.id = a.passport_id GROUP BY a.event_id, p.ticket_type_id",
        _ids(event_ids),
    )
    return {(row["e"], row["t"]): int(row["n"]) for row in rows}


async def among(registration_ids: Sequence[int]) -> frozenset[int]:
    """Those of the registrations whose passport was admitted at any gate on any day."""
    rows = await query(
        f"SELECT DISTINCT p.registration_id AS id FROM {json_rows('$1', id='int')} "
        "JOIN passport p ON p.registration_id = r.id "
        "JOIN arrival a ON a.event_id = p.event_id AND a.passport_id = p.id",
        _ids(registration_ids),
    )
    return frozenset(row["id"] for row in rows)
