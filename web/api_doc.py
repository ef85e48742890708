"""What a JSON route says about itself; ``web.openapi`` makes the document of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDoc:
    """One JSON route: what it takes and gives. Its address, method and permission stand in its ``Entry``."""

    #: The group that it stands in, and one line about it.
    tag: str
    summary: str
    #: The answer's shape; with ``is_list`` a list of them. None: no content.
    answer: type[BaseModel] | None
    is_list: bool = False
    status: int = 200
    #: The body's shape; None where none is read.
    body: type[BaseModel] | None = None
    #: Each field is a parameter in the address.
    query: type[BaseModel] | None = None
    #: JSON Schema of what stands in the path, where it is not a row's number.
    path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Whether the same request may be sent again under one id (``Idempotency-Key``).
    is_once: bool = False
    #: Whether an ETag is given and asked for again.
    is_conditional: bool = False
    #: By status, the codes of refusals that belong to this route alone.
    refusals: Mapping[int, Sequence[str]] = field(default_factory=dict)
