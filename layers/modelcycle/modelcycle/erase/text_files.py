"""Text files without somebody's rows: the bytes of all other rows stay as they are.

A file is read record by record in its own encoding, and what is left of it is written in the same. A gzip file is
packed again, without a time, so that equal rows give equal bytes.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

from modelcycle.erase.subjects import PREDICTION_ID, Subjects, sent_in, text_of
from modelcycle.faults import BadData, UnreadableFile
from modelcycle.reading.csv_rows import read_csv_header
from modelcycle.reading.plain_text import NotUtf8, PlainText
from modelcycle.reading.reader import CSV_SUFFIXES
from modelcycle.spec.sources import Csv

MAX_RECORD_LINES = 10_000  # of a CSV record with quoted line breaks
MAX_SAMPLE_RECORDS = 1_000  # that tell whether the lines of a file have the cells that its header says
GZIP_MAGIC = b"\x1f\x8b"
JSON_SPACE = re.compile(r"[ \t\r\n]*")


class Piece(NamedTuple):
    """A part of a file, as it is written, and whether it is about one of the subjects.

    Parameters
    ----------
    cells : of a row, by column; None for what is no row: a header, a title, a blank line
    doubtful : a broken line that may be about one: it stays, and is told
    """

    text: str
    mine: bool = False
    cells: dict[str, str | None] | None = None
    doubtful: bool = False


def csv_pieces(source: Path, name: str, options: Csv, subjects: Subjects) -> tuple[Iterator[Piece], PlainText]:
    """Return the pieces of a CSV file, and how its text is written.

    Raises
    ------
    UnreadableFile, BadData : the header cannot be read
    """
    text = plain_text(source, name, options.encoding)
    header = read_csv_header(text, options)
    rows = subjects.rows_of(header.names)

    @cache
    def mostly_fits() -> bool:
        """Return whether most lines have as many cells as the header: the first one has not moved then."""
        with opened_text(text) as file:
            records = _records(islice(file, header.lines, None), header.delimiter, header.quote)
            counts = [len(_cells(one, header.delimiter, header.quote)) for one in islice(records, MAX_SAMPLE_RECORDS)]
        return sum(count == len(header.names) for count in counts) * 2 > sum(count > 0 for count in counts)

    def pieces() -> Iterator[Piece]:
        with opened_text(text) as file:
            lines = iter(file)
            for _ in range(header.lines):
                if (line := next(lines, None)) is not None:
                    yield Piece(line)
            for record in _records(lines, header.delimiter, header.quote):
                cells = _cells(record, header.delimiter, header.quote)
                if not any(cells):
                    yield Piece(record)
                    continue
                width = len(header.names)
                while len(cells) > width and cells[-1] is None:  # a comma at the end of a line is no cell
                    cells.pop()
                fits = len(cells) == width
                if fits:
                    mine = rows is not None and rows.match(cells)
                    yield Piece(record, mine, dict(zip(header.names, cells, strict=True)))
                    continue
                mine = rows is not None and rows.starts_with(cells) and mostly_fits()
                yield Piece(record, mine, {}, not mine and rows is not None and rows.match_moved(cells, width))

    return pieces(), text


def json_line_pieces(source: Path, name: str, subjects: Subjects) -> tuple[Iterator[Piece], PlainText]:
    """Return the pieces of a file of JSON lines, such as captured answers, and how its text is written.

    A line that is not JSON may be about a subject if it holds what identifies one as a JSON text, or after the name of
    the column.
    """
    text = plain_text(source, name, None)

    def pieces() -> Iterator[Piece]:
        with opened_text(text) as file:
            for line in file:
                try:
                    value = json.loads(line) if line.strip() else None
                except ValueError:
                    yield Piece(line, False, {}, _may_be_named(line, subjects))
                    continue
                if value is None:
                    yield Piece(line)
                else:
                    yield Piece(line, subjects.is_named_in(value), cells_of(value), subjects.may_be_named_in(value))

    return pieces(), text


def json_list_pieces(source: Path, name: str, subjects: Subjects) -> tuple[Iterator[Piece], PlainText]:
    """Return the pieces of a file with one JSON list of objects; without a list, those of JSON lines."""
    text = plain_text(source, name, None)
    with opened_text(text) as file:
        whole = file.read()
    if not whole.lstrip("\ufeff \t\r\n").startswith("["):
        return json_line_pieces(source, name, subjects)
    return iter(_list_pieces(whole, name, subjects)), text


def _list_pieces(whole: str, name: str, subjects: Subjects) -> list[Piece]:
    """Return the text before the first object, each object, and what stands between them with the one after it."""
    decoder = json.JSONDecoder()
    start = whole.index("[") + 1
    objects: list[tuple[str, Any]] = []
    position = _after_space(whole, start)
    try:
        while whole[position] != "]":
            value, end = decoder.raw_decode(whole, position)
            objects.append((whole[position:end], value))
            position = _after_space(whole, end)
            if whole[position] == ",":
                position = _after_space(whole, position + 1)
    except (ValueError, IndexError):
        raise UnreadableFile("the JSON list is broken or cut short", name, "upload it again, or delete it") from None
    first = whole[: _after_space(whole, start)]
    between = _between(whole, objects, first)
    pieces = [Piece(first)]
    written = 0
    for text, value in objects:
        mine = subjects.is_named_in(value)
        pieces.append(Piece(("" if mine or not written else between) + text, mine, cells_of(value)))
        written += not mine
    last = whole.rindex(objects[-1][0]) + len(objects[-1][0]) if objects else _after_space(whole, start)
    return [*pieces, Piece(whole[last:])]


def _between(whole: str, objects: Sequence[tuple[str, Any]], first: str) -> str:
    """Return what stands between the first two objects."""
    if len(objects) < 2:
        return ","
    start = len(first) + len(objects[0][0])
    return whole[start : whole.index(objects[1][0], start)]


def _after_space(text: str, position: int) -> int:
    found = JSON_SPACE.match(text, position)
    return found.end() if found else position


def cells_of(value: Any) -> dict[str, str | None]:
    """Return the cells of a JSON object, those of an object in it by their paths.

    A captured line has what was sent, and the id of the prediction: its model, time and answer are nobody's cells.

    >>> cells_of({"a": 1, "b": {"c": "x"}})
    {'a': '1', 'b.c': 'x'}
    >>> cells_of({"prediction_id": "p-1", "model": "churn", "instance": {"b": "x"}})
    {'b': 'x', 'prediction_id': 'p-1'}
    """
    cells: dict[str, str | None] = {}
    if not isinstance(value, dict):
        return cells
    if (sent := sent_in(value)) is not None:
        return cells_of(sent) | {PREDICTION_ID: text_of(value[PREDICTION_ID])}
    for name, inner in value.items():
        if isinstance(inner, dict):
            cells |= {f"{name}.{key}": text for key, text in cells_of(inner).items()}
        elif not isinstance(inner, list):
            cells[name] = text_of(inner)
    return cells


def plain_text(source: Path, name: str, encoding: str | None) -> PlainText:
    """Return how the text of a file is written: packed or not, and its encoding."""
    with source.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    text = PlainText.of(source, packed, name, encoding)
    try:
        for _ in text.lines():
            pass
    except NotUtf8:
        text = text.in_certain_encoding()
    return replace(text, encoding=_in_this_order(text))


def _in_this_order(text: PlainText) -> str:
    """Return the encoding with its order of bytes: `utf-16` would write a mark of its own for each piece."""
    if text.encoding not in ("utf-16", "utf-32"):
        return text.encoding
    with open_bytes(text) as file:
        mark = file.read(4)
    if text.encoding == "utf-32":
        return "utf-32-be" if mark == codecs.BOM_UTF32_BE else "utf-32-le"
    return "utf-16-be" if mark[:2] == codecs.BOM_UTF16_BE else "utf-16-le"


@contextmanager
def opened_text(text: PlainText) -> Iterator[TextIO]:
    """Open a file for reading, with its line ends as they are."""
    with open_bytes(text) as raw, io.TextIOWrapper(raw, text.encoding, newline="") as file:
        yield file


def open_bytes(text: PlainText) -> BinaryIO:
    """Open the bytes of a file, unpacked."""
    return cast(BinaryIO, gzip.open(text.source)) if text.gzipped else text.source.open("rb")


def write_text(pieces: Iterable[str], like: PlainText, target: Path) -> None:
    """Write text as a file is written: in its encoding, and packed if it is."""
    with target.open("wb") as raw:
        if not like.gzipped:
            for piece in pieces:
                raw.write(piece.encode(like.encoding))
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            for piece in pieces:
                packed.write(piece.encode(like.encoding))


def is_csv(name: str) -> bool:
    return name.lower().endswith(CSV_SUFFIXES)


Reader = Callable[[Path, str, Subjects], tuple[Iterator[Piece], PlainText]]


def _records(lines: Iterator[str], delimiter: str, quote: str) -> Iterator[str]:
    """Yield the records of a CSV file; a quote that is never closed makes no record of many lines."""
    waiting: deque[str] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        taken = [line]
        while _is_open(taken, delimiter, quote) and len(taken) < MAX_RECORD_LINES:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            taken.append(more)
        if len(taken) > 1 and _is_open(taken, delimiter, quote):
            waiting.extendleft(reversed(taken[1:]))
            taken = taken[:1]
        yield "".join(taken)


def _is_open(lines: Sequence[str], delimiter: str, quote: str) -> bool:
    """Return whether a quoted value goes on after these lines."""
    if not any(quote in line for line in lines):
        return False
    try:
        list(csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _cells(record: str, delimiter: str, quote: str) -> list[str | None]:
    try:
        rows = list(
            csv.reader(record.splitlines(keepends=True), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
        )
    except csv.Error:
        return [part.strip() for part in record.split(delimiter)]
    return [cell.strip() or None for cell in rows[0]] if rows else []


def _may_be_named(line: str, subjects: Subjects) -> bool:
    return any(
        all(any(_stands_in(line, name, text) for text in texts) for name, texts in condition.items())
        for condition in subjects.conditions
    )


def _stands_in(line: str, name: str, text: str) -> bool:
    if json.dumps(text, ensure_ascii=False) in line or json.dumps(text) in line:
        return True
    return re.search(rf'"{re.escape(name)}"\s*:\s*"?{re.escape(text)}(?![\w.])', line, re.IGNORECASE) is not None


def faults_of_reading() -> tuple[type[Exception], ...]:
    """Return the faults of a file that cannot be read as what its name says."""
    return (UnreadableFile, BadData, UnicodeError)
