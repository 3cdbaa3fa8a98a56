"""Pandas and AutoGluon read the columns of bench/reading.py: python reading_peer.py FOLDER

Runs in the environment `build/reading`. Writes answers.json: by reader, the type and the values of each column.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    """Read all files of the folder."""
    files = sorted(folder.glob("*.csv"), key=lambda path: int(path.stem))
    answers = {"pandas": [by_pandas(path) for path in files], "autogluon": [by_autogluon(path) for path in files]}
    (folder / "answers.json").write_text(json.dumps(answers))


def by_pandas(path: Path) -> tuple[str, list[Any]]:
    """Return type and values: read_csv, convert_dtypes, and to_datetime if it reads every text."""
    import pandas as pd

    column = pd.read_csv(path).convert_dtypes().iloc[:, 0]
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean", [None if value is pd.NA else float(value) for value in column]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number", [None if value is pd.NA else float(value) for value in column]
    try:
        moments = pd.to_datetime(column, utc=True)
    except (ValueError, TypeError, OverflowError):
        return "text", [None if value is pd.NA else str(value) for value in column]
    return "datetime", [None if moment is pd.NaT else moment.timestamp() for moment in moments]


def by_autogluon(path: Path) -> tuple[str, None]:
    """Return the type that AutoGluon's feature generators infer."""
    import pandas as pd
    from autogluon.common.features.infer_types import (  # type: ignore[import-not-found]  # in the peer's environment
        get_type_group_map_special,
        get_type_map_raw,
    )

    table = pd.read_csv(path)
    name = table.columns[0]
    special = {kind for kind, names in get_type_group_map_special(table).items() if name in names}
    raw = get_type_map_raw(table)[name]
    if "datetime_as_object" in special or raw == "datetime":
        return "datetime", None
    if raw == "bool":
        return "boolean", None
    return ("number" if raw in ("int", "float") else "text"), None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
