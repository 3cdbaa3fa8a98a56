"""Outcomes that people have sent back: what really happened, by prediction id."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from modelcycle.engine import Engine
from modelcycle.model.signature import Signature
from modelcycle.sql_literal import literal

MAX_LINE_BYTES = 2**20
MAX_SPELLINGS = 10_000  # different outcomes of a classification


def load_outcomes(engine: Engine, files: Sequence[Path], signature: Signature) -> list[str]:
    """Create the table `known`: the outcome of each prediction id, as a class or a number.

    A later object, and in it a later line, replaces an earlier one: the latest outcome of a prediction is what counts.

    Parameters
    ----------
    files : newest first; CSV or JSON Lines, with the columns `prediction_id` and `outcome`

    Returns
    -------
    what was left out, as sentences
    """
    import duckdb

    notes: list[str] = []
    without = 0
    engine.execute("CREATE TABLE told (id VARCHAR, outcome VARCHAR, file INTEGER, line BIGINT)")
    for number, path in enumerate(files):
        with suppress(duckdb.Error):
            engine.execute(f"INSERT INTO told {_rows(path, -number)}")
        # JSON whose keys are others, or that is a list, has rows, but nothing in them
        said = engine.execute("SELECT count(*) FROM told WHERE file = $1 AND id <> '' AND outcome <> ''", [-number])
        without += not said.fetchone()[0]
    if without:
        notes.append(f"objects with outcomes that have no row with a prediction_id and an outcome: {without:,}")
    engine.execute(
        """CREATE TABLE latest AS SELECT id, outcome FROM told WHERE id IS NOT NULL AND outcome IS NOT NULL
           QUALIFY row_number() OVER (PARTITION BY id ORDER BY file DESC, line DESC) = 1"""
    )
    if signature.task == "regression":
        engine.execute("CREATE TABLE known AS SELECT id, try_cast(outcome AS DOUBLE) AS value FROM latest")
        engine.execute("DELETE FROM known WHERE value IS NULL OR NOT isfinite(value)")
    else:
        spellings = [
            row[0] for row in engine.execute(f"SELECT DISTINCT outcome FROM latest LIMIT {MAX_SPELLINGS}").fetchall()
        ]
        engine.execute("CREATE TABLE spelled (outcome VARCHAR, class VARCHAR)")
        named = [[text, name] for text in spellings if (name := class_of(text, signature.classes)) is not None]
        if named:
            engine.connection.executemany("INSERT INTO spelled VALUES (?, ?)", named)
        engine.execute("CREATE TABLE known AS SELECT id, class FROM latest JOIN spelled USING (outcome)")
    told, known = (engine.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("latest", "known"))
    if known < told:
        what = "a number" if signature.task == "regression" else "a class of the model"
        notes.append(f"{told - known:,} of {told:,} outcomes are not {what}")
    return notes


def _rows(path: Path, order: int) -> str:
    """Return the query for the rows of a file; broken lines are left out."""
    name = literal(path)
    if path.suffix == ".csv":
        source = (
            f"read_csv({name}, all_varchar = true, header = true, ignore_errors = true,"
            f" max_line_size = {MAX_LINE_BYTES})"
        )
    else:
        source = (
            f"read_json({name}, format = 'newline_delimited', ignore_errors = true,"
            f" maximum_object_size = {MAX_LINE_BYTES},"
            " columns = {'prediction_id': 'VARCHAR', 'outcome': 'VARCHAR'})"
        )
    return f"""SELECT trim(prediction_id::VARCHAR), trim(outcome::VARCHAR), {order}, row_number() OVER ()
               FROM {source}"""


def class_of(text: str, classes: Sequence[str]) -> str | None:
    """Return the class that an outcome names; systems write the same class as 1, 1.0 or true.

    >>> class_of("yes", ["no", "yes"]), class_of("1.0", ["0", "1"]), class_of("True", ["false", "true"])
    ('yes', '1', 'true')
    >>> class_of("maybe", ["no", "yes"]) is None
    True
    """
    if text in classes:
        return text
    for same in (str.casefold, _as_number):
        wanted = same(text)
        matching = [name for name in classes if wanted is not None and same(name) == wanted]
        if len(matching) == 1:
            return matching[0]
    return None


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
