"""A speaker's part of a person: what is held, and what is left of it when the person is dropped.

Left are the numbers: a speaker without a name, a proposal without words that were one person's alone, points without
their reason. What two people wrote stays the other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agenda import cfp_queries, speaker_letters
from agenda.cfp_queries import StoredAnswer, speaker_facts
from agenda.models import Proposal, ProposalSpeaker, Speaker, SpeakerProfile
from agenda.proposal_rules import IN_PLAY
from agenda.proposal_rules import Subject as About
from agenda.words import STATE_WORDS
from events.privacy import Erased
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.text import N_, LocalizedText
from people import jobs, privacy, uploads
from people.privacy import ROWS_MAX, Fact, Held, Subject

#: Speakers that one run of the chore drops: a statement or ten each, well inside a lease.
BATCH: Final = 100


_REVIEWER_WORDS: Final = {"organisation": N_("Organisation"), "too_near": N_("Too near to judge")}


def connect() -> None:
    """Called once by main, after the events' part: what is held, who is dropped, and the chore for events that are over."""
    if held not in privacy.PARTS:
        privacy.PARTS.append(held)
        # Before the events' part: it ends the roles and addresses that this one goes by.
        privacy.ERASERS.insert(0, erase)
    jobs.chore("agenda.retention", 3600.0, drop_due)


async def _speakers_of(subject: Subject) -> Sequence[Speaker]:
    rows = await db.query(
        "SELECT id FROM speaker WHERE erased_at IS NULL AND ((account_id = $1 AND $1 <> 0) "  # noqa: S608 -- our own words
        f"OR (email = $2 AND $2 <> '') OR registration_id {db.in_list('$3', 'int')}) ORDER BY id",
        subject.account_id,
        subject.email,
        db.list_parameter(sorted(subject.registration_ids)),
    )
    return (
        await Speaker.filter(id__in=[row["id"] for row in rows] or [0]).order_by("id").select_related("event")
    )


async def held(subject: Subject) -> Sequence[Held]:
    """A fixed number of statements, however many proposals there are."""
    people = await _speakers_of(subject)
    links = await ProposalSpeaker.filter(speaker_id__in=[one.id for one in people] or [0]).order_by("id")
    ids = [link.proposal_id for link in links]
    own = Proposal.filter(account_id=subject.account_id or 0)
    found = {row.id: row for row in await own.limit(ROWS_MAX)}
    found |= {row.id: row for row in await Proposal.filter(id__in=ids[:ROWS_MAX] or [0])}
    allowed = {link.proposal_id: link for link in links}
    reviews = await db.query(
        "SELECT id, proposal_id, reason, recommends, created_at FROM review WHERE account_id = $1 "  # noqa: S608 -- our own words
        f"ORDER BY id LIMIT {ROWS_MAX}",
        subject.account_id,
    )
    answered = await cfp_queries.answers_of(review_ids=[row["id"] for row in reviews])
    comments = await db.query(
        f"SELECT proposal_id, text, at FROM proposal_comment WHERE account_id = $1 ORDER BY id LIMIT {ROWS_MAX}",  # noqa: S608
        subject.account_id,
    )
    about = await db.query(
        "SELECT 'organisation' AS key, organisation AS said FROM reviewer WHERE account_id = $1 AND organisation <> '' "  # noqa: S608
        "UNION ALL SELECT 'too_near', organisation FROM conflict_of_interest WHERE account_id = $1 "
        f"AND organisation IS NOT NULL LIMIT {ROWS_MAX}",
        subject.account_id,
    )
    return (
        Held("speakers", N_("As a speaker"), [_speaker(row) for row in people]),
        Held(
            "proposals",
            N_("Proposals"),
            [_proposal(row, allowed.get(row.id)) for row in sorted(found.values(), key=lambda one: one.id)],
        ),
        Held(
            "reviews",
            N_("Reviews"),
            [
                [
                    Fact("proposal", N_("Proposal"), row["proposal_id"]),
                    Fact("reason", N_("Reason"), row["reason"]),
                    Fact(
                        "recommends",
                        N_("Decision"),
                        row["recommends"],
                        STATE_WORDS.get(row["recommends"], ""),
                    ),
                    Fact("answers", N_("Answers"), _said(answered.get((About.REVIEW, row["id"]), {}))),
                    Fact("at", N_("When"), row["created_at"]),
                ]
                for row in reviews
            ],
        ),
        Held(
            "reviewing",
            N_("As a reviewer"),
            [[Fact(row["key"], _REVIEWER_WORDS[row["key"]], row["said"])] for row in about],
        ),
        Held(
            "comments",
            N_("Comments"),
            [
                [
                    Fact("proposal", N_("Proposal"), row["proposal_id"]),
                    Fact("text", N_("Words"), row["text"]),
                    Fact("at", N_("When"), row["at"]),
                ]
                for row in comments
            ],
        ),
    )


