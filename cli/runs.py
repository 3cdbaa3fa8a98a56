"""`runs`: the runs of a model, or one that is followed."""

from __future__ import annotations

from cli import console
from cli.later_decision import later_states
from cli.options import Options
from cli.place import Place
from cli.run import show_run
from cli.screens.runs import runs_text
from modelcycle.faults import Unknown
from modelcycle.registry import RunRecord


def runs(model: str, follow: str | None, options: Options) -> int:
    """List the runs of a model, newest first.

    Parameters
    ----------
    follow : id of a run to follow instead
    """
    place = options.open_place()
    if follow is not None:
        return show_run(place, model, run_record(place, model, follow).run.execution, options.as_json)
    records = place.registry.runs.latest(model)
    if not records:
        place.check_model(model)
    if options.as_json:
        console.print_json({"model": model, "runs": [record.model_dump(mode="json") for record in records]})
    else:
        console.show(runs_text(records, later=later_states(place, model, records)))
    return console.DONE


def run_record(place: Place, model: str, run_id: str) -> RunRecord:
    """Return a run's record.

    Raises
    ------
    Unknown : there is no such model or run
    """
    record = place.registry.runs.get(model, run_id)
    if record is None:
        place.check_model(model)
        raise Unknown(f"{model} has no run {run_id}", place.title, f"`modelcycle runs {model}` lists them")
    return record
