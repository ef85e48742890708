"""Tables of ``checkin``. The scan reads only this floor's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField, LocalizedTextField

if TYPE_CHECKING:
    from agenda.models import Session
    from events.models import Event, Place, Registration, TicketType


class Passport(Model):
    """All that a scan reads about its holder; kept in step with the registration by ``registrations.changed``."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    registration: fields.OneToOneRelation[Registration] = fields.OneToOneField(
        "huiwu.Registration", related_name=False, on_delete=fields.RESTRICT
    )
    registration_id: int
    ticket_type: fields.ForeignKeyRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, on_delete=fields.RESTRICT
    )
    ticket_type_id: int
    token = fields.CharField(max_length=32, unique=True)
    public_token = fields.CharField(max_length=40, unique=True)
    short_code = fields.CharField(max_length=8)
    #: rules.PassportStatus: valid, not_confirmed, cancelled, revoked
    status = CodeField(default="valid")
    badge_name = fields.CharField(max_length=120)
    badge_line = fields.CharField(max_length=200, default="")
    created_at = fields.DatetimeField()

    class Meta:
        table = "passport"
        unique_together = (("event", "short_code"),)
        indexes = (Index(fields=("event_id", "status"), name="idx_passport_status"),)


class PassportCode(Model):
    """Every code that has ever led to a passport. A dead one (reissued) still says whose it was: revoked, not unknown."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.CASCADE
    )
    passport_id: int
    #: The token, the short code (upper case), or another shop's ticket code as it is.
    code = fields.CharField(max_length=200)
    #: rules.CodeKind: token, short, external
    kind = CodeField()
    is_live = fields.BooleanField(default=True)

    class Meta:
        table = "passport_code"
        unique_together = (("event_id", "code"),)
        indexes = (
            Index(fields=("code",), name="idx_passport_code_code"),
            Index(fields=("passport_id",), name="idx_passport_code_passport"),
        )


class CheckinList(Model):
    """What a passport can be "already here" in; lanes of one door share one. ``once`` says per what."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = LocalizedTextField()
    #: rules.Once: event, day, window, session
    once = CodeField(default="event")
    #: Enforced limit of people inside at once; NULL: counted only.
    capacity = fields.IntField(null=True)

    class Meta:
        table = "checkin_list"


