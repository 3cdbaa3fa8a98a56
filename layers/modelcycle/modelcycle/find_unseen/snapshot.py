"""The rows of a snapshot: their cases by any recipe, and their values as any model reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.reading import missing_texts_of, parsed_sql
from modelcycle.contract import measured
from modelcycle.contract.shifts import Level, Numbers
from modelcycle.engine import batches
from modelcycle.find_unseen.learned_cases import sorted_columns
from modelcycle.messages import CaseRecipe
from modelcycle.model.cases import create_cases
from modelcycle.model.columns import Columns
from modelcycle.model.fields import Field
from modelcycle.model.typed_sql import CASTS, fetch_values
from modelcycle.sql_literal import literal

MAX_KNOWN_ROWS = 5_000_000  # of a snapshot whose cases stay in memory, 8 bytes each

Mask = npt.NDArray[np.bool_]


class Cells(NamedTuple):
    """Of one field: its rows, those with a value, and those whose value can be read as the field's type."""

    rows: int
    present: int
    readable: int


@dataclass(frozen=True)
class Snapshot:
    """The view `snapshot` (row_id, file, row, c0, c1 ...) of a DuckDB connection.

    Parameters
    ----------
    columns : names, in the order of c0, c1 ...
    known : cases by recipe, made only once
    """

    engine: Any
    columns: list[str]
    known: dict[str, npt.NDArray[np.uint64]] = dataclasses.field(default_factory=dict)

    @staticmethod
    def open(engine: Any, shards: Sequence[Path], columns: list[str]) -> Snapshot:
        """Open the Parquet files of a snapshot; a row's id is its position, from 1."""
        files = ", ".join(literal(shard) for shard in shards)
        engine.execute(f"CREATE VIEW snapshot AS SELECT row_number() OVER () AS row_id, * FROM read_parquet([{files}])")
        return Snapshot(engine, columns)

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return the names that are not a column."""
        known = set(self.columns)
        return [name for name in names if name not in known]

    def cases(self, recipe: CaseRecipe) -> npt.NDArray[np.uint64]:
        """Return the case of each row (n,), in the order of the snapshot, by a recipe whose columns it has."""
        key = sorted_columns(recipe).model_dump_json()  # the champion's recipe is mostly that of the candidate
        if key not in self.known:
            numbers = {column.name: self.columns.index(column.name) for column in [*recipe.columns, *recipe.rest]}
            create_cases(self.engine, recipe, numbers, "snapshot")
            hashes = self.engine.execute("SELECT hash FROM cases ORDER BY row_id").fetchnumpy()["hash"]
            self.engine.execute("DROP TABLE cases")
            self.known[key] = np.asarray(np.ma.getdata(hashes), dtype=np.uint64)
            if len(self.known[key]) > MAX_KNOWN_ROWS:
                return self.known.pop(key)
        return self.known[key]

    def files(self) -> npt.NDArray[np.int64]:
        """Return the number of the file that each row (n,) is from."""
        files = self.engine.execute("SELECT file FROM snapshot ORDER BY row_id").fetchnumpy()["file"]
        return np.asarray(np.ma.getdata(files), dtype=np.int64)

    def select(self, table: str, rows: Mask) -> None:
        """Create a table of the ids of those rows (n,) of the snapshot."""
        self.engine.register("selected", {"row_id": np.flatnonzero(rows) + 1})
        self.engine.execute(f"CREATE TABLE {table} AS SELECT row_id FROM selected")
        self.engine.unregister("selected")

    def count_cells(self, table: str, fields: Sequence[Field], missing: Iterable[str]) -> dict[str, Cells]:
        """Count the cells of each field in the rows of a table of `select`.

        Parameters
        ----------
        missing : texts that mean a missing value
        """
        counted: dict[str, Cells] = {}
        for batch in batches(fields):
            ((rows, *counts),) = self._count("count(*)", table, batch, missing)
            for number, field in enumerate(batch):
                counted[field.name] = Cells(rows, *counts[2 * number : 2 * number + 2])
        return counted

    def count_cells_by_file(self, table: str, field: Field, missing: Iterable[str]) -> dict[int, Cells]:
        """Count the cells of one field, by the number of the file that a row is from."""
        counts = self._count("file, count(*)", table, [field], missing, "GROUP BY file ORDER BY file")
        return {file: Cells(*cells) for file, *cells in counts}

    def numbers(
        self, table: str, fields: Mapping[str, Field], far: Mapping[str, tuple[float, float]], missing: Iterable[str]
    ) -> dict[str, Numbers]:
        """Return what the numbers of each field are in the rows of a table of `select`; fields without any are absent.

        Parameters
        ----------
        far : bounds outside of which a number counts as far, by field
        missing : texts that mean a missing value
        """
        # as the profile has it, which is of float32
        typed = {
            name: f"({parsed_sql(field, self._text_sql(field, missing))}){CASTS[field.type]}"
            for name, field in fields.items()
        }
        return measured.numbers(self.engine, f"snapshot SEMI JOIN {table} USING (row_id)", typed, far)

    def levels(self, table: str, field: Field, missing: Iterable[str]) -> list[Level]:
        """Return the texts of a field in the rows of a table of `select`, the most frequent first."""
        text = self._text_sql(field, missing)
        return measured.levels(self.engine, f"snapshot SEMI JOIN {table} USING (row_id)", text)

    def _count(
        self, first: str, table: str, fields: Sequence[Field], missing: Iterable[str], grouped: str = ""
    ) -> list[tuple[int, ...]]:
        """Return rows of `first`, and then the present and the readable cells of each field."""
        texts = ", ".join(f"{self._text_sql(field, missing)} AS t{number}" for number, field in enumerate(fields))
        counts = ", ".join(
            f"count(t{number}), count({parsed_sql(field, f't{number}')})" for number, field in enumerate(fields)
        )
        rows: list[tuple[int, ...]] = self.engine.execute(
            f"SELECT {first}, {counts} FROM (SELECT file, {texts} FROM snapshot SEMI JOIN {table} USING (row_id))"
            f" {grouped}"
        ).fetchall()
        return rows

    def read(self, table: str, rows: int, fields: Sequence[Field], missing: Iterable[str]) -> Columns:
        """Return the rows of a table of `select`, in their order, as a model with these fields reads them.

        Parameters
        ----------
        rows : how many the table has
        missing : texts that mean a missing value
        """
        typed = {field.name: (parsed_sql(field, self._text_sql(field, missing)), field.type) for field in fields}
        return Columns(
            fetch_values(self.engine, typed, f"snapshot SEMI JOIN {table} USING (row_id) ORDER BY row_id", rows)
        )

    def _text_sql(self, field: Field, missing: Iterable[str]) -> str:
        return stripped_sql(f"c{self.columns.index(field.name)}", missing_texts_of(field, missing))
