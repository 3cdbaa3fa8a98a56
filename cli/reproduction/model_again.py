"""In a process with the layers of the learning steps: engineer_features, and the recorded recipe fitted again.

    python -m cli.reproduction.model_again FOLDER

The trials of the search are not run again: the recipe that they led to is in the lineage. It is fitted by the code that
`select_model` and `refit` use.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cli.reproduction.folder_store import FolderStore, write_json
from cli.reproduction.no_registry import NoResults
from modelcycle.engineer_features import engineer_features
from modelcycle.faults import Fault
from modelcycle.messages import EngineerFeaturesRequest, Preprocessed, Recipe, Run
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.export import package_versions
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import decided, fit_recipe
from modelcycle.model.signature import Signature


def main(folder: Path) -> None:
    """Make plan, signature and models again; write them to `model.json`, or the fault that ended it."""
    lineage = json.loads((folder / "lineage.json").read_text())
    preprocessed = Preprocessed.model_validate(json.loads((folder / "rows.json").read_text())["preprocess"])
    run, artifacts = Run.model_validate(lineage["run"]), FolderStore(folder / "artifacts")
    made: dict[str, Any] = {"packages": package_versions()}
    try:
        request = EngineerFeaturesRequest(run=run, preprocess=preprocessed)
        features = engineer_features(request, artifacts=artifacts, results=NoResults(), code=lineage["code"])
        made["engineer_features"] = features.wire()
        plan = FeaturePlan.model_validate_json(artifacts.read(features.plan))
        signature = Signature.model_validate_json(artifacts.read(features.signature))
        recipe = Recipe.model_validate(lineage["model"]["recipe"])
        signature = decided(signature, recipe)
        made["signature"] = _sha256(signature.model_dump_json().encode())
        train, validation = (
            Columns.from_bytes(artifacts.read(part)) for part in (preprocessed.train, preprocessed.validation)
        )
        made["judged"] = _fit(recipe, plan, signature, [train, validation])
        if lineage["served"]["sha256"] != lineage["judged"]["sha256"]:
            features_of_test = Columns.from_bytes(artifacts.read(preprocessed.test_features))
            labels = Columns.from_bytes(artifacts.read(preprocessed.test_labels))
            test = Columns(features_of_test.values, labels.target)
            made["served"] = _fit(recipe, plan, signature, [train, validation, test])
    except Fault as fault:
        made["fault"] = fault.what
    write_json(folder / "model.json", made)


def _fit(recipe: Recipe, plan: FeaturePlan, signature: Signature, parts: list[Columns]) -> str:
    """Return the SHA-256 of the ONNX graph that the recipe gives on these rows."""
    rows = concatenate(parts)
    model = fit_recipe(recipe, plan, signature, frame(signature, rows), rows.target, rows.values)
    return _sha256(model.to_onnx(signature))


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
