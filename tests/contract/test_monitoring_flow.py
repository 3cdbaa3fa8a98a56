"""The state machine that watches the models: whom it looks at, when, and what a failure does."""

from __future__ import annotations

from typing import Any

import pytest

from modelcycle.messages import CompactRequest, MonitorRequest, Summarized, SummarizeRequest
from tests.contract.conductor import Failed, conduct, flow

AT = "2026-01-02T00:00:00Z"


class Functions:
    """The functions of a look; each message is one that they accept.

    Parameters
    ----------
    broken : functions that fail for a model
    """

    def __init__(self, broken: tuple[tuple[str, str], ...] = ()) -> None:
        self.broken = broken
        self.called: list[tuple[str, str, str]] = []

    def __call__(self, resource: str, event: dict[str, Any]) -> Any:
        if resource.endswith("dynamodb:query"):
            return {"Items": [{"sk": {"S": "apples"}}, {"sk": {"S": "plums"}}], "Count": 2}
        name = resource.strip("${}")
        kinds = {"Compact": CompactRequest, "Summarize": SummarizeRequest, "Monitor": MonitorRequest}
        request: Any = kinds[name].from_event(event)
        at = request.summarize.at if name == "Monitor" else request.at
        self.called.append((name, request.model, at.strftime("%Y-%m-%dT%H:%M:%SZ")))
        if (name, request.model) in self.broken:
            raise RuntimeError(name)
        answer: Any = Summarized(model=request.model, at=request.at, windows=[]).wire() if name == "Summarize" else {}
        return answer


def looked(functions: Functions, event: dict[str, Any]) -> str:
    return conduct(flow("monitoring"), event, functions, "arn:aws:states:execution:monitoring:look")[0]


def test_without_a_name_every_model_is_watched_and_all_functions_are_given_one_moment() -> None:
    functions = Functions()
    assert looked(functions, {}) == "Watched"
    assert [call[:2] for call in functions.called] == [
        (name, model) for model in ("apples", "plums") for name in ("Compact", "Summarize", "Monitor")
    ]
    assert len({at for *_, at in functions.called}) == 1


def test_a_look_may_name_its_model_and_its_moment() -> None:
    functions = Functions()
    assert looked(functions, {"model": "figs", "at": AT}) == "Watched"
    assert functions.called == [(name, "figs", AT) for name in ("Compact", "Summarize", "Monitor")]


@pytest.mark.parametrize(
    ("broken", "calls_of_apples"),
    [("Compact", ["Compact", "Summarize", "Monitor"]), ("Summarize", ["Compact", "Summarize"]),
     ("Monitor", ["Compact", "Summarize", "Monitor"])],
)  # fmt: skip
def test_a_failure_stops_neither_the_other_models_nor_what_can_be_done_and_the_look_has_failed(
    broken: str, calls_of_apples: list[str]
) -> None:
    functions = Functions(broken=((broken, "apples"),))
    with pytest.raises(Failed, match="ModelNotSeen: At least one model could not be watched"):
        looked(functions, {"at": AT})
    assert [name for name, model, _ in functions.called if model == "apples"] == calls_of_apples
    assert [name for name, model, _ in functions.called if model == "plums"] == ["Compact", "Summarize", "Monitor"]
