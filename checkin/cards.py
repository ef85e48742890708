"""Pictures of a passport: its QR code as PNG and SVG, and the card that is saved to a phone or printed.

Pure but for the search of a font; drawing takes milliseconds of CPU, so pages use the ``async`` functions, which draw
in a thread. A picture with the code in it is its holder's own: pictures made for sharing carry none.
"""

from __future__ import annotations

import asyncio
import io
import logging
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import qrcode
from PIL import Image, ImageDraw, ImageFont

log = logging.getLogger("huiwu.cards")

#: Modules of white around the code, as ISO/IEC 18004 asks.
QUIET: Final = 4
#: Pixels a module: about 750 px for our addresses, sharp when a phone saves it.
MODULE_PX: Final = 16
#: Codes kept ready: a hall that opens its passports at once draws each one once.
KEPT: Final = 1024

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


# --- the code ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=KEPT)
def _matrix(text: str) -> tuple[tuple[bool, ...], ...]:
    code = qrcode.QRCode(border=QUIET, error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(text)
    code.make(fit=True)
    return tuple(tuple(map(bool, row)) for row in code.get_matrix())


def draw_code(text: str, module_px: int = MODULE_PX) -> Image.Image:
    """The QR code of ``text``, black on white, its quiet zone included; whole pixels a module, so that it is sharp."""
    matrix = _matrix(text)
    side = len(matrix)
    picture = Image.new("1", (side, side), 1)
    picture.putdata([0 if dark else 1 for row in matrix for dark in row])
    return picture.resize((side * module_px, side * module_px), Image.Resampling.NEAREST)


@lru_cache(maxsize=KEPT)
def code_png(text: str, module_px: int = MODULE_PX) -> bytes:
    """The QR code as a PNG of one bit a pixel, about 1 kB."""
    return _png(draw_code(text, module_px))


@lru_cache(maxsize=KEPT)
def code_svg(text: str) -> bytes:
    """The QR code as one path, for print shops: a rectangle for every run of dark modules."""
    matrix = _matrix(text)
    side = len(matrix)
    path = "".join(
        f"M{x} {y}h{length}v1h-{length}z" for y, row in enumerate(matrix) for x, length in _runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}mm" height="{side}mm" '
        f'shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path d="{path}"/></svg>'
    ).encode()


def _runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for x, dark in enumerate((*row, False)):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            yield start, x - start
            start = None


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


async def png(text: str) -> bytes:
    return await asyncio.to_thread(code_png, text)


async def svg(text: str) -> bytes:
    return await asyncio.to_thread(code_svg, text)


# --- the card ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What stands on a passport card, in its reader's language. ``accent`` and ``accent_ink`` are hex colours."""

    address: str
    event: str
    when: str
    place: str
    name: str
    line: str
    ticket_type: str
    short_code: str
    accent: str
    accent_ink: str


WIDTH: Final = 1080
HEIGHT: Final = 1620
_MARGIN: Final = 84
_INK: Final = "#16171a"
_SOFT: Final = "#55585c"


async def card_png(card: Card) -> bytes:
    """The passport as one picture, in the proportions of a phone's screen and of A6."""
    return await asyncio.to_thread(draw_card, card)


def draw_card(card: Card) -> bytes:
    """See ``card_png``. A line that no font here can write is left out, never shown as boxes; the code always stands."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#ffffff")
    pen = ImageDraw.Draw(picture)
    room = WIDTH - 2 * _MARGIN

    head = fit(card.event, sizes=(60, 54, 48, 42), width=room, lines=2, bold=True)
    under = fit(
        " · ".join(part for part in (card.when, card.place) if part), sizes=(34, 30, 27), width=room, lines=2
    )
    band = 56 + head.height + 14 + under.height + 52
    pen.rectangle((0, 0, WIDTH, band), fill=card.accent)
    y = head.write(pen, 56, card.accent_ink) + 14
    under.write(pen, y, card.accent_ink)

    name = fit(card.name, sizes=(92, 80, 68, 58, 50), width=room, lines=2, bold=True)
    line = fit(card.line, sizes=(38, 34, 30), width=room, lines=2)
    kind = fit(card.ticket_type, sizes=(42, 38, 34), width=room, lines=1, bold=True)
    spoken = f"{card.short_code[:4]} {card.short_code[4:]}"
    short = fit(spoken, sizes=(60,), width=room, lines=1, bold=True)

    below = name.height + line.height + kind.height + 36
    code_room = HEIGHT - band - below - short.height - 150
    side = len(_matrix(card.address))
    module_px = max(4, min(code_room, 800) // side)
    code = draw_code(card.address, module_px)
    y = band + 20
    picture.paste(code, ((WIDTH - code.width) // 2, y))
    y = short.write(pen, y + code.height - module_px, _INK)
    y += max(24, (HEIGHT - y - below) // 2 - 12)
    y = name.write(pen, y, _INK)
    y = line.write(pen, y + 14, _SOFT)
    kind.write(pen, y + 14, _INK)
    return _png(picture.quantize(64))


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one size, centred."""

    lines: tuple[str, ...]
    font: Font
    size: int

    @property
    def height(self) -> int:
        return len(self.lines) * round(self.size * 1.25)

    def write(self, pen: ImageDraw.ImageDraw, y: int, colour: str) -> int:
        """Draws from ``y`` down and gives the y below."""
        for line in self.lines:
            pen.text((WIDTH / 2, y + self.size * 0.625), line, font=self.font, fill=colour, anchor="mm")
            y += round(self.size * 1.25)
        return y


