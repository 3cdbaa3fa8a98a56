"""Infers the type of each column from its values.

number     digits with an optional sign, point and exponent, within float32; leading zeros are allowed, but no
           thousands separators, decimal commas, percent or currency signs
boolean    the words of `cells.booleans`; 0 and 1 are numbers
datetime   see `cells.dates`
text       everything else
"""

from __future__ import annotations

from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.booleans import FALSE, TRUE, boolean_sql
from modelcycle.cells.column import Column
from modelcycle.cells.missing import USUAL
from modelcycle.cells.numbers import number_sql
from modelcycle.cells.reading import ColumnType, Reading, present_text_sql
from modelcycle.engine import batches

MIN_PARSED_SHARE = 0.99  # of a column's values, to be a number or a date; rows with the others are quarantined
MIN_LIKELY_SHARE = 0.5  # of the sampled texts, for a date format to be counted over the whole column
DATE_SAMPLE_ROWS = 300  # for finding likely date formats


def infer_columns(
    engine: Any, names: dict[int, str], declared: dict[int, Reading], *, target: int, decide_missing: bool
) -> dict[int, Column]:
    """Return the columns of `clean_rows` with their types; `Column.note` says what was decided about their texts.

    Parameters
    ----------
    names : by number
    declared : how columns are read for which that is not inferred, by number
    target : number of the target, whose rare classes are no missing values
    decide_missing : whether usual words such as n/a may be missing values; else only those of `clean_rows` are
    """
    missing_values = sorted(USUAL) if decide_missing else []
    columns = {
        number: Column(name=names[number], **reading.model_copy(update={"missing_values": missing_values}).reading())
        for number, reading in declared.items()
    }
    for batch in batches([number for number in names if number not in declared]):
        counts = engine.execute(
            "SELECT "
            + ", ".join(
                f"count({sql(present_text_sql(missing_values, f'c{number}'))})"
                for number in batch
                for sql in (str, number_sql, boolean_sql)
            )
            + " FROM clean_rows"
        ).fetchone()
        sample = engine.execute(
            f"SELECT {', '.join(f'c{number}' for number in batch)} FROM clean_rows WHERE row_id <= {DATE_SAMPLE_ROWS}"
        ).fetchall()
        for position, number in enumerate(batch):
            present, numbers, booleans = counts[3 * position : 3 * position + 3]
            name = names[number]
            if present and numbers >= present * MIN_PARSED_SHARE:
                columns[number] = Column(name=name, type="number", missing_values=missing_values)
            elif present and booleans == present:  # any other word makes the column categories
                columns[number] = Column(
                    name=name, type="boolean", true=list(TRUE), false=list(FALSE), missing_values=missing_values
                )
            else:
                texts = {row[position] for row in sample if row[position] not in (None, *missing_values)}
                date_format = _date_format(engine, f"c{number}", present, texts) if present else None
                kind: ColumnType = "datetime" if date_format else "text"
                columns[number] = Column(name=name, type=kind, format=date_format or "", missing_values=missing_values)
    return {number: columns[number] for number in names}


def target_column(engine: Any, number: int, column: Column) -> Column:
    """Return the target with the type by which it is learned.

    A boolean target with two words, such as yes and no, keeps them as its classes; one with several spellings (Yes,
    yes, no) becomes true and false.
    """
    if column.type == "boolean":
        words = engine.execute(f"SELECT count(DISTINCT c{number}) FROM clean_rows").fetchone()[0]
        return column if words > 2 else column.model_copy(update={"type": "text", "true": [], "false": []})
    return column


def _date_format(engine: Any, name: str, present: int, sample: set[str]) -> str | None:
    """Return the format that parses most values; of equally good ones, the first of `dates.FORMATS`.

    Parameters
    ----------
    name : of the column in `clean_rows`
    present : number of values that are not missing
    sample : some of them, to find the likely formats; if empty, the first ones are read
    """
    if not sample:
        first = engine.execute(
            f"SELECT {name} FROM clean_rows WHERE {name} IS NOT NULL ORDER BY row_id LIMIT {DATE_SAMPLE_ROWS}"
        ).fetchall()
        sample = {text for (text,) in first}
    likely = [
        date_format
        for date_format in dates.FORMATS
        if sum(dates.is_date(text, date_format) for text in sample) >= MIN_LIKELY_SHARE * len(sample)
    ]
    if not likely:
        return None
    counts = engine.execute(
        f"SELECT {', '.join(f'count({dates.sql(name, date_format)})' for date_format in likely)} FROM clean_rows"
    ).fetchone()
    count, best = max(zip(counts, likely, strict=True), key=lambda pair: pair[0])
    return best if count >= present * MIN_PARSED_SHARE else None
