"""A fitted model as data: ONNX for serving, skops for opening it in scikit-learn again. Never pickle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import NotExportable, Tampered
from modelcycle.model import target_encoder_onnx
from modelcycle.model.signature import Signature

OPSET = 18  # of ai.onnx; onnxruntime reads it since 1.14
OPSET_ML = 3  # of ai.onnx.ml
PACKAGES = ("numpy", "onnx", "pandas", "scikit-learn", "scipy", "skl2onnx", "skops")
# what skl2onnx 1.20 cannot convert, by measurement, and what replaces it
REPLACEMENTS = {
    "SimpleImputer": "SimpleImputer without add_indicator",
    "SplineTransformer": "KBinsDiscretizer",
    "VotingClassifier": "one of its members",
    "HistGradientBoostingClassifier": "protobuf older than 7 beside skl2onnx, or random_forest",
    "HistGradientBoostingRegressor": "protobuf older than 7 beside skl2onnx, or random_forest",
}
# beyond what skops trusts by default: containers of arrays, which run no code when loaded
TRUSTED_TYPES = frozenset(
    {
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.tree._tree.Tree",
    }
)


def to_onnx(model: Any, signature: Signature) -> bytes:
    """Return a fitted model as an ONNX graph; equal models give equal bytes.

    The graph's inputs are `signature.inputs`, each (n, 1). Its only output is `probabilities`, float32 (n, classes), or
    `value`, float32 (n, 1).

    Parameters
    ----------
    model : of `pipeline.build`, fitted; thresholds of histogram trees are rounded in place, see `_round_thresholds`
    signature : of the model

    Raises
    ------
    NotExportable : names the step that has no ONNX converter, and its replacement
    """
    import onnx
    from skl2onnx import convert_sklearn

    pipeline, transformer = getattr(model, "regressor_", model), getattr(model, "transformer_", None)
    _round_thresholds(pipeline[-1])
    target_encoder_onnx.register()
    options = {id(pipeline): {"zipmap": False}} if transformer is None else None
    try:
        graph_model = convert_sklearn(
            pipeline, "modelcycle", _input_types(signature), options=options,
            target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
        )  # fmt: skip
    except Exception as error:
        raise _not_exportable(pipeline, error) from error
    graph = graph_model.graph
    if transformer is None:
        _output_probabilities(graph, pipeline.classes_.astype(int), len(signature.classes))
    else:
        _output_value(graph, float(transformer.mean_[0]), float(transformer.scale_[0]))
    _drop_unused_nodes(graph)
    # skl2onnx takes them from a set, whose order changes from process to process
    imports = sorted(graph_model.opset_import, key=lambda entry: entry.domain)
    del graph_model.opset_import[:]
    graph_model.opset_import.extend(imports)
    properties = {
        "opset": str(OPSET),
        "packages": json.dumps(package_versions(), sort_keys=True),
        "task": signature.task,
    }
    onnx.helper.set_model_props(graph_model, properties)
    body: bytes = graph_model.SerializeToString(deterministic=True)
    return body


def to_skops(model: Any) -> bytes:
    """Return a model as a skops file. Its bytes differ from call to call (memory ids, zip dates)."""
    import skops.io

    body: bytes = skops.io.dumps(model)
    return body


def from_skops(body: bytes) -> Any:
    """Load the model of a skops file, after a check of all types in it.

    Raises
    ------
    Tampered : the file contains a type that no model of this package has; nothing was loaded
    """
    import skops.io

    untrusted = sorted(set(skops.io.get_untrusted_types(data=body)) - TRUSTED_TYPES)
    if untrusted:
        raise Tampered(
            f"the skops file contains untrusted types: {', '.join(untrusted[:3])}", "skops",
            "use the model of another version",
        )  # fmt: skip
    return skops.io.loads(body, trusted=sorted(TRUSTED_TYPES))


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that make a model."""
    from importlib.metadata import version

    return {name: version(name) for name in PACKAGES}


