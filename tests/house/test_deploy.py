"""What deploy/ ships agrees with the program: settings exist, commands exist, secrets stay out, a stop has its time."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import main
from kernel.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = ("huiwu.service", "huiwu@.service")


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(HUIWU_[A-Z_]+|DATABASE_URL|REDIS_URL)(?==)", text))


@pytest.mark.parametrize("name", ["huiwu.env", "Containerfile", "nginx.conf", *UNITS])
def test_every_setting_that_is_named_exists(name: str) -> None:
    known = {item.metadata["env"] for item in fields(Settings)}
    assert named(text_of(name))
    assert named(text_of(name)) - known == set()


def test_the_example_is_read_without_a_complaint() -> None:
    """With every line that is commented out put in, but for the empty key."""
    lines = re.findall(r"^#?([A-Z_]+)=(\S+.*)$", text_of("huiwu.env"), re.MULTILINE)
    settings = Settings.from_env(dict(lines), secret_key="k" * 40)
    assert settings.secure and settings.trusted_proxies == ("127.0.0.1",) and settings.redis_url


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_runs_a_command_and_waits_longer_than_a_stop_takes(name: str) -> None:
    unit = text_of(name)
    command = re.search(r"^ExecStart=\S+/python main\.py (\S+)$", unit, re.MULTILINE)
    assert command and main.parser().parse_args([command[1]]).command == "run"
    wait = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert wait and int(wait[1]) > 2 + main.REQUESTS_S + main.REST_S
    assert "\nNoNewPrivileges=yes\n" in unit and "\nUser=huiwu\n" in unit


def test_the_container_runs_as_nobody_special_and_hears_the_signal() -> None:
    file = text_of("Containerfile")
    last = file.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["python"]\nCMD ["main.py", "run"]' in last
    assert "/readyz" in last


def test_nginx_logs_no_query_and_no_referrer() -> None:
    text = text_of("nginx.conf")
    formats = re.findall(r"log_format \w+ ([^;]+);", text)
    logs = re.findall(r"^\s*access_log ([^;]+);", text, re.MULTILINE)
    assert formats and logs
    for one in formats:
        assert not re.search(r"\$(request|request_uri|args|query_string|http_referer|http_cookie)\b", one)
    assert {log.split()[-1] for log in logs} == {"huiwu", "off"}
    assert re.search(r"error_log \S+ crit;", text)


def test_nginx_waits_less_with_an_idle_connection_than_the_server() -> None:
    upstream = text_of("nginx.conf").partition("upstream huiwu {")[2].partition("}")[0]
    kept = re.search(r"keepalive_timeout (\d+)s;", upstream)
    import uvicorn

    assert kept and int(kept[1]) < uvicorn.Config("x:y").timeout_keep_alive
