"""Who is asking, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    ANONYMOUS = "anonymous"
    ACCOUNT = "account"
    DEVICE = "device"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever sends a request: nobody in particular, an account, a paired device, or the system itself.

    ``key`` names the actor in ledgers and replay records without saying anything personal.
    ``sign_in_id`` tells two browsers of one account apart.
    """

    kind: ActorKind = ActorKind.ANONYMOUS
    id: int = 0
    sign_in_id: int = 0
    email: str = ""
    name: str = ""
    is_admin: bool = False

    @property
    def signed_in(self) -> bool:
        return self.kind in (ActorKind.ACCOUNT, ActorKind.DEVICE)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


ANONYMOUS = Actor()
SYSTEM = Actor(kind=ActorKind.SYSTEM)
