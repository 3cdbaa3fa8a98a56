"""One ONNX graph for a recipe: the members' graphs side by side, the weighted mean of their outputs, calibration.

The steps, their order and their precision are those of `FittedRecipe.scores`: the members' scores in float32, all else
in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import NotExportable
from modelcycle.messages import Calibration
from modelcycle.model.calibration import class_factors, power
from modelcycle.model.export import OPSET


def combine(
    graphs: list[bytes],
    weights: list[float],
    calibration: Calibration | None,
    present: npt.NDArray[np.bool_],
) -> bytes:
    """Return one graph with the inputs and the output of each; equal graphs give equal bytes.

    Parameters
    ----------
    graphs : of `export.to_onnx`, all with the same inputs and output
    weights : of their scores; the sum is 1
    present : whether each class has training rows (k,); empty for a regression

    Raises
    ------
    NotExportable : the joined graph is not valid
    """
    import onnx
    from onnx import compose, helper

    models = [onnx.load_from_string(graph) for graph in graphs]
    first = models[0]
    (output,) = first.graph.output
    named = [compose.add_prefix(model, f"member{number}_", rename_inputs=False) for number, model in enumerate(models)]
    nodes = [node for model in named for node in model.graph.node]
    constants = [constant for model in named for constant in model.graph.initializer]
    steps = _Steps()
    scores = steps.weighted_sum([model.graph.output[0].name for model in named], weights)
    if calibration is not None:
        scores = steps.calibrated(scores, calibration, present)
    steps.add("Cast", [scores], output.name, to=onnx.TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes + steps.nodes, "modelcycle", list(first.graph.input), [output], constants + steps.constants
    )
    # a converted graph may declare less than it was converted for, and less than the added nodes need
    versions: dict[str, int] = {"": OPSET}
    for model in models:
        for entry in model.opset_import:
            versions[entry.domain] = max(entry.version, versions.get(entry.domain, 0))
    combined = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())],
        ir_version=max(model.ir_version for model in models),
        producer_name=first.producer_name,
        producer_version=first.producer_version,
    )
    helper.set_model_props(combined, {entry.key: entry.value for entry in first.metadata_props})
    try:
        onnx.checker.check_model(combined, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise NotExportable(
            f"the members cannot be joined in one ONNX graph: {type(error).__name__}", "train",
            "leave one of their algorithms out of training.algorithms in the pipeline file",
        ) from error  # fmt: skip
    body: bytes = combined.SerializeToString(deterministic=True)
    return body


class _Steps:
    """Nodes and constants that are added to the members' graphs. No member uses these names: theirs have a prefix."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any, kind: Any = np.float64) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.array(value, dtype=kind), name))
        return name

    def weighted_sum(self, outputs: list[str], weights: list[float]) -> str:
        from onnx import TensorProto

        total = ""
        for number, (output, weight) in enumerate(zip(outputs, weights, strict=True)):
            exact = self.add("Cast", [output], f"exact{number}", to=TensorProto.DOUBLE)
            share = self.add("Mul", [exact, self.constant(f"weight{number}", weight)], f"share{number}")
            total = self.add("Add", [total, share], f"sum{number}") if total else share
        return total

    def calibrated(self, scores: str, calibration: Calibration, present: npt.NDArray[np.bool_]) -> str:
        slope, bound, gradient = power(calibration)
        zero, one = self.constant("zero", 0.0), self.constant("one", 1.0)
        clipped = self.add("Min", [self.add("Max", [scores, zero], "from_zero"), one], "to_one")
        lower = self.constant("bound", bound)
        above = self.add("Pow", [self.add("Max", [clipped, lower], "above"), self.constant("slope", slope)], "power")
        below = self.add("Min", [self.add("Sub", [clipped, lower], "beyond"), zero], "below")
        tangent = self.add("Mul", [below, self.constant("gradient", gradient)], "tangent")
        factors = self.constant("factors", class_factors(calibration, present))
        weighted = self.add("Mul", [self.add("Add", [above, tangent], "powers"), factors], "weighted")
        axis = self.constant("class_axis", [1], np.int64)
        return self.add("Div", [weighted, self.add("ReduceSum", [weighted, axis], "weight", keepdims=1)], "calibrated")
