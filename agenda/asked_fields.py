"""The organisers' own questions of a call on a form: shown with what was said before, and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData

from agenda.cfp_queries import FieldFacts, StoredAnswer
from events import form_rules, questionnaire
from events.form_rules import FileAnswer
from events.questionnaire import QuestionField
from events.rules import EventFacts, FieldKind
from kernel.errors import Problem
from web import i18n


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a posted form answered: clean values, files among them, what was typed, and what is wrong."""

    answers: Mapping[int, Any] = field(default_factory=dict)
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[int, FileAnswer] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


def stored(fields: Sequence[FieldFacts], answers: Mapping[int, StoredAnswer]) -> Given:
    """What was answered before, as a form shows it again. A file's digest is its own upload's: it is the answer already."""
    typed, files = dict[str, Sequence[str]](), dict[int, FileAnswer]()
    for one in fields:
        answer = answers.get(one.id)
        if answer is None:
            continue
        if answer.upload_id is not None:
            files[one.id] = FileAnswer(answer.upload_id, answer.filename, f"upload-{answer.upload_id}")
        else:
            typed[one.question.name] = form_rules.as_typed(one.question, answer.value)
    return Given(typed=typed, files=files)


async def read(
    fields: Sequence[FieldFacts], data: FormData, *, event_id: int, actor_key: str, at: datetime
) -> Given:
    """The answers in a posted form; files that are well are kept at once, pending."""
    answers, files, problems = dict[int, Any](), dict[int, FileAnswer](), dict[str, Problem]()
    typed = {
        name: [text for text in data.getlist(name) if isinstance(text, str)]
        for name in data
        if name.startswith("q.")
    }
    for one in fields:
        name = one.question.name
        if one.question.kind is FieldKind.FILE:
            value: Any = await questionnaire.read_file(
                data, name, event_id=event_id, key=f"call.{one.id}", actor_key=actor_key, at=at
            )
            if isinstance(value, FileAnswer):
                files[one.id] = value
        else:
            value = form_rules.read_answer(one.question, typed.get(name, ()))
        if isinstance(value, Problem):
            problems[name] = value
        elif value is not None:
            answers[one.id] = value
    return Given(answers=answers, typed=typed, files=files, problems=problems)


def shown(
    event: EventFacts, fields: Sequence[FieldFacts], given: Given, at: datetime
) -> Sequence[QuestionField]:
    """The questions as the template part ``events/parts/questions.html`` shows them, in the reader's language."""
    locale, found = i18n.current_locale(), []
    for one in fields:
        question, file = one.question, given.files.get(one.id)
        choices = [(option.code, option.label.in_(locale)) for option in question.options]
        if question.kind is FieldKind.YES_NO:
            choices = [("yes", i18n.gettext("Yes")), ("no", i18n.gettext("No"))]
        found.append(
            QuestionField(
                id=question.id,
                name=question.name,
                kind=str(question.kind),
                label=question.label.in_(locale),
                help=question.help.in_(locale),
                is_required=one.asking.is_required(at),
                choices=choices,
                values=given.typed.get(question.name, ()),
                kept=questionnaire.mark(event.id, f"call.{question.id}", file) if file else "",
                kept_name=file.filename if file else "",
            )
        )
    return found
