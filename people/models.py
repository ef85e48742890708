"""Tables of ``people``. Event ids are bare numbers here: this floor does not know what an event is."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from kernel.fields import CodeField


class Account(Model):
    """A login. ``email`` is the folded comparison key; contact data given for an event belongs to registrations."""

    id = fields.BigIntField(primary_key=True)
    email = fields.CharField(max_length=254, unique=True)
    name = fields.CharField(max_length=120, default="")
    locale = fields.CharField(max_length=16, default="zh-Hans")
    #: May create events and see the outbox of the whole installation; given on the command line only.
    is_admin = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "account"


class SignIn(Model):
    """A browser's server-side login; the cookie holds the token, the table only its digest."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.CASCADE
    )
    account_id: int
    token_digest = fields.CharField(max_length=64, unique=True)
    user_agent = fields.CharField(max_length=200, default="")
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "sign_in"
        indexes = (Index(fields=("expires_at",), name="idx_sign_in_expires"),)


class SignInCode(Model):
    """A six-digit code sent to an address; ``tries`` counts wrong guesses, the database refuses the sixth."""

    id = fields.BigIntField(primary_key=True)
    email = fields.CharField(max_length=254)
    #: Ties the code to the browser that asked for it (digest of a cookie), so that a code read aloud opens nothing.
    browser_digest = fields.CharField(max_length=64)
    code_digest = fields.CharField(max_length=64)
    #: Digest of the link's own secret in the same letter; unlike the code it opens in any browser, by a button.
    link_digest = fields.CharField(max_length=64, null=True, unique=True)
    #: Where the link leads afterwards; a path of this site.
    next_path = fields.CharField(max_length=300, default="")
    #: The visit to a provider whose bringer proves an address with this code; joined in the same browser only.
    visit_id = fields.BigIntField(null=True)
    tries = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sign_in_code"
        indexes = (Index(fields=("email", "created_at"), name="idx_sign_in_code_email"),)
        constraints = (CheckConstraint(check="tries >= 0 AND tries <= 5", name="ck_sign_in_code_tries"),)


class Identity(Model):
    """A provider's name for somebody; it opens the account that it is joined to, until its owner parts them."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.CASCADE
    )
    account_id: int
    #: The provider's key in the settings: authing, github, gitee, ...
    provider = CodeField()
    subject = fields.CharField(max_length=255)
    #: What the provider calls them: a name to show in the list of one's own sign-ins, never contact data.
    display = fields.CharField(max_length=254, default="")
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField()

    class Meta:
        table = "identity"
        unique_together = (("provider", "subject"),)
        indexes = (Index(fields=("account_id",), name="idx_identity_account"),)


class ProviderVisit(Model):
    """One trip to a provider and back: made before the browser leaves, used up once when it returns.

    After a return that may not open an account by itself (no address, or one that nobody vouches for) it keeps who
    came, until the browser's owner has proved an address by a code.
    """

    id = fields.BigIntField(primary_key=True)
    provider = CodeField()
    state_digest = fields.CharField(max_length=64, unique=True)
    browser_digest = fields.CharField(max_length=64)
    nonce = fields.CharField(max_length=64)
    verifier = fields.CharField(max_length=128)
    next_path = fields.CharField(max_length=300, default="")
    #: Set when somebody who is signed in adds a provider to their account.
    account_id = fields.BigIntField(null=True)
    subject = fields.CharField(max_length=255, default="")
    display = fields.CharField(max_length=254, default="")
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    returned_at = fields.DatetimeField(null=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "provider_visit"
        indexes = (Index(fields=("expires_at",), name="idx_provider_visit_expires"),)


class ApiToken(Model):
    """A token for programs: an account's rights, cut down to some permissions and perhaps one event; shown once."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "huiwu.Account", related_name=False, on_delete=fields.CASCADE
    )
    account_id: int
    name = fields.CharField(max_length=80)
    token_digest = fields.CharField(max_length=64, unique=True)
    #: NULL: every event of the account.
    event_id = fields.BigIntField(null=True)
    #: Names of events.rules.Permission.
    scopes: fields.JSONField[list[str]] = fields.JSONField(default=list)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_token"
        indexes = (Index(fields=("account_id",), name="idx_api_token_account"),)


