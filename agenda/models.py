"""Tables of ``agenda``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField, LocalizedTextField

if TYPE_CHECKING:
    from events.models import Event, Place


class Session(Model):
    """A programme item with time and room; its guid never changes."""

    id = fields.BigIntField(primary_key=True)
    guid = fields.UUIDField(unique=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    place: fields.ForeignKeyNullableRelation[Place] = fields.ForeignKeyField(
        "huiwu.Place", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    place_id: int | None
    kind = CodeField(default="talk")
    title = LocalizedTextField()
    speakers = fields.CharField(max_length=300, default="")
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()

    class Meta:
        table = "session"
        indexes = (Index(fields=("event_id", "starts_at"), name="idx_session_event"),)
        constraints = (CheckConstraint(check="ends_at > starts_at", name="ck_session_lasts"),)
