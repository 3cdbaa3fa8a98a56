"""What champion and challenger have answered: captured requests and outcomes, as independent observations.

The unit of errors and latency is a request, not a row: the rows of one request fail together and share one time. The
unit of predictions and losses is an entity (see `model.routing`), by its first answer: entities, not rows, are drawn
for a version, so a customer who asks a thousand times is one observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.captured import Selection, download, json_lines, select_captures, select_outcomes
from modelcycle.captured.outcomes import load_outcomes
from modelcycle.cells.reading import Reading
from modelcycle.engine import Engine, connect
from modelcycle.json_pointer import json_pointer
from modelcycle.model.signature import Signature
from modelcycle.sql_literal import literal
from modelcycle.store import Store

MIN_HOUR_ENTITIES = 50  # of an hour that is compared with the others
CHAMPION, CHALLENGER = 0, 1

Array = npt.NDArray[np.float64]


class Arms(NamedTuple):
    """Which answers are compared.

    Parameters
    ----------
    champion, challenger : version numbers
    since, until : of the challenger's answers
    champion_since, champion_until : of the champion's; the same unless it gets no traffic any more
    shadow : whether the challenger answers beside the champion
    """

    champion: int
    challenger: int
    since: datetime
    until: datetime
    champion_since: datetime
    champion_until: datetime
    shadow: bool = False

    @property
    def at_once(self) -> bool:
        """Whether both have answered in the same time."""
        return self.champion_since == self.since


@dataclass
class Arm:
    """The observations of one version.

    Parameters
    ----------
    rows : that it had to answer
    requests, failed : that it had to answer, and the sum of the shares of their rows that it did not
    latencies : sorted milliseconds (n,) of its requests, by the size of the request (see `size_class`)
    predictions : counts (classes,) of the predicted classes, or sorted predicted numbers (n,)
    losses : (n,) of the answers whose outcome is known
    failures : how often it failed, by the name of the error
    """

    rows: int = 0
    requests: int = 0
    failed: float = 0.0
    latencies: dict[int, Array] = field(default_factory=dict)
    predictions: Array = field(default_factory=lambda: np.zeros(0))
    losses: Array = field(default_factory=lambda: np.zeros(0))
    failures: dict[str, int] = field(default_factory=dict)


@dataclass
class Samples:
    """What was observed of both versions.

    Parameters
    ----------
    pairs : losses (n, 2) of champion and challenger on the same rows; only of a shadow
    hours : `predictions` of the champion in each hour before the challenger got all traffic
    notes : what was left out, as sentences
    """

    champion: Arm = field(default_factory=Arm)
    challenger: Arm = field(default_factory=Arm)
    pairs: Array | None = None
    hours: list[Array] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def size_class(rows: int) -> int:
    """Return the class of a request's size: 1 row, 2 to 3, 4 to 7, 8 to 15 and so on.

    >>> [size_class(rows) for rows in (1, 2, 3, 4, 1000)]
    [0, 1, 1, 2, 9]
    """
    return rows.bit_length() - 1


def gather(
    data: Store, signature: Signature, target: Reading | None, arms: Arms, masked: Sequence[str] = ()
) -> Samples:
    """Read the captured answers of both versions, and what people have sent back about them.

    Parameters
    ----------
    data : the data bucket
    signature : of the challenger
    target : how the data write its target, see `captured.outcomes.value_outcomes`
    masked : columns whose values are not captured
    """
    start = min(arms.since, arms.champion_since)
    captures = select_captures(data, signature.model, start, arms.until)
    outcomes = select_outcomes(data, signature.model)
    samples = Samples()
    with TemporaryDirectory() as name, connect(Path(name), "judge") as engine:
        lines = _download(data, captures, Path(name) / "captures", "captured answers", samples)
        _create_answers(engine, lines, signature, arms, masked)
        by_version = (samples.champion, samples.challenger)
        for number, arm in enumerate(by_version):
            _count_requests(engine, number, arm)
            arm.latencies = _latencies(engine, number)
            arm.predictions = _predictions(engine, number, signature)
        if not arms.at_once:
            samples.hours = _predictions_by_hour(engine, signature)
        if outcomes.objects:
            if outcomes.left_out:
                samples.notes.append(f"only the newest {len(outcomes.objects):,} objects with outcomes were read")
            samples.notes += load_outcomes(engine, data, outcomes.objects, Path(name), signature, target)
            if arms.shadow:
                samples.pairs = _paired_losses(engine, signature)
            else:
                for number, arm in enumerate(by_version):
                    arm.losses = _losses(engine, number, signature)
    if _entity_is_masked(signature, masked):
        samples.notes.append("capture.mask or privacy hides what an entity is: each answer counts as one")
    return samples


def _download(data: Store, selection: Selection, folder: Path, what: str, samples: Samples) -> list[Path]:
    files, unread = download(data, selection.objects, folder)
    if selection.left_out:
        samples.notes.append(f"only the newest {len(files):,} objects with {what} were read")
    if unread:
        samples.notes.append(f"objects with {what} that could not be read: {unread:,}")
    return files


def _create_answers(
    engine: Engine, files: Sequence[Path], signature: Signature, arms: Arms, masked: Sequence[str]
) -> None:
    """Create the table `answers`: one row per captured answer of the two versions, each once.

    `arm` is 0 for a row that the champion had to answer and 1 for the challenger; `failed` whether it did not.
    """
    ids = ", ".join(literal(json_pointer("instance", name)) for name in signature.id_columns)
    entity = "md5(json_extract_string(json, '$.instance'))"
    if _entity_is_masked(signature, masked):
        entity = "id"
    elif ids:
        texts = f"json_extract_string(json, [{ids}])"
        entity = (
            f"CASE WHEN len(list_filter({texts}, lambda x: x IS NOT NULL)) > 0 THEN {texts}::VARCHAR ELSE {entity} END"
        )
    engine.execute(
        f"""CREATE TABLE answers AS
            WITH read AS (
              SELECT json, json ->> '$.prediction_id' AS id, try_cast(json ->> '$.at' AS TIMESTAMPTZ) AS asked,
                try_cast(json ->> '$.version' AS INTEGER) AS version,
                coalesce(try_cast(json ->> '$.assigned' AS INTEGER), version) AS assigned,
                coalesce(json ->> '$.failure', '') AS failure,
                coalesce(try_cast(json ->> '$.shadow' AS BOOLEAN), false) AS shadow
              FROM ({json_lines(files)}) WHERE json ->> '$.model' = $model),
            chosen AS (
              SELECT *, CASE
                  WHEN shadow = $shadow AND assigned = $challenger AND asked BETWEEN $since AND $until THEN {CHALLENGER}
                  WHEN NOT shadow AND assigned = $champion AND asked BETWEEN $champion_since AND $champion_until
                  THEN {CHAMPION} END AS arm
              FROM read)
            SELECT id, asked, arm, version <> assigned OR failure <> '' AS failed, failure,
              json ->> '$.beside' AS beside,
              try_cast(json ->> '$.ms' AS DOUBLE) AS ms, try_cast(json ->> '$.of' AS INTEGER) AS size,
              json ->> '$.prediction' AS prediction, json -> '$.probabilities' AS probabilities, {entity} AS entity
            FROM chosen WHERE arm IS NOT NULL AND id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY id, arm) = 1""",
        {
            "model": signature.model, "challenger": arms.challenger, "champion": arms.champion, "shadow": arms.shadow,
            "since": arms.since, "until": arms.until, "champion_since": arms.champion_since,
            "champion_until": arms.champion_until,
        },
    )  # fmt: skip


def _entity_is_masked(signature: Signature, masked: Sequence[str]) -> bool:
    return bool(set(masked) & set(signature.id_columns) if signature.id_columns else masked)


def _count_requests(engine: Engine, number: int, arm: Arm) -> None:
    arm.rows, arm.requests, arm.failed = engine.execute(
        """SELECT coalesce(sum(rows), 0)::BIGINT, count(*), coalesce(sum(failed), 0)::DOUBLE
           FROM (SELECT count(*) AS rows, avg(failed::INTEGER) AS failed FROM answers WHERE arm = $1 GROUP BY asked)""",
        [number],
    ).fetchone()
    arm.failures = dict(
        engine.execute(
            """SELECT CASE failure WHEN '' THEN 'unknown' ELSE failure END AS name, count(*) FROM answers
               WHERE arm = $1 AND failed GROUP BY name ORDER BY count(*) DESC, name LIMIT 5""",
            [number],
        ).fetchall()
    )


def _latencies(engine: Engine, number: int) -> dict[int, Array]:
    columns = engine.execute(
        """SELECT any_value(ms) AS ms, any_value(size) AS size FROM answers
           WHERE arm = $1 AND NOT failed AND isfinite(ms) AND size > 0 GROUP BY asked ORDER BY ms""",
        [number],
    ).fetchnumpy()
    times, sizes = np.asarray(columns["ms"], dtype=np.float64), np.asarray(columns["size"])
    classes = np.array([size_class(int(size)) for size in sizes], dtype=np.int64)
    return {int(one): times[classes == one] for one in np.unique(classes)}


FIRST_ANSWERS = """SELECT prediction, asked FROM answers WHERE arm = $1 AND NOT failed
    QUALIFY row_number() OVER (PARTITION BY entity ORDER BY asked, id) = 1"""


def _predictions(engine: Engine, number: int, signature: Signature) -> Array:
    if signature.task == "regression":
        columns = engine.execute(
            f"""SELECT value FROM (SELECT try_cast(prediction AS DOUBLE) AS value FROM ({FIRST_ANSWERS}))
                WHERE isfinite(value) ORDER BY value""",
            [number],
        ).fetchnumpy()
        return np.asarray(columns["value"], dtype=np.float64)
    counted = engine.execute(f"SELECT prediction, count(*) FROM ({FIRST_ANSWERS}) GROUP BY ALL", [number]).fetchall()
    return _in_order_of_classes(dict(counted), signature)


def _in_order_of_classes(counts: dict[str, int], signature: Signature) -> Array:
    """Return the counts in the order of the classes; the last one is of classes that the challenger does not know."""
    known = [float(counts.get(name, 0)) for name in signature.classes]
    return np.array([*known, float(sum(counts.values()) - sum(known))])


def _predictions_by_hour(engine: Engine, signature: Signature) -> list[Array]:
    """Return the champion's predictions of each hour with enough entities."""
    value = "try_cast(prediction AS DOUBLE)" if signature.task == "regression" else "prediction"
    listed = engine.execute(
        f"""SELECT list({value}) FROM ({FIRST_ANSWERS}) WHERE {value} IS NOT NULL GROUP BY date_trunc('hour', asked)
            HAVING count(*) >= {MIN_HOUR_ENTITIES} ORDER BY date_trunc('hour', asked)""",
        [CHAMPION],
    ).fetchall()
    if signature.task == "regression":
        return [np.sort(np.array(values, dtype=np.float64)) for (values,) in listed]
    hours = []
    for (values,) in listed:
        names, counts = np.unique(np.array(values, dtype=object).astype(str), return_counts=True)
        hours.append(_in_order_of_classes(dict(zip(names.tolist(), counts.tolist(), strict=True)), signature))
    return hours


