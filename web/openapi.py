"""The OpenAPI 3.1 document of the JSON API, made of the same entries that the application serves.

Written by hand from the route table, so that names stay clean and nothing can be said that is not served.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from web import render
from web.api_doc import ApiDoc
from web.routing import Entry, public

VERSION: Final = "1"
_REF: Final = "#/components/schemas/{model}"
#: A row's number, as ``{id:int}`` takes it.
_ROW: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_SLUG: Final[Mapping[str, Any]] = {"type": "string", "pattern": "^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$"}

_ABOUT: Final = """The JSON that Huiwu's own pages use, and everything that organisers do with their event.

A token of the form `hwt_…` is made on the account page, for some permissions, one event or all of them, and up to a
year; send it as `Authorization: Bearer hwt_…`. Each operation names the permission that the token has to name and its
account has to hold. A paired phone has a token of its own, `hwd_…`. Keys and codes are frozen once released; new keys may appear, so ignore what you don't know."""

_REASONS: Final[Mapping[int, str]] = {
    304: "Nothing has changed since the ETag that was sent.",
    400: "The request could not be read.",
    401: "Nobody is signed in, or the token is not valid (any more).",
    403: "Not yours: the account has no such permission here, or the token does not name it.",
    404: "Nothing is there, or not for you to know.",
    405: "This address does not take that kind of request.",
    409: "It stands otherwise than expected.",
    410: "It was there, and is over.",
    413: "The body is too large.",
    422: "Something that was sent can't be taken; `fields` names each problem.",
    429: "Asked too often; `Retry-After` says when to come back.",
    503: "Busy, or unsure of the outcome: send the same again, nothing about it is remembered.",
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    code: str
    text: str


class Refusal(BaseModel):
    """Every "no", after RFC 9457. `code` is stable, `title` and `text` are in the reader's language."""

    code: str
    title: str
    status: int
    fields: dict[str, FieldProblem] | None = None
    reference: str | None = None


class Document(BaseModel):
    """An OpenAPI 3.1 document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


def is_json(entry: Entry) -> bool:
    """Whether machines call this route: what has to stand in the document.

    A person's own ``data.json`` is a file to keep: it opens with the browser's sign-in or a registration's link.
    """
    if entry.is_socket or entry.path.endswith("/data.json"):
        return False
    return "/api/" in entry.path or ".json" in entry.path or entry.path.startswith("/live/")


def document(entries: Sequence[Entry], *, server: str = "") -> dict[str, Any]:
    """The whole document of those entries that say what they are."""
    documented = [entry for entry in entries if entry.api is not None]
    models: dict[tuple[type[BaseModel], Literal["validation", "serialization"]], None] = {
        (Refusal, "serialization"): None
    }
    for entry in documented:
        assert entry.api is not None
        if entry.api.answer is not None:
            models[entry.api.answer, "serialization"] = None
        if entry.api.body is not None:
            models[entry.api.body, "validation"] = None
        if entry.api.query is not None:
            models[entry.api.query, "validation"] = None
    names, made = models_json_schema(list(models), ref_template=_REF)
    schemas: dict[str, Any] = _without_titles(made["$defs"])
    queries = {
        entry.api.query for entry in documented if entry.api is not None and entry.api.query is not None
    }
    of_query = {
        model: schemas.pop(names[model, "validation"]["$ref"].rpartition("/")[2]) for model in queries
    }
    paths: dict[str, dict[str, Any]] = {}
    for entry in documented:
        assert entry.api is not None
        path = re.sub(r":\w+}", "}", entry.path)
        for method in entry.methods:
            paths.setdefault(path, {})[method.lower()] = _operation(entry, entry.api, method, names, of_query)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Huiwu", "version": VERSION, "description": _ABOUT},
        **({"servers": [{"url": server}]} if server else {}),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _refused(status) for status in _REASONS if status != 304},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token: `hwt_…`."}
            },
        },
    }


def _operation(
    entry: Entry,
    api: ApiDoc,
    method: str,
    names: Mapping[Any, Mapping[str, Any]],
    of_query: Mapping[type[BaseModel], Mapping[str, Any]],
) -> dict[str, Any]:
    needs = entry.access.removeprefix("event:")
    is_open = needs in ("public", "view_public")
    found: dict[str, Any] = {
        "operationId": entry.name,
        "tags": [api.tag],
        "summary": api.summary,
        "security": [{}, {"token": []}] if is_open else [{"token": [needs]}],
    }
    if not is_open:
        found["description"] = f"Needs the permission `{needs}`."
    parameters = [_in_path(name, api) for name in re.findall(r"{(\w+)[:}]", entry.path)]
    if api.query is not None:
        parameters += _in_query(of_query[api.query])
    if api.is_once:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A UUID of your own for this write; the body's `id` says the same.",
                "schema": {"type": "string", "format": "uuid"},
            }
        )
    if parameters:
        found["parameters"] = parameters
    if api.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": names[api.body, "validation"]}},
        }
    found["responses"] = _responses(entry, api, is_open, names)
    return found


def _in_path(name: str, api: ApiDoc) -> dict[str, Any]:
    schema = api.path.get(name) or (_SLUG if name == "slug" else _ROW)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    needed = model.get("required", ())
    found = []
    for name, schema in model["properties"].items():
        plain = {key: value for key, value in schema.items() if key != "description"}
        # Left out is how an address says nothing; there is no null in it.
        arms = [arm for arm in plain.get("anyOf", ()) if arm != {"type": "null"}]
        if len(arms) == 1:
            plain = arms[0]
        if plain.get("default", "") is None:
            del plain["default"]
        one = {"name": name, "in": "query", "required": name in needed, "schema": plain}
        if "description" in schema:
            one["description"] = schema["description"]
        found.append(one)
    return found


def _responses(
    entry: Entry, api: ApiDoc, is_open: bool, names: Mapping[Any, Mapping[str, Any]]
) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done." if api.status == 201 else "The answer."}
    if api.answer is not None:
        schema: Mapping[str, Any] = names[api.answer, "serialization"]
        if api.is_list:
            schema = {"type": "array", "items": schema}
        good["content"] = {"application/json": {"schema": schema}}
    if api.is_conditional:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    statuses = {404, 405, 429, 503} | set(api.refusals)
    if entry.access != "public":
        # A token of another event is refused at public pages, too.
        statuses.add(403)
    if not is_open:
        statuses.add(401)
    if api.query is not None or api.body is not None or api.is_once:
        statuses.add(422)
    if api.is_once:
        statuses.add(409)
    if api.body is not None:
        statuses |= {400, 413}
    found: dict[str, Any] = {str(api.status): good}
    if api.is_conditional:
        found["304"] = {"description": _REASONS[304]}
    for status in sorted(statuses):
        codes = api.refusals.get(status)
        found[str(status)] = (
            _refused(status, codes) if codes else {"$ref": f"#/components/responses/{status}"}
        )
    return found


def _refused(status: int, codes: Sequence[str] = ()) -> dict[str, Any]:
    said = ", ".join(f"`{code}`" for code in codes)
    return {
        "description": _REASONS[status] + (f" Codes: {said}." if said else ""),
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model=Refusal.__name__)}}},
    }


def _without_titles(schema: Any) -> Any:
    """Pydantic's titles repeat the names that stand there already."""
    if isinstance(schema, dict):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(one) for one in schema] if isinstance(schema, list) else schema


# --- served ------------------------------------------------------------------------------------------------------


class _Wiring:
    entries: Callable[[], Sequence[Entry]] = staticmethod(list)
    server: str = ""
    made: tuple[bytes, str] | None = None


def configure(entries: Callable[[], Sequence[Entry]], *, server: str) -> None:
    """Called once by main: all routes of the house, and where it is reached."""
    _Wiring.entries = staticmethod(entries)
    _Wiring.server = server
    _Wiring.made = None


async def serve(request: Request) -> Response:
    """The document, made once; 304 for whoever has it."""
    if _Wiring.made is None:
        body = render.json_bytes(document(_Wiring.entries(), server=_Wiring.server))
        _Wiring.made = body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    body, etag = _Wiring.made
    headers = {"etag": etag, "cache-control": "no-cache", "access-control-allow-origin": "*"}
    if render.reader_has(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


ROUTES: Final[list[Entry]] = [
    public(
        "/api/openapi.json",
        serve,
        "web.openapi",
        api=ApiDoc(tag="About", summary="This document.", answer=Document, is_conditional=True),
    )
]
