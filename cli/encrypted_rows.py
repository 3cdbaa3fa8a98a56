"""Rows with encrypted cells: of a file on this machine, or those of which a version was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli.data_file import open_data_file
from cli.named_version import named_or_live
from cli.place import Place
from modelcycle.faults import BadInput, Unknown
from modelcycle.messages import Artifact
from modelcycle.personal.decide import PERSONAL_OF_RUN
from modelcycle.personal.encryption import PREFIX
from modelcycle.registry import Version
from modelcycle.sql_literal import literal
from modelcycle.store import read_json

MAX_NAMED = 10
Cell = tuple[str, str]
"""A column and the text of a cell in it."""


@dataclass(frozen=True)
class EncryptedRows:
    """Rows of which some cells are encrypted.

    Parameters
    ----------
    where : the file, or the version
    names : the header
    rows : texts in the order of `names`
    wanted : positions in a row by column, of those that are asked for
    """

    where: str
    names: list[str]
    rows: list[list[str]]
    wanted: dict[str, int]
    from_version: bool = False

    def cells(self) -> list[Cell]:
        """Return the encrypted cells, each once, in the order of the rows."""
        return list(dict.fromkeys(cell for _, cell in self._encrypted()))

    def count(self, known: dict[Cell, str]) -> int:
        """Return how many cells have a value in `known`."""
        return sum(cell in known for _, cell in self._encrypted())

    def places(self, cells: dict[Cell, str]) -> list[tuple[str, Cell]]:
        """Return each of these cells with its row, which is a number, or file and number."""
        return [(self._row(number), cell) for number, cell in self._encrypted() if cell in cells]

    def shown(self, known: dict[Cell, str]) -> Iterator[list[str]]:
        """Yield the rows with values; a cell without one stays as it is."""
        columns = {position: name for name, position in self.wanted.items()}
        for row in self.rows:
            yield [
                known.get((columns[at], text), text) if at in columns else text for at, text in enumerate(row)
            ]  # fmt: skip

    def _encrypted(self) -> Iterator[tuple[int, Cell]]:
        for number, row in enumerate(self.rows):
            for name, position in self.wanted.items():
                if row[position].startswith(PREFIX):
                    yield number, (name, row[position])

    def _row(self, number: int) -> str:
        return f"{self.rows[number][0]}, row {self.rows[number][1]}" if self.from_version else f"row {number + 1:,}"


def rows_of_file(data: Path, columns: Sequence[str]) -> EncryptedRows:
    """Read a file.

    Raises
    ------
    BadInput : it lacks a column, or has no encrypted cell in them
    """
    with open_data_file(data) as file:
        names = list(file.names)
        lacking = [name for name in columns if name not in names]
        if lacking:
            raise BadInput(
                f"the file has no column {lacking[0]}", str(data),
                f"it has {_some(names)}; leave out --data to see the rows of the live version",
            )  # fmt: skip
        rows = [[row[name] or "" for name in names] for row in file]
    found = EncryptedRows(str(data), names, rows, {name: names.index(name) for name in columns})
    if not found.cells():
        raise BadInput(f"no cell of {', '.join(columns)} is encrypted", str(data), f"such cells begin with {PREFIX}")
    return found


def rows_of_version(place: Place, name: str, columns: Sequence[str]) -> EncryptedRows:
    """Read the rows of which a version was made, as a run has stored them: `file`, `row` and the columns.

    Parameters
    ----------
    name : MODEL:VERSION, or MODEL for the live version

    Raises
    ------
    Unknown : there is no such version, or retention or an erasure has deleted its rows
    BadInput : a column is not one of the rows, or is not encrypted
    """
    version = named_or_live(place, name)
    where = f"{version.model}:{version.version}"
    collected, manifest = _snapshot(place, version)
    for column in columns:
        _check_column(manifest, column, where)
    names = manifest["columns"]
    asked = ", ".join(f"c{names.index(column)}" for column in columns)
    rows: list[list[str]] = []
    import duckdb

    with TemporaryDirectory() as folder, duckdb.connect() as engine:
        for shard in collected["shards"]:
            path = _fetch(place, Artifact.model_validate(shard), Path(folder), where)
            query = f'SELECT file, "row", {asked} FROM read_parquet({literal(path)})'  # noqa: S608
            for file, *texts in engine.execute(query).fetchall():
                key = manifest["objects"][int(file)]["key"]
                rows.append([key, *("" if text is None else str(text) for text in texts)])
            path.unlink()
    wanted = {column: number for number, column in enumerate(columns, 2)}
    return EncryptedRows(where, ["file", "row", *columns], rows, wanted, from_version=True)


def encrypted_columns(place: Place, model: str) -> list[str]:
    """Return the columns that are encrypted in the rows of the live version.

    Raises
    ------
    Unknown : no version is live, or its rows are gone
    """
    return _encrypted(_snapshot(place, named_or_live(place, model))[1])


def _snapshot(place: Place, version: Version) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the result of `collect` and its manifest."""
    lineage = read_json(place.artifacts, version.lineage)
    collected = lineage.get("steps", {}).get("collect")
    if collected is None:
        raise Unknown(
            f"{version.model}:{version.version} was made before the lineage named its rows", version.lineage.uri,
            "name a newer version, or give a file by --data",
        )  # fmt: skip
    return collected, read_json(place.artifacts, Artifact.model_validate(collected["manifest"]))


def _check_column(manifest: dict[str, Any], column: str, where: str) -> None:
    if column not in manifest["columns"]:
        raise BadInput(f"the rows have no column {column}", where, f"they have {_some(manifest['columns'])}")
    encrypted = _encrypted(manifest)
    if column not in encrypted:
        raise BadInput(
            f"the column {column} is not encrypted in these rows", where,
            f"encrypted are {_some(encrypted)}" if encrypted else "none is: `privacy.columns` of the pipeline file",
        )  # fmt: skip


def _encrypted(manifest: dict[str, Any]) -> list[str]:
    personal = manifest.get(PERSONAL_OF_RUN, {})
    return [name for name in manifest["columns"] if personal.get(name, {}).get("treatment") == "encrypt"]


def _fetch(place: Place, shard: Artifact, folder: Path, where: str) -> Path:
    try:
        return place.artifacts.fetch(shard, folder)
    except Unknown as fault:
        raise Unknown(
            f"the rows of {where} are gone: retention or an erasure has deleted them", shard.uri,
            "name another version, or run again",
        ) from fault  # fmt: skip


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
