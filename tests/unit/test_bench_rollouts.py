"""The shape of `bench/rollouts.py`: what rollouts decide by themselves, with few runs."""

from __future__ import annotations

from bench.rollouts import KINDS, lines


def test_a_slow_challenger_is_rolled_back_and_an_equal_one_goes_live() -> None:
    for line in lines(["slower", "equal"], [300.0], 1):
        assert line.right == line.runs == 1 and line.requests[0] < 10_000
        assert ("went live" if line.kind == "equal" else "rolled back") in str(line)
    assert list(KINDS) == ["slower", "errors", "drift", "worse", "equal"]
