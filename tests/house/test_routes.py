"""Every route names its access rule, once; nothing reaches a handler past it."""

from __future__ import annotations

import importlib
import pkgutil
from enum import StrEnum

from starlette.routing import Route, WebSocketRoute

import main
from events.rules import Permission
from kernel.errors import Code
from kernel.settings import Settings

ACCESS = {"public", "signed-in", "admin", "development"} | {
    f"event:{permission}" for permission in Permission
}
PACKAGES = ("kernel", "web", "people", "events", "agenda", "volunteers", "assets", "checkin")


def test_every_route_has_a_known_access_rule_and_one_name() -> None:
    entries = main.entries()
    assert {entry.access for entry in entries} <= ACCESS
    names = [entry.name for entry in entries]
    assert sorted(names) == sorted(set(names))
    keys = [(entry.path, method) for entry in entries for method in entry.methods]
    assert sorted(keys) == sorted(set(keys))


def test_every_event_route_opens_the_event() -> None:
    for entry in main.entries():
        if "{slug}" in entry.path:
            assert entry.access.startswith("event:") or entry.is_socket, entry.path


def test_unsafe_routes_that_anybody_may_use_are_few_and_known() -> None:
    unsafe = {
        entry.name
        for entry in main.entries()
        if "POST" in entry.methods and entry.access in ("public", "event:view_public")
    }
    assert unsafe == KNOWN_PUBLIC_WRITES


#: Everybody may do these without signing in; each has its own guard (limits, replay id, secret link).
KNOWN_PUBLIC_WRITES = {
    "web.language",
    "people.sign_in",
    "people.sign_in.code",
    "people.sign_in.link",
    "people.sign_out",
    "people.unsubscribe",
    "events.register",
    "events.register_group",
    "events.group",
    "events.group_act",
    "agenda.cfp.new",
    "agenda.cfp.edit",
    "agenda.cfp.join",
    "checkin.holder",
    "checkin.holder.change",
    "checkin.holder.cancel",
    "checkin.holder.offer",
    "checkin.holder.transfer",
    "checkin.holder.erasure",
    "checkin.holder.withdraw",
    "checkin.transfer",
    "checkin.claim_taken",
    "events.partner_people",
    "events.partner_cancel",
    "checkin.api.pair",
    "checkin.api.phone_test",
    "checkin.api.phone_test_scan",
    "checkin.api.device_seen",
    "checkin.api.device_leftovers",
    # The speaker's link, sign-in, or the right to enter talks for them (agenda.speaker_door).
    "agenda.speaker.open",
    "agenda.speaker.profile",
    "agenda.speaker.visit",
    "agenda.speaker.renewal",
    "agenda.speaker.talk",
    "agenda.speaker.answer",
    "agenda.speaker.slides",
    "agenda.speaker.removal",
}


def test_the_application_serves_exactly_these_entries() -> None:
    app = main.create_app(Settings.from_env({}, secret_key="k" * 40), workers=False)
    served = {route.name for route in app.routes if isinstance(route, (Route, WebSocketRoute))}
    assert served == {entry.name for entry in main.entries()}
    assert len(served) == len(app.routes)


def test_every_code_has_words_in_both_languages() -> None:
    """Walks every StrEnum whose members are refusals or problems, in every package."""
    from web import i18n, render

    main.create_app(Settings.from_env({}, secret_key="k" * 40), workers=False)
    missing = []
    walked = 0
    for package in PACKAGES:
        for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            module = importlib.import_module(info.name)
            for item in vars(module).values():
                if not (
                    isinstance(item, type) and issubclass(item, StrEnum) and item.__module__ == info.name
                ):
                    continue
                if not (item is Code or item.__name__.endswith(("Code", "Problem", "Trouble"))):
                    continue
                if item.__name__ == "VerdictCode":
                    continue  # walked by tests/rules/test_judge.py, with its own words
                walked += 1
                for member in item:
                    source = render.known_words().get(member.value)
                    if source is None:
                        missing.append(f"{item.__name__}.{member.name} has no words")
                    elif i18n.gettext_in("zh-Hans", source) == source:
                        missing.append(f"{item.__name__}.{member.name} has no Chinese words")
    assert missing == []
    assert walked >= 4
