"""What was answered to the organisers' own questions about proposals, speakers and reviews.

Promises: kept in the transaction that keeps what they are about; a file counts once (``people.uploads.claim``), and one
that is replaced or taken away is gone after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from agenda.cfp_queries import FieldFacts
from agenda.history import Line
from agenda.proposal_rules import Subject
from events.form_rules import FileAnswer, FormCode
from events.rules import FieldKind
from kernel import db
from kernel.errors import Invalid, Problem
from people import uploads


def unanswered(
    fields: Iterable[FieldFacts],
    answers: Mapping[int, Any],
    *,
    type_id: int | None,
    forum_id: int | None,
    at: datetime,
) -> tuple[str, ...]:
    """The names of the questions that must be answered by now, and are not."""
    return tuple(
        one.question.name
        for one in fields
        if one.asking.asks(type_id=type_id, forum_id=forum_id)
        and one.asking.is_required(at)
        and answers.get(one.id) is None
    )


async def replace(
    *,
    subject: Subject,
    subject_id: int,
    fields: Sequence[FieldFacts],
    answers: Mapping[int, Any],
    at: datetime,
) -> list[Line]:
    """Puts new answers in place of the old ones to these questions, inside the caller's unit of work; gives what changed.

    A ``FileAnswer`` of the upload that is the answer already is left alone. Raises Invalid at a file that is gone.
    """
    asked = {one.id: one for one in fields}
    old = {
        row["call_field_id"]: row
        for row in await db.query(
            f"SELECT call_field_id, value, upload_id FROM call_answer WHERE {subject}_id = $1",  # noqa: S608 -- a word of our own
            subject_id,
        )
        if row["call_field_id"] in asked
    }
    lines: list[Line] = []
    fresh: dict[int, Any] = {}
    gone: list[int] = []
    for number, one in asked.items():
        before, now = old.get(number), answers.get(number)
        was = _plain(before)
        if isinstance(now, FileAnswer):
            if before is not None and before["upload_id"] == now.upload_id:
                continue
            fresh[number] = now
        elif now is not None and now != was:
            fresh[number] = now
        elif now is not None or before is None:
            continue
        if before is not None:
            gone.append(number)
        lines.append(
            Line(
                f"answer.{one.question.code}",
                was if one.question.kind is not FieldKind.FILE else None,
                now.filename if isinstance(now, FileAnswer) else now,
            )
        )
    if gone:
        await db.execute(
            f"DELETE FROM call_answer WHERE {subject}_id = $1 AND call_field_id {db.in_list('$2', 'int')}",  # noqa: S608
            subject_id,
            db.list_parameter(gone),
        )
        files = [old[number]["upload_id"] for number in gone if old[number]["upload_id"] is not None]
        if files:
            await uploads.expire(files)
    await _claim(fresh, at)
    await _insert(subject, subject_id, fresh)
    return lines


async def put_many(subject: Subject, answers: Mapping[int, Mapping[int, Any]]) -> None:
    """Puts answers of many (by subject's id, then question) in place of those to the same questions; no files. Two
    statements, inside the caller's unit of work.
    """
    rows = [
        {"subject": number, "field": one, "value": value}
        for number, each in answers.items()
        for one, value in each.items()
    ]
    if not rows:
        return
    source = db.json_rows("$1", subject="int", field="int")
    await db.execute(
        f"DELETE FROM call_answer WHERE id IN (SELECT a.id FROM {source} JOIN call_answer a "  # noqa: S608 -- words of our own
        f"ON a.{subject}_id = r.subject AND a.call_field_id = r.field)",
        orjson.dumps([{"subject": row["subject"], "field": row["field"]} for row in rows]).decode(),
    )
    columns = ((f"{subject}_id", "int"), ("call_field_id", "int"), ("value", "json"))
    await db.write_together(
        db.Insert("call_answer", columns, [(row["subject"], row["field"], row["value"]) for row in rows])
    )


def _plain(row: Mapping[str, Any] | None) -> Any:
    if row is None or row["value"] is None:
        return None
    value = row["value"]
    return orjson.loads(value) if isinstance(value, str) else value


async def _claim(fresh: Mapping[int, Any], at: datetime) -> None:
    files = {number: value.upload_id for number, value in fresh.items() if isinstance(value, FileAnswer)}
    if not files:
        return
    kept = await uploads.claim(list(files.values()), at)
    missing = {f"q.{number}": Problem(FormCode.FILE_GONE) for number, one in files.items() if one not in kept}
    if missing:
        raise Invalid(missing)


async def _insert(subject: Subject, subject_id: int, fresh: Mapping[int, Any]) -> None:
    if not fresh:
        return
    rows = [
        {
            "field": number,
            # As JSON text: SQLite would take true for 1 and a list for nothing.
            "value": None if isinstance(value, FileAnswer) else orjson.dumps(value).decode(),
            "upload": value.upload_id if isinstance(value, FileAnswer) else None,
        }
        for number, value in fresh.items()
    ]
    value = "r.value" if db.dialect() == "sqlite" else "r.value::jsonb"
    source = db.json_rows("$1", field="int", value="text", upload="int")
    await db.execute(
        f"INSERT INTO call_answer ({subject}_id, call_field_id, value, upload_id) "  # noqa: S608 -- words of our own
        f"SELECT $2, r.field, {value}, r.upload FROM {source}",
        orjson.dumps(rows).decode(),
        subject_id,
    )
