"""The content of a policy file. Unknown keys are errors, so every key in a file has an effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from modelcycle.policy.figures import unknown_evidence, unknown_figure
from modelcycle.policy.freezes import Freeze
from modelcycle.spec.section import Section, cross_field_error

MAX_APPROVALS = 10
MAX_EXPIRES_DAYS = 400
MODEL_PATTERN = r"^[a-z0-9*?\[\]!-]{1,64}$"

Tier = Literal["minimal", "limited", "high"]
Action = Literal["approve", "reject", "promote", "register"]
"""What permissions are about. No policy can forbid a rollback; IAM decides about erasures."""

ModelPattern = Annotated[str, StringConstraints(pattern=MODEL_PATTERN)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]


Text = Annotated[str, StringConstraints(min_length=1)]
Path = tuple[int | str, ...]  # of keys in a policy file


def _known_figure(name: str) -> str:
    problem = unknown_figure(name)
    if problem:
        raise ValueError(problem)
    return name


def _known_evidence(name: str) -> str:
    problem = unknown_evidence(name)
    if problem:
        raise ValueError(problem)
    return name


class Rule(Section):
    """What one figure of a run must be."""

    name: Sentence = Field(description="what screens call the rule, as a statement that holds or does not")
    figure: Annotated[str, AfterValidator(_known_figure)] = Field(
        description="the figure that it is about; `modelcycle policy --figures` lists them"
    )
    at_least: float | None = Field(None, description="lowest value that is allowed")
    at_most: float | None = Field(None, description="highest value that is allowed")
    equals: float | None = Field(None, description="the only value that is allowed; true is 1, false is 0")
    remedy: Sentence = Field(description="what a person can do if the rule does not hold")
    if_present: bool = Field(False, description="a run that lacks the figure is allowed")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Rule:
        problem = limits_problem(self.at_least, self.at_most, self.equals)
        if problem:
            raise ValueError(problem)
        return self

    @property
    def limit(self) -> str:
        """The limit in words."""
        if self.equals is not None:
            return f"{self.equals:g} is required"
        if self.at_least is None and self.at_most is not None:
            return f"at most {self.at_most:g} is allowed"
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        return " and ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None) + " is required"

    def allows(self, value: float) -> bool:
        """Return whether a value is within the limit.

        >>> Rule(name="a", figure="data.unreadable", at_most=0.05, remedy="b").allows(0.05)
        True
        """
        return not (
            (self.equals is not None and value != self.equals)
            or (self.at_least is not None and value < self.at_least)
            or (self.at_most is not None and value > self.at_most)
        )


class Approvals(Section):
    """Who has to approve a version before it gets traffic."""

    needed: int = Field(
        0, ge=0, le=MAX_APPROVALS,
        description="people who have to approve every version; 0: one, and only where the pipeline file, a gate or the"
        " stack asks",
    )  # fmt: skip
    four_eyes: bool = Field(
        False,
        description="the author of a run is never one of them; where nobody knows the author, at least two approve",
    )
    expires_days: int = Field(
        30, ge=1, le=MAX_EXPIRES_DAYS, description="days after which a version that nobody has approved is refused"
    )
    session_names: Literal["chosen", "trusted"] = Field(
        "chosen",
        description="whether the sessions of one IAM role are different people: trusted, if your identity provider sets"
        " their names; chosen: whoever assumes the role chooses the name, so they count as one person",
    )

    @property
    def trusts_sessions(self) -> bool:
        """Whether two sessions of an IAM role are two people."""
        return self.session_names == "trusted"


class Policy(Section):
    """What the models that it names have to meet, and who may decide about them."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,46}[a-z0-9]$")]
    version: int = Field(ge=1, description="yours to count: raise it with every change")
    models: list[ModelPattern] = Field(
        min_length=1, description="names of models, or patterns such as credit-*; * is the policy of all others"
    )
    risk_tier: Tier = Field("minimal", description="of the models; `permissions` can refer to it")
    rules: list[Rule] = Field([], description="what the figures of a run must be")
    required_evidence: list[Annotated[str, AfterValidator(_known_evidence)]] = Field(
        [], description="what must be on record before a version is registered"
    )
    approvals: Approvals = Approvals()
    freeze: list[Freeze] = Field([], description="when no version gets more traffic; a rollback is always possible")
    groups: dict[Text, list[Text]] = Field(
        {}, description="people by pattern of their ARN, such as auditors: ['arn:aws:iam::*:user/ann']"
    )
    permissions: str = Field(
        "permit (principal, action, resource);",
        description="who may do what, in Cedar (docs/policy.md)",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Policy:
        problems = [
            *same_names([rule.name for rule in self.rules]),
            *missing_groups([freeze.may_override for freeze in self.freeze], self.groups),
        ]
        for path, sentence in problems[:1]:
            raise cross_field_error(path, sentence)
        return self

    @property
    def sha(self) -> str:
        """SHA-256 of the content, whatever its order of keys, comments and spaces."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """How sentences name it."""
        return f"policy {self.name}"

    @property
    def described(self) -> str:
        """Name, version, hash and risk tier, for the card."""
        return f"{self.name}, version {self.version} (`{self.sha[:12]}`), risk tier {self.risk_tier}"


def limits_problem(at_least: float | None, at_most: float | None, equals: float | None) -> str:
    """Return what is wrong with the limits of a rule together; empty if nothing is.

    >>> limits_problem(None, 1.0, None), limits_problem(2.0, 1.0, None)
    ('', 'at_least is above at_most')
    """
    limits = [limit for limit in (at_least, at_most, equals) if limit is not None]
    if not limits or (equals is not None and len(limits) > 1):
        return "give at_least, at_most, both of them, or equals alone"
    return "at_least is above at_most" if at_least is not None and at_most is not None and at_least > at_most else ""


def same_names(names: Sequence[str]) -> list[tuple[Path, str]]:
    """Return where a rule has the name of an earlier one, and a sentence for each."""
    return [
        (("rules", number, "name"), f"two rules are called {name!r}")
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def missing_groups(may_override: Sequence[Sequence[str]], groups: Collection[str]) -> list[tuple[Path, str]]:
    """Return where a freeze names a group that the policy does not have, and a sentence for each."""
    return [
        (("freeze", number, "may_override"), f"there is no group {group!r} under groups")
        for number, named in enumerate(may_override)
        for group in named
        if group not in groups
    ]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, for editors."""
    return Policy.model_json_schema() | {"title": "ModelCycle policy"}
