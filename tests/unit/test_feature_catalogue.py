"""The catalogue of a version's features: every column once, kept or left out, with its worth."""

from __future__ import annotations

import json

import pytest

import cli.open_place
from cli.feature_catalogue import feature_catalogue
from cli.main import main
from cli.screens.features import features_text
from modelcycle.model.fields import Field
from modelcycle.model.plan import Derived, FeaturePlan, Input, Planned
from modelcycle.model.signature import Signature
from tests.memory_place import Cloud

SOLD = [
    Input(name="x1", column="sold", kind="number", part="month"),
    Input(name="x2", column="sold", kind="number", part="year_sin"),
    Input(name="x3", column="sold", kind="number", part="year_cos"),
]
RATIO = Input(name="x4", column="price", kind="number", operation="ratio", other="size")
PLAN = FeaturePlan(
    columns=[
        Planned(column="price", treatment="number", why="number, 9 distinct values",
                inputs=[Input(name="x0", column="price", kind="number")]),
        Planned(column="id", treatment="left_out", why="listed in id_columns"),
        Planned(column="sold", treatment="date_parts", why="date: month", inputs=SOLD),
    ],
    derived=[Derived(input=RATIO, why="boosting loses 4.0% less on 900 held-out rows", gain=0.04)],
    tried=9,
)  # fmt: skip
SIGNATURE = Signature(
    model="m", task="binary", target="y", classes=["a", "b"], ignored=["id"], inputs=PLAN.all_inputs(),
    fields=[Field(name="price", type="number", example=1.0),
            Field(name="sold", type="datetime", format="%d.%m.%y", example="31.12.24", missing_values=["n/a"])],
)  # fmt: skip
REPORT = {
    "evidence": {
        "importance": [
            {"column": "sold", "increase": 0.2, "error": 0.01},
            {"column": "price", "increase": 0.1, "error": 0.02},
        ]
    }
}


def test_every_column_and_every_derived_feature_is_listed_once_by_its_worth() -> None:
    features = feature_catalogue(PLAN, SIGNATURE, REPORT)
    assert [(feature.feature, feature.kept) for feature in features] == [
        ("sold", True), ("price", True), ("price / size", True), ("id", False),
    ]  # fmt: skip
    sold, price, ratio, left_out = features
    assert (sold.importance, sold.error, sold.format, sold.missing_values) == (0.2, 0.01, "%d.%m.%y", ["n/a"])
    assert sold.parts == ["month", "year_sin", "year_cos"]
    assert (ratio.columns, ratio.gain) == (["price", "size"], 0.04)
    assert price.type == "number"
    assert left_out.why == "listed in id_columns"


def test_without_a_report_the_columns_keep_the_order_of_the_data() -> None:
    features = feature_catalogue(PLAN, SIGNATURE, None)
    assert [feature.feature for feature in features] == ["price", "sold", "price / size", "id"]
    assert all(feature.importance is None for feature in features)


def test_the_screen_names_parts_formats_and_what_was_tried() -> None:
    screen = features_text("m:1", feature_catalogue(PLAN, SIGNATURE, REPORT), PLAN.tried)
    assert "m:1: 3 features in 5 inputs of the graph, 1 column left out" in screen
    assert "date parts; read as %d.%m.%y; month; place in the year" in screen
    assert "0.200 ± 0.010" in screen
    assert "9 features of two columns tried, 1 kept" in screen


def test_show_lists_the_features_of_the_live_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: _cloud().place)
    assert main(["show", "m", "--features", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["model"], printed["version"], printed["tried"]) == ("m", 1, 9)
    assert [entry["feature"] for entry in printed["features"]] == ["price", "sold", "price / size", "id"]
    assert main(["show", "m:1", "--features"]) == 0
    assert "price / size" in capsys.readouterr().out
    assert main(["show", "m:7", "--features"]) == 2


def _cloud() -> Cloud:
    import hashlib

    from modelcycle.messages import Artifact
    from modelcycle.registry import Standing, Write
    from tests.memory_place import AT
    from tests.unit.test_cli_show import version

    made = Cloud()
    made.ended("deployed", version=1)
    made.live(v1=100)

    def stored(key: str, body: bytes) -> Artifact:
        made.place.s3.objects[key] = body
        return Artifact(uri=f"s3://artifacts/{key}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))

    registered = version(1).model_copy(
        update={
            "plan": stored("plan.json", PLAN.model_dump_json().encode()),
            "signature": stored("signature.json", SIGNATURE.model_dump_json().encode()),
        }
    )
    standing = Standing(state="live", at=AT, by="run r1")
    made.table.write(
        Write("VERSION#m", "VERSION#00000001", registered.model_dump(mode="json")),
        Write("STATE#m", "STATE#00000001", standing.model_dump(mode="json")),
    )
    return made
