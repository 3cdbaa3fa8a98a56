"""The state of each version, which changes along the declared transitions only."""

from __future__ import annotations

from modelcycle.faults import Unknown
from modelcycle.registry import keys
from modelcycle.registry.audit import Audit, Entry
from modelcycle.registry.events import EventKind
from modelcycle.registry.table import Record, Table, Write, retry_when_raced
from modelcycle.registry.transitions import STATE_EVENTS, Standing, State, not_allowed
from modelcycle.registry.unit_of_work import UnitOfWork


class Standings:
    """The states of the versions of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.audit = Audit(table)

    def get(self, model: str, version: int) -> Standing:
        """Return a version's state.

        Raises
        ------
        Unknown : no such version
        """
        return self.read(model, version)[0]

    def all(self, model: str) -> dict[int, Standing]:
        """Return the state of every version, by version number."""
        records = self.table.query(*keys.states(model))
        return {keys.version_of_state(record.key): Standing.model_validate(record.body) for record in records}

    def check(self, model: str, version: int, state: State) -> None:
        """Check that a version is in `state` or may move there.

        Raises
        ------
        Unknown : no such version
        NotAllowed : no transition leads there; says what a person can do instead
        """
        standing = self.get(model, version)
        if standing.state != state and not standing.may_become(state):
            raise not_allowed(model, version, standing.state, state)

    @retry_when_raced
    def move(
        self, model: str, version: int, state: State, by: str, why: str = "", *,
        decision: str = "", final: bool = False, name: str = "", author: str | None = None,
    ) -> Standing:  # fmt: skip
        """Move a version to another state, with the audit entry of the decision.

        Idempotent: nothing happens if the version is in that state already, or if the decision was taken before.

        Parameters
        ----------
        decision : what the audit trail calls it; by default the state
        final : whether no later run may stage the version again
        name : identifies the decision (see `keys`); by default, the state that it changes does
        author : who started the run that asks for approval

        Returns
        -------
        the version's state now

        Raises
        ------
        NotAllowed : no transition leads there
        Raced : others changed the state at each attempt
        """
        standing, record = self.read(model, version)
        unchanged = standing.state == state and (standing.by == by or not standing.may_become(state))
        if unchanged or (name and self.audit.has(model, name)):
            return standing
        unit = UnitOfWork(self.table, model)
        self.put_transition(unit, version, state, by, why, final=final, author=author)
        kind = _event_kind(standing.state, state)
        if kind:
            unit.announce(kind, version=version, by=by, why=why)
        unit.audit(
            name or keys.decision_about_state(version, record.revision),
            Entry(subject=f"version {version}", decision=decision or state, by=by, why=why),
        )
        unit.commit()
        return self.get(model, version)

    def put_transition(
        self, unit: UnitOfWork, version: int, state: State, by: str, why: str = "", *,
        final: bool = False, allowed_from: set[State] | None = None, author: str | None = None,
    ) -> None:  # fmt: skip
        """Add a transition to a unit of work that holds more, such as a move of traffic.

        Parameters
        ----------
        allowed_from : the states from which it may lead; by default those that TRANSITIONS declares
        author : who started the run that asks for approval

        Raises
        ------
        NotAllowed : the version is in another state
        """
        standing, record = self.read(unit.model, version)
        allowed = standing.may_become(state) if allowed_from is None else standing.state in allowed_from
        if not allowed:
            raise not_allowed(unit.model, version, standing.state, state)
        after = Standing(state=state, by=by, why=why, final=final or state == "rejected", author=author)
        unit.put(Write(*record.key, after.model_dump(mode="json"), record.revision))

    def read(self, model: str, version: int) -> tuple[Standing, Record]:
        """Return a version's state, and the table's record of it, for a writer.

        Raises
        ------
        Unknown : no such version
        """
        record = self.table.get(*keys.state(model, version))
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists its versions")
        return Standing.model_validate(record.body), record


def _event_kind(before: State, after: State) -> EventKind | None:
    if before == "awaiting_approval" and after == "staged":
        return "VersionApproved"
    return STATE_EVENTS.get(after)
