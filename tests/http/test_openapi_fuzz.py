"""Schemathesis over the OpenAPI document: whatever is sent, no 500, no status and no shape that is not documented.

In process, as the owner of a small event whose API token names every permission. Bounded and with a fixed seed, so
that a failure is the same failure tomorrow. Half of the requests name objects that are there, so that what is
answered to a good request is looked at, too: the test ends by asking that every operation was done at least once.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import main
from agenda import calls, cfp_queries, joining, proposals, resources, speaker_letters, speakers
from agenda.letter_rules import Occasion
from agenda.models import ProposalComment, ProposalSpeaker, Review, ReviewCriterion, Speaker
from agenda.proposal_rules import Who
from agenda.proposals import Draft
from agenda.speaker_letters import Telling
from checkin import notes, pairings, passports, phone_tests, printing, scanning
from checkin.offline_rules import Local
from checkin.scanning import ScanEntry
from events import access, questions, registrations, tickets
from events.form_rules import QuestionDetails
from events.models import Event, Invitation, Registration, RegistrationGroup, RegistrationImport
from events.rules import Contact, FieldKind, Permission, RegistrationSource
from events.ticket_rules import SharedQuotaDetails
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import api_tokens
from tests.actions.test_review_queries import make_phase, make_proposal
from tests.factories import (
    make_access_code,
    make_account,
    make_checkpoint,
    make_event,
    make_place,
    make_role,
    make_ticket_type,
)
from tests.http.review_house import make_review
from tests.programme_house import make_speaker, make_talk

BASE = "http://127.0.0.1:8000"
#: Requests to each operation that fit the document, and that don't.
EXAMPLES = {GenerationMode.POSITIVE: 11, GenerationMode.NEGATIVE: 5}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = sorted(
    (method, re.sub(r":[a-z]+", "", entry.path))
    for entry in main.entries()
    if entry.api is not None
    for method in entry.methods
)

#: What a paired phone alone may ask.
DEVICES_OWN = ("/api/device", "/api/device/seen", "/api/device/leftovers", "/api/snapshot/names")
#: Bodies that programs with a fault in them send, and people without good intent.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"name=x",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "half a surrogate": b'{"name": "\\ud800", "code": "\\udfff"}',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1" * 400,
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"name":' * 5_000 + b"1" + b"}" * 5_000,
    "not a number": b'{"quota": NaN, "ticket_type_id": Infinity, "checkpoint": 1e400}',
    "twice": b'{"id": 1, "id": 2}',
}
#: Values that are put into every key of a good body, one at a time.
VALUES: dict[str, Any] = {
    "a NUL": "a\0b",
    "a long text": "x" * 50_000,
    "a large number": 2**63,
    "larger": 10**30,
    "below nothing": -(2**63),
    "digits of another script": "１２３",
    "an override of the direction": "\u202eabc\u2066",
    "before the calendar": "0001-01-01T00:00:00+14:00",
    "after the calendar": "9999-12-31T23:59:59-14:00",
    "a fraction": 0.1,
    "many": ["x"] * 2_000,
    "texts": {"zh-Hans": "a\0b", "\0": "x", "": "y"},
    "nothing": None,
    "yes": True,
}
QUERIES = (
    "q=%00&state=%00&cursor=%00&ticket_type_id=%00&limit=%00&site=%00&actor=%00&verb=%00&kind=%00&since=%00",
    "q=%FF%FE&state=%FF&cursor=%EF%BC%91&ticket_type_id=%EF%BC%91&limit=%EF%BC%91&site=%EF%BC%91&object_id=%EF%BC%91",
    "cursor=999999999999999999&ticket_type_id=9223372036854775807&object_id=9223372036854775807&site=9223372036854775807",
    "cursor=9999999999999999999&ticket_type_id=9223372036854775808&limit=1e3&object_id=-1&site=-1",
    "since=0001-01-01&until=9999-12-31",
    "since=9999-12-31",
    "q=%25%5C%5F%27%22--%3B&contacts=maybe&contacts[]=1&cursor=&limit=",
    "q=" + "%F0%9F%98%80" * 400,
)


@dataclass
class House:
    client: httpx2.AsyncClient
    schema: Any
    headers: dict[str, str]
    #: What stands in paths, and in bodies, when a request means something that is there.
    params: dict[str, Any]
    body: dict[str, Any]
    #: A paired phone's own, for what only one of those may ask.
    device: dict[str, str]
    #: A code that waits for a phone, and a scan that a phone had answered otherwise.
    pairing: str
    conflict: str
    seen: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def address(self, path: str) -> str:
        return path.format(**self.params)

    def body_of(self, method: str, path: str) -> dict[str, Any]:
        """The schema of an operation's body; empty where none is read."""
        said = self.schema.raw_schema["paths"][path][method.lower()].get("requestBody")
        if said is None:
            return {}
        name = said["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        return dict(self.schema.raw_schema["components"]["schemas"][name])


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    app = main.create_app(database, workers=False)
    at = datetime.now(UTC)
    event = await make_event("coscon", starts_on=at.date(), ends_on=at.date() + timedelta(days=2))
    account = await make_account("owner@example.org")
    await make_role(event, account, "owner")
    actor = Actor(kind=ActorKind.ACCOUNT, id=account.id, email=account.email)
    general = await make_ticket_type(event, "general", is_walk_in=True)
    spare = await make_ticket_type(event, "spare")
    code = await make_access_code(event, general)
    shared = await tickets.add_shared_quota(
        actor=actor,
        event_id=event.id,
        details=SharedQuotaDetails(name=LocalizedText({"en": "Seats"}), quota=500),
        at=at,
    )
    await questions.add(
        actor=actor,
        event_id=event.id,
        details=QuestionDetails(code="shirt", kind=FieldKind.LINE, label=LocalizedText({"en": "Shirt"})),
        at=at,
    )
    registration = await registrations.register(
        event_id=event.id,
        ticket_type_id=general.id,
        contact=Contact(name="林小满", email="lin@example.org", phone="+8613812345678"),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=at,
        actor=actor,
    )
    room = await make_place(event, "hall", kind="room")
    checkpoint = await make_checkpoint(event)
    await make_checkpoint(event, kind="session", place_id=room.id, once="session")
    passport = (await passports.by_registration([registration]))[registration]
    scan_id = uuid4()
    door = await access.open_event(actor, event.slug, Permission.SCAN)
    await scanning.scan(door=door, entry=ScanEntry(scan_id, passport.short_code, checkpoint.id), at=at)
    await notes.leave(
        actor=actor,
        event_id=event.id,
        passport_id=passport.id,
        text=LocalizedText({"en": "Note"}),
        attention=False,
        at=at,
    )
    [note] = await notes.of(passport.id)
    station = await printing.save(
        actor=actor, event_id=event.id, station_id=None, name="Desk", layout=printing.Layout(), at=at
    )
    async with unit_of_work():
        group = await RegistrationGroup.create(
            event_id=event.id, kind="group", name="X", contact_email="lin@example.org", created_at=at
        )
        await Registration.filter(id=registration).update(group_id=group.id)
        listed = await RegistrationImport.create(
            event_id=event.id, upload_id=1, filename="x.csv", header_row=0, actor_key="x", created_at=at
        )
        speaker = await Speaker.create(
            event_id=event.id,
            code="LN2345",
            name={"en": "Lin"},
            availability=None,
            created_at=at,
            updated_at=at,
        )
        invitation = await Invitation.create(
            event_id=event.id,
            role="viewer",
            email="b@example.org",
            actor_key="x",
            created_at=at,
            expires_at=at,
        )
    proposal = await make_proposal(event)
    await make_phase(event, reach="all", others="always")
    async with unit_of_work():
        await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
        await Review.create(
            proposal_id=proposal.id, account_id=account.id, reason="Good", created_at=at, updated_at=at
        )
        comment = await ProposalComment.create(
            proposal_id=proposal.id, account_id=account.id, text="Hm", at=at
        )
    call = await _call(actor, event.id, at)
    review = await make_review(event, at)
    lead = await access.open_event(actor, event.slug, Permission.PAIR_DEVICES)
    wanted = pairings.Wanted(
        name="Gate",
        count=3,
        checkpoints=(checkpoint.id,),
        device_expires_at=at + timedelta(days=1),
        minutes=30,
        sees_names=True,
    )
    batch = await pairings.make(door=lead, wanted=wanted, form_id=uuid4(), at=at)
    first, second, third = await pairings.sheet(door=lead, batch=batch)
    phone = pairings.Phone(instance=uuid4())
    paired = await pairings.pair(event_id=event.id, code=first.fragment, phone=phone, at=at)
    # One that stays what it is, and speaks for itself; the other is changed and revoked by programs.
    own = await pairings.pair(event_id=event.id, code=second.fragment, phone=phone, at=at)
    let_in = ScanEntry(uuid4(), "NOBODY", checkpoint.id, local=Local.ADMITTED)
    await scanning.scan(door=door, entry=let_in, at=at)
    await phone_tests.make_links(door=lead, volunteers=(), at=at)
    [link] = await phone_tests.links(event.id, at)
    token = await api_tokens.create(
        actor=actor,
        name="fuzz",
        scopes=[str(one) for one in Permission],
        event_id=event.id,
        days=1,
        form_id=uuid4(),
        at=at,
    )
    headers = {"authorization": f"Bearer {token}"}
    letter = await _told(event, at)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        document = (await client.get("/api/openapi.json")).json()
        yield House(
            client,
            schemathesis.openapi.from_dict(document),
            headers,
            {
                "slug": "coscon",
                **review.params,
                "ticket_type_id": spare.id,
                "shared_quota_id": shared,
                "access_code_id": code.id,
                "registration_id": registration,
                "invitation_id": invitation.id,
                "checkpoint_id": checkpoint.id,
                "passport_id": passport.id,
                "scan_id": str(scan_id),
                "topic": f"rooms.{event.id}",
                "days": 7,
                "import_id": listed.id,
                "place_id": room.id,
                "device_id": paired.device_id,
                "secret": link.secret,
                **call,
                "code": proposal.code,
                "comment_id": comment.id,
                "speaker_code": speaker.code,
                "letter_id": letter,
                "own_code": call["code"],
            },
            {
                "session_type_id": call["session_type_id"],
                "forum_id": call["forum_id"],
                "producer_ids": [call["producer_id"]],
                "community_ids": [call["community_id"]],
                "type_ids": [call["session_type_id"]],
                "forum_ids": [call["forum_id"]],
                "codes": [call["code"]],
                "verb": "withdraw",
                "url": "https://example.org/slides",
                "content": "",
                "answers": {},
                "colour": "#00aa00",
                "languages": ["en"],
                "language": "en",
                "version": None,
                "ticket_type_id": general.id,
                "ticket_type_ids": [general.id],
                "registration_ids": [registration],
                "site_id": None,
                "checkpoint": checkpoint.id,
                "passport_id": passport.id,
                "members": [{"passport_id": passport.id}],
                "note": note.id,
                "station": station,
                "shared_quota_id": shared,
                "scopes": [],
                **review.body,
                "name": "林小满",
                "email": "someone@example.org",
                "contact_email": "",
                "phone": "",
                "instance": str(phone.instance),
                "count": 1,
                "checkpoints": [checkpoint.id],
                "until": None,
                "minutes": 30,
                "volunteers": [],
                "letter_ids": [letter],
                "subject": "Subject",
                "text": "Words",
                "seen": None,
            },
            device={"authorization": f"Bearer {own.token}"},
            pairing=third.code,
            conflict=str(let_in.scan_id),
        )


async def _told(event: Event, at: datetime) -> int:
    """A letter to a speaker that waits to be read, and a decision that waits to be released."""
    speaker = await make_speaker(event)
    await make_talk(event, speaker, pending_state="accepted", pending_at=at)
    made = await speaker_letters.draft(
        actor=SYSTEM,
        event_id=event.id,
        code=Occasion.DRAFT_REMINDER,
        tellings=[Telling(speaker_id=speaker.id)],
        at=at,
    )
    return made.letter_ids[0]


async def _call(actor: Actor, event_id: int, at: datetime) -> dict[str, Any]:
    """A call with one of everything, and a proposal that was handed in: what stands in its paths."""
    details = calls.CallDetails(is_published=True, proposals_at_most=100, speakers_at_most=20)
    await calls.set_up(actor=actor, event_id=event_id, details=details, at=at)
    name = LocalizedText({"en": "One"})
    known: dict[str, Any] = {"actor": actor, "event_id": event_id, "at": at}
    producer = await calls.put(details=calls.ProducerDetails(name=name), **known)
    community = await calls.put(details=calls.CommunityDetails(name=name), **known)
    forum = await calls.put(details=calls.ForumDetails(code="ai", name=name), **known)
    tag = await calls.put(details=calls.TagDetails(code="new", name=name), **known)
    kind = await calls.put(details=calls.TypeDetails(code="panel2", name=name, minutes=30), **known)
    code = await calls.put_code(details=calls.CodeDetails(code="LATE"), **known)
    at_hand = await proposals.world(event_id)
    assert at_hand is not None
    draft = Draft(
        title=name,
        abstract=name,
        session_type_id=kind,
        forum_id=forum,
        language="en",
        said=speakers.Said(name=name, bio=name),
        allows=(True, True, True),
    )
    number = await proposals.save(**known, at_hand=at_hand, draft=draft, form_id=uuid4(), locale="en")
    await proposals.submit(
        actor=actor, at_hand=at_hand, proposal_id=number, who=frozenset({Who.SPEAKER}), at=at
    )
    async with unit_of_work():
        other = await Speaker.create(event_id=event_id, code="OTHER2", created_at=at, updated_at=at)
        await ProposalSpeaker.create(proposal_id=number, speaker_id=other.id, joined_at=at)
    facts = await cfp_queries.find_proposal_by_id(number)
    assert facts is not None
    asked = await joining.invite(
        actor=actor, proposal=facts, email="along@example.org", locale="en", at_most=20, at=at
    )
    link = await resources.add(
        actor=actor,
        proposal_id=number,
        new=resources.NewResource(url="https://example.org/a"),
        at=at,
    )
    return {
        "code": facts.code,
        "session_type_id": kind,
        "forum_id": forum,
        "producer_id": producer,
        "community_id": community,
        "tag_id": tag,
        "call_code_id": code,
        "speaker_id": other.id,
        "join_id": asked,
        "resource_id": link,
    }


def _kwargs(house: House, case: Case[Any], *, honest: bool, short: bool) -> dict[str, Any]:  # noqa: PLR0912 -- a line for each oddity
    """The request of a case; an ``honest`` one means objects that are there, a ``short`` one sends what it must."""
    path = dict(case.path_parameters or {})
    known = house.params if honest else {"slug": "coscon"}
    case.path_parameters = path | {name: value for name, value in known.items() if name in path}
    if honest and "/api/proposals/{code}" in case.path:
        # One's own, which one may change and never review.
        case.path_parameters["code"] = house.params["own_code"]
    if honest and "/conflicts/" in case.path:
        case.path_parameters["scan_id"] = house.conflict
    asked = {name: house.params[name] for name in case.query or {} if name in house.params}
    if honest and asked:
        case.query = asked
    if honest and isinstance(case.body, dict):
        schema = house.body_of(case.method, case.path)
        needed = schema.get("required", ()) if short else case.body
        body = {name: value for name, value in case.body.items() if name in needed or name == "id"}
        if "id" in schema.get("properties", ()) and body.get("id") is None:
            # Whatever makes something needs one, here or in a header, which no schema says.
            body["id"] = str(uuid4())
        if "email" in schema.get("properties", ()):
            # An address or a phone suffices, which no schema says.
            body["email"] = house.body["email"]
        for name, value in house.body.items():
            if name in body:
                body[name] = {"zh-Hans": value} if isinstance(body[name], dict) else value
        if "code" in body and "checkpoint" not in body:
            body["code"] = house.pairing if case.path.endswith("/pair") else uuid4().hex[:12].upper()
        if case.path.endswith("/note"):
            body["text"] = {"en": "Note"}
        if "/api/reviews/" in case.path:
            # Criteria were added meanwhile: an abstention needs none of their points.
            said: dict[str, Any] = {"points": {}, "abstains": True, "answers": {}, "reason": "Good"}
            body |= said if "reason" in body else {}
            body.pop("version", None)
        if case.path.endswith("/review/plan"):
            # A forum without proposals: its plan is empty, and stays so whatever else is handed in.
            body["forum_id"] = 10**9
        if "/review/phases" in case.path:
            # Reviews are written afterwards, in whichever phase is active.
            body |= {"may_review": True, "reach": "all", "starts_at": None, "ends_at": None}
        if "opens_at" in body:
            body["opens_at"] = body["closes_at"] = None
        if "quota" in body:
            body["quota"] = 400
        if "external_id" in body or "external_code" in body:
            body |= {"external_id": "", "external_code": ""}
        case.body = body
    sent = case.as_transport_kwargs(base_url=BASE)
    request = {name: sent[name] for name in ("method", "url", "params", "json") if sent.get(name) is not None}
    headers = {str(name): str(value) for name, value in dict(sent.get("headers") or {}).items()}
    # Schemathesis draws tokens, too: those open nothing, and nothing is behind a 401.
    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    if sent.get("data") is not None:
        request["content"] = sent["data"] if isinstance(sent["data"], bytes) else str(sent["data"]).encode()
    own = honest and case.path.endswith(DEVICES_OWN)
    return {**request, "headers": headers | (house.device if own else house.headers)}


def _attempts(operation: Any, mode: GenerationMode, send: Callable[[Case[Any]], None]) -> Callable[[], None]:
    @hypothesis.seed(20231028)
    @hypothesis.settings(
        max_examples=EXAMPLES[mode],
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Case[Any]) -> None:
        send(case)

    return attempt


@pytest.mark.timeout(600)
async def test_nothing_that_is_sent_breaks_the_server(house: House) -> None:
    load_all_checks()
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    count = 0

    def send(case: Case[Any]) -> None:
        nonlocal count
        count += 1
        request = _kwargs(house, case, honest=count % 2 == 0, short=count % 4 == 0)
        response = asyncio.run_coroutine_threadsafe(house.client.request(**request), loop).result(30)
        house.seen[case.method, case.path, response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    def walk() -> None:
        for method, path in OPERATIONS:
            for mode in GenerationMode:
                try:
                    _attempts(house.schema[path][method], mode, send)()
                except hypothesis.errors.Unsatisfiable:
                    continue
                except Exception as error:  # noqa: BLE001 -- all of them are told together
                    failures.append(f"{method} {path} ({mode}):\n{error}"[:2500])

    await asyncio.to_thread(walk)
    assert "\n\n".join(failures) == ""
    done = {(method, path) for method, path, status in house.seen if status < 300}
    assert sorted(set(OPERATIONS) - done) == []
    assert not [one for one in house.seen if one[2] == 401]


@pytest.mark.timeout(600)
async def test_what_no_generator_thinks_of_is_refused_in_the_one_shape(house: House) -> None:
    wrong = []

    async def knock(method: str, path: str, what: str, **request: Any) -> None:
        answer = await house.client.request(
            method, path, headers=house.headers | request.pop("headers", {}), **request
        )
        told = answer.headers.get("content-type", "")
        if answer.status_code >= 500 or (
            answer.status_code >= 400 and not told.startswith("application/problem+json")
        ):
            wrong.append(f"{method} {path} with {what}: {answer.status_code} {told}")

    for method, path in OPERATIONS:
        here = house.address(path)
        for number, query in enumerate(QUERIES):
            await knock(method, f"{here}?{query}", f"query {number}")
        await knock(method, here, "a key that is none", headers={"idempotency-key": "no UUID"})
        for hole in ("%00", "%FF", "%EF%BC%91", "9" * 400, "-1", "..%2F.."):
            await knock(method, path.replace("{slug}", hole, 1), f"{hole} as the event")
            await knock(
                method,
                path.format(**house.params | {name: hole for name in house.params if name != "slug"}),
                hole,
            )
        keys = list(house.body_of(method, path).get("properties", ()))
        if not keys:
            continue
        for what, body in BODIES.items():
            for kind in ("application/json", "text/plain", "multipart/form-data"):
                await knock(method, here, what, content=body, headers={"content-type": kind})
        for key in keys:
            for what, value in VALUES.items():
                if method == "PATCH":
                    await knock(method, here, f"{what} as {key}, alone", content=_loose({key: value}))
                    continue
                whole = {one: house.body.get(one, "x1") for one in keys} | {"id": str(uuid4()), key: value}
                await knock(method, here, f"{what} as {key}", content=_loose(whole))
    assert wrong == []


def _loose(value: Any) -> bytes:
    """JSON as careless programs write it: numbers of any size."""
    return json.dumps(value).encode()
