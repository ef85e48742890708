"""Settings come from the environment, are read once at the start, and a wrong one is refused by its name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class WrongSetting(SystemExit):
    """Names the setting and what is wrong with it; its value is not repeated, it may be a secret."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Setting {name}: {why}")
        self.name = name


def _setting(default: Any, env: str, doc: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"env": env, "doc": doc, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that differs between two installations. ``docs/settings.md`` lists each; a test compares."""

    data_dir: Path = _setting(Path("var"), "HUIWU_DATA_DIR", "Folder for the SQLite file, uploads and keys.")
    database_url: str = _setting(
        "", "DATABASE_URL", "postgres://user:password@host:port/name; empty: SQLite in the data folder."
    )
    redis_url: str = _setting(
        "", "REDIS_URL", "redis://host:port/0; needed by several server processes.", secret=True
    )
    secret_key: str = _setting(
        "",
        "HUIWU_SECRET_KEY",
        "At least 32 characters; empty: one is made and kept in the data folder.",
        secret=True,
    )
    base_url: str = _setting(
        "http://127.0.0.1:8000",
        "HUIWU_BASE_URL",
        "Where people reach the server; links and QR codes start with it.",
    )
    host: str = _setting("127.0.0.1", "HUIWU_HOST", "Address to listen on.")
    port: int = _setting(8000, "HUIWU_PORT", "Port to listen on.")
    development: bool = _setting(
        False,
        "HUIWU_DEVELOPMENT",
        "1 shows sign-in codes on the outbox page and in the log. Never in production.",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "HUIWU_TRUSTED_PROXIES", "Comma-separated addresses whose X-Forwarded-* headers are believed."
    )
    smtp_url: str = _setting(
        "",
        "HUIWU_SMTP_URL",
        "smtp://user:password@host:587 (STARTTLS where offered) or smtps://…:465.",
        secret=True,
    )
    mail_from: str = _setting("Huiwu <noreply@localhost>", "HUIWU_MAIL_FROM", "Sender of every letter.")
    mail_per_hour: int = _setting(
        2000, "HUIWU_MAIL_PER_HOUR", "Letters an hour that the outbox sends at most."
    )
    mail_per_domain_hour: int = _setting(
        500, "HUIWU_MAIL_PER_DOMAIN_HOUR", "Letters an hour to one recipient domain at most."
    )
    upload_mb: int = _setting(10, "HUIWU_UPLOAD_MB", "Largest upload in megabytes.")

    @property
    def secure(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def key(self) -> bytes:
        return self.secret_key.encode()

    @property
    def is_sqlite(self) -> bool:
        return not self.database_url

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Reads the environment (or ``env``); raises WrongSetting, which ends the program, naming the setting."""
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        for item in fields(cls):
            name, raw = item.metadata["env"], env.get(item.metadata["env"], "").strip()
            if raw:
                values[item.name] = _read(name, raw, item.default)
        values.update(overrides)
        settings = cls(**values)
        settings._check()
        if not settings.secret_key:
            object.__setattr__(settings, "secret_key", _kept_secret(settings.data_dir))
        return settings

    def _check(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/") or url.query:
            raise WrongSetting(
                "HUIWU_BASE_URL", "needs the form https://host or https://host:port, nothing behind it"
            )
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        if self.secret_key and len(self.secret_key) < 32:
            raise WrongSetting("HUIWU_SECRET_KEY", "needs at least 32 characters")
        if self.database_url and urlsplit(self.database_url).scheme not in (
            "postgres",
            "postgresql",
            "asyncpg",
        ):
            raise WrongSetting(
                "DATABASE_URL", "needs the form postgres://user@host:port/name (or leave it empty)"
            )
        if self.redis_url and urlsplit(self.redis_url).scheme not in ("redis", "rediss", "unix"):
            raise WrongSetting("REDIS_URL", "needs the form redis://host:port/0")
        if self.smtp_url and urlsplit(self.smtp_url).scheme not in ("smtp", "smtps"):
            raise WrongSetting("HUIWU_SMTP_URL", "needs the form smtp://host:port or smtps://host:port")
        if not 0 <= self.port <= 65535:
            raise WrongSetting("HUIWU_PORT", "needs a port number")
        for name, value in (
            ("HUIWU_MAIL_PER_HOUR", self.mail_per_hour),
            ("HUIWU_MAIL_PER_DOMAIN_HOUR", self.mail_per_domain_hour),
            ("HUIWU_UPLOAD_MB", self.upload_mb),
        ):
            if value < 1:
                raise WrongSetting(name, "needs a number above zero")


def _read(name: str, raw: str, default: Any) -> Any:
    if isinstance(default, bool):
        if raw.lower() in ("1", "true", "yes", "on"):
            return True
        if raw.lower() in ("0", "false", "no", "off"):
            return False
        raise WrongSetting(name, "needs 1 or 0")
    if isinstance(default, int):
        try:
            return int(raw)
        except ValueError:
            raise WrongSetting(name, "needs a whole number") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return Path(raw) if isinstance(default, Path) else raw


def _kept_secret(folder: Path) -> str:
    """A key made at the first start and kept beside the data, readable by its owner alone."""
    path = folder / "secret.key"
    if path.exists():
        return path.read_text().strip()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        key = secrets.token_hex(32)
        file.write(key)
    return key
