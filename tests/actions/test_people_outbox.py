"""The outbox against a real mail server on the loopback: what arrives, in which shape, how often, and when."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Conflict, NotFound
from kernel.settings import Settings
from people import letters, queries, wiring
from people.letters import Attachment, Composed
from people.models import JournalEntry, Letter
from people.rules import LetterAct, LetterState
from tests.factories import NOW

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Server:
    """Takes mail and remembers it; ``say`` gives the answers to come, an empty one means yes."""

    def __init__(self) -> None:
        self.say: list[str] = []
        self.at_recipient: list[str] = []
        self.mails: list[tuple[str, EmailMessage]] = []
        self.encrypted: list[bool] = []
        #: Whose letters have begun to arrive; those that ``shut`` names wait on the threshold.
        self.begun: list[str] = []
        self.shut: Callable[[str], bool] = lambda to: False

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if self.at_recipient:
            return self.at_recipient.pop(0).replace("@@", address)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        del server
        to = envelope.rcpt_tos[0]
        self.begun.append(to)
        while self.shut(to):  # noqa: ASYNC110 -- the test stands in another thread
            await asyncio.sleep(0.01)
        if self.say and (answer := self.say.pop(0)):
            return answer
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((to, message))
        self.encrypted.append(session.ssl is not None)
        return "250 taken"

    @property
    def to(self) -> list[str]:
        return [address for address, _ in self.mails]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def server() -> Iterator[Server]:
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    handler.url = f"smtp://127.0.0.1:{controller.port}"  # type: ignore[attr-defined]
    yield handler
    controller.stop()


@pytest.fixture
async def mail(database: Settings, server: Server) -> AsyncIterator[Settings]:
    wiring.configure(database)
    yield replace(database, smtp_url=server.url, mail_from="开源社 <noreply@kaiyuanshe.example>")  # type: ignore[attr-defined]
    letters._composers.clear()


async def queue(key: str = "k", to: str = "lin@a.example", **more: Any) -> int:
    values: dict[str, Any] = {"locale": "zh-Hans", "subject": "报名成功", "text": "您好\n", "at": NOW}
    await letters.queue(key=key, to_email=to, **(values | more))
    return int((await Letter.get(key=key)).id)


async def states() -> dict[str, str]:
    return {letter.key: letter.state for letter in await Letter.all().order_by("id")}


# --- queueing ----------------------------------------------------------------------------------------------------


async def test_same_key_is_one_letter(mail: Settings) -> None:
    await queue("registered:1", text="first")
    await queue("registered:1", text="second")
    await asyncio.gather(*(queue("registered:2") for _ in range(16)))
    assert [letter.key for letter in await Letter.all().order_by("id")] == ["registered:1", "registered:2"]
    assert (await Letter.get(key="registered:1")).text == "first"


async def test_many_letters_are_one_statement(mail: Settings) -> None:
    for many in (1, 3, 200):
        new = [
            letters.NewLetter(
                key=f"{many}.{number}", to_email=f"p{number}@a.example", locale="en", subject="s", text="t"
            )
            for number in range(many)
        ]
        before = db.stats.statements
        assert await letters.queue_many(new, at=NOW) == many
        assert db.stats.statements - before == 1
        assert await letters.queue_many(new, at=NOW) == 0
    assert await letters.queue_many([], at=NOW) == 0


async def test_rolled_back_letter_was_never_there(mail: Settings, server: Server) -> None:
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await letters.queue(key="k", to_email="a@a.example", locale="en", subject="s", text="t", at=NOW)
            raise ZeroDivisionError
    assert await letters.send_due(mail, urgent=False, at=NOW) == 0
    assert server.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b@",
        "a b@c.example",
        "a@c.example\r\nBcc: x@y.example",
        "<a@c.example>",
        "a@c.example,b@c.example",
    ],
)
async def test_address_that_fits_on_no_letter_fails_alone(
    mail: Settings, server: Server, address: str
) -> None:
    await queue("bad", address)
    await queue("good")
    assert await states() == {"bad": "failed", "good": "waiting"}
    await letters.send_due(mail, urgent=False, at=NOW)
    assert server.to == ["lin@a.example"]
    assert (await queries.letter((await Letter.get(key="bad")).id)).problem == "malformed_address"


# --- what arrives ------------------------------------------------------------------------------------------------


async def test_letter_arrives_as_it_was_meant(mail: Settings, server: Server) -> None:
    id_ = await queue(
        "registered:7", subject="「开源年会」报名成功：林小满", text="您好，林小满：\n\n10 月 28 日见。\n"
    )
    assert await letters.send_due(mail, urgent=False, at=NOW) == 1
    ((to, message),) = server.mails
    assert to == "lin@a.example"
    assert message["To"] == "lin@a.example"
    assert message["From"] == "开源社 <noreply@kaiyuanshe.example>"
    assert message["Subject"] == "「开源年会」报名成功：林小满"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].startswith(f"<letter.{id_}.")
    assert message["Message-ID"].endswith("@127.0.0.1>")
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == "您好，林小满：\n\n10 月 28 日见。\n"
    stored = await Letter.get()
    assert (stored.state, stored.sent_at, stored.tries) == ("sent", NOW, 1)
    assert server.encrypted == [False]


async def test_pictures_calendar_and_secret_words_are_added_at_sending(
    mail: Settings, server: Server
) -> None:
    async def compose(composer_id: int, locale: str) -> Composed:
        assert (composer_id, locale) == (17, "zh-Hans")
        return Composed(
            [Attachment("护照二维码.png", "image/png", PNG, inline_id="qr")],
            text_suffix="您的链接：https://huiwu.example/me?a=1&secret=xyz",
        )

    letters.compose_with("passport", compose)
    await queue(
        text="姓名：<b>林</b> & 友\n\n地点：成都",
        attachments=[
            Attachment(
                "开源年会\r\nX: y.ics", "text/calendar; method=PUBLISH; charset=utf-8", b"BEGIN:VCALENDAR"
            )
        ],
        composer="passport",
        composer_id=17,
    )
    assert "secret" not in str((await Letter.all().values())[0])
    await letters.send_due(mail, urgent=False, at=NOW)
    ((_, message),) = server.mails
    assert message.get_content_type() == "multipart/mixed"
    plain, twin = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert twin is not None
    assert plain.get_content().replace("\r\n", "\n") == (
        "姓名：<b>林</b> & 友\n\n地点：成都\n\n您的链接：https://huiwu.example/me?a=1&secret=xyz\n"
    )
    html = twin.get_content()
    assert "&lt;b&gt;林&lt;/b&gt; &amp; 友" in html
    assert '<a href="https://huiwu.example/me?a=1&amp;secret=xyz">' in html
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert isinstance(picture, EmailMessage)
    assert picture.get_content() == PNG
    assert picture.get_content_disposition() == "inline"
    assert picture.get_filename() == "护照二维码.png"
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    (calendar,) = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert calendar.get_param("method") == "PUBLISH"
    assert calendar.get_filename() == "开源年会 X y.ics"
    assert "X" not in message
    assert "secret" not in str((await Letter.all().values())[0])


@pytest.mark.parametrize("breaking", ["\r\n", "\n", "\r", "\x0b", "\u2028", "\x85", "\x00"])
async def test_header_cannot_be_smuggled_in(mail: Settings, server: Server, breaking: str) -> None:
    await queue(
        subject=f"hello{breaking}Bcc: victim@b.example",
        locale=f"en{breaking}X-Evil: 1"[:16],
        attachments=[Attachment(f"a{breaking}b.txt", f"text/plain{breaking}X-Evil: 1", b"x")],
    )
    await letters.send_due(mail, urgent=False, at=NOW)
    ((to, message),) = server.mails
    assert to == "lin@a.example"
    for part in message.walk():
        assert {"bcc", "x-evil"}.isdisjoint(name.lower() for name in part)
    assert len(message["Subject"].splitlines()) == 1


async def test_missing_composer_is_tried_again_and_a_gone_reason_discards(
    mail: Settings, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(composer_id: int, locale: str) -> None:
        raise ValueError(f"secret {composer_id} {locale}")

    async def gone(composer_id: int, locale: str) -> None:
        del composer_id, locale

    async def files(composer_id: int, locale: str) -> list[Attachment]:
        del composer_id, locale
        return [Attachment("a.txt", "text/plain", b"x")]

    for name, composer in (("broken", broken), ("gone", gone), ("files", files)):
        letters.compose_with(name, composer)
    for name in ("unknown", "broken", "gone", "files"):
        await queue(name, composer=name, composer_id=5)
    await letters.send_due(mail, urgent=False, at=NOW)
    assert await states() == {"unknown": "waiting", "broken": "waiting", "gone": "discarded", "files": "sent"}
    assert [attached.get_filename() for attached in server.mails[0][1].iter_attachments()] == ["a.txt"]
    assert "could not be composed" in caplog.text
    assert "secret 5" not in caplog.text


# --- how often and when ------------------------------------------------------------------------------------------


async def test_temporary_refusal_is_tried_again_after_a_minute_then_five(
    mail: Settings, server: Server
) -> None:
    await queue()
    server.say = ["451 try later", "451 try later"]
    at, waited = NOW, []
    for _ in range(3):
        assert await letters.send_due(mail, urgent=False, at=at) == 1
        letter = await Letter.get()
        waited.append((letter.state, (letter.next_try_at - at).total_seconds() / 60, letter.last_problem))
        assert await letters.send_due(mail, urgent=False, at=letter.next_try_at - timedelta(seconds=1)) == 0
        at = letter.next_try_at
    assert waited[:2] == [("waiting", 1, "451 try later"), ("waiting", 5, "451 try later")]
    assert waited[2][0] == "sent"
    assert len(server.mails) == 1


async def test_message_id_is_the_same_at_every_try(mail: Settings, server: Server) -> None:
    """A server that takes the mail and then loses the connection makes a twin; both have one name."""
    await queue()
    await letters.send_due(mail, urgent=False, at=NOW)
    async with unit_of_work():
        await db.execute("UPDATE letter SET state = 'waiting'")
    await letters.send_due(mail, urgent=False, at=NOW)
    first, second = (message for _, message in server.mails)
    assert first["Message-ID"] == second["Message-ID"]


async def test_after_the_last_try_a_letter_has_failed_and_a_person_may_send_it_again(
    mail: Settings, server: Server
) -> None:
    id_ = await queue()
    server.say = ["421 not now"] * 6
    at = NOW
    for _ in range(6):
        assert await letters.send_due(mail, urgent=False, at=at) == 1
        at += timedelta(hours=5)
    assert await states() == {"k": "failed"}
    assert await letters.send_due(mail, urgent=False, at=at) == 0
    assert await letters.act(actor=SYSTEM, letter_id=id_, act=LetterAct.RETRY, at=at) == LetterState.WAITING
    assert await letters.send_due(mail, urgent=False, at=at) == 1
    assert await states() == {"k": "sent"}
    assert [(line.verb, line.object_id) for line in await JournalEntry.all()] == [("letter.retry", id_)]


async def test_permanent_refusal_fails_at_once_and_its_neighbours_arrive(
    mail: Settings, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        await queue(f"k{number}", f"p{number}@a.example")
    server.at_recipient = ["550 5.1.1 <@@>: no such user"]
    await letters.send_due(mail, urgent=False, at=NOW)
    assert await states() == {"k0": "failed", "k1": "sent", "k2": "sent"}
    assert (await Letter.get(key="k0")).last_problem == "550 5.1.1 <p0@a.example>: no such user"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("huiwu")]
    assert ours == ["letter 1 was not taken: 550"]


async def test_unreachable_server_costs_no_letter_a_try(mail: Settings) -> None:
    for number in range(3):
        await queue(f"k{number}")
    nowhere = replace(mail, smtp_url=f"smtp://127.0.0.1:{free_port()}")
    assert await letters.send_due(nowhere, urgent=False, at=NOW) == 3
    for letter in await Letter.all():
        assert (letter.state, letter.tries, letter.last_problem) == ("waiting", 0, "unreachable")
        assert letter.next_try_at == NOW + timedelta(minutes=1)
    assert (await queries.outbox_state(nowhere, NOW)).unreachable
    assert await letters.send_due(mail, urgent=False, at=NOW + timedelta(minutes=1)) == 3


async def test_throttle_holds_per_domain_and_in_all_and_lets_others_pass(
    mail: Settings, server: Server
) -> None:
    for number in range(5):
        await queue(f"a{number}", f"p{number}@a.example")
    for number in range(4):
        await queue(f"b{number}", f"p{number}@b.example")
    tight = replace(mail, mail_per_hour=5, mail_per_domain_hour=3)
    while await letters.send_due(tight, urgent=False, at=NOW):
        pass
    assert Counter(address.split("@")[1] for address in server.to) == {"a.example": 3, "b.example": 2}
    outbox = await queries.outbox_state(tight, NOW)
    assert (outbox.sent_last_hour, outbox.waiting, outbox.is_full, outbox.free_at) == (
        5,
        4,
        True,
        NOW + timedelta(hours=1),
    )
    assert [(full.domain, full.waiting, full.free_at) for full in outbox.full_domains] == [
        ("a.example", 2, NOW + timedelta(hours=1))
    ]
    # A sign-in code passes all limits, and counts for the others.
    later = NOW + timedelta(minutes=59)
    await queue("code", "p9@a.example", urgent=True, at=later)
    assert await letters.send_due(tight, urgent=True, at=later) == 1
    assert await letters.send_due(tight, urgent=False, at=later) == 0
    hour = NOW + timedelta(hours=1)
    while await letters.send_due(tight, urgent=False, at=hour):
        pass
    assert Counter(address.split("@")[1] for address in server.to) == {"a.example": 6, "b.example": 4}
    assert set((await states()).values()) == {"sent"}


async def test_two_workers_send_each_letter_once_and_never_pass_the_limit(
    mail: Settings, server: Server
) -> None:
    for number in range(60):
        await queue(f"k{number}", f"p{number}@{'ab'[number % 2]}.example")
    tight = replace(mail, mail_per_hour=50, mail_per_domain_hour=24)

    async def worker() -> None:
        while await letters.send_due(tight, urgent=False, at=NOW):
            pass

    await asyncio.gather(*(worker() for _ in range(4)))
    assert Counter(address.split("@")[1] for address in server.to) == {"a.example": 24, "b.example": 24}
    assert max(Counter(server.to).values()) == 1
    await asyncio.gather(*(letters.send_due(mail, urgent=False, at=NOW) for _ in range(4)))
    assert sorted(server.to) == sorted(f"p{number}@{'ab'[number % 2]}.example" for number in range(60))


async def test_worker_that_counted_early_does_not_pass_the_limit(
    mail: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second worker counts an empty hour, is slow, and picks letters after the first has taken its share."""
    for number in range(10):
        await queue(f"k{number}", f"p{number}@a.example")
    count, both, first = letters.sent_within_hour, asyncio.Event(), True

    async def slow(at: datetime) -> Counter[str]:
        nonlocal first
        am_first, first = first, False
        counts = await count(at)
        if am_first:
            # Where workers take turns the other can't have counted yet, so this wait is bounded.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await both.wait()
        else:
            both.set()
            await asyncio.sleep(0.3)
        return counts

    monkeypatch.setattr(letters, "sent_within_hour", slow)
    limits = replace(letters.limits_of(mail), per_hour=4)
    taken = await asyncio.gather(*(letters.lease(limits, urgent=False, at=NOW) for _ in range(2)))
    assert sorted(len(batch) for batch in taken) == [0, 4]