class Unsubscription(Model):
    """An address that wants no letters but those it needs; kept as a keyed hash, so that it outlives an erasure."""

    id = fields.BigIntField(primary_key=True)
    address_hash = fields.CharField(max_length=64)
    #: 0: every event of the installation.
    event_id = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "unsubscription"
        unique_together = (("address_hash", "event_id"),)


class Letter(Model):
    """A mail in the outbox; ``key`` is unique per occasion, so that the same letter is never queued twice."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField(null=True)
    key = fields.CharField(max_length=120, unique=True)
    to_email = fields.CharField(max_length=254)
    domain = fields.CharField(max_length=254)
    locale = fields.CharField(max_length=16)
    subject = fields.CharField(max_length=300)
    text = fields.TextField()
    #: [{"filename", "content_type", "base64", "inline_id"?}]
    attachments: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)
    #: Names what a composer adds at sending time (a QR picture) without keeping secrets in the row.
    composer = CodeField(default="")
    composer_id = fields.BigIntField(null=True)
    state = CodeField(default="waiting")
    urgent = fields.BooleanField(default=False)
    #: "" for what its reader needs (codes, confirmations); "reminder" and the like may be unsubscribed from.
    purpose = CodeField(default="")
    tries = fields.IntField(default=0)
    next_try_at = fields.DatetimeField()
    leased_until = fields.DatetimeField(null=True)
    last_problem = fields.CharField(max_length=300, default="")
    created_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "letter"
        indexes = (
            Index(fields=("state", "next_try_at"), name="idx_letter_due"),
            Index(fields=("event_id", "created_at"), name="idx_letter_event"),
            Index(fields=("sent_at",), name="idx_letter_sent"),
            Index(fields=("to_email",), name="idx_letter_to"),
        )


class Job(Model):
    """Work for later or for long, taken by lease; one unique ``key`` per occurrence."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField(null=True)
    kind = CodeField()
    key = fields.CharField(max_length=120, unique=True)
    payload: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    state = CodeField(default="waiting")
    done = fields.IntField(default=0)
    total = fields.IntField(default=0)
    result: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    tries = fields.IntField(default=0)
    actor_key = fields.CharField(max_length=40, default="")
    cancel_wanted = fields.BooleanField(default=False)
    run_at = fields.DatetimeField()
    leased_until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "job"
        indexes = (Index(fields=("state", "run_at"), name="idx_job_due"),)


class Replay(Model):
    """The remembered outcome of an idempotent write: same id, actor and body give the same answer again."""

    id = fields.UUIDField(primary_key=True)
    actor_key = fields.CharField(max_length=120)
    body_digest = fields.CharField(max_length=64)
    outcome: fields.JSONField[dict[str, Any]] = fields.JSONField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "replay"
        indexes = (Index(fields=("created_at",), name="idx_replay_created"),)


class Upload(Model):
    """A file in MEDIA_DIR under a random name; served only behind an access check and as an attachment."""

    id = fields.BigIntField(primary_key=True)
    event_id = fields.BigIntField(null=True)
    stored_name = fields.CharField(max_length=64, unique=True)
    filename = fields.CharField(max_length=200)
    size = fields.BigIntField()
    actor_key = fields.CharField(max_length=40)
    created_at = fields.DatetimeField()
    keep_until = fields.DatetimeField(null=True)

    class Meta:
        table = "upload"


class JournalEntry(Model):
    """Who did what, when, to what: ids and codes only, append-only."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    event_id = fields.BigIntField(null=True)
    actor_key = fields.CharField(max_length=40)
    verb = CodeField(max_length=48)
    object_kind = CodeField()
    object_id = fields.BigIntField(default=0)
    old: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    new: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "journal_entry"
        indexes = (
            Index(fields=("event_id", "id"), name="idx_journal_event"),
            Index(fields=("object_kind", "object_id", "id"), name="idx_journal_object"),
            Index(fields=("actor_key", "id"), name="idx_journal_actor"),
        )


class TopicVersion(Model):
    """The version of a live state topic, bumped in the transaction that changed its document."""

    topic = fields.CharField(max_length=80, primary_key=True)
    version = fields.BigIntField(default=0)

    class Meta:
        table = "topic_version"
