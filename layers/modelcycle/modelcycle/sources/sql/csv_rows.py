"""Rows on their way from a database to DuckDB: a CSV file that loses nothing.

Every text is quoted, so that an empty text and a missing value differ: PostgreSQL's own `COPY ... (FORMAT csv,
FORCE_QUOTE *)` writes the same. Numbers, dates and times arrive as the texts that the database itself prints, so
decimals and large whole numbers stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from modelcycle.faults import BadData

MAX_CSV_BYTES = 2 * 2**30  # a function's temporary storage has 4 GiB
BUFFER_BYTES = 2**20


class CsvRows:
    """A CSV file that is being written.

    Attributes
    ----------
    rows : written so far, by `add`
    """

    def __init__(self, path: Path, where: str) -> None:
        self.path = path
        self.where = where
        self.rows = 0
        self.bytes = 0
        self.file = path.open("wb", buffering=BUFFER_BYTES)

    def add(self, values: Sequence[str | None]) -> None:
        """Write one row; None is a missing value."""
        line = ",".join(["" if value is None else '"' + value.replace('"', '""') + '"' for value in values])
        self.write(f"{line}\n".encode(errors="replace"))
        self.rows += 1

    def write(self, lines: bytes) -> int:
        """Write lines that are CSV already.

        Raises
        ------
        BadData : the rows exceed MAX_CSV_BYTES
        """
        self.bytes += len(lines)
        if self.bytes > MAX_CSV_BYTES:
            raise BadData(
                f"the rows exceed {MAX_CSV_BYTES >> 30} GiB", self.where,
                "select fewer columns or rows with `query:`",
            )  # fmt: skip
        return self.file.write(lines)

    def flush(self) -> None:
        self.file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
