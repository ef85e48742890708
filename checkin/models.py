"""Tables of ``checkin``. The scan reads only this floor's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField, LocalizedTextField

if TYPE_CHECKING:
    from agenda.models import Session
    from events.models import Event, Place, Registration, Site, TicketType


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
    #: What staff are shown with every verdict: text by language, and attention; a copy of the open HolderNote.
    notice: dict[str, Any] | None = fields.JSONField(null=True)
    #: The group whose list this person opens at a door (events.queries.groups_led).
    leads_group_id = fields.BigIntField(null=True)
    #: What stands on the badge, and the box that it lies in; given once, so that a printed one stays right.
    badge_number = fields.IntField(null=True)
    badge_box = fields.CharField(max_length=20, default="")
    created_at = fields.DatetimeField()

    class Meta:
        table = "passport"
        unique_together = (("event", "short_code"), ("event", "badge_number"))
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
    #: rules.CodeKind: token, short, external, alias, lookup
    kind = CodeField()
    is_live = fields.BooleanField(default=True)

    class Meta:
        table = "passport_code"
        unique_together = (("event_id", "code"),)
        indexes = (
            Index(fields=("code",), name="idx_passport_code_code"),
            Index(fields=("passport_id",), name="idx_passport_code_passport"),
        )


class Snapshot(Model):
    """Where an event's copy for offline scanners stands (checkin.snapshot); made anew at will, but for the salt."""

    id = fields.BigIntField(primary_key=True)
    event: fields.OneToOneRelation[Event] = fields.OneToOneField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Random, in hex; lookup ids and keys of all lines come from it and the codes.
    salt = fields.CharField(max_length=64)
    version = fields.BigIntField(default=0)
    #: When all passports were last compared; NULL until it was whole once.
    checked_at = fields.DatetimeField(null=True)
    #: The version of the topic ``snapshot.<event>`` that the comparison had heard of.
    topic_version = fields.BigIntField(default=-1)

    class Meta:
        table = "snapshot"