async def test_letter_of_a_worker_that_died_is_sent_when_its_lease_has_ended(
    mail: Settings, server: Server
) -> None:
    await queue()
    limits = letters.limits_of(mail)
    (held,) = await letters.lease(limits, urgent=False, at=NOW)
    assert await letters.send_due(mail, urgent=False, at=NOW + letters.LEASE - timedelta(seconds=1)) == 0
    assert await letters.send_due(mail, urgent=False, at=NOW + letters.LEASE) == 1
    assert len(server.mails) == 1
    # The dead one comes back and wants to write: its token is old.
    await letters._close(held, LetterState.FAILED, "late", at=NOW)
    assert await states() == {"k": "sent"}


async def test_letter_whose_lease_runs_out_is_not_begun(mail: Settings, server: Server) -> None:
    """A batch that took too long must not send what another worker may already hold."""
    await queue()
    (held,) = await letters.lease(letters.limits_of(mail), urgent=False, at=NOW)
    async with unit_of_work():
        await letters._give_back([held], at=NOW)
    monkey = letters.LEASE
    try:
        letters.LEASE = letters.LEASE_MARGIN - timedelta(seconds=1)
        assert await letters.send_due(mail, urgent=False, at=NOW) == 1
    finally:
        letters.LEASE = monkey
    assert server.mails == []
    assert (await Letter.get()).state == "waiting"
    assert (await Letter.get()).tries == 0


