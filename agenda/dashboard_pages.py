"""The review at the desk: one board to sort, search and decide from, its coverage, and both as files.

Everything shown comes from ``review_dashboard.read``, which asks what this viewer may see of each proposal; what may be
done with the ticked ones is decided proposal by proposal in ``agenda.bulk``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from agenda import bulk, review_dashboard, review_queries, twins
from agenda.cfp_shown import STATE_KINDS, language_words, state_words
from agenda.dashboard_rules import Coverage, Order, lacks_reviews
from agenda.proposal_rules import DECISIONS, ProposalCode, ProposalState, fallback
from agenda.review_dashboard import PAGE_SIZE, Board, ReviewRow, Row, Wanted
from agenda.review_queries import Look
from agenda.review_rules import WHOLE, Criterion, Total
from events import access
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, attachment
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission, fold
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import N_, LocalizedText
from people.jobs import in_worker
from web import forms, i18n, render
from web.routing import Entry

BOARD: Final = "agenda.desk.review_board"
COVERAGE: Final = "agenda.desk.review_coverage"
FILE: Final = "agenda.desk.review_file"
TWIN: Final = "agenda.desk.twin"
_ONE: Final = "agenda.desk.proposal"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_ORDERS: Final[Mapping[Order, str]] = {
    Order.SCORE: N_("Best score first"),
    Order.SPREAD: N_("Most disagreement first"),
    Order.FEWEST: N_("Fewest reviews first"),
    Order.TITLE: N_("By title"),
}
_PENDING: Final[Mapping[str, str]] = {
    "any": N_("Prepared"),
    "none": N_("Not prepared yet"),
}
#: What is looked for beside the fields of a proposal, by the word in the address.
_SHOW: Final = ("lacks", "twins", "proposed")


def score_words(total: int | None) -> str:
    """A total or a spread as people read it: 0 to 100, one place after the point."""
    return "–" if total is None else f"{total / (WHOLE // 100):.1f}"


# --- what is wanted, in and out of an address --------------------------------------------------------------------


def read_wanted(params: Mapping[str, str]) -> Wanted:
    """What an address asks for; what is not known there says nothing."""
    pending = params.get("pending", "")
    show = params.get("show", "")
    return Wanted(
        text=fold(params.get("q", ""))[:100],
        forum_id=shared.whole_id(params.get("forum")),
        session_type_id=shared.whole_id(params.get("type")),
        state=shared.word_of(ProposalState, params.get("state")),
        pending=pending if pending in (*_PENDING, *map(str, DECISIONS.values())) else "",
        tag_id=shared.whole_id(params.get("tag")),
        lacks=show == "lacks",
        twins=show == "twins",
        proposed=show == "proposed",
        order=shared.word_of(Order, params.get("order")) or Order.SCORE,
    )


def _kept(params: Mapping[str, str], wanted: Wanted) -> dict[str, str]:
    """``wanted`` as it goes into an address again."""
    show = next((name for name in _SHOW if getattr(wanted, name)), "")
    found = {
        "q": params.get("q", "").strip()[:100],
        "forum": str(wanted.forum_id or ""),
        "type": str(wanted.session_type_id or ""),
        "state": str(wanted.state or ""),
        "pending": wanted.pending,
        "tag": str(wanted.tag_id or ""),
        "show": show,
        "order": "" if wanted.order is Order.SCORE else str(wanted.order),
    }
    return {name: value for name, value in found.items() if value}


# --- the board ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    id: int
    href: str
    title: str
    code: str
    speakers: str
    forum: str
    kind: str
    tags: Sequence[str]
    #: (title, address, words)
    twins: Sequence[tuple[str, str, str]]
    score: str
    spread: str
    reviews: str
    is_lacking: bool
    #: Abstentions, recommendations, comments, as short words.
    more: Sequence[str]
    state: tuple[str, str]
    pending: str
    is_ticked: bool


@dataclass(frozen=True, kw_only=True)
class BoardPage(DeskPage):
    template: ClassVar[str] = "agenda/review_board.html"
    lines: Sequence[Line]
    whole: int
    total: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None
    clear_href: str
    action_href: str
    coverage_href: str
    #: (words, address)
    files: Sequence[tuple[str, str]]
    text: str
    keep: Mapping[str, str]
    views: Sequence[tuple[str, str, int, bool]]
    forums: Sequence[tuple[str, str]]
    types: Sequence[tuple[str, str]]
    states: Sequence[tuple[str, str]]
    pendings: Sequence[tuple[str, str]]
    tags: Sequence[tuple[str, str]]
    orders: Sequence[tuple[str, str]]
    decisions: Sequence[tuple[str, str]]
    may_decide: bool
    may_propose: bool
    may_tag: bool
    is_median: bool
    #: What could not be done: title, address, why.
    report: Sequence[tuple[str, str, str]] = ()
    #: How many could be.
    report_done: str = ""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What a press has led to, where the page is shown at once."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    ticked: frozenset[int] = frozenset()
    report: bulk.Report | None = None
    status: int = 200


async def board_page(request: Request, door: Door) -> Response:
    at = shared.now()
    if request.method == "POST":
        return await _press(request, door)
    return await _show(request, door, await review_dashboard.read(door, at), _Answer())


def _names(board: Board, locale: str) -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """Forums, types and tags by id, in the reader's language."""
    return (
        {one.id: one.name.in_(locale) for one in board.forums},
        {one.id: one.name.in_(locale) for one in board.types},
        {one.id: one.name.in_(locale) for one in board.tags},
    )


