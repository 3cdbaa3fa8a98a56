"""Prints the parameters that name the code of a deployment: `python -m infra.code_version`."""

from __future__ import annotations

from pathlib import Path

from infra.local.deployment.code_hash import code_version, policies_hash
from infra.local.deployment.training_code import training_code


def code_parameters(project: Path) -> dict[str, str]:
    """Return the parameters of the template that name a project's code.

    `CodeVersion` is what each model version records; results of other code are not reused. `TrainingCode` is the part
    of it that decides what a model learns. `Policies` is what `modelcycle policy` compares with the files here.
    """
    return {
        "CodeVersion": code_version(project), "TrainingCode": training_code(project),
        "Policies": policies_hash(project),
    }  # fmt: skip


if __name__ == "__main__":
    print(" ".join(f"{name}={value}" for name, value in code_parameters(Path(__file__).resolve().parents[1]).items()))
