"""People by their ARN: who they are, and whether two of them are the same person."""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN = "unknown"
"""The person of a request that IAM has not signed, and the author of a run that an upload of others started."""

LOCAL_ACCOUNT = "000000000000"
TRUSTED_SESSIONS = "AWSReservedSSO_"  # roles of IAM Identity Center, which sets the names of their sessions itself


class Person(NamedTuple):
    """Who decides.

    Parameters
    ----------
    kind : root, user, role or unknown
    name : of the user, or role and session
    role : of a session; empty for others
    alone : nobody else is there: the root user of an account, or the one user of a local cloud
    """

    arn: str
    account: str
    kind: str
    name: str
    role: str = ""
    alone: bool = False

    @property
    def own_name(self) -> str:
        """The name of a user without its path, or of a role's session, in lower case; empty for others."""
        name = self.name.removeprefix(f"{self.role}/") if self.kind == "role" else self.name.rpartition("/")[2]
        return name.casefold() if self.kind in ("user", "role") else ""

    @property
    def is_federated(self) -> bool:
        """Whether an IAM user, or the root user, has chosen this name for itself."""
        return self.kind == "unknown" and self.name.startswith("federated-user/")

    @property
    def attributes(self) -> dict[str, str | bool]:
        """What permissions may refer to."""
        return {"arn": self.arn, "account": self.account, "kind": self.kind, "name": self.name, "alone": self.alone}


def person_of(arn: str, local: bool = False) -> Person:
    """Return the person of an ARN, as API Gateway and STS write it.

    Parameters
    ----------
    local : whether it is one of a local cloud, which knows one operator

    Examples
    --------
    >>> person_of("arn:aws:sts::123456789012:assumed-role/Approver/ann").name
    'Approver/ann'
    >>> person_of("arn:aws:iam::123456789012:root").alone, person_of("arn:aws:iam::123456789012:user/ann").alone
    (True, False)
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return Person(arn or UNKNOWN, "", "unknown", arn or UNKNOWN)
    account, resource = parts[4], parts[5]
    kind, _, name = resource.partition("/")
    if kind == "root":
        return Person(arn, account, "root", "the root user", alone=True)
    if kind == "user":
        return Person(arn, account, "user", name, alone=local and account == LOCAL_ACCOUNT and name == "operator")
    if kind == "assumed-role":
        return Person(arn, account, "role", name, role=name.partition("/")[0])
    return Person(arn, account, "unknown", resource)


def is_same_person(arn: str, other: str, trusted_sessions: bool = False) -> bool:
    """Return whether two ARNs may be of the same person.

    Whoever may assume a role chooses the name of the session (AWS page "sts:RoleSessionName"). So two sessions of one
    role prove no second person, unless an identity provider sets the names. The same name in two roles, or of a user
    and of a session, is one person who has both. An IAM user may also call itself any federated user of the account
    (AWS page "GetFederationToken"). Of one who assumes two roles under two names, ARNs say nothing: trust policies have
    to force the name with the condition `sts:RoleSessionName`.

    Parameters
    ----------
    trusted_sessions : an identity provider sets the names of all sessions

    Examples
    --------
    >>> ann, bob = (f"arn:aws:sts::123456789012:assumed-role/Approver/{name}" for name in ("ann", "bob"))
    >>> is_same_person(ann, bob), is_same_person(ann, bob, trusted_sessions=True)
    (True, False)
    >>> is_same_person(ann, "arn:aws:sts::123456789012:assumed-role/Operator/ann")
    True
    >>> is_same_person(ann, "arn:aws:iam::123456789012:user/staff/Ann")
    True
    """
    if arn == other:
        return True
    one, two = person_of(arn), person_of(other)
    if one.account == two.account and any(person.is_federated for person in (one, two)):
        return "role" not in (one.kind, two.kind)
    if "unknown" in (one.kind, two.kind):
        return one.kind == two.kind == "unknown" and UNKNOWN in (arn, other)
    if one.own_name and one.own_name == two.own_name:
        return True
    if one.kind != "role" or two.kind != "role":
        return False
    if (one.account, one.role) != (two.account, two.role):
        return False
    return not (trusted_sessions or one.role.startswith(TRUSTED_SESSIONS))
