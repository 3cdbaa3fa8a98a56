"""Scoring: from typed columns to probabilities or values by the ONNX graph, the same code in tests and in serving.

It needs only numpy and onnxruntime.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, shortest_decimal
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.signature import DEFAULT_THRESHOLD, Signature

BATCH_ROWS = 4096  # of one call to the graph; text inputs are Python strings of some 100 bytes each

ScoreArray = npt.NDArray[np.float32]
"""Float32 (n, k): probabilities in the order of the classes, or k = 1 value."""


class Scorer:
    """A loaded ONNX graph. Loading takes some 10 ms, a row 10 to 100 us; threads may share it.

    Parameters
    ----------
    signature : of the model
    onnx : bytes of a graph with inputs `signature.inputs` and the output `probabilities` (n, k) or `value` (n, 1)
    """

    def __init__(self, signature: Signature, onnx: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.signature = signature
        self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self._inputs = {graph_input.name for graph_input in self._session.get_inputs()}
        self._output = "value" if signature.task == "regression" else "probabilities"
        self._width = 1 if signature.task == "regression" else len(signature.classes)

    def scores(self, columns: Columns) -> ScoreArray:
        """Score rows.

        Parameters
        ----------
        columns : n rows with at least the columns that the graph reads

        Returns
        -------
        float32 (n, k) : probabilities in the order of `signature.classes`, or k = 1 value

        Raises
        ------
        KeyError : a column that the graph reads is missing
        """
        if 0 < columns.rows <= BATCH_ROWS:
            scores = self._run(columns)
        else:
            scores = np.empty((columns.rows, self._width), dtype=np.float32)
            for start in range(0, columns.rows, BATCH_ROWS):
                rows = np.arange(start, min(start + BATCH_ROWS, columns.rows))
                scores[rows] = self._run(columns.take(rows))
        if self.signature.task != "regression":
            # a forest adds up the float32 votes of its trees: 1.0000001, and -0.0000001 for the other class
            scores.clip(0, 1, out=scores)
        return scores

    def _run(self, columns: Columns) -> ScoreArray:
        feed = {name: values for name, values in self.signature.encode(columns).items() if name in self._inputs}
        scores: npt.NDArray[Any] = self._session.run([self._output], feed)[0]
        return scores.reshape(columns.rows, self._width).astype(np.float32, copy=False)


def predicted_codes(
    scores: npt.NDArray[Any], threshold: float | npt.NDArray[np.float32] = DEFAULT_THRESHOLD
) -> npt.NDArray[np.int64]:
    """Return the codes (n,) of the predicted classes of probabilities (n, k).

    Of two classes the second is predicted from a probability of `threshold`, one for all rows or one for each (n,); of
    more, the most probable.

    Examples
    --------
    >>> predicted_codes(np.array([[0.5, 0.5], [0.6, 0.4]]))
    array([1, 0])
    """
    if scores.shape[1] == 2:
        return np.asarray(scores[:, 1] >= np.float32(threshold), dtype=np.int64)
    codes: npt.NDArray[np.int64] = scores.argmax(axis=1).astype(np.int64)
    return codes


def predictions(scores: npt.NDArray[Any], signature: Signature, columns: Columns) -> list[str] | list[float]:
    """Return what a client receives for scores (n, k) of rows: n class names, or n values."""
    if signature.task == "regression":
        return [shortest_decimal(value) for value in scores[:, 0]]
    cutoffs = signature.cutoffs(columns.values, len(scores))
    return [signature.classes[code] for code in predicted_codes(scores, cutoffs)]


@dataclass(frozen=True)
class Scores:
    """Scores of the test rows, as `score_candidate` stores them for `validate`.

    Parameters
    ----------
    scores : (n, k)
    groups : by sensitive column, the group (n,) that each row belongs to
    cutoffs : threshold (n,) of each row, where groups have thresholds of their own
    """

    scores: ScoreArray
    groups: dict[str, Texts] = field(default_factory=dict)
    cutoffs: npt.NDArray[np.float32] | None = None

    def to_bytes(self) -> bytes:
        """Return an npz file; equal scores give equal bytes."""
        groups = np.frombuffer(Columns(dict(self.groups)).to_bytes(), dtype=np.uint8)
        of_rows = {} if self.cutoffs is None else {"cutoffs": self.cutoffs}
        return to_npz(scores=self.scores, groups=groups, **of_rows)

    @staticmethod
    def from_bytes(body: bytes) -> Scores:
        """Return the scores in an npz file of `to_bytes`."""
        stored = from_npz(body)
        columns = Columns.from_bytes(stored["groups"].tobytes()).values
        groups = {name: values for name, values in columns.items() if isinstance(values, Texts)}
        return Scores(stored["scores"], groups, stored.get("cutoffs"))
