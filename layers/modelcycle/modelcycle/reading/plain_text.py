"""Makes a text file safe to read: uncompressed, valid UTF-8, and `\\n` at the end of every line."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from modelcycle.faults import BadData, UnreadableFile
from modelcycle.reading.encodings import UTF_8, encoding_by_mark, encoding_without_utf8, not_utf8, shown

MAX_TEXT_BYTES = 2 * 2**30  # uncompressed; the text is copied to the function's temporary storage
CHUNK_BYTES = 1 << 20
PROBE_BYTES = 1 << 16  # of a gzip file, to see how far it unpacks
MIN_BOMB_RATIO = 200  # of unpacked to packed bytes; text has 3 to 50
GZIP_WINDOW = 31  # zlib reads a gzip header
SIZE_BYTES = 4  # at the end of a gzip file: the size of its text (RFC 1952)
KNOWN_FORMATS = {
    b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive or an Excel file", b"\x1f\x8b": "compressed with gzip",
    b"%PDF": "a PDF file", b"\x89PNG": "an image", b"\xd0\xcf\x11\xe0": "an old Excel file", b"SQLite": "a database",
}  # fmt: skip
"""What a file is, by its first bytes."""

HTML = (b"<!doctype html", b"<html")
ANOTHER_FORMAT = "give it the ending of its format, or save it as CSV, JSON lines or Parquet"
REMEDIES = {
    b"PK\x03\x04": "unpack the archive, or save the sheet in Excel as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "save the sheet in Excel as CSV UTF-8",
}


class NotUtf8(Exception):
    """The text is not UTF-8; nobody said that it is."""


@dataclass(frozen=True)
class PlainText:
    """A text file.

    Parameters
    ----------
    source : the file
    gzipped : whether it is compressed
    where : its name, for faults
    encoding : of its bytes, as Python names it
    is_declared : whether a person or a byte order mark says so
    """

    source: Path
    gzipped: bool
    where: str
    encoding: str = UTF_8
    is_declared: bool = False

    @classmethod
    def of(cls, source: Path, gzipped: bool, where: str, encoding: str | None) -> PlainText:
        """Return a file with the declared encoding, or that of its byte order mark, or UTF-8.

        Raises
        ------
        UnreadableFile : the file is of another format, or its compression is broken
        BadData : it would unpack to more than MAX_TEXT_BYTES
        """
        text = cls(source, gzipped, where)
        text._check_unpacked_size()
        beginning = next(text._chunks(), b"")
        for first_bytes, description in KNOWN_FORMATS.items():
            if beginning.startswith(first_bytes):
                remedy = REMEDIES.get(first_bytes, ANOTHER_FORMAT)
                raise UnreadableFile(f"the file is {description}, which its name does not say", where, remedy)
        if beginning[:100].lstrip().lower().startswith(HTML):
            raise UnreadableFile(
                "the file is an HTML page", where, "is it what a browser shows instead of the file? download the data"
            )
        found = encoding_by_mark(beginning)
        if found == UTF_8 or encoding is None:
            return replace(text, encoding=found or UTF_8, is_declared=found is not None)
        # UTF-16 without a mark may have either order of bytes
        named = found if found and found.startswith(encoding) else encoding
        return replace(text, encoding=named, is_declared=True)

    def in_certain_encoding(self) -> PlainText:
        """Return the file, which is not UTF-8, in the encoding that is certain.

        Raises
        ------
        UnreadableFile : none is
        """
        with self._open() as file:
            return replace(self, encoding=encoding_without_utf8(file, self.where), is_declared=True)

    def notes(self) -> list[str]:
        """Return the encoding for people, unless it is UTF-8."""
        return [] if self.encoding == UTF_8 else [f"the text is {shown(self.encoding)}"]

    def lines(self) -> Iterator[bytes]:
        """Yield the text as UTF-8 in chunks of about CHUNK_BYTES; every line, also the last one, ends with `\\n`.

        Raises
        ------
        NotUtf8 : see `in_certain_encoding`
        UnreadableFile : the file is not text of its encoding, or its compression is broken
        BadData : the text has more than MAX_TEXT_BYTES
        """
        bytes_read = lines_read = 0
        carried = b""  # a \r at the end of a chunk, whose \n may follow in the next one
        last_byte = b"\n"
        for chunk in self._utf8_chunks():
            bytes_read += len(chunk)
            if bytes_read > MAX_TEXT_BYTES:
                raise self._too_large()
            if b"\0" in chunk:
                raise self._has_nul(chunk, lines_read)
            chunk = carried + chunk
            carried = chunk[-1:] if chunk.endswith(b"\r") else b""
            chunk = chunk[: len(chunk) - len(carried)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            lines_read += chunk.count(b"\n")
            if chunk:
                last_byte = chunk[-1:]
                yield chunk
        if carried or last_byte != b"\n":
            yield b"\n"

    def _utf8_chunks(self) -> Iterator[bytes]:
        """Yield the text as UTF-8, without byte order mark."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line = 1
        is_first = True
        try:
            for chunk in self._chunks():
                if is_first and self.encoding == UTF_8:
                    chunk = chunk.removeprefix(codecs.BOM_UTF8)
                is_first = False
                if self.encoding == UTF_8 and b"\0" in chunk:
                    raise self._has_nul(chunk, line - 1)
                text = decoder.decode(chunk)
                line += text.count("\n")
                yield chunk if self.encoding == UTF_8 else text.removeprefix("\ufeff").encode()
            decoder.decode(b"", final=True)
        except UnicodeError as error:
            if not self.is_declared:
                raise NotUtf8 from None
            raw = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            line += raw.count(b"\n")
            if self.encoding == UTF_8:
                raise not_utf8(self.where, line) from None
            raise UnreadableFile(
                f"the file is not {shown(self.encoding)} text", f"{self.where}, line {line}", "save it as UTF-8"
            ) from None

    def _chunks(self) -> Iterator[bytes]:
        try:
            with self._open() as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise UnreadableFile(
                "the gzip compression is broken or cut short", self.where, "upload the file again"
            ) from None

    def _open(self) -> BinaryIO:
        return cast(BinaryIO, gzip.open(self.source)) if self.gzipped else self.source.open("rb")

    def _check_unpacked_size(self) -> None:
        """Refuse a gzip file that says that it is too large, before it is unpacked.

        What it says is believed only if its beginning unpacks to far more than text does: of a file that was cut
        short, the last bytes say anything.
        """
        if not self.gzipped or self.source.stat().st_size <= SIZE_BYTES:
            return
        with self.source.open("rb") as file:
            beginning = file.read(PROBE_BYTES)
            file.seek(-SIZE_BYTES, 2)
            size = int.from_bytes(file.read(), "little")
        with contextlib.suppress(zlib.error):
            unpacked = zlib.decompressobj(GZIP_WINDOW).decompress(beginning, MIN_BOMB_RATIO * PROBE_BYTES)
            if size > MAX_TEXT_BYTES and len(unpacked) >= MIN_BOMB_RATIO * len(beginning):
                raise self._too_large()

    def _has_nul(self, chunk: bytes, lines_above: int) -> UnreadableFile:
        line = lines_above + chunk.count(b"\n", 0, chunk.index(b"\0")) + 1
        return UnreadableFile(
            "the file has NUL bytes, which text never has", f"{self.where}, line {line}",
            "is it a binary file, or UTF-16? save it as UTF-8 text",
        )  # fmt: skip

    def _too_large(self) -> BadData:
        return BadData(f"the file has more than {MAX_TEXT_BYTES >> 30} GiB of text", self.where, "upload it in parts")
