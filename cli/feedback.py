"""`feedback`: keep what really happened, by prediction id."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cli import console
from cli.data_file import open_data_file
from cli.options import Options
from cli.place import Place
from cli.screens.judgements import feedback_text
from modelcycle.captured import captured_ids, download, select_newest_captures
from modelcycle.captured.outcomes import class_of
from modelcycle.faults import BadInput
from modelcycle.model.signature import Signature
from modelcycle.store import S3Store

COLUMNS = ("prediction_id", "outcome")
MAX_ROWS = 1_000_000  # of one file


def feedback(model: str, path: Path, options: Options) -> int:
    """Upload the outcomes of a file, and say how many belong to captured predictions.

    Raises
    ------
    BadInput : the file has no columns `prediction_id` and `outcome`, no row with both, or more than MAX_ROWS rows
    """
    place = options.open_place()
    place.check_model(model)
    outcomes = _read(path)
    unknown = _unknown_outcomes(place, model, set(outcomes.values()))
    found, read, left_out = _find(place, model, set(outcomes))
    lines = [json.dumps({"prediction_id": one, "outcome": outcome}) for one, outcome in outcomes.items()]
    body = ("\n".join(lines) + "\n").encode()
    key = f"feedback/{model}/{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{hashlib.sha256(body).hexdigest()[:8]}.jsonl.gz"
    place.s3.put_object(Bucket=place.output("DataBucket"), Key=key, Body=gzip.compress(body, mtime=0))
    not_predicted = sum(outcome in unknown for outcome in outcomes.values())
    if options.as_json:
        console.print_json({
            "model": model, "rows": len(outcomes), "found": found, "read": read, "unknown": not_predicted, "key": key,
        })  # fmt: skip
    else:
        console.show(feedback_text(model, len(outcomes), found, not_predicted, read, left_out))
    return console.DONE


def _read(path: Path) -> dict[str, str]:
    """Return the outcome of each prediction id; the last row of an id counts."""
    outcomes: dict[str, str] = {}
    with open_data_file(path) as file:
        absent = [name for name in COLUMNS if name not in file.names]
        if absent:
            raise BadInput(
                f"the file lacks the column {' and '.join(absent)}", str(path),
                "`prediction_id` is what each answer came with, `outcome` what really happened",
            )  # fmt: skip
        for row in file:
            # without blanks around them, as the judge reads them
            one, outcome = ((row[name] or "").strip() for name in COLUMNS)
            if one and outcome:
                outcomes[one] = outcome
            if len(outcomes) > MAX_ROWS:
                raise BadInput(f"the file has more than {MAX_ROWS:,} outcomes", str(path), "send it in parts")
    if not outcomes:
        raise BadInput("no row has a prediction id and an outcome", str(path), "send rows that have both")
    return outcomes


def _unknown_outcomes(place: Place, model: str, outcomes: set[str]) -> set[str]:
    """Return the outcomes that the live version cannot predict; none without a live version."""
    champion = place.registry.routes.get(model).champion
    if champion is None:
        return set()
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    version = place.registry.versions.get(model, champion)
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    if signature.task == "regression":
        return {outcome for outcome in outcomes if not _is_number(outcome)}
    return {outcome for outcome in outcomes if class_of(outcome, signature.classes) is None}


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _find(place: Place, model: str, wanted: set[str]) -> tuple[int, int, bool]:
    """Return how many ids were captured, how many captured ones were read, and whether older ones were not."""
    data = S3Store(place.s3, place.output("DataBucket"))
    selection = select_newest_captures(data, model)
    with TemporaryDirectory() as folder:
        files, _ = download(data, selection.objects, Path(folder) / "captures")
        ids = captured_ids(files, Path(folder))
    return len(wanted & ids), len(ids), selection.left_out
