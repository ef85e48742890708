"""Names as people type them who don't type Chinese: pinyin, initials, and any mixture, in every reading of a character.

Pure. A person's names become ``forms``, one text that is stored beside the registration and searched with LIKE; what
somebody types becomes ``Wanted``, the patterns to look for in it. ``sort_key`` puts names into the order of a printed
list. The readings come from pypinyin's dictionary of characters (MIT); its phrases are not loaded, because a name is
looked for in every reading, whatever it would mean as a phrase.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Final

from events.rules import fold

#: Counted up when forms or sort keys are made otherwise: every stored one is then made anew.
VERSION: Final = 1
#: Stored forms of one person at most, in characters; a name of common length has some 150.
FORMS_MAX: Final = 2000
SORT_MAX: Final = 200
#: Readings mix freely within so many characters; of a longer name the whole pinyin and the whole initials count.
SPAN: Final = 4
#: Forms from one character of a name onwards, and ways in which a typed text may be read, at most.
FROM_ONE: Final = 160
VARIANTS_MAX: Final = 24

#: Begins a form that starts where the name does, and one that starts inside it.
START: Final = "^"
INSIDE: Final = "|"

_HAN: Final = "\u3007\u3400-\u9fff\U00020000-\U0003ffff"
_HAN_RUN = re.compile(f"[{_HAN}]+")
_JOINTS = re.compile(r"[\s·•・‧.,'’`\-_]+")
_TYPED = re.compile(f"[a-z{_HAN}]+")
_TWO_LETTER_INITIAL = re.compile(r"([zcs])h(?=[^aeiouv])")

#: How a surname is read where its first character's most common reading is another; for the order of lists only.
SURNAMES: Final[Mapping[str, str]] = {
    "尉迟": "yu chi",
    "万俟": "mo qi",
    "长孙": "zhang sun",
    "澹台": "tan tai",
    "单": "shan",
    "曾": "zeng",
    "解": "xie",
    "仇": "qiu",
    "区": "ou",
    "查": "zha",
    "翟": "zhai",
    "朴": "piao",
    "盖": "ge",
    "乐": "yue",
    "覃": "qin",
    "缪": "miao",
    "种": "chong",
    "折": "she",
    "员": "yun",
    "召": "shao",
    "繁": "po",
    "重": "chong",
    "隗": "wei",
    "谌": "chen",
    "句": "gou",
    "黑": "he",
    "秘": "bi",
    "洗": "xian",
    "祭": "zhai",
    "牟": "mu",
    "尹": "yin",
    "车": "che",
    "乜": "nie",
    "阚": "kan",
    "那": "na",
    "宁": "ning",
}


@lru_cache(maxsize=1)
def _dictionary() -> Mapping[int, str]:
    # Forty thousand phrases that we never ask for would cost every process half a second and 40 MB.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.pinyin_dict import pinyin_dict

    found: Mapping[int, str] = pinyin_dict
    return found


def _plain(syllable: str) -> str:
    """A syllable without its tone; ü stays itself."""
    kept = "".join(
        char
        for char in unicodedata.normalize("NFD", syllable)
        if char == "\u0308" or not unicodedata.combining(char)
    )
    return unicodedata.normalize("NFC", kept)


@lru_cache(maxsize=8192)
def readings(char: str) -> tuple[str, ...]:
    """Every reading of one character without tones, the most common first; none for what is no Chinese character.

    ü is typed as v, yu or u: each is a reading of its own.
    """
    found: dict[str, None] = {}
    for syllable in _dictionary().get(ord(char), "").split(","):
        plain = _plain(syllable.strip())
        for spelt in (plain.replace("ü", "v"), plain.replace("ü", "yu"), plain.replace("ü", "u")):
            if spelt:
                found[spelt] = None
    return tuple(found)


@lru_cache(maxsize=8192)
def _options(char: str) -> tuple[str, ...]:
    """What may be typed for a character inside a name: a whole reading or the first letter of one."""
    return tuple(dict.fromkeys([*readings(char), *(reading[0] for reading in readings(char))]))


def forms(names: Iterable[str]) -> str:
    """What the stored text holds for a person of these names: every way to type each, each followed by a space.

    A form begins at any character of a name and goes on to its end (or for SPAN characters), so that searching is
    asking whether some form begins with what was typed. The last character stands in full: its first letter begins
    that.
    """
    found: dict[str, None] = {}
    for name in dict.fromkeys(fold(name) for name in names):
        for run in _HAN_RUN.findall(_JOINTS.sub("", name)):
            chars = [char for char in run if readings(char)]
            for start in range(len(chars)):
                mark = INSIDE if start else START
                for form in islice(_from(chars[start:]), FROM_ONE):
                    found[mark + form] = None
    kept, room = [], FORMS_MAX
    for form in found:
        room -= len(form) + 1
        if room < 0:
            break
        kept.append(form)
    return "".join(f"{form} " for form in kept)


def _from(chars: Sequence[str]) -> Iterable[str]:
    if len(chars) > SPAN:
        yield "".join(readings(char)[0] for char in chars)
        yield "".join(readings(char)[0][0] for char in chars)
    near = chars[:SPAN]
    for parts in product(*(_options(char) for char in near[:-1]), readings(near[-1])):
        yield "".join(parts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a typed text asks of stored forms: one of the variants, and every one of these characters in the name."""

    variants: tuple[str, ...] = ()
    han: tuple[str, ...] = ()


def wanted(text: str) -> Wanted:
    """How a typed text may be meant as pinyin, initials and characters mixed; no variants where it can't be meant so.

    Spaces, apostrophes and tones make no difference; ``zh``, ``ch`` and ``sh`` before another consonant may be one
    initial. Chinese alone is looked for as it is written, not by its sound.
    """
    plain = _JOINTS.sub("", _plain(fold(text))).replace("ü", "v")
    if not _TYPED.fullmatch(plain):
        return Wanted()
    han = tuple(dict.fromkeys(_HAN_RUN.findall(plain)))
    if len("".join(han)) == len(plain):
        return Wanted()
    pieces = [readings(char) or ("",) if _HAN_RUN.fullmatch(char) else (char,) for char in plain]
    found: dict[str, None] = {}
    for parts in islice(product(*pieces), VARIANTS_MAX // 2):
        whole = "".join(parts)
        found[whole] = None
        found[_TWO_LETTER_INITIAL.sub(r"\1", whole)] = None
    return Wanted(tuple(found), han)


def sort_key(name: str) -> str:
    """The order of a printed list: Chinese names by pinyin, syllable by syllable, then all others by their letters.

    The first character says which: ``1`` for Chinese, whose second is the letter to file it under, ``2`` for the rest.
    """
    folded = fold(name)
    if not folded or not _HAN_RUN.match(folded):
        return f"2{_without_accents(folded)}"[:SORT_MAX]
    surname = next((one for one in SURNAMES if folded.startswith(one)), "")
    parts = [SURNAMES[surname]] if surname else []
    parts += [next(iter(readings(char)), char) for char in folded[len(surname) :] if not char.isspace()]
    return f"1{' '.join(parts)} {folded}"[:SORT_MAX]


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def letter_of(key: str) -> str:
    """The letter that a sort key is filed under: A to Z for Chinese names, nothing for all others."""
    return key[1:2].upper() if key[:1] == "1" and "a" <= key[1:2] <= "z" else ""
