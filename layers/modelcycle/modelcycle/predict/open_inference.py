"""The Open Inference Protocol (version 2, REST), which KServe, Triton and MLServer clients speak.

Each column is a tensor, named by the column, of shape [n] or [n, 1]. Required members and datatypes:
github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelcycle.cells.reading import ColumnType
from modelcycle.faults import BadRequest, TooLarge
from modelcycle.json_pointer import unescaped
from modelcycle.model.answer import Answer
from modelcycle.model.fields import Field
from modelcycle.model.request import MAX_REQUEST_ERRORS
from modelcycle.model.signature import Signature
from modelcycle.predict.live_models import LiveModel
from modelcycle.predict.open_inference_tensors import BINARY_SIZE, TensorError, column_of, parameters_of, tensor_name

if TYPE_CHECKING:  # loaded only for requests that have binary tensors
    from modelcycle.predict.open_inference_binary import BinaryData

DATATYPES: dict[ColumnType, str] = {"number": "FP64", "boolean": "BOOL", "datetime": "BYTES", "text": "BYTES"}
EXTENSIONS = ["binary_tensor_data"]
STATEFUL = ("sequence_id", "sequence_start", "sequence_end")  # parameters of models that remember earlier requests


@dataclass(frozen=True)
class InferRequest:
    """An inference request, checked.

    Parameters
    ----------
    rows : the request as `model.request.parse_request` would give it: {"instances": [...]}
    request_id : of the client, returned with the answer
    outputs : by name, whether its data shall be binary; empty for all outputs
    binary : whether all outputs that are not named shall be binary
    """

    rows: dict[str, Any]
    request_id: str | None
    outputs: dict[str, bool]
    binary: bool


def server_metadata() -> dict[str, Any]:
    """Return the response of `GET /v2`."""
    return {"name": "modelcycle", "version": "2", "extensions": EXTENSIONS}


def model_metadata(name: str, model: LiveModel) -> dict[str, Any]:
    """Return the response of `GET /v2/models/NAME`: the tensors that the route's versions read, and return.

    `versions` are those that a path may name: live ones, the previous one, the shadow.
    """
    signature = model.champion.signature
    outputs = [{"name": "prediction", "datatype": _prediction_datatype(signature), "shape": [-1]}]
    if signature.task != "regression":
        outputs.append({"name": "probabilities", "datatype": "FP32", "shape": [-1, len(signature.classes)]})
    return {
        "name": name,
        "versions": [str(number) for number in sorted(model.loaded)],
        "platform": "onnx",
        "inputs": [
            {"name": field.name, "datatype": DATATYPES[field.type], "shape": [-1, 1]}
            | ({"parameters": {"optional": True}} if field.name in model.columns.optional else {})
            for field in model.columns.fields
        ],
        "outputs": [
            *outputs,
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
            {"name": "version", "datatype": "INT64", "shape": [-1]},
        ],
    }


def fields_of(model: LiveModel) -> dict[str, Field]:
    """Return the columns that the route's versions read, by name; the champion says what a column is."""
    return {field.name: field for field in model.columns.fields}


def read_request(body: Any, fields: dict[str, Field], binary_data: BinaryData | None = None) -> InferRequest:
    """Read an inference request.

    Parameters
    ----------
    body : parsed JSON: {"inputs": [{name, shape, datatype, data}, ...]}
    fields : by name, see `fields_of`
    binary_data : the bytes behind the JSON, if there are any

    Raises
    ------
    BadRequest : names each wrong tensor by JSON pointer

    Examples
    --------
    >>> tensor = {"name": "age", "shape": [2], "datatype": "FP64", "data": [41, 25]}
    >>> read_request({"inputs": [tensor]}, {}).rows
    {'instances': [{'age': 41}, {'age': 25}]}
    """
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise _bad_request([("/inputs", "a list of tensors is expected: {name, shape, datatype, data}")])
    errors = _head_errors(body)
    columns: dict[str, list[Any]] = {}
    for position, tensor in enumerate(body["inputs"]):
        try:
            name = tensor_name(tensor)
            if name in columns:
                raise TensorError("/name", "the tensor is duplicated")
            columns[name] = column_of(tensor, fields.get(name), binary_data.take if binary_data else _no_binary_data)
        except TensorError as error:
            errors.append((f"/inputs/{position}{error.pointer}", error.detail))
            if binary_data:  # where the next tensor's data begin is unknown now
                break
    lengths = {len(data) for data in columns.values()}
    if not errors and (len(lengths) != 1 or lengths == {0}):
        errors.append(("/inputs", "all tensors must have the same number of rows, at least one"))
    outputs = _requested_outputs(body, errors)
    if errors:
        raise _bad_request(errors[:MAX_REQUEST_ERRORS])
    if binary_data:
        binary_data.check_all_taken()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    binary = parameters_of(body).get("binary_data_output") is True
    return InferRequest({"instances": rows}, body.get("id"), outputs, binary)


