"""Uploaded pictures: what is drawn anew, what is refused, and that nothing of the sender's file goes along."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kernel.errors import Invalid
from people import pictures
from people.pictures import PictureProblem, draw_anew

SECRET = b"30.6586N 104.0648E"


def picture(kind: str, size: tuple[int, int] = (300, 200), mode: str = "RGB", **more: object) -> bytes:
    image = Image.new("RGB", size, "white")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def drawn(data: bytes, edge: int = 2400) -> pictures.Picture:
    made = draw_anew(data, edge, 16)
    assert isinstance(made, pictures.Picture), made
    return made


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "LA", "image/png"),
        ("WEBP", "RGB", "image/png"),
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
    ],
)
def test_three_formats_come_in_and_look_the_same(kind: str, mode: str, expected: str) -> None:
    made = drawn(picture(kind, mode=mode))
    assert (made.content_type, made.width, made.height) == (expected, 300, 200)
    assert pictures.kind_of(made.data) == expected
    again = opened(made.data).convert("RGB")
    assert again.size == (300, 200)
    red, white = again.getpixel((20, 100)), again.getpixel((280, 100))
    assert isinstance(red, tuple)
    assert isinstance(white, tuple)
    if mode == "RGB":
        assert red[0] > 240
        assert red[1] < 20
    assert min(white) > 240


def test_where_it_was_taken_stays_outside_and_up_is_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[29] = SECRET.decode()
    data = picture("JPEG", exif=exif, comment=SECRET)
    assert SECRET in data
    made = drawn(data)
    assert SECRET not in made.data
    again = opened(made.data)
    assert again.size == (200, 300)
    assert not again.getexif()
    assert set(again.info) <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "progressive",
        "progression",
    }
    # The red half, left before, is on top now.
    top = again.getpixel((100, 20))
    assert isinstance(top, tuple)
    assert top[1] < 20


def test_texts_and_colour_profiles_of_a_png_stay_outside() -> None:
    info = PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    data = picture("PNG", pnginfo=info, icc_profile=SECRET)
    made = drawn(data)
    assert opened(made.data).info == {}
    assert SECRET not in made.data


def test_what_hides_behind_a_picture_stays_outside() -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        evil = picture(kind) + b"<script>alert(1)</script>PK\x03\x04"
        made = drawn(evil)
        assert b"script" not in made.data
        assert b"PK\x03\x04" not in made.data


def test_a_large_one_is_made_smaller_and_keeps_its_shape() -> None:
    made = drawn(picture("JPEG", (4000, 1000)), edge=1200)
    assert (made.width, made.height) == (1200, 300)
    assert opened(made.data).size == (1200, 300)
    # Nothing is blown up.
    assert (drawn(picture("PNG", (40, 20)), edge=1200).width) == 40


def test_a_photograph_in_a_png_becomes_a_jpeg() -> None:
    noise = Image.effect_noise((1200, 1200), 80).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    assert drawn(out.getvalue()).content_type == "image/jpeg"


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises far more pixels than its few bytes hold."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 4096)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", PictureProblem.NOT_A_PICTURE),
        (b"GIF89a" + bytes(100), PictureProblem.NOT_A_PICTURE),
        (picture("GIF"), PictureProblem.NOT_A_PICTURE),
        (picture("BMP"), PictureProblem.NOT_A_PICTURE),
        (picture("TIFF"), PictureProblem.NOT_A_PICTURE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", PictureProblem.NOT_A_PICTURE),
        (b"%PDF-1.7\n", PictureProblem.NOT_A_PICTURE),
        (b"<html><script>alert(1)</script></html>", PictureProblem.NOT_A_PICTURE),
        (picture("PNG")[:-40], PictureProblem.NOT_A_PICTURE),
        (picture("JPEG")[:400], PictureProblem.NOT_A_PICTURE),
        (picture("WEBP")[:60], PictureProblem.NOT_A_PICTURE),
        (bomb(300, 200), PictureProblem.NOT_A_PICTURE),
        (bomb(50_000, 50_000), PictureProblem.TOO_MANY_PIXELS),
        (bomb(2**31 - 1, 2**31 - 1), PictureProblem.TOO_MANY_PIXELS),
        (bomb(10_000, 5_001), PictureProblem.TOO_MANY_PIXELS),
        (picture("PNG", (15, 400)), PictureProblem.TOO_SMALL),
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes, expected: PictureProblem) -> None:
    assert draw_anew(data, 2400, 16) is expected


@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "WEBP"]), st.integers(0, 2000))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_it(noise: bytes, kind: str, at: int) -> None:
    data = picture(kind, (40, 30))
    cut = data[:at] + noise + data[at + len(noise) :]
    assert isinstance(draw_anew(cut, 100, 16), (pictures.Picture, PictureProblem))


@pytest.mark.parametrize(
    ("data", "expected", "params"),
    [
        (SVG, "picture_svg", {}),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?>" + SVG, "picture_svg", {}),
        (b"  <!-- a --> " + SVG, "picture_svg", {}),
        (bytes(pictures.BYTES_MAX + 1), "picture_too_large", {"limit_mb": 10}),
        (bomb(50_000, 50_000), "picture_too_many_pixels", {"limit": 50}),
        (picture("PNG", (15, 400)), "picture_too_small", {"limit": 16}),
        (b"hello", "picture_unreadable", {}),
    ],
)
async def test_the_field_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, data: bytes, expected: str, params: dict[str, int]
) -> None:
    async def here(work: object, *arguments: object) -> object:
        assert callable(work)
        return work(*arguments)

    monkeypatch.setattr(pictures, "in_worker", here)
    with pytest.raises(Invalid) as caught:
        await pictures.clean(data, field="cover")
    problem = caught.value.fields["cover"]
    assert (problem.code, dict(problem.params)) == (expected, params)


async def test_it_is_drawn_in_the_helper_process_and_named_by_us() -> None:
    from people import jobs

    try:
        # The name says PNG, the content decides; the name that a stranger chose goes nowhere.
        made = await pictures.clean(picture("JPEG"), field="cover", edge=100)
    finally:
        await jobs.stop()
    assert (made.filename, made.content_type, made.width) == ("picture.jpg", "image/jpeg", 100)
