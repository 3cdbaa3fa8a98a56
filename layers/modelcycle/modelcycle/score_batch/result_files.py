"""The result files: one line for each row of the object, in its order, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import Signature
from modelcycle.sql_literal import literal

NO_SCORE = "the model gives no number for this row"
MAX_FILE_BYTES = 64 * 2**20  # then a new file begins; an object has at most 100 MB


def column_names(signature: Signature, ids: Sequence[str]) -> list[str]:
    """Return the columns of the results.

    `row`, the id columns, `prediction`, a probability for each class, `version`, `unread`. A name that another column
    has, in upper or lower case, gets a number.

    Examples
    --------
    >>> signature = Signature(model="m", task="binary", target="left", classes=["no", "yes"], fields=[], ignored=[],
    ...                       inputs=[])
    >>> column_names(signature, ["customer", "Version"])
    ['row', 'customer', 'Version_2', 'prediction', 'probability_no', 'probability_yes', 'version', 'unread']
    """
    probabilities = [] if signature.task == "regression" else [f"probability_{name}" for name in signature.classes]
    taken = {"row", "prediction", "version", "unread"}
    own = [_free(name, taken) for name in probabilities]
    return ["row", *(_free(name, taken) for name in ids), "prediction", *own, "version", "unread"]


def number_columns(names: Sequence[str], signature: Signature) -> list[str]:
    """Return those of the columns that hold numbers of the model."""
    return ["prediction"] if signature.task == "regression" else list(names[names.index("prediction") + 1 : -2])


def _free(name: str, taken: set[str]) -> str:
    """Return a name, with a number if upper or lower case alone tells it from another one, and mark it as taken."""
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.casefold())
    return free


def header(names: Sequence[str]) -> bytes:
    """Return the first line of a file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(names)
    return line.getvalue().encode()


def write_shard(
    engine: Any, path: Path, index: Path, scores: npt.NDArray[np.float32], signature: Signature, version: int,
    ids: int, broken: tuple[Path, int, int] | None, cutoffs: npt.NDArray[np.float32] | None = None,
) -> tuple[list[Path], int, int]:  # fmt: skip
    """Write the lines of one shard, without a header, to `path`, or to several files beside it if they are long.

    Return the files, how many lines there are, and how many scores are no numbers.

    A row whose scores are not finite, which a graph may give for far values, has no prediction: `unread` says so.

    Parameters
    ----------
    index : Parquet file of the shard, see `typed_shards.Shard`
    scores : (n, k)
    ids : number of id columns
    cutoffs : threshold of each row (n,), where groups have thresholds of their own
    broken : Parquet file of the lines that are no rows, and the numbers from which and before which they belong here
    """
    arrays: dict[str, Any] = {"scored": np.isfinite(scores).all(axis=1)}
    if signature.task == "regression":
        arrays["prediction"] = np.ascontiguousarray(scores[:, 0])
        predicted = "prediction"
    else:
        arrays["code"] = predicted_codes(scores, signature.threshold if cutoffs is None else cutoffs)
        arrays |= {f"p{column}": np.ascontiguousarray(scores[:, column]) for column in range(scores.shape[1])}
        # a list constant is indexed from 1
        predicted = f"[{', '.join(map(literal, signature.classes))}][code + 1]"
    probabilities = [name for name in arrays if name.startswith("p") and name != "prediction"]
    id_columns = [f"i{number}" for number in range(ids)]
    not_scored = len(scores) - int(arrays["scored"].sum())
    columns = ["number", *id_columns, f"{predicted} AS prediction", *probabilities, f"{version} AS version", "unread"]
    if not_scored:
        for position, sql in enumerate(columns[1 + ids : -1], 1 + ids):
            value, _, name = sql.partition(" AS ")
            columns[position] = f"CASE WHEN scored THEN {value} END AS {name or value}"
        columns[-1] = f"CASE WHEN scored THEN unread ELSE {literal(NO_SCORE)} END AS unread"
    engine.register("scores", arrays)
    query = f"SELECT {', '.join(columns)} FROM read_parquet({literal(index)}) POSITIONAL JOIN scores"
    if broken is not None:
        file, first, end = broken
        empty = ", ".join(
            ["number", *(f"NULL AS {name}" for name in [*id_columns, "prediction", *probabilities]), "NULL AS version"]
        )
        belongs = f"number >= {first} AND number < {end}" if end else f"(number >= {first} OR number IS NULL)"
        query = (
            f"SELECT * EXCLUDE (line) FROM ({query} UNION ALL BY NAME SELECT {empty},"
            f" 'line ' || line || ' is not a row: ' || reason AS unread, line"
            f" FROM read_parquet({literal(file)}) WHERE {belongs}) ORDER BY number NULLS LAST, line"
        )
    try:
        lines = _copy(engine, query, path)
        if path.stat().st_size <= MAX_FILE_BYTES:
            return [path], lines, not_scored
        paths = _copy_in_slices(engine, query, lines, path)
    finally:
        engine.unregister("scores")
    return paths, lines, not_scored


def _copy(engine: Any, query: str, path: Path) -> int:
    copied = engine.execute(
        f"COPY ({query}) TO {literal(path)} (FORMAT csv, HEADER false, DELIMITER ',', NULLSTR '')"
    ).fetchall()  # to its end: a result that is not finished keeps `scores` registered
    return int(copied[0][0])


def _copy_in_slices(engine: Any, query: str, lines: int, whole: Path) -> list[Path]:
    """Write the lines of a file that is too large to files of about half of MAX_FILE_BYTES: some lines are longer."""
    slices = -(-whole.stat().st_size // (MAX_FILE_BYTES // 2))
    size = -(-lines // slices)
    whole.unlink()
    engine.execute(f"CREATE OR REPLACE TABLE long_lines AS {query}")
    paths = [whole.with_stem(f"{whole.stem}-{start:08d}") for start in range(0, lines, size)]
    for path, start in zip(paths, range(0, lines, size), strict=True):
        _copy(engine, f"SELECT * FROM long_lines LIMIT {size} OFFSET {start}", path)
    engine.execute("DROP TABLE long_lines")
    return paths


def joined(parts: Iterator[Path], first_line: bytes, folder: Path) -> Iterator[Path]:
    """Yield files of at most MAX_FILE_BYTES, or of one part if that is larger, each with a header.

    Each part is deleted when it has been copied.
    """
    number = 0
    path = folder / f"results-{number:05d}.csv"
    path.write_bytes(first_line)
    for part in parts:
        if path.stat().st_size > len(first_line) and path.stat().st_size + part.stat().st_size > MAX_FILE_BYTES:
            yield path
            number += 1
            path = folder / f"results-{number:05d}.csv"
            path.write_bytes(first_line)
        with path.open("ab") as file, part.open("rb") as lines:
            while chunk := lines.read(2**20):
                file.write(chunk)
        part.unlink()
    yield path
