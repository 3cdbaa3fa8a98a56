"""The graph of a version with the inputs and outputs that MLflow has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from cli.mlflow_model.date_nodes import date_part_nodes
from cli.mlflow_model.nodes import PREFIX, Nodes
from modelcycle.cells.reading import missing_texts_of
from modelcycle.faults import NotExportable
from modelcycle.model.derive import MAX_MAGNITUDE, SECONDS_PER_DAY
from modelcycle.model.fields import Field
from modelcycle.model.plan import Input
from modelcycle.model.signature import Signature

MODEL = "model/"  # prefix of the tensors of the model
LEARNED_DOMAIN = "ai.onnx.ml"
TENSORS = {"text": TensorProto.STRING, "datetime": TensorProto.DOUBLE}  # the others are floats
MLFLOW_TYPES = {"text": "string"}  # the others are doubles
OPERATIONS = {"ratio": "Div", "product": "Mul"}  # the others are differences


class MlflowGraph(NamedTuple):
    """A graph, and the types of its columns in MLflow's signature, by name."""

    onnx: bytes
    inputs: dict[str, str]
    outputs: dict[str, str]


def mlflow_graph(signature: Signature, model: bytes) -> MlflowGraph:
    """Return the copy of a graph that MLflow can use.

    Parameters
    ----------
    model : the graph of the version

    Raises
    ------
    NotExportable : a column has no name
    """
    loaded = compose.add_prefix(onnx.load_from_string(model), MODEL)
    nodes, fields = Nodes(), _fields(signature)
    taken = {field.name: _column(nodes, signature, field, alone=len(fields) == 1) for field in fields}
    kept = {one.name for one in loaded.graph.input}
    for graph_input in signature.inputs:
        target = MODEL + graph_input.name
        if target in kept:
            values = _encoded(nodes, taken, graph_input)
            unsqueezed = nodes.op("Unsqueeze", values, nodes.constant([1], np.int64))
            nodes.nodes.append(helper.make_node("Identity", [unsqueezed], [target], name=f"{PREFIX}{target}"))
    before, count = nodes.nodes, len(nodes.nodes)
    outputs = _outputs(nodes, signature, {field.name for field in fields})
    graph = helper.make_graph(
        [*before[:count], *loaded.graph.node, *nodes.nodes[count:]], signature.model,
        [_info(field.name, TENSORS.get(field.type, TensorProto.FLOAT), alone=len(fields) == 1) for field in fields],
        [_info(name, kind) for name, (_, kind) in outputs.items()],
        initializer=[*loaded.graph.initializer, *nodes.constants],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=_opsets(loaded), ir_version=loaded.ir_version)
    onnx.checker.check_model(made)
    return MlflowGraph(
        made.SerializeToString(deterministic=True),
        {field.name: MLFLOW_TYPES.get(field.type, "double") for field in fields},
        {name: "string" if kind == TensorProto.STRING else "float" for name, (_, kind) in outputs.items()},
    )


def _fields(signature: Signature) -> list[Field]:
    """Return the columns that the graph reads, in the order of the data."""
    read = {name for graph_input in signature.inputs for name in graph_input.columns}
    fields = [field for field in signature.fields if field.name in read]
    if signature.groups is not None:
        raise NotExportable(
            "the version decides by thresholds of groups, which its scorer applies and a graph cannot", "--mlflow",
            "export the signed files instead, without --mlflow",
        )  # fmt: skip
    if any(not field.name or field.name.startswith((MODEL, PREFIX)) for field in fields):
        raise NotExportable(
            "a column has a name that an input of the copied graph cannot have", "--mlflow", "rename the column"
        )
    return fields


def _column(nodes: Nodes, signature: Signature, field: Field, *, alone: bool) -> str:
    """Return a column (n,); texts that mean a missing value are empty, as the model has learned them."""
    name = field.name
    if alone:  # MLflow gives a single input the whole table
        name = nodes.op("Squeeze", name, nodes.constant([1], np.int64))
    if field.type != "text":
        return name
    words = sorted(missing_texts_of(field, signature.missing_values) - {""})
    if not words:
        return name
    is_missing = nodes.op(
        "LabelEncoder", name, domain=LEARNED_DOMAIN, keys_strings=words, values_int64s=[1] * len(words), default_int64=0
    )
    return nodes.op("Where", nodes.cast(is_missing, TensorProto.BOOL), nodes.constant("", str), name)


def _encoded(nodes: Nodes, taken: dict[str, str], graph_input: Input) -> str:
    """Return an input of the graph (n,), as `Signature.encode` computes it."""
    column = taken[graph_input.column]
    if graph_input.operation:
        left, right = (nodes.cast(name, TensorProto.DOUBLE) for name in (column, taken[graph_input.other]))
        value = nodes.op(OPERATIONS.get(graph_input.operation, "Sub"), left, right)
        if graph_input.operation == "days_between":
            value = nodes.op("Div", value, nodes.double(SECONDS_PER_DAY))
        is_small = nodes.op("LessOrEqual", nodes.op("Abs", value), nodes.double(MAX_MAGNITUDE))
        return nodes.cast(nodes.nan_where_not(is_small, value), TensorProto.FLOAT)
    if graph_input.part:
        return date_part_nodes(nodes, column, graph_input.part)
    return column if graph_input.kind == "text" else nodes.cast(column, TensorProto.FLOAT)


def _outputs(nodes: Nodes, signature: Signature, columns: set[str]) -> dict[str, tuple[str, int]]:
    """Add what follows the graph; return the tensor and type of each output, by a name that no column has."""
    if signature.task == "regression":
        value = nodes.op("Reshape", f"{MODEL}value", nodes.constant([-1], np.int64))
        return _named(nodes, {"prediction": (value, TensorProto.FLOAT)}, columns)
    scores = nodes.op(
        "Clip", f"{MODEL}probabilities", nodes.constant(0, np.float32), nodes.constant(1, np.float32)
    )  # fmt: skip
    of_class = [
        nodes.op("Gather", scores, nodes.constant(code, np.int64), axis=1) for code in range(len(signature.classes))
    ]
    if len(signature.classes) == 2:
        is_second = nodes.op("GreaterOrEqual", of_class[1], nodes.constant(signature.threshold, np.float32))
        codes = nodes.cast(is_second, TensorProto.INT64)
    else:
        codes = nodes.op("ArgMax", scores, axis=1, keepdims=0)
    predicted = nodes.op("Gather", nodes.constant(signature.classes, str), codes)
    found = {"prediction": (predicted, int(TensorProto.STRING))}
    for name, tensor in zip(signature.classes, of_class, strict=True):
        found[f"probability of {name}"] = (tensor, int(TensorProto.FLOAT))
    return _named(nodes, found, columns)


def _named(nodes: Nodes, found: dict[str, tuple[str, int]], columns: set[str]) -> dict[str, tuple[str, int]]:
    named = {}
    for wanted, (tensor, kind) in found.items():
        name = wanted
        while name in columns or name in named:
            name += "_"
        nodes.nodes.append(helper.make_node("Identity", [tensor], [name], name=f"{PREFIX}{tensor}/output"))
        named[name] = (name, kind)
    return named


def _info(name: str, kind: int, *, alone: bool = False) -> Any:
    return helper.make_tensor_value_info(name, kind, [None, 1] if alone else [None])


def _opsets(model: Any) -> list[Any]:
    versions = {one.domain: one.version for one in model.opset_import}
    versions.setdefault(LEARNED_DOMAIN, 2)
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]
