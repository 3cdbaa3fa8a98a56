"""Makes a text file safe to read: uncompressed, valid UTF-8, and `\\n` at the end of every line."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from modelcycle.faults import BadData, UnreadableFile

MAX_TEXT_BYTES = 2 * 2**30  # uncompressed; the text is copied to the function's temporary storage
MAX_LINE_BYTES = 8 * 2**20
CHUNK_BYTES = 1 << 20
KNOWN_FORMATS = {
    b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive (an Excel file?)", b"\x1f\x8b": "compressed with gzip",
    b"%PDF": "a PDF file", b"\x89PNG": "an image", b"\xd0\xcf\x11\xe0": "an old Excel file", b"SQLite": "a database",
}  # fmt: skip
"""What a file is, by its first bytes."""

OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
"""Encodings other than UTF-8, by their byte order mark; UTF-32's begins with UTF-16's."""


def copy_plain_text(source: Path, target: Path, gzipped: bool, where: str) -> int:
    """Copy a text file as `plain_text_chunks` yields it.

    Returns
    -------
    number of lines that are not blank
    """
    filled_lines = 0
    last_byte = b"\n"
    with target.open("wb") as copy:
        for chunk in plain_text_chunks(source, gzipped, where):
            filled_lines += _count_filled_lines(last_byte + chunk)
            last_byte = chunk[-1:]
            copy.write(chunk)
    return filled_lines


def plain_text_chunks(source: Path, gzipped: bool, where: str) -> Iterator[bytes]:
    """Yield a text file in chunks of about CHUNK_BYTES.

    The text is uncompressed and has no byte order mark; every line, also the last one, ends with `\\n`.

    Parameters
    ----------
    gzipped : whether the file is compressed
    where : the file, for faults

    Raises
    ------
    UnreadableFile : the file is not text, not UTF-8 (names line and byte), or its compression is broken
    BadData : the text has more than MAX_TEXT_BYTES
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    bytes_read = lines_read = 0
    carried = b""  # a \r at the end of a chunk, whose \n may follow in the next one
    last_byte = b"\n"
    try:
        with gzip.open(source) if gzipped else source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                if not bytes_read:
                    chunk = _check_beginning(chunk, where)
                bytes_read += len(chunk)
                if bytes_read > MAX_TEXT_BYTES:
                    raise BadData(
                        f"the file has more than {MAX_TEXT_BYTES >> 30} GiB of text", where, "upload it in parts"
                    )
                _check_utf8(decoder, chunk, bytes_read - len(chunk), lines_read, where)
                chunk = carried + chunk
                carried = chunk[-1:] if chunk.endswith(b"\r") else b""
                chunk = chunk[: len(chunk) - len(carried)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                lines_read += chunk.count(b"\n")
                if chunk:
                    last_byte = chunk[-1:]
                    yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableFile("the gzip compression is broken or cut short", where, "upload the file again") from None
    if carried or last_byte != b"\n":
        yield b"\n"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_utf8(lines_read + 1, bytes_read, where) from None


def _check_beginning(chunk: bytes, where: str) -> bytes:
    """Return the first chunk without UTF-8's byte order mark; raise UnreadableFile for another encoding or format."""
    for mark, encoding in OTHER_ENCODINGS.items():
        if chunk.startswith(mark):
            raise UnreadableFile(f"the file is {encoding}", f"{where}, byte 0", "save it as UTF-8")
    for first_bytes, description in KNOWN_FORMATS.items():
        if chunk.startswith(first_bytes):
            raise UnreadableFile(
                f"the file is {description}, which its name does not say", where,
                "give it the ending of its format, or save it as CSV, JSON lines or Parquet",
            )  # fmt: skip
    return chunk.removeprefix(codecs.BOM_UTF8)


def _check_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, lines: int, where: str) -> None:
    """Raise UnreadableFile if the chunk, after `offset` bytes and `lines` lines, is not UTF-8 text."""
    nul = chunk.find(b"\0")
    if nul >= 0:
        line = lines + chunk.count(b"\n", 0, nul) + 1
        raise UnreadableFile(
            "the file has NUL bytes, which text never has", f"{where}, line {line}, byte {offset + nul}",
            "is it a binary file, or UTF-16? save it as UTF-8 text",
        )  # fmt: skip
    pending = len(decoder.getstate()[0])  # bytes of a character that began in the chunk before
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        position = error.start - pending
        line = lines + chunk.count(b"\n", 0, max(position, 0)) + 1
        raise _not_utf8(line, offset + position, where) from None


def _not_utf8(line: int, byte: int, where: str) -> UnreadableFile:
    return UnreadableFile(
        "the file is not UTF-8 (is it Latin-1 or Windows-1252?)", f"{where}, line {line}, byte {byte}",
        "save it as UTF-8",
    )  # fmt: skip


def _count_filled_lines(text: bytes) -> int:
    """Count the lines that end in `text[1:]` and are not blank; `text[0]` is the byte before."""
    blank = len(re.findall(rb"\n(?=\n)", text)) if b"\n\n" in text else 0
    return text.count(b"\n", 1) - blank
