"""The rows of a data file, as text, one at a time: what `init` looks at and `predict` sends.

CSV and JSON lines by the standard library, Parquet by DuckDB where it is installed. Numbers keep the very letters that
stand in the file, as in `collect`.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from modelcycle.faults import BadData, ColumnsDiffer, NoData, UnreadableFile

Row = dict[str, str | None]
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
DELIMITERS = ",;\t|"
LARGEST_FIELD = 10 * 2**20  # characters; a quote that is never closed ends here with a sentence


def check(path: Path) -> str:
    """The file's suffix.

    Raises
    ------
    NoData : there is no such file, or nothing is in it
    UnreadableFile : its name ends in something that nobody reads
    """
    if not path.is_file():
        raise NoData("there is no such file", str(path), "check the path")
    suffix = next((known for known in SUFFIXES if path.name.lower().endswith(known)), None)
    if suffix is None:
        raise UnreadableFile(
            f"a file named *{path.suffix or path.name} is not read", str(path), f"save it as *{', *'.join(SUFFIXES)}"
        )
    if path.stat().st_size == 0:
        raise NoData("the file is empty", str(path), "give a file with a header and rows")
    return suffix


def columns(path: Path) -> list[str]:
    """The names of the columns, in the file's order; of JSON lines, those of the first hundred rows."""
    if check(path).startswith(".csv"):
        with _named(path), _text(path) as file:
            return _header(file, path)[0]
    names: dict[str, None] = {}
    for _, row in zip(range(100), read(path, skip_broken=True), strict=False):
        names |= dict.fromkeys(row)
    return list(names)


def read(path: Path, *, skip_broken: bool = False) -> Iterator[Row]:
    """Each row as {column: text}, None where JSON or Parquet holds no value.

    Parameters
    ----------
    skip_broken : pass over lines that are no row, which a run puts into quarantine

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : with the line, never with what stands in it
    """
    suffix = check(path)
    if suffix == ".parquet":
        return _parquet(path)
    return _text_rows(path, suffix, skip_broken)


def _text_rows(path: Path, suffix: str, skip_broken: bool) -> Iterator[Row]:
    with _named(path):
        for row in _csv(path) if suffix.startswith(".csv") else _jsonl(path):
            if not isinstance(row, BadData):
                yield row
            elif not skip_broken:
                raise row


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What the file's bytes raise while they are read, as named faults."""
    try:
        yield
    except UnicodeDecodeError:
        raise UnreadableFile(
            "the file is not UTF-8 text",
            str(path),
            "save it as UTF-8 (is it Latin-1, Windows-1252 or UTF-16, or no text?)",
        ) from None
    except (gzip.BadGzipFile, EOFError):
        raise UnreadableFile("the file is not whole gzip data", str(path), "compress it again") from None
    except csv.Error as error:
        raise UnreadableFile(
            f"not readable as CSV: {error}", str(path), "look for a quote that is never closed"
        ) from None


def _text(path: Path) -> TextIO:
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    return io.TextIOWrapper(opened(path, "rb"), encoding="utf-8-sig", newline="")


def _header(file: TextIO, path: Path) -> tuple[list[str], Any]:
    """The column names, and the CSV reader behind them.

    The delimiter is what the first line holds most of, outside quotes.
    """
    csv.field_size_limit(LARGEST_FIELD)
    line = file.readline(LARGEST_FIELD)
    while line and not line.strip("\r\n"):
        line = file.readline(LARGEST_FIELD)
    if "\0" in line:
        raise UnreadableFile("the file is binary, not CSV", str(path), "export it as text")
    outside = "".join(line.split('"')[::2])
    reader = csv.reader(itertools.chain([line], file), delimiter=max(DELIMITERS, key=outside.count))
    names = next(reader, [])
    if not any(name.strip() for name in names):
        raise NoData("the file has no header", str(path), "the first line holds the names of the columns")
    names = [name.strip() for name in names]
    if "" in names:
        raise BadData(
            f"column {names.index('') + 1} of {len(names)} has no name",
            f"{path}, line 1",
            "name it, or leave it out (pandas: to_csv(..., index=False))",
        )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ColumnsDiffer(f"the column {twice[0]!r} stands twice", f"{path}, line 1", "give each column its own name")
    return names, reader


def _csv(path: Path) -> Iterator[Row | BadData]:
    with _text(path) as file:
        names, reader = _header(file, path)
        for fields in reader:
            if not fields:
                continue
            if len(fields) == len(names):
                yield dict(zip(names, fields, strict=True))
            else:
                yield BadData(
                    f"{len(fields)} fields where the header has {len(names)}", f"{path}, line {reader.line_num}",
                    "mend or drop the line",
                )  # fmt: skip


def _jsonl(path: Path) -> Iterator[Row | BadData]:
    with _text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_float=str, parse_int=str)
            except ValueError:
                row = None
            if isinstance(row, dict):
                yield {name.strip(): _letters(value) for name, value in row.items()}
            else:
                yield BadData("not a JSON object", f"{path}, line {number}", "each line holds one {column: value}")


def _letters(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import duckdb
    except ImportError:
        raise UnreadableFile(
            "reading Parquet here needs DuckDB", str(path), "uv pip install duckdb, or give the rows as CSV"
        ) from None
    with duckdb.connect() as engine:
        try:
            found = engine.execute("SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", [str(path)])
        except duckdb.Error:
            raise UnreadableFile("the file is not Parquet, or is broken", str(path), "write the file again") from None
        names = [column[0].strip() for column in found.description]
        while batch := found.fetchmany(1000):
            for fields in batch:
                yield dict(zip(names, fields, strict=True))
