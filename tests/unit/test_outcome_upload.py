"""Outcomes of pseudonymised ids go through the API in parts of its size; a wrong one is told before any is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli import outcome_upload, signing
from cli.feedback import Told
from cli.outcome_upload import bring, send_outcomes
from cli.screens.feedback import feedback_text
from modelcycle.captured.outcomes import MatchedOutcomes
from modelcycle.faults import BadInput, Throttled, Transient

FILE = Path("/home/ann/told.csv")


class Api:
    """The API and the bucket: keeps what it is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.failures: list[Exception | None] = []
        self.s3 = self
        monkeypatch.setattr(signing, "call", self.call)
        monkeypatch.setattr(outcome_upload, "DELAYS", (0.0, 0.0))
        monkeypatch.setattr(outcome_upload, "MAX_OUTCOMES", 3)

    def call(self, place: Any, method: str, path: str, body: Any) -> dict[str, Any]:
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        assert (method, path) == ("POST", "/models/m/feedback")
        key = f"feedback/m/api/{len(self.kept)}"
        self.kept[key] = body["outcomes"]
        return {"kept": key}

    def output(self, name: str) -> str:
        return name

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        body = io.BytesIO("".join(json.dumps(row) + "\n" for row in self.kept[Key]).encode())
        return {"Body": type("Body", (), {"iter_chunks": lambda _, size: iter(lambda: body.read(size), b"")})()}


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_outcomes_are_sent_in_parts_and_brought_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = Api(monkeypatch)
    rows = [{"mail": f"a{number}@example.org", "left": "yes"} for number in range(7)]
    keys = send_outcomes(api, "m", lines(tmp_path / "told", *rows), "left", FILE)
    assert [len(api.kept[key]) for key in keys] == [3, 3, 1]
    assert api.kept[keys[0]][0] == {"mail": "a0@example.org", "outcome": "yes"}, "the target's name stands for outcome"
    bring(api, keys, tmp_path / "back")
    back = [json.loads(line) for line in (tmp_path / "back").read_text().splitlines()]
    assert [row["mail"] for row in back] == [row["mail"] for row in rows]


def test_a_wrong_outcome_is_told_and_none_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = Api(monkeypatch)
    rows = [{"mail": "a", "outcome": "yes"}] * 4 + [{"mail": "b", "outcome": "no", "at": "soon"}]
    with pytest.raises(BadInput) as caught:
        send_outcomes(api, "m", lines(tmp_path / "told", *rows), "left", FILE)
    assert "outcome 5 is wrong: at: a time is expected" in caught.value.what
    assert (caught.value.where, api.kept) == (str(FILE), {})


@pytest.mark.parametrize("failure", [Transient("the API answered 503"), Throttled("too many requests")])
def test_an_api_that_answers_later_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    api: Any = Api(monkeypatch)
    told = lines(tmp_path / "told", *[{"mail": "a", "outcome": "yes"}] * 4)
    api.failures = [None, failure, failure]
    assert len(send_outcomes(api, "m", told, "left", FILE)) == 2
    api.failures = [None, failure, failure, failure]
    with pytest.raises(type(failure), match="3 outcomes were kept before") as caught:
        send_outcomes(api, "m", told, "left", FILE)
    assert "give the file again later" in caught.value.remedy  # type: ignore[attr-defined]


def test_the_screen_says_how_many_matched_and_how_ids_are_kept() -> None:
    told = Told(9, 0, [], 50, False, MatchedOutcomes(known=7, unknown=2), 0, 45, pseudonyms=True)
    assert feedback_text("m", told).splitlines()[1:] == [
        "    7 of the 50 captured predictions have one",
        "    of no captured prediction (an unknown id, or one that was not captured, or not yet): 2",
        "    personal ids are kept as pseudonyms, as in the rows",
    ]
