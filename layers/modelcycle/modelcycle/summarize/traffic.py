"""The answered rows of a window, as SQL: what a request held of each column, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.numbers import MAX_NUMBER
from modelcycle.cells.reading import missing_texts_of, parsed_sql
from modelcycle.engine import Engine
from modelcycle.model.profile import ColumnProfile
from modelcycle.sql_literal import literal

HASH_SPACE = 2**64  # of DuckDB's `hash`

# what a request holds of a column
VALUE, MISSING, UNPARSED, ABSENT, MASKED = range(5)


@dataclass(frozen=True)
class Cell:
    """SQL of one column of the requests.

    Parameters
    ----------
    text : as it was sent, of a JSON number or boolean too; NULL without a value
    number : DOUBLE, if it was a JSON number
    sent : whether the request held the column
    masked : whether its value is hidden
    """

    text: str
    number: str
    sent: str
    masked: str


@dataclass(frozen=True)
class Traffic:
    """The rows that any version has answered, each prediction id once.

    Parameters
    ----------
    engine : DuckDB connection
    source : what follows FROM. It has the columns prediction_id, at (TIMESTAMPTZ), version, assigned, ms, of and
        prediction (VARCHAR)
    cells : by column that any request held
    probabilities : by class: SQL of its probability
    notes : what could not be read or was left out, as sentences
    """

    engine: Engine
    source: str
    cells: Mapping[str, Cell]
    probabilities: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def of_version(self, version: int, share: float = 1.0) -> str:
        """Return SQL of a version's rows, or of a share of them that the hashes of their ids choose."""
        part = f" AND hash(prediction_id) <= {int(share * HASH_SPACE)}" if share < 1 else ""
        return f"(FROM {self.source} WHERE version = {version:d}{part})"


def typed_sql(cell: Cell, profile: ColumnProfile, missing_values: Sequence[str], number: str) -> str:
    """Return SQL of what a request holds of a column, as columns `value`, `blank`, `masked` and `sent` with a number.

    A value is read as serving reads it: a JSON number is itself, a text is read as in training. Where serving would
    refuse it, it is NULL, and so it is where there is none; `blank` distinguishes the two.

    Parameters
    ----------
    missing_values : texts that mean a missing value in every column
    number : behind the names of the columns
    """
    text = stripped_sql(cell.text, missing_texts_of(profile, missing_values))
    value, blank = parsed_sql(profile, text), f"{text} IS NULL"
    if profile.type == "number":  # a regular expression is only evaluated where there is no JSON number
        is_text, limited = (
            f"{cell.number} IS NULL",
            f"CASE WHEN abs({cell.number}) <= {MAX_NUMBER} THEN {cell.number} END",
        )
        value, blank = (
            f"(CASE WHEN {is_text} THEN {value} ELSE {limited} END)::FLOAT",
            f"CASE WHEN {is_text} THEN {blank} ELSE false END",
        )
    elif profile.type == "boolean":  # a client sends true and false, or texts as the data write them
        value = _boolean_sql(text, [*profile.true, "true"], [*profile.false, "false"])
    columns = {"value": value, "blank": blank, "masked": cell.masked, "sent": cell.sent}
    return ", ".join(f"{sql} AS {name}{number}" for name, sql in columns.items())


def held_sql(number: str) -> str:
    """Return SQL of VALUE, MISSING, UNPARSED, ABSENT or MASKED, from the columns of `typed_sql`."""
    return (
        f"CASE WHEN masked{number} THEN {MASKED} WHEN value{number} IS NOT NULL THEN {VALUE} WHEN NOT sent{number} THEN"
        f" {ABSENT} WHEN blank{number} THEN {MISSING} ELSE {UNPARSED} END::UTINYINT"
    )


def _boolean_sql(text: str, true: Sequence[str], false: Sequence[str]) -> str:
    lists = [", ".join(map(literal, texts)) for texts in (true, false)]
    return f"CASE WHEN lower({text}) IN ({lists[0]}) THEN 1.0 WHEN lower({text}) IN ({lists[1]}) THEN 0.0 END"
