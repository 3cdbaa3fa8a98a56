"""`feedback`: keep what really happened, by prediction id or by the id columns of the model."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cli import console
from cli.data_file import open_data_file
from cli.options import Options
from cli.outcome_upload import bring, send_outcomes
from cli.place import Place
from cli.screens.feedback import Told, feedback_text
from modelcycle.captured import download, select_newest_captures
from modelcycle.captured.objects import select_outcomes
from modelcycle.captured.outcome_rows import AT, ID, OUTCOME, OutcomeColumns, OutcomeRows, read_lines
from modelcycle.captured.outcomes import count_late, count_told_before, create_predictions, match_outcomes
from modelcycle.cells.times import TIME_FORMATS
from modelcycle.engine import Engine, connect
from modelcycle.faults import BadInput
from modelcycle.model.profile import Profile
from modelcycle.model.signature import Signature
from modelcycle.spec import Pipeline, parse
from modelcycle.store import S3Store

MAX_ROWS = 1_000_000  # of one file
MEMORY_MB = 4096  # DuckDB uses a share of it, and then the disk
MAX_EXAMPLES = 3  # of outcomes that do not count


class Live(NamedTuple):
    """What the live version says of outcomes."""

    signature: Signature
    profile: Profile
    pipeline: Pipeline


def feedback(model: str, path: Path, options: Options) -> int:
    """Upload the outcomes of a file, and say what becomes of them.

    Raises
    ------
    BadInput : the file names neither predictions nor outcomes, has no row with both, or more than MAX_ROWS rows
    """
    place = options.open_place()
    place.check_model(model)
    live = _live(place, model)
    columns = _columns(live)
    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="modelcycle-") as name, connect(Path(name), "feedback", MEMORY_MB) as engine:
        lines = Path(name) / "outcomes.jsonl"
        rows, skipped, left_out = _write_lines(path, columns, lines, is_live=live is not None)
        if pseudonyms := _are_pseudonyms(live):
            keys = send_outcomes(place, model, lines, columns.target, path)
            bring(place, keys, lines)
        else:
            keys = [_upload(place, model, lines.read_bytes(), now)]
        read = read_lines(engine, lines, now, columns)
        told = _match(place, model, engine, live, Path(name), read, keys)._replace(
            rows=rows, skipped=skipped, left_out=left_out, pseudonyms=pseudonyms
        )
    if options.as_json:
        console.print_json(_wire(model, keys, told))
    else:
        console.show(feedback_text(model, told))
    return console.DONE


def _upload(place: Place, model: str, body: bytes, now: datetime) -> str:
    """Keep outcomes as an object; return its key."""
    key = f"feedback/{model}/{now:%Y%m%dT%H%M%S%f}-{hashlib.sha256(body).hexdigest()[:8]}.jsonl.gz"
    place.s3.put_object(Bucket=place.output("DataBucket"), Key=key, Body=gzip.compress(body, mtime=0))
    return key


def _wire(model: str, keys: list[str], told: Told) -> dict[str, Any]:
    matched = told.matched
    return {
        "model": model, "rows": told.rows, "found": matched.known, "read": told.captured, "unknown": matched.other,
        "key": keys[0], "keys": keys, "not_found": matched.unknown, "twice": matched.twice,
        "contradictory": matched.contradictory, "out_of_order": matched.out_of_order,
        "before_prediction": matched.early, "in_future": matched.ahead,
        "ambiguous": matched.ambiguous, "expected": told.expected,
        "told_before": told.repeated, "changed": told.changed,
        "late": told.late, "incomplete": told.skipped, "left_out": told.left_out, "pseudonyms": told.pseudonyms,
    }  # fmt: skip


def _live(place: Place, model: str) -> Live | None:
    """Return what the live version says; None without one."""
    champion = place.registry.routes.get(model).champion
    if champion is None:
        return None
    artifacts = place.artifacts
    version = place.registry.versions.get(model, champion)
    return Live(
        Signature.model_validate_json(artifacts.read(version.signature)),
        Profile.model_validate_json(artifacts.read(version.profile)), parse(artifacts.read(version.pipeline)),
    )  # fmt: skip


def _columns(live: Live | None) -> OutcomeColumns:
    if live is None:
        return OutcomeColumns(OUTCOME)
    return OutcomeColumns(live.signature.target, live.signature.id_columns, live.pipeline.sensitive_columns)


def _are_pseudonyms(live: Live | None) -> bool:
    """Return whether captures hold pseudonyms of ids: a function makes them, since this command has no key."""
    return live is not None and bool(OutcomeColumns.of(live.signature).pseudonymised)


def _write_lines(
    path: Path, columns: OutcomeColumns, target: Path, *, is_live: bool = True
) -> tuple[int, int, list[str]]:
    """Write the rows of a file as JSON lines, with the columns that are read.

    Returns
    -------
    how many rows, how many of the file were skipped, and the columns that were left out
    """
    rows = skipped = 0
    with open_data_file(path) as file, target.open("w") as lines:
        wanted = [ID, OUTCOME, columns.target, *columns.ids, *columns.further, *([AT] if columns.time else [])]
        spelled = _spelled(file.names, wanted)
        ids = {name for name in columns.ids if name in spelled.values()}
        has_id = ID in spelled.values() or (bool(ids) and len(ids) == len(columns.ids))
        has_outcome = {OUTCOME, columns.target} & set(spelled.values())
        if not has_id or not has_outcome:
            raise _lacks(path, columns, has_id, bool(has_outcome), is_live)
        for row in file:
            texts = {read_as: (row[name] or "").strip() for name, read_as in spelled.items()}
            kept = {read_as: text for read_as, text in texts.items() if text}
            named = ID in kept or (columns.ids and all(name in kept for name in columns.ids))
            if not named or not (OUTCOME in kept or columns.target in kept):
                skipped += 1
                continue
            rows += 1
            if rows > MAX_ROWS:
                raise BadInput(f"the file has more than {MAX_ROWS:,} outcomes", str(path), "send it in parts")
            lines.write(json.dumps(kept) + "\n")
        left_out = [name for name in file.names if name not in spelled]
    if not rows:
        raise BadInput("no row has an id and an outcome", str(path), "send rows that have both")
    return rows, skipped, left_out


def _spelled(names: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return which columns of a file are read, and as what; capital letters count where names differ by them alone.

    >>> _spelled(["Prediction_ID", "Outcome", "x"], ["prediction_id", "outcome"])
    {'Prediction_ID': 'prediction_id', 'Outcome': 'outcome'}
    """
    found: dict[str, str] = {}
    for one in wanted:
        same = [name for name in names if name == one] or [name for name in names if name.casefold() == one.casefold()]
        if len(same) == 1 and same[0] not in found:
            found[same[0]] = one
    return found