def infer_response(
    name: str, answer: Answer, request: InferRequest, allow_binary: bool
) -> tuple[dict[str, Any], bytes]:
    """Return an answer as tensors: the JSON object, and the binary data that follow it.

    The parameter `classes` of `probabilities` is a JSON list that names its columns. The tensor `version` is present
    only if several versions answered, or if the request names it.

    Parameters
    ----------
    allow_binary : whether the client receives bytes as they are

    Raises
    ------
    BadRequest : the request names an output that the model does not have
    """
    signature, rows = answer.contract, len(answer.ids)
    tensors = {"prediction": _tensor("prediction", _prediction_datatype(signature), [rows], answer.predictions)}
    if signature.task != "regression":
        classes = _classes(answer)
        values = [(row or {}).get(label, 0.0) for row in answer.probabilities for label in classes]
        tensors["probabilities"] = _tensor("probabilities", "FP32", [rows, len(classes)], values)
        tensors["probabilities"]["parameters"] = {"classes": json.dumps(classes, ensure_ascii=False)}
    tensors["prediction_id"] = _tensor("prediction_id", "BYTES", [rows], answer.ids)
    if len(set(answer.versions)) > 1 or "version" in request.outputs:
        tensors["version"] = _tensor("version", "INT64", [rows], answer.versions)
    asked = request.outputs or dict.fromkeys(tensors, request.binary)
    unknown = [
        (f"/outputs/{position}/name", f"the model has no such output; it has {', '.join(tensors)}")
        for position, output in enumerate(asked)
        if output not in tensors
    ]
    if unknown:
        raise _bad_request(unknown[:MAX_REQUEST_ERRORS])
    binary_data = b""
    for output in asked:
        if asked[output] and allow_binary:
            binary_data += _make_binary(tensors[output])
    response: dict[str, Any] = {"model_name": name, "model_version": str(answer.version)}
    if request.request_id is not None:
        response["id"] = request.request_id
    return response | {"outputs": [tensors[output] for output in asked]}, binary_data


def tensor_fault(fault: BadRequest, body: Any) -> BadRequest:
    """Translate the pointers of a fault from instances to tensors: /instances/3/age becomes /inputs/0/data/3."""
    if isinstance(fault, TooLarge):  # too many rows
        return TooLarge(fault.what, "/inputs", fault.remedy)
    positions = {tensor["name"]: position for position, tensor in enumerate(body["inputs"])}
    errors: list[tuple[str, str]] = []
    for error in fault.errors:
        _, _, row, escaped, *_ = (*error["pointer"].split("/", 3), "", "", "")
        column = unescaped(escaped)
        if column in positions:
            translated = f"/inputs/{positions[column]}/data/{row}", error["detail"]
        else:
            translated = "/inputs", f"{column}: {error['detail']}" if column else error["detail"]
        if translated not in errors:
            errors.append(translated)
    return _bad_request(errors) if errors else fault


def _head_errors(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong beside the tensors."""
    errors: list[tuple[str, str]] = []
    if body.get("id") is not None and not isinstance(body["id"], str):
        errors.append(("/id", "a text is expected"))
    try:
        parameters = parameters_of(body)
    except TensorError as error:
        return [*errors, (error.pointer, error.detail)]
    errors += [(f"/parameters/{name}", "the model keeps no state") for name in STATEFUL if parameters.get(name)]
    if not isinstance(parameters.get("binary_data_output", False), bool):
        errors.append(("/parameters/binary_data_output", "true or false is expected"))
    return errors


def _requested_outputs(body: dict[str, Any], errors: list[tuple[str, str]]) -> dict[str, bool]:
    """Return the outputs that a request names, and whether each shall be binary; add what is wrong to `errors`."""
    outputs = body.get("outputs")
    if outputs is None:
        return {}
    if not isinstance(outputs, list):
        errors.append(("/outputs", "a list of outputs is expected: {name, parameters}"))
        return {}
    asked: dict[str, bool] = {}
    for position, output in enumerate(outputs):
        pointer = f"/outputs/{position}"
        try:
            name = tensor_name(output)
        except TensorError as error:
            detail = error.detail if error.pointer == "/parameters" else "an output's name is expected"
            errors.append((pointer + error.pointer, detail))
            continue
        try:
            parameters = parameters_of(output)
        except TensorError as error:
            errors.append((pointer + error.pointer, error.detail))
            continue
        binary = parameters.get("binary_data", False)
        if name in asked:
            errors.append((f"{pointer}/name", "the output is duplicated"))
        if not isinstance(binary, bool):
            errors.append((f"{pointer}/parameters/binary_data", "true or false is expected"))
        errors += [
            (f"{pointer}/parameters/{extension}", "this extension is not supported")
            for extension in ("classification", "shared_memory_region")
            if parameters.get(extension)
        ]
        asked[name] = binary is True
    return asked


def _make_binary(tensor: dict[str, Any]) -> bytes:
    """Take the data out of a tensor; return them as bytes."""
    from modelcycle.predict.open_inference_binary import encoded

    data = encoded(tensor.pop("data"), tensor["datatype"])
    tensor["parameters"] = tensor.get("parameters", {}) | {BINARY_SIZE: len(data)}
    return data


def _classes(answer: Answer) -> list[str]:
    """Return the champion's classes; behind them those of other versions that answered some rows."""
    of_rows = (label for row in answer.probabilities for label in row or {}) if len(set(answer.versions)) > 1 else ()
    return list(dict.fromkeys([*answer.contract.classes, *of_rows]))


def _no_binary_data(datatype: str, rows: int, size: int) -> list[Any]:
    raise TensorError("/parameters/binary_data_size", "the header Inference-Header-Content-Length is missing")


def _prediction_datatype(signature: Signature) -> str:
    return "FP32" if signature.task == "regression" else "BYTES"


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _bad_request(errors: list[tuple[str, str]]) -> BadRequest:
    return BadRequest.at(errors, "GET /v2/models/NAME lists the tensors")
