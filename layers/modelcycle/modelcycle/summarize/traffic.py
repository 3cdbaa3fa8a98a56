"""The answered rows of a window, as SQL: what a request held of each column, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcycle.captured import Cell, Window
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
class Traffic:
    """The rows that any version has answered, each prediction id once.

    Parameters
    ----------
    engine : DuckDB connection
    source : what follows FROM. It has the columns prediction_id, at (TIMESTAMPTZ), version, assigned, ms, of,
        prediction (VARCHAR) and row_id
    cells : by column that any request held
    probabilities : by class: SQL of its probability
    notes : what could not be read or was left out, as sentences
    """

    engine: Engine
    source: str
    cells: Mapping[str, Cell]
    probabilities: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(window: Window, engine: Engine, name: str) -> Traffic:
        """Return the rows of a window that was opened; they become a view of this name."""
        # otherwise each query reads the footers of all files again, which takes as long as a column
        engine.execute("SET parquet_metadata_cache = true")
        window.create_rows(engine, name)
        return Traffic(engine, name, window.cells, window.probabilities, window.notes)

    def of_version(self, version: int, share: float = 1.0) -> str:
        """Return SQL of a version's rows, or of a share of them that the hashes of their ids choose."""
        part = f" AND hash(prediction_id) <= {int(share * HASH_SPACE)}" if share < 1 else ""
        return f"(FROM {self.source} WHERE version = {version:d}{part})"


def typed_rows(
    source: str, columns: Sequence[tuple[Cell, ColumnProfile]], missing_values: Sequence[str], kept: Mapping[str, str]
) -> str:
    """Return SQL of what requests hold of some columns: `value0` and `held0` (VALUE ... MASKED), `value1` ...

    A value is read as serving reads it: a JSON number is itself, a text is read as in training. What serving would
    refuse is UNPARSED.

    Parameters
    ----------
    source : what follows FROM
    missing_values : texts that mean a missing value in every column
    kept : SQL of further columns, by name
    """
    names = ", ".join(kept)
    given = [f"{sql} AS {name}" for name, sql in kept.items()]
    values, held = [], []
    for n, (cell, profile) in enumerate(columns):
        text = stripped_sql(cell.text, missing_texts_of(profile, missing_values))
        if profile.type == "number":  # a regular expression is only evaluated where there is no JSON number
            text = f"CASE WHEN {cell.number} IS NULL THEN {text} END"
        given.append(
            f"{text} AS text{n}, {cell.number} AS number{n}, {cell.sent} AS sent{n}, {cell.masked} AS masked{n}"
        )
        value = _value_sql(profile, f"text{n}", f"number{n}")
        values.append(
            f"CASE WHEN NOT masked{n} THEN {value} END AS value{n}, masked{n}, sent{n},"
            f" text{n} IS NULL{f' AND number{n} IS NULL' if profile.type == 'number' else ''} AS blank{n}"
        )
        held.append(
            f"value{n}, CASE WHEN masked{n} THEN {MASKED} WHEN value{n} IS NOT NULL THEN {VALUE} WHEN NOT sent{n} THEN"
            f" {ABSENT} WHEN blank{n} THEN {MISSING} ELSE {UNPARSED} END::UTINYINT AS held{n}"
        )
    inner = f"SELECT {', '.join(given)} FROM {source}"
    middle = f"SELECT {', '.join([names, *values] if names else values)} FROM ({inner})"
    return f"(SELECT {', '.join([names, *held] if names else held)} FROM ({middle}))"


def typed_sql(cell: Cell, profile: ColumnProfile, missing_values: Sequence[str], number: str) -> str:
    """Return SQL of `value`, `masked` and `sent` of a column, with a number behind their names."""
    text = stripped_sql(cell.text, missing_texts_of(profile, missing_values))
    value = _value_sql(profile, text, cell.number)
    return f"{value} AS value{number}, {cell.masked} AS masked{number}, {cell.sent} AS sent{number}"


def _value_sql(profile: ColumnProfile, text: str, number: str) -> str:
    if profile.type == "number":
        limited = f"CASE WHEN abs({number}) <= {MAX_NUMBER} THEN {number} END"
        return f"(CASE WHEN {number} IS NULL THEN {parsed_sql(profile, text)} ELSE {limited} END)::FLOAT"
    if profile.type == "boolean":  # a client sends true and false, or texts as the data write them
        words = [", ".join(map(literal, texts)) for texts in ([*profile.true, "true"], [*profile.false, "false"])]
        return f"CASE WHEN lower({text}) IN ({words[0]}) THEN 1.0 WHEN lower({text}) IN ({words[1]}) THEN 0.0 END"
    return parsed_sql(profile, text)
