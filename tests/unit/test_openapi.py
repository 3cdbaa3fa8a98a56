"""The OpenAPI document of a model describes what the API takes and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from infra.local.deployment.translate import read_template
from modelcycle.cells.reading import ColumnType
from modelcycle.model.fields import Field
from modelcycle.predict.openapi_schemas import _column
from tests.prediction_api import INFER, PREDICT, ROW, Api
from tests.raw_requests import send
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, body, train

DOCUMENT = f"/models/{MODEL}/openapi.json"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def document_of(api: Api, task: Any = "binary") -> dict[str, Any]:
    api.go_live(task=task)
    status, document, _ = api.call(DOCUMENT, method="GET")
    assert status == 200
    return dict(document)


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def is_valid(document: dict[str, Any], name: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(document, name)).is_valid(value))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (part for key, part in value.items() if key == "$ref")
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_answers_of_both_protocols_fit_the_document(api: Api, task: Any) -> None:
    document = document_of(api, task)
    rows = {"instances": [ROW, {HOURS: None, COLOUR: None, SEX: "x", ID: 5}]}
    assert is_valid(document, "Rows", rows)
    assert is_valid(document, "Answer", api.call(PREDICT, json.dumps(rows))[1])
    tensors = document["components"]["schemas"]["InferRequest"]["examples"][0]
    assert is_valid(document, "InferRequest", tensors)
    status, answer, _ = api.call(INFER, json.dumps(tensors))
    assert status == 200 and is_valid(document, "InferResponse", answer)
    assert is_valid(document, "ModelMetadata", api.call(f"/v2/models/{MODEL}", method="GET")[1])
    assert is_valid(document, "Problem", api.call(PREDICT, "[]")[1])
    example = document["components"]["schemas"]["Rows"]["examples"][0]
    assert api.call(PREDICT, json.dumps(example))[0] == 200


def test_rows_that_the_api_refuses_do_not_fit(api: Api) -> None:
    document = document_of(api)
    for row in ({HOURS: 1}, ROW | {"age": 1}, ROW | {HOURS: "forty"}, ROW | {COLOUR: 3}, 7):
        assert api.call(PREDICT, body(row))[0] == 400 and not is_valid(document, "Rows", {"instances": [row]})
    assert not is_valid(document, "Rows", {"instances": []})
    assert not is_valid(document, "Rows", {"instances": [ROW] * 1001})


def test_every_reference_leads_somewhere(api: Api) -> None:
    document = document_of(api)
    for reference in set(references(document)):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    ids = [operation["operationId"] for item in document["paths"].values() for operation in methods(item).values()]
    assert document["openapi"] == "3.1.0" and len(ids) == len(set(ids)) == 12


def methods(item: dict[str, Any]) -> dict[str, Any]:
    return {method: operation for method, operation in item.items() if method in ("get", "post")}


def test_the_document_has_the_paths_of_the_template_and_no_other(api: Api) -> None:
    template = read_template(Path("template.yaml"))
    functions = [template["Resources"][name]["Properties"] for name in ("Predict", "AcceptFeedback")]
    events = [event for function in functions for event in function["Events"].values()]
    described = {(event["Properties"]["Method"], event["Properties"]["Path"]) for event in events}
    paths = document_of(api)["paths"]
    documented = {(method, path.replace(f"/{MODEL}", "/{name}")) for path in paths for method in methods(paths[path])}
    assert documented == described


def test_no_text_of_few_rows_is_shown(api: Api) -> None:
    text = json.dumps(document_of(api), ensure_ascii=False)
    customers = train("binary").train.values[ID]
    assert not any(re.search(rf"\b{level}\b", text) for level in customers.levels[:50])  # type: ignore[union-attr]


def test_the_address_comes_from_the_request(api: Api) -> None:
    assert document_of(api)["servers"] == [{"url": "../.."}]  # relative to the document's own address
    context = {"requestId": "1", "stage": "live", "domainName": "abc.example", "path": f"/live{DOCUMENT}"}
    document = api.call(DOCUMENT, method="GET", requestContext=context)[1]
    assert document["servers"] == [{"url": "https://abc.example/live"}]


def test_the_document_of_a_model_without_a_live_version_is_404(api: Api) -> None:
    assert api.call(DOCUMENT, method="GET")[0] == 404


def test_the_document_is_compressed(api: Api) -> None:
    document_of(api)
    reply = send(api, DOCUMENT, method="GET", accept="*/*", accept_encoding="gzip")
    assert reply.headers["content-encoding"] == "gzip"


COLUMNS: list[tuple[ColumnType, dict[str, Any], list[Any], list[Any]]] = [
    ("number", {}, [1, 1.5, None], ["1", True, "x"]),
    ("number", {"format": "1.234,56"}, [1, "1.234,56", None], [True, [1]]),
    ("boolean", {"true": ["yes"], "false": ["no"]}, [True, "yes", "no", None], ["x", 3]),
    ("datetime", {"format": "%Y-%m-%d", "example": "2024-01-31"}, ["2024-01-31", None], [20240131, True]),
    ("datetime", {"format": "%Y%m%d", "example": "20240131"}, ["20240131", 20240131, None], [True]),
    ("text", {"levels": ["a"]}, ["a", "anything", None], [1, True, ["a"]]),
]


@pytest.mark.parametrize(("kind", "reading", "good", "bad"), COLUMNS)
def test_each_kind_of_column_has_its_schema(
    kind: ColumnType, reading: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    described = _column(Field(name="x", type=kind, **reading), train("binary").signature)
    validator = jsonschema.Draft202012Validator(described)
    assert all(validator.is_valid(value) for value in good) and not any(validator.is_valid(value) for value in bad)
    assert "null where it is missing" in described["description"]
