"""From the text of a policy file to a `Policy`, or to every error at once, each with its line."""

from __future__ import annotations

from modelcycle.faults import BadPolicy
from modelcycle.policy.hidden_errors import errors_beside, errors_of_permissions
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
    try:
        policy, root = read_document(text, Policy, where, POLICY_FILE)
    except BadPolicy as fault:
        hidden = errors_beside(text, permissions=permissions)
        raise (errors_of(where, [*fault.errors, *hidden], POLICY_FILE) if hidden else fault) from None
    if permissions:
        errors = errors_of_permissions(root, policy.permissions, policy.groups)
        if errors:
            raise errors_of(where, errors, POLICY_FILE)
    return policy
