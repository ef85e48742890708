"""The passport's part of a person: what is held, and what is left of it when the person is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import orjson

from checkin import snapshot
from checkin.words import APART, DIRECTIONS, STATUSES, VERDICTS
from events.privacy import registrations_of
from kernel import db
from kernel.text import N_, LocalizedText
from people import topics
from people.privacy import ROWS_MAX, Fact, Held, Subject


class Gone(Protocol):
    """What ``events.privacy.erased`` tells."""

    @property
    def event_id(self) -> int: ...
    @property
    def registration_ids(self) -> Sequence[int]: ...


async def held(subject: Subject) -> Sequence[Held]:
    """Passports by their short codes, and every scan that was of one of them."""
    ids = db.list_parameter(list(await registrations_of(subject)))
    apart = await db.query(
        "SELECT q.at, q.state, c.name FROM passport p JOIN quarantined_scan q ON q.passport_id = p.id "  # noqa: S608 -- as above
        f"LEFT JOIN checkpoint c ON c.id = q.checkpoint_id WHERE p.registration_id {db.in_list('$1', 'int')} "
        f"ORDER BY q.at LIMIT {ROWS_MAX}",
        ids,
    )
    passports = await db.query(
        "SELECT registration_id, short_code, status, badge_name, badge_line, badge_number, badge_box, created_at FROM passport "  # noqa: S608 -- our own words
        f"WHERE registration_id {db.in_list('$1', 'int')} ORDER BY id",
        ids,
    )
    scans = await db.query(
        "SELECT s.at, s.verdict, s.direction, c.name FROM passport p JOIN scan s ON s.passport_id = p.id "  # noqa: S608 -- as above
        f"JOIN checkpoint c ON c.id = s.checkpoint_id WHERE p.registration_id {db.in_list('$1', 'int')} "
        f"ORDER BY s.at LIMIT {ROWS_MAX}",
        ids,
    )
    return (
        Held(
            "passports",
            N_("Passports"),
            [
                [
                    Fact("registration", N_("Registration"), row["registration_id"]),
                    Fact("short_code", N_("Short code"), row["short_code"]),
                    Fact("status", N_("State"), row["status"], STATUSES.get(row["status"], "")),
                    Fact("badge_name", N_("Badge name"), row["badge_name"]),
                    Fact("badge_line", N_("Second line of the badge"), row["badge_line"]),
                    Fact("badge_number", N_("Badge number"), row["badge_number"]),
                    Fact("badge_box", N_("Badge box"), row["badge_box"]),
                ]
                for row in passports
            ],
        ),
        Held(
            "scans",
            N_("Scans"),
            [
                [
                    Fact("at", N_("When"), db.as_instant(row["at"])),
                    Fact("checkpoint", N_("Checkpoint"), _name(row["name"])),
                    Fact(
                        "direction", N_("Direction"), row["direction"], DIRECTIONS.get(row["direction"], "")
                    ),
                    Fact("verdict", N_("Verdict"), row["verdict"], VERDICTS.get(row["verdict"], "")),
                ]
                for row in scans
            ],
        ),
        Held(
            "scans_apart",
            N_("Scans that were kept apart"),
            [
                [
                    Fact("at", N_("When"), db.as_instant(row["at"])),
                    Fact("checkpoint", N_("Checkpoint"), _name(row["name"] or {})),
                    Fact("state", N_("State"), row["state"], APART[row["state"]]),
                ]
                for row in apart
            ],
        ),
    )


def _name(stored: str | dict[str, str]) -> dict[str, str]:
    return dict(LocalizedText.of(orjson.loads(stored) if isinstance(stored, str) else stored))


async def follow_erasure(news: Gone) -> None:
    """A passport without a person: no name, no other shop's code, and whatever leads to it says "revoked".

    Scans and totals stay as they are, because they name the passport's number alone.
    """
    await snapshot.forget_people(list(news.registration_ids))
    ids = db.list_parameter(list(news.registration_ids))
    mine = f"(SELECT id FROM passport WHERE registration_id {db.in_list('$1', 'int')})"  # noqa: S608 -- our own words
    await db.execute(f"DELETE FROM passport_code WHERE passport_id IN {mine} AND kind NOT IN {_OURS}", ids)  # noqa: S608 -- as above
    await db.execute(f"UPDATE passport_code SET is_live = FALSE WHERE passport_id IN {mine}", ids)  # noqa: S608 -- as above
    await db.execute(
        f"UPDATE passport SET badge_name = '', badge_line = '', status = 'revoked', notice = NULL, "  # noqa: S608 -- as above
        f"leads_group_id = NULL, badge_box = '' WHERE id IN {mine}",
        ids,
    )
    await db.execute(
        f"UPDATE print_job SET state = 'dropped' WHERE passport_id IN {mine} AND state IN ('queued', 'taken')",  # noqa: S608 -- as above
        ids,
    )
    # What staff wrote in their own words may name anybody.
    await db.execute(f"UPDATE scan_reason SET text = '' WHERE passport_id IN {mine}", ids)  # noqa: S608 -- as above
    # The note on a code of nobody may name them as well as anybody else.
    await db.execute(
        f"UPDATE scan_conflict SET note = '' WHERE passport_id IN {mine} OR (passport_id IS NULL AND event_id = $2)",  # noqa: S608 -- as above
        ids,
        news.event_id,
    )
    await db.execute(
        f"UPDATE holder_note SET text = '{{}}', open_for = NULL WHERE passport_id IN {mine}",  # noqa: S608 -- as above
        ids,
    )
    await topics.bump(snapshot.topic(news.event_id))

    await db.execute(f"UPDATE quarantined_scan SET reason = '' WHERE passport_id IN {mine}", ids)  # noqa: S608 -- as above


async def follow_emptying(event_id: int) -> None:
    """Everybody of an event is dropped: so are the names of who carried its phones, and whatever phones were tried."""
    for table in ("device", "device_pairing"):
        await db.execute(f"UPDATE {table} SET volunteer = '' WHERE event_id = $1", event_id)  # noqa: S608 -- as above
    await db.execute("UPDATE quarantined_scan SET reason = '' WHERE event_id = $1", event_id)
    await db.execute("DELETE FROM phone_test_link WHERE event_id = $1", event_id)


#: Codes that we made ourselves and that say nothing of anybody.
_OURS: Final = "('token', 'short')"
