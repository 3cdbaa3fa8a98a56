"""In a process with the layers of the data steps: collect and preprocess, from the files of a lineage.

python -m cli.reproduction.rows_again FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cli.reproduction.folder_store import FolderStore, SourceFiles, write_json
from cli.reproduction.no_registry import NoLeases, NoResults
from modelcycle.collect import Pinned, collect
from modelcycle.contract import Contract
from modelcycle.faults import Fault
from modelcycle.messages import Artifact, Collected, CollectRequest, PreprocessRequest, Run
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal import PERSONAL_OF_RUN
from modelcycle.preprocess import preprocess
from modelcycle.store import Store


def main(folder: Path) -> None:
    """Make the rows again; write the results of both steps to `rows.json`, or the fault that ended them."""
    lineage = json.loads((folder / "lineage.json").read_text())
    run, code, results = Run.model_validate(lineage["run"]), lineage["code"], NoResults()
    artifacts = FolderStore(folder / "artifacts")
    manifest = lineage["data"]["objects"]
    data = SourceFiles(folder / "data", [*manifest["objects"], *manifest.get("corrections", [])])
    made: dict[str, Any] = {}
    try:
        # the contract of the version that was live then, by which the columns were read
        held = {name: lineage["steps"]["collect"].get(name) for name in ("contract", "contract_version")}
        collected = collect(
            CollectRequest(run=run), data=data, artifacts=artifacts, leases=NoLeases(), results=results, code=code,
            spelled_by=_spelled_by(artifacts, manifest),
            personal_as={
                name: PersonalColumn.model_validate(column)
                for name, column in manifest.get(PERSONAL_OF_RUN, {}).items()
            },
        )  # fmt: skip
        collected = Collected.model_validate(collected.wire() | held)
        made["collect"] = collected.wire()
        request = PreprocessRequest(run=run, collect=collected)
        made["preprocess"] = preprocess(request, artifacts=artifacts, results=results, code=code).wire()
    except Fault as fault:
        made["fault"] = fault.what
    write_json(folder / "rows.json", made)


def _spelled_by(artifacts: Store, manifest: dict[str, Any]) -> Pinned | None:
    """Return the contract by which live requests were read."""
    if "traffic_contract" not in manifest:
        return None
    artifact = Artifact.model_validate(manifest["traffic_contract"])
    return Pinned(Contract.model_validate_json(artifacts.read(artifact)), artifact, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
