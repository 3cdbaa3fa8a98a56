"""Port: the registry. Runs, versions, routes and the audit trail, all in one table. Adapter: DynamoDB.

Only this package knows the table's keys (`keys` lists them). Callers use the named methods of `Registry`'s parts.
"""

from __future__ import annotations

from modelcycle.registry.approvals import Approval, Approvals, Approved, Counted
from modelcycle.registry.audit import Audit, Entry
from modelcycle.registry.chain import Head
from modelcycle.registry.erasures import ErasureRecord, Erasures, LearnedFromErased, Rewritten
from modelcycle.registry.events import EventKind
from modelcycle.registry.incident import Incident, IncidentChange
from modelcycle.registry.incident_kinds import IncidentKind
from modelcycle.registry.incidents import Incidents
from modelcycle.registry.judgements import Judgement, Judgements
from modelcycle.registry.landings import Known, Landing, Landings
from modelcycle.registry.leases import Claim, Leases, Upload
from modelcycle.registry.monitoring import Announcement, MonitoringResults
from modelcycle.registry.moves import Move, Route, champion
from modelcycle.registry.quotes import Quotes, Quoting
from modelcycle.registry.results import Results
from modelcycle.registry.retrainings import Governor, RetrainingDecision, Retrainings, StartedRun
from modelcycle.registry.routes import Routes
from modelcycle.registry.runs import RunRecord, Runs
from modelcycle.registry.standings import Standings
from modelcycle.registry.streams import Shard, Streams
from modelcycle.registry.table import DynamoTable, Record, Table, Write
from modelcycle.registry.transitions import Standing, State, not_allowed, state_in_words
from modelcycle.registry.unit_of_work import UnitOfWork
from modelcycle.registry.versions import ReferenceRows, SignedNumbers, Version, Versions

__all__ = [
    "Announcement",
    "Approval",
    "Approvals",
    "Approved",
    "Audit",
    "Claim",
    "Counted",
    "DynamoTable",
    "Entry",
    "ErasureRecord",
    "Erasures",
    "EventKind",
    "Governor",
    "Head",
    "Incident",
    "IncidentChange",
    "IncidentKind",
    "Incidents",
    "Judgement",
    "Judgements",
    "Known",
    "Landing",
    "Landings",
    "LearnedFromErased",
    "Leases",
    "MonitoringResults",
    "Move",
    "Quotes",
    "Quoting",
    "Record",
    "ReferenceRows",
    "Registry",
    "Results",
    "RetrainingDecision",
    "Retrainings",
    "Rewritten",
    "Route",
    "Routes",
    "RunRecord",
    "Runs",
    "Shard",
    "SignedNumbers",
    "Standing",
    "Standings",
    "StartedRun",
    "State",
    "Streams",
    "Table",
    "UnitOfWork",
    "Upload",
    "Version",
    "Versions",
    "Write",
    "champion",
    "not_allowed",
    "state_in_words",
]  # fmt: skip


class Registry:
    """Everything that is on record about models, by subject."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.runs = Runs(table)
        self.leases = Leases(table, self.runs)
        self.landings = Landings(table)
        self.results = Results(table)
        self.standings = Standings(table)
        self.versions = Versions(table, self.standings)
        self.approvals = Approvals(table, self.standings)
        self.routes = Routes(table, self.standings)
        self.streams = Streams(table)
        self.judgements = Judgements(table)
        self.monitoring = MonitoringResults(table)
        self.incidents = Incidents(table)
        self.retrainings = Retrainings(table)
        self.erasures = Erasures(table)
        self.quotes = Quotes(table)
        self.audit = Audit(table)

    def unit_of_work(self, model: str) -> UnitOfWork:
        """Return a unit of work: one change of a model, written in one transaction."""
        return UnitOfWork(self.table, model)
