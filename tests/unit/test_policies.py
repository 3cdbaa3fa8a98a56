"""Policy files: every error with its line; which one applies to a model; and figures held against its rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcycle.faults import BadPolicy
from modelcycle.policy import Measured, Policy, Shelf, broken, check, check_evidence, parse_policy
from modelcycle.policy.people import is_same_person, person_of
from modelcycle.policy.permissions import Circumstances, refusal
from modelcycle.policy.schema import Rule

ROOT = Path(__file__).resolve().parents[2]
HEAD = "name: credit\nversion: 1\nmodels: [credit-*]\n"
ANN, BOB = "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/bob"
SSO = "arn:aws:sts::1:assumed-role/AWSReservedSSO_A"
CEDAR = "permissions: |\n  // who\n  permit (principal, action, resource);\n\n"


@pytest.mark.parametrize(("text", "line", "sentence"), [
    (HEAD + "risk_teir: high\n", 4, "unknown key risk_teir, did you mean risk_tier?"),
    (HEAD + "risk_tier: hihg\n", 4, "risk_tier: one of 'minimal', 'limited', 'high' is expected"),
    (
        HEAD + "rules:\n- {name: a, figure: metrics.acuracy, at_least: 1, remedy: b}\n", 5,
        "rules.0.figure: no run measures metrics.acuracy, did you mean metrics.accuracy?",
    ),
    (HEAD + "rules:\n- {name: a, figure: data.rows, remedy: b}\n", 5, "rules.0: give at_least, at_most, both of them"),
    (
        HEAD + "rules:\n- {name: a, figure: data.rows, at_least: 2, at_most: 1, remedy: b}\n", 5,
        "rules.0: at_least is above at_most",
    ),
    (HEAD + "rules:\n- {name: a, figure: data.rows, at_least: .nan, remedy: b}\n", 5, "rules.0.at_least: it should be"),
    (
        HEAD + "rules:\n- &r {name: a, figure: data.rows, at_least: 2, remedy: b}\n- *r\n", 5,
        "two rules are called 'a'",
    ),
    (HEAD + "required_evidence: [cards]\n", 4, "required_evidence.0: no run has the evidence cards, did"),
    (HEAD + "approvals: {needed: -1}\n", 4, "approvals.needed: it should be greater than or equal to 0"),
    (HEAD + "approvals: {expires_days: 0}\n", 4, "approvals.expires_days: it should be greater"),
    (HEAD + "freeze:\n- {name: a, from: 12-20, until: fri 18:00}\n", 5, "freeze.0: from and until have"),
    (HEAD + "freeze:\n- {name: a, from: 02-30, until: 03-01}\n", 5, "freeze.0.from: a moment is expected"),
    (HEAD + "freeze:\n- {name: a, from: 01-01, until: 01-02, time_zone: Mars/X}\n", 5, "freeze.0.time_zone: a"),
    (HEAD + "freeze:\n- {name: a, from: 01-01, until: 01-02, may_override: [x]}\n", 5, "there is no group 'x'"),
    (HEAD + CEDAR + '  forbid (principal, action == Action::"aprove", resource);\n', 8, "permissions: unrecognized"),
    (HEAD + CEDAR + '  forbid (principal in Group::"x", action, resource);\n', 8, "permissions: there is no group 'x'"),
    (HEAD + CEDAR + '  forbid (principal, action == Action::"rollback", resource);\n', 8, "permissions: a rollback"),
    (HEAD + CEDAR + '  forbid (principal, action == Action::"erase", resource);\n', 8, "permissions: unrecognized"),
    (HEAD + CEDAR + "  forbid (principal action)\n", 8, "permissions: this is not Cedar: unexpected token"),
    (HEAD + CEDAR + "  forbid (principal, action, resource) when { principal.age > 3 };\n", 8, "permissions: attr"),
    (HEAD + "permissions: ''\n", 4, "permissions: nobody may do anything"),
    ("name: credit\n", 1, "models is required"),
    ("", 1, "name, version and models are required"),
])  # fmt: skip
def test_each_error_of_a_policy_names_its_line(text: str, line: int, sentence: str) -> None:
    with pytest.raises(BadPolicy) as raised:
        parse_policy(text, permissions=True)
    assert any(at == line and said.startswith(sentence) for at, said in raised.value.errors), raised.value.errors


def test_the_policies_of_the_project_have_no_error_and_one_applies_to_every_model() -> None:
    shelf = Shelf.of(ROOT / "governance", permissions=True)
    assert len(shelf.policy_of("any-model").rules) >= 6
    text = (ROOT / "governance" / "default.yaml").read_text()
    assert parse_policy(text).sha == parse_policy(f"# a comment\n{text}\n").sha != ""


def shelf(**models: str) -> Shelf:
    return Shelf({name: parse_policy(f"name: {name}-x\nversion: 1\nmodels: [{one}]\n") for name, one in models.items()})


def test_the_policy_that_names_a_model_most_exactly_applies() -> None:
    policies = shelf(a='"*"', b="credit-*", c="credit-eu-*", d="credit-eu-1")
    named = {model: policies.policy_of(model).name for model in ("x", "credit-us", "credit-eu-2", "credit-eu-1")}
    assert named == {"x": "a-x", "credit-us": "b-x", "credit-eu-2": "c-x", "credit-eu-1": "d-x"}
    with pytest.raises(BadPolicy, match="two policies apply to ab: b and c"):
        shelf(a='"*"', b="a*", c='"*b"').policy_of("ab")
    with pytest.raises(BadPolicy, match="no policy applies to x"):
        shelf(b="credit-*").policy_of("x")


def test_two_files_of_one_name_or_for_the_same_models_are_refused_when_they_are_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(HEAD)
    with pytest.raises(BadPolicy, match=r"a\.yaml and b\.yaml are both called credit"):
        Shelf.of(tmp_path)
    (tmp_path / "b.yaml").write_text(HEAD.replace("name: credit", "name: other"))
    with pytest.raises(BadPolicy, match=r"a\.yaml and b\.yaml are both for the models credit-\*"):
        Shelf.of(tmp_path)


def policy(text: str) -> Policy:
    return parse_policy(HEAD + text, permissions=True)


def test_a_refusal_names_rule_figure_value_limit_and_remedy() -> None:
    rules = policy(
        "rules:\n"
        "- {name: enough rows, figure: data.rows, at_least: 100, at_most: 200, remedy: add rows}\n"
        '- {name: fair, figure: "fairness.selection_rate.ratio_high:marital status", at_least: 0.8, remedy: mitigate}\n'
        "- {name: fair if known, figure: fairness.tpr.ratio, at_least: 0.8, remedy: mitigate, if_present: true}\n"
    )  # fmt: skip
    checked = check(rules, {"data.rows": Measured(99, "one file")})
    assert broken(checked) == [
        "enough rows: one file (data.rows is 99, at least 100 and at most 200 is required); add rows",
        "fair: fairness.selection_rate.ratio_high:marital status was not measured, at least 0.8 is required; mitigate",
    ]
    assert checked[2].holds and "was not measured" in checked[2].detail
    assert not broken(check(policy("rules:\n- {name: a, figure: data.rows, equals: 7, remedy: b}\n"), {
        "data.rows": Measured(7)
    }))  # fmt: skip


def test_evidence_that_nobody_has_is_named_with_what_to_do() -> None:
    required = policy("required_evidence: [card, fairness, metrics.accuracy, about.oversight]\n")
    missing = check_evidence(required, lambda name: name == "card", {"metrics.accuracy": Measured(0.9)})
    assert broken(missing) == [
        "the evidence 'fairness' is on record: missing: metrics by sensitive group; name `sensitive_columns` in the"
        " pipeline file",
        "the evidence 'about.oversight' is on record: missing: who can overrule an answer, and how; Article 14 of the"
        " AI Act; write `about.oversight` in the pipeline file",
    ]


@pytest.mark.parametrize(("one", "other", "trusted", "same"), [
    (ANN, ANN, False, True), (ANN, BOB, False, False),
    ("arn:aws:sts::1:assumed-role/A/ann", "arn:aws:sts::1:assumed-role/A/bob", False, True),
    ("arn:aws:sts::1:assumed-role/A/ann", "arn:aws:sts::1:assumed-role/A/bob", True, False),
    ("arn:aws:sts::1:assumed-role/A/ann", "arn:aws:sts::1:assumed-role/B/ann", False, True),
    ("arn:aws:sts::1:assumed-role/A/ann", "arn:aws:sts::1:assumed-role/B/bob", False, False),
    ("arn:aws:sts::1:assumed-role/A/ann", "arn:aws:sts::2:assumed-role/A/bob", False, False),
    (f"{SSO}/ann", f"{SSO}/bob", False, False),
    ("unknown", "unknown", False, True), ("unknown", ANN, False, False),
    (ANN, "arn:aws:sts::123456789012:assumed-role/A/ann", True, True),
    ("arn:aws:iam::123456789012:user/staff/Ann", "arn:aws:sts::123456789012:assumed-role/A/ann", False, True),
    (ANN, "arn:aws:sts::123456789012:assumed-role/ann/bob", False, False),
    (ANN, "arn:aws:sts::123456789012:federated-user/bob", True, True),
    (ANN, "arn:aws:sts::1:federated-user/bob", False, False),
    ("arn:aws:iam::1:root", "arn:aws:iam::2:root", False, False),
])  # fmt: skip
def test_two_sessions_of_a_role_prove_no_second_person(one: str, other: str, trusted: bool, same: bool) -> None:
    assert is_same_person(one, other, trusted) is same is is_same_person(other, one, trusted)


def test_cedar_decides_and_its_reason_is_told() -> None:
    owned = policy(
        'groups: {owners: ["arn:aws:iam::*:user/ann"]}\n' + CEDAR.replace("principal,", 'principal in Group::"owners",')
        + '  @reason("not at night") forbid (principal, action == Action::"promote", resource)\n'
        '  when { context.frozen && resource.tier == "minimal" };\n'
    )  # fmt: skip
    allowed = {
        (who, action): refusal(owned, action, person_of(who), "credit-a", Circumstances(frozen=action == "promote"))
        for who in (ANN, BOB, 'a"b\\', "") for action in ("approve", "promote")
    }  # fmt: skip
    assert allowed[ANN, "approve"] == "" and allowed[ANN, "promote"] == "not at night (policy credit)"
    assert allowed[BOB, "approve"] == "nobody has permitted ann to approve it (policy credit)".replace("ann", "bob")
    assert all(allowed[who, "approve"] for who in ('a"b\\', ""))


def test_the_document_says_which_keys_a_rule_needs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
    (sentence,) = [one for one in " ".join(text.split()).split(". ") if " are needed" in one and "`figure`" in one]
    needed = {name for name, key in Rule.model_fields.items() if key.is_required()}
    assert {name for name in Rule.model_fields if f"`{name}`" in sentence} == needed