class SnapshotLine(Model):
    """What a scanner learns of whoever shows one code, shut under a key that comes from the code itself."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    lookup = fields.CharField(max_length=22)
    #: The passport_code that it is the line of; NULL for a group's list.
    code_id = fields.BigIntField(null=True)
    group_id = fields.BigIntField(null=True)
    version = fields.BigIntField()
    #: Keyed hash of what the line says; empty: to be made anew.
    digest = fields.CharField(max_length=64)
    #: Empty: gone, and scanners are told so.
    sealed = fields.TextField()

    class Meta:
        table = "snapshot_line"
        unique_together = (("event_id", "lookup"),)
        indexes = (
            Index(fields=("event_id", "version"), name="idx_snapshot_line_version"),
            Index(fields=("code_id",), name="idx_snapshot_line_code"),
        )


class HolderNote(Model):
    """A word to staff about one holder (please see the speakers' desk), until a lead marks it done.

    Free text, so it goes when the person is dropped; the row stays.
    """

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.RESTRICT
    )
    passport_id: int
    text = LocalizedTextField(default=dict)
    is_attention = fields.BooleanField(default=False)
    #: The passport's id while open, NULL afterwards: unique, so that each has one at most.
    open_for = fields.BigIntField(null=True, unique=True)
    created_at = fields.DatetimeField()
    created_by = fields.CharField(max_length=40)
    done_at = fields.DatetimeField(null=True)
    done_by = fields.CharField(max_length=40, default="")

    class Meta:
        table = "holder_note"
        indexes = (Index(fields=("passport_id", "id"), name="idx_holder_note_passport"),)


class ScanReason(Model):
    """Why a lead admitted against a refusal, or took a scan back; beside the ledger, because free text is erasable."""

    id = fields.BigIntField(primary_key=True)
    #: The scan that it explains.
    scan_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.RESTRICT
    )
    passport_id: int
    text = fields.CharField(max_length=200, default="")

    class Meta:
        table = "scan_reason"
        indexes = (Index(fields=("passport_id",), name="idx_scan_reason_passport"),)


class ScanConflict(Model):
    """A scan of which a phone without network had told the person something else (conflict_rules).

    Open until somebody has dealt with it. The note is free text, so it goes when the person is dropped; the row stays.
    """

    id = fields.BigIntField(primary_key=True)
    scan_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    checkpoint_id = fields.BigIntField()
    #: NULL where the code led to nobody of this event.
    passport: fields.ForeignKeyNullableRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    passport_id: int | None
    #: Whose scan it was, and what was told: offline_rules.Local.
    actor_key = fields.CharField(max_length=40)
    local = CodeField()
    found_at = fields.DatetimeField()
    dealt_at = fields.DatetimeField(null=True)
    dealt_by = fields.CharField(max_length=40, default="")
    note = fields.CharField(max_length=200, default="")

    class Meta:
        table = "scan_conflict"
        indexes = (
            Index(fields=("event_id", "dealt_at"), name="idx_scan_conflict_open"),
            Index(fields=("passport_id",), name="idx_scan_conflict_passport"),
        )


class BadgeEvent(Model):
    """What was done with a badge: printed, handed over, taken back; append-only. Printing is not entering.

    ``nth`` counts each kind for its passport: one unique index makes a second "handed over" of one badge impossible.
    """

    id = fields.BigIntField(primary_key=True)
    #: The sender's own id: the same act sent twice is one.
    act_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.RESTRICT
    )
    passport_id: int
    #: badge_rules.BadgeAct: printed, reprinted, handed_over, taken_back
    kind = CodeField()
    nth = fields.IntField()
    #: The number that stood on it; one that was printed is given to nobody else.
    number = fields.IntField(null=True)
    at = fields.DatetimeField()
    actor_key = fields.CharField(max_length=40)

    class Meta:
        table = "badge_event"
        unique_together = (("passport_id", "kind", "nth"),)
        indexes = (Index(fields=("event_id", "id"), name="idx_badge_event_event"),)


class PrintStation(Model):
    """A laptop with a printer, and how badges look that come out of it."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = fields.CharField(max_length=60)
    #: badge_rules.Paper
    paper = CodeField()
    shows_line = fields.BooleanField(default=True)
    shows_type = fields.BooleanField(default=True)
    shows_number = fields.BooleanField(default=True)
    shows_code = fields.BooleanField(default=True)
    #: badge_rules.Pause, or nothing while it prints
    pause = CodeField(default="")
    is_open = fields.BooleanField(default=True)
    #: When its page last asked for work: a scanner tells whether anybody prints there.
    seen_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "print_station"
        indexes = (Index(fields=("event_id",), name="idx_print_station_event"),)


class PrintJob(Model):
    """One badge to be printed at a station. Jobs come out in the order of their ids, one at a time, each once."""

    id = fields.BigIntField(primary_key=True)
    #: The sender's own id: the same wish sent twice is one job.
    request_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    station: fields.ForeignKeyRelation[PrintStation] = fields.ForeignKeyField(
        "huiwu.PrintStation", related_name=False, on_delete=fields.RESTRICT
    )
    station_id: int
    passport: fields.ForeignKeyRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, on_delete=fields.RESTRICT
    )
    passport_id: int
    actor_key = fields.CharField(max_length=40)
    requested_at = fields.DatetimeField()
    #: badge_rules.JobState: queued, taken, printed, failed, dropped
    state = CodeField(default="queued")
    #: The window that took it, and until when it may keep it: a crashed one hands back.
    taken_by = fields.UUIDField(null=True)
    taken_at = fields.DatetimeField(null=True)
    lease_until = fields.DatetimeField(null=True)
    tries = fields.IntField(default=0)
    ended_at = fields.DatetimeField(null=True)
    #: badge_rules.PrintFailure, or nothing
    failure = CodeField(default="")

    class Meta:
        table = "print_job"
        indexes = (
            Index(fields=("station_id", "state", "id"), name="idx_print_job_station"),
            Index(fields=("passport_id",), name="idx_print_job_passport"),
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
    site: fields.ForeignKeyNullableRelation[Site] = fields.ForeignKeyField(
        "huiwu.Site", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    site_id: int | None

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
            Index(fields=("checkpoint_id", "id"), name="idx_scan_checkpoint"),
            # An event's newest, and the scans behind a minute in their order. Each further index costs every scan.
            Index(fields=("event_id", "at", "id"), name="idx_scan_at"),
        )
        constraints = (CheckConstraint(check="turn IS NULL OR turn >= 0", name="ck_scan_turn"),)


class Device(Model):
    """A phone that scans without an account: what its pairing gave it, until when, and how it was last heard of.

    The token is kept as a digest. The row stays: scans name it, and whoever comes with a revoked token is told so.
    """

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = fields.CharField(max_length=80)
    #: Who carries it, in a lead's own words; erasable.
    volunteer = fields.CharField(max_length=80, default="")
    token_digest = fields.CharField(max_length=64, unique=True)
    #: The browser that was paired, and another one that came with its token.
    instance = fields.UUIDField()
    other_instance = fields.UUIDField(null=True)
    other_seen_at = fields.DatetimeField(null=True)
    #: May hold the list of names, for searching without network.
    sees_names = fields.BooleanField(default=False)
    is_lead = fields.BooleanField(default=False)
    may_walk_in = fields.BooleanField(default=False)
    paired_at = fields.DatetimeField()
    #: Whose pairing it was.
    created_by = fields.CharField(max_length=40)
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    #: When the phone itself answered that it has forgotten everything, after it was revoked.
    wiped_at = fields.DatetimeField(null=True)
    last_seen_at = fields.DatetimeField(null=True)
    app_version = fields.CharField(max_length=40, default="")
    #: Feature words and the system's family, as the phone told.
    platform = fields.CharField(max_length=80, default="")
    queue_length = fields.IntField(default=0)
    snapshot_version = fields.BigIntField(null=True)
    #: device_rules.Trouble that the phone told of last
    problems: list[str] = fields.JSONField(default=list)
    #: What the phone could when it was paired: camera, secure, service_worker, storage
    checks: dict[str, bool] = fields.JSONField(default=dict)

    class Meta:
        table = "device"
        indexes = (Index(fields=("event_id", "id"), name="idx_device_event"),)
        constraints = (
            CheckConstraint(check="queue_length >= 0", name="ck_device_queue"),
            CheckConstraint(check="wiped_at IS NULL OR revoked_at IS NOT NULL", name="ck_device_wiped"),
        )


class QuietDevice(Model):
    """A phone in use that has not been heard of for a while: noted once, so that boards are told, until it is back."""

    device: fields.OneToOneRelation[Device] = fields.OneToOneField(
        "huiwu.Device", related_name=False, primary_key=True, on_delete=fields.CASCADE
    )
    device_id: int
    event_id = fields.BigIntField()
    #: When it was last heard of.
    since = fields.DatetimeField()

    class Meta:
        table = "quiet_device"
        indexes = (Index(fields=("event_id",), name="idx_quiet_device_event"),)


class DeviceCheckpoint(Model):
    """A checkpoint that a device may scan at; none at all means nowhere."""

    id = fields.BigIntField(primary_key=True)
    device: fields.ForeignKeyRelation[Device] = fields.ForeignKeyField(
        "huiwu.Device", related_name=False, on_delete=fields.CASCADE
    )
    device_id: int
    checkpoint: fields.ForeignKeyRelation[Checkpoint] = fields.ForeignKeyField(
        "huiwu.Checkpoint", related_name=False, on_delete=fields.RESTRICT
    )
    checkpoint_id: int

    class Meta:
        table = "device_checkpoint"
        unique_together = (("device", "checkpoint"),)


class DevicePairing(Model):
    """What one phone may become, once: a secret in a QR code, and a short code for typing.

    Both are derived from ``salt`` and the installation's key when a lead looks at them; the row holds digests only.
    """

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: The sheet that it stands on, and where.
    batch = fields.UUIDField()
    number = fields.IntField()
    salt = fields.CharField(max_length=32)
    secret_digest = fields.CharField(max_length=64, unique=True)
    code_digest = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=80)
    volunteer = fields.CharField(max_length=80, default="")
    checkpoints: list[int] = fields.JSONField(default=list)
    sees_names = fields.BooleanField(default=False)
    is_lead = fields.BooleanField(default=False)
    may_walk_in = fields.BooleanField(default=False)
    device_expires_at = fields.DatetimeField()
    created_at = fields.DatetimeField()
    created_by = fields.CharField(max_length=40)
    expires_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)
    used_at = fields.DatetimeField(null=True)
    #: The phone that used it: the only one that may send it again, when the answer was lost.
    used_by = fields.UUIDField(null=True)
    #: One pairing is one device, whatever happens at once.
    device: fields.OneToOneNullableRelation[Device] = fields.OneToOneField(
        "huiwu.Device", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    device_id: int | None

    class Meta:
        table = "device_pairing"
        unique_together = (("batch", "number"),)
        indexes = (Index(fields=("event_id", "expires_at"), name="idx_device_pairing_event"),)
        constraints = (
            CheckConstraint(check="(used_at IS NULL) = (used_by IS NULL)", name="ck_device_pairing_used"),
        )


class PhoneTestLink(Model):
    """A link by which volunteers try their phones before the day: one for all, or one for somebody."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    salt = fields.CharField(max_length=32)
    secret_digest = fields.CharField(max_length=64, unique=True)
    #: Whom it was sent to; empty for one that is for all. Erasable.
    volunteer = fields.CharField(max_length=80, default="")
    created_at = fields.DatetimeField()
    created_by = fields.CharField(max_length=40)
    ends_at = fields.DatetimeField()

    class Meta:
        table = "phone_test_link"
        indexes = (Index(fields=("event_id", "id"), name="idx_phone_test_link_event"),)


class PhoneTest(Model):
    """What one phone could, the last time it was tried by a link."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    link: fields.ForeignKeyRelation[PhoneTestLink] = fields.ForeignKeyField(
        "huiwu.PhoneTestLink", related_name=False, on_delete=fields.CASCADE
    )
    link_id: int
    instance = fields.UUIDField()
    #: As its owner typed it; erasable.
    name = fields.CharField(max_length=80, default="")
    #: Each check by name, passed or not.
    checks: dict[str, bool] = fields.JSONField(default=dict)
    #: Which family of browser, by the features it has, never by its name.
    platform = fields.CharField(max_length=80, default="")
    round_trip_ms = fields.IntField(null=True)
    tested_at = fields.DatetimeField()

    class Meta:
        table = "phone_test"
        unique_together = (("link", "instance"),)
        indexes = (Index(fields=("event_id", "id"), name="idx_phone_test_event"),)


