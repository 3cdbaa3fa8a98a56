"""How the values of captured requests are written in the files of the model, so that both are read in one way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from modelcycle.captured.answer_rows import BOOLEAN, NUMBER, TEXT
from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.numbers import NUMBER_FORMATS, separators, split_unit
from modelcycle.cells.reading import Reading, missing_texts_of, parsed_sql
from modelcycle.sql_literal import literal


class SpelledColumn(NamedTuple):
    """SQL over the table `sent_texts`, see `traffic_rows`.

    Parameters
    ----------
    text : the value as the files write it, NULL if it is missing, masked or cannot be read
    lost : whether the request has a value that cannot be read as the column's type
    """

    text: str
    lost: str


def spelled_column(number: int, reading: Reading, missing_values: tuple[str, ...]) -> SpelledColumn:
    """Return the SQL of one column, whose text is `t{number}` and whose kind is `k{number}`, see `captured.Cell`.

    A request has a JSON number where the files may write `1.234,50 €`, and true where they write `ja`. A text is taken
    as it is: serving reads it as training does. What does not parse under the reading is not learned from.

    Parameters
    ----------
    missing_values : texts that mean a missing value in every column
    """
    kind, sent = f"k{number}", f"t{number}"
    stripped = stripped_sql(sent, missing_texts_of(reading, missing_values))
    present = f"(({kind} IN ({TEXT}, {NUMBER}, {BOOLEAN})) IS TRUE)"
    value = _typed(kind, stripped, sent, reading)
    text = f"CASE WHEN {present} AND ({parsed_sql(reading, value)}) IS NOT NULL THEN {value} END"
    return SpelledColumn(text, f"({present} AND ({stripped}) IS NOT NULL AND ({text}) IS NULL)")


def spelled_number(text: str, reading: Reading) -> str:
    """Return SQL for a number, which is written with a point, as a column writes numbers.

    >>> spelled_number("n", Reading(type="number", format="1.234,56"))
    "replace(n, '.', ',')"
    """
    if reading.format == "clock" or reading.format == "duration":
        # hours may exceed a day in a duration; a fraction of a second stays
        seconds = f"try_cast({text} AS DOUBLE)"
        return (
            f"printf('%02d:%02d:%s', (floor({seconds} / 3600))::BIGINT, (floor({seconds} / 60) % 60)::BIGINT,"
            f" CASE WHEN {seconds} = floor({seconds}) THEN printf('%02d', ({seconds} % 60)::BIGINT)"
            f" ELSE printf('%09.6f', {seconds} % 60) END)"
        )
    if split_unit(reading.format)[0] not in NUMBER_FORMATS:
        return text
    mark = separators(reading.format)[1]
    return text if mark == "." else f"replace({text}, '.', {literal(mark)})"


def spelled_class(text: str, reading: Reading) -> str:
    """Return SQL for the name of a class as the target's column writes it."""
    if reading.type == "boolean":
        return _boolean(text, reading)
    return spelled_number(text, reading) if reading.type == "number" else text


def readings_of(columns: Mapping[str, Reading]) -> dict[str, list[object]]:
    """Return of each column how its texts are read, as JSON: texts of another reading are not the same values."""
    return {
        name: [reading.type, reading.format, sorted(reading.true), sorted(reading.false)]
        for name, reading in columns.items()
    }


def _typed(kind: str, stripped: str, sent: str, reading: Reading) -> str:
    if reading.type == "number":
        return f"CASE WHEN {kind} = {NUMBER} THEN {spelled_number(sent, reading)} ELSE {stripped} END"
    if reading.type == "boolean":
        return f"CASE WHEN {kind} = {BOOLEAN} THEN {_boolean(sent, reading)} ELSE {stripped} END"
    return stripped


def _boolean(text: str, reading: Reading) -> str:
    true, false = ([*words, word][0] for words, word in ((reading.true, "true"), (reading.false, "false")))
    return f"CASE {text} WHEN 'true' THEN {literal(true)} WHEN 'false' THEN {literal(false)} END"
