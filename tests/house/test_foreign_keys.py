"""Foreign keys point down or stay on their floor, leave no accessor above, and never cascade across packages."""

from __future__ import annotations

import importlib

import pytest
from tortoise import fields
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.models import Model

from kernel.db import MODELS

FLOORS = ("people", "events", "agenda", "volunteers", "assets", "checkin")
#: Siblings on one floor never refer to each other.
HEIGHT = {"people": 1, "events": 2, "agenda": 3, "volunteers": 4, "assets": 4, "checkin": 5}


def _models() -> list[type[Model]]:
    found: list[type[Model]] = []
    for name in MODELS:
        module = importlib.import_module(name)
        found += [
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, Model)
            and item is not Model
            and item.__module__ == name
        ]
    return found


def _wrong(models: list[type[Model]]) -> list[str]:
    owner = {model.__name__: model.__module__.split(".")[0] for model in models}
    wrong = []
    for model in models:
        here = owner[model.__name__]
        for name, field in model._meta.fields_map.items():
            if not isinstance(field, ForeignKeyFieldInstance):
                continue
            there = owner[str(field.model_name).rpartition(".")[2]]
            if here != there and HEIGHT[there] >= HEIGHT[here]:
                wrong.append(f"{model.__name__}.{name} points up to {there}")
            if field.related_name is not False:
                wrong.append(f"{model.__name__}.{name} leaves an accessor on {there}")
            if here != there and field.on_delete != fields.RESTRICT:
                wrong.append(f"{model.__name__}.{name} does not RESTRICT across packages")
    return wrong


def test_foreign_keys_point_down() -> None:
    models = _models()
    assert len(models) > 20
    assert _wrong(models) == []


def test_the_check_finds_a_planted_violation() -> None:
    class Planted(Model):
        id = fields.BigIntField(primary_key=True)
        scan: fields.ForeignKeyRelation[Model] = fields.ForeignKeyField("huiwu.Scan")

    Planted.__module__ = "events.models"
    wrong = _wrong([*_models(), Planted])
    assert [line.split(" ")[0] for line in wrong] == ["Planted.scan"] * 3


@pytest.mark.parametrize("name", list(MODELS))
def test_every_module_with_tables_belongs_to_a_floor(name: str) -> None:
    assert name.split(".", maxsplit=1)[0] in FLOORS
