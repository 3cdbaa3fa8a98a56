"""Captured requests, answered by candidate and champion: how many rows the two answer differently, and which.

A request is read as a rollout would read it: each version gets its own columns; one that the client did not know is
missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadRequest
from modelcycle.json_pointer import unescaped
from modelcycle.model.answer import LoadedVersion
from modelcycle.model.columns import shortest_decimal
from modelcycle.model.scoring import ScoreArray, predictions
from modelcycle.stage.captured_requests import CapturedRequest

NORMAL_QUANTILE = 1.959964  # two-sided, 95 %
# of the standard deviation of the champion's values: a small effect (Cohen 1988, "Statistical power analysis")
VALUE_TOLERANCE = 0.2
MAX_NAMED_COLUMNS = 20
UNREADABLE = "its value cannot be read"


@dataclass(frozen=True)
class Compared:
    """A row that both versions answered.

    Parameters
    ----------
    champion, candidate : their predictions; None if the candidate gives no finite number
    champion_scores, candidate_scores : their probabilities of the classes that either predicts; empty for a regression
    distance : total variation between the two distributions, 0 to 1; for a regression the absolute difference; None as
        `candidate`
    differs : whether the class is another one; for a regression, whether the distance is above VALUE_TOLERANCE; also
        if there is no distance
    """

    prediction_id: str
    champion: str | float
    candidate: str | float | None
    champion_scores: dict[str, float]
    candidate_scores: dict[str, float]
    distance: float | None
    differs: bool


@dataclass
class Replay:
    """What the replay found.

    Parameters
    ----------
    champion : the version that was compared with
    requests : captured requests that were replayed
    rows : that both versions answered, those that differ most first
    old_format : requests that have other columns than the candidate's, and were adapted
    columns : by column name, why a request was adapted or not read, and how often
    masked : columns whose values are not captured
    unread : requests that the candidate cannot read even so
    unread_by_champion : requests that the champion cannot read or score now
    """

    champion: int
    requests: int = 0
    rows: list[Compared] = field(default_factory=list)
    old_format: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    masked: set[str] = field(default_factory=set)
    unread: int = 0
    unread_by_champion: int = 0

    @property
    def disagreements(self) -> int:
        return sum(row.differs for row in self.rows)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the share of rows that are answered differently, 95 %."""
        return wilson(self.disagreements, len(self.rows))


def replay(requests: Sequence[CapturedRequest], champion: LoadedVersion, candidate: LoadedVersion) -> Replay:
    """Answer captured requests by both versions, which read masked values as missing."""
    result = Replay(champion.version, len(requests))
    readable: list[CapturedRequest] = []
    for request in requests:
        instance = request.instance
        result.masked.update(request.masked)
        _note_format(instance, candidate, result)
        by_champion, by_candidate = _error(instance, champion), _error(instance, candidate)
        result.unread_by_champion += by_champion is not None
        result.unread += by_candidate is not None
        for name in by_candidate or []:
            result.columns[f"{name}: {UNREADABLE}"] += 1
        if by_champion is None and by_candidate is None:
            readable.append(request)
    result.columns = Counter(dict(result.columns.most_common(MAX_NAMED_COLUMNS)))
    if readable:
        before, after = (_scores([request.instance for request in readable], one) for one in (champion, candidate))
        # what the champion cannot score is nothing against the candidate
        is_finite: npt.NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(before), axis=1)
        result.unread_by_champion += len(readable) - int(is_finite.sum())
        kept = [request for request, finite in zip(readable, is_finite.tolist(), strict=True) if finite]
        rows = _compared(kept, champion, candidate, before[is_finite], after[is_finite])
        result.rows = sorted(rows, key=_most_different_first)
    return result


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the interval of a share, 95 % (Wilson 1927).

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(3, 200)]
    [0.005, 0.043]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    share, spread = count / of, NORMAL_QUANTILE**2 / of
    middle = (share + spread / 2) / (1 + spread)
    width = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(middle - width, 0.0), min(middle + width, 1.0)


def _most_different_first(row: Compared) -> tuple[bool, float]:
    return not row.differs, -(math.inf if row.distance is None else row.distance)