def fit(text: str, *, sizes: Sequence[int], width: int, lines: int, bold: bool = False) -> Block:
    """The largest size at which the text stands in so many lines; at the smallest it is cut, with an ellipsis.

    One line at a smaller size is preferred to two at a larger one only where it costs less than a third of the size.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    font: Font = _font(sizes[-1], bold)
    text = _writable(text, font)
    if not text:
        return Block((), font, sizes[-1])
    for allowed in range(1, lines + 1):
        for size in sizes:
            if allowed < lines and size * 3 < sizes[0] * 2:
                break  # so small that another line reads better
            font = _font(size, bold)
            broken = _broken(text, font, width)
            if len(broken) <= allowed:
                return Block(tuple(broken), font, size)
    font = _font(sizes[-1], bold)
    kept = _broken(text, font, width)[:lines]
    while kept[-1] and font.getlength(kept[-1] + "…") > width:
        kept[-1] = kept[-1][:-1]
    kept[-1] = kept[-1].rstrip() + "…"
    return Block(tuple(kept), font, sizes[-1])


def _broken(text: str, font: Font, width: int) -> list[str]:
    """Lines no wider than ``width``: broken at spaces, between Chinese characters, and inside a word only at need."""
    lines = [""]
    for piece in _pieces(text):
        if font.getlength((lines[-1] + piece).strip()) <= width:
            lines[-1] += piece
            continue
        if lines[-1].strip():
            lines.append("")
        for char in piece.lstrip():
            if font.getlength(lines[-1] + char) > width:
                lines.append("")
            lines[-1] += char
    return [line.strip() for line in lines if line.strip()]


def _pieces(text: str) -> list[str]:
    """What must not be torn apart without need: words with the space before them, and single wide characters."""
    pieces: list[str] = []
    for char in text:
        wide = unicodedata.east_asian_width(char) in "WF"
        closes = char in "，。、；：！？）》」』】…"
        hyphen_before = bool(pieces) and pieces[-1].endswith("-")
        if not pieces or char == " " or (wide and not closes) or hyphen_before or _is_wide(pieces[-1]):
            if pieces and closes:
                pieces[-1] += char
            else:
                pieces.append(char)
        else:
            pieces[-1] += char
    return pieces


def _is_wide(piece: str) -> bool:
    return unicodedata.east_asian_width(piece[-1]) in "WF"


# --- fonts -------------------------------------------------------------------------------------------------------

#: Best first: file name beginnings of fonts that hold Chinese and Latin, as systems ship them.
_REGULAR: Final = (
    "NotoSansCJK-Regular",
    "NotoSansCJKsc-Regular",
    "NotoSansSC-Regular",
    "SourceHanSansSC-Regular",
    "SourceHanSansCN-Regular",
    "PingFang",
    "HarmonyOS_Sans_SC_Regular",
    "wqy-microhei",
    "msyh",
    "wqy-zenhei",
    "Hiragino Sans GB",
    "STHeiti",
    "SimHei",
)
_BOLD: Final = (
    "NotoSansCJK-Bold",
    "NotoSansCJKsc-Bold",
    "NotoSansSC-Bold",
    "SourceHanSansSC-Bold",
    "SourceHanSansCN-Bold",
    "HarmonyOS_Sans_SC_Bold",
    "msyhbd",
)
_FOLDERS: Final = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)


@lru_cache(maxsize=2)
def font_file(bold: bool = False) -> tuple[Path, int] | None:
    """A font with Chinese letters and its index in the file; None, with one line in the log, when there is none."""
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    files = {
        file.name: file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in (".ttf", ".ttc", ".otf")
    }
    for wanted in (*_BOLD, *_REGULAR) if bold else _REGULAR:
        for name, file in files.items():
            if name.startswith(wanted):
                return file, _simplified(file)
    if not bold:
        log.warning(
            "no Chinese font found: passport cards leave Chinese lines out. "
            "On Debian: apt-get install fonts-noto-cjk (or fonts-wqy-microhei)"
        )
    return None


def _simplified(file: Path) -> int:
    """A collection holds one face a region; the mainland's draws 骨 and 直 as the reader learnt them."""
    if file.suffix.lower() != ".ttc":
        return 0
    for index in range(12):
        try:
            family = ImageFont.truetype(str(file), 16, index=index).getname()[0] or ""
        except OSError:
            break
        if family.endswith("SC"):
            return index
    return 0


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> Font:
    found = font_file(bold) or font_file(False)
    if found is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(found[0]), size, index=found[1])


def _writable(text: str, font: Font) -> str:
    """The text without what the font can't draw: emoji go, but where a letter is missing the whole line goes."""
    kept = []
    for char in text:
        if char == " " or _has(char, font):
            kept.append(char)
        elif unicodedata.category(char)[0] in "LN":
            return ""
    return " ".join("".join(kept).split())


def _has(char: str, font: Font) -> bool:
    if "\x21" <= char <= "\x7e":
        return True
    if unicodedata.category(char) in ("Cf", "Cc", "Cn", "Mn") and not char.isprintable():
        return False
    if unicodedata.category(char) == "Mn" or "\ufe00" <= char <= "\ufe0f":
        return False
    return _drawn(char, font) != _drawn("\U0010fffd", font)


def _drawn(char: str, font: Font) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)
