"""What can go wrong on the way to AWS and back; each fault says what, where, and what to do.

DeploymentFault
|-- NoAccount         no credentials or region, or AWS does not accept them
|-- NotCommitted      what would be built has no commit
|-- BadSetting        a parameter that the template does not have, or that is missing
|-- StackUnusable     the stack is in a state in which CloudFormation takes no change
|-- DeploymentFailed  CloudFormation, or SAM, could not make the change
|-- DataUnclear       more than one set of kept data fits, or a set is incomplete
`-- Protected         the stack is protected against deletion, or the second word is missing
"""

from __future__ import annotations

from modelcycle.faults import Fault


class DeploymentFault(Fault):
    """A fault that the person who deploys can fix."""


class NoAccount(DeploymentFault):
    """There are no credentials or no region, or AWS does not accept them."""


class NotCommitted(DeploymentFault):
    """What would be built is not what a commit names."""


class BadSetting(DeploymentFault):
    """A parameter that the template does not have, or that is missing."""


class StackUnusable(DeploymentFault):
    """The stack is in a state in which CloudFormation takes no change."""


class DeploymentFailed(DeploymentFault):
    """CloudFormation or SAM could not make the change."""


class DataUnclear(DeploymentFault):
    """It is unclear which kept data a new stack should use."""


class Protected(DeploymentFault):
    """The stack may not be deleted as the command line says."""
