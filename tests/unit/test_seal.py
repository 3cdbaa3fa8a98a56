"""Seals: one a day, chained, signed, never rewritten; missed days are caught up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from modelcycle.captured.manifest import Manifest, Progress, manifest_key, progress_key
from modelcycle.faults import Transient
from modelcycle.messages import Sealed, SealRequest
from modelcycle.registry import Entry, Registry, Write, keys
from modelcycle.registry.chain import BEFORE_THE_FIRST
from modelcycle.seal import read_seal, seal, seal_key, sealed_days
from tests.fakes import MemoryKeys, MemoryStore, MemoryTable

AT = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
DAY = timedelta(days=1)


class Site:
    """Two models with audit entries; the first has compacted captures."""

    def __init__(self) -> None:
        self.data, self.seals, self.keys = MemoryStore("data"), MemoryStore("seals"), MemoryKeys()
        self.registry = Registry(MemoryTable())
        for model in ("a", "b", "quiet"):
            self.registry.table.write(Write(*keys.model_entry(model), {}))
        for model in ("a", "b"):
            self.decide(model, "first")

    def decide(self, model: str, name: str) -> None:
        self.registry.audit.add(model, name, Entry(subject="s", decision="d", by="b"))

    def compacted(self, *hours: datetime, through: datetime) -> None:
        for hour in hours:
            self.data.upload(manifest_key("a", hour), Manifest(objects={f"{hour}": "e"}).to_bytes())
        self.data.upload(progress_key("a"), Progress(through=through).model_dump_json().encode())

    def seal(self, at: datetime = AT, clock: Callable[[], float] = lambda: 0.0) -> Sealed:
        request = SealRequest(kind="seal", at=at)
        return seal(
            request, data=self.data, seals=self.seals, registry=self.registry, keys=self.keys, clock=clock  # type: ignore[arg-type]
        )  # fmt: skip

    def days(self) -> list[date]:
        return list(sealed_days(self.seals))  # type: ignore[arg-type]

    def read(self, day: date):  # type: ignore[no-untyped-def]
        return read_seal(self.seals, day)  # type: ignore[arg-type]


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_seal_holds_the_end_of_each_trail_and_is_signed(site: Site) -> None:
    site.decide("a", "second")
    assert site.seal() == Sealed(days=["2026-03-09"], models=2, signed=True)
    made, _ = site.read(date(2026, 3, 9))
    assert made.heads == {model: site.registry.audit.head(model) for model in ("a", "b")}
    assert (made.heads["a"].number, made.previous, made.previous_day) == (2, BEFORE_THE_FIRST, None)
    assert site.keys.verify(made.digest, made.signature_bytes)
    assert not site.keys.verify(made.model_copy(update={"heads": {}}).digest, made.signature_bytes)


def test_a_day_is_sealed_once_whatever_is_delivered_again(site: Site) -> None:
    site.seal()
    before = dict(site.seals.objects)
    site.decide("a", "later")
    assert site.seal().days == [] and site.seal(AT + timedelta(hours=20)).days == []
    assert site.seals.objects == before


def test_missed_days_are_caught_up_in_a_chain(site: Site) -> None:
    site.seal()
    site.decide("b", "while it was missed")
    assert site.seal(AT + 3 * DAY).days == ["2026-03-10", "2026-03-11", "2026-03-12"]
    previous, last_day = BEFORE_THE_FIRST, None
    for day in site.days():
        made, _ = site.read(day)
        assert (made.previous, made.previous_day) == (previous, last_day)
        previous, last_day = hashlib.sha256(site.seals.objects[seal_key(day)]).hexdigest(), day
    assert made.heads["b"].number == 2 and made.at == AT + 3 * DAY


def test_a_seal_of_a_day_to_come_does_not_end_sealing(site: Site) -> None:
    site.seal()
    planted, _ = site.read(date(2026, 3, 9))
    for day in (date(2026, 3, 11), date(2099, 1, 1)):
        site.seals.put(seal_key(day), planted.model_copy(update={"day": day}).to_bytes())
    assert site.seal(AT + DAY).days == ["2026-03-10"]
    assert site.read(date(2026, 3, 10))[0].previous == site.read(date(2026, 3, 9))[1]


@pytest.mark.parametrize("is_seal", [True, False])
def test_what_lies_in_the_place_of_a_seal_does_not_end_sealing(site: Site, is_seal: bool) -> None:
    site.seal()
    of_another_day = site.read(date(2026, 3, 9))[0].model_copy(update={"day": date(2099, 1, 1)})
    planted = of_another_day.to_bytes() if is_seal else b"no seal"
    site.seals.put(seal_key(date(2026, 3, 10)), planted)
    assert site.seal(AT + 2 * DAY).days == ["2026-03-11"]
    assert site.read(date(2026, 3, 11))[0].previous == hashlib.sha256(planted).hexdigest()


def test_when_the_time_is_up_the_next_call_goes_on(site: Site) -> None:
    site.seal()
    ticks = iter(range(0, 10_000, 350))
    first = site.seal(AT + 5 * DAY, clock=lambda: next(ticks))
    assert (len(first.days), first.behind) == (1, 4)
    site.seal(AT + 5 * DAY)
    assert site.days() == [date(2026, 3, 9) + number * DAY for number in range(6)]


def test_the_slower_of_two_calls_goes_on_from_the_seal_of_the_faster_one(site: Site) -> None:
    site.seal()
    put = site.seals.put

    def raced(key: str, body: bytes):  # type: ignore[no-untyped-def]
        site.seals.put = put  # type: ignore[method-assign]
        site.seal(AT + DAY)
        return put(key, body)

    site.seals.put = raced  # type: ignore[method-assign,assignment]
    site.seal(AT + 2 * DAY)
    first, second = (site.read(date(2026, 3, day)) for day in (10, 11))
    assert second[0].previous == first[1] and len(site.days()) == 3


def test_nothing_is_sealed_without_a_signature_because_the_key_does_not_answer(site: Site) -> None:
    site.keys.outage = Transient("KMS does not answer")
    with pytest.raises(Transient):
        site.seal()
    assert site.days() == []


def test_a_stack_without_a_key_seals_without_a_signature(site: Site) -> None:
    site.keys = MemoryKeys(signs=False)
    assert site.seal() == Sealed(days=["2026-03-09"], models=2, signed=False)


def test_manifests_are_sealed_once_no_late_capture_can_change_them(site: Site) -> None:
    hours = [datetime(2026, 3, day, 5, tzinfo=UTC) for day in (1, 6, 7, 8, 9)]
    site.compacted(*hours, through=AT)
    site.seal()
    # through 10 March 00:00, and 48 hours for late ones; the first seal goes back a week
    sealed = site.read(date(2026, 3, 9))[0].captures["a"]
    assert list(sealed.manifests) == [manifest_key("a", hour) for hour in hours if hour.day in (1, 6, 7)]
    assert (
        sealed.manifests[manifest_key("a", hours[1])]
        == hashlib.sha256(site.data.objects[manifest_key("a", hours[1])]).hexdigest()
    )
    site.compacted(through=AT + DAY)
    site.seal(AT + DAY)
    assert list(site.read(date(2026, 3, 10))[0].captures["a"].manifests) == [manifest_key("a", hours[3])]


def test_while_compaction_is_behind_no_manifest_is_sealed_and_none_is_left_out_later(site: Site) -> None:
    hour = datetime(2026, 3, 6, 5, tzinfo=UTC)
    site.compacted(hour, through=datetime(2026, 3, 6, 6, tzinfo=UTC))
    site.seal()
    assert site.read(date(2026, 3, 9))[0].captures["a"].manifests == {}
    site.compacted(through=AT + DAY)
    site.seal(AT + DAY)
    assert list(site.read(date(2026, 3, 10))[0].captures["a"].manifests) == [manifest_key("a", hour)]