def _loss(signature: Signature, answer: str) -> str:
    """Return SQL for the loss of an answer: the quadratic score or the squared error, as `model.losses.row_losses`."""
    if signature.task == "regression":
        return f"(try_cast({answer}.prediction AS DOUBLE) - known.value) ** 2"
    shares = f"try_cast({answer}.probabilities AS MAP(VARCHAR, DOUBLE))"
    squares = f"list_sum(list_transform(map_values({shares}), lambda x: x * x))"
    return f"{squares} - 2 * coalesce(map_extract({shares}, known.class)[1], 0) + 1"


def _losses(engine: Engine, number: int, signature: Signature) -> Array:
    columns = engine.execute(
        f"""SELECT loss FROM (
              SELECT {_loss(signature, "answers")} AS loss, asked, id, entity FROM answers JOIN known USING (id)
              WHERE arm = $1 AND NOT failed
              QUALIFY row_number() OVER (PARTITION BY entity ORDER BY asked, id) = 1)
            WHERE isfinite(loss)""",
        [number],
    ).fetchnumpy()
    return np.asarray(columns["loss"], dtype=np.float64)


def _paired_losses(engine: Engine, signature: Signature) -> Array:
    """Return the losses (n, 2) on the rows that both have answered; outcomes name the answer that clients saw."""
    columns = engine.execute(
        f"""SELECT champion_loss, challenger_loss FROM (
              SELECT {_loss(signature, "seen")} AS champion_loss, {_loss(signature, "beside")} AS challenger_loss
              FROM answers seen JOIN answers beside ON beside.beside = seen.id JOIN known ON known.id = seen.id
              WHERE seen.arm = {CHAMPION} AND beside.arm = {CHALLENGER} AND NOT seen.failed AND NOT beside.failed
              QUALIFY row_number() OVER (PARTITION BY seen.entity ORDER BY seen.asked, seen.id) = 1)
            WHERE isfinite(champion_loss) AND isfinite(challenger_loss)"""
    ).fetchnumpy()
    return np.column_stack([columns["champion_loss"], columns["challenger_loss"]]).astype(np.float64)
