"""A version in memory, ready to score."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from modelcycle.model.reader import Reader
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Version
from modelcycle.spec import Capture
from modelcycle.store import Store


@dataclass(frozen=True)
class LoadedVersion:
    """A version in memory, ready to score.

    Parameters
    ----------
    capture : which of its answers are captured, and what of them
    run_id : the run that made it; log lines name it
    """

    version: int
    signature: Signature
    scorer: Scorer
    capture: Capture = field(default_factory=Capture)
    run_id: str = ""

    @cached_property
    def reader(self) -> Reader:
        """Reads rows as this version types them."""
        return self.signature.reader()


def load_version(version: Version, artifacts: Store) -> LoadedVersion:
    """Load a registered version; the hashes of its artifacts are checked.

    Raises
    ------
    Tampered, Unknown, Transient, Throttled : see `Store.read`
    """
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    scorer = Scorer(signature, artifacts.read(version.onnx))
    return LoadedVersion(version.version, signature, scorer, version.capture, version.run_id)