class Checkpoint(Model):
    """Where passports are scanned: a gate, a session's door, a booth, a meal."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    list: fields.ForeignKeyRelation[CheckinList] = fields.ForeignKeyField(
        "huiwu.CheckinList", related_name=False, on_delete=fields.RESTRICT
    )
    list_id: int
    place: fields.ForeignKeyNullableRelation[Place] = fields.ForeignKeyField(
        "huiwu.Place", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    place_id: int | None
    session: fields.ForeignKeyNullableRelation[Session] = fields.ForeignKeyField(
        "huiwu.Session", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    session_id: int | None
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    #: rules.CheckpointKind: gate, session, booth, meal
    kind = CodeField()
    #: rules.OnRepeat: welcome, warn, refuse
    on_repeat = CodeField(default="warn")
    scans_exits = fields.BooleanField(default=False)
    is_open = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "checkpoint"
        unique_together = (("event", "code"),)


class CheckpointWindow(Model):
    """A span in which a checkpoint accepts; none at all means always. For meals each is a period of its own."""

    id = fields.BigIntField(primary_key=True)
    checkpoint: fields.ForeignKeyRelation[Checkpoint] = fields.ForeignKeyField(
        "huiwu.Checkpoint", related_name=False, on_delete=fields.CASCADE
    )
    checkpoint_id: int
    name = LocalizedTextField(default=dict)
    opens_at = fields.DatetimeField()
    closes_at = fields.DatetimeField()

    class Meta:
        table = "checkpoint_window"
        constraints = (CheckConstraint(check="closes_at > opens_at", name="ck_checkpoint_window_lasts"),)


class CheckpointTicketType(Model):
    """A ticket type that a checkpoint accepts; none at all means every type."""

    id = fields.BigIntField(primary_key=True)
    checkpoint: fields.ForeignKeyRelation[Checkpoint] = fields.ForeignKeyField(
        "huiwu.Checkpoint", related_name=False, on_delete=fields.CASCADE
    )
    checkpoint_id: int
    ticket_type: fields.ForeignKeyRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, on_delete=fields.RESTRICT
    )
    ticket_type_id: int

    class Meta:
        table = "checkpoint_ticket_type"
        unique_together = (("checkpoint", "ticket_type"),)


class Scan(Model):
    """One reading of a code at a checkpoint, accepted or refused; append-only.

    ``turn`` is set on an admission (direction entry): the number of closings so far in (list, passport, period); and
    on an exit: the turn that it closed. One unique index makes a second admission, and a second exit, impossible.
    Repeats and refusals leave it NULL.
    """

    id = fields.BigIntField(primary_key=True)
    scan_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    checkpoint: fields.ForeignKeyRelation[Checkpoint] = fields.ForeignKeyField(
        "huiwu.Checkpoint", related_name=False, on_delete=fields.RESTRICT
    )
    checkpoint_id: int
    list_id = fields.BigIntField()
    passport: fields.ForeignKeyNullableRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    passport_id: int | None
    ticket_type_id = fields.BigIntField(null=True)
    direction = CodeField(max_length=8)
    #: rules.VerdictCode
    verdict = CodeField()
    period = fields.CharField(max_length=40)
    turn = fields.IntField(null=True)
    #: The turn that a repeat met, for "first at 09:41, north gate": its admission stands under the same key.
    met_turn = fields.IntField(null=True)
    #: A code that led to nobody, as a keyed hash: people scan payment codes.
    code_hash = fields.CharField(max_length=64, null=True)
    #: Effective time (arrival minus age for a queued scan); ``received_at`` is the arrival.
    at = fields.DatetimeField()
    received_at = fields.DatetimeField()
    is_doubtful = fields.BooleanField(default=False)
    programme_date = fields.DateField()
    actor_key = fields.CharField(max_length=40)
    #: Digest of code, checkpoint and direction: the same scan_id with another body is a conflict.
    body_digest = fields.CharField(max_length=64)

    class Meta:
        table = "scan"
        # The passport stands first, so that the guard also finds a passport's own scans.
        unique_together = (("passport_id", "list_id", "period", "turn", "direction"),)
        indexes = (
            Index(fields=("event_id", "id"), name="idx_scan_event"),
            Index(fields=("checkpoint_id", "id"), name="idx_scan_checkpoint"),
        )
        constraints = (CheckConstraint(check="turn IS NULL OR turn >= 0", name="ck_scan_turn"),)


class Presence(Model):
    """People inside a list in a period: the guard of an enforced capacity, rebuilt from scans at will."""

    id = fields.BigIntField(primary_key=True)
    list: fields.ForeignKeyRelation[CheckinList] = fields.ForeignKeyField(
        "huiwu.CheckinList", related_name=False, on_delete=fields.RESTRICT
    )
    list_id: int
    period = fields.CharField(max_length=40)
    inside = fields.IntField(default=0)

    class Meta:
        table = "presence"
        unique_together = (("list", "period"),)
        constraints = (CheckConstraint(check="inside >= 0", name="ck_presence_inside"),)


class DayTally(Model):
    """Counts of scans per checkpoint, programme day, ticket type and kind of outcome; rebuilt from scans at will."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    checkpoint_id = fields.BigIntField()
    programme_date = fields.DateField()
    #: 0 where the code led to nobody
    ticket_type_id = fields.BigIntField(default=0)
    #: rules.Outcome: entry, exit, repeat, refused
    outcome = CodeField(max_length=8)
    count = fields.IntField(default=0)

    class Meta:
        table = "day_tally"
        unique_together = (("checkpoint_id", "programme_date", "ticket_type_id", "outcome"),)
        indexes = (Index(fields=("event_id", "programme_date"), name="idx_day_tally_event"),)


class MinuteTally(Model):
    """Counts of scans per event, minute and kind of outcome, for the chart; rebuilt from scans at will."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    #: minutes since 1970-01-01 UTC
    minute = fields.BigIntField()
    outcome = CodeField(max_length=8)
    count = fields.IntField(default=0)

    class Meta:
        table = "minute_tally"
        unique_together = (("event_id", "minute", "outcome"),)


class Arrival(Model):
    """A passport's first admission at any gate on a programme day: "arrived today", each person once."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    programme_date = fields.DateField()
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.RESTRICT
    )
    passport_id: int

    class Meta:
        table = "arrival"
        unique_together = (("event_id", "programme_date", "passport"),)
