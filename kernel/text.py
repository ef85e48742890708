"""Content in several languages, and the mark for text that the interface will translate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: The interface's own languages, BCP 47. Content may have any tag.
LOCALES: Final = ("zh-Hans", "en")
DEFAULT_LOCALE: Final = "zh-Hans"


def N_(message: str) -> str:  # noqa: N802 -- the name every gettext tool knows
    """Marks a message for the catalogues without translating it here."""
    return message


class LocalizedText(dict[str, str]):
    """One piece of content by BCP 47 tag, never a hard-wired pair: ``{"zh-Hans": "主论坛", "en": "Main forum"}``."""

    def in_(self, locale: str) -> str:
        """The text for ``locale``: exact tag, same language, then zh-Hans, en, and whatever there is; else empty."""
        if self.get(locale):
            return self[locale]
        language = locale.partition("-")[0]
        for tag, text in self.items():
            if text and tag.partition("-")[0] == language:
                return text
        for tag in (DEFAULT_LOCALE, "en"):
            if self.get(tag):
                return self[tag]
        return next((text for text in self.values() if text), "")

    @classmethod
    def of(cls, value: Mapping[str, str] | str | None) -> LocalizedText:
        """From a stored mapping; a bare string counts as zh-Hans."""
        if value is None:
            return cls()
        if isinstance(value, str):
            return cls({DEFAULT_LOCALE: value}) if value else cls()
        return cls({str(tag): str(text) for tag, text in value.items() if text})
