"""The few column types that the house adds to Tortoise's own."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from kernel.text import LocalizedText


class LocalizedTextField(fields.JSONField[LocalizedText]):
    """Content by language tag, stored as JSON; reads back as LocalizedText, never as None."""

    def to_python_value(self, value: Any) -> LocalizedText:
        plain: Any = super().to_python_value(value)
        return LocalizedText.of(plain)


class CodeField(fields.CharField[str]):
    """A short machine word out of an enum in ``rules.py``; its length is fixed here, not derived from the enum."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 32)
        super().__init__(**kwargs)
