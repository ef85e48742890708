"""A person in the events: what is held of them, dropping it, and dropping everybody when an event's time is over.

Dropping keeps the registration as a number: its ticket type, state, days and answers that are nobody's in particular,
so that rebuilt totals are equal. Name, contact, personal answers, documents, and letters go. Whoever would still have
come is cancelled first, and the place is free. Upper floors follow through ``erased`` in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from events import access, person_keys, queries, quotas, registrations
from events.models import (
    Consent,
    Event,
    FormAnswer,
    IdDocument,
    Invitation,
    Registration,
    RoleGrant,
    Transfer,
)
from events.registrations import Changed, Turn
from events.rules import EventCode, EventState, FieldKind, RegistrationState
from events.ticket_rules import Verb
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Conflict, NotFound
from kernel.hooks import Hook
from kernel.text import N_
from people import jobs, journal, privacy, uploads
from people.privacy import Fact, Held, Subject

JOB: Final = "events.drop_people"
CHUNK: Final = 100


@dataclass(frozen=True, slots=True)
class Erased:
    """Registrations whose persons were dropped just now."""

    event_id: int
    registration_ids: Sequence[int]


#: Told inside the transaction, after the registrations' own rows are blank.
erased: Final[Hook[Erased]] = Hook("events.privacy.erased")
#: Told inside the transaction, with the event's id, when everybody of an event has been dropped: what upper floors hold
#: of people who are nobody's registration goes, too.
emptied: Final[Hook[int]] = Hook("events.privacy.emptied")


def connect() -> None:
    """Called once by main: this floor's part of what is held, and the job that drops people in time."""
    if held not in privacy.PARTS:
        privacy.PARTS.append(held)
        privacy.ERASERS.append(_erase_subject)
    jobs.handles(JOB, _drop_people)
    jobs.chore("events.retention", 3600.0, queue_due)


# --- shown -------------------------------------------------------------------------------------------------------


async def registrations_of(subject: Subject) -> Sequence[int]:
    """The person's registrations, in whatever event: those named, and those with the account's address."""
    rows = await db.query(
        f"SELECT id FROM registration WHERE erased_at IS NULL AND (id {db.in_list('$1', 'int')} "  # noqa: S608 -- our own words
        "OR (email = $2 AND $2 <> '')) ORDER BY id",
        db.list_parameter(sorted(subject.registration_ids)),
        subject.email,
    )
    return [int(row["id"]) for row in rows]


async def held(subject: Subject) -> Sequence[Held]:
    """A fixed number of statements, however many registrations there are."""
    ids = await registrations_of(subject)
    rows = await Registration.filter(id__in=ids or [0]).order_by("id").select_related("event", "ticket_type")
    answered = (
        await FormAnswer.filter(registration_id__in=ids or [0]).order_by("id").select_related("form_field")
    )
    consents = (
        await Consent.filter(registration_id__in=ids or [0]).order_by("id").select_related("consent_text")
    )
    documents = await IdDocument.filter(registration_id__in=ids or [0])
    transfers = await Transfer.filter(registration_id__in=ids or [0]).order_by("id")
    roles = await RoleGrant.filter(account_id=subject.account_id or 0).order_by("id").select_related("event")
    invited = await Invitation.filter(email=subject.email).order_by("id") if subject.email else []
    return (
        Held("registrations", N_("Registrations"), [_registration(row) for row in rows]),
        Held(
            "answers",
            N_("Answers"),
            [
                [
                    Fact("registration", N_("Registration"), row.registration_id),
                    Fact("question", N_("Question"), dict(row.form_field.label)),
                    Fact("answer", N_("Answer"), _answer(row)),
                ]
                for row in answered
            ],
        ),
        Held(
            "consents",
            N_("Consents"),
            [
                [
                    Fact("registration", N_("Registration"), row.registration_id),
                    Fact("consent", N_("Consent"), dict(row.consent_text.title)),
                    Fact("version", N_("Version"), row.consent_text.version),
                    Fact("given", N_("Given"), row.is_given),
                    Fact("at", N_("When"), row.at),
                ]
                for row in consents
            ],
        ),
        Held(
            "identity_documents",
            N_("Identity documents"),
            [
                [
                    Fact("registration", N_("Registration"), row.registration_id),
                    Fact("kind", N_("Kind"), row.kind),
                    Fact("number", N_("Document number"), N_("kept encrypted")),
                ]
                for row in documents
            ],
        ),
        Held(
            "transfers",
            N_("Handed on"),
            [
                [
                    Fact("registration", N_("Registration"), row.registration_id),
                    Fact("state", N_("State"), row.state),
                    Fact("at", N_("When"), row.created_at),
                ]
                for row in transfers
            ],
        ),
        Held(
            "roles",
            N_("Roles"),
            [
                [
                    Fact("event", N_("Event"), dict(row.event.name)),
                    Fact("role", N_("Role"), row.role),
                    Fact("since", N_("Since"), row.created_at),
                ]
                for row in roles
            ],
        ),
        Held(
            "invitations",
            N_("Invitations"),
            [[Fact("role", N_("Role"), row.role), Fact("at", N_("When"), row.created_at)] for row in invited],
        ),
    )