async def test_late_sign_in_code_is_discarded_and_a_sent_one_forgets_its_words(
    mail: Settings, server: Server
) -> None:
    production = replace(mail, development=False)
    await queue("sign-in:1", subject="123456", text="123456", urgent=True)
    await queue("sign-in:2", subject="654321", text="654321", urgent=True, at=NOW + timedelta(minutes=9))
    await queue("news", text="stays")
    later = NOW + timedelta(minutes=10)
    assert await letters.send_due(production, urgent=True, at=later) == 1
    await letters.send_due(production, urgent=False, at=later)
    rows = {letter.key: letter for letter in await Letter.all()}
    assert [
        (rows[key].state, rows[key].subject, rows[key].text) for key in ("sign-in:1", "sign-in:2", "news")
    ] == [
        ("discarded", "", ""),
        ("sent", "", ""),
        ("sent", "报名成功", "stays"),
    ]
    assert [message["Subject"] for _, message in server.mails] == ["654321", "报名成功"]


async def test_person_may_hold_release_and_discard(mail: Settings, server: Server) -> None:
    id_ = await queue()
    assert await letters.act(actor=SYSTEM, letter_id=id_, act=LetterAct.HOLD, at=NOW) == LetterState.HELD
    assert await letters.send_due(mail, urgent=False, at=NOW) == 0
    await letters.act(actor=SYSTEM, letter_id=id_, act=LetterAct.RETRY, at=NOW)
    await letters.act(actor=SYSTEM, letter_id=id_, act=LetterAct.DISCARD, at=NOW)
    assert await letters.send_due(mail, urgent=False, at=NOW) == 0
    await letters.act(actor=SYSTEM, letter_id=id_, act=LetterAct.RETRY, at=NOW)
    assert await letters.send_due(mail, urgent=False, at=NOW) == 1
    for act in LetterAct:
        with pytest.raises(Conflict):
            await letters.act(actor=SYSTEM, letter_id=id_, act=act, at=NOW)
    with pytest.raises(NotFound):
        await letters.act(actor=SYSTEM, letter_id=999, act=LetterAct.RETRY, at=NOW)


