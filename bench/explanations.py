"""Measure what an explanation costs, and how exact it is: python -m bench.explanations

The function that serves runs in this process, with an Adult model that was trained in memory. Printed are, within one
run: the time of the handler with `?explain=true` as a multiple of the same request without it, both taken in turn and
without what follows an answer; and how far the contributions are from those of 512 random orders with their reverses.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import statistics
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.commands import DATA
from bench.serving_start import MODEL, TRAINING_ROWS, event, requests_of, trained
from modelcycle.model import explain
from modelcycle.predict import LiveModels
from modelcycle.predict.explanations import explanations, max_explained_rows
from modelcycle.predict.predict import Served, predict_by
from tests.fakes import UNSIGNED
from tests.prediction_api import Api

MANY_ORDER_PAIRS = 512
CONTEXT = SimpleNamespace(
    function_name="predict", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
)
SIZES = (1, 10, 50)  # rows of a request


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60)
    arguments = parser.parse_args()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(DATA.read_bytes()).decode())))
    lifecycle = trained(rows[:TRAINING_ROWS])
    live = LiveModels(lifecycle.registry, lifecycle.registry, lifecycle.artifacts, UNSIGNED)
    instances = requests_of(lifecycle, rows[-200:])
    fields = len(live.get(MODEL).columns.fields)
    print(f"{fields} columns; at most {max_explained_rows(fields)} rows of a request are explained")
    with pytest.MonkeyPatch.context() as patch:
        api = Api(patch)
        api.live_models = live
        for size in SIZES:
            plain, explained = times(api, instances, size, arguments.requests)
            print(
                f"{size:3} rows: {explained / plain:6.1f} times a plain answer"
                f"   {1000 * plain:7.2f} ms plain, {1000 * explained:7.2f} ms explained"
            )
    answer = predict_by(live.get(MODEL), {"instances": instances[:50]}, "bench")
    print_errors(answer)


def times(api: Api, instances: list[dict[str, Any]], size: int, requests: int) -> tuple[float, float]:
    """Return the median seconds of a request without and with explanations."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    for number in range(requests + 5):
        start = number * size % (len(instances) - size + 1)
        request = event(instances[start : start + size])
        for asked in taken:
            query = {"explain": "true"} if asked else None
            began = time.perf_counter()
            response = api.app.handler(request | {"queryStringParameters": query}, CONTEXT)
            seconds = time.perf_counter() - began
            api.recorder.after_answer.finish(seconds=30)  # captures, which would share the processor
            if response["statusCode"] != 200:
                raise SystemExit(response["body"])
            if number >= 5:  # after a warm-up
                taken[asked].append(seconds)
    return statistics.median(taken[False]), statistics.median(taken[True])


def print_errors(answer: Served) -> None:
    """Print how far the contributions are from those of many more orders."""
    usual, few = explanations(answer), explain.ORDER_PAIRS
    explain.ORDER_PAIRS = MANY_ORDER_PAIRS
    many = explanations(answer)
    explain.ORDER_PAIRS = few
    errors, sizes, same = [], [], 0
    for ours, theirs in zip(usual, many, strict=True):
        assert ours is not None
        assert theirs is not None
        errors += [abs(ours["columns"][name] - value) for name, value in theirs["columns"].items()]
        sizes += [abs(value) for value in theirs["columns"].values()]
        same += next(iter(ours["columns"])) == next(iter(theirs["columns"]))
    print(
        f"error of a contribution: mean {np.mean(errors):.4f}, 95 % below {np.quantile(errors, 0.95):.4f}"
        f" (mean size {np.mean(sizes):.4f}); the same first column in {same} of {len(usual)} rows"
    )


if __name__ == "__main__":
    main()
