"""An event's colour: pure arithmetic on sRGB and OKLCH, so that whatever an organiser picks stays readable.

A theme gives three values: ``--accent`` (a fill), ``--accent-ink`` (words on that fill) and ``--accent-text`` (the
colour as words, lines and bars on paper, light or dark). The tokens they join are in ``static/css/tokens.css``.
"""

from __future__ import annotations

import math
import re
from typing import Final, Literal

Ink = Literal["#fff", "#111"]
Rgb = tuple[float, float, float]

WHITE: Final[Ink] = "#fff"
BLACK: Final[Ink] = "#111"

#: WCAG 2.2 AA for words, and for edges and large words.
TEXT_CONTRAST: Final = 4.5
EDGE_CONTRAST: Final = 3.0

#: The hardest ground that accent words stand on: --sunk of tokens.css, light and dark (a test compares them).
GROUND_LIGHT: Final = "#f2f1ec"
GROUND_DARK: Final = "#212327"

_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def parse_hex(colour: str) -> Rgb:
    """``#rgb`` or ``#rrggbb`` as sRGB in 0..1. Raises ValueError for anything else."""
    found = _HEX.fullmatch(colour.strip())
    if found is None:
        raise ValueError(f"not a hex colour: {colour!r}")
    digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
    return int(digits[0:2], 16) / 255, int(digits[2:4], 16) / 255, int(digits[4:6], 16) / 255


def to_hex(rgb: Rgb) -> str:
    """sRGB in 0..1, clipped, as ``#rrggbb``."""
    return "#" + "".join(f"{round(min(1.0, max(0.0, channel)) * 255):02x}" for channel in rgb)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two hex colours, 1 to 21."""
    light, dark = sorted((_luminance(parse_hex(one)), _luminance(parse_hex(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def accent_ink(accent_hex: str) -> Ink:
    """The words' colour on a fill of this accent: whichever of the two is read more easily."""
    return WHITE if contrast(accent_hex, WHITE) >= contrast(accent_hex, BLACK) else BLACK


def accent_fill(accent_hex: str) -> str:
    """The accent as a fill: itself, or (a narrow band of middle tones where neither ink reaches 4.5:1) a little darker."""
    own = to_hex(parse_hex(accent_hex))
    if contrast(own, accent_ink(own)) >= TEXT_CONTRAST:
        return own
    return _until(own, WHITE, darker=True)


def accent_for_paper(accent_hex: str, dark: bool) -> str:
    """The accent as words on paper: itself if it reads at 4.5:1 on every ground of the scheme, else its hue made
    darker (light paper) or lighter (dark paper) until it does."""
    own = to_hex(parse_hex(accent_hex))
    ground = GROUND_DARK if dark else GROUND_LIGHT
    return own if contrast(own, ground) >= TEXT_CONTRAST else _until(own, ground, darker=not dark)


def theme_css(accent_hex: str) -> str:
    """The whole stylesheet at ``/e/<alias>/theme.css``. Raises ValueError unless given a hex colour."""
    fill = accent_fill(accent_hex)
    light, dark = accent_for_paper(accent_hex, dark=False), accent_for_paper(accent_hex, dark=True)
    return (
        f":root{{--accent:{fill};--accent-ink:{accent_ink(fill)};--accent-text:{light}}}\n"
        f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{--accent-text:{dark}}}}}\n'
        f':root[data-theme="dark"]{{--accent-text:{dark}}}\n'
    )


def oklch_to_rgb(lightness: float, chroma: float, hue: float) -> Rgb:
    """OKLCH (hue in degrees) as sRGB, not clipped: a channel outside 0..1 means the screen can't show it."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _encoded(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short),
    )


def rgb_to_oklch(rgb: Rgb) -> tuple[float, float, float]:
    """sRGB in 0..1 as OKLCH (lightness 0..1, chroma, hue in degrees)."""
    red, green, blue = (_linear(channel) for channel in rgb)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _until(colour: str, ground: str, *, darker: bool) -> str:
    """The colour's hue, moved in small steps of lightness until it reads on the ground; at last black or white."""
    lightness, chroma, hue = rgb_to_oklch(parse_hex(colour))
    step = -0.01 if darker else 0.01
    while 0.0 <= (lightness := lightness + step) <= 1.0:
        tried = to_hex(_in_gamut(lightness, chroma, hue))
        if contrast(tried, ground) >= TEXT_CONTRAST:
            return tried
    return "#000000" if darker else "#ffffff"


def _in_gamut(lightness: float, chroma: float, hue: float) -> Rgb:
    """The nearest colour of that lightness and hue that a screen can show: chroma gives way."""
    for part in range(20, -1, -1):
        rgb = oklch_to_rgb(lightness, chroma * part / 20, hue)
        if all(-0.001 <= channel <= 1.001 for channel in rgb):
            return rgb
    return oklch_to_rgb(lightness, 0.0, 0.0)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (_linear(channel) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encoded(channel: float) -> float:
    if channel <= 0.0031308:
        return channel * 12.92
    return float(1.055 * channel ** (1 / 2.4) - 0.055)
