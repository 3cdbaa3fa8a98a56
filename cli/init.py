"""`init`: a look at a data file, and the pipeline file that goes with it."""

from __future__ import annotations

from pathlib import Path

from cli import console, rows
from cli.draft import draft, model_name
from cli.glance import glance
from cli.guess import guess_target
from modelcycle.faults import BadInput, TargetMissing
from modelcycle.spec import parse


def init(data: Path, target: str | None, name: str | None, to: Path | None, as_json: bool) -> int:
    """Write the pipeline file.

    Raises
    ------
    BadInput : the file exists already
    TargetMissing : `target` is not a column of the data
    BadPipeline : `name` is no name for a model
    """
    rows.check(data)
    chosen = name or model_name(data)
    file = to or Path(f"{chosen}.yaml")
    if file.exists():
        raise BadInput(
            "the file is there already, and is not overwritten", str(file), "name another with --out, or delete it"
        )
    seen = glance(data)
    if target is not None and target not in seen.names:
        raise TargetMissing(
            f"the target {target!r} is not a column", str(data), f"the columns are: {', '.join(seen.names[:40])}"
        )
    why = "said with --target"
    if target is None:
        target, why = guess_target(seen)
    text = draft(chosen, target, why, seen, data)
    parse(text, "--name" if name else str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8", newline="\n") as out:
        out.write(text)
    if as_json:
        console.print_json({"file": str(file), "name": chosen, "target": target, "why": why, "columns": seen.names})
    else:
        console.show(
            f"{file} is written: predicts {target!r} ({why}).\n"
            f"  look at it    its comments say what each column holds\n"
            f"  run it        modelcycle run {console.quoted(file)} --data {console.quoted(data)}"
        )
    return console.DONE
