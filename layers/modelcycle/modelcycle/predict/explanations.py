"""Explanations of an answer, where the client asks for them: `?explain=true`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadRequest, TooLarge
from modelcycle.model.columns import Columns, shortest_decimal
from modelcycle.model.explain import Explained, ScoreRows, explain, rows_scored
from modelcycle.model.fields import Field
from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.predict.predict import Served

MAX_EXPLAINED_ROWS = 50  # in one request
MAX_EXPLAINED_CELLS = 20_000_000  # values of columns that the graph reads for one request
WORDS = {"true": True, "1": True, "false": False, "0": False}


def explain_is_asked(query: Mapping[str, str] | None) -> bool:
    """Return whether the query of a request asks for explanations.

    Raises
    ------
    BadRequest : the value is neither true nor false

    Examples
    --------
    >>> explain_is_asked({"explain": "true"}), explain_is_asked(None)
    (True, False)
    """
    text = (query or {}).get("explain", "false").lower()
    if text not in WORDS:
        raise BadRequest("the parameter `explain` is neither true nor false", "", "add ?explain=true to the path")
    return WORDS[text]


def max_explained_rows(fields: int) -> int:
    """Return how many rows of this many columns a request with explanations may have.

    >>> [max_explained_rows(fields) for fields in (14, 100, 300, 1000)]
    [50, 50, 13, 1]
    """
    cells = rows_scored(fields) * max(1, fields)
    return max(1, min(MAX_EXPLAINED_ROWS, MAX_EXPLAINED_CELLS // cells))


def check_rows_to_explain(request: Any, fields: int) -> None:
    """Refuse a request with more rows than can be explained, before any is scored.

    Parameters
    ----------
    request : parsed JSON
    fields : columns that the model reads

    Raises
    ------
    TooLarge
    """
    instances = request.get("instances") if isinstance(request, dict) else None
    rows = len(instances) if isinstance(instances, list) else 0
    limit = max_explained_rows(fields)
    if rows > limit:
        raise TooLarge(
            f"the request has {rows:,} rows; with explanations the limit for this model is {limit}", "/instances",
            "send fewer rows, or ask without `explain`",
        )  # fmt: skip


def explanations(answer: Served) -> list[dict[str, Any] | None]:
    """Return why each row got its answer, by the version that answered it.

    Returns
    -------
    one object for each row: `of`, the class whose probability is explained, or None for a value; `score` and
    `reference`, its score and that of the reference row; `columns`, the contribution of each column, the largest first.
    None where the graph gives no finite score to a mixture of the row and the reference.
    """
    return [
        _explanation(answer.loaded[version], instance, prediction)
        for version, instance, prediction in zip(answer.versions, answer.instances, answer.predictions, strict=True)
    ]


def reference_row(fields: list[Field]) -> dict[str, Any]:
    """Return the row that explanations compare with: the median of each number or date, the most frequent text.

    These are the examples of the signature. A text column without a text that ten training rows share has none.

    >>> reference_row([Field(name="age", type="number", example=37.0), Field(name="id", type="text", example="text")])
    {'age': 37.0, 'id': None}
    """
    return {
        field.name: None if field.type == "text" and field.example not in field.levels else field.example
        for field in fields
    }


def _explanation(version: LoadedVersion, instance: dict[str, Any], prediction: str | float) -> dict[str, Any] | None:
    signature = version.signature
    code = signature.classes.index(str(prediction)) if signature.classes else 0

    def score(columns: Columns) -> npt.NDArray[np.float64]:
        return version.scorer.scores(columns)[:, code].astype(np.float64)

    explained = _explained(version, instance, score)
    if not np.isfinite([explained.score, explained.reference, *explained.contributions.values()]).all():
        return None
    return {
        "of": prediction if signature.classes else None,
        "score": _decimal(explained.score),
        "reference": _decimal(explained.reference),
        "columns": {name: _decimal(value) for name, value in explained.contributions.items()},
        "method": "shapley" if explained.exact else "shapley, sampled",
    }


def _explained(version: LoadedVersion, instance: dict[str, Any], score: ScoreRows) -> Explained:
    fields = version.signature.fields
    columns, _ = version.reader.read([instance, reference_row(fields)])
    row, reference = (columns.take(np.array([number])) for number in (0, 1))
    names = {name for graph_input in version.signature.inputs for name in graph_input.columns}
    return explain(
        {field.name: row.values[field.name] for field in fields if field.name in names},
        {field.name: reference.values[field.name] for field in fields if field.name in names},
        score,
    )


def _decimal(value: float) -> float:
    return shortest_decimal(np.float32(value)) + 0.0  # no -0.0
