"""People who do not exist, the same ones each time: for the demo, and for anybody who needs a realistic list.

Names as lists really bring them: two to four characters, double surnames, names with a middle dot, Latin ones, very
long ones, badge names with emoji. Addresses end in example.org, which belongs to nobody; phone numbers are of
one pattern (199 0000 ....) so that they are seen to be invented and still pass as numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任"
    "姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷"
)
DOUBLE_SURNAMES: Final = ("欧阳", "司马", "上官", "诸葛", "尉迟", "东方", "夏侯", "皇甫")
GIVEN: Final = (
    "安岚川流山海映星野禾苗舟帆木森青蓝晴雨雪风云月晨曦朗明亮远航宁静和平乐文博思源开知行言诚信立新若水子"
    "涵梓轩雅琪欣怡嘉佳俊杰浩然宇天翔锦程志涛秋实春晓冬夏荷"
)
DOTTED: Final = (
    ("阿依努尔", "古丽娜", "买买提", "迪丽拜尔", "扎西", "卓玛", "格桑", "次仁", "巴特尔", "萨仁高娃"),
    ("阿布都拉", "艾尔肯", "吐尔逊", "热合曼", "多吉", "央金", "旺堆", "拉姆", "图雅", "其木格"),
)
LATIN: Final = (
    (
        "Ada",
        "Bram",
        "Chloé",
        "Dmitri",
        "Eilidh",
        "Farid",
        "Grace",
        "Hana",
        "Ibrahim",
        "Joana",
        "Kwame",
        "Linnéa",
        "Mei",
        "Noor",
    ),
    (
        "Achterberg",
        "Björklund",
        "Costa",
        "Dvořák",
        "Eze",
        "Fontaine",
        "García",
        "Haddad",
        "Ivanova",
        "Jørgensen",
        "Kim",
        "Łukasik",
    ),
)
#: The longest that layouts have to bear.
LONG_NAMES: Final = (
    "Wilhelmina Katherine Featherstonehaugh-Cholmondeley",
    "帕提古丽·阿布都热依木·吐尔逊艾力",
    "Maria do Rosário de Fátima Albuquerque e Vasconcelos",
)
EMOJI: Final = ("🐙", "🌊", "⛰️", "🐼", "🌶️", "☕", "🦀", "🐍", "🚀", "😺")
NICKNAMES: Final = (
    "阿川",
    "小山",
    "老海",
    "小满",
    "豆花",
    "回锅肉",
    "石头",
    "鱼丸",
    "半糖",
    "夜猫子",
    "root",
    "null",
    "小章鱼",
)
ORGANISATIONS: Final = (
    "某某大学",
    "某某科技大学",
    "某某理工大学开源社",
    "示例科技有限公司",
    "某某网络（成都）有限公司",
    "某某软件研究所",
    "某某实验中学",
    "川流开源社区（虚构）",
    "山海读书会（虚构）",
    "自由职业",
    "个人开发者",
    "Example University",
    "Sample Systems Ltd",
    "Acme Open Source Office",
)
#: As long as an organisation's name may be in real lists.
LONG_ORGANISATION: Final = "某某大学计算机科学与工程学院开源软件与生态治理联合实验室"
POSITIONS: Final = (
    "工程师",
    "学生",
    "产品经理",
    "研究员",
    "社区运营",
    "教师",
    "布道师",
    "Maintainer",
    "设计师",
    "",
)


@dataclass(frozen=True, slots=True)
class Invented:
    """One person: what a registration's contact needs, and nothing that could reach anybody."""

    name: str
    badge_name: str
    english_name: str
    email: str
    phone: str
    organisation: str
    position: str
    locale: str


def invented(count: int, *, seed: int = 2023) -> Iterator[Invented]:
    """``count`` people; the same seed gives the same ones."""
    draw = random.Random(seed)  # noqa: S311 -- they are invented, not guarded
    for number in range(1, count + 1):
        name, is_latin = _name(draw, number)
        badge_name = ""
        if draw.random() < 0.12:
            badge_name = draw.choice(NICKNAMES)
            if draw.random() < 0.6:
                badge_name = f"{draw.choice(EMOJI)} {badge_name}"
        english = name if is_latin else draw.choice(LATIN[0]) if draw.random() < 0.15 else ""
        organisation = LONG_ORGANISATION if number % 97 == 0 else draw.choice(ORGANISATIONS)
        # Not everybody gives both: either suffices.
        has_email, has_phone = draw.random() < 0.93, draw.random() < 0.85
        yield Invented(
            name=name,
            badge_name=badge_name,
            english_name=english,
            email=f"guest{number:04}@example.org" if has_email or not has_phone else "",
            phone=f"+861990000{number * 7919 % 10000:04}" if has_phone else "",
            organisation="" if draw.random() < 0.06 else organisation,
            position=draw.choice(POSITIONS),
            locale="en" if is_latin else "zh-Hans",
        )


def _name(draw: random.Random, number: int) -> tuple[str, bool]:
    """A name and whether it is written in Latin letters."""
    if number % 401 == 0:
        name = LONG_NAMES[number // 401 % len(LONG_NAMES)]
        return name, name.isascii() or name[0].isascii()
    kind = draw.random()
    if kind < 0.05:
        return f"{draw.choice(LATIN[0])} {draw.choice(LATIN[1])}", True
    if kind < 0.09:
        return f"{draw.choice(DOTTED[0])}·{draw.choice(DOTTED[1])}", False
    surname = draw.choice(DOUBLE_SURNAMES) if kind < 0.12 else draw.choice(SURNAMES)
    given = draw.choice(GIVEN) + (draw.choice(GIVEN) if draw.random() < 0.78 else "")
    return surname + given, False
