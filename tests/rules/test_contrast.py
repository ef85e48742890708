"""The look's colours can be read: every pair of tokens, light and dark, and whatever accent an organiser picks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from web import colour
from web.colour import EDGE_CONTRAST, TEXT_CONTRAST

TOKENS = Path(colour.__file__).parent / "static" / "css" / "tokens.css"

_TOKEN = re.compile(
    r"--(?P<name>[a-z-]+): oklch\((?P<l>[\d.]+) (?P<c>[\d.]+) (?P<h>[\d.]+)\);|--(?P<hexname>[a-z-]+): (?P<hex>#[0-9a-f]{6});"
)


def _hex_tokens(body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _TOKEN.finditer(body):
        if match["name"]:
            rgb = colour.oklch_to_rgb(float(match["l"]), float(match["c"]), float(match["h"]))
            assert all(-0.02 <= channel <= 1.02 for channel in rgb), (
                f"--{match['name']} can't be shown in sRGB: {rgb}"
            )
            found[match["name"]] = colour.to_hex(rgb)
        else:
            found[match["hexname"]] = match["hex"]
    return found


def _blocks() -> dict[str, dict[str, str]]:
    """The colour tokens by selector; a media query's inner block is found by its own selector."""
    text = TOKENS.read_text()
    text = re.sub(r"@(?:media|supports) [^{]+\{", "", text)
    blocks: dict[str, dict[str, str]] = {}
    for match in re.finditer(r"(?P<selector>:root[^{]*?)\s*\{(?P<body>[^}]*)\}", text):
        tokens = _hex_tokens(match["body"])
        if tokens:
            blocks.setdefault(match["selector"], tokens)
    return blocks


BLOCKS = _blocks()
LIGHT = BLOCKS[":root"]
DARK = {**LIGHT, **BLOCKS[':root[data-theme="dark"]']}
SCHEMES = {"light": LIGHT, "dark": DARK}

MEANINGS = ("go", "care", "stop", "note")
GROUNDS = ("paper", "sheet", "sunk")
WORDS = ("ink", "ink-soft", "accent-text", *MEANINGS)

TEXT_PAIRS = [
    *((word, ground) for word in WORDS for ground in GROUNDS),
    *((meaning, f"{meaning}-tint") for meaning in MEANINGS),
    *(("ink", f"{meaning}-tint") for meaning in MEANINGS),
    *((f"{meaning}-fill-ink", f"{meaning}-fill") for meaning in MEANINGS),
    ("accent-ink", "accent"),
    ("paper", "ink"),
]
EDGE_PAIRS = [
    *(("edge", ground) for ground in GROUNDS),
    *(("accent-text", ground) for ground in GROUNDS),
    *((meaning, ground) for meaning in MEANINGS for ground in GROUNDS),
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("word", "ground"), TEXT_PAIRS)
def test_words_can_be_read(scheme: str, word: str, ground: str) -> None:
    tokens = SCHEMES[scheme]
    assert colour.contrast(tokens[word], tokens[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("edge", "ground"), EDGE_PAIRS)
def test_edges_can_be_seen(scheme: str, edge: str, ground: str) -> None:
    tokens = SCHEMES[scheme]
    assert colour.contrast(tokens[edge], tokens[ground]) >= EDGE_CONTRAST


def test_verdicts_stand_out_from_the_scanner() -> None:
    scanner = "#0c0d0f"
    assert all(colour.contrast(LIGHT[f"{meaning}-fill"], scanner) >= EDGE_CONTRAST for meaning in MEANINGS)


def test_the_house_accent_keeps_the_rules_of_every_accent() -> None:
    assert colour.accent_fill(LIGHT["accent"]) == LIGHT["accent"]
    assert colour.parse_hex(colour.accent_ink(LIGHT["accent"])) == colour.parse_hex(LIGHT["accent-ink"])


def test_both_ways_to_the_dark_are_one() -> None:
    assert BLOCKS[':root:not([data-theme="light"])'] == BLOCKS[':root[data-theme="dark"]']


def test_the_fills_of_verdicts_are_equal_in_light_and_dark() -> None:
    assert not [name for name in BLOCKS[':root[data-theme="dark"]'] if "fill" in name]


def test_browsers_without_oklch_get_the_light_paper() -> None:
    assert BLOCKS[":root:root:root"] == {
        name: value for name, value in LIGHT.items() if not name.startswith("accent")
    }


def test_colour_knows_the_hardest_grounds() -> None:
    assert LIGHT["sunk"] == colour.GROUND_LIGHT
    assert DARK["sunk"] == colour.GROUND_DARK


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000", "#fff", 21.0),
        ("#fff", "#fff", 1.0),
        ("#777777", "#ffffff", 4.478),
        ("#ff0000", "#ffffff", 3.998),
    ],
)
def test_contrast_is_wcags(one: str, other: str, ratio: float) -> None:
    assert colour.contrast(one, other) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize(
    ("accent", "ink"),
    [
        ("#000", "#fff"),
        ("#ffffff", "#111"),
        ("#ffe600", "#111"),
        ("#1e5aa8", "#fff"),
        ("#d7000f", "#fff"),
        ("#00b050", "#111"),
    ],
)
def test_ink_on_an_accent(accent: str, ink: str) -> None:
    assert colour.accent_ink(accent) == ink


@pytest.mark.parametrize("wrong", ["", "red", "#12", "#12345", "#gggggg", "#fff;}", "url(x)", "#1234567"])
def test_only_a_hex_colour_becomes_a_theme(wrong: str) -> None:
    with pytest.raises(ValueError, match="hex colour"):
        colour.theme_css(wrong)


def test_a_theme_sets_the_accent_and_nothing_else() -> None:
    css = colour.theme_css("#1E5AA8")
    assert set(re.findall(r"--[a-z-]+", css)) == {"--accent", "--accent-ink", "--accent-text"}
    assert "--accent:#1e5aa8" in css


HEXES = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(HEXES)
@example("#757575")
@example("#7a7a7a")
@example("#ffffff")
@example("#000000")
def test_any_accent_carries_readable_words(accent: str) -> None:
    fill = colour.accent_fill(accent)
    assert colour.contrast(fill, colour.accent_ink(fill)) >= TEXT_CONTRAST


@given(HEXES, st.booleans())
@example("#ffff00", False)
@example("#0000ff", True)
def test_any_accent_reads_on_paper(accent: str, dark: bool) -> None:
    words = colour.accent_for_paper(accent, dark)
    tokens = DARK if dark else LIGHT
    assert all(colour.contrast(words, tokens[ground]) >= TEXT_CONTRAST for ground in GROUNDS)


@given(HEXES, st.booleans())
def test_what_reads_already_is_left_alone(accent: str, dark: bool) -> None:
    once = colour.accent_for_paper(accent, dark)
    assert colour.accent_for_paper(once, dark) == once
    assert colour.accent_fill(colour.accent_fill(accent)) == colour.accent_fill(accent)


@given(HEXES)
def test_oklch_there_and_back(accent: str) -> None:
    assert colour.to_hex(colour.oklch_to_rgb(*colour.rgb_to_oklch(colour.parse_hex(accent)))) == accent
