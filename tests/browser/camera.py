"""A film for Chromium's fake camera: pictures held before a lens, a little tilted, soft and noisy, as hands do it."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageFilter

#: Chromium plays the file in a loop, at this pace. More than a scanner decodes in a second on a busy machine.
FPS = 8
WIDTH, HEIGHT = 640, 480

#: For ``chromium.launch(args=…)``; with a film, ``*ARGUMENTS, *film_arguments(path)``.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def film_arguments(film: Path) -> tuple[str, ...]:
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


def frame(
    picture: bytes | None, *, angle: float = 0, blur: float = 0.8, scale: float = 0.7, seed: int = 1
) -> bytes:
    """One Y4M frame (4:2:0, no colour): ``picture`` (a PNG) in front of a grey wall, or the wall alone."""
    dice = random.Random(seed)
    scene = Image.new("L", (WIDTH, HEIGHT), 140)
    if picture is not None:
        side = int(HEIGHT * scale)
        card = Image.open(io.BytesIO(picture)).convert("L").resize((side, side), Image.Resampling.LANCZOS)
        # Neither ink nor paper is perfect, and a phone's screen glares.
        card = card.point([30 + value * 205 // 255 for value in range(256)])
        card = card.rotate(angle, expand=True, fillcolor=140, resample=Image.Resampling.BICUBIC)
        left = (WIDTH - card.width) // 2 + dice.randint(-20, 20)
        scene.paste(card, (left, (HEIGHT - card.height) // 2 + dice.randint(-10, 10)))
        scene = scene.filter(ImageFilter.GaussianBlur(blur))
    scene = Image.blend(scene, Image.effect_noise((WIDTH, HEIGHT), 24), 0.12)
    luma = scene.point([16 + value * 219 // 255 for value in range(256)])
    return b"FRAME\n" + luma.tobytes() + b"\x80" * (WIDTH * HEIGHT // 2)


def write_film(path: Path, scenes: Sequence[tuple[float, bytes | None, float]]) -> Path:
    """``scenes``: seconds, picture (None: an empty wall), angle. The film loops."""
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420mpeg2\n".encode())
        for number, (seconds, picture, angle) in enumerate(scenes):
            film.write(frame(picture, angle=angle, seed=number) * round(seconds * FPS))
    return path
