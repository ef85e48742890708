"""Vectors for what the offline scanner does as the server does: reading a code, opening a line, finding a name.

Written to ``tests/js/offline_vectors.json`` before the scripts' tests run, never committed; the same seed gives the same.
"""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any, Final

import orjson

from checkin.rules import PassportStatus, read_code
from checkin.snapshot_rules import (
    GroupMember,
    Holder,
    group_line,
    line_of,
    page_digest,
    seal,
    secrets_of,
)
from kernel import codes

FILE: Final = Path(__file__).parent / "js" / "offline_vectors.json"
TOKEN: Final = "0123456789abcdef0123456789abcdef"
SALT: Final = bytes(range(32))

_HAND: Final = (
    "",
    "   ",
    TOKEN,
    TOKEN.upper(),
    f" {TOKEN}\n",
    f"\ufeff{TOKEN}",
    f"https://hui.example.org/p?token={TOKEN}",
    f"https://hui.example.org/p?x=1&token={TOKEN.upper()}#there",
    f"https://hui.example.org/p?token=&token={TOKEN}",
    f"https://hui.example.org/p?token={TOKEN[:-1]}",
    f"https://hui.example.org/p?token={TOKEN}0",
    f"token={TOKEN}",
    f"?token={TOKEN}",
    "https://pay.example.com/q?amount=5",
    "wxp://f2f0abcdef",
    "ORDER-2023-0001",
    "中文票码一二三",
    "x" * 200,
    "x" * 201,
    "x" * 500,
    "x" * 501,
    "a\x00b",
    "a\tb",
    "~" + "A" * 22,
    "12345678",
    "ABCD EFGH",
    "ILOILOIL",
)


def readings() -> list[dict[str, Any]]:
    """Texts by hand, short codes in every dress, slips of the finger, and noise."""
    chance = random.Random(20231028)
    texts = list(_HAND)
    for _ in range(150):
        body = "".join(chance.choice(codes.ALPHABET) for _ in range(7))
        code = body + codes.short_check(body)
        at = chance.randrange(8)
        slip = code[:at] + chance.choice(codes.ALPHABET) + code[at + 1 :]
        texts += [code, code.lower(), f"{code[:4]}-{code[4:]}", f"{code[:4]} {code[4:]}", slip]
        texts.append(code.replace("1", chance.choice("IiLl")).replace("0", chance.choice("Oo")))
    letters = "aA0zZ9-_ ?=&#/:.~中\u3000"
    texts += ["".join(chance.choice(letters) for _ in range(chance.randrange(1, 20))) for _ in range(300)]
    found = []
    for text in texts:
        reading = read_code(text)
        kind = "malformed" if reading.is_malformed else "mistyped" if reading.is_mistyped else "ok"
        found.append({"text": text, "candidates": reading.candidates, "reading": kind})
    return found


def lines() -> list[dict[str, Any]]:
    """Sealed lines with the code that opens each."""
    counted = itertools.count(1)
    who = Holder(
        passport_id=7, ticket_type_id=3, status=PassportStatus.VALID, name="林小满 Lín", line="开源社"
    )
    found = []
    for code in (TOKEN, "7KQ2M9XD", "ORDER-2023-0001", "中文票码"):
        secrets = secrets_of(code, SALT)
        plain = line_of(who, kind="token", is_live=True, group=None)
        found.append(_line(code, secrets, plain, next(counted)))
    listed = group_line("Datawhale", [GroupMember(secrets_of(TOKEN, SALT).lookup, who)])
    found.append(_line(TOKEN[::-1], secrets_of(TOKEN[::-1], SALT), listed, next(counted)))
    return found


def _line(code: str, secrets: Any, plain: bytes, number: int) -> dict[str, Any]:
    return {
        "code": code,
        "lookup": secrets.lookup,
        "key": secrets.key.hex(),
        "sealed": seal(secrets, plain, nonce=number.to_bytes(12, "big")),
        "says": orjson.loads(plain),
    }


def write(path: Path = FILE) -> None:
    """Writes the file whole or not at all (tests run side by side)."""
    sealed = lines()
    page = [(one["lookup"], one["sealed"]) for one in sealed]
    whole = orjson.dumps(
        {
            "salt": SALT.hex(),
            "readings": readings(),
            "lines": sealed,
            "page": {"lines": page, "digest": page_digest(page)},
        }
    )
    if not path.exists() or path.read_bytes() != whole:
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(whole)
        part.replace(path)


if __name__ == "__main__":
    write()
