"""Measure what rollouts decide by themselves: python -m bench.rollouts [kind ...] [--runs N] [--rates R ...]

Each kind has challengers with other seeds, at several rates of requests, in a canary of 10 % and then all (`steps:
[10, 100]`, `wait_minutes: 10`, the limits of a pipeline file without any), through `deploy` and `judge` themselves;
only the clock is simulated (`bench.live_traffic`).

slower    takes three times as long, and 4 ms more
errors    does not answer 5 % of its requests
drift     predicts yes for 87 % of the rows instead of 50 %
worse     has 1.6 times the champion's loss; the outcome of each answer is known after a minute
equal     answers as the champion does, and goes live
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from bench.live_traffic import Behaviour, LiveModel

RUNS = 20
RATES = (30.0, 300.0)  # requests a minute
ROLLOUT = {"steps": [10, 100], "wait_minutes": 10}
USUAL = Behaviour(milliseconds=2.0)
MOST_REQUESTS = 60_000
KINDS: dict[str, tuple[Behaviour, dict[str, Any]]] = {
    "slower": (Behaviour(milliseconds=6.0), {}),
    "errors": (Behaviour(milliseconds=2.0, errors=0.05), {}),
    "drift": (Behaviour(milliseconds=2.0, bias=1.7), {}),
    "worse": (Behaviour(milliseconds=2.0, noise=2.4), {"label_share": 1.0, "label_delay": timedelta(minutes=1)}),
    "equal": (USUAL, {"label_share": 1.0, "label_delay": timedelta(minutes=1)}),
}


class Line(NamedTuple):
    """How the rollouts of one kind ended.

    Parameters
    ----------
    right : that ended as they should
    requests : of each that ended as it should, of both versions
    answers : that the challenger gave or owed
    minutes : from the first step to the end
    """

    kind: str
    rate: float
    right: int
    runs: int
    requests: list[int]
    answers: list[int]
    minutes: list[float]

    def __str__(self) -> str:
        wanted = "went live" if self.kind == "equal" else "rolled back"
        figures: dict[str, Sequence[float]] = {
            "requests": self.requests, "new version": self.answers, "minutes": self.minutes,
        }  # fmt: skip
        shown = "".join(f"   {name} {_middle_and_most(values):<22}" for name, values in figures.items())
        return (
            f"{self.kind:<8}{self.rate:>6.0f} a minute   {wanted:<12}{self.right:>3} of {self.runs:<3}{shown}".rstrip()
        )


def _middle_and_most(values: Sequence[float]) -> str:
    return f"{np.median(values):,.0f}, at most {max(values):,.0f}" if values else "none"


def measure(kind: str, rate: float, runs: int = RUNS) -> Line:
    """Roll out `runs` challengers of a kind."""
    challenger, more = KINDS[kind]
    ends = [_end(kind, challenger, rate, seed, more) for seed in range(runs)]
    right = [end for end in ends if end is not None]
    return Line(
        kind, rate, len(right), runs, [end[0] for end in right], [end[1] for end in right], [end[2] for end in right]
    )


def _end(
    kind: str, challenger: Behaviour, rate: float, seed: int, more: dict[str, Any]
) -> tuple[int, int, float] | None:
    """Return requests, answers and minutes of a rollout that ended as it should; None of one that did not."""
    model = LiveModel({1: USUAL, 2: challenger}, ROLLOUT, seed=seed, requests_per_minute=rate, **more)
    began = model.now
    if model.roll_out(MOST_REQUESTS) != ("Finished" if kind == "equal" else "RolledBack"):
        return None
    rows = model.judged[-1].findings[0].rows[1]
    return model.requests, rows, (model.now - began).total_seconds() / 60


def lines(kinds: Sequence[str], rates: Sequence[float], runs: int) -> Iterator[Line]:
    for kind in kinds:
        for rate in rates:
            yield measure(kind, rate, runs)


def main() -> None:
    """Run the kinds of the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=[])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    arguments = parser.parse_args()
    for line in lines(arguments.kinds or list(KINDS), arguments.rates, arguments.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
