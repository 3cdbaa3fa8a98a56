"""`cost`: what a month of a model costs on AWS, in each environment."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from cli import console
from cli.costs.assumptions import Assumptions, runs_a_month
from cli.costs.estimate import Estimate, estimate, wire
from cli.costs.measured import Figures, measure
from cli.options import Options
from cli.screens.cost_page import cost_page
from cli.screens.estimate import estimate_text
from cli.start import read_pipeline
from modelcycle.faults import BadInput, Fault
from modelcycle.spec import Pipeline

# of docs/costs.md, each with what it changes
SCENARIOS: tuple[tuple[str, dict[str, float]], ...] = (
    ("no runs and no requests: the alarms and the monitor", {"runs": 0, "predictions": 0}),
    ("a run a day, 1 request a second", {"runs": 30, "predictions": 1}),
    ("a run a day, 10 requests a second, 100 million rows of batch scoring",
     {"runs": 30, "predictions": 10, "batch_rows": 100e6}),
)  # fmt: skip


def cost(
    path: Path, assumptions: Assumptions, options: Options, *, runs: float | None, documented: bool, markdown: bool
) -> int:
    """Estimate a month.

    Parameters
    ----------
    path : the pipeline file
    runs : a month; None: as `source.every` says, else weekly
    documented : take the documented figures even if something was measured
    markdown : print the page docs/costs.md

    Raises
    ------
    NoData, BadPipeline, BadInput, TemplateInvalid
    """
    if markdown and options.as_json:
        raise BadInput("--markdown and --json exclude each other", str(path), "give one of them")
    amounts = (
        assumptions.predictions, assumptions.batch_rows, assumptions.records, assumptions.share, assumptions.months,
        runs or 0.0,
    )  # fmt: skip
    if not all(map(math.isfinite, amounts)):
        raise BadInput("an assumption is not a finite number", str(path), "give a number, such as --predictions 0.5")
    pipeline, _ = read_pipeline(path)
    number, source = (runs, "as you say") if runs is not None else runs_a_month(pipeline)
    assumptions = replace(assumptions, runs=number, runs_from=source)
    figures = Figures(notes=["--documented leaves it out"]) if documented else _measured(pipeline, options)
    made = estimate(pipeline, assumptions, figures)
    if options.as_json:
        console.print_json(wire(made))
    elif markdown:
        print(page(path, made), end="")
    else:
        console.show(estimate_text(made))
    return console.DONE


def page(path: Path, made: Estimate) -> str:
    """Return docs/costs.md for an estimate."""
    scenarios = [
        (text, estimate(made.pipeline, replace(made.assumptions, **changed), made.figures))  # type: ignore[arg-type]
        for text, changed in SCENARIOS
    ]
    return cost_page(made, f"modelcycle cost {path} --documented", scenarios)


def _measured(pipeline: Pipeline, options: Options) -> Figures:
    """Return what the place has measured; an estimate needs no place."""
    from botocore.exceptions import BotoCoreError

    try:
        return measure(options.open_place(), pipeline.name)
    except Fault as fault:
        return Figures(notes=[f"{fault.what} ({fault.where})" if fault.where else fault.what])
    except BotoCoreError as error:
        return Figures(notes=[f"the place does not answer ({type(error).__name__})"])


def settings_of(pairs: list[str]) -> dict[str, str]:
    """Return the parameters of `--parameter NAME=VALUE`.

    >>> settings_of(["Stream=kinesis"])
    {'Stream': 'kinesis'}
    """
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise BadInput(f"{pair!r} is no parameter", "--parameter", "write NAME=VALUE, such as Stream=kinesis")
        settings[name] = value
    return settings
