"""Tables of ``agenda``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField, LocalizedTextField

if TYPE_CHECKING:
    from events.models import Event, Place, Registration, TicketType
    from people.models import Account


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


# --- the call for proposals --------------------------------------------------------------------------------------


class Call(Model):
    """An event's call for proposals: one an event; its dates, its words, and how its reviews are counted."""

    id = fields.BigIntField(primary_key=True)
    event: fields.OneToOneRelation[Event] = fields.OneToOneField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Without it nobody outside sees that there will be a call.
    is_published = fields.BooleanField(default=False)
    #: Markdown
    intro = LocalizedTextField(default=dict)
    opens_at = fields.DatetimeField(null=True)
    closes_at = fields.DatetimeField(null=True)
    review_by = fields.DatetimeField(null=True)
    notify_by = fields.DatetimeField(null=True)
    #: Until when somebody who was accepted confirms.
    confirm_by = fields.DatetimeField(null=True)
    slides_due_at = fields.DatetimeField(null=True)
    #: BCP 47 tags that talks may be given in.
    languages: fields.JSONField[list[str]] = fields.JSONField(default=list)
    speakers_at_most = fields.IntField(default=5)
    #: What one account may hand in.
    proposals_at_most = fields.IntField(default=10)
    asks_travel = fields.BooleanField(default=True)
    asks_availability = fields.BooleanField(default=True)
    #: Reviews that every proposal gets at least.
    reviews_needed = fields.IntField(default=3)
    #: review_rules.Total: mean, median
    total_by = CodeField(default="mean")
    #: When somebody last chose the active phase of the review by hand.
    phase_set_at = fields.DatetimeField(null=True)
    #: Days until an invited speaker who has not answered is asked again.
    follow_up_days = fields.IntField(default=3)
    #: What a confirmed speaker is registered as; NULL: the first ticket type for speakers.
    speaker_ticket_type: fields.ForeignKeyNullableRelation[TicketType] = fields.ForeignKeyField(
        "huiwu.TicketType", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    speaker_ticket_type_id: int | None
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "call_for_proposals"
        constraints = (
            CheckConstraint(
                check="opens_at IS NULL OR closes_at IS NULL OR closes_at > opens_at", name="ck_call_window"
            ),
        )


class SessionType(Model):
    """What a proposal may become: keynote, talk, panel, workshop, with its usual length and perhaps its own closing."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    description = LocalizedTextField(default=dict)
    #: rules.SessionKind of the session that it becomes
    kind = CodeField(default="talk")
    minutes = fields.IntField()
    #: In place of the call's, earlier or later.
    closes_at = fields.DatetimeField(null=True)
    needs_code = fields.BooleanField(default=False)
    #: Offered on the form; others are for invited talks.
    is_active = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "session_type"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(check="minutes > 0 AND minutes <= 1440", name="ck_session_type_minutes"),
        )


class Forum(Model):
    """分论坛: a themed block with producers and producing communities; a producer's role is narrowed to its id."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    description = LocalizedTextField(default=dict)
    colour = fields.CharField(max_length=7, default="")
    needs_code = fields.BooleanField(default=False)
    #: Offered on the form; others have invited talks only.
    is_active = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "forum"
        unique_together = (("event", "code"),)


class Producer(Model):
    """出品人: a person who answers for forums, as the programme names them; may do so with a role or without an account."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = LocalizedTextField()
    organisation = LocalizedTextField(default=dict)
    title = LocalizedTextField(default=dict)
    #: Folded; for organisers alone.
    email = fields.CharField(max_length=254, default="")
    picture_upload_id = fields.BigIntField(null=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "producer"
        indexes = (Index(fields=("event_id",), name="idx_producer_event"),)


class Community(Model):
    """出品方: a community that brings a forum out."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = LocalizedTextField()
    url = fields.CharField(max_length=500, default="")
    logo_upload_id = fields.BigIntField(null=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "community"
        indexes = (Index(fields=("event_id",), name="idx_community_event"),)


class ForumProducer(Model):
    """A producer of a forum; a forum has several, and a producer may have several forums."""

    id = fields.BigIntField(primary_key=True)
    forum: fields.ForeignKeyRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, on_delete=fields.CASCADE
    )
    forum_id: int
    producer: fields.ForeignKeyRelation[Producer] = fields.ForeignKeyField(
        "huiwu.Producer", related_name=False, on_delete=fields.CASCADE
    )
    producer_id: int
    position = fields.IntField(default=0)

    class Meta:
        table = "forum_producer"
        unique_together = (("forum", "producer"),)


class ForumCommunity(Model):
    """A producing community of a forum."""

    id = fields.BigIntField(primary_key=True)
    forum: fields.ForeignKeyRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, on_delete=fields.CASCADE
    )
    forum_id: int
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "huiwu.Community", related_name=False, on_delete=fields.CASCADE
    )
    community_id: int
    position = fields.IntField(default=0)

    class Meta:
        table = "forum_community"
        unique_together = (("forum", "community"),)


