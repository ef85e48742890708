"""The ground floor's values and the small decisions of the web: spans, languages, settings, addresses to go to."""

from __future__ import annotations

import ssl
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from kernel.interval import Interval, programme_date
from kernel.settings import Settings, WrongSetting
from kernel.text import LocalizedText
from web import i18n, local_authority
from web.signin import safe_next

T = datetime(2023, 10, 28, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


# --- intervals ---------------------------------------------------------------------------------------------------


def test_an_interval_is_half_open() -> None:
    span = Interval(T, T + HOUR)
    assert T in span and T + HOUR not in span and T - timedelta(seconds=1) not in span
    assert "ten" not in span
    assert not span.overlaps(Interval(T + HOUR, T + 2 * HOUR))
    assert span.overlaps(Interval(T + HOUR - timedelta(seconds=1), T + 2 * HOUR))


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50), st.integers(1, 50))
def test_overlap_is_symmetric_and_means_a_common_moment(a: int, la: int, b: int, lb: int) -> None:
    one, other = (Interval(T + start * HOUR, T + (start + last) * HOUR) for start, last in ((a, la), (b, lb)))
    common = any(T + hour * HOUR in one and T + hour * HOUR in other for hour in range(101))
    assert one.overlaps(other) is other.overlaps(one) is common


def test_an_interval_must_last_and_know_its_zone() -> None:
    with pytest.raises(ValueError, match="last"):
        Interval(T, T)
    with pytest.raises(ValueError, match="aware"):
        Interval(T.replace(tzinfo=None), (T + HOUR).replace(tzinfo=None))


@pytest.mark.parametrize(
    ("local", "expected"),
    [("2023-10-28 03:59", 27), ("2023-10-28 04:00", 28), ("2023-10-29 01:30", 28), ("2023-10-28 23:59", 28)],
)
def test_a_programme_day_may_run_past_midnight(local: str, expected: int) -> None:
    at = datetime.fromisoformat(f"{local}+08:00")
    assert programme_date(at, zone="Asia/Shanghai", day_starts_minute=240) == date(2023, 10, expected)
    assert programme_date(at.astimezone(UTC), zone="Asia/Shanghai", day_starts_minute=240).day == expected


# --- content in several languages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "locale", "expected"),
    [
        ({"zh-Hans": "主", "en": "Main"}, "en", "Main"),
        ({"zh-Hans": "主", "en": "Main"}, "zh-Hans", "主"),
        ({"zh-Hant": "主場", "en": "Main"}, "zh-Hans", "主場"),
        ({"en": "Main"}, "zh-Hans", "Main"),
        ({"zh-Hans": "主"}, "en", "主"),
        ({"ja": "ホール"}, "en", "ホール"),
        ({"zh-Hans": "", "en": "Main"}, "zh-Hans", "Main"),
        ({}, "en", ""),
    ],
)
def test_content_falls_back_and_is_never_missing(stored: dict[str, str], locale: str, expected: str) -> None:
    assert LocalizedText(stored).in_(locale) == expected


def test_content_from_what_is_stored() -> None:
    assert LocalizedText.of(None) == {}
    assert LocalizedText.of("") == {}
    assert LocalizedText.of("主") == {"zh-Hans": "主"}
    assert LocalizedText.of({"en": "Main", "zh-Hans": ""}) == {"en": "Main"}


# --- the interface's language ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "accept", "expected"),
    [
        ("en", "zh-CN", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("", "en-US,en;q=0.9,zh;q=0.5", "en"),
        ("", "fr;q=0.9,zh-TW;q=0.8", "zh-Hans"),
        ("", "en;q=0,zh", "zh-Hans"),
        ("", "en;q=nonsense,zh;q=0.1", "zh-Hans"),
        ("", "fr,de", "en"),
        ("", "", "zh-Hans"),
        ("", "*", "zh-Hans"),
        ("klingon", "en", "en"),
    ],
)
def test_the_reader_chooses_then_the_browser(cookie: str, accept: str, expected: str) -> None:
    assert i18n.negotiate(cookie, accept) == expected


@given(st.text(max_size=300), st.text(max_size=20))
def test_no_header_breaks_the_choice(accept: str, cookie: str) -> None:
    assert i18n.negotiate(cookie, accept) in ("zh-Hans", "en")


# --- where to go afterwards --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\\b",
        "/a\r\nSet-Cookie: x=1",
        "",
        None,
        "relative",
    ],
)
def test_nobody_is_led_to_another_site(target: str | None) -> None:
    assert safe_next(target) == "/"


@pytest.mark.parametrize("target", ["/", "/e/coscon-2023/desk?q=欧阳", "/e/x#part"])
def test_a_path_of_this_site_is_kept(target: str) -> None:
    assert safe_next(target) == target


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUIWU_PORT", "eighty"),
        ("HUIWU_PORT", "70000"),
        ("HUIWU_DEVELOPMENT", "perhaps"),
        ("HUIWU_BASE_URL", "conference.example"),
        ("HUIWU_BASE_URL", "https://host/path"),
        ("HUIWU_SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://x/y"),
        ("REDIS_URL", "http://x"),
        ("HUIWU_SMTP_URL", "mail.example"),
        ("HUIWU_MAIL_PER_HOUR", "0"),
        ("HUIWU_UPLOAD_MB", "-1"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name_and_its_value_is_not_repeated(
    name: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongSetting) as refusal:
        Settings.from_env({"HUIWU_DATA_DIR": str(tmp_path), name: value})
    assert refusal.value.name == name and name in str(refusal.value)
    assert value not in str(refusal.value).replace(name, "")


def test_settings_are_read_once_and_a_secret_is_kept(tmp_path: Path) -> None:
    env = {
        "HUIWU_DATA_DIR": str(tmp_path),
        "HUIWU_BASE_URL": "https://conference.example/",
        "HUIWU_TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2",
        "HUIWU_DEVELOPMENT": "1",
    }
    first, second = Settings.from_env(env), Settings.from_env(env)
    assert first.base_url == "https://conference.example" and first.secure and first.development
    assert first.trusted_proxies == ("10.0.0.1", "10.0.0.2")
    assert len(first.secret_key) == 64 and first.secret_key == second.secret_key
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_links_follow_the_port_unless_an_address_was_given(tmp_path: Path) -> None:
    env = {"HUIWU_DATA_DIR": str(tmp_path), "HUIWU_PORT": "8123"}
    assert Settings.from_env(env).base_url == "http://127.0.0.1:8123"
    assert Settings.from_env(env | {"HUIWU_BASE_URL": "https://host"}).base_url == "https://host"


# --- the local authority -----------------------------------------------------------------------------------------


def test_a_phone_that_trusts_the_authority_trusts_the_server(tmp_path: Path) -> None:
    made = local_authority.ensure(tmp_path, ["192.0.2.7"])
    again = local_authority.ensure(tmp_path, ["192.0.2.7"])
    assert made.authority.read_bytes() == again.authority.read_bytes()
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    server = x509.load_pem_x509_certificate(again.certificate.read_bytes())
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [
        "127.0.0.1",
        "192.0.2.7",
    ]
    assert server.not_valid_after_utc - server.not_valid_before_utc < timedelta(days=825)
    assert made.key.stat().st_mode & 0o077 == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(again.certificate, again.key)
