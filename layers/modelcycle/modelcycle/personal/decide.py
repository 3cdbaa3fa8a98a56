"""What happens to each column: as the pipeline file says, as the live version had it, or as its values look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcycle.faults import BadData, BadPipeline
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal.detect import Found, detect
from modelcycle.personal.inside import TEXTS_WITH
from modelcycle.personal.sample import sampled_columns
from modelcycle.spec import Pipeline
from modelcycle.spec.privacy import Treatment

PERSONAL_OF_RUN = "personal"  # key of the manifest: a `PersonalColumn` for each column that holds personal data
MAX_NOTES = 10
MAX_NAME_CHARACTERS = 60
# they begin so; dates tell the age, which is a reason to decide, and name nobody; texts say more than what was found
KEPT_KINDS = ("dates of birth", TEXTS_WITH)
DONE: dict[str, str] = {
    "drop": "not stored", "mask": "masked", "pseudonymise": "pseudonymised", "encrypt": "encrypted", "keep": "kept",
}  # fmt: skip


def decide_personal(
    engine: Any, shards: Sequence[Path], names: Sequence[str], rows: int, pipeline: Pipeline,
    known: Mapping[str, PersonalColumn], *, has_key: bool,
) -> dict[str, PersonalColumn]:  # fmt: skip
    """Return the columns that hold personal data; those that nobody has listed are found by their names and values.

    Parameters
    ----------
    shards, names, rows : of the snapshot
    known : what was found for the live version: a column stays personal if a batch looks otherwise
    has_key : whether this stack can make pseudonyms

    Raises
    ------
    BadPipeline : the pipeline file wants pseudonyms, and the stack has no key
    BadData : personal columns were found, and the pipeline file says `detected: fail`
    """
    listed = pipeline.privacy.columns
    if not has_key and (wants := pipeline.privacy.treated("pseudonymise", "encrypt")):
        raise BadPipeline(
            f"privacy.columns: {wants[0]} needs a key of the stack, and this stack has none",
            f"pipelines/{pipeline.name}.yaml: privacy.columns",
            "deploy it with GovernanceKeys=on, or drop or mask the column",
        )  # fmt: skip
    personal: dict[str, PersonalColumn] = {}
    for name, texts in sampled_columns(engine, shards, names, rows):
        if name in listed:
            if listed[name] != "keep":
                personal[name] = PersonalColumn(treatment=listed[name])
            continue
        earlier = known.get(name)
        found = Found(earlier.kind, earlier.share, earlier.sure) if earlier is not None else detect(name, texts)
        if found is not None:
            personal[name] = PersonalColumn(
                treatment=_treatment(name, found, pipeline, has_key), kind=found.kind, by="detected", share=found.share,
                sure=found.sure,
            )  # fmt: skip
    if pipeline.privacy.detected == "fail":
        _refuse(personal, pipeline)
    return personal


def _treatment(name: str, found: Found, pipeline: Pipeline, has_key: bool) -> Treatment:
    """Return what happens to a column that was found: what the pipeline file wants it for still works."""
    if pipeline.privacy.detected == "tell" or found.kind.startswith(KEPT_KINDS) or name in used_columns(pipeline):
        return "keep"
    if name in {*pipeline.id_columns, *pipeline.group_by, *pipeline.rules.keys}:
        return "pseudonymise" if has_key else "keep"
    return "drop"


def used_columns(pipeline: Pipeline) -> set[str]:
    """Return the columns of which the pipeline file needs the values themselves."""
    features = pipeline.features
    return {
        pipeline.target, *([pipeline.time_column] if pipeline.time_column is not None else []), *features.numeric,
        *features.categorical, *features.allow, *features.numbers, *features.dates, *pipeline.sensitive_columns,
        *pipeline.rules.columns,
    }  # fmt: skip


def _refuse(personal: Mapping[str, PersonalColumn], pipeline: Pipeline) -> None:
    found = {name: column for name, column in personal.items() if column.by == "detected"}
    if found:
        named = ", ".join(f"{_short(name)} ({column.kind})" for name, column in list(found.items())[:MAX_NOTES])
        raise BadData(
            f"columns look personal, and privacy.columns does not list them: {named}", f"raw/{pipeline.name}/",
            f"list each, such as privacy: {{columns: {{{_short(next(iter(found)))}: drop}}}}; keep leaves it as it is",
        )  # fmt: skip


def personal_notes(personal: Mapping[str, PersonalColumn]) -> list[str]:
    """Return what was decided, as sentences for people.

    >>> personal_notes({"mail": PersonalColumn(treatment="drop", kind="e-mail addresses", by="detected", share=0.984)})
    ['mail: e-mail addresses (98 % of its values): not stored; privacy: {columns: {mail: keep}} keeps them']
    >>> personal_notes({"a": PersonalColumn(treatment="drop"), "b": PersonalColumn(treatment="mask")})
    ['personal columns, as the pipeline file says: 1 not stored, 1 masked']
    """
    declared = Counter(DONE[column.treatment] for column in personal.values() if column.by == "declared")
    notes = []
    if declared:
        counts = ", ".join(f"{count:,} {done}" for done, count in declared.items())
        notes.append(f"personal columns, as the pipeline file says: {counts}")
    found = [(name, column) for name, column in personal.items() if column.by == "detected"]
    notes += [_note(_short(name), column) for name, column in found[:MAX_NOTES]]
    if len(found) > MAX_NOTES:
        notes.append(
            f"and {len(found) - MAX_NOTES:,} more columns that look personal: the manifest of the run lists them"
        )
    return notes


def _note(name: str, column: PersonalColumn) -> str:
    seen = f"{name}: {column.kind} ({column.share:.0%} of its values)".replace("%", " %")
    if column.treatment == "keep":
        return f"{seen}: kept; privacy: {{columns: {{{name}: drop}}}} leaves them out, keep ends this note"
    if column.treatment == "pseudonymise":
        return f"{seen}: pseudonymised, because they identify rows; privacy: {{columns: {{{name}: keep}}}} keeps them"
    return f"{seen}: {DONE[column.treatment]}; privacy: {{columns: {{{name}: keep}}}} keeps them"


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 3]}..."


def treated_columns(personal: Mapping[str, PersonalColumn], *treatments: Treatment) -> list[str]:
    """Return the columns with one of these treatments, in their order."""
    return [name for name, column in personal.items() if column.treatment in treatments]


def hidden_columns(
    names: Iterable[str], personal: Mapping[str, PersonalColumn], id_columns: Iterable[str]
) -> list[str]:
    """Return the columns that nothing after `collect` reads: treated ones, but pseudonyms of identifiers.

    Parameters
    ----------
    id_columns : also those that group rows
    """
    ids = set(id_columns)
    return [
        name
        for name in names
        if name in personal
        and (column := personal[name]).treatment != "keep"
        and not (column.treatment == "pseudonymise" and name in ids)
    ]
