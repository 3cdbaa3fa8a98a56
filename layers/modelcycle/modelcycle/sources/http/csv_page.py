"""The records of a CSV answer, as they are written."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from modelcycle.faults import BadData
from modelcycle.spec.sources import Csv

MAX_RECORD_BYTES = 2**20  # a longer one is a quote that is never closed; `collect` says so
DELIMITERS = (b",", b";", b"\t", b"|")
TEXT = "latin-1"  # maps every byte, so that writing gives the same bytes back


def records(path: Path, quote: bytes) -> Iterator[bytes]:
    """Yield the records of a file: lines, joined where a quoted text goes on in the next line."""
    with path.open("rb") as file:
        record = b""
        quoting = True
        while line := file.readline(MAX_RECORD_BYTES):
            record += line
            if quoting and record.count(quote) % 2 and len(record) < MAX_RECORD_BYTES:
                continue
            quoting = quoting and len(record) < MAX_RECORD_BYTES
            yield record
            record = b""
        if record:
            yield record


class CsvPage:
    """A page: what stands before its rows, and its rows.

    Raises
    ------
    BadData : it has no header
    """

    def __init__(self, path: Path, how: Csv, where: str) -> None:
        quote = (how.quote or '"').encode(TEXT, "replace")
        self.records = records(path, quote)
        self.quote = quote.decode(TEXT)
        head: list[bytes] = []
        for record in self.records:
            head.append(record)
            if len(head) > (how.skip or 0) and record.strip(b"\xef\xbb\xbf \r\n") and not _is_directive(record):
                break
        else:
            raise BadData("the answer has no header", where, "open the address yourself; correct source.url")
        self.head = b"".join(head)
        self.header = head[-1].strip(b"\xef\xbb\xbf\r\n")
        given = how.delimiter.encode(TEXT, "replace") if how.delimiter else None
        self.delimiter = (given or max(DELIMITERS, key=self.header.count)).decode(TEXT)
        self.names = self.fields(self.header)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the records that are not blank, each with a line break at its end."""
        for record in self.records:
            if record.strip():
                yield record if record.endswith(b"\n") else record + b"\n"

    def fields(self, record: bytes) -> list[str]:
        """Return the values of a record."""
        text = record.decode("utf-8", "replace").rstrip("\r\n")
        return next(csv.reader([text], delimiter=self.delimiter, quotechar=self.quote), [])


def _is_directive(record: bytes) -> bool:
    """Whether it is the line in which spreadsheets write the delimiter."""
    return record.strip(b"\xef\xbb\xbf \r\n").lower().startswith(b"sep=")
