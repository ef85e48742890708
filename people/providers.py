"""Talks to those who say who people are: any OpenID Connect provider by discovery, GitHub and Gitee; through Authlib.

Every call has five seconds. What comes back is a plain value or one of three refusals (provider_denied, provider_down,
provider_wrong); no token, code or answer of a provider is logged, stored or shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

import httpx2
from authlib.integrations.starlette_client import OAuth

from kernel.errors import NotFound, Refusal, where_it_failed
from kernel.settings import Provider, ProviderKind, Settings
from people import rules
from people.rules import PeopleCode

log = logging.getLogger("huiwu.providers")

CALL_LIMIT_S: Final = 5.0
#: How long a provider's discovery document and keys are believed; unknown keys are looked up at once.
METADATA_LASTS_S: Final = 3600.0
#: Signatures that only the provider itself can make: never the shared secret's, never none.
_SIGNATURES: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a provider vouches for. ``email`` is folded; ``is_verified`` is the provider's own word for it."""

    subject: str
    display: str
    email: str | None
    is_verified: bool


class _Wiring:
    providers: Mapping[str, Provider] = {}
    trusted: frozenset[str] = frozenset()
    #: A test's way to a provider without a socket.
    transport: Any = None
    apps: ClassVar[dict[str, tuple[float, Any]]] = {}


def configure(settings: Settings, *, transport: Any = None) -> None:
    """Called once by ``people.wiring``; ``transport`` is for tests alone."""
    _Wiring.providers = {provider.name: provider for provider in settings.providers}
    _Wiring.trusted = frozenset(settings.trusted_email_providers)
    _Wiring.transport = transport
    _Wiring.apps.clear()


def every() -> tuple[Provider, ...]:
    """The providers of this installation, in the order that people see."""
    return tuple(_Wiring.providers.values())


def named(name: str) -> Provider:
    """Raises NotFound for one that this installation does not have."""
    if name not in _Wiring.providers:
        raise NotFound()
    return _Wiring.providers[name]


def label_of(name: str) -> str:
    """What people call a provider, also one that is no longer listed."""
    return _Wiring.providers[name].label if name in _Wiring.providers else name


def is_trusted(name: str) -> bool:
    """Whether this installation believes what the provider says about e-mail addresses."""
    return name in _Wiring.trusted


async def address_to_leave_for(
    provider: Provider, *, state: str, nonce: str, verifier: str, return_to: str
) -> str:
    """Where the browser goes to be asked who its owner is. Raises Refusal(provider_down or provider_wrong)."""
    return await _guarded(provider, _leave_for(provider, state, nonce, verifier, return_to))


async def who_came(
    provider: Provider, *, code: str, nonce: str, verifier: str, return_to: str, issuer: str = ""
) -> Person:
    """Trades the code of a return for the person behind it; a code and a verifier work once, at the provider.

    ``issuer`` is what the return itself named, if anything (RFC 9207). Raises Refusal(provider_down or
    provider_wrong): wrong signature, nonce, audience or issuer, an expired token, or an answer that makes no sense.
    """
    return await _guarded(
        provider,
        _who_came(provider, code=code, nonce=nonce, verifier=verifier, return_to=return_to, issuer=issuer),
    )


async def _guarded(provider: Provider, work: Awaitable[T]) -> T:
    """Whatever goes wrong at a provider becomes a refusal that leads back to the e-mail code."""
    try:
        return await work
    except Refusal:
        raise
    except (TimeoutError, httpx2.TransportError) as error:
        log.warning("provider %s does not answer: %s", provider.name, type(error).__name__)
        raise Refusal(PeopleCode.PROVIDER_DOWN, provider=provider.label) from None
    except httpx2.HTTPStatusError as error:
        log.warning("provider %s answered %d", provider.name, error.response.status_code)
        broken = error.response.status_code >= 500
        code = PeopleCode.PROVIDER_DOWN if broken else PeopleCode.PROVIDER_WRONG
        raise Refusal(code, provider=provider.label) from None
    except Exception as error:  # noqa: BLE001 -- Authlib's, joserfc's, or a KeyError: an answer can be wrong in any way
        log.warning("provider %s answered wrongly: %s", provider.name, where_it_failed(error))
        raise Refusal(PeopleCode.PROVIDER_WRONG, provider=provider.label) from None


async def _in_time(call: Awaitable[T]) -> T:
    # httpx's own limits are for each packet: an answer that drips in would go on for ever.
    async with asyncio.timeout(CALL_LIMIT_S):
        return await call


async def _app(provider: Provider) -> Any:
    made_at, app = _Wiring.apps.get(provider.name, (0.0, None))
    if app is None or time.monotonic() - made_at > METADATA_LASTS_S:
        app = OAuth().register(provider.name, **_registration(provider))
        if provider.kind is ProviderKind.OIDC:
            metadata = await _in_time(app.load_server_metadata())
            # Two of them decide whom we believe; without an issuer Authlib would not look at it at all.
            if not isinstance(metadata.get("issuer"), str) or not metadata["issuer"]:
                raise ValueError("no issuer")
            offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
            metadata["id_token_signing_alg_values_supported"] = sorted(_SIGNATURES.intersection(offered))
        _Wiring.apps[provider.name] = (time.monotonic(), app)
    return app