def _said(answers: Mapping[int, StoredAnswer]) -> str:
    """Answers in one line, files by their names."""
    return "; ".join(str(one.filename or one.value) for one in answers.values())


def _speaker(row: Speaker) -> Sequence[Fact]:
    facts = speaker_facts(row)
    return [
        Fact("event", N_("Event"), dict(row.event.name)),
        Fact("name", N_("Name"), dict(facts.name)),
        Fact("organisation", N_("Organisation"), dict(facts.organisation)),
        Fact("title", N_("Position"), dict(facts.title)),
        Fact("bio", N_("About you"), dict(facts.bio)),
        Fact("email", N_("E-mail"), facts.email),
        Fact("phone", N_("Phone"), facts.phone),
        Fact("wants_travel_support", N_("Travel support"), row.wants_travel_support),
        Fact("travel_note", N_("About your travel"), facts.travel_note),
        Fact("arrives_at", N_("Arrival"), row.arrives_at),
        Fact("leaves_at", N_("Departure"), row.leaves_at),
        Fact("arrival_note", N_("Flight, train, station"), row.arrival_note),
        Fact("wants_hotel", N_("Hotel room"), row.wants_hotel),
        Fact("hotel_note", N_("About the room"), row.hotel_note),
        Fact("wants_pick_up", N_("Pick-up"), row.wants_pick_up),
        Fact("pick_up_note", N_("About the pick-up"), row.pick_up_note),
        Fact("host_name", N_("Who looks after you"), row.host_name),
        Fact("host_contact", N_("How to reach them"), row.host_contact),
        Fact("note", N_("The organisers' note"), row.note),
        Fact("picture", N_("Your picture"), N_("a file") if facts.picture_upload_id else None),
    ]


def _proposal(row: Proposal, link: ProposalSpeaker | None) -> Sequence[Fact]:
    return [
        Fact("code", N_("Code"), row.code),
        Fact("state", N_("State"), row.state, STATE_WORDS.get(row.state, "")),
        Fact("title", N_("Title"), dict(row.title)),
        Fact("abstract", N_("Abstract"), dict(row.abstract)),
        Fact("description", N_("Description"), dict(row.description)),
        Fact("notes", N_("Notes for the organisers"), row.notes),
        Fact("allows_slides", N_("Slides may be published"), link.allows_slides if link else None),
        Fact("allows_photo", N_("Photographs may be published"), link.allows_photo if link else None),
        Fact("allows_video", N_("The video may be published"), link.allows_video if link else None),
    ]


# --- dropped -----------------------------------------------------------------------------------------------------


async def erase(subject: Subject, actor: Actor, at: datetime) -> None:
    """The programme's part of dropping a person; inside the one transaction over all floors."""
    del actor
    async with unit_of_work():
        people = await _speakers_of(subject)
        addresses = {subject.email, *(row.email or "" for row in people)} - {""}
        await _drop(people, at)
        if subject.account_id:
            await _drop_account(subject.account_id, at)
        for address in sorted(addresses):
            await db.execute("DELETE FROM forum_helper WHERE email = $1", address)
            await db.execute("DELETE FROM producer WHERE email = $1", address)
            await db.execute("DELETE FROM speaker_invitation WHERE email = $1", address)
            # The history of who was asked, in the proposals of others.
            quoted = f'"{address}"'
            for column in ("old", "new"):
                await db.execute(
                    f"UPDATE proposal_change SET {column} = NULL WHERE verb = 'invite_speaker' "  # noqa: S608 -- our own words
                    f"AND CAST({column} AS TEXT) = $1",
                    quoted,
                )