# --- the worker --------------------------------------------------------------------------------------------------


async def until(what: Any, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 -- the other side is a mail server, it sets no event of ours
            await asyncio.sleep(0.01)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_urgent_letter_leaves_past_a_mass_mailing_that_is_stuck(
    mail: Settings, server: Server
) -> None:
    now = datetime.now(UTC)
    server.shut = lambda to: to.endswith("@a.example")
    worker = asyncio.create_task(letters.run_outbox(mail))
    try:
        for number in range(10):
            await queue(f"mass{number}", f"p{number}@a.example", at=now)
        await until(lambda: server.begun)
        await queue("code", "lin@b.example", urgent=True, at=datetime.now(UTC))
        await until(lambda: server.mails)
        assert server.to == ["lin@b.example"]
        server.shut = lambda to: False
        await until(lambda: len(server.mails) == 11)
    finally:
        await stopped(worker)


async def test_stopping_lets_the_letter_in_hand_arrive_and_gives_the_rest_back(
    mail: Settings, server: Server
) -> None:
    server.shut = lambda to: len(server.begun) == 2
    for number in range(5):
        await queue(f"k{number}", f"p{number}@a.example", at=datetime.now(UTC))
    worker = asyncio.create_task(letters.run_outbox(mail))
    await until(lambda: len(server.begun) == 2)
    ending = asyncio.create_task(stopped(worker))
    await asyncio.sleep(0)
    server.shut = lambda to: False
    await ending
    found = Counter((await states()).values())
    assert found == {"sent": len(server.mails), "waiting": 5 - len(server.mails)}
    assert len(server.mails) == 2
    assert await letters.send_due(mail, urgent=False) == 3


async def test_without_a_mail_server_letters_wait(database: Settings) -> None:
    await queue()
    worker = asyncio.create_task(letters.run_outbox(database))
    await asyncio.sleep(0.2)
    assert not worker.done()
    await stopped(worker)
    assert await states() == {"k": "waiting"}
    assert not (await queries.outbox_state(database, NOW)).has_smtp


async def test_starttls_is_used_where_offered(database: Settings, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = Server()
    controller = Controller(
        handler, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True
    )
    controller.start()
    try:
        await queue()
        mail = replace(database, smtp_url=f"smtp://127.0.0.1:{controller.port}")
        assert await letters.send_due(mail, urgent=False, at=NOW) == 1
    finally:
        controller.stop()
    assert handler.encrypted == [True]


def self_signed(certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


async def test_password_that_is_refused_costs_no_letter_a_try(mail: Settings) -> None:
    """Our own mistake in HUIWU_SMTP_URL must not fail a thousand letters."""
    await queue()
    wrong = replace(mail, smtp_url=mail.smtp_url.replace("smtp://", "smtp://user:wrong@"))
    assert await letters.send_due(wrong, urgent=False, at=NOW) == 1
    letter = await Letter.get()
    assert (letter.state, letter.tries, letter.last_problem) == ("waiting", 0, "unreachable")


async def test_nothing_personal_is_logged(
    mail: Settings, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.say = ["451 lin@a.example is busy", "550 lin@a.example is gone"]
    for number in range(3):
        await queue(f"k{number}", subject="林小满", text="秘密")
    await letters.send_due(mail, urgent=False, at=NOW)
    assert Counter((await states()).values()) == {"waiting": 1, "failed": 1, "sent": 1}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("huiwu")]
    assert ours == ["letter 1 was not taken: 451", "letter 2 was not taken: 550"]


async def test_list_costs_the_same_for_one_and_three(mail: Settings) -> None:
    costs = []
    for many in (1, 3):
        for number in range(many):
            await queue(f"{many}.{number}", event_id=4)
        await queue(f"other {many}", event_id=5)
        before = db.stats.statements
        page = await queries.letters(event_id=4)
        await queries.outbox_state(mail, NOW)
        costs.append(db.stats.statements - before)
        assert page.total == len(page.items) == (1 if many == 1 else 4)
    assert costs[0] == costs[1]
    assert (await queries.letters()).total == 6
    assert (await queries.letters(state=LetterState.SENT)).items == ()
    assert (await queries.letters(event_id=4, state=LetterState.WAITING, page=99)).page == 1
