"""Who is asking, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ActorKind(StrEnum):
    ANONYMOUS = "anonymous"
    ACCOUNT = "account"
    DEVICE = "device"
    SYSTEM = "system"
    #: Whoever holds a registration's secret link; ``id`` is the registration's.
    HOLDER = "holder"
    #: Whoever holds a partner's or teacher's link; ``id`` is the link's.
    PARTNER = "partner"
    #: Whoever holds a speaker's secret link; ``id`` is the speaker's.
    SPEAKER = "speaker"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever sends a request: nobody in particular, an account, a device, a registration's holder, or the system itself.

    ``key`` names the actor in ledgers and replay records without saying anything personal.
    ``sign_in_id`` tells two browsers of one account apart.
    """

    kind: ActorKind = ActorKind.ANONYMOUS
    id: int = 0
    sign_in_id: int = 0
    email: str = ""
    name: str = ""
    is_admin: bool = False
    #: Set when a program acts with an API token: the account's rights, cut down to these permissions and this event.
    #: Of a paired device the permissions and the event are all that it has.
    token_id: int = 0
    token_scopes: frozenset[str] = frozenset()
    token_event_id: int | None = None
    #: Of a paired device: where it may scan, since and until when, whether it may hold the list of names, and the code
    #: of why it may do nothing any more (revoked, expired).
    checkpoints: frozenset[int] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    sees_names: bool = False
    over: str = ""

    @property
    def signed_in(self) -> bool:
        return self.kind in (ActorKind.ACCOUNT, ActorKind.DEVICE)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


ANONYMOUS = Actor()
SYSTEM = Actor(kind=ActorKind.SYSTEM)
