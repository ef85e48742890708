"""Bodies become frozen pydantic models, or Invalid with a problem at each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request

from kernel.errors import Code, Invalid, Problem, Refusal


class Form(BaseModel):
    """Base of every form and body: frozen, unknown fields ignored, surrounding space dropped."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, extra="ignore", str_max_length=20_000)


FormT = TypeVar("FormT", bound=BaseModel)

_CODES = {
    "missing": Code.REQUIRED,
    "string_too_long": Code.TOO_LONG,
    "too_long": Code.TOO_LONG,
    "string_too_short": Code.TOO_SHORT,
    "too_short": Code.TOO_SHORT,
    "enum": Code.NOT_A_CHOICE,
    "literal_error": Code.NOT_A_CHOICE,
    "int_parsing": Code.NOT_A_NUMBER,
    "int_type": Code.NOT_A_NUMBER,
    "greater_than_equal": Code.OUT_OF_RANGE,
    "less_than_equal": Code.OUT_OF_RANGE,
    "greater_than": Code.OUT_OF_RANGE,
    "less_than": Code.OUT_OF_RANGE,
}


def problems_of(error: ValidationError) -> dict[str, Problem]:
    """Pydantic's errors in the house's codes, by field path (``scans.3.code``); values are not repeated."""
    found: dict[str, Problem] = {}
    for item in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"]) or "body"
        context = item.get("ctx") or {}
        limit = next(
            (context[key] for key in ("max_length", "min_length", "ge", "le", "gt", "lt") if key in context),
            None,
        )
        code = _CODES.get(item["type"], Code.MALFORMED)
        if code is Code.TOO_SHORT and limit == 1:
            code = Code.REQUIRED
        found.setdefault(name, Problem(code, {"limit": limit} if limit is not None else {}))
    return found


async def form_data(request: Request, *, max_files: int = 1, max_fields: int = 200) -> FormData:
    """The posted form; raises a 400 Refusal when it can't be read."""
    try:
        return await request.form(max_files=max_files, max_fields=max_fields, max_part_size=256 * 1024)
    except (AssertionError, ValueError):
        raise Refusal(Code.BAD_REQUEST) from None


def read_form(data: FormData, model: type[FormT]) -> FormT:
    """The posted form as ``model``; empty fields count as absent. Raises Invalid with a problem at each field."""
    values: dict[str, Any] = {}
    for name in data:
        every = [item for item in data.getlist(name) if not isinstance(item, str) or item.strip()]
        if every:
            values[name] = every if name.endswith("[]") else every[-1]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(problems_of(error)) from None


def typed(data: FormData) -> dict[str, str]:
    """What was typed, to show it again beside the problems: nothing is lost."""
    return {name: value for name, value in data.items() if isinstance(value, str)}


def form_id(values: Mapping[str, Any]) -> UUID:
    """The UUID by which two sendings of a form are one; a fresh one where it is missing or none at all."""
    try:
        return UUID(str(values.get("form", "")))
    except ValueError:
        return uuid4()
