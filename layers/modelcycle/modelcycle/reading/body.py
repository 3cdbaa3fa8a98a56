"""Copies the lines below the header of a text file, and keeps what a reader of the copy cannot know."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from modelcycle.reading.broken_lines import MAX_LINE_BYTES, MAX_LINE_CHARACTERS

MAX_BLANK_LINES = 1_000_000  # whose numbers are kept; with more, rows are named without their lines


@dataclass
class Body:
    """A copy of lines.

    Parameters
    ----------
    lines : how many
    filled : how many of them are not blank
    blank : numbers of those that are, from 1; those of long lines too
    too_many_blank : whether only the first MAX_BLANK_LINES are in `blank`
    long : number and beginning of each line with more than MAX_LINE_BYTES; in the copy it is blank
    """

    lines: int = 0
    filled: int = 0
    blank: array[int] = field(default_factory=lambda: array("q"))
    too_many_blank: bool = False
    long: list[tuple[int, str]] = field(default_factory=list)

    def count(self, text: bytes) -> None:
        """Count the lines that end in `text[1:]`; `text[0]` is the byte before."""
        position = 1
        if b"\n\n" in text:
            number = self.lines
            for match in re.finditer(rb"\n(?=\n)", text):
                number += text.count(b"\n", position, match.end() + 1)
                position = match.end() + 1
                if len(self.blank) < MAX_BLANK_LINES:
                    self.blank.append(number)
                else:
                    self.too_many_blank = True
                self.filled -= 1
        ends = text.count(b"\n", 1)
        self.lines += ends
        self.filled += ends


def copy_body(chunks: Iterable[bytes], target: Path) -> Body:
    """Copy lines to a file, with a blank line in place of each that has more than MAX_LINE_BYTES.

    Parameters
    ----------
    chunks : as `PlainText.lines` yields them
    """
    body = Body()
    last_byte = b"\n"
    line_start = open_bytes = 0  # of the line that the last chunk left open
    is_skipping = False
    with target.open("w+b") as copy:
        for chunk in chunks:
            end = chunk.find(b"\n")
            if not is_skipping and open_bytes + (end if end >= 0 else len(chunk)) > MAX_LINE_BYTES:
                body.long.append((body.lines + 1, _take_back(copy, line_start, chunk)))
                is_skipping, last_byte, open_bytes = True, b"\n", 0
            if is_skipping:
                if end < 0:
                    continue
                chunk, is_skipping = chunk[end:], False
            body.count(last_byte + chunk)
            last_end = chunk.rfind(b"\n")
            open_bytes = len(chunk) - last_end - 1 if last_end >= 0 else open_bytes + len(chunk)
            if last_end >= 0:
                line_start = copy.tell() + last_end + 1
            last_byte = chunk[-1:]
            copy.write(chunk)
    return body


def _take_back(copy: BinaryIO, start: int, chunk: bytes) -> str:
    """Remove the line that begins at `start` from the copy; return its beginning."""
    copy.seek(start)
    text = (copy.read(MAX_LINE_CHARACTERS) + chunk)[:MAX_LINE_CHARACTERS].decode(errors="ignore")
    copy.seek(start)
    copy.truncate()
    return text
