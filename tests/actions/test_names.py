"""The list of names on a desk's phone finds whom the server's search finds, in its order; only such a phone gets it."""

from __future__ import annotations

import gzip
import json
import subprocess
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx2
import orjson
import pytest

import main
from checkin import names, pairings, snapshot
from checkin.models import Passport
from checkin.snapshot_rules import secrets_of
from events import access, person_keys, queries
from events.models import Event, Registration
from events.rules import Contact, Permission
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)
from tests.rules.test_scripts import ROOT, node

pytestmark = pytest.mark.usefixtures("database")

PEOPLE: Sequence[tuple[str, str, str, str]] = (
    ("曾国强", "", "", "开源社"),
    ("曾强", "", "", "浙江大学"),
    ("单小满", "", "", "开源社"),
    ("吕布", "", "", "三国"),
    ("欧阳映雪", "雪雪", "Ouyang Yingxue", "Datawhale"),
    ("阿卜杜热合曼·买买提依明", "", "", "成都"),
    ("Zhang San", "", "", "Apache Software Foundation"),
    ("张三", "", "Zhang San", ""),
    ("张珊", "", "", ""),
    ("Müller-Straße Jörg", "", "", "FSFE e.V."),
    ("José da Silva", "", "", "100% Open"),
    ("林", "", "", "x_y"),
    ("重庆森林", "", "", ""),
    ("翟志刚", "", "", "航天"),
    ("O'Brien Pat", "", "", ""),
    ("ＡＢＣ", "", "", "全角"),
)
#: What people type, parted by bars.
_TYPED = (
    "zgq|zengguo|曾gq|曾国强|国强|zeng|ceng|cgq|shan|dan|sxm|danxiaoman|单xm|lb|lv|lü|lyu|lvbu|oyyx|"
    "ouyang|映雪|雪|xuexue|yingxue|abd|abdr|adrhm|maimaiti|zs|zhangs|zsan|zhs|zhangsan|张三|张s|zhang|"
    "apache|software|san|muller|müller|strasse|straße|jörg|jorg|jose|josé|da|silva|100%|%|_|x_y|"
    "lin|l|重庆|cq|zq|chongq|zhongq|zhaizg|dzg|翟|o'brien|obrien|pat|abc|ＡＢＣ|全角|开源|开源社|kys|1234|0009|"
    "8000|12|x|xx|datawhale|浙江|zhang san|zeng guo qiang|Zeng'guo'qiang|open 100|  张  三 |san zhang|"
    "a|"
)
TYPED = _TYPED.split("|")

SCRIPT = """
import { readFileSync } from "node:fs";
import { search } from "./web/static/js/scanner/names.js";
const { list, typed } = JSON.parse(readFileSync(0));
console.log(JSON.stringify(typed.map((text) => search(list, text).map(({ passport }) => passport))));
"""


async def desk() -> tuple[Event, list[Passport]]:
    event = await make_event()
    kind = await make_ticket_type(event)
    made = []
    for index, (name, badge, english, organisation) in enumerate(PEOPLE):
        passport = await make_passport(event, kind, badge_name=badge or name, badge_line=organisation)
        contact = Contact(
            name=name, badge_name=badge, english_name=english, organisation=organisation, email="x@y.z"
        )
        async with unit_of_work():
            await Registration.filter(id=passport.registration_id).update(
                name=name,
                badge_name=badge,
                english_name=english,
                organisation=organisation,
                search=contact.search,
                email=f"nobody{index}@example.org",
                phone=f"+861380000{index:04}",
                phone_last4=f"{index:04}",
            )
        made.append(passport)
    await person_keys.keep_filled(datetime.now(UTC))
    snapshot.forget()
    await snapshot.current(event.id)
    return event, made


async def test_a_phone_finds_whom_the_server_finds() -> None:
    event, made = await desk()
    numbers = {one.registration_id: one.id for one in made}
    expected = [
        [numbers[found.registration_id] for found in await queries.find_people(event.id, text)]
        for text in TYPED
    ]
    packed, _ = names.written(await names.people(event.id))
    listed = orjson.loads(gzip.decompress(packed))
    asked = orjson.dumps({"list": listed, "typed": TYPED})
    done = subprocess.run(  # noqa: ASYNC221 -- nothing else runs meanwhile
        [node(), "--input-type=module", "-e", SCRIPT], cwd=ROOT, input=asked, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    wrong = {
        text: (ours, theirs)
        for text, ours, theirs in zip(TYPED, found, expected, strict=True)
        if ours != theirs
    }
    assert wrong == {}
    assert sum(map(bool, expected)) > 50, "most of these find somebody"


async def test_the_list_holds_no_address_and_no_number() -> None:
    event, made = await desk()
    listed = await names.people(event.id)
    assert [one["passport"] for one in listed] == [one.id for one in made]
    state = await snapshot.current(event.id)
    assert listed[0]["lookup"] == secrets_of(made[0].token, state.salt).lookup
    assert listed[3]["last4"] == "0003"
    text = repr(listed)
    assert "example.org" not in text and "+86" not in text and made[0].token not in text
    assert names.readings(["曾x"]) == {"曾": ("ceng", "zeng")}


async def test_only_a_device_with_the_right_to_it_gets_the_list(database: Settings) -> None:
    event, _made = await desk()
    gate = await make_checkpoint(event)
    url = f"/e/{event.slug}/api/snapshot/names"
    app = main.create_app(database, workers=False)
    owner = await make_account()
    await make_role(event, owner, "owner")
    at = datetime.now(UTC)
    token = await accounts.open_sign_in(account_id=owner.id, user_agent="test", at=at)
    lead = await access.open_event(
        Actor(kind=ActorKind.ACCOUNT, id=owner.id), event.slug, Permission.PAIR_DEVICES
    )

    async def paired(*, sees_names: bool) -> str:
        wanted = pairings.Wanted(
            name="desk",
            count=1,
            checkpoints=[gate.id],
            device_expires_at=at + timedelta(hours=1),
            minutes=30,
            sees_names=sees_names,
        )
        batch = await pairings.make(door=lead, wanted=wanted, form_id=uuid.uuid4(), at=at)
        [one] = await pairings.sheet(door=lead, batch=batch)
        phone = pairings.Phone(uuid.uuid4(), "", "", {})
        return (await pairings.pair(event_id=event.id, code=one.code, phone=phone, at=at)).token

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000"
    ) as client:

        async def ask(token: str, **more: str) -> httpx2.Response:
            return await client.get(url, headers={"authorization": f"Bearer {token}"} | more)

        assert (await client.get(url)).status_code == 401
        assert (await ask(token)).status_code == 403, "an owner's browser has no end"
        assert (await ask(await paired(sees_names=False))).status_code == 403
        device = await paired(sees_names=True)
        answer = await ask(device)
        assert answer.status_code == 200 and len(answer.json()["people"]) == len(PEOPLE)
        assert answer.headers["cache-control"] == "no-store"
        again = await ask(device, **{"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
