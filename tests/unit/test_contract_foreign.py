"""ODCS documents of others: what is wrong with one is named."""

from __future__ import annotations

from typing import Any

import pytest

from cli.odcs import to_rules
from modelcycle.faults import BadInput


def document(**more: Any) -> dict[str, Any]:
    table = {"name": "t", "properties": [{"name": "age", "logicalType": "integer"}], **more.pop("table", {})}
    return {"kind": "DataContract", "apiVersion": "v3.0.2", "schema": [table], **more}


def test_a_document_of_an_older_version_is_read() -> None:
    assert to_rules(document(), "f.yaml") == {"columns": {"age": {"type": "number"}}}


@pytest.mark.parametrize(
    "broken",
    [
        document(table={"quality": ["no rows twice"]}),
        document(table={"quality": [{"metric": "rowCount", "mustBeGreaterOrEqualTo": "many"}]}),
        document(table={"properties": {"age": {}}}),
        document(table={"properties": [{"name": "age", "primaryKey": True, "primaryKeyPosition": "first"}]}),
        document(table={"properties": [{"name": "age", "logicalTypeOptions": ["minimum"]}]}),
        document(
            table={"properties": [{"name": "age", "logicalType": "number", "logicalTypeOptions": {"minimum": {}}}]}
        ),
        document(slaProperties=[{"property": "freshness", "value": 2, "unit": "fortnight"}]),
        document(slaProperties=[{"property": "freshness", "value": "soon", "unit": "d"}]),
        document(slaProperties={"freshness": 2}),
    ],
)
def test_a_document_of_another_structure_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as raised:
        to_rules(broken, "f.yaml")
    assert raised.value.where == "f.yaml"
