"""Scoring: from typed columns to probabilities or values, by the ONNX graph. The one path of tests and serving.

Only numpy and onnxruntime are needed. `decide` turns scores into what a client reads; training's labels never do.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts
from modelcycle.model.signature import Signature

BATCH = 4096  # rows of one call to the graph; text inputs are Python strings, some 100 bytes each
THRESHOLD = 0.5  # probability of the positive class from which a binary model says it

Scored = npt.NDArray[np.float32]


class Scorer:
    """A loaded graph. Loading takes some 10 ms, a row some 10 to 100 us; it may be used from several threads.

    Parameters
    ----------
    onnx : bytes of a graph with inputs `Signature.inputs` and the output `probabilities` (n, k) or `value` (n, 1)
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

    def scores(self, columns: Columns) -> Scored:
        """Float32 (n, k): probabilities in the order of `signature.classes`, or k = 1 value.

        Raises
        ------
        KeyError : the columns lack one that the graph reads
        """
        width = 1 if self.signature.task == "regression" else len(self.signature.classes)
        scored = np.empty((columns.rows, width), dtype=np.float32)
        for start in range(0, columns.rows, BATCH):
            rows = np.arange(start, min(start + BATCH, columns.rows))
            encoded = self.signature.encode(columns.take(rows))
            feed = {name: values for name, values in encoded.items() if name in self._inputs}
            scored[rows] = self._session.run([self._output], feed)[0].reshape(len(rows), width)
        return scored


def chosen(scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Codes (n,) of the classes that probabilities (n, k) stand for; two classes are decided at `THRESHOLD`."""
    if scores.shape[1] == 2:
        return np.asarray(scores[:, 1] >= THRESHOLD, dtype=np.int64)
    codes: npt.NDArray[np.int64] = scores.argmax(axis=1).astype(np.int64)
    return codes


def decide(scores: npt.NDArray[Any], signature: Signature) -> list[str] | list[float]:
    """What a client reads of scores (n, k): class names, or values."""
    if signature.task == "regression":
        return [shortest(value) for value in scores[:, 0]]
    return [signature.classes[code] for code in chosen(scores)]


def shortest(value: np.float32) -> float:
    """A float32 as the shortest decimal that reads back to it, 0.1 and not 0.10000000149011612."""
    return float(str(value))


@dataclass(frozen=True)
class Scores:
    """Scores (n, k) of the test rows, and for each sensitive column the group that each row belongs to."""

    scores: Scored
    groups: dict[str, Texts] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As npz; the same scores give the same bytes."""
        file = io.BytesIO()
        groups = np.frombuffer(Columns(dict(self.groups)).to_bytes(), dtype=np.uint8)
        np.savez_compressed(file, scores=self.scores, groups=groups)
        return file.getvalue()

    @staticmethod
    def from_bytes(body: bytes) -> Scores:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            groups = Columns.from_bytes(stored["groups"].tobytes()).values
            return Scores(stored["scores"], {name: g for name, g in groups.items() if isinstance(g, Texts)})
