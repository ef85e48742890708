"""The call and the programme, copied with their event: times moved with the days.

The call comes along whole, but not published: types, forums with their people, questions, tags, letters, the rules of
the review. No proposal, speaker, code, helper or review does; a producer's picture and a community's logo are given
anew. Sessions come when whoever copies asks for the programme, under new guids.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from agenda.models import Call, CallField, ReviewPhase, Session, SessionType
from events.copying import Copied, Ids, clone, ids_of, rows_below, stored_or_none
from events.copying_rules import shifted_or_none, shifted_span
from kernel import db


async def follow_copy(news: Copied) -> None:
    """Connected to ``events.copying.copied``; fills ``ids`` of "session" and "forum". A fixed number of statements."""
    await _call(news)
    if news.with_programme:
        await _sessions(news)


_CALL: Final = (
    "intro",
    "languages",
    "speakers_at_most",
    "proposals_at_most",
    "asks_travel",
    "asks_availability",
    "reviews_needed",
    "total_by",
    "follow_up_days",
)
_CALL_DATES: Final = ("opens_at", "closes_at", "review_by", "notify_by", "confirm_by", "slides_due_at")


async def _call(news: Copied) -> None:
    """The call's own tables, those that others refer to first; nothing where the event had no call and no forums."""
    old, new, at = news.old.id, news.event_id, db.stored_instant(news.at)
    await clone(
        "call_for_proposals",
        _CALL,
        old_ids=await ids_of("call_for_proposals", old),
        event_id=new,
        ids={"speaker_ticket_type_id": news.ids["ticket_type"]},
        values={
            row.id: {
                # Somebody looks at the dates first.
                "is_published": False,
                **_dates(news, row, *_CALL_DATES),
                "created_at": at,
                "updated_at": at,
            }
            for row in await Call.filter(event_id=old)
        },
        kinds={"is_published": "bool"} | dict.fromkeys((*_CALL_DATES, "created_at", "updated_at"), "instant"),
    )
    types = await clone(
        "session_type",
        ("code", "name", "description", "kind", "minutes", "needs_code", "is_active", "position"),
        old_ids=await ids_of("session_type", old),
        event_id=new,
        values={row.id: _dates(news, row, "closes_at") for row in await SessionType.filter(event_id=old)},
        kinds={"closes_at": "instant"},
    )
    forums = news.ids["forum"] = await clone(
        "forum",
        ("code", "name", "description", "colour", "needs_code", "is_active", "position"),
        old_ids=await ids_of("forum", old),
        event_id=new,
    )
    producers = await clone(
        "producer",
        ("name", "organisation", "title", "email", "position"),
        old_ids=await ids_of("producer", old),
        event_id=new,
    )
    communities = await clone(
        "community", ("name", "url", "position"), old_ids=await ids_of("community", old), event_id=new
    )
    await _links("forum_producer", forums, {"producer_id": producers})
    await _links("forum_community", forums, {"community_id": communities})
    fields = await clone(
        "call_field",
        (
            "code",
            "subject",
            "kind",
            "label",
            "help",
            "options",
            "need",
            "is_public",
            "is_personal",
            "for_reviewers",
            "is_active",
            "position",
        ),
        old_ids=await ids_of("call_field", old),
        event_id=new,
        values={row.id: _dates(news, row, "required_after") for row in await CallField.filter(event_id=old)},
        kinds={"required_after": "instant"},
    )
    await clone(
        "call_field_scope",
        (),
        old_ids=await rows_below("call_field_scope", "call_field_id", fields),
        event_id=None,
        ids={"call_field_id": fields, "session_type_id": types, "forum_id": forums},
    )
    await clone(
        "tag",
        ("code", "name", "colour", "is_public", "position"),
        old_ids=await ids_of("tag", old),
        event_id=new,
    )
    templates = await ids_of("letter_template", old)
    await clone(
        "letter_template",
        ("code", "subject", "text"),
        old_ids=templates,
        event_id=new,
        values={number: {"updated_at": at} for number in templates},
        kinds={"updated_at": "instant"},
    )
    await clone(
        "review_phase",
        (
            "name",
            "position",
            "may_review",
            "reach",
            "names_shown",
            "reviewers_shown",
            "others",
            "may_decide",
            "may_tag",
            "speakers_may_edit",
        ),
        old_ids=await ids_of("review_phase", old),
        event_id=new,
        values={
            row.id: _dates(news, row, "starts_at", "ends_at")
            for row in await ReviewPhase.filter(event_id=old)
        },
        kinds={"starts_at": "instant", "ends_at": "instant"},
    )
    await clone(
        "review_criterion",
        (
            "code",
            "name",
            "help",
            "weight",
            "low",
            "high",
            "labels",
            "is_required",
            "is_active",
            "position",
        ),
        old_ids=await ids_of("review_criterion", old),
        event_id=new,
    )


async def _links(table: str, forums: Ids, other: dict[str, Ids]) -> None:
    await clone(
        table,
        ("position",),
        old_ids=await rows_below(table, "forum_id", forums),
        event_id=None,
        ids={"forum_id": forums, **other},
    )


def _dates(news: Copied, row: Any, *names: str) -> dict[str, str | None]:
    """These columns, moved; a window that a change of clocks would turn around keeps its length."""
    moved = {name: shifted_or_none(getattr(row, name), days=news.days, zone=news.zone) for name in names}
    for first, last in (("opens_at", "closes_at"), ("starts_at", "ends_at")):
        if moved.get(first) and moved.get(last):
            moved[first], moved[last] = shifted_span(
                getattr(row, first), getattr(row, last), days=news.days, zone=news.zone
            )
    return {name: stored_or_none(at) for name, at in moved.items()}


async def _sessions(news: Copied) -> None:
    rows = await Session.filter(event_id=news.old.id).order_by("id")
    values: dict[int, dict[str, Any]] = {}
    for row in rows:
        starts, ends = shifted_span(row.starts_at, row.ends_at, days=news.days, zone=news.zone)
        values[row.id] = {
            # A guid is a session's for ever: the copy is another session.
            "guid": str(uuid4()),
            "starts_at": stored_or_none(starts),
            "ends_at": stored_or_none(ends),
        }
    news.ids["session"] = await clone(
        "session",
        ("kind", "title", "speakers"),
        old_ids=[row.id for row in rows],
        event_id=news.event_id,
        ids={"place_id": news.ids["place"]},
        values=values,
        kinds={"guid": "uuid", "starts_at": "instant", "ends_at": "instant"},
    )
