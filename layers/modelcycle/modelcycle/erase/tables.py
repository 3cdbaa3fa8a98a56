"""Rows of subjects in an object that holds rows: which these are, and the object without them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcycle.erase import text_files
from modelcycle.erase.parquet_files import condition_sql, find_rows, plain_names, source_sql
from modelcycle.erase.parquet_files import write_without as write_parquet
from modelcycle.erase.subjects import NUMBER, Subjects, column_of, looks_alike
from modelcycle.erase.text_files import Piece
from modelcycle.reading.plain_text import PlainText
from modelcycle.spec.sources import Csv

PARQUET_MAGIC = b"PAR1"
TRAFFIC = "modelcycle_columns"  # metadata of labelled live requests, see `collect.traffic_file`
MAX_SHARED_TEXTS = 20_000  # distinct texts of subjects' rows that are looked for in other rows


@dataclass
class RowsFound:
    """What an object holds of the subjects.

    Parameters
    ----------
    rows : their rows, cells by column
    shared : by column, texts of these rows that others have too
    columns : of those that identify subjects, the ones that the object has
    alike : cells by column that differ by leading zeros or capital letters alone
    left : rows of others
    doubtful : broken lines that may be theirs
    """

    rows: list[dict[str, str | None]] = field(default_factory=list)
    shared: dict[str, set[str]] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    alike: dict[str, int] = field(default_factory=dict)
    left: int = 0
    doubtful: int = 0

    @property
    def predictions(self) -> set[str]:
        """Ids of predictions in their rows."""
        return {str(row["prediction_id"]) for row in self.rows if row.get("prediction_id")}

    @property
    def own(self) -> dict[str, set[str]]:
        """The texts of their rows, by column."""
        texts: dict[str, set[str]] = {}
        for row in self.rows:
            for column, text in row.items():
                if text is not None:
                    texts.setdefault(column, set()).add(text)
        return texts


def find(engine: Any, path: Path, name: str, options: Csv, subjects: Subjects) -> RowsFound:
    """Return the subjects' rows in a file.

    Parameters
    ----------
    name : of the object; its ending is the format, and other objects are JSON lines
    options : what the pipeline file says of CSV files

    Raises
    ------
    UnreadableFile, BadData : the file is not what its name says
    """
    if _is_parquet(path):
        return _find_in_parquet(engine, path, subjects)
    found = RowsFound()
    pieces, text = _pieces(path, name, options, subjects)
    wanted = {column: texts for condition in subjects.conditions for column, texts in condition.items()}
    for piece in pieces:
        if piece.cells is None:
            continue
        if piece.mine:
            found.rows.append(piece.cells)
        else:
            found.left += 1
            found.doubtful += piece.doubtful
        _look(found, piece.cells, wanted)
    if found.rows:
        own = _limited(found.own)
        again, _ = _pieces(path, name, options, subjects)
        for piece in again:
            if piece.cells is not None and not piece.mine:
                for column, cell in piece.cells.items():
                    if cell is not None and cell in own.get(column, ()):
                        found.shared.setdefault(column, set()).add(cell)
    del text
    return found


def texts_of_others(
    engine: Any, path: Path, name: str, options: Csv, subjects: Subjects, texts: Collection[str]
) -> set[str]:  # fmt: skip
    """Return which of some texts a row has, in any column, that is no subject's.

    Raises
    ------
    UnreadableFile, BadData : as `find`
    """
    numbers: dict[float, set[str]] = {}
    for text in texts:
        if NUMBER.fullmatch(text):
            numbers.setdefault(float(text), set()).add(text)
    if _is_parquet(path):
        cells = _other_cells(engine, path, subjects, texts, numbers)
    else:
        pieces, _ = _pieces(path, name, options, subjects)
        rows = (piece.cells for piece in pieces if piece.cells is not None and not piece.mine and not piece.doubtful)
        cells = (cell.strip() for row in rows for cell in row.values() if cell)
    found: set[str] = set()
    for cell in cells:
        if cell in texts:
            found.add(cell)
        elif numbers and NUMBER.fullmatch(cell):
            found |= numbers.get(float(cell), set())
    return found


def _other_cells(
    engine: Any, path: Path, subjects: Subjects, texts: Collection[str], numbers: Collection[float]
) -> Iterator[str]:  # fmt: skip
    names = parquet_names(engine, path)
    condition = condition_sql(engine, subjects, names) or "false"
    texts = [text for text in texts if text.encode("utf-8", "ignore").decode() == text]  # others DuckDB cannot have
    for sql in names.values():
        found = engine.execute(
            f"""SELECT DISTINCT trim({sql}) FROM {source_sql(path)} WHERE NOT coalesce({condition}, false)
                AND (trim({sql}) IN (SELECT unnest($1::VARCHAR[]))
                     OR try_cast({sql} AS DOUBLE) IN (SELECT unnest($2::DOUBLE[])))""",
            [sorted(texts), sorted(numbers)],
        ).fetchall()
        yield from (text for (text,) in found)


def write(engine: Any, path: Path, name: str, options: Csv, subjects: Subjects, target: Path) -> int:
    """Write a file without the subjects' rows; return how many rows are left.

    Raises
    ------
    UnreadableFile, BadData : as `find`, or the file cannot be written again
    """
    if _is_parquet(path):
        return write_parquet(engine, path, subjects, parquet_names(engine, path), target)
    pieces, text = _pieces(path, name, options, subjects)
    left = 0

    def kept() -> Iterator[str]:
        nonlocal left
        for piece in pieces:
            if not piece.mine:
                left += piece.cells is not None
                yield piece.text

    text_files.write_text(kept(), text, target)
    return left


def parquet_names(engine: Any, path: Path, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return SQL of the text of each column, by the name that people know.

    Labelled live requests and snapshots number their columns; the names stand in the metadata, or in `names`.
    """
    plain = plain_names(engine, path)
    told = engine.execute(
        "SELECT decode(value) FROM parquet_kv_metadata($1) WHERE decode(key) = $2", [str(path), TRAFFIC]
    ).fetchone()
    if told:
        columns = json.loads(told[0])["columns"]
        numbered = {name: f'"c{number}"::VARCHAR' for number, (name, _) in enumerate(columns)}
        return numbered | {"prediction_id": '"prediction_id"::VARCHAR'}
    return {**plain, **(names or {})} if names is None else dict(names)


