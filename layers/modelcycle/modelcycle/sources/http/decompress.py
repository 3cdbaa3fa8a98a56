"""Answers that are gzip, whatever their headers say."""

from __future__ import annotations

import gzip
from pathlib import Path

from modelcycle.faults import BadData
from modelcycle.sources.http.client import CHUNK_BYTES


def decompress(body: Path, max_bytes: int, where: str) -> None:
    """Replace a file that is gzip by its content.

    Raises
    ------
    BadData : the content has more than `max_bytes`, or is cut
    """
    with body.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return
    plain, size = body.with_name("plain"), 0
    try:
        with gzip.open(body) as source, plain.open("wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise BadData(
                        "the answer is larger than source.max_bytes once it is decompressed", where,
                        "raise source.max_bytes, or ask for less",
                    )  # fmt: skip
                target.write(chunk)
    except (OSError, EOFError):
        raise BadData("the answer is not valid gzip, or is cut", where, "try again") from None
    plain.replace(body)
