"""Registered versions in memory, live or not: what the function `Candidate` answers with while a version is staged."""

from __future__ import annotations

from modelcycle.model.answer import LoadedVersion, load_version
from modelcycle.registry import Registry
from modelcycle.store import Store


class RegisteredVersions:
    """The version that was asked for last; another one replaces it, so that its memory is measured alone.

    Parameters
    ----------
    artifacts : the bucket that holds the versions' files
    """

    def __init__(self, registry: Registry, artifacts: Store) -> None:
        self.registry = registry
        self.artifacts = artifacts
        self._name = ("", 0)
        self._loaded: LoadedVersion | None = None

    def get(self, model: str, version: int) -> LoadedVersion:
        """Return a version, ready to score. It is loaded as a live one is.

        Raises
        ------
        Unknown : no such version
        Tampered, Transient, Throttled : see `load_version`
        """
        if self._loaded is None or self._name != (model, version):
            self._loaded = None
            self._loaded = load_version(self.registry.versions.get(model, version), self.artifacts)
            self._name = (model, version)
        return self._loaded
