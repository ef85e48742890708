"""A new meet-up in one short form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from events import meetups
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.meetup_rules import Meetup, read_clock
from kernel.errors import Code, Invalid, Problem
from web import forms, render, signin
from web.routing import Entry, admin


@dataclass(frozen=True, kw_only=True)
class NewMeetup(DeskPage):
    template: ClassVar[str] = "events/desk/new_meetup.html"
    base: str


def clock(read: Reader, name: str) -> int | None:
    """A time of day out of the form; empty is none."""
    raw = read.text(name)
    found = read_clock(raw)
    if raw and found is None:
        read.wrong(name, "not_a_clock")
    return found


def _read(values: Mapping[str, str]) -> tuple[Meetup, dict[str, Problem]]:
    read = Reader(values)
    day = read.day("day")
    meetup = Meetup(
        name=shared.gathered(values, "name"),
        day=day or shared.now().date(),
        place=shared.gathered(values, "place"),
        starts_minute=clock(read, "starts_minute"),
        ends_minute=clock(read, "ends_minute"),
        quota=read.whole_number("quota"),
        slug=read.text("slug").lower(),
        text=shared.gathered(values, "text"),
        city=shared.gathered(values, "city"),
        time_zone=read.text("time_zone"),
    )
    return meetup, read.problems


async def _new_meetup(request: Request) -> Response:
    base = render.absolute("/e/")
    if request.method != "POST":
        soon = (shared.now() + timedelta(days=14)).date()
        start = {
            "time_zone": "Asia/Shanghai",
            "day": soon.isoformat(),
            "starts_minute": "19:00",
            "ends_minute": "21:00",
            "quota": "30",
        }
        return await render.page(request, NewMeetup(base=base, values=start))
    values = shared.typed_values(await forms.form_data(request))
    meetup, problems = _read(values)
    publish = values.get("act") == "publish"
    try:
        if values.get("act") not in ("publish", "draft"):
            problems["act"] = Problem(Code.NOT_A_CHOICE)
        if problems:
            raise Invalid({**meetup.problems(), **problems})
        slug = await meetups.create(
            actor=await signin.actor_of(request), meetup=meetup, at=shared.now(), publish=publish
        )
    except Invalid as refusal:
        found = shared.at_boxes(refusal.fields, ("name", "city", "place", "text"))
        return await render.page(request, NewMeetup(base=base, values=values, problems=found), 422)
    done = "published" if publish else "created"
    return render.see_other(render.with_query(render.url("events.desk", slug=slug), done=done))


ROUTES: list[Entry] = [
    admin("/events/new/meetup", _new_meetup, "events.new_meetup", ("GET", "POST")),
]