def _input_types(signature: Signature) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    types = {"number": FloatTensorType, "text": StringTensorType}
    return [(graph_input.name, types[graph_input.kind]([None, 1])) for graph_input in signature.inputs]


def _round_thresholds(estimator: Any) -> None:
    """Round the thresholds of histogram trees down to float32, in place.

    They lie midway between two float32 neighbours. Rounded to nearest, as the converter does, one may become the
    upper neighbour and send its rows to the other branch. Rounded down, it splits float32 numbers as before.
    """
    for iteration in getattr(estimator, "_predictors", []):
        for tree in iteration:
            exact = tree.nodes["num_threshold"]
            rounded = exact.astype(np.float32)
            above = rounded > exact
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            tree.nodes["num_threshold"] = rounded


def _output_probabilities(graph: Any, trained_codes: npt.NDArray[np.int64], n_classes: int) -> None:
    """Make the probabilities of all classes the only output; 0 for a class without training rows.

    Parameters
    ----------
    graph : of a classifier, whose outputs are label and probabilities; changed in place
    trained_codes : codes of the classes with training rows
    """
    from onnx import TensorProto, helper, numpy_helper

    source = _remove_outputs(graph, graph.output[1].name)
    if len(trained_codes) == n_classes:
        graph.node.append(helper.make_node("Identity", [source], ["probabilities"], name="probabilities"))
    else:
        positions = np.zeros((len(trained_codes), n_classes), dtype=np.float32)
        positions[np.arange(len(trained_codes)), trained_codes] = 1
        graph.initializer.append(numpy_helper.from_array(positions, "places"))
        graph.node.append(helper.make_node("MatMul", [source, "places"], ["probabilities"], name="probabilities"))
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, n_classes]))


def _output_value(graph: Any, mean: float, scale: float) -> None:
    """Make the value in the target's unit the only output.

    Parameters
    ----------
    graph : of a regressor of the standardised target; changed in place
    mean, scale : of the target, in its unit
    """
    from onnx import TensorProto, helper, numpy_helper

    source = _remove_outputs(graph, graph.output[0].name)
    for name, number in (("target_scale", scale), ("target_mean", mean)):
        graph.initializer.append(numpy_helper.from_array(np.array(number, dtype=np.float64), name))
    # in double precision, as in scikit-learn
    graph.node.extend(
        [
            helper.make_node("Cast", [source], ["standardised"], to=TensorProto.DOUBLE, name="to_double"),
            helper.make_node("Mul", ["standardised", "target_scale"], ["scaled"], name="scale"),
            helper.make_node("Add", ["scaled", "target_mean"], ["exact"], name="shift"),
            helper.make_node("Cast", ["exact"], ["value"], to=TensorProto.FLOAT, name="to_float"),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1]))


def _remove_outputs(graph: Any, output: str) -> str:
    """Remove all outputs; return the new name of the tensor `output`, whose old name may be one of ours."""
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == output:
                    names[position] = "converted"
    del graph.output[:]
    return "converted"


def _drop_unused_nodes(graph: Any) -> None:
    """Drop the nodes that lead only to the predicted label, which serving derives from the probabilities."""
    needed = {output.name for output in graph.output}
    used_nodes = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            used_nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(used_nodes))


def _not_exportable(pipeline: Any, error: Exception) -> NotExportable:
    """Return the fault for the step whose class the converter's error names, or else for the estimator."""
    names = [type(step).__name__ for step in _steps(pipeline)]
    failed = next((name for name in names if name in str(error)), names[-1])
    replacement = REPLACEMENTS.get(failed, "another algorithm in training.algorithms")
    return NotExportable(
        f"{failed} cannot be exported to ONNX: {type(error).__name__}", failed, f"use {replacement} instead"
    )


def _steps(model: Any) -> list[Any]:
    """Return the transformers and the estimator of a pipeline, flattened."""
    nested = getattr(model, "steps", None) or getattr(model, "transformers_", None)
    if nested is None:
        return [model]
    return [step for entry in nested for step in _steps(entry[1])]
