"""The Open Inference Protocol (version 2, REST), which KServe, Triton and MLServer clients speak.

Each column is a tensor of its own, named by the column, of shape [n] or [n, 1]. Required members and datatypes:
github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import json
from typing import Any

from modelcycle.faults import BadRequest
from modelcycle.model.answer import Answer
from modelcycle.model.columns import ColumnType
from modelcycle.model.signature import MAX_REQUEST_ERRORS, Signature
from modelcycle.predict.live import Ready

DATATYPE: dict[ColumnType, str] = {"number": "FP64", "boolean": "BOOL", "datetime": "BYTES", "text": "BYTES"}
KNOWN = {
    "BOOL", "BYTES", "FP16", "FP32", "FP64",
    *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
}  # fmt: skip


def server() -> dict[str, Any]:
    return {"name": "modelcycle", "version": "2", "extensions": []}


def metadata(name: str, ready: Ready) -> dict[str, Any]:
    """What the live model takes and gives."""
    signature = _contract(ready)
    outputs = [{"name": "prediction", "datatype": _prediction(signature), "shape": [-1]}]
    if signature.task != "regression":
        outputs.append({"name": "probabilities", "datatype": "FP32", "shape": [-1, len(signature.classes)]})
    return {
        "name": name,
        "versions": [str(version) for version in sorted(ready.route.weights)],
        "platform": "onnx",
        "inputs": [
            {"name": field.name, "datatype": DATATYPE[field.type], "shape": [-1, 1]} for field in signature.fields
        ],
        "outputs": [*outputs, {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]}],
    }


def request_of(body: Any) -> dict[str, Any]:
    """A request with instances, of one with tensors.

    Raises
    ------
    BadRequest : names each wrong tensor by JSON pointer
    """
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise _refused([("/inputs", "a list of tensors is expected: {name, shape, datatype, data}")])
    errors: list[tuple[str, str]] = []
    columns: dict[str, list[Any]] = {}
    for place, tensor in enumerate(body["inputs"]):
        try:
            name, data = _column(tensor)
        except ValueError as error:
            errors.append((f"/inputs/{place}{error.args[0]}", error.args[1]))
            continue
        if name in columns:
            errors.append((f"/inputs/{place}/name", "the tensor stands twice"))
        columns[name] = data
    lengths = {len(data) for data in columns.values()}
    if not errors and (len(lengths) != 1 or lengths == {0}):
        errors.append(("/inputs", "all tensors need the same number of rows, one at least"))
    if errors:
        raise _refused(errors[:MAX_REQUEST_ERRORS])
    return {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def response(name: str, answer: Answer, request_id: Any) -> dict[str, Any]:
    """The answer as tensors; `probabilities` in the order of its parameter `classes`, a JSON list."""
    signature, rows = answer.contract, len(answer.ids)
    outputs: list[dict[str, Any]] = [_output("prediction", _prediction(signature), [rows], answer.predictions)]
    if signature.task != "regression":
        shares = [(row or {}).get(label) for row in answer.probabilities for label in signature.classes]
        tensor = _output("probabilities", "FP32", [rows, len(signature.classes)], shares)
        outputs.append(tensor | {"parameters": {"classes": json.dumps(signature.classes, ensure_ascii=False)}})
    outputs.append(_output("prediction_id", "BYTES", [rows], answer.ids))
    if len(set(answer.versions)) > 1:
        outputs.append(_output("version", "INT64", [rows], answer.versions))
    told: dict[str, Any] = {"model_name": name, "model_version": str(answer.version), "outputs": outputs}
    return told | ({"id": request_id} if isinstance(request_id, str) else {})


def tensor_errors(fault: BadRequest, body: Any) -> BadRequest:
    """The fault of an instance as the fault of a tensor: /instances/3/age is /inputs/0/data/3."""
    places = {tensor["name"]: place for place, tensor in enumerate(body["inputs"])}
    errors = []
    for error in fault.errors:
        _, _, row, column = (*error["pointer"].split("/", 3), "", "", "")[:4]
        name = column.replace("~1", "/").replace("~0", "~")
        found = f"/inputs/{places[name]}/data/{row}" if name in places else "/inputs"
        detail = error["detail"] if name in places or not name else f"{name}: {error['detail']}"
        if (found, detail) not in errors:
            errors.append((found, detail))
    return _refused(errors) if errors else fault


def _column(tensor: Any) -> tuple[str, list[Any]]:
    """Name and flat data of a tensor. Raises ValueError(pointer, sentence)."""
    if not isinstance(tensor, dict):
        raise ValueError("", "an object {name, shape, datatype, data} is expected")
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    if not isinstance(name, str):
        raise ValueError("/name", "the column's name is expected")
    if not isinstance(tensor.get("datatype"), str) or tensor["datatype"] not in KNOWN:
        raise ValueError("/datatype", f"one of {', '.join(sorted(KNOWN))} is expected")
    if not isinstance(data, list):
        raise ValueError("/data", "a list is expected; binary data are not supported")
    rows = len(data)
    if shape not in ([rows], [rows, 1]):
        raise ValueError("/shape", f"[{rows}] or [{rows}, 1] is expected for {rows} values")
    if all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value[0] for value in data]
    return name, data


def _contract(ready: Ready) -> Signature:
    champion = ready.route.champion
    assert champion is not None  # Live hands out no model without one
    return ready.served[champion].signature


def _prediction(signature: Signature) -> str:
    return "FP32" if signature.task == "regression" else "BYTES"


def _output(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _refused(errors: list[tuple[str, str]]) -> BadRequest:
    place, text = errors[0]
    return BadRequest(
        f"{place}: {text}", place, "GET /v2/models/NAME lists the tensors",
        [{"pointer": pointer, "detail": detail} for pointer, detail in errors],
    )  # fmt: skip
