"""The header of a CSV file and its dialect: by the header and the rows below it, or as the pipeline file says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modelcycle.faults import BadData, UnreadableFile
from modelcycle.reading.column_names import clean_names
from modelcycle.reading.csv_records import Record, are_alike, are_data, are_names, figure_columns, first_records
from modelcycle.reading.second_headers import count_second_headers
from modelcycle.spec.sources import Csv

DELIMITERS = ",;\t|"
QUOTE, OTHER_QUOTE = '"', "'"
SAMPLE_BYTES = 1 << 20  # of the text, from which the dialect is found; a header may be longer
MAX_HEADER_BYTES = 2 << 20
MAX_SAMPLE_RECORDS = 200
MAX_TITLES = 30  # records above the header
MIN_FITTING_SHARE = 0.5  # of the rows that have as many values as the header
MIN_CERTAIN_SHARE = 0.9  # of them, where a person would see the delimiter at once
MIN_QUOTED_SHARE = 0.5  # of the sampled records with a value in '
SHOWN = {"\t": "tab", " ": "space"}
SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^"])"?[,;\t|]*', re.IGNORECASE)
ROW_NAMES_ROWS = 3  # at least, for a first column without a name to be seen


@dataclass(frozen=True)
class CsvHeader:
    """The header of a CSV file.

    Parameters
    ----------
    names : of the columns
    delimiter, quote : one character each
    lines : number of lines up to its end; the first row follows
    notes : what was found that is not usual, for people
    """

    names: list[str]
    delimiter: str
    quote: str
    lines: int
    notes: list[str] = field(default_factory=list)


class _Fit(NamedTuple):
    """How well a delimiter explains the beginning of a file.

    Parameters
    ----------
    header : position of the header's record
    share : of the rows below it that have as many values
    """

    delimiter: str
    quote: str
    records: list[Record]
    header: int
    width: int
    share: float
    figures: float

    @property
    def rank(self) -> tuple[bool, bool, bool, float, float, int]:
        is_certain = self.share >= MIN_CERTAIN_SHARE
        return is_certain, self.figures > 0, self.header == 0, self.share, self.figures, self.width


def parse_csv_header(text: str, is_all: bool, where: str, csv: Csv) -> CsvHeader:
    """Find the header of a file and its dialect.

    A line `sep=;`, comments (#) and titles may precede the header. A title has fewer values than the lines on whose
    number of values the file agrees.

    Parameters
    ----------
    text : the beginning of the file; its lines end with `\\n`
    is_all : whether the file has no more
    where : the file, for faults
    csv : what the pipeline file says of the dialect

    Raises
    ------
    UnreadableFile : a quote in the header is never closed
    BadData : the first line holds data, or the column names cannot be used

    Examples
    --------
    >>> header = parse_csv_header("Prices\\nage;income\\n41;1,5\\n", True, "a.csv", Csv())
    >>> header.names, header.delimiter, header.lines
    (['age', 'income'], ';', 2)
    """
    lines = text.split("\n")
    lines.pop()  # the text after the last line end: nothing, or a part of a line
    if not is_all and not lines:
        raise BadData("the header is longer than 2 MiB", f"{where}, line 1", "is it a CSV file?")
    start, delimiter, comments = (csv.skip, csv.delimiter, 0) if csv.skip is not None else _above(lines, csv)
    fits = _fits(lines, start, delimiter, csv.quote, exactly=csv.skip is not None)
    if fits:
        return _header(max(fits, key=lambda fit: fit.rank), lines, start, comments, where, csv)
    return _plain_header(lines, start, delimiter, where, csv)


def _above(lines: Sequence[str], csv: Csv) -> tuple[int, str | None, int]:
    """Return the position after a line `sep=` and comments, the delimiter if one is given, and how many comments."""
    start, delimiter, comments = 0, csv.delimiter, 0
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start < len(lines) and (match := SEP_LINE.fullmatch(lines[start])):
        start, delimiter = start + 1, delimiter or match["delimiter"]
    while start < len(lines) - 1 and lines[start].lstrip().startswith("#"):
        start, comments = start + 1, comments + 1
    return start, delimiter, comments


def _fits(lines: Sequence[str], start: int, delimiter: str | None, quote: str | None, *, exactly: bool) -> list[_Fit]:
    delimiters = [delimiter] if delimiter else list(DELIMITERS)
    quotes = [quote] if quote else [QUOTE, OTHER_QUOTE]
    fits = []
    for number, tried_quote in enumerate(quotes):
        for tried in delimiters:
            records = first_records(lines, start, tried, tried_quote, MAX_SAMPLE_RECORDS + MAX_TITLES)
            fit = _fit(records, tried, tried_quote, exactly)
            if fit and (number == 0 or _is_quote(fit, lines)):
                fits.append(fit)
    certain = [fit for fit in fits if fit.quote == OTHER_QUOTE]
    return certain if certain and not quote else fits


def _fit(records: list[Record], delimiter: str, quote: str, exactly: bool) -> _Fit | None:
    """Return the first header on whose width the rows below agree."""
    for position in range(min(len(records), 1 if exactly else MAX_TITLES)):
        cells = records[position].cells
        rows = [record.cells for record in records[position + 1 :][:MAX_SAMPLE_RECORDS]]
        width = _width(cells, rows)
        if width < 2 or (position and not rows):
            continue
        fitting = [row[:width] for row in rows if _has(row, width)]
        if rows and len(fitting) <= MIN_FITTING_SHARE * len(rows):
            continue
        if not exactly and _is_title(cells, rows):
            continue
        above = [record.cells for record in records[:position]]
        if above and not _are_titles(above, cells[:width], fitting):
            continue
        share = len(fitting) / len(rows) if rows else 1.0
        figures = len(figure_columns(fitting, width)) / width
        return _Fit(delimiter, quote, records, position, width, share, figures)
    return None


def _width(cells: list[str], rows: list[list[str]]) -> int:
    """Return the number of values of a header, without empty ones at its end below which nothing stands."""
    width = len(cells)
    while width > 1 and not cells[width - 1] and not any(any(row[width - 1 : width]) for row in rows):
        width -= 1
    return width


def _has(row: list[str], width: int) -> bool:
    """Return whether a row has that many values; further empty ones do not count."""
    return len(row) >= width and not any(row[width:])


def _is_title(cells: list[str], rows: list[list[str]]) -> bool:
    """Return whether a line is a title that a spreadsheet filled up with delimiters."""
    filled = sum(map(bool, cells))
    if filled * 2 >= len(cells):
        return False
    names = next((number for number, row in enumerate(rows) if sum(map(bool, row)) > filled), None)
    return names is not None and are_names(rows[names], rows[names + 1 :])


def _are_titles(above: list[list[str]], names: list[str], rows: list[list[str]]) -> bool:
    """Return whether it is certain that the lines above a header are titles, and that it is none of the rows."""
    if not all(names) or len(rows) < len(above) or are_data(names, rows):
        return False
    if any(are_alike(cells, rows, len(names)) for cells in above):
        return False
    if are_names(names, rows):
        return True
    # of texts alone, a first line in another delimiter may be the header of these rows
    are_single = all(sum(map(bool, cells)) < 2 and not set("".join(cells)) & set(DELIMITERS) for cells in above)
    return not figure_columns(rows, len(names)) and are_single


def _is_quote(fit: _Fit, lines: Sequence[str]) -> bool:
    """Return whether ' quotes values: it begins and ends them, and no value begins with a double quote."""
    d = re.escape(fit.delimiter)
    quoted = re.compile(rf"(?:^|{d}) *'(?:[^']|'')*' *(?={d}|$)")
    stray = re.compile(rf"(?:^|{d}) *\"")
    sample = [lines[record.line - 1] for record in fit.records if record.lines == 1]
    if not sample or any(stray.search(line) for line in sample):
        return False
    with_values = sum(quoted.search(line) is not None for line in sample)
    return fit.share >= MIN_CERTAIN_SHARE and with_values >= max(2, MIN_QUOTED_SHARE * len(sample))


def _header(fit: _Fit, lines: Sequence[str], start: int, comments: int, where: str, csv: Csv) -> CsvHeader:
    """Return the header of a dialect that fits."""
    record = fit.records[fit.header]
    rows = [other.cells for other in fit.records[fit.header + 1 :]]
    names = record.cells[: fit.width]
    if comments and not fit.header and not are_names(names, rows):
        # the last comment may be the header, as in VCF and in tables of R
        [commented] = first_records(lines[:start], start - 1, fit.delimiter, fit.quote, 1)
        if len(commented.cells) == fit.width:
            record, comments, rows = commented, comments - 1, [names, *rows]
            names = [commented.cells[0].lstrip("# ") or "#", *commented.cells[1:]]
    if csv.skip is None and are_data(names, rows):
        raise BadData(
            "the first line holds data, not column names", f"{where}, line {record.line}",
            "write the column names above it; if these are the names, say so: source.csv: {skip: 0} (--skip 0)",
        )  # fmt: skip
    names, renamed = clean_names(names, where)
    titles = sum(bool(line.strip()) for line in lines[: record.line - 1]) - comments
    titles -= bool(titles and any(SEP_LINE.fullmatch(line) for line in lines[: record.line - 1][:2]))
    notes = [*_left_out(comments, "comment"), *_left_out(titles, "line"), *_dialect_notes(fit.delimiter, fit.quote)]
    last, below = record, fit.records[fit.header + 1 :]
    second = count_second_headers(rows, fit.width) if csv.skip is None and record is fit.records[fit.header] else 0
    if second:
        last = below[second - 1]
        what = f"line {last.line} is" if second == 1 else f"lines {below[0].line} to {last.line} are"
        notes.append(
            f"{what} no row: texts where the rows have figures (if it is one: source.csv: {{skip: {record.line - 1}}})"
        )
    return CsvHeader(names, fit.delimiter, fit.quote, last.line + last.lines - 1, [*notes, *renamed])


def _plain_header(lines: Sequence[str], start: int, delimiter: str | None, where: str, csv: Csv) -> CsvHeader:
    """Return the header of a file with one column, or of one whose lines do not fit it."""
    quote = csv.quote or QUOTE
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start >= len(lines):
        raise BadData("there is no header", where, "upload a file with a header and rows")
    delimiter = delimiter or _most_frequent_delimiter(lines[start])
    records = first_records(lines, start, delimiter, quote, MAX_SAMPLE_RECORDS)
    header = records[0]
    if lines[start].count(quote) % 2 and header.lines == 1:
        raise UnreadableFile("a quote in the header is never closed", f"{where}, line {start + 1}", "fix the header")
    cells, rows = header.cells, [record.cells for record in records[1:]]
    notes = _dialect_notes(delimiter, quote) if len(cells) > 1 else []
    if _lacks_row_names(cells, rows):
        cells = ["", *cells]
    elif csv.skip is None and len(cells) == 1 and are_data(cells, [row for row in rows if len(row) == 1]):
        raise BadData(
            "the first line holds data, not a column name", f"{where}, line {header.line}",
            "write the column's name above it; if this is the name, say so: source.csv: {skip: 0} (--skip 0)",
        )  # fmt: skip
    names, renamed = clean_names(cells, where)
    return CsvHeader(names, delimiter, quote, header.line + header.lines - 1, [*notes, *renamed])


def _lacks_row_names(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether the rows begin with a name that the header does not count, as R writes them."""
    fitting = [row for row in rows if len(row) == len(names) + 1]
    return (
        len(fitting) >= max(ROW_NAMES_ROWS, MIN_CERTAIN_SHARE * len(rows))
        and len({row[0] for row in fitting}) == len(fitting)
        and are_names(names, [row[1:] for row in fitting])
    )


def _most_frequent_delimiter(header: str) -> str:
    """Return the delimiter that occurs most often outside quotes."""
    return max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)


def _left_out(lines: int, what: str) -> list[str]:
    if not lines:
        return []
    return [f"a {what} above the header is left out" if lines == 1 else f"{lines} {what}s above the header left out"]


def _dialect_notes(delimiter: str, quote: str) -> list[str]:
    notes = [] if delimiter == "," else [f"{SHOWN.get(delimiter, f'`{delimiter}`')} separates the columns"]
    return notes if quote == QUOTE else [*notes, f"`{quote}` quotes texts"]