class QuarantinedScan(Model):
    """A scan that a revoked or long expired device sent: kept apart until a lead lets it in or drops it.

    ``scan_id`` becomes the ledger's when it is let in. The code itself is not kept: the passport that it led to is, or
    a keyed hash where it led to nobody.
    """

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    device: fields.ForeignKeyRelation[Device] = fields.ForeignKeyField(
        "huiwu.Device", related_name=False, on_delete=fields.RESTRICT
    )
    device_id: int
    scan_id = fields.UUIDField()
    #: As the phone named it; perhaps none of this event's.
    checkpoint_id = fields.BigIntField()
    passport: fields.ForeignKeyNullableRelation[Passport] = fields.ForeignKeyField(
        "huiwu.Passport", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    passport_id: int | None
    code_hash = fields.CharField(max_length=64, null=True)
    direction = CodeField(max_length=8)
    #: What the phone told the person, without network.
    local = CodeField(max_length=16, default="")
    at = fields.DatetimeField()
    received_at = fields.DatetimeField()
    is_doubtful = fields.BooleanField(default=False)
    #: device_rules.Held: waiting, letting_in, let_in, dropped, counted
    state = CodeField(default="waiting")
    decided_at = fields.DatetimeField(null=True)
    decided_by = fields.CharField(max_length=40, default="")
    #: Why it was dropped; free text, erasable.
    reason = fields.CharField(max_length=200, default="")
    #: What the door said when it was let in.
    verdict = CodeField(default="")

    class Meta:
        table = "quarantined_scan"
        unique_together = (("device", "scan_id"),)
        indexes = (
            Index(fields=("event_id", "state", "id"), name="idx_quarantined_scan_event"),
            Index(fields=("passport_id",), name="idx_quarantined_scan_passport"),
        )


class Rehearsal(Model):
    """A span in which scans are tried and count nowhere; it never goes on past the opening of the doors."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    starts_at = fields.DatetimeField()
    #: As it was planned, or when it was stopped.
    ends_at = fields.DatetimeField()
    started_by = fields.CharField(max_length=40)
    stopped_by = fields.CharField(max_length=40, default="")

    class Meta:
        table = "rehearsal"
        indexes = (Index(fields=("event_id", "id"), name="idx_rehearsal_event"),)


class RehearsalScan(Model):
    """A scan of a rehearsal: judged and remembered as any other, in a book of its own that nothing is counted from.

    Its columns are the ledger's. Clearing keeps the row, so that its id is known for ever, and frees its turn.
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
    verdict = CodeField()
    period = fields.CharField(max_length=40)
    turn = fields.IntField(null=True)
    met_turn = fields.IntField(null=True)
    code_hash = fields.CharField(max_length=64, null=True)
    at = fields.DatetimeField()
    received_at = fields.DatetimeField()
    is_doubtful = fields.BooleanField(default=False)
    programme_date = fields.DateField()
    actor_key = fields.CharField(max_length=40)
    body_digest = fields.CharField(max_length=64)
    cleared_at = fields.DatetimeField(null=True)

    class Meta:
        table = "rehearsal_scan"
        unique_together = (("passport_id", "list_id", "period", "turn", "direction"),)
        indexes = (
            Index(fields=("event_id", "cleared_at", "id"), name="idx_rehearsal_scan_event"),
            Index(fields=("list_id", "period"), name="idx_rehearsal_scan_list"),
        )


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


class RoomList(Model):
    """A list that counts for a room: how early its door takes the next session, and whether entering leaves others."""

    list: fields.OneToOneRelation[CheckinList] = fields.OneToOneField(
        "huiwu.CheckinList", related_name=False, primary_key=True, on_delete=fields.CASCADE
    )
    list_id: int
    #: The next session of the programme is taken from so long before it begins.
    lead_minutes = fields.IntField(default=15)
    #: One of the rooms of which somebody is in one at a time: an entry here is a way out of the others.
    leaves_others = fields.BooleanField(default=True)

    class Meta:
        table = "room_list"
        constraints = (CheckConstraint(check="lead_minutes >= 0", name="ck_room_list_lead"),)


class RoomSaid(Model):
    """What somebody said of a room by hand: open, full, closed, or automatic again; append-only, the latest counts."""

    id = fields.BigIntField(primary_key=True)
    #: The request that said it; once each.
    request_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    place: fields.ForeignKeyRelation[Place] = fields.ForeignKeyField(
        "huiwu.Place", related_name=False, on_delete=fields.RESTRICT
    )
    place_id: int
    #: room_rules.RoomState
    state = CodeField()
    at = fields.DatetimeField()
    actor_key = fields.CharField(max_length=40)

    class Meta:
        table = "room_said"
        indexes = (Index(fields=("event_id", "place_id", "id"), name="idx_room_said_place"),)


class HeadCount(Model):
    """People counted in a room by a volunteer; append-only, the latest counts, a correction is another count."""

    id = fields.BigIntField(primary_key=True)
    request_id = fields.UUIDField(unique=True)
    event_id = fields.BigIntField()
    place: fields.ForeignKeyRelation[Place] = fields.ForeignKeyField(
        "huiwu.Place", related_name=False, on_delete=fields.RESTRICT
    )
    place_id: int
    count = fields.IntField()
    #: What the room's scans said at that moment, and in which period: scans since then move the count.
    base = fields.IntField(default=0)
    base_key = fields.CharField(max_length=40, default="")
    at = fields.DatetimeField()
    actor_key = fields.CharField(max_length=40)

    class Meta:
        table = "head_count"
        indexes = (Index(fields=("event_id", "place_id", "id"), name="idx_head_count_place"),)
        constraints = (CheckConstraint(check="count >= 0", name="ck_head_count"),)


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


class RefusalTally(Model):
    """Counts of refusals per checkpoint, programme day and reason, for the board; rebuilt from scans at will.

    A table of its own, because an admission, of which there are most, then pays nothing for it.
    """

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    programme_date = fields.DateField()
    checkpoint_id = fields.BigIntField()
    #: rules.VerdictCode
    verdict = CodeField()
    count = fields.IntField(default=0)

    class Meta:
        table = "refusal_tally"
        unique_together = (("event_id", "programme_date", "checkpoint_id", "verdict"),)


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