def _answer(row: FormAnswer) -> Any:
    """Options by their words, so that the file can be read without the form; everything else as it is."""
    if row.upload_id is not None:
        return N_("a file")
    labels = {str(option["code"]): dict(option["label"]) for option in row.form_field.options}
    if isinstance(row.value, list):
        return [labels.get(str(code), code) for code in row.value]
    return labels.get(str(row.value), row.value)


def _registration(row: Registration) -> Sequence[Fact]:
    return [
        Fact("id", N_("Registration"), row.id),
        Fact("event", N_("Event"), dict(row.event.name)),
        Fact("ticket_type", N_("Ticket type"), dict(row.ticket_type.name)),
        Fact("state", N_("State"), row.state),
        Fact("name", N_("Name"), row.name),
        Fact("badge_name", N_("Badge name"), row.badge_name),
        Fact("english_name", N_("English name"), row.english_name),
        Fact("email", N_("E-mail"), row.email),
        Fact("phone", N_("Phone"), row.phone),
        Fact("organisation", N_("Organisation"), row.organisation),
        Fact("position", N_("Position"), row.position),
        Fact("external_id", N_("Order number"), row.external_id),
        Fact("external_code", N_("Other ticket code"), row.external_code),
        Fact("invoice_title", N_("Invoice title"), row.invoice_title),
        Fact("tax_number", N_("Tax number"), row.tax_number),
        Fact("registered", N_("Registered on"), row.created_at),
        Fact("changed", N_("Changed"), row.updated_at),
    ]


# --- dropped -----------------------------------------------------------------------------------------------------


async def erase(*, actor: Actor, event_id: int, registration_ids: Sequence[int], at: datetime) -> int:
    """Drops the persons of these registrations of one event; gives how many were still there.

    Once more changes nothing. Raises NotFound when the event has none of them.
    """

    async def once() -> int:
        async with unit_of_work():
            await quotas.hold(event_id)
            known = await Registration.filter(event_id=event_id, id__in=list(registration_ids) or [0])
            if not known:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            rows = [row for row in known if row.erased_at is None]
            if not rows:
                return 0
            await _blank(actor, event_id, rows, at)
            emails = sorted({row.email for row in rows if row.email})
            names = [name for row in rows for name in (row.name, row.badge_name, row.english_name)]
            await privacy.drop_letters(event_id, emails, names)
            ids = [row.id for row in rows]
            await journal.write(
                actor=actor,
                verb="registration.erase",
                object_kind="registration" if len(ids) == 1 else "event",
                object_id=ids[0] if len(ids) == 1 else event_id,
                event_id=event_id,
                new={"registrations": ids},
                at=at,
            )
            return len(ids)

    return await db.retrying(once)


async def _blank(actor: Actor, event_id: int, rows: Sequence[Registration], at: datetime) -> None:
    """The registrations' own rows and all that hangs on them; as many statements for one as for many."""
    event = await queries.find_event_by_id(event_id)
    assert event is not None
    ids = [row.id for row in rows]
    if event.state is not EventState.ENDED and event.ends_on >= event.programme_date(at):
        turns = {row.id: Turn(RegistrationState.CANCELLED) for row in rows}
        await registrations.turn_many(actor=actor, event_id=event_id, verb=Verb.CANCEL, turns=turns, at=at)
    listed = db.list_parameter(ids)
    mine = f"registration_id {db.in_list('$1', 'int')}"
    await db.execute(
        "UPDATE registration SET name = '', badge_name = '', english_name = '', email = '', phone = '', "  # noqa: S608 -- our own words
        "phone_last4 = '', organisation = '', position = '', external_id = NULL, external_code = NULL, search = '', "
        "invoice_title = '', tax_number = '', secret_round = secret_round + 1, erased_at = $2, updated_at = $2 "
        f"WHERE id {db.in_list('$1', 'int')}",
        listed,
        at,
    )
    files = await db.query(
        f"SELECT upload_id FROM form_answer WHERE {mine} AND upload_id IS NOT NULL",  # noqa: S608 -- as above
        listed,
    )
    free = ", ".join(f"'{kind}'" for kind in (FieldKind.LINE, FieldKind.TEXT, FieldKind.URL, FieldKind.FILE))
    await db.execute(
        f"DELETE FROM form_answer WHERE {mine} AND form_field_id IN "  # noqa: S608 -- as above
        f"(SELECT id FROM form_field WHERE event_id = $2 AND (is_personal OR kind IN ({free})))",
        listed,
        event_id,
    )
    await uploads.drop(*(int(row["upload_id"]) for row in files))
    await db.execute(f"DELETE FROM id_document WHERE {mine}", listed)  # noqa: S608 -- as above
    await person_keys.forget(ids)
    emails = sorted({row.email for row in rows if row.email})
    # Their own, and somebody else's on its way to one of them: nobody is there any more to take it.
    await db.execute(
        "UPDATE transfer SET to_name = '', to_email = '', state = CASE WHEN open_for IS NULL THEN state "  # noqa: S608 -- as above
        "ELSE 'withdrawn' END, ended_at = COALESCE(ended_at, $2), open_for = NULL "
        f"WHERE {mine} OR (event_id = $3 AND to_email {db.in_list('$4', 'text')})",
        listed,
        at,
        event_id,
        db.list_parameter(emails),
    )
    await db.execute(
        "UPDATE registration_group SET contact_name = '', contact_email = '' WHERE event_id = $2 "  # noqa: S608 -- as above
        f"AND contact_email {db.in_list('$1', 'text')}",
        db.list_parameter(emails),
        event_id,
    )
    await registrations.changed.tell(Changed(event_id, ids))
    await erased.tell(Erased(event_id, ids))


