"""The ONNX form of scikit-learn's TargetEncoder for several classes, which skl2onnx 1.20 does not have.

Each text column becomes one number per class: `LabelEncoder` (ai.onnx.ml) finds the row of a level, `Gather` reads its
mean targets. A level without training rows reads the last row, the shares of the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def register() -> None:
    """Make skl2onnx convert target encoders of several classes; those of one mean per level as before."""
    from skl2onnx import update_registered_converter
    from skl2onnx.operator_converters.target_encoder import convert_sklearn_target_encoder
    from skl2onnx.shape_calculators.target_encoder import calculate_sklearn_target_encoder_output_shapes
    from sklearn.preprocessing import TargetEncoder

    def shapes(operator: Any) -> None:
        calculate_sklearn_target_encoder_output_shapes(operator)
        operator.outputs[0].type.shape[1] = len(operator.raw_operator.encodings_)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if operator.raw_operator.target_type_ != "multiclass":
            convert_sklearn_target_encoder(scope, operator, container)
        else:
            _convert(scope, operator, container)

    update_registered_converter(TargetEncoder, "SklearnTargetEncoder", shapes, convert, overwrite=True)


def level_table(encoder: Any, column: int) -> npt.NDArray[np.float32]:
    """Return the mean targets of a column: float32 (levels + 1, classes); the last row is that of an unknown level.

    Parameters
    ----------
    encoder : fitted TargetEncoder of several classes; its `encodings_` go by column, then by class
    """
    classes = len(encoder.encodings_) // len(encoder.categories_)
    encodings = encoder.encodings_[column * classes : (column + 1) * classes]
    table = np.column_stack(encodings)
    return np.vstack([table, np.asarray(encoder.target_mean_).reshape(1, -1)]).astype(np.float32)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto

    encoder = operator.raw_operator
    encoded = []
    for number, (levels, column) in enumerate(
        zip(encoder.categories_, _columns(scope, operator, container), strict=True)
    ):
        table = level_table(encoder, number)
        names = {name: scope.get_unique_variable_name(name) for name in ("table", "row", "means", "shape", "flat")}
        container.add_initializer(names["table"], TensorProto.FLOAT, list(table.shape), table.ravel().tolist())
        container.add_node(
            "LabelEncoder", column, names["row"], op_domain="ai.onnx.ml", op_version=2,
            name=scope.get_unique_operator_name("LabelEncoder"),
            keys_strings=np.array([str(level).encode() for level in levels]),
            values_int64s=np.arange(len(levels), dtype=np.int64), default_int64=len(levels),
        )  # fmt: skip
        container.add_node(
            "Gather", [names["table"], names["row"]], names["means"], op_version=13, axis=0,
            name=scope.get_unique_operator_name("Gather"),
        )  # fmt: skip
        container.add_initializer(names["shape"], TensorProto.INT64, [2], [-1, table.shape[1]])
        container.add_node(
            "Reshape", [names["means"], names["shape"]], names["flat"], op_version=14,
            name=scope.get_unique_operator_name("Reshape"),
        )  # fmt: skip
        encoded.append(names["flat"])
    container.add_node(
        "Concat", encoded, operator.output_full_names, op_version=13, axis=1,
        name=scope.get_unique_operator_name("Concat"),
    )  # fmt: skip


def _columns(scope: Any, operator: Any, container: Any) -> list[str]:
    """Return the names of the text columns, each (n, 1); inputs of several columns are taken apart."""
    from onnx import TensorProto

    names: list[str] = []
    for graph_input in operator.inputs:
        width = graph_input.get_second_dimension()
        if width == 1:
            names.append(graph_input.onnx_name)
            continue
        for position in range(width):
            index, column = scope.get_unique_variable_name("index"), scope.get_unique_variable_name("column")
            container.add_initializer(index, TensorProto.INT64, [1], [position])
            container.add_node(
                "Gather", [graph_input.onnx_name, index], column, op_version=13, axis=1,
                name=scope.get_unique_operator_name("Gather"),
            )  # fmt: skip
            names.append(column)
    return names
