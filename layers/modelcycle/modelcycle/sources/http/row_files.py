"""Files of rows, of a size that one object may have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelcycle.sources.protocol import Landed

MAX_FILE_BYTES = 64 * 2**20  # an object has at most 100 MB


class RowFiles:
    """Writes rows to files; only the last one carries the watermark.

    Parameters
    ----------
    head : the lines above the rows, in each file
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.suffix = suffix
        self.head = b""
        self.number = 0
        self.rows = 0
        self._bytes = 0
        self._file = (folder / "rows-0").open("wb")

    def add(self, line: bytes) -> Iterator[Landed]:
        """Write one row; yield a file that is full and not the last one."""
        if self._bytes and self._bytes + len(line) > MAX_FILE_BYTES:
            full = self._close()
            self.number += 1
            self._file = (self.folder / f"rows-{self.number}").open("wb")
            yield full
        if not self._bytes:
            self._bytes = self._file.write(self.head)
        self._bytes += self._file.write(line)
        self.rows += 1

    def end(self, watermark: str | None) -> Iterator[Landed]:
        """Yield the rest; the last file carries the watermark. Yields nothing if there was no row."""
        if self.rows:
            yield self._close()._replace(watermark=watermark)
        else:
            self.discard()

    def discard(self) -> None:
        """Remove the file that is being written; one that was yielded belongs to the caller."""
        if not self._file.closed:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def _close(self) -> Landed:
        self._file.close()
        landed = Landed(Path(self._file.name), self.suffix, self.rows)
        self.rows = self._bytes = 0
        return landed
