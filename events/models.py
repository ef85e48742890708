"""Tables of ``events``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField, LocalizedTextField

if TYPE_CHECKING:
    from people.models import Account


class Event(Model):
    """One conference, meet-up or reading club; ``slug`` is its alias in every address."""

    id = fields.BigIntField(primary_key=True)
    slug = fields.CharField(max_length=48, unique=True)
    name = LocalizedTextField()
    tagline = LocalizedTextField(default=dict)
    #: Markdown
    text = LocalizedTextField(default=dict)
    city = LocalizedTextField(default=dict)
    address = LocalizedTextField(default=dict)
    starts_on = fields.DateField()
    ends_on = fields.DateField()
    time_zone = fields.CharField(max_length=40, default="Asia/Shanghai")
    #: When a programme day begins, minutes after local midnight: the party at 01:30 still belongs to yesterday.
    day_starts_minute = fields.IntField(default=240)
    theme_colour = fields.CharField(max_length=7, default="#0b6e4f")
    state = CodeField(default="draft")
    registration_opens_at = fields.DatetimeField(null=True)
    registration_closes_at = fields.DatetimeField(null=True)
    is_sample = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "event"
        constraints = (
            CheckConstraint(check="ends_on >= starts_on", name="ck_event_dates"),
            CheckConstraint(
                check="day_starts_minute >= 0 AND day_starts_minute < 720", name="ck_event_day_start"
            ),
        )


class RoleGrant(Model):
    """A role of an account in an event; a scope that names an upper floor's object is a kind and an id."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    role = CodeField()
    #: "" and 0: the whole event
    scope_kind = CodeField(default="")
    scope_id = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "role_grant"
        unique_together = (("event", "account", "role", "scope_kind", "scope_id"),)
        indexes = (Index(fields=("account_id",), name="idx_role_grant_account"),)


class Place(Model):
    """Anything on the map: one tree, one id used by sessions, checkpoints, shifts, stock and counters."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    parent: fields.ForeignKeyNullableRelation[Place] = fields.ForeignKeyField(
        "huiwu.Place", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    parent_id: int | None
    kind = CodeField()
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    capacity = fields.IntField(null=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "place"
        unique_together = (("event", "code"),)
        constraints = (CheckConstraint(check="capacity IS NULL OR capacity >= 0", name="ck_place_capacity"),)


class TicketType(Model):
    """What one registers as; ``taken`` is guarded by the database and never passes ``quota``."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    #: Shown by the verdict at the door: lanyard colour, kit, coupons.
    door_note = LocalizedTextField(default=dict)
    quota = fields.IntField(null=True)
    taken = fields.IntField(default=0)
    #: Offered on the public form; others come by import or from organisers.
    is_public = fields.BooleanField(default=True)
    is_online = fields.BooleanField(default=False)
    position = fields.IntField(default=0)

    class Meta:
        table = "ticket_type"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(
                check="taken >= 0 AND (quota IS NULL OR taken <= quota)", name="ck_ticket_type_taken"
            ),
        )


class Registration(Model):
    """A person's right to attend, of a ticket type. Contact data lives here and nowhere else."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    ticket_type: fields.ForeignKeyRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, on_delete=fields.RESTRICT
    )
    ticket_type_id: int
    state = CodeField(default="confirmed")
    source = CodeField()
    #: 姓名: one field, never split
    name = fields.CharField(max_length=120)
    badge_name = fields.CharField(max_length=120, default="")
    english_name = fields.CharField(max_length=120, default="")
    #: folded; "" when only a phone is known
    email = fields.CharField(max_length=254, default="")
    #: E.164; "" when only an e-mail is known
    phone = fields.CharField(max_length=20, default="")
    phone_last4 = fields.CharField(max_length=4, default="")
    organisation = fields.CharField(max_length=200, default="")
    position = fields.CharField(max_length=120, default="")
    locale = fields.CharField(max_length=16, default="zh-Hans")
    #: The row's name in another system (订单号, 报名编号): an import with it updates this registration.
    external_id = fields.CharField(max_length=100, null=True)
    #: A code printed by another ticket shop; scanners take it as an alias of the passport.
    external_code = fields.CharField(max_length=200, null=True)
    #: Folded names and organisation, for finding a person at a desk.
    search = fields.CharField(max_length=600, default="")
    #: Counted up to make an old secret link worthless; the link itself is derived, never stored.
    secret_round = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "registration"
        unique_together = (("event", "external_id"), ("event", "external_code"))
        indexes = (
            Index(fields=("event_id", "email"), name="idx_registration_email"),
            Index(fields=("event_id", "phone_last4"), name="idx_registration_last4"),
            Index(fields=("event_id", "created_at"), name="idx_registration_created"),
            Index(fields=("ticket_type_id", "state"), name="idx_registration_type"),
            Index(fields=("email",), name="idx_registration_any_email"),
        )


class RegistrationImport(Model):
    """An uploaded list on its way in. Holds personal data only in its file and report, both erased in time."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    upload_id = fields.BigIntField()
    job_id = fields.BigIntField(null=True)
    filename = fields.CharField(max_length=200)
    header_row = fields.IntField()
    mapping: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    options: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    state = CodeField(default="preview")
    #: {"totals": {...}, "rows": [{"line", "action", "problems", "warnings"}]}
    report: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "registration_import"


class ImportMapping(Model):
    """The column mapping chosen for a set of headers, remembered for the next file that looks the same."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    header_digest = fields.CharField(max_length=64)
    mapping: fields.JSONField[dict[str, Any]] = fields.JSONField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "import_mapping"
        unique_together = (("event", "header_digest"),)
