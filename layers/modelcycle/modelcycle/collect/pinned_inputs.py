"""The objects of a run whose files are read in a container: listed once, whatever arrives until the run has them."""

from __future__ import annotations

import json

from modelcycle.collect.inputs import Inputs
from modelcycle.faults import Unknown
from modelcycle.messages import Run
from modelcycle.store import Listed
from modelcycle.workplace import Objects

KEY = "listing.json"


def pinned_inputs(run: Run, artifacts: Objects) -> Inputs | None:
    """Return what the function listed that handed the work over; None: none did yet."""
    try:
        kept = json.loads(artifacts.latest(run.key("collect", KEY))[0])
    except Unknown:
        return None
    sources = {name: [Listed(*listed) for listed in objects] for name, objects in kept["sources"].items()}
    # a listing of release 0.1 has no live requests
    corrections, traffic = ([Listed(*listed) for listed in kept.get(name, [])] for name in ("corrections", "traffic"))
    return Inputs(sources, corrections, traffic, kept.get("lost", 0))


def pin_inputs(run: Run, inputs: Inputs, artifacts: Objects) -> None:
    """Keep what is listed for the container and for the function after it.

    They would list what has arrived since, too, and so would not find the result of each other. That belongs to the
    next run.
    """
    artifacts.put(run.key("collect", KEY), json.dumps(inputs._asdict()).encode())
