"""The dashboard and the saved queries name metrics, log groups and fields that there are."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.left_out import leave_out
from infra.local.deployment.translate import read_template
from modelcycle.cloud_metrics import NAMESPACE
from modelcycle.messages import Monitored
from modelcycle.monitor.metrics import model_metrics

ROOT = Path(__file__).resolve().parents[2]
INFRA = {path.stem: read_template(path) for path in (ROOT / "infra").glob("*.yaml")}
TEMPLATE = read_template(ROOT / "template.yaml")
GROUPS = [
    name for name, one in INFRA["identity"]["Resources"].items() if one["Type"] == "AWS::Logs::LogGroup"
]  # fmt: skip
CODE = "\n".join(
    path.read_text() for folder in ("functions", "layers/modelcycle") for path in (ROOT / folder).rglob("*.py")
)


MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
DAY = Monitored(
    model="plums", version=1, window=(MOMENT, MOMENT), rows=9, state="ok", drifted=[], degraded=False
)  # fmt: skip


def stack() -> DeployedStack:
    names = INFRA["dashboard"]["Parameters"]
    resources = {name: {"type": one["Type"], "id": name} for name, one in INFRA["dashboard"]["Resources"].items()}
    given = {name: f"the-{name}" for name in names} | {"Stack": "modelcycle-dev"}
    return DeployedStack(INFRA["dashboard"], given, resources, "eu-central-1", "123456789012")


@pytest.fixture(scope="module")
def widgets() -> list[dict[str, Any]]:
    body = INFRA["dashboard"]["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    return [widget for widget in json.loads(stack().value(body))["widgets"] if widget["type"] == "metric"]


def test_every_metric_of_the_dashboard_is_written(widgets: list[dict[str, Any]]) -> None:
    ours, models = set(), set()
    for metric in (metric for widget in widgets for metric in widget["properties"]["metrics"]):
        if isinstance(metric[0], dict):
            found = re.fullmatch(
                r"""SEARCH\('\{(\S+),Stack,Model\} MetricName="(\w+)" Stack="modelcycle-dev"', '\w+', 3600\)""",
                metric[0]["expression"],
            )
            assert found and found[1] == NAMESPACE
            models.add(found[2])
        elif metric[0] == "ModelCycle":
            ours.add(metric[1])
        assert "${" not in json.dumps(metric)
    assert models == model_metrics(DAY, 0).keys()
    assert ours and all(f'"{name}"' in CODE for name in ours)


def test_widgets_do_not_cover_each_other(widgets: list[dict[str, Any]]) -> None:
    squares: set[tuple[int, int]] = set()
    for widget in widgets:
        own = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not own & squares and max(x for x, _ in own) < 24
        squares |= own


def test_queries_read_all_functions_or_those_that_write_their_fields() -> None:
    listed = INFRA["identity"]["Outputs"]["LogGroups"]["Value"]["Fn::Join"][1]
    assert sorted(one["Ref"] for one in listed) == sorted(GROUPS)
    assert len(GROUPS) <= 50  # AWS page "PutQueryDefinition"
    of_stack = {INFRA["identity"]["Resources"][name]["Properties"]["LogGroupName"]["Fn::Sub"] for name in GROUPS}
    queries = [one for one in INFRA["dashboard"]["Resources"].values() if one["Type"].endswith("QueryDefinition")]
    assert len(queries) == 7
    for query in (one["Properties"] for one in queries):
        groups = query["LogGroupNames"]
        assert groups == {"Ref": "LogGroups"} or {one["Fn::Sub"] for one in groups} <= of_stack
        for field in re.findall(r'filter (\w+) = "', query["QueryString"]):
            assert f'"{field}"' in CODE or f"{field}=" in CODE, field
        for text in re.findall(r'message = "(\w+)"', query["QueryString"]):
            assert f'"{text}"' in CODE


def test_a_local_cloud_says_that_it_has_no_saved_queries() -> None:
    template = read_template(ROOT / "infra" / "dashboard.yaml")
    left_out = leave_out(template, Path("dashboard.yaml"))
    assert len(left_out) == 7 and all("no saved queries" in str(item) for item in left_out)
    assert list(template["Resources"]) == ["Dashboard"]


def test_names_of_the_dashboard_and_of_queries_begin_with_the_stacks() -> None:
    """Several stacks may share an account; the delivery may only make dashboards of its own."""
    resources = INFRA["dashboard"]["Resources"]
    names = [
        stack().value(one["Properties"].get("DashboardName") or one["Properties"]["Name"]) for one in resources.values()
    ]
    assert all(name.startswith(("modelcycle-dev-", "modelcycle-dev/")) for name in names)
