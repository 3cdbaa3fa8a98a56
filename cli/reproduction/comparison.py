"""What came out the same when a version was made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.reproduction.source_files import SourceFile

MODEL = "ONNX"


class Compared(NamedTuple):
    """An artifact by its recorded SHA-256 and by that of the one made again; empty if it was not made."""

    step: str
    name: str
    recorded: str
    made: str

    @property
    def same(self) -> bool:
        return self.recorded == self.made


@dataclass(frozen=True)
class Reproduction:
    """A version that was made again.

    Parameters
    ----------
    files : the data that it was made from
    artifacts : in the order in which they are made; none if the data were not the same
    packages, runtime : what differs, each name with its recorded value and the one here
    code : recorded, and the one here; empty if it is unknown
    fault : what ended it before the model was made
    """

    model: str
    version: int
    files: list[SourceFile]
    artifacts: list[Compared] = field(default_factory=list)
    packages: dict[str, tuple[str, str]] = field(default_factory=dict)
    runtime: dict[str, tuple[str, str]] = field(default_factory=dict)
    code: tuple[str, str] = ("", "")
    fault: str = ""

    @property
    def same(self) -> bool:
        """Whether every ONNX graph has the recorded bytes."""
        models = [compared for compared in self.artifacts if compared.name.endswith(MODEL)]
        return bool(models) and all(compared.same for compared in models)

    @property
    def first_difference(self) -> str:
        """The first file or artifact that differs, of those that were made; empty if none does."""
        for file in self.files:
            if not file.same:
                return file.key
        return next(
            (f"{made.step}: {made.name}" for made in self.artifacts if not made.same and (made.made or not self.fault)),
            "",
        )

    def wire(self) -> dict[str, Any]:
        """Return the object of `reproduce --json`."""
        return {
            "model": self.model, "version": self.version, "same": self.same,
            "first_difference": self.first_difference, "fault": self.fault,
            "files": [file._asdict() | {"same": file.same} for file in self.files],
            "artifacts": [compared._asdict() | {"same": compared.same} for compared in self.artifacts],
            "packages": self.packages, "runtime": self.runtime, "code": self.code,
        }  # fmt: skip


def compare(lineage: dict[str, Any], rows: dict[str, Any], model: dict[str, Any]) -> list[Compared]:
    """Compare the artifacts of a lineage with those made again.

    Parameters
    ----------
    rows, model : what `rows_again` and `model_again` wrote
    """
    recorded = lineage["steps"]
    compared = [
        Compared(step, name, digest, dict(_hashes(made.get(step, {}))).get(name, ""))
        for step, made in (("collect", rows), ("preprocess", rows), ("engineer_features", model))
        for name, digest in _hashes(recorded[step])
    ]
    compared += [
        Compared("train", "signature", recorded["select_model"]["signature"]["sha256"], model.get("signature", "")),
        Compared("train", f"judged {MODEL}", lineage["judged"]["sha256"], model.get("judged", "")),
    ]
    if lineage["served"]["sha256"] != lineage["judged"]["sha256"]:
        compared.append(Compared("refit", f"served {MODEL}", lineage["served"]["sha256"], model.get("served", "")))
    return compared


def different(recorded: dict[str, str], here: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return what differs, each name with both values; empty where one has none.

    >>> different({"numpy": "2.4.6", "scipy": "1.17"}, {"numpy": "2.5.0", "scipy": "1.17"})
    {'numpy': ('2.4.6', '2.5.0')}
    """
    return {
        name: (recorded.get(name, ""), here.get(name, ""))
        for name in sorted({*recorded, *here})
        if recorded.get(name) != here.get(name)
    }


def _hashes(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 of each artifact in a step's result."""
    for name, value in result.items():
        if isinstance(value, dict) and "sha256" in value:
            yield name.replace("_", " "), value["sha256"]
        elif isinstance(value, list):
            for number, item in enumerate(value, start=1):
                if isinstance(item, dict) and "sha256" in item:
                    yield f"{name.rstrip('s')} {number}", item["sha256"]