class ForumHelper(Model):
    """Somebody whom a producer lets enter and edit talks of a forum: whoever signs in with this address."""

    id = fields.BigIntField(primary_key=True)
    forum: fields.ForeignKeyRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, on_delete=fields.CASCADE
    )
    forum_id: int
    #: Folded.
    email = fields.CharField(max_length=254)
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()

    class Meta:
        table = "forum_helper"
        unique_together = (("forum", "email"),)
        indexes = (Index(fields=("email",), name="idx_forum_helper_email"),)


class CallCode(Model):
    """A word that opens the call after its closing, or types and forums that need one; ``used`` is guarded by the database."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Folded: upper case, no spaces.
    code = fields.CharField(max_length=40)
    note = fields.CharField(max_length=200, default="")
    max_uses = fields.IntField(null=True)
    used = fields.IntField(default=0)
    valid_until = fields.DatetimeField(null=True)
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "call_code"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(
                check="used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="ck_call_code_used"
            ),
        )


class CallCodeOpens(Model):
    """A session type or a forum that a code opens; a code without any opens the call as it stands, nothing restricted."""

    id = fields.BigIntField(primary_key=True)
    call_code: fields.ForeignKeyRelation[CallCode] = fields.ForeignKeyField(
        "huiwu.CallCode", related_name=False, on_delete=fields.CASCADE
    )
    call_code_id: int
    session_type: fields.ForeignKeyNullableRelation[SessionType] = fields.ForeignKeyField(
        "huiwu.SessionType", related_name=False, null=True, on_delete=fields.CASCADE
    )
    session_type_id: int | None
    forum: fields.ForeignKeyNullableRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, null=True, on_delete=fields.CASCADE
    )
    forum_id: int | None

    class Meta:
        table = "call_code_opens"
        unique_together = (("call_code", "session_type"), ("call_code", "forum"))
        constraints = (
            CheckConstraint(
                check="(session_type_id IS NULL) <> (forum_id IS NULL)", name="ck_call_code_opens_one"
            ),
        )


class CallField(Model):
    """A question of the organisers' own about each proposal, each speaker or each review."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    #: proposal_rules.Subject: proposal, speaker, review; never changed
    subject = CodeField(default="proposal")
    #: events.rules.FieldKind
    kind = CodeField()
    label = LocalizedTextField()
    help = LocalizedTextField(default=dict)
    #: [{"code", "label": {locale: text}}] for the two kinds that choose
    options: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)
    #: proposal_rules.Need: optional, required, required_after
    need = CodeField(default="optional")
    required_after = fields.DatetimeField(null=True)
    is_public = fields.BooleanField(default=False)
    is_personal = fields.BooleanField(default=False)
    for_reviewers = fields.BooleanField(default=True)
    is_active = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "call_field"
        unique_together = (("event", "code"),)


class CallFieldScope(Model):
    """A session type or a forum whose proposals are asked a question; a question without any is asked of all."""

    id = fields.BigIntField(primary_key=True)
    call_field: fields.ForeignKeyRelation[CallField] = fields.ForeignKeyField(
        "huiwu.CallField", related_name=False, on_delete=fields.CASCADE
    )
    call_field_id: int
    session_type: fields.ForeignKeyNullableRelation[SessionType] = fields.ForeignKeyField(
        "huiwu.SessionType", related_name=False, null=True, on_delete=fields.CASCADE
    )
    session_type_id: int | None
    forum: fields.ForeignKeyNullableRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, null=True, on_delete=fields.CASCADE
    )
    forum_id: int | None

    class Meta:
        table = "call_field_scope"
        unique_together = (("call_field", "session_type"), ("call_field", "forum"))
        constraints = (
            CheckConstraint(
                check="(session_type_id IS NULL) <> (forum_id IS NULL)", name="ck_call_field_scope_one"
            ),
        )