async def follow_erasure(news: Erased) -> None:
    """Connected to ``events.privacy.erased``: who came as a registration is dropped as its speaker, too."""
    rows = await Speaker.filter(
        registration_id__in=list(news.registration_ids) or [0], erased_at__isnull=True
    )
    for row in rows:
        await _drop([row], row.updated_at)


async def drop_due(at: datetime) -> None:
    """Speakers of events whose people were dropped, those who never registered among them; a chore."""
    async with unit_of_work():
        rows = await db.query(
            "SELECT s.id FROM speaker s JOIN event e ON e.id = s.event_id WHERE s.erased_at IS NULL "  # noqa: S608
            f"AND e.people_dropped_at IS NOT NULL ORDER BY s.id LIMIT {BATCH}"
        )
        await _drop(await Speaker.filter(id__in=[row["id"] for row in rows] or [0]), at)


async def _drop(people: Sequence[Speaker], at: datetime) -> None:
    if not people:
        return
    ids = [row.id for row in people]
    listed = db.list_parameter(ids)
    # Proposals in which nobody else speaks: their words were one person's.
    alone = [
        int(row["proposal_id"])
        for row in await db.query(
            "SELECT DISTINCT l.proposal_id FROM proposal_speaker l "  # noqa: S608 -- our own words
            f"WHERE l.speaker_id {db.in_list('$1', 'int')} AND NOT EXISTS (SELECT 1 FROM proposal_speaker o "
            "JOIN speaker s ON s.id = o.speaker_id WHERE o.proposal_id = l.proposal_id "
            f"AND NOT o.speaker_id {db.in_list('$1', 'int')} AND s.erased_at IS NULL)",
            listed,
        )
    ]
    await _blank_proposals(alone, at)
    answered = await db.query(
        f"SELECT upload_id FROM call_answer WHERE speaker_id {db.in_list('$1', 'int')} AND upload_id IS NOT NULL",  # noqa: S608
        listed,
    )
    await db.execute(f"DELETE FROM call_answer WHERE speaker_id {db.in_list('$1', 'int')}", listed)  # noqa: S608
    pictures = [row.picture_upload_id for row in people if row.picture_upload_id is not None]
    await Speaker.filter(id__in=ids).update(
        account_id=None,
        email=None,
        phone="",
        name=LocalizedText(),
        organisation=LocalizedText(),
        title=LocalizedText(),
        bio=LocalizedText(),
        picture_upload_id=None,
        availability=None,
        wants_travel_support=None,
        travel_note="",
        arrives_at=None,
        leaves_at=None,
        wants_hotel=None,
        wants_pick_up=None,
        arrival_note="",
        hotel_note="",
        pick_up_note="",
        host_name="",
        host_contact="",
        note="",
        external_id=None,
        search="",
        erased_at=at,
        updated_at=at,
    )
    held_still = {
        int(row["id"])
        for row in await db.query(
            "SELECT picture_upload_id AS id FROM speaker_profile "  # noqa: S608 -- our own words
            f"WHERE picture_upload_id {db.in_list('$1', 'int')}",
            db.list_parameter(pictures),
        )
    }
    gone = [number for number in pictures if number not in held_still]
    gone += [int(row["upload_id"]) for row in answered]
    if gone:
        await uploads.expire(gone)
    # By number, too: the address may have been another one when a letter was written.
    await speaker_letters.erase(ids)
    by_event: dict[int, list[Speaker]] = {}
    for row in people:
        by_event.setdefault(row.event_id, []).append(row)
    for event_id, rows in by_event.items():
        names = [name for row in rows for name in LocalizedText.of(row.name).values()]
        await privacy.drop_letters(event_id, [row.email for row in rows if row.email], names)


