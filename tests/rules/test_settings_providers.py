"""Settings of sign-in providers and networks: what is missing or wrong ends the start and is named, its value is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernel.settings import PROVIDER_PARTS, ProviderKind, Settings, WrongSetting

pytestmark = pytest.mark.fast

KEY = {"HUIWU_SECRET_KEY": "k" * 40}
DISCOVERY = "https://coscon.authing.cn/oidc/.well-known/openid-configuration"
AUTHING = {
    "HUIWU_PROVIDERS": "authing",
    "HUIWU_AUTHING_CLIENT_ID": "id",
    "HUIWU_AUTHING_CLIENT_SECRET": "hush",
    "HUIWU_AUTHING_DISCOVERY_URL": DISCOVERY,
}


def read(**more: str) -> Settings:
    return Settings.from_env(KEY | more)


def test_without_any_there_are_none() -> None:
    assert read().providers == ()


def test_three_providers_in_the_order_that_people_see() -> None:
    settings = read(
        **AUTHING
        | {
            "HUIWU_PROVIDERS": "authing, github,gitee",
            "HUIWU_GITHUB_CLIENT_ID": "id",
            "HUIWU_GITHUB_CLIENT_SECRET": "hush",
            "HUIWU_GITEE_CLIENT_ID": "id",
            "HUIWU_GITEE_CLIENT_SECRET": "hush",
            "HUIWU_TRUSTED_EMAIL_PROVIDERS": "github",
        }
    )
    assert [(one.name, one.label, one.kind, one.client_auth) for one in settings.providers] == [
        ("authing", "Authing", ProviderKind.OIDC, "post"),
        ("github", "GitHub", ProviderKind.GITHUB, "post"),
        ("gitee", "Gitee", ProviderKind.GITEE, "post"),
    ]
    assert [(one.discovery_url, one.base_url) for one in settings.providers] == [
        (DISCOVERY, ""),
        ("", "https://github.com"),
        ("", "https://gitee.com"),
    ]
    assert settings.trusted_email_providers == ("github",)
    # A log of the settings must not hold it.
    assert "hush" not in repr(settings)


def test_enterprise_github_and_ones_own_provider_have_names_of_their_own() -> None:
    settings = read(
        HUIWU_PROVIDERS="our-git,keycloak",
        HUIWU_OUR_GIT_KIND="github",
        HUIWU_OUR_GIT_LABEL="Our Git 代码库",
        HUIWU_OUR_GIT_BASE_URL="https://git.example.org/",
        HUIWU_OUR_GIT_CLIENT_ID="id",
        HUIWU_OUR_GIT_CLIENT_SECRET="hush",
        HUIWU_KEYCLOAK_DISCOVERY_URL="http://127.0.0.1:9000/.well-known/openid-configuration",
        HUIWU_KEYCLOAK_CLIENT_ID="id",
        HUIWU_KEYCLOAK_CLIENT_SECRET="hush",
    )
    git, keycloak = settings.providers
    assert (git.kind, git.label, git.base_url) == (
        ProviderKind.GITHUB,
        "Our Git 代码库",
        "https://git.example.org",
    )
    assert (keycloak.kind, keycloak.label, keycloak.client_auth) == (ProviderKind.OIDC, "Keycloak", "basic")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"HUIWU_AUTHING_CLIENT_ID": ""}, "HUIWU_AUTHING_CLIENT_ID"),
        ({"HUIWU_AUTHING_CLIENT_SECRET": " "}, "HUIWU_AUTHING_CLIENT_SECRET"),
        ({"HUIWU_AUTHING_DISCOVERY_URL": ""}, "HUIWU_AUTHING_DISCOVERY_URL"),
        ({"HUIWU_AUTHING_DISCOVERY_URL": "http://far.example/x"}, "HUIWU_AUTHING_DISCOVERY_URL"),
        ({"HUIWU_AUTHING_DISCOVERY_URL": "http://203.0.113.7/x"}, "HUIWU_AUTHING_DISCOVERY_URL"),
        ({"HUIWU_AUTHING_DISCOVERY_URL": "far.example"}, "HUIWU_AUTHING_DISCOVERY_URL"),
        ({"HUIWU_AUTHING_KIND": "saml"}, "HUIWU_AUTHING_KIND"),
        ({"HUIWU_AUTHING_CLIENT_AUTH": "none"}, "HUIWU_AUTHING_CLIENT_AUTH"),
        ({"HUIWU_AUTHING_BASE_URL": "https://x.example"}, "HUIWU_AUTHING_BASE_URL"),
        ({"HUIWU_AUTHING_KIND": "github"}, "HUIWU_AUTHING_DISCOVERY_URL"),
        ({"HUIWU_PROVIDERS": "authing,authing"}, "HUIWU_PROVIDERS"),
        ({"HUIWU_PROVIDERS": "Authing"}, "HUIWU_PROVIDERS"),
        ({"HUIWU_PROVIDERS": "a/b"}, "HUIWU_PROVIDERS"),
        ({"HUIWU_PROVIDERS": "x" * 25}, "HUIWU_PROVIDERS"),
        ({"HUIWU_PROVIDERS": "authing,github"}, "HUIWU_GITHUB_CLIENT_ID"),
        ({"HUIWU_TRUSTED_EMAIL_PROVIDERS": "github"}, "HUIWU_TRUSTED_EMAIL_PROVIDERS"),
        ({"HUIWU_VENUE_NETWORKS": "203.0.113.0/24, hall"}, "HUIWU_VENUE_NETWORKS"),
        ({"HUIWU_VENUE_NETWORKS": "203.0.113.7/24"}, "HUIWU_VENUE_NETWORKS"),
    ],
)
def test_wrong_setting_is_named_and_not_repeated(change: dict[str, str], named: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        read(**AUTHING | change)
    assert caught.value.name == named
    assert "hush" not in str(caught.value)


def test_venue_networks_are_read() -> None:
    assert read(HUIWU_VENUE_NETWORKS="203.0.113.0/24,2001:db8::/48").venue_networks == (
        "203.0.113.0/24",
        "2001:db8::/48",
    )


def test_every_part_of_a_provider_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `HUIWU_<NAME>_([A-Z_]+)` \|", page, re.MULTILINE)) == set(PROVIDER_PARTS)
