"""The OpenAPI document says everything that machines may ask for, and its own promises hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import main
from events.rules import Permission
from web import openapi
from web.routing import Entry


def undocumented(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries if openapi.is_json(entry) and entry.api is None]


def test_every_json_route_says_what_it_takes_and_gives() -> None:
    entries = main.entries()
    assert undocumented(entries) == []
    assert {entry.name for entry in entries if entry.api is not None} == {
        entry.name for entry in entries if openapi.is_json(entry)
    }


def test_a_json_route_without_words_is_found() -> None:
    entries = [
        replace(entry, api=None) if entry.name == "events.api.team" else entry for entry in main.entries()
    ]
    assert undocumented(entries) == ["events.api.team"]


def test_the_document_has_every_route_method_and_permission() -> None:
    document = openapi.document(main.entries())
    said = {
        (method, path): operation["security"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    real: dict[tuple[str, str], Any] = {}
    for entry in main.entries():
        if entry.api is None:
            continue
        needs = entry.access.removeprefix("event:")
        is_open = needs in ("public", str(Permission.VIEW_PUBLIC))
        for method in entry.methods:
            path = re.sub(r":\w+}", "}", entry.path)
            real[method.lower(), path] = [{}, {"token": []}] if is_open else [{"token": [needs]}]
    assert said == real
    assert len(said) >= 40


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere_and_every_shape_is_used() -> None:
    document = openapi.document(main.entries())
    components = document["components"]
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in components[kind]}
    used = set(references(document))
    assert used - there == set()
    assert {one for one in there if "/schemas/" in one} - used == set()
    # Clean names: no module paths, no numbers that tell two of one name apart.
    assert [name for name in components["schemas"] if not name.isidentifier() or "__" in name] == []


def test_operations_have_names_of_their_own_and_words() -> None:
    operations = [
        operation
        for operations in openapi.document(main.entries())["paths"].values()
        for operation in operations.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"].endswith(".") and operation["tags"] for operation in operations)


def test_writes_that_make_something_may_be_sent_again() -> None:
    for entry in main.entries():
        if entry.api is not None and entry.api.status == 201:
            assert entry.api.is_once, entry.name
