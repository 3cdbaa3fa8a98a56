"""Rows in npz tables: whether they hold a value of somebody, and a table without some of its rows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.erase.subjects import Subjects, canonical, column_of
from modelcycle.erase.traces import Traces
from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz

MAX_EXACT = 2**24  # whole numbers up to it have single precision of their own


def positions_of(body: bytes, subjects: Subjects, *, exactly: bool = False) -> npt.NDArray[np.int64] | None:
    """Return the rows of a typed table in which a column identifies a subject; None if it has no such column.

    Samples of monitoring and groups of rows have names too, but no array for each: they are no such tables.
    Numbers are compared in single precision, as the table holds them: of two ids that differ beyond it, both match.

    Parameters
    ----------
    exactly : a column whose numbers are too large for single precision does not count
    """
    arrays = from_npz(body)
    if "names" not in arrays or not {"codes0", "values0"} & arrays.keys():
        return None
    names: list[str] = from_json_array(arrays["names"])
    matched: npt.NDArray[np.bool_] | None = None
    for condition in subjects.conditions:
        at = [(column_of(name, names), texts) for name, texts in condition.items()]
        if any(position is None for position, _ in at):
            continue
        if exactly and any(_is_rounded(arrays, position or 0, texts) for position, texts in at):
            continue
        tests = [_is(arrays, position or 0, texts) for position, texts in at]
        both = np.logical_and.reduce(tests)
        matched = both if matched is None else matched | both
    return None if matched is None else np.flatnonzero(matched)


def _is(arrays: dict[str, npt.NDArray[Any]], number: int, texts: frozenset[str]) -> npt.NDArray[np.bool_]:
    codes = arrays.get(f"codes{number}")
    if codes is not None:
        levels: list[str] = from_json_array(arrays[f"levels{number}"])
        wanted = [code for code, level in enumerate(levels) if canonical(level) in texts]
        return np.isin(codes, wanted)
    numbers = [float(text) for text in texts if _is_number(text)]
    values = arrays[f"values{number}"]
    return np.isin(values, np.array(numbers, dtype=values.dtype))


def _is_rounded(arrays: dict[str, npt.NDArray[Any]], number: int, texts: frozenset[str]) -> bool:
    """Return whether a column holds numbers of which single precision may have made others."""
    values = arrays.get(f"values{number}")
    wanted = [float(text) for text in texts if _is_number(text)]
    is_single = values is not None and values.dtype == np.float32
    return is_single and any(abs(one) >= MAX_EXACT or one != float(np.float32(one)) for one in wanted)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def holds(body: bytes, traces: Traces, subjects: Subjects) -> bool:
    """Return whether an npz file holds a row or a value of the subjects."""
    positions = positions_of(body, subjects)
    if positions is not None and len(positions):
        return True
    for name, array in from_npz(body).items():
        if array.dtype == np.uint8 and (name == "names" or name.startswith("levels")):
            if traces.texts.intersection(map(str.strip, map(str, from_json_array(array)))):
                return True
        elif array.dtype.kind == "f" and traces.numbers:
            with np.errstate(over="ignore"):
                single = array.astype(np.float32)
            if np.isin(single, np.array(sorted(traces.numbers), dtype=np.float32)).any():
                return True
    return False


def without_rows(body: bytes, rows: Sequence[int], count: int) -> bytes:
    """Return an npz file without some rows of the arrays that have an element a row; texts of nobody else go too.

    Parameters
    ----------
    count : rows of the table; arrays of another length stay as they are
    """
    keep = np.ones(count, dtype=bool)
    keep[list(rows)] = False
    arrays = from_npz(body)
    kept = {
        name: array[keep] if array.ndim and len(array) == count and not _is_json(name) else array
        for name, array in arrays.items()
    }
    for name in [name for name in kept if name.startswith("codes")]:
        kept |= _used_levels(name, kept)
    return to_npz(**kept)


def rows_in(body: bytes) -> int:
    """Return how many rows the arrays of an npz file have."""
    return max((len(array) for name, array in from_npz(body).items() if array.ndim and not _is_json(name)), default=0)


def unpacked(body: bytes) -> bytes:
    """Return the content of a zip archive, such as a skops file, as one text; other bytes as they are."""
    if not body.startswith(b"PK"):
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return b"\n".join(unpacked(archive.read(name)) for name in archive.namelist())


def _is_json(name: str) -> bool:
    return name == "names" or name.startswith("levels")


def _used_levels(name: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the codes and levels of a text column without the levels that no row has any more."""
    levels_name = name.replace("codes", "levels", 1)
    if levels_name not in arrays:
        return {}
    levels: list[str] = from_json_array(arrays[levels_name])
    codes = arrays[name]
    used = np.zeros(len(levels) + 1, dtype=bool)
    used[codes] = True  # the code -1 is the last element
    moved = np.cumsum(used[:-1]) - 1
    renumbered = np.append(moved, -1)[codes].astype(codes.dtype)
    return {
        name: renumbered,
        levels_name: json_array([level for level, is_used in zip(levels, used, strict=False) if is_used]),
    }
