"""The data sheet of a run's rows (Gebru et al. 2021, "Datasheets for Datasets"), with that paper's seven headings."""

from __future__ import annotations

from modelcycle.documents.data_facts import column_table, file_table, row_facts
from modelcycle.documents.made import Made
from modelcycle.documents.outline import Document, Missing, Part, Section, Table, escaped
from modelcycle.documents.said import said


def datasheet(made: Made) -> Document:
    """Return the data sheet of the rows that a candidate has learned from and was judged on."""
    pipeline, run = made.pipeline, made.run
    about = pipeline.about
    return Document(
        f"Data of {run.model}",
        [f"The rows of run {run.run_id}; all figures are of the training rows unless said otherwise."],
        [
            Section("Motivation", [said(about, "purpose"), said(about, "data_origin")]),
            Section("Composition", [*row_facts(made), *_classes(made), *column_table(made)]),
            Section("People in the data", _people(made), 3),
            Section("What the data do not cover", [said(about, "data_gaps")], 3),
            Section("Collection process", [*_source(made), *file_table(made)]),
            Section("Labelling", [said(about, "labelling")], 3),
            Section("Preprocessing, cleaning, labelling", _cleaning(made)),
            Section("Uses", [said(about, "not_for"), said(about, "legal_basis")]),
            Section(
                "Distribution",
                ["the rows stay in the buckets of this deployment; `docs/security.md` lists who may read them"],
            ),
            Section("Maintenance", [said(about, "owner"), said(about, "contact"), _renewal(made)]),
        ],
    )


def _classes(made: Made) -> list[Part]:
    target = made.profile.target
    if made.preprocess.task == "regression":
        return [f"target: `{escaped(made.pipeline.target)}`, a number"]
    rows = [[escaped(level), f"{count:,}"] for level, count in zip(target.levels, target.counts, strict=False)]
    return [f"target: `{escaped(made.pipeline.target)}`", Table(["class", "training rows"], rows)]


def _people(made: Made) -> list[Part]:
    sensitive = made.pipeline.sensitive_columns
    parts: list[Part] = [said(made.pipeline.about, "people")]
    if sensitive:
        names = ", ".join(f"`{escaped(column)}`" for column in sensitive)
        use = "also features" if made.pipeline.features.use_sensitive else "no features"
        parts.append(f"sensitive columns: {names}; used to compare groups, {use}")
    else:
        parts.append(Missing("which columns are sensitive", "name them in `sensitive_columns` of the pipeline file"))
    return parts


def _source(made: Made) -> list[str]:
    return [
        f"{name}: {escaped(type(source).__name__.removesuffix('Source').lower())}"
        for name, source in sorted(made.pipeline.sources.items())
    ]


def _cleaning(made: Made) -> list[Part]:
    preprocessed = made.preprocess
    reasons = [
        *(f"{escaped(reason)}: {count:,} rows kept back" for reason, count in preprocessed.quarantine_reasons.items()),
        *(f"{escaped(reason)}: {count:,} values missing" for reason, count in preprocessed.cell_reasons.items()),
    ]
    left_out = [
        f"{escaped(left.column)} is no feature: {escaped(left.why)}" for left in made.engineer_features.left_out
    ]
    notes = [escaped(note) for note in [*made.collect.notes, *preprocessed.notes]]
    return [*reasons, *notes, *left_out] or ["every value was read as it is; all columns are features"]


def _renewal(made: Made) -> str:
    retraining = made.pipeline.retraining
    ways = [
        *(["when the model is degraded"] if retraining.on_degraded else []),
        *([f"every {retraining.every}"] if retraining.every else []),
        *([f"after {retraining.new_rows:,} new labelled rows"] if retraining.new_rows else []),
    ]
    return f"collected again with each upload{', and ' + ', '.join(ways) if ways else ''}"
