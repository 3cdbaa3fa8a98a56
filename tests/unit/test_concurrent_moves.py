"""Many people and rollouts move the traffic of one model at once; the table's conditions are those of DynamoDB."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

from modelcycle.faults import NotAllowed, Raced
from modelcycle.registry import Record, Registry, Write
from tests.unit.traffic_cycle import ContendedTable, Cycle


class FarTable(ContendedTable):
    """A table behind a network: others write between a read and the write that follows from it."""

    delay = 0.0  # seconds
    lost = 0  # writes that came too late

    def get(self, pk: str, sk: str) -> Record | None:
        record = super().get(pk, sk)
        time.sleep(self.delay)
        return record

    def write(self, *writes: Write) -> None:
        try:
            super().write(*writes)
        except Raced:
            self.lost += 1
            raise


def test_two_hundred_moves_at_once_end_with_one_champion_and_a_history_without_gaps() -> None:
    cycle = Cycle()
    cycle.table = table = FarTable()
    cycle.registry = Registry(table)
    cycle.live(12)
    table.delay = 0.0005
    routes, standings = cycle.registry.routes, cycle.registry.standings

    def move(number: int) -> str:
        version, kind = number % 12 + 1, number % 5
        count = routes.get("m").moves
        try:
            if kind == 0:
                routes.promote("m", version, 100, f"person {number}")
            elif kind == 1:
                routes.promote("m", version, 10, "run", rollout=f"x{number}", step=0, expected_moves=count)
            elif kind == 2:
                routes.shadow("m", version, "run", rollout=f"x{number}", step=0, expected_moves=count)
            elif kind == 3:
                routes.withdraw("m", version, "", "rollout", "it did not complete")
            else:
                routes.roll_back("m", f"person {number}", version=version)
        except (Raced, NotAllowed) as refused:  # the answer to a person: try again, or the state forbids it by now
            return type(refused).__name__
        return "done"

    with ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(move, range(200)))

    moves = routes.moves("m")[::-1]
    assert [one.number for one in moves] == list(range(1, len(moves) + 1))
    assert all(later.before == earlier.after for earlier, later in itertools.pairwise(moves))
    route = routes.get("m")
    assert route == moves[-1].route and sum(route.weights.values()) == 100 and route.champion is not None
    live = {number for number, standing in standings.all("m").items() if standing.state == "live"}
    assert live == set(route.weights)
    assert table.lost > 100, "they raced"
    assert outcomes.count("done") > 100 and len(moves) > 12 + 10
    assert {one.kind for one in moves} == {"promoted", "rolled_back", "shadowed"}

    kinds = [write.body["kind"] for write in cycle.table.written if write.kind == "event"]
    announced = [kind for kind in kinds if kind in ("VersionPromoted", "VersionRolledBack", "VersionShadowed")]
    assert len(announced) == len(cycle.audited("rollout", "rollback", "withdraw", "shadow")) == len(moves)
