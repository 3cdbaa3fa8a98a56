"""The schemas of a model's OpenAPI document: its columns, its answers, and what each protocol sends.

Examples are the median of a column, or a text that at least ten training rows share; so none shows a person.
"""

from __future__ import annotations

from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.numbers import MAX_NUMBER
from modelcycle.model.fields import Field
from modelcycle.model.request import MAX_OUTCOMES, MAX_REQUEST_ROWS
from modelcycle.model.signature import Signature
from modelcycle.predict.live_models import LiveModel
from modelcycle.predict.open_inference import DATATYPES, model_metadata
from modelcycle.predict.open_inference_tensors import BINARY_SIZE, KNOWN_DATATYPES

TEXT = {"type": "string"}
NULLABLE_OBJECT = {"type": ["object", "null"]}


def schemas(model: LiveModel, signature: Signature) -> dict[str, Any]:
    """Return the schemas of a model's document, by name."""
    name = signature.model
    columns = model.columns
    example = {field.name: field.example for field in columns.fields}
    unread = sorted(columns.known - example.keys())
    row = {
        "type": "object",
        "properties": {field.name: _column(field, signature) for field in columns.fields}
        | {column: {"description": "not used by the model"} for column in unread},
        # while versions differ in their columns, those that only some read may be absent
        "required": [column for column in example if column not in columns.optional],
        "additionalProperties": False,
        "examples": [example],
    }
    metadata = model_metadata(name, model)
    outputs = [output["name"] for output in metadata["outputs"]]
    count = {"type": "integer", "minimum": 1}
    predicted = {"type": "number"} if signature.task == "regression" else TEXT | {"examples": signature.classes[:1]}
    return {
        "Row": row,
        "Rows": _object(
            {"instances": {"type": "array", "minItems": 1, "maxItems": MAX_REQUEST_ROWS, "items": ref("Row")}},
            closed=True, examples=[{"instances": [example]}],
        ),
        "Answer": _object(
            {
                "model": TEXT,
                "version": count | {"description": "that answered; the champion where several did"},
                "prediction_ids": _list(TEXT, "for feedback, one for each row"),
                "predictions": _list(predicted, "one for each row"),
                "probabilities": {
                    "type": ["array", "null"], "description": "of each class, one object for each row",
                    "items": {
                        "type": ["object", "null"],
                        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                    },
                },
            },
            optional={
                "versions": _list(count, "of each row, if several versions answered"),
                "explanations": {
                    "type": "array", "description": "one for each row, if the request has ?explain=true",
                    "items": {"anyOf": [ref("Explanation"), {"type": "null"}]},
                },
            },
        ),
        "Explanation": _object(
            {
                "of": {"type": ["string", "null"], "description": "the class whose probability is explained"},
                "score": {"type": "number"},
                "reference": {"type": "number", "description": "the score of the reference row"},
                "columns": {
                    "type": "object", "additionalProperties": {"type": "number"},
                    "description": "contributions, the largest first; they add up to `score` - `reference`",
                },
                "method": {"enum": ["shapley", "shapley, sampled"]},
            }
        ),
        "Outcomes": _object(
            {"outcomes": {"type": "array", "minItems": 1, "maxItems": MAX_OUTCOMES, "items": ref("Outcome")}},
            closed=True, examples=[{"outcomes": [_outcome_example(signature)]}],
        ),
        "Outcome": _object(
            {
                "outcome": {
                    "type": ["string", "number", "boolean"],
                    "description": f"what `{signature.target}` really was",
                },
            },
            optional={
                "prediction_id": TEXT | {"minLength": 1, "description": "that the answer came with"},
                "at": {"type": ["string", "number"], "description": "when: ISO 8601, or seconds since 1970"},
                **{name: {"description": "instead of prediction_id: an id column"} for name in signature.id_columns},
            },
            description="further fields may hold the sensitive columns of the pipeline file",
        ),
        "Kept": _object({"model": TEXT, "outcomes": count, "kept": TEXT | {"description": "key of the object"}}),
        "InferRequest": _object(
            {
                "inputs": {
                    "type": "array", "minItems": 1, "description": "one tensor for each column",
                    "items": _object(
                        {
                            "name": {"type": "string", "description": "of the column"},
                            "shape": {
                                "type": "array", "minItems": 1, "maxItems": 2,
                                "items": {"type": "integer", "minimum": 1},
                                "description": "[rows] or [rows, 1]",
                            },
                            "datatype": {"enum": list(KNOWN_DATATYPES)},
                        },
                        optional={
                            "data": {"type": "array", "description": f"absent where {BINARY_SIZE} is a parameter"},
                            "parameters": NULLABLE_OBJECT,
                        },
                    ),
                }
            },
            optional={
                "id": {"type": ["string", "null"]},
                "parameters": NULLABLE_OBJECT | {"description": "`binary_data_output: true` for binary outputs"},
                "outputs": {
                    "type": ["array", "null"], "description": "by default all",
                    "items": _object({"name": {"enum": outputs}}, optional={"parameters": NULLABLE_OBJECT}),
                },
            },
            examples=[{"inputs": [_tensor(field) for field in columns.fields]}],
        ),
        "InferResponse": _object(
            {
                "model_name": TEXT, "model_version": TEXT,
                "outputs": _list(_object(
                    {"name": {"enum": outputs}, "datatype": TEXT, "shape": _list({"type": "integer"})},
                    optional={"data": {"type": "array"}, "parameters": {"type": "object"}},
                )),
            },
            optional={"id": TEXT},
        ),
        "ModelMetadata": _object(
            {
                "name": TEXT, "versions": _list(TEXT), "platform": TEXT,
                "inputs": _list(ref("TensorMetadata")), "outputs": _list(ref("TensorMetadata")),
            },
            examples=[metadata],
        ),
        "TensorMetadata": _object(
            {"name": TEXT, "datatype": TEXT, "shape": _list({"type": "integer"})},
            optional={"parameters": {"type": "object"}},
        ),
        "ServerMetadata": _object(
            {"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}
        ),
        "Live": _object({"live": {"type": "boolean"}}),
        "Ready": _object({"ready": {"type": "boolean"}}, optional={"name": TEXT, "version": TEXT}),
        "Document": {"type": "object", "description": "OpenAPI 3.1"},
        "Problem": _object(
            {"type": TEXT, "title": TEXT},
            optional={
                "status": {"type": "integer"}, "detail": TEXT, "remedy": TEXT,
                "error": {"type": "string", "description": "the same as `detail`, for Open Inference clients"},
                "errors": _list(_object({"pointer": TEXT, "detail": TEXT})),
                "instance": {"type": "string", "description": "names the request; its id is also in X-Request-Id"},
            },
        ) | {"description": "a problem document (RFC 9457)"},
    }  # fmt: skip


def _column(field: Field, signature: Signature) -> dict[str, Any]:
    """Return the schema of a column's value."""
    missing = sorted({*signature.missing_values, *field.missing_values})
    notes = ["null where it is missing" + (f"; so is any of {', '.join(map(repr, missing[:10]))}" if missing else "")]
    schema: dict[str, Any] = {}
    if field.type == "number":
        schema = {"type": ["number", "null"], "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
        if field.format:
            schema = {"type": ["number", "string", "null"]}
            notes.insert(0, f"a number, or a text that is written like {field.format}")
    elif field.type == "boolean":
        words = sorted({*field.true, *field.false})
        schema = {"anyOf": [{"type": ["boolean", "null"]}, {"enum": words}]} if words else {"type": ["boolean", "null"]}
    elif field.type == "datetime":
        schema = {"type": ["string", "number", "null"] if field.format in dates.DIGITS else ["string", "null"]}
        notes.insert(0, f"a date like {field.example}")
    else:
        schema = {"type": ["string", "null"]}
        if field.levels:
            notes.insert(0, f"frequent: {', '.join(field.levels)}")
    if field.example is not None:
        schema["examples"] = [field.example]
    return schema | {"description": "; ".join(notes)}


def _tensor(field: Field) -> dict[str, Any]:
    return {"name": field.name, "shape": [1], "datatype": DATATYPES[field.type], "data": [field.example]}


def _outcome_example(signature: Signature) -> dict[str, Any]:
    outcome = signature.classes[0] if signature.classes else 1.5
    return {"prediction_id": "0123456789abcdef", "outcome": outcome, "at": "2026-01-31T12:00:00Z"}


def _object(
    required: dict[str, Any], optional: dict[str, Any] | None = None, closed: bool = False, **more: Any
) -> dict[str, Any]:
    schema = {"type": "object", "properties": required | (optional or {}), "required": list(required), **more}
    return schema | ({"additionalProperties": False} if closed else {})


def _list(items: dict[str, Any], description: str = "") -> dict[str, Any]:
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}
