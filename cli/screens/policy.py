"""The screens of policies: all of them, that of one model, and what rules may be about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cli.screens.lines import INDENT, clip, count, figure, labelled, minute, person, rules_hold, table
from modelcycle.messages import Rule
from modelcycle.policy import Policy

OF_A_COLUMN = "Those by sensitive group also of one column, such as fairness.selection_rate.ratio_low:sex"
LABEL_WIDTH = 12  # characters
NOT_DEPLOYED = "other policies than these files are deployed: `modelcycle up` or `make deploy` deploys these"


class Waiting(NamedTuple):
    """A version that waits for approval.

    Parameters
    ----------
    author : ARN of who started its run, or `unknown`
    asker : ARN of who started the run that asks, or `unknown`; another one if an earlier run made the same version
    by : ARNs of who has approved it so far
    needed : approvals by different people
    """

    version: int
    asked_at: datetime
    expires_at: datetime
    author: str
    asker: str
    by: list[str]
    needed: int


def policies_text(policies: Mapping[str, Policy]) -> str:
    """Return one line for each policy, by its file."""
    rows = [
        [
            policy.name, str(policy.version), policy.risk_tier, clip(", ".join(policy.models), 50),
            str(len(policy.rules)), policy.sha[:12], f"governance/{file}",
        ]
        for file, policy in policies.items()
    ]  # fmt: skip
    shown = table(["policy", "version", "tier", "models", "rules", "hash", "file"], rows)
    return f"{shown}\n\nmodelcycle policy MODEL shows which one applies to a model, and how its newest run stands."


def policy_text(
    model: str, file: str, policy: Policy, run: str | None, rules: Sequence[Rule] | None,
    waiting: Sequence[Waiting], live: Mapping[int, str], frozen: str, is_deployed: bool, refused: str = "",
    *, exists: bool = True,
) -> str:  # fmt: skip
    """Return which policy applies to a model, its rules with the figures of the newest run, and who has to approve.

    Parameters
    ----------
    run : the newest one that was governed; None: none was
    rules : held against its figures; None: they are not on record
    live : the versions with traffic, and why each would get none today; empty if it would
    frozen : why no version gets more traffic now; empty if one may
    is_deployed : the deployment has the policies of these files
    refused : why the policy of then refused the run; empty if it did not
    exists : whether the place has a model of this name
    """
    named = f"policy {policy.name}, version {policy.version}, hash {policy.sha[:12]}, risk tier {policy.risk_tier}"
    if not policy.rules:
        held = "it has none: no figure of a run is held against a limit"
    elif rules is not None:
        held = f"{rules_hold(sum(rule.holds for rule in rules), len(rules))} for run {run}"
    else:
        held = f"the figures of run {run} are not on record" if run else "no run has been governed yet"
    rows = [
        ("file", f"governance/{file}"),
        ("note", "" if exists else f"there is no model {model} yet; `modelcycle models` lists those that are"),
        ("note", "" if is_deployed else NOT_DEPLOYED),
        ("approvals", _approvals(policy)),
        ("frozen", frozen),
        ("evidence", ", ".join(policy.required_evidence)),
        ("rules", held),
        ("refused", refused),
        *(("live", f"it keeps its traffic, but would get none today: {why}") for why in live.values() if why),
    ]
    lines = [f"{model}: {named}", *labelled(rows, LABEL_WIDTH)]
    if not policy.rules:
        return "\n".join([*lines, *_waiting(model, waiting)])
    lines.append("")
    if rules is not None:
        shown = [
            ["holds" if rule.holds else "broken", clip(rule.name, 60), rule.figure, _value(rule), rule.limit]
            for rule in rules
        ]
        lines.append(table(["", "rule", "figure", "value", "limit"], shown))
        lines += [f"{INDENT}{clip(rule.name, 60)}: {rule.remedy}" for rule in rules if not rule.holds]
    else:
        shown = [[clip(rule.name, 60), rule.figure, rule.limit] for rule in policy.rules]
        lines.append(table(["rule", "figure", "limit"], shown))
    return "\n".join([*lines, *_waiting(model, waiting)])


def figures_text(figures: Mapping[str, str], evidence: Mapping[str, str]) -> str:
    """Return what rules and `required_evidence` may name."""
    known = table(["figure", "what it is"], [[name, what] for name, what in figures.items()])
    named = table(["evidence", "what it is"], [[name, what] for name, what in evidence.items()])
    return f"{known}\n\n{OF_A_COLUMN}\n\n{named}"


def _approvals(policy: Policy) -> str:
    rules = policy.approvals
    people = "one person, where the pipeline file, a gate or the stack asks" if not rules.needed else (
        "one person" if rules.needed == 1 else f"{rules.needed} people"
    )  # fmt: skip
    eyes = ", never who started the run (two if nobody knows who did)" if rules.four_eyes else ""
    return f"{people}{eyes}; refused after {count(rules.expires_days, 'day')} without an answer"


def _value(rule: Rule) -> str:
    if rule.value is None:
        return "not measured"
    return f"{rule.value:,.0f}" if float(rule.value).is_integer() else figure(rule.value)  # counts, and true or false


def _waiting(model: str, waiting: Sequence[Waiting]) -> list[str]:
    """Return how many approvals each waiting version has, and until when it waits."""
    if not waiting:
        return []
    rows = [
        [
            f"{model}:{one.version}", f"{len(one.by)} of {one.needed}", ", ".join(person(by) for by in one.by),
            ", ".join(person(author) for author in dict.fromkeys((one.author, one.asker))), minute(one.expires_at),
        ]
        for one in waiting
    ]  # fmt: skip
    return ["", table(["waits", "approvals", "by", "its run is by", "refused after"], rows)]
