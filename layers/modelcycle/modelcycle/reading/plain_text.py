"""A file of text made safe to read: unpacked, proved to be UTF-8, with one kind of line end."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from modelcycle.faults import BadData, UnreadableFile

LARGEST_TEXT = 2 * 2**30  # bytes, unpacked; it lies in the function's temporary storage
CHUNK = 1 << 20
KNOWN_AS = {
    b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive (an Excel file?)", b"\x1f\x8b": "packed with gzip",
    b"%PDF": "a PDF file", b"\x89PNG": "a picture", b"\xd0\xcf\x11\xe0": "an old Excel file", b"SQLite": "a database",
}  # fmt: skip
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip


def unpack(source: Path, target: Path, packed: bool, where: str) -> int:
    """Copy a text file as `chunks` gives it.

    Returns
    -------
    lines that are not blank

    Raises
    ------
    UnreadableFile, BadData : as `chunks`
    """
    lines = 0
    last = b"\n"
    with target.open("wb") as copy:
        for chunk in chunks(source, packed, where):
            lines += _filled(last + chunk)
            last = chunk[-1:]
            copy.write(chunk)
    return lines


def chunks(source: Path, packed: bool, where: str) -> Iterator[bytes]:
    """A text file, CHUNK by CHUNK: gzip and byte order mark taken off, every line ended by `\\n`, the last one too.

    Parameters
    ----------
    packed : with gzip
    where : what people call the file

    Raises
    ------
    UnreadableFile : no text, not UTF-8 (names line and byte), or broken gzip
    BadData : larger than LARGEST_TEXT
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = ends = 0
    held, last = b"", b"\n"
    try:
        with gzip.open(source) if packed else source.open("rb") as file:
            while chunk := file.read(CHUNK):
                if not size:
                    chunk = _begun(chunk, where)
                size += len(chunk)
                if size > LARGEST_TEXT:
                    raise BadData(
                        f"the file holds more than {LARGEST_TEXT >> 30} GiB of text", where, "upload it in parts"
                    )
                _proved(decoder, chunk, size - len(chunk), ends, where)
                chunk = held + chunk
                held = chunk[-1:] if chunk.endswith(b"\r") else b""
                chunk = chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                ends += chunk.count(b"\n")
                if chunk:
                    last = chunk[-1:]
                    yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableFile("the gzip packing is broken or cut short", where, "upload the file again") from None
    if held or last != b"\n":
        yield b"\n"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_utf8(ends + 1, size, where) from None


def _begun(chunk: bytes, where: str) -> bytes:
    for mark, name in MARKS.items():
        if chunk.startswith(mark):
            raise UnreadableFile(f"the file is {name}", f"{where}, byte 0", "save as UTF-8")
    for magic, name in KNOWN_AS.items():
        if chunk.startswith(magic):
            raise UnreadableFile(f"the file is {name}, not what its name says", where, "give it its right ending")
    return chunk.removeprefix(codecs.BOM_UTF8)


def _proved(decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, ends: int, where: str) -> None:
    zero = chunk.find(b"\0")
    if zero >= 0:
        line = ends + chunk.count(b"\n", 0, zero) + 1
        raise UnreadableFile(
            "the file holds bytes that no text has (NUL)", f"{where}, line {line}, byte {offset + zero}",
            "is it binary, or UTF-16? save as UTF-8 text",
        )  # fmt: skip
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        place = max(error.start - pending, 0)
        raise _not_utf8(ends + chunk.count(b"\n", 0, place) + 1, offset + error.start - pending, where) from None


def _not_utf8(line: int, byte: int, where: str) -> UnreadableFile:
    return UnreadableFile(
        "the file is not UTF-8 (Latin-1, Windows-1252?)", f"{where}, line {line}, byte {byte}", "save as UTF-8"
    )


def _filled(text: bytes) -> int:
    """Lines that end in `text[1:]` and are not blank; `text[0]` is the byte before."""
    blank = len(re.findall(rb"\n(?=\n)", text)) if b"\n\n" in text else 0
    return text.count(b"\n", 1) - blank
