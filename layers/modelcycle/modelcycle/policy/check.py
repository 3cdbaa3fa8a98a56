"""Hold the figures of a run or version against the rules of a policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from modelcycle import messages
from modelcycle.policy.figures import EVIDENCE, Figures
from modelcycle.policy.schema import Policy, Rule


def check(policy: Policy, figures: Figures) -> list[messages.Rule]:
    """Return every rule and whether it holds, in the order of the file.

    A figure that is not there breaks its rule, unless the rule says `if_present`.
    """
    return [_checked(rule, figures) for rule in policy.rules]


def check_evidence(policy: Policy, has: Callable[[str], bool], figures: Figures) -> list[messages.Rule]:
    """Return a broken rule for each evidence that the policy requires and nobody has.

    Parameters
    ----------
    has : whether the evidence of a name is on record
    """
    return [
        messages.Rule(
            name=f"the evidence {name!r} is on record", holds=False, detail=f"missing: {EVIDENCE.get(name, name)}",
            remedy=_remedy(name),
        )
        for name in policy.required_evidence
        if not (has(name) if name in EVIDENCE else name in figures)
    ]  # fmt: skip


REMEDIES = {
    "comparison": "a first version has nothing to be compared with: take this out of required_evidence",
    "fairness": "name `sensitive_columns` in the pipeline file",
    "refit check": "let the run refit on all rows (`training.refit`)",
    "contract": "run again: `preprocess` writes it",
    "author": "start the run with `modelcycle run` or `modelcycle retrain`, which say who you are",
    "author_proved": "start it with `modelcycle run`, with the right s3:PutObjectTagging (docs/policy.md)",
}


def _remedy(name: str) -> str:
    if name.startswith("about."):
        return f"write `{name}` in the pipeline file"
    return REMEDIES.get(name, "`modelcycle policy --figures` says what it is")


def sentence_of(rule: messages.Rule) -> str:
    """Return a broken rule as a sentence: its name, what was found, figure, value, limit and remedy.

    >>> sentence_of(messages.Rule(name="accuracy", holds=False, figure="metrics.accuracy", value=0.7,
    ...     limit="at least 0.8 is required", remedy="add data"))
    'accuracy: metrics.accuracy is 0.7, at least 0.8 is required; add data'
    """
    measured = ""
    if rule.figure:
        value = f"is {rule.value:.4g}" if rule.value is not None else "was not measured"
        measured = f"{rule.figure} {value}, {rule.limit}"
    found = " (".join(part for part in (rule.detail, measured) if part)
    found += ")" if rule.detail and measured else ""
    return "; ".join(part for part in (f"{rule.name}: {found}" if found else rule.name, rule.remedy) if part)


def broken(rules: Iterable[messages.Rule]) -> list[str]:
    """Return the rules that do not hold, as sentences."""
    return [sentence_of(rule) for rule in rules if not rule.holds]


def _checked(rule: Rule, figures: Figures) -> messages.Rule:
    measured = figures.get(rule.figure)
    named = {"name": rule.name, "figure": rule.figure, "limit": rule.limit, "remedy": rule.remedy}
    if measured is None:
        left_out = f"{rule.figure} was not measured, and the rule then allows that" if rule.if_present else ""
        return messages.Rule.model_validate(named | {"holds": rule.if_present, "detail": left_out})
    return messages.Rule.model_validate(
        named | {"holds": rule.allows(measured.value), "detail": measured.detail, "value": measured.value}
    )
