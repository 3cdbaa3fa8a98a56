"""Policies: what a model has to meet, and who may decide about it, as files that are deployed with the code.

`schema` is the content of a file, `parsing` reads one, `shelf` finds the one that applies to a model, `figures` lists
what rules may be about, `check` holds a run's figures against the rules, `freezes` says whether the traffic may move
now, `people` tells persons apart, and `permissions` asks Cedar who may do what.
"""

from modelcycle.policy.approvals import approvals_needed, asker_of, authors_of, evidence_of
from modelcycle.policy.check import broken, check, check_evidence, sentence_of
from modelcycle.policy.figures import EVIDENCE, Figures, Measured, figures_of_version, finite, known_figures
from modelcycle.policy.freezes import Freeze, freeze_at
from modelcycle.policy.parsing import parse_policy
from modelcycle.policy.people import UNKNOWN, is_same_person, person_of
from modelcycle.policy.schema import Action, Approvals, Policy, Rule, json_schema
from modelcycle.policy.shelf import Shelf, deployed_shelf
from modelcycle.policy.traffic import check_traffic, frozen, who_overrides

__all__ = [
    "EVIDENCE", "UNKNOWN", "Action", "Approvals", "Figures", "Freeze", "Measured", "Policy", "Rule", "Shelf",
    "approvals_needed", "asker_of", "authors_of", "broken", "check", "check_evidence", "check_traffic",
    "deployed_shelf", "evidence_of",
    "figures_of_version", "finite", "freeze_at", "frozen",
    "is_same_person", "json_schema", "known_figures", "parse_policy", "person_of", "sentence_of", "who_overrides",
]  # fmt: skip
