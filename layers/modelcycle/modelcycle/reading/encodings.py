"""The encoding of a text file: by its byte order mark, UTF-8, or Windows-1252 where that is certain."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from modelcycle.faults import UnreadableFile

UTF_8 = "utf-8"
MARKS = {
    codecs.BOM_UTF8: UTF_8, codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte order marks; UTF-32's begins with UTF-16's, so the order matters."""

SHOWN = {"cp1252": "Windows-1252", "latin-1": "Latin-1", "windows-1252": "Windows-1252", "utf-16-le": "UTF-16",
         "utf-16-be": "UTF-16"}  # fmt: skip
"""Names of encodings for people; of the others, the name in capitals."""

MIN_NUL_SHARE = 0.9  # of every second byte at the beginning of UTF-16 without a mark
MAX_ODD_SHARE = 0.05  # of the letters and signs outside ASCII, in a text that is certainly Windows-1252
PIECE_BYTES = 1 << 20  # of a line that is looked at in one piece
HIGH = "\x80-\U0010ffff"
WORD_OF_MANY = re.compile(f"[{HIGH}]{{3,}}")
"""Three letters outside ASCII in a row: Greek, Cyrillic or Chinese that is read as Windows-1252."""

SIGN_IN_WORD = re.compile("(?<=[a-zà-ÿ])[¡-¿](?=[a-z])")
"""A sign in a word: Polish or Czech that is read as Windows-1252."""

RARE_SIGNS = re.compile("[\x80-\x9f¤¦¬\xad¯¶¸×÷ƒˆ˜†‡]")
UTF_8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass
class _Seen:
    """What the lines with bytes outside ASCII are: the first of each kind, and how many signs look odd."""

    utf_8_line: int = 0
    other_line: int = 0
    signs: int = 0
    odd_signs: int = 0
    needs_1252: bool = False  # has bytes that are control characters in Latin-1


def encoding_by_mark(beginning: bytes) -> str | None:
    """Return the encoding of a file by its first bytes, None if they do not tell.

    >>> encoding_by_mark("a,b".encode("utf-16")), encoding_by_mark("a,b".encode("utf-16-le")), encoding_by_mark(b"a,b")
    ('utf-16', 'utf-16-le', None)
    """
    for mark, encoding in MARKS.items():
        if beginning.startswith(mark):
            return encoding
    even, odd = beginning[:2000:2], beginning[1:2000:2]
    if odd and odd.count(0) >= MIN_NUL_SHARE * len(odd) and not even.count(0):
        return "utf-16-le"
    if odd and even.count(0) >= MIN_NUL_SHARE * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def shown(encoding: str) -> str:
    """Return the name of an encoding for people.

    >>> shown("cp1252"), shown("utf-16")
    ('Windows-1252', 'UTF-16')
    """
    return SHOWN.get(encoding, encoding.upper())


def encoding_without_utf8(file: BinaryIO, where: str) -> str:
    """Return the encoding of a file that is not UTF-8.

    Parameters
    ----------
    file : its bytes

    Returns
    -------
    latin-1, or cp1252 where the file has signs that only Windows-1252 has

    Raises
    ------
    UnreadableFile : the file mixes encodings, or what it holds does not look like Windows-1252
    """
    seen = _Seen()
    for number, line in _lines(file):
        if not line.isascii():
            _look_at(line, number, seen)
    if seen.utf_8_line and seen.other_line:
        raise UnreadableFile(
            f"the file mixes two encodings: line {seen.utf_8_line:,} is UTF-8, line {seen.other_line:,} is not",
            f"{where}, line {max(seen.utf_8_line, seen.other_line)}",
            "save all parts as UTF-8, or name one encoding for the whole file: source.csv.encoding (--encoding)",
        )  # fmt: skip
    if seen.odd_signs > MAX_ODD_SHARE * seen.signs:
        raise not_utf8(where, seen.other_line or seen.utf_8_line)
    return "cp1252" if seen.needs_1252 else "latin-1"


def not_utf8(where: str, line: int) -> UnreadableFile:
    """Return the fault of a text that is not UTF-8, and for which no other encoding is certain."""
    return UnreadableFile(
        "the file is not UTF-8, and its encoding is not certain", f"{where}, line {line}",
        "save it as UTF-8, or name its encoding: source.csv.encoding (--encoding)",
    )  # fmt: skip


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield line number and bytes; a long line comes in pieces."""
    number = 1
    while piece := file.readline(PIECE_BYTES):
        yield number, piece
        number += piece.endswith(b"\n")


def _look_at(line: bytes, number: int, seen: _Seen) -> None:
    if UTF_8_CHARACTER.sub(b"", line).isascii():
        seen.utf_8_line = seen.utf_8_line or number
    else:
        seen.other_line = seen.other_line or number
    text = line.decode("cp1252", errors="replace")
    seen.signs += sum(sign >= "\x80" for sign in text)
    seen.needs_1252 = seen.needs_1252 or any(0x80 <= byte < 0xA0 for byte in line)
    seen.odd_signs += sum(len(word) for word in WORD_OF_MANY.findall(text))
    seen.odd_signs += len(SIGN_IN_WORD.findall(text)) + len(RARE_SIGNS.findall(text)) + text.count("\ufffd")
