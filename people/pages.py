"""The outbox, and every page of this package joined. Everything here works without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from people import account_pages, letters, queries, rules, sign_in_pages, wiring
from people.queries import LetterFacts, LetterPage, OutboxState
from people.rules import LetterAct, LetterState, LetterTrouble
from web import forms, i18n, render, signin
from web.render import Context
from web.routing import Entry, admin

_STATE_KINDS: Final[Mapping[LetterState, str]] = {
    LetterState.DRAFT: "care",
    LetterState.WAITING: "note",
    LetterState.SENDING: "note",
    LetterState.SENT: "go",
    LetterState.FAILED: "stop",
    LetterState.HELD: "care",
    LetterState.DISCARDED: "plain",
}


# --- the outbox --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A letter as a line of the list or the head of its page, in the reader's words."""

    letter: LetterFacts
    #: Empty for a sign-in code, which stands in its subject.
    subject: str
    kind: str
    state: str
    problem: str
    when: str
    href: str


@dataclass(frozen=True, kw_only=True)
class OutboxContext(Context):
    template: ClassVar[str] = "people/outbox.html"
    outbox: OutboxState
    letters: LetterPage
    lines: Sequence[LetterLine]
    #: (words, address, count, is chosen)
    chips: Sequence[tuple[str, str, int, bool]]
    full_domains: Sequence[tuple[str, int, str]]
    free_in: str
    prev_href: str | None
    next_href: str | None


@dataclass(frozen=True, kw_only=True)
class LetterContext(Context):
    template: ClassVar[str] = "people/letter.html"
    line: LetterLine
    #: The letter's words by line; empty where they are secret or gone.
    text: Sequence[str]
    is_secret: bool
    #: (what the button sends, its words)
    acts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    next_try: str = ""


def _is_secret(letter: LetterFacts) -> bool:
    """A sign-in code is shown in development only: an administrator must not be able to sign in as somebody else."""
    return letter.urgent and not wiring.settings().development


def _line(letter: LetterFacts, at: datetime) -> LetterLine:
    known = letter.problem in {str(one) for one in LetterTrouble}
    return LetterLine(
        letter=letter,
        subject="" if _is_secret(letter) else letter.subject,
        kind=_STATE_KINDS[letter.state],
        state=render.words_for(letter.state),
        problem=render.words_for(letter.problem) if known else letter.problem,
        when=render.ago(letter.sent_at or letter.created_at, at),
        href=render.url("people.letter", id=letter.id),
    )


async def outbox(request: Request) -> Response:
    """Every letter of the installation by state, and what slows them."""
    at = datetime.now(UTC)
    wanted = request.query_params.get("state", "")
    state = LetterState(wanted) if wanted in {str(one) for one in LetterState} else None
    number = request.query_params.get("page", "1")
    page = await queries.letters(
        state=state, page=int(number) if number.isdecimal() and len(number) < 9 else 1
    )
    facts = await queries.outbox_state(wiring.settings(), at)

    def href(one: LetterState | None, number: int = 1) -> str:
        return render.with_query(render.url("people.outbox"), state=one, page=number if number > 1 else None)

    total = sum(page.by_state.values())
    context = OutboxContext(
        outbox=facts,
        letters=page,
        lines=[_line(letter, at) for letter in page.items],
        chips=[
            (i18n.gettext("All"), href(None), total, state is None),
            *(
                (render.words_for(one), href(one), page.by_state.get(one, 0), one is state)
                for one in LetterState
                if page.by_state.get(one) or one is state
            ),
        ],
        full_domains=[
            (full.domain, full.waiting, render.ago(full.free_at, at)) for full in facts.full_domains
        ],
        free_in=render.ago(facts.free_at, at) if facts.free_at else "",
        prev_href=href(state, page.page - 1) if page.page > 1 else None,
        next_href=href(state, page.page + 1) if page.last < page.total else None,
    )
    return await render.page(request, context)


async def letter(request: Request) -> Response:
    """One letter: its words, what became of it, and what may be done."""
    at = datetime.now(UTC)
    found = await queries.letter(int(request.path_params["id"]))
    is_secret = _is_secret(found)
    context = LetterContext(
        line=_line(found, at),
        text=() if is_secret else found.text.splitlines(),
        is_secret=is_secret,
        acts=[
            (str(act), render.words_for(act))
            for act, (states, _) in rules.LETTER_ACTS.items()
            if found.state in states
        ],
        next_try=render.ago(found.next_try_at, at)
        if found.state is LetterState.WAITING and found.next_try_at > at
        else "",
    )
    return await render.page(request, context)


class ActForm(forms.Form):
    act: LetterAct


async def letter_act(request: Request) -> Response:
    """Sends again, holds back or discards one letter."""
    letter_id = int(request.path_params["id"])
    chosen = forms.read_form(await forms.form_data(request, max_files=0, max_fields=10), ActForm)
    await letters.act(
        actor=await signin.actor_of(request), letter_id=letter_id, act=chosen.act, at=datetime.now(UTC)
    )
    return render.see_other(render.url("people.letter", id=letter_id))


ROUTES: list[Entry] = [
    *sign_in_pages.ROUTES,
    *account_pages.ROUTES,
    admin("/outbox", outbox, "people.outbox"),
    admin("/outbox/{id:int}", letter, "people.letter"),
    admin("/outbox/{id:int}/state", letter_act, "people.letter.act", ("POST",)),
]