def _title(row: Row, locale: str) -> str:
    return fallback(row.title, locale)[0] or i18n.gettext("Without a title yet")


async def _show(request: Request, door: Door, board: Board, answer: _Answer) -> Response:
    params, locale, slug = request.query_params, i18n.current_locale(), door.event.slug
    wanted = read_wanted(params)
    keep = _kept(params, wanted)
    found = await review_dashboard.pick(door, board, wanted, locale)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(max(shared.whole_page(params.get("page")), 1), pages)
    rows = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    speakers = await review_dashboard.speaker_names([row.id for row in rows if row.names])
    by_id = {row.id: row for row in board.rows}
    forums, types, tags = _names(board, locale)
    here = render.url(BOARD, slug=slug)
    seen_forums = {row.forum_id for row in board.rows}
    values = {"forum": "", "type": "", "state": "", "pending": "", "tag": "", "order": str(wanted.order)}
    lines = [
        _line(
            row,
            board,
            slug=slug,
            locale=locale,
            names=(forums, types, tags),
            speakers=speakers.get(row.id, ()),
            by_id=by_id,
            is_ticked=row.id in answer.ticked,
        )
        for row in rows
    ]
    first = (number - 1) * PAGE_SIZE + 1 if lines else 0
    report = answer.report
    page = BoardPage(
        **access.frame(door, BOARD),
        done=_done(request) if request.method == "GET" else "",
        values=values | keep | dict(answer.values),
        problems=answer.problems,
        lines=lines,
        whole=len(board.rows),
        total=len(found),
        first=first,
        last=first + len(lines) - 1 if lines else 0,
        previous_href=render.with_query(here, **keep, page=number - 1) if number > 1 else None,
        next_href=render.with_query(here, **keep, page=number + 1) if number < pages else None,
        clear_href=here,
        action_href=render.with_query(here, **keep, **({"page": number} if number > 1 else {})),
        coverage_href=render.url(COVERAGE, slug=slug),
        files=[
            (
                i18n.gettext(words),
                render.with_query(render.url(FILE, slug=slug, what=what, kind=kind), **keep),
            )
            for words, what, kind in _FILES
        ],
        text=keep.get("q", ""),
        keep={name: value for name, value in keep.items() if name != "q"},
        views=_views(board, keep, here),
        forums=[(str(one), name) for one, name in forums.items() if one in seen_forums],
        types=[(str(one), name) for one, name in types.items()],
        states=[
            (str(state), state_words(state))
            for state in ProposalState
            if any(row.standing.state is state for row in board.rows)
        ],
        pendings=[
            *((name, i18n.gettext(words)) for name, words in _PENDING.items()),
            *((str(state), state_words(state)) for state in DECISIONS.values()),
        ],
        tags=[(str(one), name) for one, name in tags.items()],
        orders=[(str(order), i18n.gettext(words)) for order, words in _ORDERS.items()],
        decisions=[(str(state), state_words(state)) for state in DECISIONS.values()],
        may_decide=any(row.may_decide for row in board.rows),
        may_propose=any(row.may_propose and not row.may_decide for row in board.rows),
        may_tag=any(row.may_tag for row in board.rows),
        is_median=board.total_by is Total.MEDIAN,
        report=_report_lines(report, by_id, slug=slug, locale=locale) if report else (),
        report_done=i18n.ngettext("%(num)d done", "%(num)d done", report.done) % {"num": report.done}
        if report
        else "",
    )
    return await render.page(request, page, answer.status)


