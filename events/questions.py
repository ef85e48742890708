"""The registration form's own questions and consents, as organisers set them up.

Promises: a question that somebody has answered keeps its kind and its options' codes and is never deleted, only
switched off; a consent is never edited, another text is another version, and what people agreed to stays readable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from events.answers import consent_texts, questions
from events.form_rules import (
    CONSENTS_AT_MOST,
    FILE_QUESTIONS_AT_MOST,
    QUESTIONS_AT_MOST,
    ConsentDetails,
    ConsentFacts,
    FormCode,
    Question,
    QuestionDetails,
)
from events.models import ConsentText, FormField, FormFieldTicketType, TicketType
from events.rules import EventCode, FieldKind
from kernel import db
from kernel.actor import Actor
from kernel.db import IntegrityError, unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem
from people import journal

# --- questions ---------------------------------------------------------------------------------------------------


async def get(event_id: int, question_id: int) -> Question:
    """One question, switched off or not. Raises NotFound ``form_question_unknown``."""
    for question in await questions(event_id, everything=True):
        if question.id == question_id:
            return question
    raise NotFound(FormCode.QUESTION_UNKNOWN)


async def answered(event_id: int) -> Mapping[int, int]:
    """How many registrations answered each question, by question id; one statement."""
    rows = await db.query(
        "SELECT q.id, COUNT(a.id) AS total FROM form_field q LEFT JOIN form_answer a ON a.form_field_id = q.id "
        "WHERE q.event_id = $1 GROUP BY q.id",
        event_id,
    )
    return {int(row["id"]): int(row["total"]) for row in rows}


async def add(*, actor: Actor, event_id: int, details: QuestionDetails, at: datetime) -> int:
    """A new question at the end of the form; gives its id.

    Raises Invalid for wrong details, a code that another question has, and one question too many.
    """
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        # The limits hold the form together, nobody races for them: counting under the event's lock is enough.
        await db.one_at_a_time(f"form:{event_id}")
        there = await questions(event_id, everything=True)
        active = [one for one in there if one.is_active]
        if len(active) >= QUESTIONS_AT_MOST:
            raise Invalid({"label": Problem(FormCode.QUESTIONS_TOO_MANY, {"limit": QUESTIONS_AT_MOST})})
        _check_files(there, details, None)
        row = await _written(
            FormField.create,
            event_id=event_id,
            position=max((one.position for one in there), default=0) + 1,
            **_columns(details),
        )
        await _put_types(event_id, row.id, details.ticket_type_ids)
        await _write(actor, "question.add", event_id, row.id, at, new={"kind": str(details.kind)})
    return int(row.id)


async def change(
    *, actor: Actor, event_id: int, question_id: int, details: QuestionDetails, at: datetime
) -> None:
    """Puts other words and duties in a question's place; the journal names the fields.

    Raises NotFound; Conflict ``form_question_kind_fixed`` or ``form_option_in_use`` when answers would lose their
    meaning; Invalid as ``add`` does.
    """
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await db.one_at_a_time(f"form:{event_id}")
        there = await questions(event_id, everything=True)
        old = next((one for one in there if one.id == question_id), None)
        if old is None:
            raise NotFound(FormCode.QUESTION_UNKNOWN)
        _check_files(there, details, old)
        await _keep_meaning(old, details)
        columns = _columns(details)
        before = _columns(_details(old))
        touched = sorted(name for name, value in columns.items() if before[name] != value)
        if details.ticket_type_ids != old.ticket_type_ids:
            touched.append("ticket_types")
        if not touched:
            return
        await _written(FormField.filter(id=question_id).update, **columns)
        await FormFieldTicketType.filter(form_field_id=question_id).delete()
        await _put_types(event_id, question_id, details.ticket_type_ids)
        await _write(actor, "question.change", event_id, question_id, at, new={"fields": touched})


async def _keep_meaning(old: Question, details: QuestionDetails) -> None:
    gone = {option.code for option in old.options} - {option.code for option in details.options}
    if old.kind is details.kind and not gone:
        return
    used = await _used_values(old)
    if not used:
        return
    if old.kind is not details.kind:
        raise Invalid({"kind": Problem(FormCode.QUESTION_KIND_FIXED)})
    chosen: set[str] = set()
    for value in used:
        chosen |= set(value) if isinstance(value, list) else {str(value)}
    if gone & chosen:
        raise Invalid({"options": Problem(FormCode.OPTION_IN_USE, {"code": min(gone & chosen)})})


async def _used_values(question: Question) -> Sequence[Any]:
    """The different answers that were given; of a question that chooses there are few."""
    rows = await db.query(
        "SELECT DISTINCT CAST(value AS TEXT) AS value FROM form_answer WHERE form_field_id = $1", question.id
    )
    return [orjson.loads(row["value"]) if row["value"] is not None else None for row in rows]


def _check_files(there: Sequence[Question], details: QuestionDetails, old: Question | None) -> None:
    if details.kind is not FieldKind.FILE or not details.is_active:
        return
    files = [one for one in there if one.kind is FieldKind.FILE and one.is_active and one is not old]
    if len(files) >= FILE_QUESTIONS_AT_MOST:
        raise Invalid({"kind": Problem(FormCode.FILE_QUESTIONS_TOO_MANY, {"limit": FILE_QUESTIONS_AT_MOST})})


def _details(question: Question) -> QuestionDetails:
    return QuestionDetails(
        code=question.code,
        kind=question.kind,
        label=question.label,
        help=question.help,
        options=question.options,
        is_required=question.is_required,
        is_personal=question.is_personal,
        is_active=question.is_active,
        ticket_type_ids=question.ticket_type_ids,
    )


def _columns(details: QuestionDetails) -> dict[str, Any]:
    return {
        "code": details.code,
        "kind": str(details.kind),
        "label": dict(details.label),
        "help": dict(details.help),
        "options": [{"code": one.code, "label": dict(one.label)} for one in details.options]
        if details.chooses
        else [],
        "is_required": details.is_required,
        "is_personal": details.is_personal,
        "is_active": details.is_active,
    }


async def _written(write: Any, **columns: Any) -> Any:
    try:
        async with unit_of_work():
            return await write(**columns)
    except IntegrityError as error:
        raise Invalid({"code": Problem(FormCode.QUESTION_CODE_TAKEN)}) from error


async def _put_types(event_id: int, question_id: int, ticket_type_ids: frozenset[int]) -> None:
    if not ticket_type_ids:
        return
    known = await TicketType.filter(event_id=event_id, id__in=sorted(ticket_type_ids)).count()
    if known < len(ticket_type_ids):
        raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
    for number in sorted(ticket_type_ids):
        await FormFieldTicketType.create(form_field_id=question_id, ticket_type_id=number)


async def switch(*, actor: Actor, event_id: int, question_id: int, is_active: bool, at: datetime) -> None:
    """Switches a question off or on again; what was answered stays."""
    question = await get(event_id, question_id)
    if question.is_active != is_active:
        details = _details(question)
        await change(
            actor=actor,
            event_id=event_id,
            question_id=question_id,
            details=QuestionDetails(
                **{name: getattr(details, name) for name in QuestionDetails.__dataclass_fields__}
                | {"is_active": is_active}
            ),
            at=at,
        )


async def move(*, actor: Actor, event_id: int, question_id: int, up: bool, at: datetime) -> None:
    """Changes places with the question above or below; at the end nothing happens. Raises NotFound."""
    async with unit_of_work():
        await db.one_at_a_time(f"form:{event_id}")
        order = [one.id for one in await questions(event_id, everything=True)]
        if question_id not in order:
            raise NotFound(FormCode.QUESTION_UNKNOWN)
        here = order.index(question_id)
        other = here - 1 if up else here + 1
        if not 0 <= other < len(order):
            return
        order[here], order[other] = order[other], order[here]
        for position, number in enumerate(order, 1):
            await FormField.filter(id=number).update(position=position)
        await _write(actor, "question.move", event_id, question_id, at, new={"position": other + 1})


async def remove(*, actor: Actor, event_id: int, question_id: int, at: datetime) -> None:
    """Deletes a question that nobody has answered. Raises NotFound, or Conflict ``form_question_answered``."""
    async with unit_of_work():
        gone = await db.query(
            "DELETE FROM form_field WHERE id = $1 AND event_id = $2 "
            "AND NOT EXISTS (SELECT 1 FROM form_answer a WHERE a.form_field_id = $1) RETURNING id",
            question_id,
            event_id,
        )
        if not gone:
            await get(event_id, question_id)
            raise Conflict(FormCode.QUESTION_ANSWERED)
        await _write(actor, "question.remove", event_id, question_id, at)


# --- consents ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConsentCounts:
    given: int = 0
    refused: int = 0


async def consent_counts(event_id: int) -> Mapping[int, ConsentCounts]:
    """How many said yes and no to each version, by text id, cancelled registrations too; one statement."""
    rows = await db.query(
        "SELECT t.id, COALESCE(SUM(CASE WHEN c.is_given THEN 1 ELSE 0 END), 0) AS given, "
        "COALESCE(SUM(CASE WHEN c.is_given THEN 0 ELSE 1 END), 0) - SUM(CASE WHEN c.id IS NULL THEN 1 ELSE 0 END) AS refused "
        "FROM consent_text t LEFT JOIN consent c ON c.consent_text_id = t.id WHERE t.event_id = $1 GROUP BY t.id",
        event_id,
    )
    return {int(row["id"]): ConsentCounts(int(row["given"]), int(row["refused"])) for row in rows}


async def consent(event_id: int, text_id: int) -> ConsentFacts:
    """One version of a consent. Raises NotFound ``form_consent_unknown``."""
    for one in await consent_texts(event_id, everything=True):
        if one.id == text_id:
            return one
    raise NotFound(FormCode.CONSENT_UNKNOWN)


async def add_consent(*, actor: Actor, event_id: int, details: ConsentDetails, at: datetime) -> int:
    """A new consent in its first version; gives the text's id. Raises Invalid."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await db.one_at_a_time(f"form:{event_id}")
        there = await consent_texts(event_id, everything=True)
        if any(one.code == details.code for one in there):
            raise Invalid({"code": Problem(FormCode.CONSENT_CODE_TAKEN)})
        if sum(one.is_current for one in there) >= CONSENTS_AT_MOST:
            raise Invalid({"title": Problem(FormCode.CONSENTS_TOO_MANY, {"limit": CONSENTS_AT_MOST})})
        position = max((one.position for one in there), default=0) + 1
        row = await _new_version(event_id, details, version=1, position=position, at=at)
        await _write(actor, "consent.add", event_id, row.id, at, new={"version": 1}, kind="consent")
    return int(row.id)


