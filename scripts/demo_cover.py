"""The demo's cover pictures, drawn by this file: mountains that meet the sea, in the event's own colour."""

from __future__ import annotations

import io
import math
import random
from typing import Final

from PIL import Image, ImageColor, ImageDraw

WIDTH: Final = 1600
HEIGHT: Final = 720
#: Pixels from one corner of a ridge to the next; drawn at this size, smooth enough after the picture is made smaller.
STEP: Final = 8
WHITE: Final = (255, 255, 255)
NIGHT: Final = (10, 16, 28)

Colour = tuple[int, int, int]


def draw(colour: str, *, seed: int) -> bytes:
    """A JPEG of 1600 x 720: sky, a pale sun, four ridges and three waves; the same seed draws the same ones."""
    own: Colour = ImageColor.getrgb(colour)[:3]
    place = random.Random(seed)  # noqa: S311 -- hills, not secrets
    # One column of sky, made as wide as the picture.
    sky = Image.new("RGB", (1, HEIGHT))
    for row in range(HEIGHT):
        sky.putpixel((0, row), _mixed(_mixed(own, WHITE, 0.62), _mixed(own, WHITE, 0.94), row / HEIGHT * 1.4))
    picture = sky.resize((WIDTH, HEIGHT))
    pen = ImageDraw.Draw(picture)
    x, y, radius = place.randint(1_050, 1_300), place.randint(130, 190), 62
    for wider, share in ((46, 0.80), (22, 0.88), (0, 0.97)):
        edge = radius + wider
        pen.ellipse((x - edge, y - edge, x + edge, y + edge), fill=_mixed(own, WHITE, share))
    for number in range(4):
        share = 0.52 - number * 0.15
        pen.polygon(
            _ridge(place, base=300 + number * 70, height=130 - number * 14), fill=_mixed(own, WHITE, share)
        )
    for number in range(3):
        pen.polygon(_wave(place, base=560 + number * 55), fill=_mixed(own, NIGHT, 0.12 + number * 0.16))
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=84, optimize=True, progressive=True)
    return made.getvalue()


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with a share of ``other``."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _ridge(place: random.Random, *, base: int, height: int) -> list[tuple[float, float]]:
    waves = [(place.uniform(1.2, 2.6) * 2**nth, place.uniform(0, math.tau), 0.52**nth) for nth in range(5)]

    def lift(x: int) -> float:
        turn = x / WIDTH * math.tau
        return sum(share * (1 - 2 * abs(math.sin(turn * often / 4 + start))) for often, start, share in waves)

    line = [(float(x), base - height * lift(x)) for x in range(0, WIDTH + STEP, STEP)]
    return [(0.0, float(HEIGHT)), *line, (float(WIDTH), float(HEIGHT))]


def _wave(place: random.Random, *, base: int) -> list[tuple[float, float]]:
    often, start = place.uniform(1.6, 2.6), place.uniform(0, math.tau)
    line = [
        (float(x), base + 18 * math.sin(x / WIDTH * math.tau * often + start))
        for x in range(0, WIDTH + STEP, STEP)
    ]
    return [(0.0, float(HEIGHT)), *line, (float(WIDTH), float(HEIGHT))]
