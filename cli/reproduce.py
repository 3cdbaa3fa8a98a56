"""`reproduce`: makes a version again from its lineage, and proves that the model has the same bytes."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli import console
from cli.decide import model_and_version
from cli.options import Options
from cli.place import Place, home
from cli.reproduction import environment, source_files
from cli.reproduction.comparison import Reproduction, compare, different
from cli.reproduction.folder_store import write_json
from cli.reproduction.keyed_columns import keyed_columns
from cli.screens.reproduced import reproduced_text
from modelcycle.faults import BadInput, Unknown
from modelcycle.reading.column_names import list_names
from modelcycle.store import read_json

MEMORY = 10_240  # MB, the most that a function can have: DuckDB takes what it needs of it, with the same result


def reproduce(name: str, folder: Path | None, options: Options) -> int:
    """Make a version again and compare; return the exit status, 1 if its ONNX graphs do not have the recorded bytes.

    Parameters
    ----------
    name : MODEL:VERSION
    folder : an empty folder to work in; a new environment is installed there too, and everything is kept

    Raises
    ------
    BadInput : no version is named, or the folder is not empty
    Unknown : the version does not exist, its lineage does not say enough, or it needs a key of the stack
    """
    model, version = model_and_version(name)
    if version is None:
        raise BadInput("reproduce needs a version", name, f"write {name}:NUMBER; `modelcycle show {name}` lists them")
    place = options.open_place()
    place.check_model(model)
    record = place.registry.versions.get(model, version)
    learned = place.registry.erasures.learned(model).get(version)
    if learned is not None:
        raise Unknown(
            f"{name} has learned from rows that were erased since ({', '.join(learned.erasures[-3:])})", name,
            "its data are not those any more; versions that were made after that can be reproduced",
        )  # fmt: skip
    lineage = read_json(place.artifacts, record.lineage)
    if "steps" not in lineage:
        raise Unknown(
            f"{name} was made before the lineage named every artifact", record.lineage.uri,
            "the next version of the model can be reproduced",
        )  # fmt: skip
    keyed = keyed_columns(lineage)
    if keyed:
        raise Unknown(
            f"{name} has pseudonyms or encrypted columns ({list_names(keyed)}): they cannot be made again here", name,
            "only the stack's functions may use its keys; versions without such columns can be reproduced",
        )  # fmt: skip
    with _work_folder(folder) as work:
        made = _reproduce(place, model, version, lineage, work, work / "environment" if folder else _layers_home())
    if options.as_json:
        console.print_json(made.wire())
    else:
        console.show(reproduced_text(made, lineage))
    return console.DONE if made.same else console.FAILED


def _reproduce(
    place: Place, model: str, version: int, lineage: dict[str, Any], folder: Path, layers: Path
) -> Reproduction:
    console.say("fetching the recorded versions of the data")
    files = source_files.fetch(place, lineage, folder)
    code = (str(lineage["code"]), _code_here())
    runtime = different(lineage["runtime"], _runtime_here())
    if not all(file.same for file in files):
        return Reproduction(model, version, files, code=code, runtime=runtime)
    write_json(folder / "lineage.json", lineage)
    console.say("collecting and preprocessing the rows again")
    environment.run("reproduction.rows_again", folder, environment.install(["modelcycle", "data"], layers), MEMORY)
    rows = json.loads((folder / "rows.json").read_text())
    again: dict[str, Any] = {}
    if "fault" not in rows:
        console.say("planning the features and fitting the recorded recipe again")
        environment.run(
            "reproduction.model_again", folder, environment.install(["modelcycle", "learning"], layers), MEMORY
        )
        again = json.loads((folder / "model.json").read_text())
    packages = different(lineage["model"]["packages"], again["packages"]) if "packages" in again else {}
    fault = rows.get("fault") or again.get("fault", "")
    return Reproduction(model, version, files, compare(lineage, rows, again), packages, runtime, code, fault)


@contextmanager
def _work_folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with TemporaryDirectory(prefix="modelcycle-reproduce-") as name:
            yield Path(name)
        return
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput("the folder is not empty", str(folder), "give --folder a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def _layers_home() -> Path:
    """Return the folder with the layers that the local cloud has installed."""
    return (home() or environment.ROOT / ".modelcycle").resolve()


def _runtime_here() -> dict[str, str]:
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}


def _code_here() -> str:
    """Return the version of the code here, as every place names it."""
    from infra.local.deployment.code_hash import code_version

    return code_version(environment.ROOT)
