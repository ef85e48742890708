"""Pictures that people upload: known by their content, drawn anew, and nothing of the sender left in them.

The bytes that come in are never served. Pillow decodes them in the helper process, what is seen is turned upright and
written again as a plain file of our own: EXIF and GPS, comments, colour profiles, thumbnails, and whatever else was
hidden behind or inside the picture stay outside. An SVG is a document that may hold scripts, so it is none of ours.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kernel.errors import Invalid, Problem
from people.worker import in_worker

#: What comes in, at most; a phone's photograph has 3 to 8 MB.
BYTES_MAX: Final = 10 * 1024 * 1024
#: Width times height of what comes in: 50 megapixels are 150 MB once decoded, the largest we spend on one picture.
PIXELS_MAX: Final = 50_000_000
#: What goes out is at most so wide and high, unless the caller asks for less.
EDGE_MAX: Final = 2400
#: A drawing stays a PNG, sharp to the pixel; above this one without transparency becomes a JPEG.
PNG_BYTES: Final = 1024 * 1024
#: Formats that Pillow may try, named so that no other decoder of its forty ever sees a stranger's bytes.
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_LOOKS_LIKE_SVG: Final = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!DOCTYPE\s+svg|<svg)", re.IGNORECASE
)


class PictureProblem(StrEnum):
    """Why a file is not taken."""

    NOT_A_PICTURE = "picture_unreadable"
    SVG = "picture_svg"
    TOO_LARGE = "picture_too_large"
    TOO_MANY_PIXELS = "picture_too_many_pixels"
    TOO_SMALL = "picture_too_small"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of our own making, ready for ``people.uploads.keep``."""

    data: bytes
    content_type: str
    #: A name for the file that says nothing and holds nothing of the name it came with.
    filename: str
    width: int
    height: int


def square(width: int, height: int, focus: int) -> tuple[int, int, int, int]:
    """The largest square of a picture as (left, top, right, bottom), ``focus`` hundredths along its longer edge."""
    edge, part = min(width, height), min(max(focus, 0), 100)
    left, top = (width - edge) * part // 100, (height - edge) * part // 100
    return (left, top, left + edge, top + edge)


async def clean(
    data: bytes, *, field: str, edge: int = EDGE_MAX, least: int = 16, focus: int | None = None
) -> Picture:
    """Draws an uploaded picture anew, at most ``edge`` pixels wide and high, upright, with nothing but its pixels.

    With a ``focus`` it is cut to a square: that many hundredths along the longer edge of what is seen upright.

    Raises Invalid at ``field`` with a PictureProblem: for what is no PNG, JPEG or WebP by its content (whatever its
    name says), SVG by name, what is cut off, over 10 MB, over 50 megapixels (a decompression bomb is refused by the
    size in its header, before anything is decoded), or under ``least`` pixels wide or high. Of a moving picture the
    first frame stays. Decoding runs in the helper process, for up to a second or two.
    """
    if len(data) > BYTES_MAX:
        raise _no(field, PictureProblem.TOO_LARGE, limit_mb=BYTES_MAX // 1024 // 1024)
    if _LOOKS_LIKE_SVG.match(data[:512]):
        raise _no(field, PictureProblem.SVG)
    made = await in_worker(draw_anew, data, edge, least, focus)
    if isinstance(made, Picture):
        return made
    match made:
        case PictureProblem.TOO_MANY_PIXELS:
            raise _no(field, made, limit=PIXELS_MAX // 1_000_000)
        case PictureProblem.TOO_SMALL:
            raise _no(field, made, limit=least)
        case _:
            raise _no(field, made)


def _no(field: str, problem: PictureProblem, **params: int) -> Invalid:
    return Invalid({field: Problem(problem, params)})


def draw_anew(data: bytes, edge: int, least: int, focus: int | None = None) -> Picture | PictureProblem:
    """The work of ``clean``; in a process of its own, so that what a decoder does there harms nobody else's request."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        # Pillow warns of bombs from 89 megapixels on and refuses from twice that on; ours is below both.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                width, height = opened.size
                # The header's word, before a single pixel is decoded.
                if width * height > PIXELS_MAX:
                    return PictureProblem.TOO_MANY_PIXELS
                if min(width, height) < least:
                    return PictureProblem.TOO_SMALL
                # A telephone's JPEG with a second picture behind it calls itself MPO.
                is_photograph = opened.format in ("JPEG", "MPO")
                # A JPEG is decoded at a half, quarter or eighth where that is enough.
                if is_photograph:
                    # What is cut off is not shown: of a square the shorter edge counts.
                    wanted = (
                        edge * 2 if focus is None else edge * 2 * max(width, height) // min(width, height)
                    )
                    opened.draft("RGB", (wanted, wanted))
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
                plain = upright.convert("RGBA" if has_alpha else "RGB")
        except Image.DecompressionBombError:
            return PictureProblem.TOO_MANY_PIXELS
        except (
            UnidentifiedImageError,
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
            KeyError,
            IndexError,
            MemoryError,
        ):
            # Whatever a decoder says of a broken or hostile file; it is the file's fault.
            return PictureProblem.NOT_A_PICTURE
    if focus is not None:
        plain = plain.crop(square(*plain.size, focus))
    plain.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    # A new picture made of the pixels alone: info, EXIF, profiles and comments have nowhere to go along.
    bare = Image.new(plain.mode, plain.size)
    bare.paste(plain)
    out = io.BytesIO()
    if not is_photograph:
        bare.save(out, "PNG", optimize=True)
        if has_alpha or out.tell() <= PNG_BYTES:
            return Picture(out.getvalue(), "image/png", "picture.png", *bare.size)
        out = io.BytesIO()  # a photograph after all
    bare.convert("RGB").save(out, "JPEG", quality=85, optimize=True, progressive=True)
    return Picture(out.getvalue(), "image/jpeg", "picture.jpg", *bare.size)


def kind_of(data: bytes) -> str:
    """The content type of a picture that ``clean`` has made, by its first bytes; "" for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/png" if data.startswith(b"\x89PNG\r\n\x1a\n") else ""