async def _blank_proposals(ids: Sequence[int], at: datetime) -> None:
    if not ids:
        return
    listed = db.list_parameter(ids)
    inside = db.in_list("$1", "int")
    files = await db.query(
        f"SELECT upload_id FROM proposal_resource WHERE proposal_id {inside} AND upload_id IS NOT NULL "  # noqa: S608
        f"UNION SELECT upload_id FROM call_answer WHERE proposal_id {inside} AND upload_id IS NOT NULL",
        listed,
    )
    for table in ("proposal_resource", "proposal_redaction", "speaker_invitation", "proposal_comment"):
        await db.execute(f"DELETE FROM {table} WHERE proposal_id {inside}", listed)  # noqa: S608 -- our own words
    await db.execute(
        f"DELETE FROM call_answer WHERE proposal_id {inside}",  # noqa: S608
        listed,
    )
    # When and how it moved stays; what was written and why does not.
    await db.execute(
        "UPDATE proposal_change SET reason = '', old = CASE WHEN field = 'state' THEN old ELSE NULL END, "  # noqa: S608
        f"new = CASE WHEN field = 'state' THEN new ELSE NULL END WHERE proposal_id {inside}",
        listed,
    )
    await db.execute(f"UPDATE review SET reason = '' WHERE proposal_id {inside}", listed)  # noqa: S608
    await Proposal.filter(id__in=list(ids), state__in=sorted(IN_PLAY)).update(
        state="withdrawn", pending_state="", updated_at=at
    )
    await Proposal.filter(id__in=list(ids)).update(
        account_id=None,
        title=LocalizedText(),
        abstract=LocalizedText(),
        description=LocalizedText(),
        audience="",
        takeaways="",
        previous_talks="",
        equipment="",
        notes="",
        search="",
        external_id=None,
        form_id=None,
        updated_at=at,
    )
    if files:
        await uploads.expire([int(row["upload_id"]) for row in files])


async def _drop_account(account_id: int, at: datetime) -> None:
    profile = await SpeakerProfile.get_or_none(account_id=account_id)
    if profile is not None:
        await SpeakerProfile.filter(id=profile.id).delete()
        if profile.picture_upload_id is not None:
            await uploads.expire([profile.picture_upload_id])
    # Theirs without anybody speaking in it yet; what others speak in goes on without its writer.
    mine = [row["id"] for row in await Proposal.filter(account_id=account_id).values("id")]
    spoken = {
        int(row["proposal_id"])
        for row in await db.query(
            "SELECT l.proposal_id FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id "  # noqa: S608
            f"WHERE l.proposal_id {db.in_list('$1', 'int')} AND s.erased_at IS NULL",
            db.list_parameter(mine),
        )
    }
    await _blank_proposals([number for number in mine if number not in spoken], at)
    await Proposal.filter(account_id=account_id).update(
        account_id=None, notes="", previous_talks="", form_id=None
    )
    await db.execute("UPDATE review SET reason = '' WHERE account_id = $1", account_id)
    await _drop_review_answers("account_id = $1", account_id)
    # What was given to them goes to somebody else.
    await db.execute("DELETE FROM review_assignment WHERE account_id = $1", account_id)
    await db.execute(
        "UPDATE proposal_comment SET text = '', removed_at = $2 WHERE account_id = $1", account_id, at
    )
    await db.execute("DELETE FROM conflict_of_interest WHERE account_id = $1", account_id)
    await db.execute("DELETE FROM reviewer WHERE account_id = $1", account_id)
    await db.execute(
        "UPDATE proposal_change SET old = NULL, new = NULL, reason = '' WHERE actor_key = $1 "
        "AND field IN ('notes', 'previous_talks')",
        f"account:{account_id}",
    )


async def _drop_review_answers(whose: str, value: Any) -> None:
    """What reviews say beside their points, files with it; ``whose`` is a condition on ``review``."""
    gone = await db.query(
        f"DELETE FROM call_answer WHERE review_id IN (SELECT id FROM review WHERE {whose}) RETURNING upload_id",  # noqa: S608 -- our own words
        value,
    )
    files = [int(row["upload_id"]) for row in gone if row["upload_id"] is not None]
    if files:
        await uploads.expire(files)