def _lacks(path: Path, columns: OutcomeColumns, has_id: bool, has_outcome: bool, is_live: bool) -> BadInput:
    ids = f", or {' and '.join(columns.ids)}" if columns.ids else ""
    target = f", or {columns.target}" if columns.target != OUTCOME else ""
    lacking = [*([] if has_id else [f"{ID}{ids}"]), *([] if has_outcome else [f"{OUTCOME}{target}"])]
    remedy = "`prediction_id` is what each answer came with, `outcome` what really happened"
    if not is_live:
        remedy += "; no version is live yet, so its target and id columns are not known"
    elif not columns.ids:
        remedy += "; with `id_columns` in the pipeline file, later versions also find a prediction by those"
    return BadInput(f"the file lacks the column {' and '.join(lacking)}", str(path), remedy)


def _match(
    place: Place, model: str, engine: Engine, live: Live | None, folder: Path, read: OutcomeRows, keys: Sequence[str]
) -> Told:
    """Hold the outcomes against the newest captured predictions, and against the outcomes that were kept before.

    Parameters
    ----------
    keys : of the objects that keep these outcomes
    """
    data = S3Store(place.s3, place.output("DataBucket"))
    selection = select_newest_captures(data, model)
    files, _ = download(data, selection.objects, folder / "captures")
    captured = create_predictions(engine, files, live.signature.id_columns if live else [])
    signature, target = (live.signature, live.profile.target) if live else (None, None)
    matched = match_outcomes(engine, signature, target)
    days = live.pipeline.monitoring.labels_days if live else None
    late = count_late(engine, days) if days is not None else 0
    uncounted = _uncounted(engine) if matched.other else []
    earlier = [one for one in select_outcomes(data, model).objects if one.key not in keys] if matched.known else []
    before = count_told_before(engine, data, earlier, folder, _columns(live), signature, target) if earlier else (0, 0)
    return Told(
        0, 0, [], captured, selection.left_out, matched, late, days, expected=_expected(live), uncounted=uncounted,
        repeated=before[0], changed=before[1],
    )  # fmt: skip


def _expected(live: Live | None) -> str:
    """Return what an outcome has to be, as a clause; empty if every text is one."""
    if live is None:
        return ""
    if live.signature.task == "regression":
        format = live.profile.target.format  # noqa: A001
        if format in TIME_FORMATS:
            return "a time, as in 14:05" if format == "clock" else "a duration, as in 1:30:00"
        return f"a number, as in {format or '1234.56'}"
    return "one of " + ", ".join(live.signature.classes)


def _uncounted(engine: Engine) -> list[str]:
    """Return examples of outcomes that the live version cannot predict, for the person whose file has them."""
    found = engine.execute(
        """SELECT outcome FROM told WHERE (object, line) NOT IN (SELECT (object, line) FROM valued)
           GROUP BY outcome ORDER BY count(*) DESC, outcome"""
    ).fetchmany(MAX_EXAMPLES)
    return [outcome for (outcome,) in found]
