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


class Series(Model):
    """Events that return, year after year: its page lists them all."""

    id = fields.BigIntField(primary_key=True)
    slug = fields.CharField(max_length=48, unique=True)
    name = LocalizedTextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "series"


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
    #: The clock on the first day it begins and on the last it ends, minutes after local midnight; NULL: whole days.
    starts_minute = fields.IntField(null=True)
    ends_minute = fields.IntField(null=True)
    #: When a programme day begins, minutes after local midnight: the party at 01:30 still belongs to yesterday.
    day_starts_minute = fields.IntField(default=240)
    theme_colour = fields.CharField(max_length=7, default="#0b6e4f")
    state = CodeField(default="draft")
    registration_opens_at = fields.DatetimeField(null=True)
    registration_closes_at = fields.DatetimeField(null=True)
    is_sample = fields.BooleanField(default=False)
    #: rules.EventKind: conference, meetup
    kind = CodeField(default="conference")
    series: fields.ForeignKeyNullableRelation[Series] = fields.ForeignKeyField(
        "huiwu.Series", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    series_id: int | None
    #: rules.Module names that are switched on; NULL: what the kind brings.
    modules: fields.JSONField[list[str] | None] = fields.JSONField(null=True)
    cover_upload_id = fields.BigIntField(null=True)
    #: How visitors reach the organisers: an address that is shown in public.
    contact_email = fields.CharField(max_length=254, default="")
    contact = LocalizedTextField(default=dict)
    #: Markdown; what happens with people's data.
    privacy_notice = LocalizedTextField(default=dict)
    #: Until when holders change, cancel and hand on their registrations themselves; NULL: until the event begins.
    self_service_until = fields.DatetimeField(null=True)
    #: Hours that somebody who moves up from the waiting list has to accept.
    offer_hours = fields.IntField(default=24)
    #: Days after the event's end until people are dropped from it; NULL: kept until somebody says so.
    retention_days = fields.IntField(null=True)
    #: Days after the event's end until identity documents are deleted; NULL: documents are not asked for.
    id_document_days = fields.IntField(null=True)
    people_dropped_at = fields.DatetimeField(null=True)
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


class Invitation(Model):
    """A role that waits for the owner of an address to take it; the key in its link is derived and stands nowhere."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    role = CodeField()
    #: [[kind, id], ...]; empty: the whole event
    scopes: fields.JSONField[list[tuple[str, int]]] = fields.JSONField(default=list)
    #: Folded; the account that accepts must have this address, so that a forwarded link opens nothing.
    email = fields.CharField(max_length=254)
    actor_key = fields.CharField(max_length=40)
    #: Letters sent so far.
    letters = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    accepted_account_id = fields.BigIntField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "invitation"
        indexes = (
            Index(fields=("event_id", "created_at"), name="idx_invitation_event"),
            Index(fields=("email",), name="idx_invitation_email"),
        )


class Site(Model):
    """城市分会场: a part of the event in another city, with places, ticket types and checkpoints of its own."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    city = LocalizedTextField(default=dict)
    address = LocalizedTextField(default=dict)
    position = fields.IntField(default=0)

    class Meta:
        table = "site"
        unique_together = (("event", "code"),)


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
    site: fields.ForeignKeyNullableRelation[Site] = fields.ForeignKeyField(
        "huiwu.Site", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    site_id: int | None

    class Meta:
        table = "place"
        unique_together = (("event", "code"),)
        constraints = (CheckConstraint(check="capacity IS NULL OR capacity >= 0", name="ck_place_capacity"),)


class SharedQuota(Model):
    """One limit over several ticket types (all who eat lunch, all in the hall); guarded like a type's own."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = LocalizedTextField()
    quota = fields.IntField()
    taken = fields.IntField(default=0)

    class Meta:
        table = "shared_quota"
        constraints = (CheckConstraint(check="taken >= 0 AND taken <= quota", name="ck_shared_quota_taken"),)


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
    #: rules.TicketRole: attendee, student, speaker, guest, sponsor, media, volunteer, staff
    role = CodeField(default="attendee")
    description = LocalizedTextField(default=dict)
    site: fields.ForeignKeyNullableRelation[Site] = fields.ForeignKeyField(
        "huiwu.Site", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    site_id: int | None
    shared_quota: fields.ForeignKeyNullableRelation[SharedQuota] = fields.ForeignKeyField(
        "huiwu.SharedQuota", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    shared_quota_id: int | None
    #: Its own window inside the event's; half-open, NULL: the event's alone.
    opens_at = fields.DatetimeField(null=True)
    closes_at = fields.DatetimeField(null=True)
    needs_approval = fields.BooleanField(default=False)
    #: Only with an access code that opens it; with ``is_public`` it is seen but not taken without one.
    needs_code = fields.BooleanField(default=False)
    has_waitlist = fields.BooleanField(default=False)
    #: Given out by hand at the door's desk.
    is_walk_in = fields.BooleanField(default=False)

    class Meta:
        table = "ticket_type"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(
                check="taken >= 0 AND (quota IS NULL OR taken <= quota)", name="ck_ticket_type_taken"
            ),
        )


class AccessCode(Model):
    """A word that opens ticket types, a limited number of times; ``used`` is guarded by the database."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Folded: upper case, no spaces.
    code = fields.CharField(max_length=40)
    #: Where the free tickets come from ("Datawhale", "讲师赠票"); kept with every registration made by it.
    ticket_source = fields.CharField(max_length=120, default="")
    max_uses = fields.IntField(null=True)
    used = fields.IntField(default=0)
    valid_until = fields.DatetimeField(null=True)
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "access_code"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(
                check="used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="ck_access_code_used"
            ),
        )


class AccessCodeTicketType(Model):
    """A ticket type that an access code opens."""

    id = fields.BigIntField(primary_key=True)
    access_code: fields.ForeignKeyRelation[AccessCode] = fields.ForeignKeyField(
        "huiwu.AccessCode", related_name=False, on_delete=fields.CASCADE
    )
    access_code_id: int
    ticket_type: fields.ForeignKeyRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, on_delete=fields.RESTRICT
    )
    ticket_type_id: int

    class Meta:
        table = "access_code_ticket_type"
        unique_together = (("access_code", "ticket_type"),)


