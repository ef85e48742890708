"""A scan's answer as JSON: for scanners, devices and whoever admits somebody from a list."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from checkin.rules import VerdictCode
from checkin.scanning import Answer
from checkin.words import VERDICT_HELP, VERDICTS
from kernel.text import LOCALES
from web import i18n


@lru_cache(maxsize=len(VerdictCode))
def _said(verdict: VerdictCode) -> tuple[orjson.Fragment, orjson.Fragment]:
    """A verdict's words and help in every language, written once: the catalogues do not change while we run."""
    words, help_ = (
        {locale: i18n.gettext_in(locale, text) for locale in LOCALES}
        for text in (VERDICTS[verdict], VERDICT_HELP[verdict])
    )
    return orjson.Fragment(orjson.dumps(words)), orjson.Fragment(orjson.dumps(help_))


def said_in_every_language(verdict: VerdictCode) -> orjson.Fragment:
    """A verdict's words, for an answer of ``render.json``."""
    return _said(verdict)[0]


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer as scanners receive it; keys are frozen once released (docs/http-api.md)."""
    words, help_ = _said(answer.verdict)
    holder, first, elsewhere = answer.holder, answer.first, answer.elsewhere
    return {
        "scan_id": answer.scan_id,
        "verdict": answer.verdict,
        "tone": answer.tone,
        "words": words,
        "help": help_,
        "at": answer.at,
        "checkpoint": answer.checkpoint_id,
        "direction": answer.direction,
        "replayed": answer.is_replay,
        "doubtful": answer.is_doubtful,
        "conflict": answer.is_conflict,
        "rehearsal": answer.is_rehearsal,
        "holder": None
        if holder is None
        else {
            "passport_id": holder.passport_id,
            "name": holder.name,
            "line": holder.line,
            "ticket_type": holder.ticket_type,
            "door_note": holder.door_note,
            "leads_group": holder.leads_group,
            "badge": None
            if holder.badge is None
            else {"number": holder.badge.number, "box": holder.badge.box},
        },
        "notice": None
        if holder is None or holder.notice is None
        else {"text": holder.notice.text, "attention": holder.notice.attention},
        "first": None if first is None else {"at": first.at, "checkpoint": first.checkpoint},
        "elsewhere": None if elsewhere is None else {"id": elsewhere.id, "name": elsewhere.name},
    }