async def _erase_subject(subject: Subject, actor: Actor, at: datetime) -> None:
    """The events' part of dropping a person. Raises Conflict ``last_owner`` where nobody else could run an event."""
    await _refuse_a_last_owner(subject.account_id)
    ids = await registrations_of(subject)
    by_event: dict[int, list[int]] = {}
    for row in await Registration.filter(id__in=list(ids) or [0]).values("id", "event_id"):
        by_event.setdefault(row["event_id"], []).append(row["id"])
    for event_id, own in sorted(by_event.items()):
        await erase(actor=actor, event_id=event_id, registration_ids=own, at=at)
    if not subject.account_id:
        return
    account_id = subject.account_id
    await db.execute("DELETE FROM role_grant WHERE account_id = $1", account_id)
    await db.execute("DELETE FROM invitation WHERE email = $1", subject.email)
    after_commit(lambda: access.forget_grants(account_id))


async def _refuse_a_last_owner(account_id: int) -> None:
    """Before anything is dropped, so that nobody waits for a long erasure only to be told no."""
    # As ``event.revoke`` does: of two owners who go at the same moment the second sees that the first has gone.
    await db.execute(
        "UPDATE event SET state = state WHERE id IN "
        "(SELECT event_id FROM role_grant WHERE account_id = $1 AND role = 'owner')",
        account_id,
    )
    alone = await db.query(
        "SELECT g.event_id FROM role_grant g WHERE g.account_id = $1 AND g.role = 'owner' AND NOT EXISTS "
        "(SELECT 1 FROM role_grant o WHERE o.event_id = g.event_id AND o.role = 'owner' AND o.account_id <> $1)",
        account_id,
    )
    if alone:
        raise Conflict(EventCode.LAST_OWNER)


# --- in time -----------------------------------------------------------------------------------------------------


def over_at(ends_on: Any, days: int, zone: str) -> datetime:
    """When people are dropped from an event: midnight by its own clock, ``days`` whole days after the last one."""
    day = ends_on + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


async def queue_due(at: datetime) -> None:
    """Makes a job of every event whose people's time is over; every server process asks, the key makes it one."""
    for event in await Event.filter(retention_days__not_isnull=True, people_dropped_at=None):
        assert event.retention_days is not None
        if over_at(event.ends_on, event.retention_days, event.time_zone) <= at:
            await jobs.enqueue(
                kind=JOB,
                key=f"{JOB}:{event.id}:{event.ends_on}:{event.retention_days}",
                payload={},
                event_id=event.id,
                at=at,
            )


async def _drop_people(job: jobs.JobHandle) -> Mapping[str, Any]:
    assert job.event_id is not None
    event = await Event.get_or_none(id=job.event_id)
    at = datetime.now(UTC)
    # Looked at once more: an organiser may have lengthened the time since.
    if (
        event is None
        or event.retention_days is None
        or over_at(event.ends_on, event.retention_days, event.time_zone) > at
    ):
        return {"dropped": 0}
    total = await Registration.filter(event_id=event.id, erased_at=None).count()
    done = 0
    while True:
        rows = await Registration.filter(event_id=event.id, erased_at=None).order_by("id").limit(CHUNK)
        if not rows:
            break
        async with unit_of_work():
            await quotas.hold(event.id)
            await _blank(SYSTEM, event.id, rows, at)
        done += len(rows)
        await job.progress(done, max(total, done))
    async with unit_of_work():
        # Nobody of this event is written to any more; what its letters said of whom goes with the people.
        await db.execute("DELETE FROM letter WHERE event_id = $1", event.id)
        await db.execute(
            "UPDATE registration_group SET contact_name = '', contact_email = '' WHERE event_id = $1",
            event.id,
        )
        await db.execute("DELETE FROM import_mapping WHERE event_id = $1", event.id)
        await emptied.tell(event.id)
        await Event.filter(id=event.id).update(people_dropped_at=at)
        await journal.write(
            actor=SYSTEM,
            verb="event.drop_people",
            object_kind="event",
            object_id=event.id,
            event_id=event.id,
            new={"registrations": done},
            at=at,
        )
    return {"dropped": done}
