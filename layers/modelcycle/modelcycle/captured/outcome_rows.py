"""The rows of objects with outcomes, as people and systems write them: one table of texts in DuckDB.

An object is JSON lines, or a file that `reading` knows by its ending (CSV, TSV, JSON, Parquet). A row names a
prediction by `prediction_id`, or an entity by the id columns of the model; and says what really happened, in `outcome`
or under the target's name. `at` is when it happened; a day without a time means its end. Further columns are sensitive
ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from modelcycle.captured.lines import json_lines
from modelcycle.captured.objects import download
from modelcycle.cells.moments import MAX_EPOCH_SECONDS
from modelcycle.engine import Engine
from modelcycle.faults import BadInput
from modelcycle.json_pointer import json_pointer
from modelcycle.model.signature import Signature
from modelcycle.pseudonyms import Macs, pseudonym_key, pseudonym_sql, set_pseudonym_key
from modelcycle.reading import SUFFIXES, read_file
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

ID, OUTCOME, AT = "prediction_id", "outcome", "at"
OBJECTS_ON_DISK = 500  # that are downloaded before they are read and deleted
MAX_TIME_SECONDS = 253_402_300_799  # the end of the year 9999


class OutcomeColumns(NamedTuple):
    """The columns of outcomes that are read, besides ID, OUTCOME and AT.

    Parameters
    ----------
    target : whose name may stand for OUTCOME
    ids : of an entity; empty if the model has none
    pseudonymised : those of the ids that captures hold as pseudonyms
    missing_values : texts that mean a missing value: they have no pseudonym
    further : kept as they are, as g0, g1 ...
    """

    target: str
    ids: Sequence[str] = ()
    further: Sequence[str] = ()
    pseudonymised: Sequence[str] = ()
    missing_values: Sequence[str] = ()

    @classmethod
    def of(cls, signature: Signature, further: Sequence[str] = ()) -> OutcomeColumns:
        """Return the columns that outcomes of a version may have."""
        return cls(
            signature.target, signature.id_columns, further,
            [name for name in signature.id_columns if signature.personal.get(name) == "pseudonymise"],
            signature.missing_values,
        )  # fmt: skip

    def give_key(self, engine: Engine, keys: Macs | None, model: str) -> None:
        """Give the engine the key of pseudonyms, if there are any; needed before outcomes are read.

        Raises
        ------
        Transient : the key service does not answer
        """
        if self.pseudonymised and keys is not None and keys.makes_macs:
            set_pseudonym_key(engine, pseudonym_key(keys, model))

    def id_texts(self, texts: Mapping[str, str]) -> list[str]:
        """Return SQL of the ids as captures hold them; needs `set_pseudonym_key` if there are pseudonyms.

        Parameters
        ----------
        texts : SQL of their texts, by column
        """
        return [
            pseudonym_sql(f"({texts[name]})", self.missing_values) if name in self.pseudonymised else texts[name]
            for name in self.ids
        ]

    @property
    def time(self) -> str | None:
        """The column of the time; None where AT is another column's name."""
        return None if AT in {self.target, *self.ids, *self.further} else AT


class OutcomeRows(NamedTuple):
    """What was read.

    Parameters
    ----------
    rows : with an outcome, and a prediction id or all id columns
    incomplete : other rows, and broken lines
    unread : objects that could not be read: of an unknown format, broken, or gone since they were listed
    without : objects without any of the rows
    """

    rows: int = 0
    incomplete: int = 0
    unread: int = 0
    without: int = 0


def read_outcomes(
    engine: Engine, data: Store, objects: Sequence[Listed], folder: Path, columns: OutcomeColumns
) -> OutcomeRows:
    """Create the table `told`: id, key, outcome, number, told_at, arrived, happened, object, line, g0, g1 ...

    `key` is the text of the id columns' values, null where one is missing. `happened` is when the outcome happened,
    as far as that is told and not after the object arrived, or else when the object arrived. Of two rows about the same
    prediction, the later by (`happened`, `arrived`, `object`, `line`) counts.

    Parameters
    ----------
    objects : newest first
    folder : for the work; the caller removes it
    """
    _create_tables(engine, columns)
    broken = unread = 0
    for start in range(0, len(objects), OBJECTS_ON_DISK):
        batch = objects[start : start + OBJECTS_ON_DISK]
        files, failed = download(data, batch, folder / "outcomes")
        unread += failed
        listed = {path: batch[int(path.stem)] for path in files}
        _name_files(engine, {path: (one.modified, -(start + int(path.stem))) for path, one in listed.items()})
        lines = [path for path in files if not _is_table(listed[path].key)]
        _insert_lines(engine, lines, columns)
        for path in (path for path in files if path not in lines):
            try:
                broken += _insert_table(engine, path, listed[path].key, columns)
            except BadInput:
                unread += 1
        for path in lines:
            path.unlink()
    read = _keep_usable(engine)
    return read._replace(
        incomplete=read.incomplete + broken, unread=unread, without=len(objects) - unread - read.without
    )


