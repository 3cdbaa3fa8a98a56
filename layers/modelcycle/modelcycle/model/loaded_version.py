"""A version in memory, ready to score."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from modelcycle.key_service import KeyService
from modelcycle.model.reader import Reader
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Version
from modelcycle.signing import Checked, check_version, read_signed
from modelcycle.spec import Capture
from modelcycle.store import Store


@dataclass(frozen=True)
class LoadedVersion:
    """A version in memory, ready to score.

    Parameters
    ----------
    capture : which of its answers are captured, and what of them
    run_id : the run that made it; log lines name it
    checked : whether its signature was checked
    """

    version: int
    signature: Signature
    scorer: Scorer
    capture: Capture = field(default_factory=Capture)
    run_id: str = ""
    checked: Checked = "unchecked"

    @cached_property
    def reader(self) -> Reader:
        """Reads rows as this version types them."""
        return self.signature.reader()


def load_version(version: Version, artifacts: Store, keys: KeyService) -> LoadedVersion:
    """Load a registered version, after its signature and the hashes of its artifacts have been checked.

    Raises
    ------
    Tampered, Unknown, Transient, Throttled, Fault : see `check_version` and `read_signed`
    """
    with ThreadPoolExecutor(2) as pool:  # side by side: each waits for another service
        checked = pool.submit(check_version, version, artifacts, keys)
        onnx = pool.submit(read_signed, version, version.onnx, artifacts, keys)
        signature = Signature.model_validate_json(read_signed(version, version.signature, artifacts, keys))
        is_signed = checked.result()  # before a graph is loaded
        scorer = Scorer(signature, onnx.result())
    return LoadedVersion(version.version, signature, scorer, version.capture, version.run_id, is_signed)
