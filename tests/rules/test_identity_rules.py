"""Identity documents: numbers as they are printed, checksums, and what nobody can have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import identity_rules as rules
from events.identity_rules import IdDocumentGiven, IdentityCode
from events.rules import IdDocumentKind
from kernel.errors import Code, Problem

#: The example of GB 11643-1999, section 4.
OF_THE_STANDARD = "11010519491231002X"


def test_the_standards_own_example() -> None:
    assert rules.resident_check(OF_THE_STANDARD[:17]) == "X"
    assert rules.check_number(IdDocumentKind.RESIDENT_ID, "1101 0519 4912 3100 2x") == OF_THE_STANDARD


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (IdDocumentKind.RESIDENT_ID, "440524188001010014"),
        (IdDocumentKind.PASSPORT, "E12345678"),
        (IdDocumentKind.PASSPORT, "c01x00t47"),
        (IdDocumentKind.HK_MACAO_PERMIT, "H12345678"),
        (IdDocumentKind.HK_MACAO_PERMIT, "M1234567801"),
        (IdDocumentKind.TAIWAN_PERMIT, "12345678"),
        (IdDocumentKind.FOREIGNER_ID, "USA310000000001"),
    ],
)
def test_numbers_as_they_are_printed(kind: IdDocumentKind, number: str) -> None:
    assert rules.check_number(kind, f" {number} ") == number.upper()


def test_the_card_of_2023_is_built_as_a_residents() -> None:
    body = "91108419750117003"
    number = body + rules.resident_check(body)
    assert rules.check_number(IdDocumentKind.FOREIGNER_ID, number) == number
    wrong = body + ("0" if number[-1] != "0" else "1")
    assert rules.check_number(IdDocumentKind.FOREIGNER_ID, wrong) == Problem(IdentityCode.NUMBER_CHECK)


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        (IdDocumentKind.RESIDENT_ID, "", Code.REQUIRED),
        (IdDocumentKind.RESIDENT_ID, "110105491231002", IdentityCode.NUMBER_MALFORMED),
        (IdDocumentKind.RESIDENT_ID, "110105194912310021", IdentityCode.NUMBER_CHECK),
        (IdDocumentKind.RESIDENT_ID, "110105194913310025", IdentityCode.NUMBER_CHECK),
        (IdDocumentKind.RESIDENT_ID, "110105174912310020", IdentityCode.NUMBER_CHECK),
        (IdDocumentKind.PASSPORT, "ABCDEFG", IdentityCode.NUMBER_MALFORMED),
        (IdDocumentKind.HK_MACAO_PERMIT, "X12345678", IdentityCode.NUMBER_MALFORMED),
        (IdDocumentKind.TAIWAN_PERMIT, "1234567", IdentityCode.NUMBER_MALFORMED),
        (IdDocumentKind.FOREIGNER_ID, "US310000000001", IdentityCode.NUMBER_MALFORMED),
    ],
)
def test_numbers_that_can_not_be(kind: IdDocumentKind, number: str, code: str) -> None:
    assert rules.check_number(kind, number) == Problem(code)


@given(st.integers(0, 16), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_always_seen(at: int, digit: str) -> None:
    wrong = OF_THE_STANDARD[:at] + digit + OF_THE_STANDARD[at + 1 :]
    found = rules.check_number(IdDocumentKind.RESIDENT_ID, wrong)
    assert (found == wrong) == (wrong == OF_THE_STANDARD)


@given(st.text(), st.sampled_from(IdDocumentKind))
def test_whatever_is_typed_checking_never_breaks(text: str, kind: IdDocumentKind) -> None:
    found = rules.check_number(kind, text)
    assert isinstance(found, (str, Problem))


def test_a_form_gives_a_document_or_every_problem() -> None:
    given_ = rules.read_identity("resident_id", OF_THE_STANDARD, consented=True)
    assert given_ == IdDocumentGiven(IdDocumentKind.RESIDENT_ID, OF_THE_STANDARD)
    nothing = rules.read_identity("", " ", consented=False)
    assert nothing == {
        "id_kind": Problem(Code.NOT_A_CHOICE),
        "id_number": Problem(Code.REQUIRED),
        "id_consent": Problem(IdentityCode.CONSENT_NEEDED),
    }
    assert rules.read_identity("library", "1", consented=True) == {"id_kind": Problem(Code.NOT_A_CHOICE)}
    assert rules.read_identity("passport", "1", consented=True) == {
        "id_number": Problem(IdentityCode.NUMBER_MALFORMED)
    }


def test_a_digest_tells_documents_apart_and_shows_none() -> None:
    one = IdDocumentGiven(IdDocumentKind.PASSPORT, "E12345678")
    other = IdDocumentGiven(IdDocumentKind.TAIWAN_PERMIT, "12345678")
    assert one.digest() != other.digest()
    assert one.number not in one.digest()


def test_a_masked_number_is_only_to_recognise() -> None:
    assert rules.masked(OF_THE_STANDARD) == "1****************X"
    assert rules.masked("12") == "**"