def read_lines(engine: Engine, path: Path, arrived: datetime, columns: OutcomeColumns) -> OutcomeRows:
    """Create the table `told` as `read_outcomes` does, of one file of JSON lines on this machine."""
    _create_tables(engine, columns)
    _name_files(engine, {path: (arrived.timestamp(), 0)})
    _insert_lines(engine, [path], columns)
    return _keep_usable(engine)._replace(without=0)


def _create_tables(engine: Engine, columns: OutcomeColumns) -> None:
    further = "".join(f", g{number} VARCHAR" for number in range(len(columns.further)))
    engine.execute(
        f"""CREATE OR REPLACE TABLE told (id VARCHAR, key VARCHAR, outcome VARCHAR, number DOUBLE, told_at TIMESTAMPTZ,
            arrived TIMESTAMPTZ, happened TIMESTAMPTZ, object INTEGER, line BIGINT{further})"""
    )
    engine.execute("CREATE OR REPLACE TABLE outcome_files (filename VARCHAR, arrived TIMESTAMPTZ, object INTEGER)")


def _keep_usable(engine: Engine) -> OutcomeRows:
    """Delete rows that say nothing; return the counts, where `without` are the objects that have usable rows."""
    rows, incomplete, found = engine.execute(
        """SELECT count(*) FILTER (usable), count(*) FILTER (NOT usable), count(DISTINCT object) FILTER (usable)
           FROM (SELECT object, outcome IS NOT NULL AND (id IS NOT NULL OR key IS NOT NULL) AS usable FROM told)"""
    ).fetchone()
    engine.execute("DELETE FROM told WHERE outcome IS NULL OR (id IS NULL AND key IS NULL)")
    return OutcomeRows(rows, incomplete, without=found)


def _is_table(key: str) -> bool:
    """Return whether an object's name says that it is another file than JSON lines.

    >>> [_is_table(f"feedback/churn/{name}") for name in ("march.CSV.gz", "a.jsonl", "part-0001", "a.parquet")]
    [True, False, False, True]
    """
    plain = key.lower().removesuffix(".gz")
    return plain.endswith(SUFFIXES) and not plain.endswith(".jsonl")


def _name_files(engine: Engine, files: Mapping[Path, tuple[float, int]]) -> None:
    """Say when each file arrived, in seconds since 1970 or 0 if that is not known, and its number."""
    engine.execute("DELETE FROM outcome_files")
    if files:
        engine.connection.executemany(
            "INSERT INTO outcome_files VALUES (?, to_timestamp(nullif(?, 0)), ?)",
            [[str(path), arrived, number] for path, (arrived, number) in files.items()],
        )


def _insert_lines(engine: Engine, files: Sequence[Path], columns: OutcomeColumns) -> None:
    numbered = f"SELECT *, row_number() OVER () AS line FROM ({json_lines(files)})"
    _insert(engine, numbered, _json_texts(columns), columns, _json_number(columns))


def _insert_table(engine: Engine, path: Path, key: str, columns: OutcomeColumns) -> int:
    """Add the rows of one file; return how many of its lines are broken."""
    name = key.lower().removesuffix(".gz")  # it was unpacked
    target = path.with_name("1.parquet")
    table = read_file(engine, path, name, target)
    try:
        positions = {wanted: _position(wanted, table.names) for wanted in _wanted(columns)}
        texts = {wanted: "NULL" if at is None else f"c{at}" for wanted, at in positions.items()}
        source = f"SELECT *, row AS line, {literal(path)} AS filename FROM read_parquet({literal(target)})"
        _insert(engine, source, texts, columns)
    finally:
        target.unlink(missing_ok=True)
    return table.broken


