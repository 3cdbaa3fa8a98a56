"""The load test: requests of one row to the function that serves the version, more and more at once, then for a while.

One process sends the requests. It cannot send more than some hundreds a second, so the throughput is what this caller
got, not what the function could give (docs/limits.md).
"""

from __future__ import annotations

import itertools
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from modelcycle.spec import Staging
from modelcycle.stage.candidate import Candidate, Reply
from modelcycle.stage.expected_answers import ExpectedAnswers
from modelcycle.stage.load_figures import ColdStart, Level, LoadTest, Times
from modelcycle.stage.memory_growth import growth_of

PAUSE_SECONDS = 0.05  # after a call that Lambda refused
MAX_ROWS = 500  # that are asked for, in turn
MAX_EVENT_BYTES = 32 * 2**20  # of all requests
MAX_SAMPLES = 500  # of an environment's memory in a soak


class _Recorder:
    """Collects replies of several threads in bounded memory."""

    def __init__(self, test: LoadTest) -> None:
        self.test = test
        self.lock = threading.Lock()
        self.known: set[str] = set()  # environments
        self.first: dict[int, Reply] = {}  # answers by row

    def add(self, reply: Reply, row: int, level: _LevelRecord) -> None:
        with self.lock:
            if reply.outcome in ("throttled", "failed"):
                level.refused[reply.detail] += 1
                return
            if reply.outcome == "error":
                level.errors[reply.detail] += 1
            is_first = self._note_environment(reply, level)
            if reply.outcome != "answered":
                return
            level.answered += 1
            self.first.setdefault(row, reply)
            if not is_first:
                level.round_trips.append(reply.round_trip_ms)
                if reply.environment:
                    level.own.append(reply.environment.ms)

    def _note_environment(self, reply: Reply, level: _LevelRecord) -> bool:
        """Note memory and cold start; return whether this was the environment's first call of this test."""
        told, test = reply.environment, self.test
        if told is None:
            return False
        test.source = "log" if reply.reported_mb is not None else test.source or "function"
        test.memory_mb = max(test.memory_mb, reply.reported_mb or told.peak_mb)
        level.environments.add(told.id)
        level.sample(told.id, told.calls, told.memory_mb)
        if told.id in self.known:
            return False
        self.known.add(told.id)
        if told.calls == 1:
            test.cold_starts.append(ColdStart(reply.reported_init_ms or told.init_ms, told.ms))
        return True


class _LevelRecord:
    def __init__(self, sample_seconds: float) -> None:
        self.answered = 0
        self.own = array("d")
        self.round_trips = array("d")
        self.errors: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.environments: set[str] = set()
        self.sample_seconds = sample_seconds
        self.samples: dict[str, list[tuple[int, float]]] = {}
        self._sampled_at: dict[str, float] = {}

    def sample(self, environment: str, calls: int, memory_mb: float) -> None:
        """Keep an environment's memory, at most MAX_SAMPLES times in a soak."""
        now = time.monotonic()
        if now - self._sampled_at.get(environment, float("-inf")) >= self.sample_seconds:
            self._sampled_at[environment] = now
            self.samples.setdefault(environment, []).append((calls, memory_mb))


def load_test(candidate: Candidate, expected: ExpectedAnswers, settings: Staging) -> LoadTest:
    """Ask for test rows at each concurrency of the pipeline file, then for `soak_seconds` at the highest.

    Before each level, as many requests as run at once start the environments. A level in which nothing was answered
    ends the test.

    Parameters
    ----------
    expected : with at least one row
    """
    events = _events(candidate, expected)
    test = LoadTest()
    recorder = _Recorder(test)

    def level(concurrency: int, seconds: float) -> tuple[Level, _LevelRecord]:
        return _run(candidate, events, concurrency, seconds, recorder)

    for concurrency in settings.concurrency:
        measured, _ = level(concurrency, settings.load_seconds)
        own = measured.own_ms
        if not test.levels and own and own.p99 > settings.p99_ms:  # another process may have had the processor
            again, _ = level(concurrency, settings.load_seconds)
            test.repeated = True
            measured = measured.or_faster(again)
        test.levels.append(measured)
        if not measured.answered:
            break
    if settings.soak_seconds and test.levels and test.levels[-1].answered:
        test.soak, record = level(settings.concurrency[-1], settings.soak_seconds)
        grown = [growth for samples in record.samples.values() if (growth := growth_of(samples))]
        test.growth = max(grown, key=lambda growth: (growth.is_leak, growth.mb), default=None)
    test.compared = len(recorder.first)
    test.differences = sum(_differs(expected, row, reply) for row, reply in recorder.first.items())
    return test


def _events(candidate: Candidate, expected: ExpectedAnswers) -> list[bytes]:
    """Return requests for the first rows, at least one, in bounded memory."""
    events: list[bytes] = []
    size = 0
    for row, instance in enumerate(expected.instances[:MAX_ROWS]):
        event = candidate.event(row, instance)
        size += len(event)
        if events and size > MAX_EVENT_BYTES:
            break
        events.append(event)
    return events


def _run(
    candidate: Candidate, events: Sequence[bytes], concurrency: int, seconds: float, recorder: _Recorder
) -> tuple[Level, _LevelRecord]:
    record = _LevelRecord(seconds / MAX_SAMPLES)
    warm_up = _LevelRecord(seconds / MAX_SAMPLES)
    rows = itertools.cycle(range(len(events)))

    def ask(into: _LevelRecord) -> None:
        row = next(rows)
        reply = candidate.ask(events[row])
        recorder.add(reply, row, into)
        if reply.outcome in ("throttled", "failed"):
            time.sleep(PAUSE_SECONDS)

    def keep_asking(ends: float) -> None:
        while time.perf_counter() < ends:
            ask(record)

    with ThreadPoolExecutor(concurrency, thread_name_prefix="load") as pool:
        _all(pool, concurrency, lambda: ask(warm_up))
        started = time.perf_counter()
        _all(pool, concurrency, lambda: keep_asking(started + seconds))
        took = time.perf_counter() - started
    return Level(
        concurrency, round(took, 3), record.answered, Times.of(record.own), Times.of(record.round_trips),
        dict(record.errors + warm_up.errors), dict(record.refused + warm_up.refused),
        len(record.environments | warm_up.environments),
    ), record  # fmt: skip


def _all(pool: ThreadPoolExecutor, number: int, work: Callable[[], None]) -> None:
    """Do the same work in `number` threads; raise the first error."""
    for done in [pool.submit(work) for _ in range(number)]:
        done.result()


def _differs(expected: ExpectedAnswers, row: int, reply: Reply) -> bool:
    probabilities = reply.body.get("probabilities")
    return expected.differs(row, reply.body["predictions"][0], probabilities[0] if probabilities else None)