def _note_format(instance: dict[str, Any], version: LoadedVersion, result: Replay) -> None:
    signature = version.signature
    fields = {field.name for field in signature.fields}
    absent = [f"{name}: not in the request, read as missing" for name in sorted(fields - set(instance))]
    unknown = [
        f"{name}: not read by version {version.version}"
        for name in sorted(set(instance) - fields - set(signature.ignored))
    ]
    result.old_format += bool(absent or unknown)
    result.columns.update([*absent, *unknown])


def _adapted(instance: dict[str, Any], version: LoadedVersion) -> dict[str, Any]:
    """Return the columns that a version reads; those that the request lacks are missing."""
    return {field.name: instance.get(field.name) for field in version.signature.fields}


def _error(instance: dict[str, Any], version: LoadedVersion) -> list[str] | None:
    """Return the columns that a version cannot read; None if it can read all."""
    try:
        version.signature.read([_adapted(instance, version)])
    except BadRequest as fault:
        pointers = [error["pointer"] for error in fault.errors]
        return [unescaped(pointer.split("/")[-1]) for pointer in pointers]
    return None


def _scores(instances: Sequence[dict[str, Any]], version: LoadedVersion) -> ScoreArray:
    """Return the scores of rows; those of a row for which the graph raises an error are NaN."""
    try:
        return version.scorer.scores(version.signature.read([_adapted(instance, version) for instance in instances]))
    except Exception:  # whatever the graph raises, `predict` goes on
        if len(instances) == 1:
            return np.full((1, len(version.signature.classes) or 1), np.nan, dtype=np.float32)
        return np.concatenate([_scores([instance], version) for instance in instances])


def _compared(
    requests: Sequence[CapturedRequest], champion: LoadedVersion, candidate: LoadedVersion,
    champion_scores: ScoreArray, candidate_scores: ScoreArray,
) -> Iterator[Compared]:  # fmt: skip
    instances = [request.instance for request in requests]
    before = _labels(instances, champion_scores, champion)
    after = _labels(instances, candidate_scores, candidate)
    if candidate.signature.task == "regression":
        values = champion_scores[:, 0].astype(np.float64)
        distances = np.abs(candidate_scores[:, 0] - values)
        differ = distances > VALUE_TOLERANCE * (float(np.std(values)) if len(values) else 0.0)
    else:
        distances = _total_variation(champion_scores, champion, candidate_scores, candidate)
        differ = np.array([one != other for one, other in zip(before, after, strict=True)], dtype=bool)
    differ |= ~np.isfinite(distances)  # the candidate gives no number
    for row, request in enumerate(requests):
        answered = bool(np.isfinite(distances[row]))
        yield Compared(
            request.prediction_id, before[row], after[row] if answered else None,
            _of_classes(champion_scores[row], champion, before[row], after[row]),
            _of_classes(candidate_scores[row], candidate, before[row], after[row]),
            float(distances[row]) if answered else None, bool(differ[row]),
        )  # fmt: skip


def _labels(instances: Sequence[dict[str, Any]], scores: ScoreArray, version: LoadedVersion) -> list[str] | list[float]:
    columns, _ = version.reader.read([_adapted(instance, version) for instance in instances])
    return predictions(scores, version.signature, columns)


def _total_variation(
    champion_scores: ScoreArray, champion: LoadedVersion, candidate_scores: ScoreArray, candidate: LoadedVersion
) -> Any:
    """Return the distance of each row's two distributions (n,); an unknown class has probability 0."""
    classes = sorted({*champion.signature.classes, *candidate.signature.classes})
    both = []
    for scores, version in ((champion_scores, champion), (candidate_scores, candidate)):
        spread = np.zeros((len(scores), len(classes)))
        spread[:, [classes.index(name) for name in version.signature.classes]] = scores
        both.append(spread)
    return np.abs(both[0] - both[1]).sum(axis=1) / 2


def _of_classes(scores: ScoreArray, version: LoadedVersion, *named: str | float) -> dict[str, float]:
    classes = version.signature.classes
    found = {str(name): scores[classes.index(str(name))] for name in named if name in classes}
    return {name: shortest_decimal(score) for name, score in found.items() if np.isfinite(score)}