def _wanted(columns: OutcomeColumns) -> Iterator[str]:
    yield from (ID, OUTCOME, columns.target, *columns.ids, *columns.further)
    if columns.time:
        yield columns.time


def _position(wanted: str, names: Sequence[str]) -> int | None:
    """Return the position of a column; capital letters count only where two names differ by nothing else.

    >>> _position("outcome", ["Prediction_ID", "Outcome"]), _position("age", ["Age", "AGE"])
    (1, None)
    """
    same = [position for position, name in enumerate(names) if name == wanted]
    alike = [position for position, name in enumerate(names) if name.casefold() == wanted.casefold()]
    return same[0] if same else alike[0] if len(alike) == 1 else None


def _json_texts(columns: OutcomeColumns) -> dict[str, str]:
    return {name: f"json_extract_string(json, {literal(json_pointer(name))})" for name in _wanted(columns)}


def _json_number(columns: OutcomeColumns) -> str:
    """Return SQL of the outcome as a number, NULL unless it is a JSON number: texts are read as the data write them."""
    pointers = [literal(json_pointer(name)) for name in (OUTCOME, columns.target)]
    numbers = [
        f"CASE WHEN json_type(json, {pointer}) IN ('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT') THEN"
        f" try_cast(json_extract_string(json, {pointer}) AS DOUBLE) END"
        for pointer in pointers
    ]
    return f"coalesce({', '.join(numbers)})"


def _insert(
    engine: Engine, source: str, texts: dict[str, str], columns: OutcomeColumns, number: str = "NULL::DOUBLE"
) -> None:
    """Add rows to `told`.

    Parameters
    ----------
    source : SQL whose result has `filename`, `line`, and what `texts` needs
    texts : SQL of each wanted column's text
    number : SQL of the outcome, where it is known to be a number
    """
    clean = {name: f"nullif(trim({sql}, E' \\t\\r\\n'), '')" for name, sql in texts.items()}
    at = time_sql(clean[columns.time]) if columns.time else "NULL::TIMESTAMPTZ"
    key = key_sql(columns.id_texts(clean))
    outcome = f"coalesce({clean[OUTCOME]}, {clean[columns.target]})"
    further = "".join(f", {clean[name]} AS g{position}" for position, name in enumerate(columns.further))
    engine.execute(
        f"""INSERT INTO told
            SELECT id, key, outcome, number, told_at, arrived,
              coalesce(least(told_at, arrived), 'infinity'::TIMESTAMPTZ), object, line
              {"".join(f", g{position}" for position in range(len(columns.further)))}
            FROM (SELECT {clean[ID]} AS id, {key} AS key, {outcome} AS outcome, {number} AS number, {at} AS told_at,
                    arrived, object, line{further}
                  FROM ({source}) JOIN outcome_files USING (filename))"""
    )


def key_sql(texts: Sequence[str]) -> str:
    """Return SQL for the key of an entity: one text of its id columns' texts, null where one is missing.

    A whole number is the same as text, as JSON number, and as the float that pandas makes of it.

    Parameters
    ----------
    texts : SQL of each id column's text
    """
    if not texts:
        return "NULL::VARCHAR"
    plain = [rf"regexp_replace(trim({text}, E' \t\r\n'), '^(-?\d+)\.0+$', '\1')" for text in texts]
    present = " AND ".join(f"{text} <> ''" for text in plain)
    return f"CASE WHEN {present} THEN to_json([{', '.join(plain)}])::VARCHAR END"


def time_sql(text: str) -> str:
    """Return SQL for the time that a text means: ISO 8601 (without a zone: UTC), or s, ms, us or ns since 1970.

    Parameters
    ----------
    text : SQL
    """
    number = f"try_cast({text} AS DOUBLE)"
    size = f"abs({number})"
    seconds = f"""{number} / CASE WHEN {size} > {MAX_EPOCH_SECONDS}e6 THEN 1e9
        WHEN {size} > {MAX_EPOCH_SECONDS}e3 THEN 1e6 WHEN {size} > {MAX_EPOCH_SECONDS} THEN 1e3 ELSE 1 END"""
    time = f"try_cast({text} AS TIMESTAMPTZ)"
    return f"""CASE WHEN {number} IS NOT NULL THEN
          CASE WHEN abs({seconds}) <= {MAX_TIME_SECONDS} THEN to_timestamp({seconds}) END
        WHEN regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN
          {time} + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND
        WHEN isfinite({time}) THEN {time} END"""
