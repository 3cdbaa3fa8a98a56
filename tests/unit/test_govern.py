"""The step govern: figures on record, rules of the policy that applies, required evidence, and who may register."""

from __future__ import annotations

import json

import pytest

from modelcycle.govern import govern
from modelcycle.messages import Governed, GovernRequest
from modelcycle.policy import Shelf, deployed_shelf, parse_policy
from modelcycle.registry import Registry
from modelcycle.store import put_json
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.test_card import RUN, facts

ANN = "arn:aws:iam::123456789012:user/ann"


class Candidate:
    """A run whose model is about to be registered."""

    def __init__(self, author: str | None = ANN) -> None:
        self.store, self.registry = MemoryStore(), Registry(MemoryTable())
        pipeline = self.store.put("adult/runs/r1/claim/p.yaml", b"name: adult\ntarget: income\n")
        run = RUN.model_copy(update={"pipeline": pipeline, "author": author})
        plan = put_json(self.store, "adult/runs/r1/engineer_features/plan.json", {"columns": []})
        manifest = put_json(self.store, "adult/runs/r1/collect/manifest.json", {"objects": []})
        target = {"name": "income", "type": "text", "rows": 9, "missing": 0, "distinct": 2}
        profile = put_json(self.store, "adult/runs/r1/preprocess/profile.json", {"columns": [], "target": target})
        report = put_json(self.store, "adult/runs/r1/validate/report.json", {})
        given = facts(
            engineer_features={"plan": plan}, collect={"manifest": manifest}, validate={"report": report},
            preprocess={"case_recipe": None, "profile": profile},
        )  # fmt: skip
        self.request: GovernRequest = given.request.model_copy(update={"run": run})

    def govern(self, policy: str = "", code: str = "c0de") -> Governed:
        shelf = Shelf({"a.yaml": parse_policy(f"name: strict\nversion: 1\nmodels: [adult]\n{policy}")})
        policies = shelf if policy else deployed_shelf()
        return govern(
            self.request, artifacts=self.store, registry=self.registry, code=code, policies=policies
        )  # fmt: skip


def test_the_default_policy_has_the_six_rules_and_the_figures_are_on_record() -> None:
    candidate = Candidate()
    governed = candidate.govern()
    assert (governed.decision, len(governed.rules), governed.broken) == ("passed", 6, [])
    assert governed.policy is not None and governed.policy.name == "default" and governed.figures is not None
    figures = json.loads(candidate.store.read(governed.figures))
    assert figures["metrics.accuracy"] == candidate.request.validate_.metrics["accuracy"]
    assert figures["rows.test"] == 4076 and figures["gates.passed"] == 1
    (entry,) = candidate.registry.audit.all("adult")
    assert entry.by == "policy default" and entry.evidence["policy"]["sha"] == governed.policy.sha
    assert "default, version 1" in candidate.store.read(governed.card).decode()


def test_a_second_delivery_and_another_policy() -> None:
    candidate = Candidate()
    first, again = candidate.govern(), candidate.govern()
    assert again.cached and again.model_copy(update={"cached": False}) == first
    other = candidate.govern("risk_tier: high\n")
    assert not other.cached and other.policy != first.policy and other.figures == first.figures


@pytest.mark.parametrize(("policy", "sentence"), [
    (
        "rules: [{name: precise, figure: metrics.accuracy, at_least: 0.99, remedy: add data}]\n",
        "precise: metrics.accuracy is 0.8712, at least 0.99 is required; add data",
    ),
    (
        "rules: [{name: fair, figure: fairness.tpr.ratio, at_least: 0.8, remedy: mitigate}]\n",
        "fair: fairness.tpr.ratio was not measured, at least 0.8 is required; mitigate",
    ),
    ("required_evidence: [fairness]\n", "the evidence 'fairness' is on record: missing: metrics by sensitive group"),
    (
        "permissions: 'forbid (principal, action == Action::\"register\", resource);'\n",
        "its author may register the model: this is forbidden (policy strict)",
    ),
])  # fmt: skip
def test_a_refusal_says_what_is_missing_and_what_to_do(policy: str, sentence: str) -> None:
    candidate = Candidate()
    governed = candidate.govern(policy)
    assert governed.decision == "refused" and len(governed.broken) == 1
    assert governed.broken[0].startswith(sentence), governed.broken
    (entry,) = candidate.registry.audit.all("adult")
    assert (entry.decision, entry.by) == ("refused", "policy strict") and sentence in entry.why


def test_a_run_that_nobody_has_started_has_no_author_as_evidence() -> None:
    policy = "required_evidence: [author]\n"
    assert Candidate().govern(policy).decision == "passed"
    (reason,) = Candidate(author=None).govern(policy).broken
    assert reason.endswith("start the run with `modelcycle run` or `modelcycle retrain`, which say who you are")


@pytest.mark.parametrize(("proved", "stated", "decision"), [
    (True, None, "passed"), (False, None, "refused"), (True, "arn:aws:iam::1:user/bob", "refused"),
])  # fmt: skip
def test_a_policy_may_ask_that_the_author_is_proved(proved: bool, stated: str | None, decision: str) -> None:
    governed = candidate_by(proved, stated).govern("required_evidence: [author_proved]\n")
    assert governed.decision == decision


@pytest.mark.parametrize(("policy", "decision"), [
    ("risk_tier: high\n", "passed"), ("approvals: {needed: 1, four_eyes: true}\n", "refused"),
    ("required_evidence: [author]\n", "refused"),
])  # fmt: skip
def test_a_run_that_names_another_author_than_is_proved_is_refused_where_it_matters(policy: str, decision: str) -> None:
    governed = candidate_by(True, "arn:aws:iam::1:user/bob").govern(policy)
    assert governed.decision == decision
    if governed.broken:
        assert governed.broken[0].startswith(
            f"its author is who has started it: arn:aws:iam::1:user/bob is named as who started it, and the data bucket"
            f" has proved that {ANN} did"
        )


def test_what_is_proved_later_is_not_answered_by_an_earlier_result() -> None:
    candidate, policy = Candidate(), "required_evidence: [author_proved]\n"
    assert candidate.govern(policy).decision == "refused"
    candidate.request = candidate_by(True, None).request
    assert candidate.govern(policy).decision == "passed"


def candidate_by(proved: bool, stated: str | None) -> Candidate:
    candidate = Candidate()
    run = candidate.request.run.model_copy(update={"author_proved": proved, "author_stated": stated})
    candidate.request = candidate.request.model_copy(update={"run": run})
    return candidate
