"""In a process with the layers that know ONNX: the copy of the graph, compared with the original on made-up rows.

    python -m cli.mlflow_model.copy FOLDER

FOLDER holds `model.onnx` and `signature.json`; `copy.onnx` and `copy.json` are written.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from cli.mlflow_model.graph import MlflowGraph, mlflow_graph
from modelcycle.faults import Fault, NotExportable
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.fields import Field
from modelcycle.model.scoring import Scorer, predictions
from modelcycle.model.signature import Signature

ROWS = 256  # that are compared
MAX_DIFFERENCE = 1e-5  # of a probability; of a value, relative to the largest
FIRST_DAY, LAST_DAY = -2_208_988_800, 4_102_444_800  # 1900 and 2100, in seconds since 1970


def main(folder: Path) -> None:
    """Write the copy, or the fault that ended it."""
    made: dict[str, Any]
    try:
        signature = Signature.model_validate_json((folder / "signature.json").read_bytes())
        model = (folder / "model.onnx").read_bytes()
        graph = mlflow_graph(signature, model)
        _compare(signature, model, graph)
        (folder / "copy.onnx").write_bytes(graph.onnx)
        made = {
            "inputs": graph.inputs, "outputs": graph.outputs, "python": ".".join(map(str, sys.version_info[:3])),
            "packages": {name: version(name) for name in ("onnx", "onnxruntime", "numpy")},
        }  # fmt: skip
    except Fault as fault:
        made = {"fault": [fault.what, fault.where, fault.remedy]}
    (folder / "copy.json").write_text(json.dumps(made, ensure_ascii=False))


def _compare(signature: Signature, model: bytes, graph: MlflowGraph) -> None:
    """Raise NotExportable if the copy answers made-up rows otherwise than the original."""
    columns = made_up_rows(signature)
    scores = Scorer(signature, model).scores(columns)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.onnx, options, providers=["CPUExecutionProvider"])
    feed = {}
    for one in session.get_inputs():
        values = columns.values[one.name]
        array = values.strings() if isinstance(values, Texts) else values
        feed[one.name] = array.reshape(-1, 1) if len(one.shape) == 2 else array
    answers = session.run(None, feed)
    if signature.task == "regression":
        copied = answers[0].reshape(-1, 1)
        limit = MAX_DIFFERENCE * max(1.0, float(np.abs(scores).max()))
        same = True
    else:
        copied, limit = np.column_stack(answers[1:]), MAX_DIFFERENCE
        same = [*answers[0]] == predictions(copied, signature, columns)
    if not same or not np.allclose(copied, scores, rtol=0, atol=limit, equal_nan=True):
        raise NotExportable(
            f"the copied graph answers {ROWS} made-up rows otherwise than the original", "--mlflow",
            "export the signed files instead, without --mlflow",
        )  # fmt: skip


def made_up_rows(signature: Signature) -> Columns:
    """Return rows of all kinds of values that the columns can have, missing ones included; the same each time."""
    draw = np.random.default_rng(0)
    return Columns({field.name: _made_up(field, draw) for field in signature.fields})


def _made_up(field: Field, draw: np.random.Generator) -> Values:
    missing = draw.random(ROWS) < 0.1
    if field.type == "text":
        texts = [*field.levels, "never seen", "ünï"]
        chosen = draw.integers(len(texts), size=ROWS)
        return Texts.of([None if gone else texts[code] for code, gone in zip(chosen, missing, strict=True)])
    if field.type == "datetime":
        return np.where(missing, np.nan, draw.integers(FIRST_DAY, LAST_DAY, size=ROWS)).astype(np.float64)
    if field.type == "boolean":
        return np.where(missing, np.nan, draw.integers(2, size=ROWS)).astype(np.float32)
    about = float(field.example) if isinstance(field.example, int | float) else 1.0
    values = about * draw.choice([0.0, 0.5, 1.0, 1.5, -1.0, 100.0], size=ROWS) + draw.normal(size=ROWS)
    return np.where(missing, np.nan, values).astype(np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