def _line(
    row: Row,
    board: Board,
    *,
    slug: str,
    locale: str,
    names: tuple[Mapping[int, str], Mapping[int, str], Mapping[int, str]],
    speakers: Sequence[LocalizedText],
    by_id: Mapping[int, Row],
    is_ticked: bool,
) -> Line:
    forums, types, tags = names
    at, score = row.standing, row.standing.score
    alike = [(by_id[other], likeness) for other, likeness in row.twins if other in by_id]
    more = []
    if row.abstentions:
        more.append(
            i18n.ngettext("%(num)d abstention", "%(num)d abstentions", row.abstentions)
            % {"num": row.abstentions}
        )
    more += [
        i18n.gettext("recommended: %(state)s × %(num)s")
        % {"state": state_words(ProposalState(state)), "num": count}
        for state, count in sorted(row.recommended.items())
    ]
    more += [
        i18n.gettext("producer: %(state)s") % {"state": state_words(ProposalState(state))}
        for state in sorted(set(row.by_producers))
    ]
    if row.own and not row.recommended:
        more.append(i18n.gettext("you proposed: %(state)s") % {"state": state_words(ProposalState(row.own))})
    if row.comments:
        more.append(
            i18n.ngettext("%(num)d comment", "%(num)d comments", row.comments) % {"num": row.comments}
        )
    said = [name.in_(locale) for name in speakers if name.in_(locale)]
    return Line(
        id=row.id,
        href=render.url(_ONE, slug=slug, code=row.code) if row.names else review_href(slug, row.code),
        title=_title(row, locale),
        code=row.code,
        speakers=(", " if locale == "en" else "、").join(said),
        forum=forums.get(row.forum_id or 0, ""),
        kind=types.get(row.session_type_id or 0, ""),
        tags=[name for number, name in tags.items() if number in row.tag_ids],
        twins=[
            (
                _title(other, locale),
                render.url(_ONE, slug=slug, code=other.code)
                if other.names
                else review_href(slug, other.code),
                i18n.gettext("%(percent)s %% like %(code)s") % {"percent": likeness, "code": other.code},
            )
            for other, likeness in alike[:3]
        ],
        score=score_words(score.total) if score else "",
        spread=score_words(score.spread) if score and score.counted > 1 else "",
        reviews=f"{at.counted} / {board.needed}",
        is_lacking=lacks_reviews(at, board.needed),
        more=more,
        state=(STATE_KINDS[at.state], state_words(at.state)),
        pending=state_words(ProposalState(at.pending)) if at.pending else "",
        is_ticked=is_ticked,
    )


