"""From the text of a policy file to a `Policy`, or to every error at once, each with its line."""

from __future__ import annotations

import yaml

from modelcycle.faults import BadPolicy
from modelcycle.policy.schema import Policy
from modelcycle.spec.document import Kind, errors_of, read_document

POLICY_FILE = Kind(
    remedy="`modelcycle policy --schema` lists every key",
    levels="a policy file has four levels at most",
    smallest="write at least `name:`, `version:` and `models:`",
    required="name, version and models are required",
    fault=BadPolicy,
)


def parse_policy(text: str | bytes, where: str = "the policy file", *, permissions: bool = False) -> Policy:
    """Parse and check a policy file.

    Parameters
    ----------
    text : YAML 1.1; bytes are UTF-8
    where : name of the file, for the error
    permissions : also check the part that is written in Cedar, for which Cedar is loaded

    Raises
    ------
    BadPolicy : with every error at once, each with its line

    Examples
    --------
    >>> parse_policy("name: credit\\nversion: 1\\nmodels: [credit-*]").risk_tier
    'minimal'
    >>> parse_policy("name: credit\\nversion: 1\\nmodels: [credit-*]\\nrisk_teir: high")
    Traceback (most recent call last):
    modelcycle.faults.BadPolicy: unknown key risk_teir, did you mean risk_tier?
    the policy file, line 4
    `modelcycle policy --schema` lists every key
    """
    policy, root = read_document(text, Policy, where, POLICY_FILE)
    if permissions:
        from modelcycle.policy.permissions import permission_errors  # needs Cedar, which not every function has

        first = _first_line(root)
        errors = [(first + line, f"permissions: {sentence}") for line, sentence in permission_errors(policy)]
        if errors:
            raise errors_of(where, errors, POLICY_FILE)
    return policy


def _first_line(root: yaml.Node | None) -> int:
    """Return the line of the file, counted from 1, in which the text of `permissions` begins."""
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "permissions":
            line: int = value.start_mark.line + 1
            return line + 1 if value.style in ("|", ">") else line
    return 1
