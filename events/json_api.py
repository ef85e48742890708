"""What the JSON routes of an event share: bodies and addresses read strictly, answers written, writes done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.requests import Request
from starlette.responses import Response

from events.access import Door
from kernel.errors import Code, Invalid, Problem, Refusal
from kernel.text import LocalizedText
from people import replays
from web.forms import problems_of

#: A page of a list.
PAGE_SIZE: Final = 50
#: No database takes a NUL in a text.
_PLAIN: Final = r"^[^\x00]*$"

Line = Annotated[str, StringConstraints(max_length=500, pattern=_PLAIN, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=_PLAIN)]
Tag = Annotated[str, StringConstraints(max_length=16, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")]
#: Content by language, at most ten of them.
Localized = Annotated[dict[Tag, Text], Field(max_length=10)]
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
#: What a column of 32 bits holds; each decision has narrower limits of its own.
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
#: Where a list goes on; made by the server, read by nobody else.
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]


def _believable(at: datetime) -> datetime:
    # Before the years are compared: the first and last hours of the calendar have no UTC.
    if not 1970 <= at.year <= 2199:
        raise ValueError("out of range")
    return at.astimezone(UTC)


#: An instant with its offset, between 1970 and 2199; UTC from then on.
Moment = Annotated[AwareDatetime, AfterValidator(_believable)]


class Body(BaseModel):
    """Base of every JSON body: frozen, typed strictly, an unknown key is a mistake that is told."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class OnceBody(Body):
    """A body that makes something: ``id`` is a UUID of the sender's own, the same when it is sent again."""

    id: UUID | None = None


class Query(BaseModel):
    """Base of what stands in an address; what is not known there is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Shape(BaseModel):
    """Base of every answer; made of the facts' own attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


BodyT = TypeVar("BodyT", bound=Body)
QueryT = TypeVar("QueryT", bound=Query)


def now() -> datetime:
    return datetime.now(UTC)


def localized(texts: Mapping[str, str]) -> LocalizedText:
    return LocalizedText.of({tag: text.strip() for tag, text in texts.items()})


async def read_body(request: Request, model: type[BodyT]) -> BodyT:
    """The body. Raises a 400 Refusal for what is not JSON, Invalid with a problem at each field."""
    raw = await request.body()
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(Code.BAD_REQUEST) from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise Invalid(problems_of(error)) from None


def read_query(request: Request, model: type[QueryT]) -> QueryT:
    """The address's parameters; an empty one says nothing. Raises Invalid with a problem at each."""
    try:
        return model.model_validate({name: value for name, value in request.query_params.items() if value})
    except ValidationError as error:
        raise Invalid(problems_of(error)) from None


def given(body: Body) -> dict[str, Any]:
    """The keys that were sent: a change touches these and no others."""
    return {name: getattr(body, name) for name in body.model_fields_set if name != "id"}


def answer(shape: BaseModel, status: int = 200) -> Response:
    """A shape as JSON that nobody keeps."""
    response = Response(shape.model_dump_json(), status, media_type="application/json")
    response.headers["cache-control"] = "no-store"
    return response


def once_id(request: Request, body: Body | None = None) -> UUID:
    """The id of a write: the body's, or the header's. Raises Invalid for none."""
    found = sent_id(request, body)
    if found is None:
        raise Invalid({"id": Problem(Code.REQUIRED)})
    return found


def sent_id(request: Request, body: Body | None = None) -> UUID | None:
    """As ``once_id``, or None for none."""
    own: UUID | None = getattr(body, "id", None)
    raw = request.headers.get("idempotency-key", "").strip()
    if own is None and raw:
        try:
            own = UUID(raw)
        except ValueError:
            raise Invalid({"Idempotency-Key": Problem(Code.MALFORMED)}) from None
    return own


async def once(
    request: Request,
    door: Door,
    body: Body | None,
    action: Callable[[], Awaitable[Mapping[str, Any]]],
    *,
    at: datetime,
    required: bool = True,
) -> Mapping[str, Any]:
    """Does a write once for its id, however often it is sent, and gives what it gave the first time.

    Raises what ``once_id`` raises, and Conflict ``replay_mismatch`` for the same id with something else.
    """
    number = once_id(request, body) if required else sent_id(request, body)
    if number is None:
        return await action()
    said = {
        "route": request.scope["route"].path,
        "event_id": door.event.id,
        "params": {name: value for name, value in request.path_params.items() if name != "slug"},
        "body": body.model_dump(mode="json", exclude={"id"}) if body is not None else None,
    }
    return await replays.once(id=number, actor_key=door.actor.key, body=said, at=at, action=action)