def review_href(slug: str, code: str) -> str:
    """Where a reviewer who is not shown the names reads a proposal."""
    return render.url("agenda.desk.review_one", slug=slug, code=code)


def _views(board: Board, keep: Mapping[str, str], here: str) -> Sequence[tuple[str, str, int, bool]]:
    """Chips: everything, and what wants somebody's eyes."""
    without = {name: value for name, value in keep.items() if name != "show"}
    chosen = keep.get("show", "")
    counted = (
        ("", i18n.gettext("All"), len(board.rows)),
        (
            "lacks",
            i18n.gettext("Lacks reviews"),
            sum(lacks_reviews(row.standing, board.needed) for row in board.rows),
        ),
        ("twins", i18n.gettext("Near-duplicates"), sum(bool(row.twins) for row in board.rows)),
        (
            "proposed",
            i18n.gettext("Proposed by producers"),
            sum(bool(row.by_producers) for row in board.rows),
        ),
    )
    return [
        (words, render.with_query(here, **without, **({"show": name} if name else {})), count, name == chosen)
        for name, words, count in counted
        if count or not name or name == chosen
    ]


def _report_lines(
    report: bulk.Report, by_id: Mapping[int, Row], *, slug: str, locale: str
) -> Sequence[tuple[str, str, str]]:
    found = []
    for number, problem in report.wrong.items():
        row = by_id.get(number)
        params = dict(problem.params)
        if params.get("state") in tuple(ProposalState):
            params["state"] = state_words(ProposalState(params["state"]))
        found.append(
            (
                _title(row, locale) if row else i18n.gettext("A proposal that is not shown to you"),
                render.url(_ONE, slug=slug, code=row.code) if row and row.names else "",
                render.words_for(problem.code, params),
            )
        )
    return found


def _done(request: Request) -> str:
    count = shared.whole_id(request.query_params.get("n"))
    if count is None or request.query_params.get("done") != "bulk":
        return shared.done_words(request)
    return i18n.ngettext("Done for %(num)d proposal.", "Done for %(num)d proposals.", count) % {"num": count}


# --- pressed -----------------------------------------------------------------------------------------------------


async def _press(request: Request, door: Door) -> Response:
    data = await forms.form_data(request, max_fields=PAGE_SIZE + 50)
    values = shared.typed_values(data)
    at = shared.now()
    board = await review_dashboard.read(door, at)
    ids = await _chosen(request, door, board, data, values)
    ticked = frozenset(ids)
    try:
        report = await _act(door, values, ids)
    except Invalid as refusal:
        answer = _Answer(values=values, problems=refusal.fields, ticked=ticked, status=refusal.status)
        return await _show(request, door, board, answer)
    if report.wrong:
        # Read anew: most of them may have been done. What was not stays ticked.
        board = await review_dashboard.read(door, shared.now())
        answer = _Answer(values=values, ticked=frozenset(report.wrong), report=report)
        return await _show(request, door, board, answer)
    params = request.query_params
    keep = _kept(params, read_wanted(params))
    here = render.url(BOARD, slug=door.event.slug)
    number = shared.whole_page(params.get("page"))
    return render.see_other(
        render.with_query(
            here, **keep, **({"page": number} if number > 1 else {}), done="bulk", n=report.done
        )
    )


async def _chosen(
    request: Request, door: Door, board: Board, data: FormData, values: Mapping[str, str]
) -> Sequence[int]:
    """The ticked ones, or all that the address asks for, also those on other pages."""
    if values.get("scope") == "all":
        wanted = read_wanted(request.query_params)
        return [row.id for row in await review_dashboard.pick(door, board, wanted, i18n.current_locale())]
    ticked = (shared.whole_id(raw) for raw in shared.chosen_many(data, "chosen"))
    return [number for number in ticked if number is not None]


