"""How the house says "no": a Refusal leaves no trace; a "no" that must be remembered is a value instead."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The refusals that any floor may use; packages add their own enums in ``rules.py``."""

    BAD_REQUEST = "bad_request"
    INVALID = "invalid"
    SIGN_IN_NEEDED = "sign_in_needed"
    FORBIDDEN = "forbidden"
    #: A program or a device asked for a page that is a person's.
    NOT_A_PERSON = "not_a_person"
    CROSS_SITE = "cross_site"
    NOT_FOUND = "not_found"
    METHOD = "method_not_allowed"
    CONFLICT = "conflict"
    REPLAY_MISMATCH = "replay_mismatch"
    GONE = "gone"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    BUSY = "busy"
    UNEXPECTED = "unexpected"
    # problems of one field
    REQUIRED = "required"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    NOT_A_CHOICE = "not_a_choice"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field: a code that a page turns into words, and the values those words need."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Refusal(Exception):
    """An expected "no": rolled back, told to the person, never logged as an error.

    ``code`` is stable and public; ``params`` fill the words for it and hold nothing personal.
    """

    status = 400
    default_code: str = Code.BAD_REQUEST

    def __init__(self, code: str | None = None, /, **params: Any) -> None:
        self.code: str = str(code or self.default_code)
        self.params = params
        super().__init__(self.code)


class Invalid(Refusal):
    """What was sent can't be taken; ``fields`` names each problem at the field it concerns."""

    status = 422
    default_code = Code.INVALID

    def __init__(
        self, fields: Mapping[str, Problem] | None = None, /, code: str | None = None, **params: Any
    ) -> None:
        super().__init__(code, **params)
        self.fields: dict[str, Problem] = dict(fields or {})


class SignInNeeded(Refusal):
    """Nobody is signed in; a page leads to the sign-in, an API answers 401."""

    status = 401
    default_code = Code.SIGN_IN_NEEDED


class Forbidden(Refusal):
    status = 403
    default_code = Code.FORBIDDEN


class NotFound(Refusal):
    status = 404
    default_code = Code.NOT_FOUND


class Conflict(Refusal):
    status = 409
    default_code = Code.CONFLICT


class Gone(Refusal):
    status = 410
    default_code = Code.GONE


class TooLarge(Refusal):
    status = 413
    default_code = Code.TOO_LARGE


class TooMany(Refusal):
    """Asked too often; ``retry_after_s`` in params says when to come back."""

    status = 429
    default_code = Code.TOO_MANY


class Busy(Refusal):
    """Full or unsure of the outcome: the same request may be sent again, nothing about it is remembered."""

    status = 503
    default_code = Code.BUSY


def where_it_failed(error: BaseException) -> str:
    """The traceback for a log without the error's own words, which may quote a row or an address."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{frames}"
