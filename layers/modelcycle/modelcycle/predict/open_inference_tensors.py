"""The tensors of an inference request: each is one column of the rows.

A datatype must be able to hold what its column holds, and the data must be of that datatype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.reading import ColumnType, parsed_number
from modelcycle.model.fields import MAX_QUOTED_CHARACTERS, Field

INTEGERS: dict[str, tuple[int, int]] = {  # the least and the greatest value
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
FLOATS = ("FP16", "FP32", "FP64")
KNOWN_DATATYPES = ("BOOL", "BYTES", *FLOATS, *INTEGERS)
EXACT = ("FP64", "INT32", "INT64", "UINT32", "UINT64")  # hold any date that is written as a number
HELD_BY: dict[ColumnType, tuple[str, ...]] = {
    "number": (*FLOATS, *INTEGERS, "BYTES"),
    "boolean": ("BOOL", *INTEGERS, "BYTES"),
    "datetime": ("BYTES",),
    "text": ("BYTES",),
}
CONTENT: dict[ColumnType, str] = {"number": "numbers", "boolean": "true or false", "datetime": "dates", "text": "texts"}
BINARY_SIZE = "binary_data_size"


class TensorError(ValueError):
    """A tensor of a request is wrong; `pointer` is relative to the tensor."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(pointer, detail)
        self.pointer = pointer
        self.detail = detail


def tensor_name(tensor: Any) -> str:
    """Return the name of a tensor, or raise TensorError."""
    if not isinstance(tensor, dict):
        raise TensorError("", "an object {name, shape, datatype, data} is expected")
    name = tensor.get("name")
    if not isinstance(name, str):
        raise TensorError("/name", "the column's name is expected")
    return name


def column_of(tensor: dict[str, Any], field: Field | None, decode: Callable[[str, int, int], list[Any]]) -> list[Any]:
    """Return the data of a tensor, one JSON value per row.

    Parameters
    ----------
    field : that has the tensor's name; None for a column that the model ignores or does not know
    decode : takes the next binary data: (datatype, rows, bytes) -> values. It raises TensorError

    Raises
    ------
    TensorError : the first thing that is wrong
    """
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in KNOWN_DATATYPES:
        raise TensorError("/datatype", f"one of {', '.join(sorted(KNOWN_DATATYPES))} is expected")
    parameters = parameters_of(tensor)
    if "shared_memory_region" in parameters:
        raise TensorError("/parameters/shared_memory_region", "shared memory is not supported; send the data")
    if BINARY_SIZE in parameters:
        if tensor.get("data") is not None:
            raise TensorError("/data", f"either `data` or the parameter {BINARY_SIZE} is expected, not both")
        size = parameters[BINARY_SIZE]
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise TensorError(f"/parameters/{BINARY_SIZE}", "a number of bytes is expected")
        # taken first: what follows in the body is found only if no tensor before it was left out
        data = decode(datatype, _rows(tensor.get("shape"), None), size)
    else:
        data = _json_data(tensor, datatype)
    if field is not None:
        check_datatype(datatype, field)
        if datatype == "BYTES" and field.type == "number" and not field.format:
            data = [_number(text) for text in data]
    return data


def check_datatype(datatype: str, field: Field) -> None:
    """Raise TensorError if a datatype cannot hold the values of a column."""
    expected = HELD_BY[field.type]
    if field.type == "datetime" and field.format in dates.DIGITS:  # such as 20240131, or seconds since 1970
        expected += EXACT
    if datatype not in expected:
        raise TensorError(
            "/datatype", f"the column holds {CONTENT[field.type]}, which {datatype} cannot: send {', '.join(expected)}"
        )


def parameters_of(holder: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request, a tensor or an output; those that we do not know change nothing."""
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise TensorError("/parameters", "an object is expected")
    return parameters


def _rows(shape: Any, expected: int | None) -> int:
    """Return the number of rows of a shape, or raise TensorError if it is not that of one column."""
    sizes = shape if isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape) else []
    is_column = len(sizes) == 1 or (len(sizes) == 2 and sizes[1] == 1)
    if is_column and (expected is None or sizes[0] == expected):
        return int(sizes[0])
    if expected is None:
        raise TensorError("/shape", "[rows] or [rows, 1] is expected: each column is a tensor of its own")
    raise TensorError("/shape", f"[{expected}] or [{expected}, 1] is expected for {expected} values")


def _json_data(tensor: dict[str, Any], datatype: str) -> list[Any]:
    data = tensor.get("data")
    if not isinstance(data, list):
        detail = "a list is expected"
        if isinstance(data, str):
            detail += f"; for binary data send the parameter {BINARY_SIZE}, and the bytes behind the JSON"
        raise TensorError("/data", detail)
    if data and all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value[0] for value in data]
    _rows(tensor.get("shape"), len(data))
    for row, value in enumerate(data):
        if value is not None and not _has_datatype(value, datatype):
            raise TensorError(f"/data/{row}", f"{_expected(datatype)} is expected, got {_quoted(value)}")
    return data


def _has_datatype(value: Any, datatype: str) -> bool:
    if datatype in FLOATS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if datatype in INTEGERS:
        least, greatest = INTEGERS[datatype]
        return type(value) is int and least <= value <= greatest
    return isinstance(value, bool if datatype == "BOOL" else str)


def _expected(datatype: str) -> str:
    if datatype in INTEGERS:
        least, greatest = INTEGERS[datatype]
        return f"an integer from {least} to {greatest} ({datatype})"
    return {"BOOL": "true or false", "BYTES": "a text (BYTES)"}.get(datatype, "a number")


def _number(text: str | None) -> Any:
    """Return a text as the number that training would read; unchanged if it is none, the model then names it."""
    number = None if text is None else parsed_number(text.strip(), "")
    return text if number is None else number


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[: MAX_QUOTED_CHARACTERS - 3]}..."