async def change_consent(
    *, actor: Actor, event_id: int, text_id: int, details: ConsentDetails, at: datetime
) -> int:
    """Another title, text or duty: a new version takes the place of the current one; gives its id.

    Without any difference nothing happens. The code stays what it was. Raises NotFound for what is not current.
    """
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await db.one_at_a_time(f"form:{event_id}")
        now = await consent(event_id, text_id)
        if not now.is_current:
            raise Conflict()
        if not details.differs(now):
            return now.id
        await ConsentText.filter(id=now.id).update(is_current=False)
        same = ConsentDetails(
            code=now.code, title=details.title, text=details.text, is_required=details.is_required
        )
        row = await _new_version(event_id, same, version=now.version + 1, position=now.position, at=at)
        await _write(
            actor,
            "consent.change",
            event_id,
            row.id,
            at,
            old={"version": now.version},
            new={"version": row.version},
            kind="consent",
        )
    return int(row.id)


async def withdraw_consent(*, actor: Actor, event_id: int, text_id: int, at: datetime) -> None:
    """Asks it no more; what people said to it stays. Raises NotFound, or Conflict when it is not asked."""
    async with unit_of_work():
        now = await consent(event_id, text_id)
        if not await ConsentText.filter(id=text_id, is_current=True).update(is_current=False):
            raise Conflict()
        await _write(
            actor, "consent.withdraw", event_id, text_id, at, old={"version": now.version}, kind="consent"
        )


async def _new_version(
    event_id: int, details: ConsentDetails, *, version: int, position: int, at: datetime
) -> ConsentText:
    return await ConsentText.create(
        event_id=event_id,
        code=details.code,
        version=version,
        title=dict(details.title),
        text=dict(details.text),
        is_required=details.is_required,
        is_current=True,
        position=position,
        created_at=at,
    )


async def _write(
    actor: Actor,
    verb: str,
    event_id: int,
    object_id: int,
    at: datetime,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    kind: str = "question",
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind=kind,
        object_id=object_id,
        event_id=event_id,
        old=old,
        new=new,
        at=at,
    )
