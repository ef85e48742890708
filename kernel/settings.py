"""Settings come from the environment, are read once at the start, and a wrong one is refused by its name."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit


class WrongSetting(SystemExit):
    """Names the setting and what is wrong with it; its value is not repeated, it may be a secret."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Setting {name}: {why}")
        self.name = name


class ProviderKind(StrEnum):
    """How a sign-in provider is talked to."""

    OIDC = "oidc"
    GITHUB = "github"
    GITEE = "gitee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Somebody who says who people are; ``name`` is its word in HUIWU_PROVIDERS, in addresses and in the table."""

    name: str
    kind: ProviderKind
    label: str
    client_id: str
    client_secret: str = field(repr=False)
    #: Of an OIDC provider: ends in /.well-known/openid-configuration.
    discovery_url: str = ""
    #: Where a GitHub or a Gitee stands; a GitHub Enterprise or a Gitee of one's own has another one.
    base_url: str = ""
    #: How the client's secret reaches the token endpoint: "basic" or "post".
    client_auth: str = "basic"


#: Settings of one provider, behind HUIWU_ and its name in capitals; docs/settings.md lists the same ones.
PROVIDER_PARTS: Final = (
    "KIND",
    "LABEL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "DISCOVERY_URL",
    "BASE_URL",
    "CLIENT_AUTH",
)
_LABELS: Final = {"authing": "Authing", "github": "GitHub", "gitee": "Gitee"}
_BASES: Final = {ProviderKind.GITHUB: "https://github.com", ProviderKind.GITEE: "https://gitee.com"}


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
    providers: tuple[Provider, ...] = _setting(
        (), "HUIWU_PROVIDERS", "Comma-separated names of sign-in providers, in the order that people see."
    )
    trusted_email_providers: tuple[str, ...] = _setting(
        (),
        "HUIWU_TRUSTED_EMAIL_PROVIDERS",
        'Those of them whose word "this e-mail address is verified" opens the account of that address.',
    )
    venue_networks: tuple[str, ...] = _setting(
        (),
        "HUIWU_VENUE_NETWORKS",
        "Comma-separated networks such as 203.0.113.0/24 that no limit per network address counts.",
    )
    sockets_max: int = _setting(
        5000, "HUIWU_SOCKETS_MAX", "Live screens on one process at once, half of them from one address."
    )

    metrics_networks: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1"),
        "HUIWU_METRICS_NETWORKS",
        "Comma-separated networks that may read /metrics; for others the page is not there.",
    )

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
        if "providers" in values:
            values["providers"] = _read_providers(env, values["providers"])
        values.update(overrides)
        if "base_url" not in values and "port" in values:
            # Whoever only moves to another port means this machine; links that lead to 8000 would lead nowhere.
            values["base_url"] = f"http://127.0.0.1:{values['port']}"
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
            ("HUIWU_SOCKETS_MAX", self.sockets_max),
        ):
            if value < 1:
                raise WrongSetting(name, "needs a number above zero")
        known = {provider.name for provider in self.providers}
        if not known.issuperset(self.trusted_email_providers):
            raise WrongSetting(
                "HUIWU_TRUSTED_EMAIL_PROVIDERS", "names a provider that HUIWU_PROVIDERS does not list"
            )
        for name, networks in (
            ("HUIWU_VENUE_NETWORKS", self.venue_networks),
            ("HUIWU_METRICS_NETWORKS", self.metrics_networks),
        ):
            for network in networks:
                try:
                    ip_network(network)
                except ValueError:
                    raise WrongSetting(
                        name, "needs networks such as 203.0.113.0/24 or 2001:db8::/48"
                    ) from None


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


def _read_providers(env: Mapping[str, str], names: Sequence[str]) -> tuple[Provider, ...]:
    if len(set(names)) != len(names):
        raise WrongSetting("HUIWU_PROVIDERS", "names a provider twice")
    return tuple(_read_provider(env, name) for name in names)


def _read_provider(env: Mapping[str, str], name: str) -> Provider:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,23}", name):
        raise WrongSetting(
            "HUIWU_PROVIDERS", "needs names of lower-case letters, digits and hyphens, at most 24 long"
        )
    prefix = f"HUIWU_{name.upper().replace('-', '_')}_"
    given = {part: env.get(prefix + part, "").strip() for part in PROVIDER_PARTS}

    def needed(part: str) -> str:
        if not given[part]:
            raise WrongSetting(prefix + part, f"is missing, but HUIWU_PROVIDERS lists {name}")
        return given[part]

    def address(part: str, value: str) -> str:
        # A code and a secret travel there: in clear only on this very machine, where tests have their providers.
        url = urlsplit(value)
        if not url.hostname or not (
            url.scheme == "https" or (url.scheme == "http" and _is_here(url.hostname))
        ):
            raise WrongSetting(prefix + part, "needs an address that begins with https://")
        return value.rstrip("/")

    known_kind = given["KIND"] or (name if name in ("github", "gitee") else "oidc")
    if known_kind not in {str(one) for one in ProviderKind}:
        raise WrongSetting(prefix + "KIND", "needs oidc, github or gitee")
    kind = ProviderKind(known_kind)
    is_oidc = kind is ProviderKind.OIDC
    for part, belongs in (("DISCOVERY_URL", is_oidc), ("BASE_URL", not is_oidc), ("CLIENT_AUTH", is_oidc)):
        if given[part] and not belongs:
            raise WrongSetting(prefix + part, f"does not belong to a provider of the kind {kind}")
    client_auth = given["CLIENT_AUTH"] or ("post" if name == "authing" or not is_oidc else "basic")
    if client_auth not in ("basic", "post"):
        raise WrongSetting(prefix + "CLIENT_AUTH", "needs basic or post")
    return Provider(
        name=name,
        kind=kind,
        label=given["LABEL"] or _LABELS.get(name, name.replace("_", " ").replace("-", " ").title()),
        client_id=needed("CLIENT_ID"),
        client_secret=needed("CLIENT_SECRET"),
        discovery_url=address("DISCOVERY_URL", needed("DISCOVERY_URL")) if is_oidc else "",
        base_url="" if is_oidc else address("BASE_URL", given["BASE_URL"] or _BASES[kind]),
        client_auth=client_auth,
    )


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
