"""Compare how columns are read: python -m bench.reading [SEED]

300 generated columns (`bench/reading_columns.py`) of 50 to 5,000 rows with up to a fifth of noise. A column is read as
meant if its type is the one that was meant, and at least 99 % of its cells that are no noise have the meant value, the
noise being missing (numbers and dates). Beside ours: pandas (`read_csv`, `convert_dtypes`, `to_datetime`), DuckDB's
sniffer over the whole file, and AutoGluon's inference of types, of which only the type is judged. True and false that
stay two categories count as read.

The peers are installed into `build/reading`; without them, their columns of the table are empty, and that is said.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.commands import ROOT
from bench.reading_columns import Made, all_columns
from bench.reading_kinds import KINDS
from modelcycle.cells.reading import parsed_sql
from modelcycle.column_types import create_clean_rows, decide_columns
from modelcycle.engine import connect

MIN_CELLS_AS_MEANT = 0.99
MAX_ERROR = 1e-6  # relative, of a number
READERS = ("ours", "pandas", "duckdb", "autogluon")
ENVIRONMENT = ROOT / "build" / "reading"
PEER = ROOT / "bench" / "reading_peer.py"
REQUIREMENTS = ("autogluon.features==1.6.3", "pandas==2.3.3")

Answer = tuple[str, list[Any] | None]
"""The type of a column and its values, None if only the type is known."""


def main(words: list[str]) -> None:
    """Read all columns in four ways, and print the share that is read as meant by kind."""
    columns = all_columns(int(words[0]) if words else 0)
    with tempfile.TemporaryDirectory(prefix="modelcycle-reading-") as name:
        folder = Path(name)
        write_files(columns, folder)
        answers = {
            "ours": [read_ours(column, folder) for column in columns],
            "duckdb": [read_duckdb(folder / f"{number}.csv") for number in range(len(columns))],
            **read_by_peers(folder),
        }
    missed = [column for column, answer in zip(columns, answers["ours"], strict=True) if not as_meant(column, answer)]
    print(as_table(columns, answers))
    for column in missed:
        print(f"not as meant: {column.kind}, {len(column.texts)} rows, such as {column.texts[:4]}")


def write_files(columns: list[Made], folder: Path) -> None:
    """Write each column as a CSV file, beside a column of letters."""
    for number, column in enumerate(columns):
        with (folder / f"{number}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows(
                [(column.name, "letter"), *((text, "ab"[row % 2]) for row, text in enumerate(column.texts))]
            )


def read_ours(column: Made, folder: Path) -> Answer:
    """Return how `preprocess` reads a column; one of class words is the target."""
    with tempfile.TemporaryDirectory(dir=folder) as name, connect(Path(name), "bench", 2000) as engine:
        shard = Path(name) / "shard.parquet"
        engine.execute("CREATE TABLE texts AS SELECT unnest($1::VARCHAR[]) AS c0", [column.texts])
        engine.execute(
            f"COPY (SELECT 0 AS file, row_number() OVER () AS row, c0 FROM texts) TO '{shard}' (FORMAT parquet)"
        )
        create_clean_rows(engine, [shard], 1, [""], Path(name))
        target = 0 if column.kind == "class words" else 1
        decided = decide_columns(engine, {0: column.name}, {}, target=target, decide_missing=True)[0].column
        values = engine.execute(f"SELECT {parsed_sql(decided, 'c0')} FROM clean_rows ORDER BY row_id").fetchall()
    if decided.type == "text":
        return "text", [value for (value,) in values]
    return decided.type, [None if value is None else float(value) for (value,) in values]


def read_duckdb(path: Path) -> Answer:
    """Return how DuckDB's sniffer reads a column, having seen the whole file."""
    import duckdb

    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        table = engine.read_csv(str(path), sample_size=-1)
        kind = str(table.types[0])
        name = '"' + table.columns[0].replace('"', '""') + '"'
        if kind.startswith(("TIMESTAMP", "DATE")):
            values = [row[0] for row in table.project(f"epoch({name})").fetchall()]
            return "datetime", values
        values = [row[0] for row in table.project(name).fetchall()]
    if kind == "BOOLEAN":
        return "boolean", [None if value is None else float(value) for value in values]
    if kind in ("VARCHAR", "TIME", "UUID"):
        return "text", [None if value is None else str(value) for value in values]
    return "number", [None if value is None else float(value) for value in values]


def read_by_peers(folder: Path) -> dict[str, list[Answer]]:
    """Return how pandas and AutoGluon read the files of a folder; nothing if they cannot be installed."""
    python, uv = ENVIRONMENT / "bin" / "python", Path(sys.executable).with_name("uv")
    try:
        if not python.exists():
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *REQUIREMENTS], check=True)
        subprocess.run([python, PEER, folder], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"PANDAS AND AUTOGLUON ARE NOT COMPARED: {error}", file=sys.stderr)
        return {}
    answers: dict[str, list[Answer]] = json.loads((folder / "answers.json").read_text())
    return answers


def as_meant(column: Made, answer: Answer) -> bool:
    """Return whether a column is read as it was meant."""
    type_, values = answer
    if column.type == "boolean" and type_ == "text":
        texts: list[Any] = [
            None if value is None else text for text, value in zip(column.texts, column.meant, strict=True)
        ]
        return values is None or _fit(column, texts, values, is_text=True)
    if type_ != column.type:
        return False
    return values is None or _fit(column, column.meant, values, is_text=column.type == "text")


def _fit(column: Made, meant: list[Any], values: list[Any], *, is_text: bool) -> bool:
    if len(values) != len(meant):  # a sniffer that takes rows for titles or comments
        return False
    pairs = [(wanted, got) for wanted, got in zip(meant, values, strict=True) if wanted is not None]
    noise = [got for wanted, got in zip(meant, values, strict=True) if wanted is None]
    right = sum(
        got == wanted if is_text else got is not None and abs(got - wanted) <= MAX_ERROR * max(1.0, abs(wanted))
        for wanted, got in pairs
    )
    return right >= MIN_CELLS_AS_MEANT * len(pairs) and (is_text or all(got is None for got in noise))


def as_table(columns: list[Made], answers: dict[str, list[Answer]]) -> str:
    """Return the share of columns read as meant as text: a line for each kind, and one for all."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    sizes: dict[str, int] = defaultdict(int)
    for number, column in enumerate(columns):
        for kind in (column.kind, "all"):
            sizes[kind] += 1
            for reader, given in answers.items():
                counts[kind][reader] += as_meant(column, given[number])
    lines = [f"{'kind':<20}{'columns':>8}" + "".join(f"{reader:>11}" for reader in READERS)]
    for kind in [*(kind for kind in KINDS if kind in sizes), "all"]:
        shares = (
            f"{counts[kind][reader] / sizes[kind]:>11.1%}" if reader in answers else f"{'':>11}" for reader in READERS
        )
        lines.append(f"{kind:<20}{sizes[kind]:>8}" + "".join(shares))
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
