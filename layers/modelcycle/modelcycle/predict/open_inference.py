"""The Open Inference Protocol (version 2, REST), which KServe, Triton and MLServer clients speak.

Each column is a tensor, named by the column, of shape [n] or [n, 1]. Required members and datatypes:
github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import json
from typing import Any

from modelcycle.cells.reading import ColumnType
from modelcycle.faults import BadRequest
from modelcycle.model.answer import Answer
from modelcycle.model.request_columns import MAX_REQUEST_ERRORS
from modelcycle.model.signature import Signature
from modelcycle.predict.live_models import LiveModel

DATATYPES: dict[ColumnType, str] = {"number": "FP64", "boolean": "BOOL", "datetime": "BYTES", "text": "BYTES"}
KNOWN_DATATYPES = {
    "BOOL", "BYTES", "FP16", "FP32", "FP64",
    *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
}  # fmt: skip


class TensorError(ValueError):
    """A tensor of a request is wrong; `pointer` is relative to the tensor."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(pointer, detail)
        self.pointer = pointer
        self.detail = detail


def server_metadata() -> dict[str, Any]:
    """Return the response of `GET /v2`."""
    return {"name": "modelcycle", "version": "2", "extensions": []}


def model_metadata(name: str, model: LiveModel) -> dict[str, Any]:
    """Return the response of `GET /v2/models/NAME`: the tensors that the live versions read, and return."""
    signature = model.champion.signature
    outputs = [{"name": "prediction", "datatype": _prediction_datatype(signature), "shape": [-1]}]
    if signature.task != "regression":
        outputs.append({"name": "probabilities", "datatype": "FP32", "shape": [-1, len(signature.classes)]})
    return {
        "name": name,
        "versions": [str(version) for version in sorted(model.live)],
        "platform": "onnx",
        "inputs": [
            {"name": field.name, "datatype": DATATYPES[field.type], "shape": [-1, 1]}
            | ({"parameters": {"optional": True}} if field.name in model.columns.optional else {})
            for field in model.columns.fields
        ],
        "outputs": [*outputs, {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]}],
    }


def request_from_tensors(body: Any) -> dict[str, Any]:
    """Convert an inference request into a request with instances.

    Parameters
    ----------
    body : parsed JSON: {"inputs": [{name, shape, datatype, data}, ...]}

    Raises
    ------
    BadRequest : names each wrong tensor by JSON pointer

    Examples
    --------
    >>> tensor = {"name": "age", "shape": [2], "datatype": "FP64", "data": [41, 25]}
    >>> request_from_tensors({"inputs": [tensor]})
    {'instances': [{'age': 41}, {'age': 25}]}
    """
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise _bad_request([("/inputs", "a list of tensors is expected: {name, shape, datatype, data}")])
    errors: list[tuple[str, str]] = []
    columns: dict[str, list[Any]] = {}
    for position, tensor in enumerate(body["inputs"]):
        try:
            name, data = _column(tensor)
        except TensorError as error:
            errors.append((f"/inputs/{position}{error.pointer}", error.detail))
            continue
        if name in columns:
            errors.append((f"/inputs/{position}/name", "the tensor is duplicated"))
        columns[name] = data
    lengths = {len(data) for data in columns.values()}
    if not errors and (len(lengths) != 1 or lengths == {0}):
        errors.append(("/inputs", "all tensors must have the same number of rows, at least one"))
    if errors:
        raise _bad_request(errors[:MAX_REQUEST_ERRORS])
    return {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def infer_response(name: str, answer: Answer, request_id: Any) -> dict[str, Any]:
    """Return an answer as tensors.

    The parameter `classes` of `probabilities` is a JSON list that names its columns. The tensor `version` is present
    only if several versions answered.
    """
    signature, rows = answer.contract, len(answer.ids)
    outputs: list[dict[str, Any]] = [_tensor("prediction", _prediction_datatype(signature), [rows], answer.predictions)]
    if signature.task != "regression":
        probabilities = [(row or {}).get(label) for row in answer.probabilities for label in signature.classes]
        tensor = _tensor("probabilities", "FP32", [rows, len(signature.classes)], probabilities)
        outputs.append(tensor | {"parameters": {"classes": json.dumps(signature.classes, ensure_ascii=False)}})
    outputs.append(_tensor("prediction_id", "BYTES", [rows], answer.ids))
    if len(set(answer.versions)) > 1:
        outputs.append(_tensor("version", "INT64", [rows], answer.versions))
    response: dict[str, Any] = {"model_name": name, "model_version": str(answer.version), "outputs": outputs}
    return response | ({"id": request_id} if isinstance(request_id, str) else {})


def tensor_fault(fault: BadRequest, body: Any) -> BadRequest:
    """Translate the pointers of a fault from instances to tensors: /instances/3/age becomes /inputs/0/data/3."""
    positions = {tensor["name"]: position for position, tensor in enumerate(body["inputs"])}
    errors: list[tuple[str, str]] = []
    for error in fault.errors:
        _, _, row, escaped, *_ = (*error["pointer"].split("/", 3), "", "", "")
        column = escaped.replace("~1", "/").replace("~0", "~")
        if column in positions:
            translated = f"/inputs/{positions[column]}/data/{row}", error["detail"]
        else:
            translated = "/inputs", f"{column}: {error['detail']}" if column else error["detail"]
        if translated not in errors:
            errors.append(translated)
    return _bad_request(errors) if errors else fault


def _column(tensor: Any) -> tuple[str, list[Any]]:
    """Return the name of a tensor and its data, one value per row; raise TensorError."""
    if not isinstance(tensor, dict):
        raise TensorError("", "an object {name, shape, datatype, data} is expected")
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    if not isinstance(name, str):
        raise TensorError("/name", "the column's name is expected")
    if not isinstance(tensor.get("datatype"), str) or tensor["datatype"] not in KNOWN_DATATYPES:
        raise TensorError("/datatype", f"one of {', '.join(sorted(KNOWN_DATATYPES))} is expected")
    if not isinstance(data, list):
        raise TensorError("/data", "a list is expected; binary data are not supported")
    rows = len(data)
    if shape not in ([rows], [rows, 1]):
        raise TensorError("/shape", f"[{rows}] or [{rows}, 1] is expected for {rows} values")
    if all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value[0] for value in data]
    return name, data


def _prediction_datatype(signature: Signature) -> str:
    return "FP32" if signature.task == "regression" else "BYTES"


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _bad_request(errors: list[tuple[str, str]]) -> BadRequest:
    return BadRequest.at(errors, "GET /v2/models/NAME lists the tensors")
