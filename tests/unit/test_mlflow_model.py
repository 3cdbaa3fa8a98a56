"""The graph that is copied for MLflow answers as `predict` does, whatever the columns are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from cli.mlflow_model import copy
from cli.mlflow_model.date_nodes import date_part_nodes
from cli.mlflow_model.graph import MlflowGraph, mlflow_graph
from cli.mlflow_model.nodes import Nodes
from modelcycle.faults import NotExportable
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.date_parts import PARTS, date_part
from modelcycle.model.fields import Field
from modelcycle.model.plan import Input
from modelcycle.model.scoring import Scorer, predictions
from modelcycle.model.signature import Signature
from tests.trained import train

DAY = 86_400


def run(graph: MlflowGraph, feed: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs by name, for columns as MLflow hands them over."""
    session = onnxruntime.InferenceSession(graph.onnx, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    if len(names) == 1:  # MLflow: `data.values`
        feed = {name: np.asarray(values).reshape(-1, 1) for name, values in feed.items()}
    return dict(zip(graph.outputs, session.run(None, {name: feed[name] for name in names}), strict=True))


def fed(columns: Columns) -> dict[str, Any]:
    return {
        name: values.strings() if isinstance(values, Texts) else values for name, values in columns.values.items()
    }  # fmt: skip


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_each_kind_of_model_answers_as_the_original(task: Any) -> None:
    trained = train(task)
    graph = mlflow_graph(trained.signature, trained.onnx)
    for rows in (trained.test, trained.probes, copy.made_up_rows(trained.signature)):
        scores = Scorer(trained.signature, trained.onnx).scores(rows)
        answers = run(graph, fed(rows))
        assert all(values.shape == (rows.rows,) for values in answers.values())
        if task == "regression":
            np.testing.assert_allclose(answers["prediction"], scores[:, 0], rtol=1e-6)
            continue
        assert [*answers["prediction"]] == predictions(scores, trained.signature, rows)
        for code, name in enumerate(trained.signature.classes):
            np.testing.assert_allclose(answers[f"probability of {name}"], scores[:, code], atol=1e-6)


def test_words_for_a_missing_value_are_missing() -> None:
    trained = train("binary")
    graph = mlflow_graph(trained.signature, trained.onnx)
    text = next(field.name for field in trained.signature.fields if field.type == "text")
    feed = fed(trained.test.take(np.zeros(2, dtype=int)))
    feed[text] = np.array(["", "?"], dtype=object)
    answers = run(graph, feed)["probability of " + trained.signature.classes[1]]
    assert "?" in trained.signature.missing_values and answers[0] == answers[1]


def test_every_part_of_a_date_is_that_of_predict() -> None:
    draw = np.random.default_rng(1)
    seconds = np.concatenate([
        draw.integers(-8_000_000_000, 8_000_000_000, 4000).astype(np.float64) + 0.25,  # from 1716 to 2223
        np.array([0, -1, DAY - 1, DAY, -DAY, 951_782_400, 951_868_799, 4_107_542_400, 1e10, np.nan]),
    ])  # fmt: skip
    nodes = Nodes()
    parts = {part: date_part_nodes(nodes, "when", part) for part in PARTS}
    graph = helper.make_graph(
        nodes.nodes, "dates", [helper.make_tensor_value_info("when", TensorProto.DOUBLE, [None])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in parts.values()],
        initializer=nodes.constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for (part, _), values in zip(parts.items(), session.run(None, {"when": seconds}), strict=True):
        np.testing.assert_allclose(values, date_part(seconds, part), rtol=1e-6, atol=1e-6, err_msg=part)


def summing_model(inputs: list[Input], fields: list[Field]) -> tuple[Signature, bytes]:
    """Return a regression that adds up its inputs, 0 for a missing one, and its graph."""
    signature = Signature(
        model="m", task="regression", target="y", classes=[], fields=fields, ignored=[], inputs=inputs
    )
    nodes, total = [], "zero"
    for one in inputs:
        nodes += [
            helper.make_node("IsNaN", [one.name], [f"n{one.name}"]),
            helper.make_node("Where", [f"n{one.name}", "zero", one.name], [f"p{one.name}"]),
            helper.make_node("Add", [total, f"p{one.name}"], [f"s{one.name}"]),
        ]
        total = f"s{one.name}"
    nodes.append(helper.make_node("Identity", [total], ["value"]))
    graph = helper.make_graph(
        nodes, "sum", [helper.make_tensor_value_info(one.name, TensorProto.FLOAT, [None, 1]) for one in inputs],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1])],
        initializer=[helper.make_tensor("zero", TensorProto.FLOAT, [1, 1], [0.0])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return signature, model.SerializeToString()


NAMES = ["x0", "value", "prediction", 'a "quote"', "Größe.m²", "s x0"]


def test_columns_may_have_the_names_of_anything_in_the_graph() -> None:
    fields = [Field(name=name, type="number", example=1.0) for name in NAMES]
    inputs = [Input(name=f"x{number}", column=name, kind="number") for number, name in enumerate(NAMES)]
    signature, model = summing_model(inputs, fields)
    graph = mlflow_graph(signature, model)
    feed = {name: np.array([number, np.nan], dtype=np.float32) for number, name in enumerate(NAMES)}
    assert list(graph.inputs) == NAMES and list(graph.outputs) == ["prediction_"]
    assert run(graph, feed)["prediction_"].tolist() == [15.0, 0.0]


def test_features_of_two_columns_are_computed_in_the_copy() -> None:
    fields = [Field(name=name, type="number", example=1.0) for name in ("a", "b")]
    fields += [Field(name=name, type="datetime", example="2024-01-01", format="%Y-%m-%d") for name in ("from", "to")]
    inputs = [
        Input(name="x0", column="a", kind="number", operation="ratio", other="b"),
        Input(name="x1", column="a", kind="number", operation="product", other="b"),
        Input(name="x2", column="a", kind="number", operation="difference", other="b"),
        Input(name="x3", column="to", kind="number", operation="days_between", other="from"),
    ]
    signature, model = summing_model(inputs, fields)
    columns = Columns({
        "a": np.array([6, 1, np.nan, 1e20, 3], dtype=np.float32), "b": np.array([4, 0, 1, 1e20, 3], dtype=np.float32),
        "from": np.array([0, 0, DAY, 0, np.nan]), "to": np.array([DAY, 0, 0, 0, 5.0]),
    })  # fmt: skip
    expected = Scorer(signature, model).scores(columns)[:, 0]
    np.testing.assert_allclose(run(mlflow_graph(signature, model), fed(columns))["prediction"], expected)


def test_a_single_column_comes_as_a_table_of_one() -> None:
    signature, model = summing_model(
        [Input(name="x0", column="a", kind="number")], [Field(name="a", type="number", example=1.0)]
    )
    graph = mlflow_graph(signature, model)
    assert run(graph, {"a": np.array([3, np.nan], dtype=np.float32)})["prediction"].tolist() == [3.0, 0.0]


def test_a_column_without_a_name_is_refused() -> None:
    signature, model = summing_model(
        [Input(name="x0", column="", kind="number")], [Field(name="", type="number", example=1.0)]
    )
    with pytest.raises(NotExportable, match="a column has a name"):
        mlflow_graph(signature, model)


def test_a_copy_that_answers_otherwise_is_not_written() -> None:
    trained = train("binary")
    other = train("binary", seed=50)
    graph = mlflow_graph(other.signature, other.onnx)
    with pytest.raises(NotExportable, match="otherwise than the original"):
        copy._compare(trained.signature, trained.onnx, graph)
