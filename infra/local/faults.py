"""What can go wrong with the local cloud, each with what, where and a remedy.

LocalCloudFault
|-- PortTaken             another program answers on the port
|-- RunsElsewhere         the local cloud already runs, on another port
|-- DiskFull              no room left for the cloud's state
|-- CloudCrashed          the process ended by itself, or never answered
|-- CloudStopped          something is asked of a cloud that does not run
|-- CloudBusy             another command is starting or deploying right now
|-- LayerNotInstalled     a layer's packages could not be installed
|-- TemplateInvalid       the template cannot be read or translated
|-- DeployFailed          CloudFormation refused a resource
`-- NotSettled            a property does not read back as the template says
"""

from __future__ import annotations

from modelcycle.faults import Fault


class LocalCloudFault(Fault):
    """A fault of the local cloud that a person can mend."""


class PortTaken(LocalCloudFault):
    """Another program answers on the port."""


class RunsElsewhere(LocalCloudFault):
    """The local cloud of this folder already runs, on another port."""


class DiskFull(LocalCloudFault):
    """There is no room left for the state of the cloud."""


class CloudCrashed(LocalCloudFault):
    """The process of the cloud ended by itself, or never answered."""


class CloudStopped(LocalCloudFault):
    """The local cloud does not run."""


class CloudBusy(LocalCloudFault):
    """Another command is starting or deploying the same cloud."""


class LayerNotInstalled(LocalCloudFault):
    """The packages of a layer could not be installed."""


class TemplateInvalid(LocalCloudFault):
    """The template cannot be read or translated."""


class DeployFailed(LocalCloudFault):
    """CloudFormation refused a resource."""


class NotSettled(LocalCloudFault):
    """A property does not read back as the template says."""
