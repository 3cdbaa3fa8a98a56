"""One look of a peer of bench/monitoring.py, in its own environment: NAME REFERENCE LIVE, both Parquet.

Prints JSON: CPU seconds from reading the files to the verdict, the largest resident set of the process in MB, and the
columns that have drifted. Imports are not counted.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def evidently() -> Callable[[str, str], list[str]]:
    """Return a look by Evidently: its preset, which chooses a test by type and size."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    def look(reference: str, live: str) -> list[str]:
        before, now = pd.read_parquet(reference), pd.read_parquet(live)
        texts = [name for name in before if not pd.api.types.is_numeric_dtype(before[name])]
        definition = DataDefinition(
            numerical_columns=[name for name in before if name not in texts], categorical_columns=texts
        )
        sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in (now, before)]
        report = Report([DataDriftPreset()]).run(*sides)
        drifted = []
        for metric in report.dict()["metrics"]:
            config = metric.get("config", {})
            if config.get("type", "").endswith("ValueDrift"):
                value, limit = float(metric["value"]), float(config["threshold"])
                is_p = "p_value" in config["method"]
                if value < limit if is_p else value >= limit:
                    drifted.append(config["column"])
        return drifted

    return look


def nannyml() -> Callable[[str, str], list[str]]:
    """Return a look by NannyML: univariate drift with its default methods, in chunks of a tenth of the reference.

    A column has drifted if one of its methods alerts in most chunks.
    """
    import nannyml as nml

    def look(reference: str, live: str) -> list[str]:
        before, now = pd.read_parquet(reference), pd.read_parquet(live)
        texts = [name for name in before if not pd.api.types.is_numeric_dtype(before[name])]
        calculator = nml.UnivariateDriftCalculator(
            column_names=list(before), treat_as_categorical=texts, chunk_size=len(before) // 10
        )
        calculator.fit(before)
        frame = calculator.calculate(now).to_df()
        analysis = frame[frame["chunk"]["chunk"]["period"] == "analysis"]
        methods = {(name, method) for name, method, what in frame.columns if what == "alert" and name != "chunk"}
        return [
            name
            for name in before
            if any(analysis[name][method]["alert"].mean() > 0.5 for column, method in methods if column == name)
        ]

    return look


def alibi_detect() -> Callable[[str, str], list[str]]:
    """Return a look by alibi-detect: Kolmogorov-Smirnov and chi-square tests, corrected as it proposes (Bonferroni)."""
    from alibi_detect.cd import TabularDrift

    def look(reference: str, live: str) -> list[str]:
        frames = [pd.read_parquet(path) for path in (reference, live)]
        names = list(frames[0])
        texts = [name for name in names if not pd.api.types.is_numeric_dtype(frames[0][name])]
        arrays = []
        levels = {
            name: sorted({*frames[0][name].dropna().unique(), *frames[1][name].dropna().unique()}) for name in texts
        }
        for frame in frames:
            for name in texts:
                frame[name] = pd.Categorical(frame[name], levels[name]).codes.astype(np.float32)
            for name in names:
                frame[name] = frame[name].fillna(frame[name].median())  # it takes no missing values
            arrays.append(frame.to_numpy(dtype=np.float32))
        categories: dict[int, Any] = {names.index(name): None for name in texts}
        detector = TabularDrift(arrays[0], p_val=0.05, categories_per_feature=categories)
        found = detector.predict(arrays[1], drift_type="feature", return_p_val=True)["data"]
        limit = 0.05 / len(names)
        return [name for name, p in zip(names, found["p_val"], strict=True) if p < limit]

    return look


def main(name: str, reference: str, live: str) -> None:
    """Print what was measured."""
    look = {"evidently": evidently, "nannyml": nannyml, "alibi-detect": alibi_detect}[name]()
    begun = time.process_time()
    drifted = look(reference, live)
    seconds = time.process_time() - begun
    with Path("/proc/self/status").open() as status:
        peak = next(float(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "megabytes": peak, "drifted": sorted(drifted)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