class RegistrationGroup(Model):
    """Registrations that somebody looks after: a group that one person registered, or a partner's or teacher's link.

    The link's secret is derived from the installation's key, the id and ``secret_round``, as a holder's is.
    """

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: rules.GroupKind: group, partner
    kind = CodeField()
    name = fields.CharField(max_length=120)
    contact_name = fields.CharField(max_length=120, default="")
    #: Folded.
    contact_email = fields.CharField(max_length=254, default="")
    locale = fields.CharField(max_length=16, default="zh-Hans")
    ticket_type: fields.ForeignKeyNullableRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    ticket_type_id: int | None
    quota = fields.IntField(null=True)
    taken = fields.IntField(default=0)
    valid_until = fields.DatetimeField(null=True)
    ticket_source = fields.CharField(max_length=120, default="")
    secret_round = fields.IntField(default=0)
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "registration_group"
        indexes = (Index(fields=("event_id", "kind"), name="idx_registration_group_event"),)
        constraints = (
            CheckConstraint(
                check="taken >= 0 AND (quota IS NULL OR taken <= quota)", name="ck_registration_group_taken"
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
    #: Where a free ticket came from, as the access code or the partner's link says.
    ticket_source = fields.CharField(max_length=120, default="")
    access_code: fields.ForeignKeyNullableRelation[AccessCode] = fields.ForeignKeyField(
        "huiwu.AccessCode", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    access_code_id: int | None
    group: fields.ForeignKeyNullableRelation[RegistrationGroup] = fields.ForeignKeyField(
        "huiwu.RegistrationGroup", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    group_id: int | None
    #: Since when somebody waits; the waiting list's order. Kept while an offer is open.
    waiting_since = fields.DatetimeField(null=True)
    #: Until when somebody who moved up may accept.
    offer_until = fields.DatetimeField(null=True)
    decided_at = fields.DatetimeField(null=True)
    #: rules.PaymentState; paid tickets stay with their shop, this is what the shop's list said.
    payment_state = CodeField(default="")
    #: 发票抬头
    invoice_title = fields.CharField(max_length=200, default="")
    #: 税号
    tax_number = fields.CharField(max_length=40, default="")
    #: The other record of the same person, which has taken over this one's codes.
    merged_into: fields.ForeignKeyNullableRelation[Registration] = fields.ForeignKeyField(
        "huiwu.Registration", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    merged_into_id: int | None
    #: The person was dropped: counts stay, contact and answers are gone.
    erased_at = fields.DatetimeField(null=True)

    class Meta:
        table = "registration"
        unique_together = (("event", "external_id"), ("event", "external_code"))
        indexes = (
            Index(fields=("event_id", "email"), name="idx_registration_email"),
            Index(fields=("event_id", "phone_last4"), name="idx_registration_last4"),
            Index(fields=("event_id", "created_at"), name="idx_registration_created"),
            Index(fields=("ticket_type_id", "state"), name="idx_registration_type"),
            Index(fields=("email",), name="idx_registration_any_email"),
            Index(fields=("ticket_type_id", "waiting_since"), name="idx_registration_waiting"),
            Index(fields=("offer_until",), name="idx_registration_offer"),
            Index(fields=("group_id",), name="idx_registration_group"),
        )


class PersonKey(Model):
    """By what a registration's person is found besides the letters of the name (pinyin_rules); made anew at will."""

    registration: fields.OneToOneRelation[Registration] = fields.OneToOneField(
        "huiwu.Registration", related_name=False, on_delete=fields.CASCADE, primary_key=True
    )
    registration_id: int
    event_id = fields.BigIntField()
    #: Every way to type the names in pinyin and initials.
    forms = fields.CharField(max_length=2000)
    #: Where the name stands in a printed list.
    sort_key = fields.CharField(max_length=200)
    #: pinyin_rules.VERSION that they were made by.
    version = fields.IntField()

    class Meta:
        table = "person_key"
        indexes = (Index(fields=("event_id",), name="idx_person_key_event"),)


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


class FormField(Model):
    """A question of the organisers' own on the registration form."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    #: rules.FieldKind: line, text, number, date, yes_no, choose_one, choose_many, file, url
    kind = CodeField()
    label = LocalizedTextField()
    help = LocalizedTextField(default=dict)
    #: [{"code", "label": {locale: text}}] for the two kinds that choose
    options: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)
    is_required = fields.BooleanField(default=False)
    #: Personal data: seen by those who may see contacts, erased with the person.
    is_personal = fields.BooleanField(default=True)
    is_active = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "form_field"
        unique_together = (("event", "code"),)


class FormFieldTicketType(Model):
    """A ticket type that is asked a question; a question without any is asked of all."""

    id = fields.BigIntField(primary_key=True)
    form_field: fields.ForeignKeyRelation[FormField] = fields.ForeignKeyField(
        "huiwu.FormField", related_name=False, on_delete=fields.CASCADE
    )
    form_field_id: int
    ticket_type: fields.ForeignKeyRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, on_delete=fields.RESTRICT
    )
    ticket_type_id: int

    class Meta:
        table = "form_field_ticket_type"
        unique_together = (("form_field", "ticket_type"),)


class FormAnswer(Model):
    """What one registration answered to one question."""

    id = fields.BigIntField(primary_key=True)
    registration: fields.ForeignKeyRelation[Registration] = fields.ForeignKeyField(
        "huiwu.Registration", related_name=False, on_delete=fields.CASCADE
    )
    registration_id: int
    form_field: fields.ForeignKeyRelation[FormField] = fields.ForeignKeyField(
        "huiwu.FormField", related_name=False, on_delete=fields.RESTRICT
    )
    form_field_id: int
    #: JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file
    value: fields.JSONField[Any] = fields.JSONField(null=True)
    upload_id = fields.BigIntField(null=True)

    class Meta:
        table = "form_answer"
        unique_together = (("registration", "form_field"),)
        indexes = (Index(fields=("form_field_id",), name="idx_form_answer_field"),)


class ConsentText(Model):
    """One version of something that people agree to. A text is never changed: a new version takes its place."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    version = fields.IntField(default=1)
    title = LocalizedTextField()
    #: Markdown
    text = LocalizedTextField(default=dict)
    is_required = fields.BooleanField(default=False)
    is_current = fields.BooleanField(default=True)
    position = fields.IntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "consent_text"
        unique_together = (("event", "code", "version"),)


class Consent(Model):
    """What somebody answered to one version of a consent, and when."""

    id = fields.BigIntField(primary_key=True)
    registration: fields.ForeignKeyRelation[Registration] = fields.ForeignKeyField(
        "huiwu.Registration", related_name=False, on_delete=fields.CASCADE
    )
    registration_id: int
    consent_text: fields.ForeignKeyRelation[ConsentText] = fields.ForeignKeyField(
        "huiwu.ConsentText", related_name=False, on_delete=fields.RESTRICT
    )
    consent_text_id: int
    is_given = fields.BooleanField()
    locale = fields.CharField(max_length=16)
    at = fields.DatetimeField()

    class Meta:
        table = "consent"
        unique_together = (("registration", "consent_text"),)


class IdDocument(Model):
    """An identity document, encrypted under the installation's key; deleted some days after the event."""

    id = fields.BigIntField(primary_key=True)
    registration: fields.OneToOneRelation[Registration] = fields.OneToOneField(
        "huiwu.Registration", related_name=False, on_delete=fields.CASCADE
    )
    registration_id: int
    #: rules.IdDocumentKind
    kind = CodeField()
    ciphertext = fields.TextField()
    consented_at = fields.DatetimeField()

    class Meta:
        table = "id_document"


class Transfer(Model):
    """A registration on its way from one person to another: done when both have said yes."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField()
    registration: fields.ForeignKeyRelation[Registration] = fields.ForeignKeyField(
        "huiwu.Registration", related_name=False, on_delete=fields.CASCADE
    )
    registration_id: int
    #: rules.TransferState: open, done, withdrawn, refused, expired; at most one open per registration
    state = CodeField(default="open")
    to_name = fields.CharField(max_length=120)
    to_email = fields.CharField(max_length=254)
    locale = fields.CharField(max_length=16, default="zh-Hans")
    #: Digests of the secrets in the two letters.
    giver_digest = fields.CharField(max_length=64, unique=True)
    taker_digest = fields.CharField(max_length=64, unique=True)
    giver_confirmed_at = fields.DatetimeField(null=True)
    taker_confirmed_at = fields.DatetimeField(null=True)
    #: The registration's id while open, NULL afterwards: unique, so that no second one is opened beside it.
    open_for = fields.BigIntField(null=True, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "transfer"
        indexes = (Index(fields=("registration_id",), name="idx_transfer_registration"),)


class EventPage(Model):
    """A page of the organisers' own in Markdown: travel, code of conduct, questions."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    slug = fields.CharField(max_length=48)
    title = LocalizedTextField()
    text = LocalizedTextField(default=dict)
    is_published = fields.BooleanField(default=False)
    position = fields.IntField(default=0)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "event_page"
        unique_together = (("event", "slug"),)


class Reminder(Model):
    """A letter to everybody who comes, some days before; its words stand in the outbox until it is sent."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    days_before = fields.IntField()
    subject = LocalizedTextField()
    text = LocalizedTextField()
    is_on = fields.BooleanField(default=True)
    queued_at = fields.DatetimeField(null=True)
    queued_count = fields.IntField(default=0)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "reminder"
        unique_together = (("event", "days_before"),)
