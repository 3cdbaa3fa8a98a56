"""What can go wrong with the local cloud; each fault says what, where, and what to do.

LocalCloudFault
|-- PortTaken             another program uses the port
|-- RunsElsewhere         the local cloud already runs, on another port
|-- DiskFull              the disk has no room for the cloud's state
|-- CloudCrashed          the process ended by itself, or does not answer
|-- CloudStopped          the command needs a cloud that runs
|-- CloudBusy             another command is starting or deploying the same cloud, or work in progress keeps it
|-- LayerNotInstalled     the packages of a layer could not be installed
|-- TemplateInvalid       the template cannot be read or translated
|-- DeployFailed          CloudFormation could not create or update a resource
|-- CodeRefused           new code did not pass its check, and gets no traffic
|-- NotReconciled         a property could not be brought to the value in the template
|-- FunctionUnknown       the template has no such function
|-- EventUnusable         a file is no event
|-- EmulatorMissing       AWS's runtime interface emulator is not there
`-- FunctionNotStarted    a function could not be started by itself
"""

from __future__ import annotations

from modelcycle.faults import Fault


class LocalCloudFault(Fault):
    """A fault of the local cloud that its user can fix."""


class PortTaken(LocalCloudFault):
    """Another program uses the port."""


class RunsElsewhere(LocalCloudFault):
    """The local cloud of this folder already runs, on another port."""


class DiskFull(LocalCloudFault):
    """The disk has no room for the cloud's state."""


class CloudCrashed(LocalCloudFault):
    """The cloud's process ended by itself, or does not answer."""


class CloudStopped(LocalCloudFault):
    """The local cloud is not running."""


class CloudBusy(LocalCloudFault):
    """Another command is starting or deploying the same cloud, or it has work in progress and must be restarted."""


class LayerNotInstalled(LocalCloudFault):
    """The packages of a layer could not be installed."""


class TemplateInvalid(LocalCloudFault):
    """The template cannot be read or translated."""


class DeployFailed(LocalCloudFault):
    """CloudFormation could not create or update a resource."""


class CodeRefused(LocalCloudFault):
    """New code of a function did not pass its check; the code before it still serves."""


class NotReconciled(LocalCloudFault):
    """A property could not be brought to the value in the template."""


class FunctionUnknown(LocalCloudFault):
    """The template has no such function."""


class EventUnusable(LocalCloudFault):
    """A file is no event."""


class EmulatorMissing(LocalCloudFault):
    """AWS's runtime interface emulator is not there."""


class FunctionNotStarted(LocalCloudFault):
    """A function could not be started by itself."""
