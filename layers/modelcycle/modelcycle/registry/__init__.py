"""Port: the registry. Runs, versions, routes and the audit trail, all in one table; its adapter is DynamoDB."""

from __future__ import annotations

from modelcycle.registry.audit import Audit, Entry
from modelcycle.registry.events import Kind, event
from modelcycle.registry.history import Move
from modelcycle.registry.routes import Route, Routes
from modelcycle.registry.runs import RunRecord, Runs
from modelcycle.registry.table import DynamoTable, Record, Table, Write
from modelcycle.registry.unit import Unit
from modelcycle.registry.versions import Standing, State, Version, Versions

__all__ = [
    "Audit", "DynamoTable", "Entry", "Kind", "Move", "Record", "Registry", "Route", "Routes", "RunRecord", "Runs",
    "Standing", "State", "Table", "Unit", "Version", "Versions", "Write", "event",
]  # fmt: skip


class Registry:
    """Everything that is known of models, by subject."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.runs = Runs(table)
        self.versions = Versions(table)
        self.routes = Routes(table, self.versions)
        self.audit = Audit(table)

    def unit(self, model: str) -> Unit:
        """A change of a model that is written as a whole."""
        return Unit(self.table, model)