async def _act(door: Door, values: Mapping[str, str], ids: Sequence[int]) -> bulk.Report:
    """Does what the pressed button says: ``decide:accepted``, ``propose:``, ``tag:on``, ``take_over:``."""
    at = shared.now()
    verb, _, word = values.get("action", "").partition(":")
    state = shared.word_of(ProposalState, word)
    if verb in ("decide", "propose") and word and state not in DECISIONS.values():
        raise Invalid({"chosen": Problem(Code.NOT_A_CHOICE)})
    match verb:
        case "decide":
            return await bulk.decide(door=door, proposal_ids=ids, state=state, at=at)
        case "propose":
            return await bulk.propose(
                door=door, proposal_ids=ids, state=state, reason=values.get("reason", ""), at=at
            )
        case "take_over":
            return await bulk.take_over(door=door, proposal_ids=ids, at=at)
        case "tag":
            return await bulk.tag(
                door=door,
                proposal_ids=ids,
                tag_id=shared.whole_id(values.get("put")),
                is_on=word == "on",
                at=at,
            )
        case _:
            raise Invalid({"chosen": Problem(Code.NOT_A_CHOICE)})


async def _twin(request: Request, door: Door) -> Response:
    """Puts a pair of near-duplicates aside, or back; for whoever decides about both."""
    values = forms.typed(await forms.form_data(request))
    numbers = [shared.whole_id(values.get(name)) for name in ("one", "other")]
    one, other = numbers
    if one is None or other is None:
        raise NotFound(ProposalCode.UNKNOWN)
    at = shared.now()
    looks = await review_queries.looks(door, [one, other], at)
    here = next((twin for twin in await twins.of_proposal(other) if twin.id == one), None)
    if here is None or not all(number in looks and looks[number].sees.may_decide for number in (one, other)):
        raise NotFound(ProposalCode.UNKNOWN)
    await twins.dismiss(
        actor=door.actor,
        event_id=door.event.id,
        one=one,
        other=other,
        is_dismissed=values.get("aside") == "1",
        at=at,
    )
    return render.see_other(
        render.with_query(render.url(_ONE, slug=door.event.slug, code=here.code), done="saved")
    )


# --- coverage ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CoverLine:
    name: str
    href: str
    figures: Coverage


@dataclass(frozen=True, kw_only=True)
class CoveragePage(DeskPage):
    template: ClassVar[str] = "agenda/review_coverage.html"
    whole: Coverage
    needed: int
    forums: Sequence[CoverLine]
    types: Sequence[CoverLine]
    board_href: str
    lacks_href: str


async def coverage_page(request: Request, door: Door) -> Response:
    board = await review_dashboard.read(door, shared.now())
    covered = review_dashboard.coverage(board)
    locale, here = i18n.current_locale(), render.url(BOARD, slug=door.event.slug)
    forums, types, _ = _names(board, locale)

    def lines(param: str, names: Mapping[int, str], found: Mapping[int | None, Coverage]) -> list[CoverLine]:
        every = [
            CoverLine(name, render.with_query(here, **{param: number}), found[number])
            for number, name in names.items()
            if number in found
        ]
        if None in found:
            every.append(CoverLine(i18n.gettext("None"), "", found[None]))
        return every

    page = CoveragePage(
        **access.frame(door, BOARD),
        whole=covered.whole,
        needed=board.needed,
        forums=lines("forum", forums, covered.forums),
        types=lines("type", types, covered.types),
        board_href=here,
        lacks_href=render.with_query(here, show="lacks", order=str(Order.FEWEST)),
    )
    return await render.page(request, page)


# --- files -------------------------------------------------------------------------------------------------------

_FILES: Final = (
    (N_("Board, CSV"), "board", "csv"),
    (N_("Board, Excel"), "board", "xlsx"),
    (N_("Reviews, CSV"), "reviews", "csv"),
    (N_("Reviews, Excel"), "reviews", "xlsx"),
)


