"""Facts about the rows of a run: where they come from, which were kept, how they were split."""

from __future__ import annotations

from modelcycle.documents.made import Made
from modelcycle.documents.outline import Table, escaped, number
from modelcycle.messages import CaseRecipe

MAX_LISTED_FILES = 50
MAX_LISTED_COLUMNS = 500


def row_facts(made: Made) -> list[str]:
    """Return how many rows were collected, kept, and used for what, as sentences."""
    collected, preprocessed = made.collect, made.preprocess
    train, validation, test = preprocessed.split
    quarantined = collected.quarantined + preprocessed.quarantined
    files = f"{collected.objects:,} {'object' if collected.objects == 1 else 'objects'}"
    by = f"`{escaped(made.pipeline.time_column)}`" if made.pipeline.time_column else "a hash of each row's case"
    return [
        f"{collected.rows:,} rows from {files} (manifest `{collected.manifest.sha256[:12]}`)",
        *_repeated_files(made),
        f"{preprocessed.kept:,} kept, {quarantined:,} quarantined, {preprocessed.duplicates:,} duplicates dropped",
        f"split: {train:,} train, {validation:,} validation, {test:,} test, by {by}",
        *([_cases_in_words(made.cases, preprocessed.cases)] if made.cases else []),
    ]


def _repeated_files(made: Made) -> list[str]:
    collected = made.collect
    named = [f"left out, because another file has the same content: {escaped(key)}" for key in collected.repeated]
    if collected.files_left_out > len(named):
        named.append(f"and {collected.files_left_out - len(named):,} more such files; the manifest names them")
    return named


def _cases_in_words(cases: CaseRecipe, count: int) -> str:
    """Return how a case is made, as a sentence."""
    if cases.kind == "group":
        columns = ", ".join(f"`{escaped(column.name)}`" for column in cases.columns)
        return f"{count:,} cases: rows with equal {columns} are one case, which is never in two parts"
    if cases.kind == "row":
        return f"{count:,} cases: each row is one, because equal rows are different observations"
    return f"{count:,} cases: rows with equal features are one case, which is never in two parts"


def file_table(made: Made) -> list[Table | str]:
    """Return the files of the snapshot by name, version and hash."""
    objects = made.manifest.get("objects", [])
    rows = [
        [escaped(entry["key"]), f"{entry['rows']:,}", f"`{entry['sha256'][:16]}`", escaped(entry.get("version") or "")]
        for entry in objects[:MAX_LISTED_FILES]
    ]
    left = len(objects) - len(rows)
    return [
        Table(["file", "rows", "SHA-256", "object version"], rows),
        *([f"and {left:,} more files, named by the manifest {made.collect.manifest.uri}"] if left > 0 else []),
    ]


def column_table(made: Made) -> list[Table | str]:
    """Return each column's type, missing share and number of values, without any of its values."""
    columns = made.profile.columns[:MAX_LISTED_COLUMNS]
    rows = [
        [
            escaped(column.name), column.type, f"{column.missing_share:.1%}", f"{column.distinct:,}",
            number(column.mean) if column.type == "number" else "",
            number(column.deviation) if column.type == "number" else "",
        ]
        for column in columns
    ]  # fmt: skip
    left = len(made.profile.columns) - len(columns)
    return [
        Table(["column", "type", "missing", "different values", "mean", "standard deviation"], rows),
        *([f"and {left:,} more columns, in the profile of the run"] if left > 0 else []),
    ]
