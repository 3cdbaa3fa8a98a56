"""A fitted model as data: ONNX to serve, skops to open again in scikit-learn. Never pickle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from modelcycle.faults import NotExportable, Tampered
from modelcycle.model.signature import Signature

OPSET = 18  # of ai.onnx; what onnxruntime has read since 1.14
OPSET_ML = 3  # of ai.onnx.ml
PACKAGES = ("numpy", "onnx", "pandas", "scikit-learn", "scipy", "skl2onnx", "skops")
# measured with skl2onnx 1.20: what has no ONNX form, and what to take in its place
REPLACEMENTS = {
    "TargetEncoder": "OrdinalEncoder, then OneHotEncoder",
    "SimpleImputer": "SimpleImputer without add_indicator",
    "SplineTransformer": "KBinsDiscretizer",
    "VotingClassifier": "one of its members",
    "HistGradientBoostingClassifier": "protobuf older than 7 beside skl2onnx, or random_forest",
    "HistGradientBoostingRegressor": "protobuf older than 7 beside skl2onnx, or random_forest",
}
# beyond what skops trusts by itself: containers of arrays, which run nothing when they are opened
TRUSTED = frozenset(
    {
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


def to_onnx(model: Any, signature: Signature) -> bytes:
    """The fitted model as an ONNX graph; the same model gives the same bytes.

    Its inputs are `signature.inputs`, each (n, 1); its one output is `probabilities`, float (n, classes), or `value`,
    float (n, 1).

    Raises
    ------
    NotExportable : names the step, and what to take in its place
    """
    import onnx
    from skl2onnx import convert_sklearn

    pipeline, transformer = getattr(model, "regressor_", model), getattr(model, "transformer_", None)
    _round_thresholds(pipeline[-1])
    options = {id(pipeline): {"zipmap": False}} if transformer is None else None
    try:
        graph_model = convert_sklearn(
            pipeline, "modelcycle", _types(signature), options=options,
            target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
        )  # fmt: skip
    except Exception as error:
        raise _not_exportable(pipeline, error) from error
    graph = graph_model.graph
    if transformer is None:
        _only_probabilities(graph, pipeline.classes_.astype(int), len(signature.classes))
    else:
        _back_to_the_target(graph, float(transformer.mean_[0]), float(transformer.scale_[0]))
    _drop_dead_nodes(graph)
    # in a set's order as converted, which changes from process to process
    imports = sorted(graph_model.opset_import, key=lambda entry: entry.domain)
    del graph_model.opset_import[:]
    graph_model.opset_import.extend(imports)
    onnx.helper.set_model_props(
        graph_model, {"opset": str(OPSET), "packages": json.dumps(packages(), sort_keys=True), "task": signature.task}
    )
    body: bytes = graph_model.SerializeToString(deterministic=True)
    return body


def to_skops(model: Any) -> bytes:
    """The model as a skops file. Its bytes differ from one writing to the next (memory ids, zip dates)."""
    import skops.io

    body: bytes = skops.io.dumps(model)
    return body


def from_skops(body: bytes) -> Any:
    """The model in a skops file, once every type in it is known to be harmless.

    Raises
    ------
    Tampered : the file holds a type that no model of ours has; nothing of it was loaded
    """
    import skops.io

    foreign = sorted(set(skops.io.get_untrusted_types(data=body)) - TRUSTED)
    if foreign:
        raise Tampered(f"the skops file holds {', '.join(foreign[:3])}", "skops", "take the model of another version")
    return skops.io.loads(body, trusted=sorted(TRUSTED))


def packages() -> dict[str, str]:
    """Versions of the packages that make a model."""
    from importlib.metadata import version

    return {name: version(name) for name in PACKAGES}


def _types(signature: Signature) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {"number": FloatTensorType, "text": StringTensorType}
    return [(graph_input.name, kinds[graph_input.kind]([None, 1])) for graph_input in signature.inputs]


def _round_thresholds(estimator: Any) -> None:
    """Bring thresholds of histogram trees down to float32.

    They lie half-way between two float32 neighbours; rounded to the nearest, as the converter does, one may land on
    the upper of the two and send its rows the other way. Rounded down it divides float32 numbers as before.
    """
    for iteration in getattr(estimator, "_predictors", []):
        for tree in iteration:
            exact = tree.nodes["num_threshold"]
            rounded = exact.astype(np.float32)
            above = rounded > exact
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            tree.nodes["num_threshold"] = rounded


def _only_probabilities(graph: Any, seen: Any, classes: int) -> None:
    from onnx import TensorProto, helper, numpy_helper

    source = _freed(graph, graph.output[1].name)
    if len(seen) == classes:
        graph.node.append(helper.make_node("Identity", [source], ["probabilities"], name="probabilities"))
    else:  # a class that no training row had: a column of zeros
        place = np.zeros((len(seen), classes), dtype=np.float32)
        place[np.arange(len(seen)), seen] = 1
        graph.initializer.append(numpy_helper.from_array(place, "places"))
        graph.node.append(helper.make_node("MatMul", [source, "places"], ["probabilities"], name="probabilities"))
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, classes]))


def _back_to_the_target(graph: Any, mean: float, scale: float) -> None:
    from onnx import TensorProto, helper, numpy_helper

    source = _freed(graph, graph.output[0].name)
    for name, number in (("target_scale", scale), ("target_mean", mean)):
        graph.initializer.append(numpy_helper.from_array(np.array(number, dtype=np.float64), name))
    # in double precision, as scikit-learn does it
    graph.node.extend(
        [
            helper.make_node("Cast", [source], ["standardised"], to=TensorProto.DOUBLE, name="to_double"),
            helper.make_node("Mul", ["standardised", "target_scale"], ["scaled"], name="scale"),
            helper.make_node("Add", ["scaled", "target_mean"], ["exact"], name="shift"),
            helper.make_node("Cast", ["exact"], ["value"], to=TensorProto.FLOAT, name="to_float"),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1]))


def _freed(graph: Any, output: str) -> str:
    """Take an output's name from it, so that ours may bear it; the graph has no output then."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == output:
                    names[place] = "converted"
    del graph.output[:]
    return "converted"


def _drop_dead_nodes(graph: Any) -> None:
    """What only led to the predicted label, which serving decides itself."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _not_exportable(pipeline: Any, error: Exception) -> NotExportable:
    """The fault, with the step whose class the converter names; else the estimator."""
    names = [type(part).__name__ for part in _parts(pipeline)]
    guilty = next((name for name in names if name in str(error)), names[-1])
    replacement = REPLACEMENTS.get(guilty, "another algorithm in training.algorithms")
    return NotExportable(f"{guilty} has no ONNX form here: {type(error).__name__}", guilty, f"take {replacement}")


def _parts(model: Any) -> list[Any]:
    steps = getattr(model, "steps", None) or getattr(model, "transformers_", None)
    if steps is None:
        return [model]
    return [part for step in steps for part in _parts(step[1])]