def _points(total: int | None) -> Cell:
    return None if total is None else round(total / (WHOLE // 100), 2)


async def _file(request: Request, door: Door) -> Response:
    """The board as it is filtered, or all reviews of what it shows, one line each."""
    what, kind = request.path_params["what"], request.path_params["kind"]
    if (what, kind) not in {(one[1], one[2]) for one in _FILES}:
        raise NotFound()
    at, locale = shared.now(), i18n.current_locale()
    board = await review_dashboard.read(door, at)
    rows = await review_dashboard.pick(door, board, read_wanted(request.query_params), locale)
    make = _board_table if what == "board" else _reviews_table
    titles, cells = await make(door, board, rows, locale)
    day = at.astimezone(ZoneInfo(door.event.time_zone)).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-{what}-{day}.{kind}")
    if kind == "csv":
        return Response(
            b"".join(to_csv(titles, cells)), media_type="text/csv; charset=utf-8", headers=headers
        )
    return Response(await in_worker(to_xlsx, titles, cells), media_type=_XLSX, headers=headers)


async def _board_table(
    door: Door, board: Board, rows: Sequence[Row], locale: str
) -> tuple[list[str], list[list[Cell]]]:
    forums, types, tags = _names(board, locale)
    speakers = await review_dashboard.speaker_names([row.id for row in rows if row.names])
    titles = [
        i18n.gettext(words)
        for words in (
            N_("Code"),
            N_("Title in Chinese"),
            N_("Title in English"),
            N_("Speakers"),
            N_("Forum"),
            N_("Kind of session"),
            N_("Language of the talk"),
            N_("State"),
            N_("Prepared"),
            N_("Score"),
            N_("Disagreement"),
            N_("Reviews"),
            N_("Reviews needed"),
            N_("Abstentions"),
            N_("Recommended: accept"),
            N_("Recommended: reserve"),
            N_("Recommended: reject"),
            N_("Proposed by producers"),
            N_("Tags"),
            N_("Near-duplicates"),
            N_("Comments"),
        )
    ]
    by_id = {row.id: row for row in board.rows}
    cells: list[list[Cell]] = []
    for row in rows:
        at, score = row.standing, row.standing.score
        cells.append(
            [
                row.code,
                row.title.get("zh-Hans", ""),
                row.title.get("en", ""),
                "; ".join(name.in_(locale) for name in speakers.get(row.id, ())),
                forums.get(row.forum_id or 0, ""),
                types.get(row.session_type_id or 0, ""),
                language_words(row.language),
                state_words(at.state),
                state_words(ProposalState(at.pending)) if at.pending else "",
                _points(score.total) if score else None,
                _points(score.spread) if score and score.counted > 1 else None,
                at.counted,
                board.needed,
                row.abstentions,
                *(row.recommended.get(state, 0) for state in DECISIONS.values()),
                "; ".join(state_words(ProposalState(state)) for state in sorted(set(row.by_producers))),
                "; ".join(name for number, name in tags.items() if number in row.tag_ids),
                "; ".join(f"{by_id[other].code} {like} %" for other, like in row.twins if other in by_id),
                row.comments,
            ]
        )
    return titles, cells


async def _reviews_table(
    door: Door, board: Board, rows: Sequence[Row], locale: str
) -> tuple[list[str], list[list[Cell]]]:
    by_id = {row.id: row for row in rows}
    shown = await review_dashboard.reviews_shown(door, list(by_id), shared.now())
    titles = [
        i18n.gettext(words)
        for words in (
            N_("Code"),
            N_("Title"),
            N_("Reviewer"),
            N_("Abstains"),
            N_("Score"),
            N_("Recommends"),
            N_("Reason"),
            N_("Changed"),
        )
    ] + [one.name.in_(locale) or one.code for one in shown.criteria]
    zone = ZoneInfo(door.event.time_zone)
    cells: list[list[Cell]] = [
        [
            by_id[one.proposal_id].code,
            _title(by_id[one.proposal_id], locale),
            one.reviewer,
            i18n.gettext("Yes") if one.abstains else "",
            _points(one.total),
            state_words(ProposalState(one.recommends)) if one.recommends else "",
            one.reason,
            one.updated_at.astimezone(zone),
            *(one.points.get(criterion.id) for criterion in shown.criteria),
        ]
        for one in shown.rows
    ]
    return titles, cells


# --- the reviews of one proposal, for its page at the desk -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownReview:
    reviewer: str
    score: str
    recommends: str
    reason: str
    points: Sequence[tuple[str, str]]
    when: str


@dataclass(frozen=True, slots=True)
class ShownTwin:
    id: int
    code: str
    title: str
    href: str
    likeness: int
    is_dismissed: bool
    may_dismiss: bool


@dataclass(frozen=True, kw_only=True)
class ReviewSide:
    """What a proposal's page at the desk shows of its review; nothing of it to whoever speaks in it."""

    score: str = ""
    spread: str = ""
    reviews: str = ""
    lines: Sequence[ShownReview] = ()
    twins: Sequence[ShownTwin] = ()
    twin_href: str = ""
    board_href: str = ""


async def side_of(door: Door, proposal_id: int, look: Look) -> ReviewSide:
    """Scores, reviews and near-duplicates of one proposal, as far as the viewer is shown them; ``look`` is theirs."""
    at, locale, slug = shared.now(), i18n.current_locale(), door.event.slug
    if not look.sees.proposal:
        return ReviewSide()
    summary = await review_dashboard.sum_up(door.event.id, proposal_id)
    score = summary.score if look.sees.reviews else None
    shown = await review_dashboard.reviews_shown(door, [proposal_id], at)
    alike = await twins.of_proposal(proposal_id)
    others = await review_queries.visible(door, [one.id for one in alike], at)
    return ReviewSide(
        score=score_words(score.total) if score else "",
        spread=score_words(score.spread) if score and score.counted > 1 else "",
        reviews=f"{summary.score.counted} / {summary.needed}",
        lines=[_shown(one, shown.criteria, door.event.time_zone, locale) for one in shown.rows],
        twins=[
            ShownTwin(
                one.id,
                one.code,
                # Only where the names in it are shown, too.
                fallback(one.title, locale)[0] if others[one.id].names else "",
                render.url(_ONE, slug=slug, code=one.code)
                if others[one.id].names
                else review_href(slug, one.code),
                one.likeness,
                one.is_dismissed,
                look.sees.may_decide and others[one.id].may_decide,
            )
            for one in alike
            if one.id in others and others[one.id].proposal
        ],
        twin_href=render.url(TWIN, slug=slug),
        board_href=render.url(BOARD, slug=slug) if door.may(Permission.REVIEW) else "",
    )


def _shown(one: ReviewRow, criteria: Sequence[Criterion], zone: str, locale: str) -> ShownReview:
    return ShownReview(
        reviewer=one.reviewer or i18n.gettext("A reviewer"),
        score=i18n.gettext("Abstains") if one.abstains else score_words(one.total),
        recommends=state_words(ProposalState(one.recommends)) if one.recommends else "",
        reason=one.reason,
        points=[
            (criterion.name.in_(locale) or criterion.code, f"{one.points[criterion.id]} / {criterion.high}")
            for criterion in criteria
            if criterion.id in one.points
        ],
        when=render.moment(one.updated_at, zone),
    )


_MAY: Final = Permission.REVIEW
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/review-board", board_page, BOARD, _MAY, ("GET", "POST")),
    access.route("/e/{slug}/desk/review-board/coverage", coverage_page, COVERAGE, _MAY),
    access.route("/e/{slug}/desk/review-board/twins", _twin, TWIN, _MAY, ("POST",)),
    access.route("/e/{slug}/desk/review-board/files/{what}/{kind}", _file, FILE, _MAY),
]