def _registration(provider: Provider) -> dict[str, Any]:
    client: dict[str, Any] = {
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": f"client_secret_{provider.client_auth}",
        "timeout": CALL_LIMIT_S,
    }
    if _Wiring.transport is not None:
        client["transport"] = _Wiring.transport
    keys = {"client_id": provider.client_id, "client_secret": provider.client_secret, "client_kwargs": client}
    base = provider.base_url
    match provider.kind:
        case ProviderKind.OIDC:
            client["scope"] = "openid profile email"
            return {**keys, "server_metadata_url": provider.discovery_url}
        case ProviderKind.GITHUB:
            client["scope"] = "read:user user:email"
            # A GitHub Enterprise has its API below its own address.
            api = "https://api.github.com" if base == "https://github.com" else f"{base}/api/v3"
            return {
                **keys,
                "authorize_url": f"{base}/login/oauth/authorize",
                "access_token_url": f"{base}/login/oauth/access_token",
                "api_base_url": f"{api}/",
            }
        case ProviderKind.GITEE:
            client["scope"] = "user_info emails"
            return {
                **keys,
                "authorize_url": f"{base}/oauth/authorize",
                "access_token_url": f"{base}/oauth/token",
                "api_base_url": f"{base}/api/v5/",
            }


async def _leave_for(provider: Provider, state: str, nonce: str, verifier: str, return_to: str) -> str:
    app = await _app(provider)
    made = await app.create_authorization_url(return_to, state=state, nonce=nonce, code_verifier=verifier)
    return str(made["url"])


async def _who_came(
    provider: Provider, *, code: str, nonce: str, verifier: str, return_to: str, issuer: str
) -> Person:
    app = await _app(provider)
    if provider.kind is ProviderKind.OIDC and issuer and issuer != app.server_metadata["issuer"]:
        raise ValueError("returned from another issuer")
    token = await _in_time(app.fetch_access_token(redirect_uri=return_to, code=code, code_verifier=verifier))
    match provider.kind:
        case ProviderKind.OIDC:
            return await _oidc_person(app, token, nonce)
        case ProviderKind.GITHUB:
            return await _github_person(app, token)
        case ProviderKind.GITEE:
            return await _gitee_person(app, token)


async def _oidc_person(app: Any, token: Mapping[str, Any], nonce: str) -> Person:
    must = {
        "iss": {"essential": True, "values": [app.server_metadata["issuer"]]},
        "aud": {"essential": True, "value": app.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
    }
    claims = await _in_time(app.parse_id_token(token, nonce=nonce, claims_options=must))
    if claims is None:
        raise ValueError("no id_token")
    facts = dict(claims)
    if not facts.get("email") and app.server_metadata.get("userinfo_endpoint"):
        more = dict(await _in_time(app.userinfo(token=token)))
        # An answer about somebody else must not lend them its address (OpenID Connect Core 5.3.2).
        if more.get("sub") != facts["sub"]:
            raise ValueError("userinfo of somebody else")
        facts = {**more, **facts, "email": more.get("email"), "email_verified": more.get("email_verified")}
    display = facts.get("preferred_username") or facts.get("nickname") or facts.get("name") or ""
    # Some providers write their booleans as words.
    return _person(facts["sub"], display, facts.get("email"), facts.get("email_verified") in (True, "true"))


async def _github_person(app: Any, token: Mapping[str, Any]) -> Person:
    user = await _json(app, "user", token)
    email, is_verified = None, False
    for one in await _list_or_nothing(app, "user/emails", token):
        if one.get("primary"):
            email, is_verified = one.get("email"), one.get("verified") is True
    return _person(_number(user["id"]), user.get("login"), email, is_verified)


async def _gitee_person(app: Any, token: Mapping[str, Any]) -> Person:
    user = await _json(app, "user", token)
    email, is_verified = None, False
    for one in await _list_or_nothing(app, "emails", token):
        if "primary" in (one.get("scope") or ()):
            email, is_verified = one.get("email"), one.get("state") == "confirmed"
    return _person(_number(user["id"]), user.get("login"), email, is_verified)


async def _json(app: Any, path: str, token: Mapping[str, Any]) -> Any:
    response = await _in_time(app.get(path, token=token, headers={"accept": "application/json"}))
    response.raise_for_status()
    return response.json()


async def _list_or_nothing(app: Any, path: str, token: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A person may keep their addresses to themselves: then there is none, which is no error."""
    response = await _in_time(app.get(path, token=token, headers={"accept": "application/json"}))
    if response.status_code in (401, 403, 404):
        return []
    response.raise_for_status()
    found = response.json()
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _number(value: Any) -> str:
    # Their own ids are numbers; a login can be given up and taken by somebody else.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an id that is no number")
    return str(value)


def _person(subject: Any, display: Any, email: Any, is_verified: bool) -> Person:
    if not isinstance(subject, str) or not subject or len(subject) > 255:
        raise ValueError("a subject that can't be kept")
    address = rules.read_email(email) if isinstance(email, str) else None
    shown = rules.one_line(display, 80) if isinstance(display, str) else ""
    return Person(subject, shown, address, bool(address) and is_verified)