class Tag(Model):
    """A word that organisers put on proposals; a public one is shown in the programme."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    colour = fields.CharField(max_length=7, default="")
    is_public = fields.BooleanField(default=False)
    position = fields.IntField(default=0)

    class Meta:
        table = "tag"
        unique_together = (("event", "code"),)


# --- speakers ----------------------------------------------------------------------------------------------------


class SpeakerProfile(Model):
    """What an account says of itself as a speaker, kept from event to event; each event's speaker begins as a copy."""

    id = fields.BigIntField(primary_key=True)
    account: fields.OneToOneRelation[Account] = fields.OneToOneField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    name = LocalizedTextField(default=dict)
    organisation = LocalizedTextField(default=dict)
    title = LocalizedTextField(default=dict)
    #: Markdown
    bio = LocalizedTextField(default=dict)
    picture_upload_id = fields.BigIntField(null=True)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "speaker_profile"


class Speaker(Model):
    """Somebody who speaks at an event, or would: what the programme says of them and what their visit needs.

    May have no account: an invited speaker uses a secret link, derived from the installation's key, the id and
    ``secret_round``.
    """

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Six of 0-9A-Z, for addresses and exports.
    code = fields.CharField(max_length=6)
    account: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    account_id: int | None
    #: Folded; NULL while nobody knows it.
    email = fields.CharField(max_length=254, null=True)
    phone = fields.CharField(max_length=20, default="")
    locale = fields.CharField(max_length=16, default="zh-Hans")
    name = LocalizedTextField(default=dict)
    organisation = LocalizedTextField(default=dict)
    title = LocalizedTextField(default=dict)
    #: Markdown
    bio = LocalizedTextField(default=dict)
    picture_upload_id = fields.BigIntField(null=True)
    #: [[begin, end], ...] as ISO instants in UTC; NULL: not said, any time
    availability: fields.JSONField[list[list[str]] | None] = fields.JSONField(null=True)
    wants_travel_support = fields.BooleanField(null=True)
    travel_note = fields.TextField(default="")
    arrives_at = fields.DatetimeField(null=True)
    leaves_at = fields.DatetimeField(null=True)
    #: Flight or train, and whatever the driver needs to know.
    arrival_note = fields.CharField(max_length=500, default="")
    wants_hotel = fields.BooleanField(null=True)
    hotel_note = fields.CharField(max_length=500, default="")
    wants_pick_up = fields.BooleanField(null=True)
    pick_up_note = fields.CharField(max_length=500, default="")
    #: Who looks after this speaker on site.
    host_name = fields.CharField(max_length=120, default="")
    host_contact = fields.CharField(max_length=200, default="")
    #: For organisers alone.
    note = fields.TextField(default="")
    registration: fields.ForeignKeyNullableRelation[Registration] = fields.ForeignKeyField(
        "huiwu.Registration", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    registration_id: int | None
    #: The row's name in another system: an import with it updates this speaker.
    external_id = fields.CharField(max_length=100, null=True)
    secret_round = fields.IntField(default=0)
    #: Folded names and organisations.
    search = fields.CharField(max_length=600, default="")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    erased_at = fields.DatetimeField(null=True)

    class Meta:
        table = "speaker"
        unique_together = (
            ("event", "code"),
            ("event", "account"),
            ("event", "email"),
            ("event", "external_id"),
        )
        indexes = (
            Index(fields=("account_id",), name="idx_speaker_account"),
            Index(fields=("email",), name="idx_speaker_email"),
        )


# --- proposals ---------------------------------------------------------------------------------------------------


class DecisionRelease(Model):
    """One press on "tell everybody": all pending decisions that it made true."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    actor_key = fields.CharField(max_length=40)
    released_at = fields.DatetimeField()
    count = fields.IntField(default=0)

    class Meta:
        table = "decision_release"
        indexes = (Index(fields=("event_id",), name="idx_decision_release_event"),)


class Proposal(Model):
    """议题投稿: what somebody wants to say at an event. Its guid is the session's that it becomes."""

    id = fields.BigIntField(primary_key=True)
    guid = fields.UUIDField(unique=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Six of 0-9A-Z, as the schedule formats want it.
    code = fields.CharField(max_length=6)
    #: proposal_rules.ProposalState; changed by ``agenda.proposals`` alone
    state = CodeField(default="draft")
    #: A decision that nobody has been told yet: "", accepted, waitlisted, rejected
    pending_state = CodeField(default="")
    pending_at = fields.DatetimeField(null=True)
    pending_by = fields.CharField(max_length=40, default="")
    release: fields.ForeignKeyNullableRelation[DecisionRelease] = fields.ForeignKeyField(
        "huiwu.DecisionRelease", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    release_id: int | None
    #: proposal_rules.Origin: call, invited, import, organiser
    origin = CodeField(default="call")
    #: Who hands it in; NULL for what was entered on somebody's behalf.
    account: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    account_id: int | None
    session_type: fields.ForeignKeyNullableRelation[SessionType] = fields.ForeignKeyField(
        "huiwu.SessionType", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    session_type_id: int | None
    forum: fields.ForeignKeyNullableRelation[Forum] = fields.ForeignKeyField(
        "huiwu.Forum", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    forum_id: int | None
    minutes = fields.IntField(null=True)
    #: What it is spoken in, BCP 47.
    language = fields.CharField(max_length=16, default="")
    level = CodeField(default="")
    title = LocalizedTextField(default=dict)
    abstract = LocalizedTextField(default=dict)
    #: Markdown
    description = LocalizedTextField(default=dict)
    audience = fields.TextField(default="")
    takeaways = fields.TextField(default="")
    previous_talks = fields.TextField(default="")
    equipment = fields.TextField(default="")
    #: For organisers alone.
    notes = fields.TextField(default="")
    call_code: fields.ForeignKeyNullableRelation[CallCode] = fields.ForeignKeyField(
        "huiwu.CallCode", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    call_code_id: int | None
    #: The form's UUID: pressed twice it is one proposal.
    form_id = fields.UUIDField(null=True, unique=True)
    #: Counted up by every change of its texts: a second window that saves an older one is told so.
    version = fields.IntField(default=1)
    #: Invited talks: when to ask again.
    follow_up_at = fields.DatetimeField(null=True)
    external_id = fields.CharField(max_length=100, null=True)
    #: Folded titles and abstracts, for finding and for near-duplicates.
    search = fields.TextField(default="")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    submitted_at = fields.DatetimeField(null=True)
    decided_at = fields.DatetimeField(null=True)
    confirmed_at = fields.DatetimeField(null=True)
    #: The programme item, once it has a time.
    session: fields.ForeignKeyNullableRelation[Session] = fields.ForeignKeyField(
        "huiwu.Session", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    session_id: int | None

    class Meta:
        table = "proposal"
        unique_together = (("event", "code"), ("event", "external_id"))
        indexes = (
            Index(fields=("event_id", "state"), name="idx_proposal_event_state"),
            Index(fields=("account_id",), name="idx_proposal_account"),
            Index(fields=("follow_up_at",), name="idx_proposal_follow_up"),
        )


class ProposalSpeaker(Model):
    """A speaker of a proposal, and what they allow to be published of it: three answers, each of them own words."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    speaker: fields.ForeignKeyRelation[Speaker] = fields.ForeignKeyField(
        "huiwu.Speaker", related_name=False, on_delete=fields.RESTRICT
    )
    speaker_id: int
    #: proposal_rules.SpeakerRole: speaker, moderator, guest
    role = CodeField(default="speaker")
    position = fields.IntField(default=0)
    #: NULL: not asked yet
    allows_slides = fields.BooleanField(null=True)
    allows_photo = fields.BooleanField(null=True)
    allows_video = fields.BooleanField(null=True)
    allowed_at = fields.DatetimeField(null=True)
    joined_at = fields.DatetimeField()

    class Meta:
        table = "proposal_speaker"
        unique_together = (("proposal", "speaker"),)
        indexes = (Index(fields=("speaker_id",), name="idx_proposal_speaker_speaker"),)


class SpeakerInvitation(Model):
    """An address that is asked to speak along; the key in its link is derived from id and ``round`` and stands nowhere."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    #: Folded; the account that joins must have this address, so that a forwarded link opens nothing.
    email = fields.CharField(max_length=254)
    locale = fields.CharField(max_length=16, default="zh-Hans")
    #: proposal_rules.JoinState: parked (until the proposal is handed in), open, joined, declined, retracted
    state = CodeField(default="parked")
    #: Counted up when somebody is asked again: the older link is dead.
    round = fields.IntField(default=0)
    letters = fields.IntField(default=0)
    actor_key = fields.CharField(max_length=40)
    speaker: fields.ForeignKeyNullableRelation[Speaker] = fields.ForeignKeyField(
        "huiwu.Speaker", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    speaker_id: int | None
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "speaker_invitation"
        unique_together = (("proposal", "email"),)
        indexes = (Index(fields=("email",), name="idx_speaker_invitation_email"),)


class ProposalResource(Model):
    """A file or a link that belongs to a proposal: something to read, its slides, their backup."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    #: proposal_rules.Purpose: resource, slides, slides_backup
    purpose = CodeField(default="resource")
    title = fields.CharField(max_length=200)
    #: Either an address or a file.
    url = fields.CharField(max_length=1000, default="")
    upload_id = fields.BigIntField(null=True, unique=True)
    is_public = fields.BooleanField(default=False)
    position = fields.IntField(default=0)
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()

    class Meta:
        table = "proposal_resource"
        indexes = (Index(fields=("proposal_id",), name="idx_proposal_resource_proposal"),)
        constraints = (
            CheckConstraint(check="(url = '') <> (upload_id IS NULL)", name="ck_proposal_resource_one"),
        )


class ProposalTag(Model):
    """A tag on a proposal."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    tag: fields.ForeignKeyRelation[Tag] = fields.ForeignKeyField(
        "huiwu.Tag", related_name=False, on_delete=fields.CASCADE
    )
    tag_id: int

    class Meta:
        table = "proposal_tag"
        unique_together = (("proposal", "tag"),)


class ProposalChange(Model):
    """One line of a proposal's history: who changed what when, from what to what. Never edited, but erased with people."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    at = fields.DatetimeField()
    actor_key = fields.CharField(max_length=40)
    #: proposal_rules.Verb, or "edit", "pend", "speakers", "resource", "tag", "answer"
    verb = CodeField()
    field = fields.CharField(max_length=60, default="")
    old: fields.JSONField[Any] = fields.JSONField(null=True)
    new: fields.JSONField[Any] = fields.JSONField(null=True)
    reason = fields.TextField(default="")

    class Meta:
        table = "proposal_change"
        indexes = (Index(fields=("proposal_id", "id"), name="idx_proposal_change_proposal"),)


class ProposalRedaction(Model):
    """A copy of a proposal's words without names, which reviewers read while names are hidden."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.OneToOneRelation[Proposal] = fields.OneToOneField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    title = LocalizedTextField(default=dict)
    abstract = LocalizedTextField(default=dict)
    description = LocalizedTextField(default=dict)
    #: The proposal's version that was redacted: a later one wants another look.
    version = fields.IntField()
    actor_key = fields.CharField(max_length=40)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "proposal_redaction"


class ProposalTwin(Model):
    """Two proposals whose title and abstract are much alike; found anew when either changes. The smaller id first."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    other: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    other_id: int
    #: Hundredths.
    likeness = fields.IntField()
    #: An organiser looked and said they are two.
    is_dismissed = fields.BooleanField(default=False)

    class Meta:
        table = "proposal_twin"
        unique_together = (("proposal", "other"),)
        indexes = (Index(fields=("other_id",), name="idx_proposal_twin_other"),)


class ProposalComment(Model):
    """A word among organisers and reviewers; never seen by the proposal's own speakers."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    text = fields.TextField()
    at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "proposal_comment"
        indexes = (
            Index(fields=("proposal_id", "id"), name="idx_proposal_comment_proposal"),
            Index(fields=("account_id",), name="idx_proposal_comment_account"),
        )


class KeptForm(Model):
    """What somebody typed without being signed in: waits some hours for them to come back from the sign-in."""

    id = fields.UUIDField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: Digest of a cookie of the browser that typed it.
    browser_digest = fields.CharField(max_length=64)
    #: Field names to the texts that were typed.
    typed: fields.JSONField[dict[str, list[str]]] = fields.JSONField()
    created_at = fields.DatetimeField()
    keep_until = fields.DatetimeField()

    class Meta:
        table = "kept_form"
        indexes = (Index(fields=("keep_until",), name="idx_kept_form_until"),)


# --- reviews -----------------------------------------------------------------------------------------------------


class ReviewPhase(Model):
    """A stage of the review with its own rules; of an event at most one is active, kept so by ``active_for``."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    name = LocalizedTextField()
    position = fields.IntField(default=0)
    starts_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    #: The event's id while active, NULL otherwise.
    active_for = fields.BigIntField(null=True, unique=True)
    may_review = fields.BooleanField(default=True)
    #: review_rules.Reach: assigned, all
    reach = CodeField(default="assigned")
    names_shown = fields.BooleanField(default=False)
    reviewers_shown = fields.BooleanField(default=True)
    #: review_rules.Others: never, after_own, always
    others = CodeField(default="after_own")
    may_decide = fields.BooleanField(default=False)
    may_tag = fields.BooleanField(default=False)
    speakers_may_edit = fields.BooleanField(default=False)

    class Meta:
        table = "review_phase"
        constraints = (
            CheckConstraint(
                check="starts_at IS NULL OR ends_at IS NULL OR ends_at > starts_at",
                name="ck_review_phase_window",
            ),
            CheckConstraint(
                check="active_for IS NULL OR active_for = event_id", name="ck_review_phase_active"
            ),
        )


class ReviewCriterion(Model):
    """What reviewers give points for; a weight of 0 is shown and not counted."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    code = fields.CharField(max_length=40)
    name = LocalizedTextField()
    help = LocalizedTextField(default=dict)
    weight = fields.IntField(default=1)
    low = fields.IntField(default=1)
    high = fields.IntField(default=5)
    #: {"1": {locale: text}, ...}: words for some of the values
    labels: fields.JSONField[dict[str, dict[str, str]]] = fields.JSONField(default=dict)
    is_required = fields.BooleanField(default=True)
    is_active = fields.BooleanField(default=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "review_criterion"
        unique_together = (("event", "code"),)
        constraints = (
            CheckConstraint(check="weight >= 0 AND weight <= 100", name="ck_review_criterion_weight"),
            CheckConstraint(check="high > low", name="ck_review_criterion_range"),
        )


class Reviewer(Model):
    """What is known of a reviewer or producer beside the role: where they work, and how much they take on."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    organisation = fields.CharField(max_length=200, default="")
    takes_at_most = fields.IntField(null=True)
    #: Names stay hidden from this one whatever the phase says.
    never_sees_names = fields.BooleanField(default=False)
    #: Left out by the automatic assignment.
    is_resting = fields.BooleanField(default=False)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "reviewer"
        unique_together = (("event", "account"),)
        indexes = (Index(fields=("account_id",), name="idx_reviewer_account"),)


class Review(Model):
    """What one reviewer says of one proposal."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    phase: fields.ForeignKeyNullableRelation[ReviewPhase] = fields.ForeignKeyField(
        "huiwu.ReviewPhase", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    phase_id: int | None
    abstains = fields.BooleanField(default=False)
    reason = fields.TextField(default="")
    #: Ten-thousandths of what can be reached, by review_rules.total; NULL when nothing counts. Derived from the scores.
    total = fields.IntField(null=True)
    #: What a producer or reviewer would decide: "", accepted, waitlisted, rejected
    recommends = CodeField(default="")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "review"
        unique_together = (("proposal", "account"),)
        indexes = (Index(fields=("account_id",), name="idx_review_account"),)
        constraints = (
            CheckConstraint(check="total IS NULL OR (total >= 0 AND total <= 10000)", name="ck_review_total"),
        )


class ReviewScore(Model):
    """The points of one review for one criterion."""

    id = fields.BigIntField(primary_key=True)
    review: fields.ForeignKeyRelation[Review] = fields.ForeignKeyField(
        "huiwu.Review", related_name=False, on_delete=fields.CASCADE
    )
    review_id: int
    criterion: fields.ForeignKeyRelation[ReviewCriterion] = fields.ForeignKeyField(
        "huiwu.ReviewCriterion", related_name=False, on_delete=fields.RESTRICT
    )
    criterion_id: int
    value = fields.IntField()

    class Meta:
        table = "review_score"
        unique_together = (("review", "criterion"),)


class ReviewAssignment(Model):
    """A proposal that somebody is asked to review."""

    id = fields.BigIntField(primary_key=True)
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, on_delete=fields.CASCADE
    )
    proposal_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    #: review_rules.AssignedBy: hand, machine, import
    origin = CodeField(default="hand")
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()

    class Meta:
        table = "review_assignment"
        unique_together = (("proposal", "account"),)
        indexes = (Index(fields=("account_id",), name="idx_review_assignment_account"),)


class ConflictOfInterest(Model):
    """What a reviewer declared, or an organiser for them: a proposal, a speaker or an organisation too near to judge."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.RESTRICT
    )
    account_id: int
    proposal: fields.ForeignKeyNullableRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, null=True, on_delete=fields.CASCADE
    )
    proposal_id: int | None
    speaker: fields.ForeignKeyNullableRelation[Speaker] = fields.ForeignKeyField(
        "huiwu.Speaker", related_name=False, null=True, on_delete=fields.CASCADE
    )
    speaker_id: int | None
    #: Folded; NULL where a proposal or a speaker is meant.
    organisation = fields.CharField(max_length=200, null=True)
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()

    class Meta:
        table = "conflict_of_interest"
        unique_together = (
            ("event", "account", "proposal"),
            ("event", "account", "speaker"),
            ("event", "account", "organisation"),
        )
        indexes = (
            Index(fields=("account_id",), name="idx_conflict_of_interest_account"),
            Index(fields=("proposal_id",), name="idx_conflict_of_interest_proposal"),
        )


class CallAnswer(Model):
    """What was answered to one question, for one proposal, one speaker or one review."""

    id = fields.BigIntField(primary_key=True)
    call_field: fields.ForeignKeyRelation[CallField] = fields.ForeignKeyField(
        "huiwu.CallField", related_name=False, on_delete=fields.RESTRICT
    )
    call_field_id: int
    proposal: fields.ForeignKeyNullableRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, null=True, on_delete=fields.CASCADE
    )
    proposal_id: int | None
    speaker: fields.ForeignKeyNullableRelation[Speaker] = fields.ForeignKeyField(
        "huiwu.Speaker", related_name=False, null=True, on_delete=fields.CASCADE
    )
    speaker_id: int | None
    review: fields.ForeignKeyNullableRelation[Review] = fields.ForeignKeyField(
        "huiwu.Review", related_name=False, null=True, on_delete=fields.CASCADE
    )
    review_id: int | None
    #: JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file
    value: fields.JSONField[Any] = fields.JSONField(null=True)
    upload_id = fields.BigIntField(null=True)

    class Meta:
        table = "call_answer"
        unique_together = (
            ("proposal", "call_field"),
            ("speaker", "call_field"),
            ("review", "call_field"),
        )
        indexes = (Index(fields=("call_field_id",), name="idx_call_answer_field"),)
        constraints = (
            CheckConstraint(
                check="(CASE WHEN proposal_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN speaker_id IS NULL THEN 0 ELSE 1 END) "
                "+ (CASE WHEN review_id IS NULL THEN 0 ELSE 1 END) = 1",
                name="ck_call_answer_one",
            ),
        )


# --- telling people ----------------------------------------------------------------------------------------------


class LetterTemplate(Model):
    """The event's own words for an occasion; without a row the house's words are used."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    #: accepted, rejected, waitlisted, invited, confirmed, received, join, nudge, draft_reminder
    code = CodeField()
    subject = LocalizedTextField()
    text = LocalizedTextField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "letter_template"
        unique_together = (("event", "code"),)


class SpeakerLetter(Model):
    """Whom a letter in the outbox concerns, by its id there; ``digest`` keeps the same words from going twice."""

    id = fields.BigIntField(primary_key=True)
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField(
        "huiwu.Event", related_name=False, on_delete=fields.RESTRICT
    )
    event_id: int
    letter_id = fields.BigIntField(unique=True)
    #: As in LetterTemplate, or "message" for one that was written by hand.
    code = CodeField()
    speaker: fields.ForeignKeyNullableRelation[Speaker] = fields.ForeignKeyField(
        "huiwu.Speaker", related_name=False, null=True, on_delete=fields.CASCADE
    )
    speaker_id: int | None
    proposal: fields.ForeignKeyNullableRelation[Proposal] = fields.ForeignKeyField(
        "huiwu.Proposal", related_name=False, null=True, on_delete=fields.CASCADE
    )
    proposal_id: int | None
    release: fields.ForeignKeyNullableRelation[DecisionRelease] = fields.ForeignKeyField(
        "huiwu.DecisionRelease", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    release_id: int | None
    #: Keyed hash of address, subject and text.
    digest = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()

    class Meta:
        table = "speaker_letter"
        unique_together = (("event", "digest"),)
        indexes = (
            Index(fields=("speaker_id",), name="idx_speaker_letter_speaker"),
            Index(fields=("proposal_id",), name="idx_speaker_letter_proposal"),
        )