def _find_in_parquet(engine: Any, path: Path, subjects: Subjects) -> RowsFound:
    names = parquet_names(engine, path)
    return find_in_parquet(engine, path, subjects, names)


def find_in_parquet(engine: Any, path: Path, subjects: Subjects, names: Mapping[str, str]) -> RowsFound:
    """Return the subjects' rows in a Parquet file.

    Parameters
    ----------
    names : SQL of the text of each column
    """
    rows = find_rows(engine, path, subjects, names)
    total = engine.execute(f"SELECT count(*) FROM {source_sql(path)}").fetchone()[0]
    found = RowsFound([{name: cell for name, cell in row.items() if name != "_row"} for row in rows])
    found.left = total - len(rows)
    known = list(names)
    found.columns = {name for name in subjects.columns() if column_of(name, known) is not None}
    if rows:
        condition = condition_sql(engine, subjects, names)
        for column, texts in _limited(found.own).items():
            shared = engine.execute(
                f"SELECT DISTINCT {names[column]} FROM {source_sql(path)}"
                f" WHERE NOT coalesce({condition}, false) AND {names[column]} IN (SELECT unnest($1::VARCHAR[]))",
                [sorted(texts)],
            ).fetchall()
            if shared:
                found.shared[column] = {text for (text,) in shared}
    return found


def _pieces(path: Path, name: str, options: Csv, subjects: Subjects) -> tuple[Iterator[Piece], PlainText]:
    if text_files.is_csv(name):
        return text_files.csv_pieces(path, name, options, subjects)
    if name.lower().removesuffix(".gz").endswith(".json"):
        return text_files.json_list_pieces(path, name, subjects)
    return text_files.json_line_pieces(path, name, subjects)


def _look(found: RowsFound, cells: Mapping[str, str | None], wanted: Mapping[str, frozenset[str]]) -> None:
    """Note which of the wanted columns a row has, and whether its cell is nearly that of a subject."""
    names = list(cells)
    for column, texts in wanted.items():
        position = column_of(column, names)
        if position is None:
            continue
        found.columns.add(column)
        cell = cells[names[position]]
        if cell is not None and looks_alike(cell, texts):
            found.alike[column] = found.alike.get(column, 0) + 1


def _limited(own: Mapping[str, set[str]]) -> dict[str, set[str]]:
    left = MAX_SHARED_TEXTS
    limited: dict[str, set[str]] = {}
    for column, texts in own.items():
        limited[column] = set(sorted(texts)[:left])
        left -= len(limited[column])
    return limited


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == PARQUET_MAGIC


__all__ = ["RowsFound", "find", "find_in_parquet", "parquet_names", "plain_names", "texts_of_others", "write",
           "write_parquet"]  # fmt: skip
