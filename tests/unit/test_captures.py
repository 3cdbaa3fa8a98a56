"""What is captured of an answer, what waits for Firehose, and what is given up."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from modelcycle.model.answer import LoadedVersion, answer
from modelcycle.predict import CaptureStream, PersonalValues, Recorder, captures
from modelcycle.predict.capture_lines import MASKED, capture_lines
from modelcycle.predict.predict import Served
from modelcycle.predict.shadow import shadow_answer
from modelcycle.registry import Route
from tests.fakes import MemoryKeys
from tests.prediction_api import PREDICT, ROW, Api, Firehose
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, body


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


class Stream(CaptureStream):
    """A capture stream with a clock that tests set, and a record of what was given up."""

    def __init__(self) -> None:
        self.firehose, self.now, self.reports = Firehose(), 1_000.0, list[int]()
        super().__init__(lambda: (self.firehose, "captures"), self.reports.append, clock=lambda: self.now)

    def add_rows(self, *rows: int) -> None:
        self.add((json.dumps(row).encode() + b"\n" for row in rows), self.now)


def test_a_row_after_a_pause_is_due_at_once_and_rows_in_quick_succession_share_a_record() -> None:
    stream = Stream()
    assert stream.seconds_until_due() is None
    stream.add_rows(1)
    assert stream.seconds_until_due() == 0
    stream.send()
    for row in range(2, 21):
        stream.now += 0.01
        stream.add_rows(row)
        assert stream.seconds_until_due() > 0
    stream.now += 0.01
    stream.add_rows(21)
    assert stream.seconds_until_due() == 0, "20 rows"
    stream.send()
    stream.add_rows(22)
    stream.now += captures.HOLD_SECONDS
    assert stream.seconds_until_due() == 0, "a second"
    stream.send(last=True)
    assert stream.firehose.lines == list(range(1, 23)) and sum(stream.reports) == 0


def test_rows_that_firehose_refuses_are_sent_again_and_given_up_after_a_minute() -> None:
    stream = Stream()
    stream.firehose.rejects = True
    stream.add_rows(1, 2)
    stream.send()
    assert stream.seconds_until_due() == captures.HOLD_SECONDS, "it is not asked again at once"
    stream.firehose.rejects = False
    stream.now += captures.HOLD_SECONDS
    assert stream.seconds_until_due() == 0
    stream.send()
    assert stream.firehose.lines == [1, 2] and stream.seconds_until_due() is None
    stream.firehose.raises = True
    stream.add_rows(3)
    stream.send()
    stream.now += captures.MAX_WAITING_SECONDS
    stream.add_rows(4)
    stream.send()
    assert stream.reports == [0, 0, 0, 1]
    stream.send(last=True)
    assert stream.reports[-1] == 1 and stream.seconds_until_due() is None


def test_rows_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "MAX_WAITING_BYTES", 100)
    stream = Stream()
    stream.firehose.raises = True
    for row in range(1000, 1100):
        stream.add_rows(row)
    stream.send()
    assert stream.reports == [80]
    stream.firehose.raises = False
    stream.send(last=True)
    assert stream.firehose.lines == list(range(1000, 1020))


def test_a_record_has_no_more_rows_than_firehose_takes_apart() -> None:
    stream = Stream()
    stream.add_rows(*range(1200))
    sizes: list[int] = []
    put = stream.firehose.put_record_batch

    def put_record_batch(**request: Any) -> Any:
        sizes.extend(record["Data"].count(b"\n") for record in request["Records"])
        return put(**request)

    stream.firehose.put_record_batch = put_record_batch  # type: ignore[method-assign]
    stream.send()
    assert sizes == [500, 500, 200]


def test_masked_columns_are_answered_and_captured_without_their_values(api: Api) -> None:
    api.go_live(capture={"mask": [COLOUR, SEX]})
    rows = [{HOURS: 47.125, COLOUR: "chartreuse", SEX: None, ID: 7}, {HOURS: 3, COLOUR: None}]
    assert api.call(PREDICT, body(*rows))[0] == 200
    first, second = api.firehose.lines
    assert first["instance"] == rows[0] | {COLOUR: MASKED} and first["masked"] == [COLOUR]
    assert second["instance"] == rows[1] and "masked" not in second


def test_a_request_to_one_version_hides_what_any_version_masks(api: Api) -> None:
    api.go_live()
    api.go_live(seed=1, capture={"mask": [COLOUR]})  # version 1 is the previous one
    tensors = [
        {"name": HOURS, "shape": [1], "datatype": "FP64", "data": [47.5]},
        {"name": COLOUR, "shape": [1], "datatype": "BYTES", "data": ["chartreuse"]},
    ]
    assert api.call(f"/v2/models/{MODEL}/versions/1/infer", json.dumps({"inputs": tensors}))[0] == 200
    (line,) = api.firehose.lines
    assert (line["version"], line["instance"], line["masked"]) == (1, {HOURS: 47.5, COLOUR: MASKED}, [COLOUR])


def test_a_share_of_requests_is_captured_and_a_repeated_request_is_decided_the_same(api: Api) -> None:
    api.go_live(capture={"sample": 0.3})

    def is_captured(key: str) -> bool:
        api.firehose.lines = []
        assert api.call(PREDICT, body(ROW, ROW), headers={"Idempotency-Key": key})[0] == 200
        assert len(api.firehose.lines) in (0, 2)
        return bool(api.firehose.lines)

    decided = {key: is_captured(key) for key in map(str, range(300))}
    assert 0.2 < sum(decided.values()) / 300 < 0.4
    assert all(is_captured(key) == decided[key] for key in map(str, range(30)))


def served(api: Api, *rows: Any) -> Served:
    """An answer of version 1, with version 2 as its shadow."""
    loaded = api.live_models.get(MODEL).loaded
    route = Route(weights={1: 100}, shadow=2)
    answered = answer(json.loads(body(*rows)), route, loaded, "key")
    return Served(**vars(answered), key="key", route=route, loaded=loaded)


@pytest.fixture
def two_versions(api: Api) -> Api:
    api.go_live()
    api.go_live(seed=50, weight=30)
    return api


def test_the_shadow_answers_the_same_rows_and_its_lines_name_the_answers(two_versions: Api) -> None:
    rows = [ROW | {ID: number} for number in range(20)]
    answered = served(two_versions, *rows)
    shadow = shadow_answer(answered)
    assert shadow is not None and set(shadow.versions) == {2}
    assert shadow.probabilities != answered.probabilities
    lines = [json.loads(line) for line in capture_lines(shadow, datetime.now(UTC), [], beside=answered.ids)]
    assert [line["beside"] for line in lines] == answered.ids
    assert all(line["shadow"] is True and line["version"] == 2 and line["ms"] > 0 for line in lines)
    assert [line["instance"] for line in lines] == rows
    assert not {line["prediction_id"] for line in lines} & set(answered.ids)


def test_a_shadow_that_fails_is_captured_as_a_failure_and_the_live_answer_stays(two_versions: Api) -> None:
    answered = served(two_versions, ROW)
    scorer: Any = dataclasses.make_dataclass("Broken", [])()
    broken = LoadedVersion(2, answered.loaded[2].signature, scorer)
    answered = dataclasses.replace(answered, loaded={**answered.loaded, 2: broken})
    shadow = shadow_answer(answered)
    assert shadow is not None
    (line,) = (json.loads(line) for line in capture_lines(shadow, datetime.now(UTC), [], beside=answered.ids))
    assert (line["shadow"], line["assigned"], line["version"], line["failure"]) == (True, 2, 1, "AttributeError")


def test_without_a_loaded_shadow_nothing_is_scored_twice(two_versions: Api) -> None:
    answered = served(two_versions, ROW)
    for route in (Route(weights={1: 100}), Route(weights={1: 100}, shadow=3), Route(weights={1: 90, 2: 10}, shadow=2)):
        assert shadow_answer(dataclasses.replace(answered, route=route)) is None


def test_predictions_are_counted_with_the_captures_and_those_that_are_not_captured_after_a_second(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.go_live()
    answered, stream = served(api, ROW, ROW), Stream()
    recorder = Recorder(stream, PersonalValues(MemoryKeys))
    recorder._record(answered, datetime.fromtimestamp(stream.now, UTC), {})
    assert recorder.seconds_until_due() == 0
    recorder.send()
    monkeypatch.setattr("modelcycle.predict.recorder.is_sampled", lambda answer: False)
    recorder._record(answered, datetime.fromtimestamp(stream.now, UTC), {})
    recorder._record(answered, datetime.fromtimestamp(stream.now, UTC), {})
    assert recorder.seconds_until_due() == captures.HOLD_SECONDS
    stream.now += captures.HOLD_SECONDS
    assert recorder.seconds_until_due() == 0
    recorder.send()
    assert recorder.seconds_until_due() is None
    written = capsys.readouterr().out.replace(" ", "")
    assert (
        '"Predictions":[2.0]' in written and '"Predictions":[4.0]' in written and written.count('"Predictions":') == 2
    )


def test_answers_beyond_what_may_wait_are_counted_and_given(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.go_live()
    recorder: Recorder = api.recorder
    monkeypatch.setattr(recorder.after_answer, "run", lambda work, size: False)
    assert api.call(PREDICT, body(ROW, ROW))[0] == 200
    written = capsys.readouterr().out.replace(" ", "")
    assert '"NotCaptured":[2.0]' in written and '"Predictions":[2.0]' in written
