"""The snapshot's lines: derived as RFC 5869 says, shut, told apart, and silent where a key can be guessed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from checkin.rules import CodeKind, PassportStatus, read_code
from checkin.snapshot_rules import (
    LINE_LABEL,
    LOOKUP_LABEL,
    Code,
    Holder,
    Keys,
    Stored,
    compare_codes,
    compare_groups,
    digest_of,
    group_secrets,
    line_of,
    page_digest,
    seal,
    secrets_of,
    unseal,
)

pytestmark = pytest.mark.fast

SALT = bytes(range(32))
TOKEN = "0123456789abcdef0123456789abcdef"
KEYS = Keys(SALT, b"k" * 32)
WHO = Holder(
    passport_id=7, ticket_type_id=3, status=PassportStatus.VALID, name="林小满", line="开源社", group_id=None
)


def nonces() -> Iterator[bytes]:
    return (number.to_bytes(12, "big") for number in itertools.count(1))


@given(st.text(min_size=1, max_size=200), st.binary(min_size=32, max_size=32))
def test_lookup_id_and_key_are_hkdf_under_two_labels(code: str, salt: bytes) -> None:
    def derived(label: bytes, length: int) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=label).derive(code.encode())

    secrets = secrets_of(code, salt)
    assert secrets.key == derived(LINE_LABEL, 32)
    import base64

    assert base64.urlsafe_b64decode(secrets.lookup + "==") == derived(LOOKUP_LABEL, 16)
    assert secrets.code == "~" + secrets.lookup
    assert len(secrets.lookup) == 22


def test_a_lookup_code_is_read_as_a_code_like_any_other() -> None:
    code = secrets_of(TOKEN, SALT).code
    assert read_code(code).candidates == (code,)


def test_a_line_opens_under_its_own_key_and_place_only() -> None:
    secrets, other = secrets_of(TOKEN, SALT), secrets_of(TOKEN[::-1], SALT)
    sealed = seal(secrets, b"who", nonce=b"n" * 12)
    assert unseal(secrets, sealed) == b"who"
    assert sealed != seal(secrets, b"who", nonce=b"m" * 12)
    for wrong in (other, secrets._replace(lookup=other.lookup), secrets_of(TOKEN, SALT[::-1])):
        with pytest.raises(InvalidTag):
            unseal(wrong, sealed)


@pytest.mark.parametrize("kind", [CodeKind.SHORT, CodeKind.EXTERNAL, CodeKind.ALIAS])
def test_a_code_that_can_be_guessed_names_nobody(kind: CodeKind) -> None:
    full = replace(WHO, notice='{"text": {"en": "see the desk"}}', badge=(12, "B"), group_id=5)
    line = line_of(full, kind=kind, is_live=True, group=group_secrets(b"k", SALT, 5))
    assert orjson.loads(line) == {"passport": 7, "type": 3, "status": "valid"}


def test_a_token_says_all_that_a_scanner_shows() -> None:
    assert orjson.loads(line_of(WHO, kind=CodeKind.TOKEN, is_live=True, group=None)) == {
        "passport": 7,
        "type": 3,
        "status": "valid",
        "name": "林小满",
        "line": "开源社",
    }
    full = replace(WHO, notice='{"text": {"en": "see the desk"}, "attention": true}', badge=(12, "B"))
    group = group_secrets(b"k", SALT, 5)
    said = orjson.loads(line_of(full, kind=CodeKind.TOKEN, is_live=True, group=group))
    assert said["notice"] == {"text": {"en": "see the desk"}, "attention": True}
    assert said["badge"] == {"number": 12, "box": "B"}
    assert said["group"]["lookup"] == group.lookup
    dead = orjson.loads(line_of(full, kind=CodeKind.TOKEN, is_live=False, group=group))
    assert dead == {"passport": 7, "type": 3, "status": "valid", "dead": True}


def test_only_what_differs_is_sealed_anew() -> None:
    first = Code(1, TOKEN, CodeKind.TOKEN, True, WHO, None)
    made = compare_codes([first], keys=KEYS, nonces=nonces())
    [line] = made.lines
    secrets = secrets_of(TOKEN, SALT)
    assert (line.lookup, line.code_id, line.group_id) == (secrets.lookup, 1, None)
    assert orjson.loads(unseal(secrets, line.sealed))["name"] == "林小满"
    assert made.codes == [(1, secrets.code)]

    stored = Stored(line.lookup, line.digest, (7, True))
    assert compare_codes([first._replace(stored=stored)], keys=KEYS, nonces=nonces()).lines == []
    assert compare_codes([first._replace(stored=stored)], keys=KEYS, nonces=nonces()).codes == []

    renamed = compare_codes(
        [first._replace(stored=stored, holder=replace(WHO, name="林大满"))], keys=KEYS, nonces=nonces()
    )
    assert [one.lookup for one in renamed.lines] == [line.lookup] and renamed.codes == []
    dead = compare_codes([first._replace(stored=stored, is_live=False)], keys=KEYS, nonces=nonces())
    assert len(dead.lines) == 1 and dead.codes == [(1, secrets.code)]
    elsewhere = compare_codes(
        [first._replace(stored=replace(stored, leads_to=(8, True)))], keys=KEYS, nonces=nonces()
    )
    assert elsewhere.lines == [] and elsewhere.codes == [(1, secrets.code)]


def test_a_groups_list_lies_where_its_members_lines_say() -> None:
    leader = replace(WHO, group_id=5)
    made = compare_codes(
        [Code(1, TOKEN, CodeKind.TOKEN, True, leader, None)], keys=KEYS, nonces=nonces()
    ).lines[0]
    told = orjson.loads(unseal(secrets_of(TOKEN, SALT), made.sealed))["group"]
    group = group_secrets(KEYS.key, SALT, 5)
    assert told["lookup"] == group.lookup
    people = {5: ("Datawhale", [(TOKEN, leader)])}
    [line] = compare_groups(people, {}, keys=KEYS, nonces=nonces())
    assert orjson.loads(unseal(group, line.sealed)) == {
        "name": "Datawhale",
        "members": [
            {
                "lookup": secrets_of(TOKEN, SALT).lookup,
                "passport": 7,
                "type": 3,
                "status": "valid",
                "name": "林小满",
                "line": "开源社",
            }
        ],
    }
    assert compare_groups(people, {5: line.digest}, keys=KEYS, nonces=nonces()) == []
    assert group_secrets(b"another house", SALT, 5) != group


def test_a_digest_confirms_no_guess_and_a_page_knows_when_it_was_cut() -> None:
    assert digest_of(b"a", "x", b"line") != digest_of(b"b", "x", b"line")
    lines = [("a", "1"), ("b", "2")]
    assert page_digest(lines) == page_digest(iter(lines))
    assert len({page_digest(lines), page_digest(lines[:1]), page_digest([("a", "1"), ("b", "3")])}) == 3
