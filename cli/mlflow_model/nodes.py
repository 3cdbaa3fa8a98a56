"""Builds a graph of ONNX nodes by expressions: each is the name of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

PREFIX = "mlflow/"  # of the tensors that are added; those of the model get another one


class Nodes:
    """Nodes and constants, in the order in which they were made.

    Attributes
    ----------
    nodes, constants : of the graph
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        name = f"{PREFIX}{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, values: Any, dtype: Any) -> str:
        """Add a constant tensor; return its name. `dtype` is str for texts."""
        name = f"{PREFIX}constant{len(self.constants)}"
        if dtype is str:
            texts = [values] if isinstance(values, str) else list(values)
            shape = [] if isinstance(values, str) else [len(texts)]
            values = [str(text).encode() for text in texts]
            tensor = helper.make_tensor(name, onnx.TensorProto.STRING, shape, values)
        else:
            tensor = numpy_helper.from_array(np.array(values, dtype=dtype), name)
        self.constants.append(tensor)
        return name

    def cast(self, tensor: str, kind: int) -> str:
        return self.op("Cast", tensor, to=kind)

    def double(self, value: float) -> str:
        return self.constant(value, np.float64)

    def nan_where_not(self, condition: str, tensor: str) -> str:
        """Return a tensor of doubles with NaN wherever a condition does not hold."""
        return self.op("Where", condition, tensor, self.double(float("nan")))


class Double:
    """A tensor of doubles, for arithmetic."""

    def __init__(self, nodes: Nodes, name: str) -> None:
        self.nodes, self.name = nodes, name

    def _with(self, kind: str, other: Double | float) -> Double:
        right = other.name if isinstance(other, Double) else self.nodes.double(other)
        return Double(self.nodes, self.nodes.op(kind, self.name, right))

    def __add__(self, other: Double | float) -> Double:
        return self._with("Add", other)

    def __sub__(self, other: Double | float) -> Double:
        return self._with("Sub", other)

    def __mul__(self, other: Double | float) -> Double:
        return self._with("Mul", other)

    def __truediv__(self, other: Double | float) -> Double:
        return self._with("Div", other)

    def __floordiv__(self, other: float) -> Double:
        quotient = self / other
        return Double(self.nodes, self.nodes.op("Floor", quotient.name))

    def __mod__(self, other: float) -> Double:
        return self - (self // other) * other

    def at_least(self, limit: float) -> Double:
        """Return 1 where it is at least `limit`, else 0."""
        is_so = self.nodes.op("GreaterOrEqual", self.name, self.nodes.double(limit))
        return Double(self.nodes, self.nodes.cast(is_so, onnx.TensorProto.DOUBLE))

    def apply(self, kind: str) -> Double:
        return Double(self.nodes, self.nodes.op(kind, self.name))
