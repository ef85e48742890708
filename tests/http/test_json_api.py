"""The JSON API through the application, as a program with an API token: rights, writes sent twice, pages, contacts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.applications import Starlette

import main
from events import questions, registrations
from events.answers import Extras
from events.form_rules import ConsentDetails, QuestionDetails
from events.models import AccessCode, Event, Invitation, Registration, RegistrationGroup, TicketType
from events.rules import Contact, FieldKind, Permission, RegistrationSource
from kernel.actor import Actor, ActorKind
from kernel.db import stats, unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import api_tokens
from people.models import Account, JournalEntry, Letter
from tests.factories import (
    NOW,
    make_account,
    make_event,
    make_registration,
    make_role,
    make_shared_quota,
    make_ticket_type,
)
from tests.http.desk_house import browser_of

BASE = "http://127.0.0.1:8000"
EVERYTHING = [str(one) for one in Permission]


@dataclass
class Api:
    """An event of three places, and a program of its owner."""

    app: Starlette
    event: Event
    general: TicketType
    owner: Account
    client: httpx2.AsyncClient

    def path(self, path: str) -> str:
        return f"/e/{self.event.slug}/api/{path}"

    async def get(self, path: str, **params: Any) -> httpx2.Response:
        return await self.client.get(self.path(path), params=params or None)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.client.post(self.path(path), json=body, headers=headers)

    async def patch(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.client.patch(self.path(path), json=body, headers=headers)

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.post(path, {"id": str(uuid4())} | body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, *scopes: Permission, account: Account | None = None) -> dict[str, str]:
        """The header of another program, cut down to these permissions."""
        of = account or self.owner
        token = await api_tokens.create(
            actor=Actor(kind=ActorKind.ACCOUNT, id=of.id),
            name="x",
            scopes=[str(scope) for scope in scopes],
            event_id=None,
            days=1,
            form_id=uuid4(),
            at=datetime.now(UTC),
        )
        return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def api(database: Settings) -> AsyncIterator[Api]:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon")
    general = await make_ticket_type(event, "general", is_walk_in=True)
    owner = await make_account("owner@example.org", name="林组织")
    await make_role(event, owner, "owner")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=BASE, headers={"accept-language": "en"}
    ) as client:
        made = Api(app, event, general, owner, client)
        client.headers.update(await made.token(*Permission))
        yield made


def person(api: Api, **more: Any) -> dict[str, Any]:
    return {"ticket_type_id": api.general.id, "name": "林小满", "email": "lin@example.org"} | more


async def lines(verb: str) -> list[JournalEntry]:
    return await JournalEntry.filter(verb=verb).order_by("id")


# --- the document ------------------------------------------------------------------------------------------------


async def test_the_document_is_for_everybody_and_asked_for_once(api: Api) -> None:
    del api.client.headers["authorization"]
    first = await api.client.get("/api/openapi.json")
    assert first.status_code == 200
    assert first.json()["openapi"].startswith("3.1")
    assert first.json()["servers"] == [{"url": BASE}]
    again = await api.client.get("/api/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- registrations -----------------------------------------------------------------------------------------------


async def test_a_registration_is_made_once_however_often_it_is_sent(api: Api) -> None:
    body = person(api, id=str(uuid4()), phone="13812345678", organisation="某某大学")
    first, again = await api.post("registrations", body), await api.post("registrations", body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert await Registration.all().count() == 1
    assert await Letter.filter(to_email="lin@example.org").count() == 1
    other = await api.post("registrations", body | {"name": "陈小暑"})
    assert (other.status_code, other.json()["code"]) == (409, "replay_mismatch")
    assert await Registration.all().count() == 1
    (line,) = await lines("registration.register")
    assert line.actor_key == f"account:{api.owner.id}"


async def test_the_header_is_as_good_as_the_body_and_one_of_them_is_needed(api: Api) -> None:
    key = str(uuid4())
    answers = [await api.post("registrations", person(api), **{"idempotency-key": key}) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert await Registration.all().count() == 1
    none = await api.post("registrations", person(api))
    assert (none.status_code, none.json()["fields"]["id"]["code"]) == (422, "required")
    wrong = await api.post("registrations", person(api), **{"idempotency-key": "again"})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["Idempotency-Key"])


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"name": ""}, "name"),
        ({"email": ""}, "email"),
        ({"email": "lin"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"ticket_type_id": "1"}, "ticket_type_id"),
        ({"ticket_type_id": 2**63}, "ticket_type_id"),
        ({"locale": "tlh"}, "locale"),
        ({"nmae": "x"}, "nmae"),
        ({"organisation": "a\0b"}, "organisation"),
    ],
)
async def test_a_wrong_key_is_named(api: Api, more: dict[str, Any], where: str) -> None:
    answer = await api.post("registrations", person(api, id=str(uuid4())) | more)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert where in answer.json()["fields"]
    assert await Registration.all().count() == 0


async def test_a_full_or_unknown_ticket_type_is_said(api: Api) -> None:
    full = await make_ticket_type(api.event, "full", quota=0)
    for number, status, code in ((full.id, 409, "ticket_type_full"), (999, 404, "ticket_type_unknown")):
        answer = await api.post("registrations", person(api, id=str(uuid4()), ticket_type_id=number))
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_contacts_are_half_hidden_until_they_are_asked_for_and_that_is_written_down(api: Api) -> None:
    made = await api.made("registrations", **person(api, phone="13812345678", external_code="T-1"))
    assert (made["email"], made["phone"]) == ("l***@example.org", "+86 138****5678")
    assert (made["has_contacts"], made["external_code"]) == (False, None)
    listed = (await api.get("registrations")).json()["registrations"]
    assert listed == [{key: value for key, value in made.items() if key != "answers"}]
    assert await lines("registration.look") == []

    whole = (await api.get("registrations", contacts="true")).json()["registrations"]
    assert [(one["email"], one["phone"], one["external_code"]) for one in whole] == [
        ("lin@example.org", "+8613812345678", "T-1")
    ]
    one = (await api.get(f"registrations/{made['id']}", contacts="true")).json()
    assert one["email"] == "lin@example.org"
    looks = await lines("registration.look")
    assert [(line.object_kind, line.object_id, line.new) for line in looks] == [
        ("event", api.event.id, {"count": 1}),
        ("registration", made["id"], {"count": 1}),
    ]


async def test_contacts_take_a_permission_of_their_own(api: Api) -> None:
    await api.made("registrations", **person(api))
    api.client.headers.update(await api.token(Permission.SEE_REGISTRATIONS))
    assert (await api.get("registrations")).status_code == 200
    for path in ("registrations", "groups"):
        assert (await api.get(path, contacts="true")).status_code == 403
    # The pages hide them from such a program, too.
    number = (await Registration.all().first()).id  # type: ignore[union-attr]
    for page in ("registrations", "registrations?contacts=1", f"registrations/{number}"):
        text = (await api.client.get(f"/e/coscon/desk/{page}")).text
        assert "l***@example.org" in text
        assert "lin@example.org" not in text
    assert await lines("registration.look") == []


async def test_answers_marked_personal_follow_the_contacts(api: Api) -> None:
    actor = Actor(kind=ActorKind.ACCOUNT, id=api.owner.id)
    ids = {}
    for code, is_personal in (("shirt", False), ("allergy", True)):
        ids[code] = await questions.add(
            actor=actor,
            event_id=api.event.id,
            details=QuestionDetails(
                code=code, kind=FieldKind.LINE, label=LocalizedText({"en": code}), is_personal=is_personal
            ),
            at=NOW,
        )
    number = await registrations.register(
        event_id=api.event.id,
        ticket_type_id=api.general.id,
        contact=Contact(name="林小满", email="lin@example.org"),
        source=RegistrationSource.ORGANISER,
        locale="en",
        at=NOW,
        extras=Extras(answers={ids["shirt"]: "L", ids["allergy"]: "花生"}),
    )
    assert (await api.get(f"registrations/{number}")).json()["answers"] == {"shirt": "L"}
    whole = (await api.get(f"registrations/{number}", contacts="true")).json()
    assert whole["answers"] == {"shirt": "L", "allergy": "花生"}


async def test_a_list_goes_on_by_its_cursor_and_loses_nobody(api: Api) -> None:
    rows = [await make_registration(api.event, api.general) for _ in range(5)]
    await make_registration(await make_event("other"), await make_ticket_type(await make_event()))
    found: list[int] = []
    cursor: str | None = ""
    for _ in range(3):
        page = (await api.get("registrations", limit=2, cursor=cursor)).json()
        assert page["total"] == 5
        found += [one["id"] for one in page["registrations"]]
        cursor = page["next"]
    assert cursor is None
    assert found == [row.id for row in rows]
    late = await make_registration(api.event, api.general)
    page = (await api.get("registrations", cursor=str(rows[-1].id))).json()
    assert [one["id"] for one in page["registrations"]] == [late.id]


async def test_a_list_is_narrowed_and_a_wrong_filter_is_told(api: Api) -> None:
    vip = await make_ticket_type(api.event, "vip")
    lin = await make_registration(api.event, api.general, name="林小满")
    gone = await make_registration(api.event, vip, name="陈小暑", state="cancelled")
    for params, ids in (
        ({"q": "小满"}, [lin.id]),
        ({"state": "cancelled"}, [gone.id]),
        ({"ticket_type_id": vip.id}, [gone.id]),
        ({"q": "%"}, []),
        ({"q": "nobody\0"}, None),
        ({"state": "gone"}, None),
        ({"limit": "0"}, None),
        ({"cursor": "x"}, None),
    ):
        answer = await api.get("registrations", **params)
        if ids is None:
            assert answer.status_code == 422, params
            assert list(answer.json()["fields"]) == list(params)
        else:
            assert [one["id"] for one in answer.json()["registrations"]] == ids, params


async def test_a_change_touches_what_is_sent_and_nothing_else(api: Api) -> None:
    vip = await make_ticket_type(api.event, "vip", quota=1)
    made = await api.made("registrations", **person(api, organisation="某某大学", external_id="E-1"))
    path = f"registrations/{made['id']}"
    changed = (await api.patch(path, {"name": "林大满", "ticket_type_id": vip.id})).json()
    assert (changed["name"], changed["organisation"], changed["external_id"]) == ("林大满", "某某大学", "E-1")
    assert changed["ticket_type_id"] == vip.id
    row = await Registration.get(id=made["id"])
    assert row.email == "lin@example.org"
    cleared = (await api.patch(path, {"external_id": "", "organisation": ""})).json()
    assert (cleared["external_id"], cleared["organisation"]) == (None, "")

    other = await api.made("registrations", **person(api, name="陈小暑"))
    full = await api.patch(f"registrations/{other['id']}", {"name": "x", "ticket_type_id": vip.id})
    assert (full.status_code, full.json()["code"]) == (409, "ticket_type_full")
    assert (await Registration.get(id=other["id"])).name == "陈小暑"


async def test_a_registration_is_cancelled_and_restored(api: Api) -> None:
    made = await api.made("registrations", **person(api))
    path = f"registrations/{made['id']}"
    key = {"idempotency-key": str(uuid4())}
    for _ in range(2):
        gone = await api.post(f"{path}/cancellation", **key)
        assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    again = await api.post(f"{path}/cancellation")
    assert (again.status_code, again.json()["code"]) == (409, "already_cancelled")
    back = await api.post(f"{path}/restoration")
    assert (back.status_code, back.json()["state"]) == (200, "confirmed")
    assert len(await lines("registration.cancel")) == 1


async def test_applications_are_decided_in_bulk(api: Api) -> None:
    rows = [await make_registration(api.event, api.general, state="pending") for _ in range(3)]
    ids = [row.id for row in rows]
    async with unit_of_work():
        await TicketType.filter(id=api.general.id).update(taken=3)
    body = {"id": str(uuid4()), "registration_ids": ids[:2], "approve": True}
    for _ in range(2):
        assert (await api.post("decisions", body)).json() == {"decided": 2}
    no = {"id": str(uuid4()), "registration_ids": ids, "approve": False, "reason": "满了"}
    assert (await api.post("decisions", no)).json() == {"decided": 1}
    states = [row.state for row in await Registration.filter(id__in=ids).order_by("id")]
    assert states == ["confirmed", "confirmed", "declined"]
    many = await api.post("decisions", no | {"id": str(uuid4()), "registration_ids": list(range(1, 52))})
    assert many.status_code == 422


async def test_the_waiting_list_says_whose_turn_it_is(api: Api) -> None:
    for number in range(2):
        await make_registration(
            api.event, api.general, state="waitlisted", name=f"候补{number}", waiting_since=NOW
        )
    found = (await api.get("waiting-list", ticket_type_id=api.general.id)).json()["waiting"]
    assert [(one["name"], one["place"]) for one in found] == [("候补0", 1), ("候补1", 2)]
    assert (await api.get("waiting-list", ticket_type_id=2**62)).json() == {"waiting": []}


# --- groups and partners -----------------------------------------------------------------------------------------


async def test_groups_are_listed_without_their_leaders_address(api: Api) -> None:
    async with unit_of_work():
        await RegistrationGroup.create(
            event_id=api.event.id,
            kind="group",
            name="三班",
            contact_name="王老师",
            contact_email="wang@example.org",
            taken=2,
            created_at=NOW,
        )
    (group,) = (await api.get("groups")).json()["groups"]
    assert (group["name"], group["contact_email"], group["people"]) == ("三班", "w***@example.org", 2)
    (group,) = (await api.get("groups", contacts="true")).json()["groups"]
    assert group["contact_email"] == "wang@example.org"
    assert len(await lines("registration.look")) == 1


async def test_a_partners_link_is_made_once_and_opens(api: Api) -> None:
    body = {
        "id": str(uuid4()),
        "name": "开源社",
        "ticket_type_id": api.general.id,
        "quota": 20,
        "valid_until": "2030-01-01T00:00:00+08:00",
    }
    made = [await api.post("partner-links", body) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    link = made[0].json()
    assert (link["quota"], link["taken"], link["valid_until"]) == (20, 0, "2029-12-31T16:00:00Z")
    assert (await api.get("partner-links")).json() == {"links": [link]}
    async with browser_of(api.app) as partner:
        assert (await partner.get(link["url"].removeprefix(BASE))).status_code == 303
    for more, where in (
        ({"quota": 0}, "quota"),
        ({"ticket_type_id": 999}, "ticket_type_id"),
        ({"contact_email": "x"}, "contact_email"),
        ({"valid_until": "2030-01-01T00:00:00"}, "valid_until"),
        ({"valid_until": "9999-12-31T23:59:59-14:00"}, "valid_until"),
    ):
        wrong = await api.post("partner-links", body | {"id": str(uuid4())} | more)
        assert (wrong.status_code, list(wrong.json()["fields"])) == (422, [where])


# --- what organisers set up --------------------------------------------------------------------------------------


async def test_ticket_types_are_made_and_changed(api: Api) -> None:
    pool = await make_shared_quota(api.event, 5)
    made = await api.made("ticket-types", code="vip", name={"zh-Hans": "贵宾票", "en": "VIP"}, quota=3)
    assert (made["quota"], made["free"], made["is_public"]) == (3, 3, True)
    path = f"ticket-types/{made['id']}"
    changed = (
        await api.patch(path, {"quota": None, "shared_quota_id": pool.id, "has_waitlist": True})
    ).json()
    assert (changed["quota"], changed["free"], changed["has_waitlist"]) == (None, 5, True)
    assert (changed["code"], changed["name"]) == ("vip", {"zh-Hans": "贵宾票", "en": "VIP"})
    listed = (await api.get("ticket-types")).json()["ticket_types"]
    assert changed in listed
    assert len(listed) == 2
    taken = await api.post("ticket-types", {"id": str(uuid4()), "code": "vip", "name": {"en": "x"}})
    assert (taken.status_code, taken.json()["fields"]["code"]["code"]) == (422, "ticket_code_taken")
    elsewhere = await make_ticket_type(await make_event("other"))
    assert (await api.patch(f"ticket-types/{elsewhere.id}", {"quota": 1})).status_code == 404


async def test_changes_at_once_do_not_undo_each_other(api: Api) -> None:
    changes: list[dict[str, Any]] = [
        {"quota": 50},
        {"is_public": False},
        {"needs_approval": True},
        {"has_waitlist": True},
        {"door_note": {"en": "Red lanyard"}},
        {"position": 7},
    ]
    path = f"ticket-types/{api.general.id}"
    answers = await asyncio.gather(*(api.patch(path, change) for change in changes))
    assert [one.status_code for one in answers] == [200] * len(changes)
    (now,) = (await api.get("ticket-types")).json()["ticket_types"]
    for change in changes:
        assert {name: now[name] for name in change} == change


async def test_shared_quotas_are_made_and_changed(api: Api) -> None:
    made = await api.made("shared-quotas", name={"en": "Seats"}, quota=5)
    changed = (await api.patch(f"shared-quotas/{made['id']}", {"quota": 6})).json()
    assert changed == made | {"quota": 6}
    assert (await api.get("shared-quotas")).json() == {"shared_quotas": [changed]}
    assert (await api.patch("shared-quotas/999", {"quota": 6})).status_code == 404


async def test_access_codes_are_made_changed_and_paged(api: Api) -> None:
    made = await api.made("access-codes", code="vip 2023", ticket_type_ids=[api.general.id], max_uses=2)
    assert (made["code"], made["used"], made["is_active"]) == ("VIP2023", 0, True)
    changed = (await api.patch(f"access-codes/{made['id']}", {"is_active": False})).json()
    assert changed == made | {"is_active": False}
    async with unit_of_work():
        for number in range(120):
            await AccessCode.create(event_id=api.event.id, code=f"C{number}", created_at=NOW)
    first = (await api.get("access-codes")).json()
    second = (await api.get("access-codes", cursor=first["next"])).json()
    assert (first["total"], len(first["access_codes"]), len(second["access_codes"])) == (121, 100, 21)
    assert second["next"] is None
    beyond = (await api.get("access-codes", cursor="3")).json()
    assert beyond["access_codes"] == []
    assert [one["code"] for one in (await api.get("access-codes", q="vip")).json()["access_codes"]] == [
        "VIP2023"
    ]


async def test_questions_consents_sites_and_pages_are_read(api: Api) -> None:
    actor = Actor(kind=ActorKind.ACCOUNT, id=api.owner.id)
    await questions.add(
        actor=actor,
        event_id=api.event.id,
        details=QuestionDetails(code="shirt", kind=FieldKind.LINE, label=LocalizedText({"en": "Shirt"})),
        at=NOW,
    )
    await questions.add_consent(
        actor=actor,
        event_id=api.event.id,
        details=ConsentDetails(code="photos", title=LocalizedText({"en": "Photos"})),
        at=NOW,
    )
    assert [one["code"] for one in (await api.get("questions")).json()["questions"]] == ["shirt"]
    assert [(one["code"], one["version"]) for one in (await api.get("consents")).json()["consents"]] == [
        ("photos", 1)
    ]
    assert (await api.get("sites")).json() == {"sites": []}
    assert (await api.get("pages")).json() == {"pages": []}


async def test_a_reminder_is_changed_by_its_days(api: Api) -> None:
    found = (await api.get("reminders")).json()["reminders"]
    assert [one["days_before"] for one in found] == [7, 1]
    changed = await api.patch("reminders/7", {"is_on": False, "subject": {"en": "Soon: {event}"}})
    assert (changed.json()["is_on"], changed.json()["subject"]) == (False, {"en": "Soon: {event}"})
    assert changed.json()["text"] == found[0]["text"]
    assert (await api.patch("reminders/3", {"is_on": False})).status_code == 404
    wrong = await api.patch("reminders/7", {"subject": {"en": "{nobody}"}})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["subject"])


# --- the team ----------------------------------------------------------------------------------------------------


async def test_the_team_and_its_invitations(api: Api) -> None:
    team = (await api.get("team")).json()
    assert [(one["email"], one["role"]) for one in team["members"]] == [("owner@example.org", "owner")]
    scanner = next(one for one in team["roles"] if one["role"] == "scanner")
    assert "scan" in scanner["permissions"]
    assert scanner["scopes"] == ["checkpoint", "site"]

    body = {"id": str(uuid4()), "email": "Gate@Example.org", "role": "scanner"}
    made = [await api.post("invitations", body) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert await Letter.filter(to_email="gate@example.org").count() == 1
    invitation = made[0].json()
    assert (await api.get("invitations")).json() == {"invitations": [invitation]}
    again = await api.post("invitations", body | {"id": str(uuid4())})
    assert (again.status_code, again.json()["fields"]["email"]["code"]) == (422, "invitation_open")
    scope = await api.post(
        "invitations", body | {"id": str(uuid4()), "scopes": [{"kind": "checkpoint", "id": 999}]}
    )
    assert (scope.status_code, list(scope.json()["fields"])) == (422, ["scopes"])

    path = f"invitations/{invitation['id']}/revocation"
    for _ in range(2):
        assert (await api.post(path)).status_code == 200
    assert (await Invitation.get(id=invitation["id"])).revoked_at is not None
    assert (await api.get("invitations")).json() == {"invitations": []}
    assert len(await lines("invitation.revoke")) == 1


async def test_the_journal_goes_on_by_its_cursor(api: Api) -> None:
    for number in range(3):
        await api.made("registrations", **person(api, name=f"来宾{number}"))
    first = (await api.get("journal", verb="registration.register", limit=2)).json()
    rest = (await api.get("journal", verb="registration.register", limit=2, cursor=first["next"])).json()
    ids = [line["id"] for line in [*first["lines"], *rest["lines"]]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), rest["next"]) == (3, None)
    assert first["lines"][0]["actor_name"] == "林组织"
    assert first["lines"][0]["new"] == {"ticket_type_id": api.general.id, "source": "organiser"}
    assert (await api.get("journal", since="yesterday")).status_code == 422
    assert (await api.get("journal", until="1999-12-31")).json()["lines"] == []


async def test_the_numbers_name_nobody(api: Api) -> None:
    await make_registration(api.event, api.general, name="林小满", organisation="某某大学")
    found = (await api.get("statistics")).json()
    assert found["by_state"] == {"confirmed": 1}
    assert [(one["code"], one["confirmed"]) for one in found["types"]] == [("general", 1)]
    assert "林小满" not in str(found)
    assert (await api.get("statistics", site="999")).status_code == 404


# --- at the door -------------------------------------------------------------------------------------------------


async def test_a_walk_in_takes_a_name_and_gives_a_passport(api: Api) -> None:
    body = {"id": str(uuid4()), "name": "路人甲", "ticket_type_id": api.general.id}
    made = [(await api.post("walk-ins", body)).json() for _ in range(2)]
    assert made[0]["registration_id"] == made[1]["registration_id"]
    assert re.fullmatch(r"[0-9A-Z]{8}", made[0]["short_code"])
    assert await Registration.filter(source="walk_in").count() == 1
    async with browser_of(api.app) as phone:
        assert (await phone.get(made[0]["claim_url"].removeprefix(BASE))).status_code == 200
    online = await make_ticket_type(api.event, "online", is_online=True)
    wrong = await api.post("walk-ins", body | {"id": str(uuid4()), "ticket_type_id": online.id})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["ticket_type_id"])


async def test_a_scanners_program_gives_only_what_its_desk_gives(api: Api) -> None:
    scanner = await make_account("gate@example.org")
    await make_role(api.event, scanner, "scanner")
    vip = await make_ticket_type(api.event, "vip")
    api.client.headers.update(await api.token(Permission.WALK_IN, account=scanner))
    for ticket_type, status in ((vip, 422), (api.general, 201)):
        body = {"id": str(uuid4()), "name": "路人甲", "ticket_type_id": ticket_type.id}
        assert (await api.post("walk-ins", body)).status_code == status
    assert (await api.get("registrations")).status_code == 403


# --- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "registrations",
        "registrations?contacts=true",
        "waiting-list",
        "groups",
        "partner-links",
        "ticket-types",
        "shared-quotas",
        "access-codes",
        "team",
        "invitations",
        "journal",
    ],
)
async def test_three_rows_cost_what_one_costs(api: Api, path: str) -> None:
    async def grow() -> None:
        await make_registration(api.event, api.general)
        await make_registration(api.event, api.general, state="waitlisted")
        await make_shared_quota(api.event, 5)
        await api.made("access-codes", code=uuid4().hex[:8], ticket_type_ids=[api.general.id])
        await api.made("partner-links", name="x", ticket_type_id=api.general.id, quota=1)
        await api.made("invitations", email=f"{uuid4().hex[:8]}@example.org", role="viewer")
        await make_ticket_type(api.event)
        async with unit_of_work():
            await RegistrationGroup.create(event_id=api.event.id, kind="group", name="x", created_at=NOW)

    async def cost() -> int:
        before = stats.statements
        assert (await api.get(path)).status_code == 200
        return stats.statements - before

    await grow()
    await cost()
    one = await cost()
    for _ in range(2):
        await grow()
    assert await cost() == one
    assert bool(await lines("registration.look")) is ("contacts" in path)


async def test_a_browser_may_not_write_from_elsewhere(api: Api) -> None:
    async with browser_of(api.app, api.owner, **{"sec-fetch-site": "cross-site"}) as browser:
        answer = await browser.post(api.path("registrations"), json=person(api, id=str(uuid4())))
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert await Registration.all().count() == 0
