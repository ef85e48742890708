"""The pictures are read as a scanner reads them; long names fit; a missing font leaves lines out, never boxes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from checkin import cards
from checkin.rules import read_code

TOKEN = "0123456789abcdef0123456789abcdef"
ADDRESS = f"https://tickets.a-rather-long-name.example.org/p?token={TOKEN}"
CARD = cards.Card(
    address=ADDRESS,
    event="第八届中国开源年会 COSCon'23",
    when="2023年10月28日至29日",
    place="成都",
    name="林小满",
    line="开源社",
    ticket_type="讲师",
    short_code="7KQ2M9XD",
    accent="#0b6e4f",
    accent_ink="#ffffff",
)
LONGEST = replace(
    CARD,
    name="Wilhelmina Katherine Featherstonehaugh-Cholmondeley",
    line="中国科学院软件研究所智能软件研究中心 Institute of Software, Chinese Academy of Sciences, Beijing, China",
    event="A Conference With a Name So Long That Nobody Ever Says It Whole, Not Even Its Founders " * 2,
)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def texts(picture: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture.convert("L"))]


@pytest.mark.fast
def test_png_holds_the_address_and_a_scanner_finds_the_token_in_it() -> None:
    picture = opened(cards.code_png(ADDRESS))
    assert texts(picture) == [ADDRESS]
    assert read_code(texts(picture)[0]).candidates[0] == TOKEN
    assert picture.width == picture.height >= 500 and picture.width % cards.MODULE_PX == 0


@pytest.mark.fast
def test_png_is_black_on_white_with_a_quiet_zone_of_four_modules() -> None:
    picture = opened(cards.code_png(ADDRESS)).convert("L")
    quiet = cards.QUIET * cards.MODULE_PX
    assert set(picture.get_flattened_data()) == {0, 255}
    frame = [(0, 0, picture.width, quiet), (0, 0, quiet, picture.height)]
    frame += [(0, picture.height - quiet, picture.width, picture.height)]
    frame += [(picture.width - quiet, 0, picture.width, picture.height)]
    assert all(picture.crop(box).getextrema() == (255, 255) for box in frame)
    assert picture.getpixel((quiet, quiet)) == 0


@pytest.mark.fast
def test_error_correction_survives_a_thumb() -> None:
    # Level M mends about 15 % of the symbol: a blot of 12 % of the width on a corner without a finder is nothing.
    picture = opened(cards.code_png(ADDRESS)).convert("L")
    side = picture.width
    picture.paste(128, (int(side * 0.72), int(side * 0.72), int(side * 0.84), int(side * 0.84)))
    assert texts(picture) == [ADDRESS]


@pytest.mark.fast
def test_svg_draws_the_same_modules() -> None:
    svg = cards.code_svg(ADDRESS).decode()
    side = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
    drawn = Image.new("1", (side, side), 1)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        drawn.paste(0, (int(x), int(y), int(x) + int(length), int(y) + 1))
    assert texts(drawn.resize((side * 8, side * 8))) == [ADDRESS]
    assert "style" not in svg and "script" not in svg


async def test_drawing_leaves_the_loop_free() -> None:
    assert await cards.png(ADDRESS) == cards.code_png(ADDRESS)
    assert await cards.svg(ADDRESS) == cards.code_svg(ADDRESS)
    assert texts(opened(await cards.card_png(CARD))) == [ADDRESS]


@pytest.mark.fast
@pytest.mark.parametrize("card", [CARD, LONGEST], ids=["usual", "longest"])
def test_card_is_decodable_and_of_one_size(card: cards.Card) -> None:
    picture = opened(cards.draw_card(card))
    assert picture.size == (cards.WIDTH, cards.HEIGHT)
    assert texts(picture) == [ADDRESS]
    # as a messenger hands it on: small and soft
    assert texts(picture.convert("L").resize((360, 540))) == [ADDRESS]


@pytest.mark.fast
@pytest.mark.parametrize(
    "name",
    [
        "林",
        "林小满",
        "Wilhelmina Katherine Featherstonehaugh-Cholmondeley",
        "中国科学院软件研究所智能软件研究中心",
        "W" * 120,
        "林" * 120,
        "a b " * 30,
        "阿卜杜热合曼·麦麦提依明",
    ],
)
def test_every_name_fits_its_room(name: str) -> None:
    block = cards.fit(name, sizes=(92, 80, 68, 58, 50), width=912, lines=2, bold=True)
    assert 1 <= len(block.lines) <= 2
    assert all(block.font.getlength(line) <= 912 for line in block.lines)
    whole = "".join(block.lines).replace(" ", "")
    wanted = name.replace(" ", "")
    assert whole == wanted or (whole.endswith("…") and wanted.startswith(whole[:-1]))


@pytest.mark.fast
def test_short_names_are_larger_and_long_ones_break_between_words() -> None:
    sizes = (92, 80, 68, 58, 50)
    assert cards.fit("林小满", sizes=sizes, width=912, lines=2).size == 92
    long = cards.fit("Wilhelmina Katherine Featherstonehaugh-Cholmondeley", sizes=sizes, width=912, lines=2)
    assert long.lines == ("Wilhelmina Katherine", "Featherstonehaugh-Cholmondeley")


@pytest.mark.fast
def test_what_no_font_draws_is_left_out_and_an_emoji_takes_nothing_with_it() -> None:
    assert cards.fit("小满 🎉👩‍💻", sizes=(40,), width=900, lines=1).lines == ("小满",)
    assert cards.fit("", sizes=(40,), width=900, lines=1).lines == ()
    assert cards.fit("🎉", sizes=(40,), width=900, lines=1).lines == ()


@pytest.fixture
def no_chinese_font(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(cards, "_FOLDERS", (str(tmp_path),))
    for remembered in (cards.font_file, cards._font):
        remembered.cache_clear()
    yield
    for remembered in (cards.font_file, cards._font):
        remembered.cache_clear()


@pytest.mark.fast
def test_without_a_chinese_font_the_code_stands_and_the_log_says_what_to_install(
    no_chinese_font: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert texts(opened(cards.draw_card(CARD))) == [ADDRESS]
    assert cards.fit("林小满", sizes=(40,), width=900, lines=1).lines == ()
    assert cards.fit("Lin Xiaoman", sizes=(40,), width=900, lines=1).lines == ("Lin Xiaoman",)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1 and "fonts-noto-cjk" in warnings[0]
    assert TOKEN not in warnings[0]


@pytest.mark.fast
def test_a_collections_face_is_the_mainlands() -> None:
    found = cards.font_file()
    assert found is not None, "apt-get install fonts-noto-cjk"
    assert cards._font(40, False).getlength("开源") > 0
