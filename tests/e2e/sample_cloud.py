"""What the tests ask of the sample project in a local cloud."""

from __future__ import annotations

import json
from typing import Any

from infra.local.cloud import LocalCloud
from infra.local.emulator.status import RunningEmulator, running_emulator
from tests.e2e.conftest import CloudSite


def ask(cloud: LocalCloud, **question: Any) -> Any:
    """Invoke the sample function as the operator; return its answer, or its error as reported."""
    functions = cloud.operator.client("lambda")
    answer = functions.invoke(FunctionName=f"{cloud.outputs['Hello']}:live", Payload=json.dumps(question))
    return json.loads(answer["Payload"].read())


def emulator_of(site: CloudSite) -> RunningEmulator:
    """Return the running emulator of a site."""
    emulator = running_emulator(site.home.resolve())
    assert emulator
    return emulator
