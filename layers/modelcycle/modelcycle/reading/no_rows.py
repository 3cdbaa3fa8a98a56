"""Lines of a CSV file that fit the header and are no rows: totals below the rows, and the header once more."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from modelcycle.reading.broken_lines import MAX_LINE_CHARACTERS, add_broken_lines
from modelcycle.reading.csv_records import is_figure
from modelcycle.reading.line_numbers import UNKNOWN, LineNumbers
from modelcycle.reading.text_table import TextTable, write_text_table
from modelcycle.sql_literal import literal

TOTAL = re.compile(
    r"(?:(?:(?:grand|sub|overall|column)[ _-]?)?totals?|sums?|averages?|avg|(?:gesamt|zwischen)?summen?|gesamt|"
    r"insgesamt|mittelwert|durchschnitt|sous-total|total général|somme|moyenne|suma|promedio|total general|totale|"
    r"totaal|gemiddelde|summa|razem|итого|合计|合計|总计)\s*[:=]?\s*[-+0-9.,'’ ]*",
    re.IGNORECASE,
)
MAX_TOTALS = 5  # lines below the rows
MIN_ROWS = 5  # in fewer, the last one may be any
MAX_HEADERS = 10_000
IS_TOTAL, IS_HEADER = "a total below the rows, no row", "the header once more, no row"


def without_no_rows(engine: Any, table: TextTable, where: str, delimiter: str) -> TextTable:
    """Return a table without such rows; they are added to `broken_lines`.

    Parameters
    ----------
    where : the file
    delimiter : joins the values of a line again
    """
    found = _headers(engine, table) | _totals(engine, table)
    lines = {row: line for row in found if (line := table.numbers.line_of(row)) is not None}
    if not lines or len(lines) < len(found) or UNKNOWN in table.numbers.lines:
        return table
    source = literal(table.path.with_suffix(".all.parquet"))
    table.path.rename(table.path.with_suffix(".all.parquet"))
    listed = ", ".join(map(str, sorted(lines)))
    kept = f"SELECT * EXCLUDE (file, row) FROM read_parquet({source}) WHERE row NOT IN ({listed})"
    rows = write_text_table(engine, table.path, kept, len(table.names))
    for reason in (IS_HEADER, IS_TOTAL):
        texts = [(lines[row], delimiter.join(cells)) for row, (why, cells) in found.items() if why == reason]
        add_broken_lines(engine, where, [(line, text[:MAX_LINE_CHARACTERS]) for line, text in texts], reason)
    table.path.with_suffix(".all.parquet").unlink()
    return replace(
        table, rows=rows, broken=table.broken + len(lines), numbers=without_rows(table.numbers, lines.keys())
    )


def without_rows(numbers: LineNumbers, removed: Collection[int]) -> LineNumbers:
    """Return the lines of the rows that are left.

    >>> without_rows(LineNumbers([1], [2]), [2, 3])
    LineNumbers(rows=[1, 2], lines=[2, 5])
    """
    starts = dict(zip(numbers.rows, numbers.lines, strict=True))
    for row in sorted(removed, reverse=True):
        starts.setdefault(row + 1, numbers.line_of(row + 1) or UNKNOWN)
    gone, lines, before = set(removed), {}, 0
    ordered = sorted(removed)
    for row in sorted(starts):
        while before < len(ordered) and ordered[before] < row:
            before += 1
        if row not in gone:
            lines[row - before] = starts[row]
    return LineNumbers(list(lines), list(lines.values()))


def _headers(engine: Any, table: TextTable) -> dict[int, tuple[str, list[str]]]:
    first, *others = (f"c{number}" for number in range(len(table.names)))
    same = [f"{first} = {literal(table.names[0])}"]
    same += [f"trim({column}) = {literal(name)}" for column, name in zip(others, table.names[1:], strict=True)]
    rows = engine.execute(
        f"SELECT row FROM read_parquet({literal(table.path)}) WHERE {' AND '.join(same)} LIMIT {MAX_HEADERS + 1}"
    ).fetchall()
    return {row: (IS_HEADER, table.names) for (row,) in rows} if len(rows) <= MAX_HEADERS else {}


def _totals(engine: Any, table: TextTable) -> dict[int, tuple[str, list[str]]]:
    """Return the last rows whose first value is a word for a total that no other row has, and the others figures."""
    found: dict[int, tuple[str, list[str]]] = {}
    if table.rows < MIN_ROWS:
        return found
    last = engine.execute(
        f"SELECT * EXCLUDE (file) FROM read_parquet({literal(table.path)}) WHERE row > {table.rows - MAX_TOTALS}"
        " ORDER BY row DESC"
    ).fetchall()
    for row, *texts in last:
        cells = [(text or "").strip() for text in texts]
        number = next((number for number, cell in enumerate(cells) if cell), None)
        if number is None or not TOTAL.fullmatch(cells[number]):
            break
        if not all(is_figure(cell) for cell in cells[number + 1 :] if cell):
            break  # a shop that is named Total
        [(times,)] = engine.execute(
            f"SELECT count(*) FROM read_parquet({literal(table.path)}) WHERE c{number} = $1", [texts[number]]
        ).fetchall()
        if times > 1:
            break
        found[row] = (IS_TOTAL, cells)
    return found
