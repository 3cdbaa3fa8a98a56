"""Registered versions in memory, live or not: what the function `Candidate` answers with while a version is staged."""

from __future__ import annotations

from typing import NamedTuple

from modelcycle.faults import Unknown
from modelcycle.key_service import KeyService
from modelcycle.model.answer import LoadedVersion, load_version
from modelcycle.predict.live_models import LiveModel
from modelcycle.registry import Registry, Route
from modelcycle.store import Store

MAX_VERSIONS = 4  # in memory: runs of several models may stage at the same time


class RegisteredVersions:
    """The versions that were asked for last.

    Parameters
    ----------
    artifacts : the bucket that holds the versions' files
    keys : check the versions' signatures
    """

    def __init__(self, registry: Registry, artifacts: Store, keys: KeyService) -> None:
        self.registry = registry
        self.artifacts = artifacts
        self.keys = keys
        self._loaded: dict[tuple[str, int], LoadedVersion] = {}  # least recently used first

    def as_live(self, version: str) -> AsLive:
        """Return the models as they would be if `version` of each were live; in place of `LiveModels`.

        Parameters
        ----------
        version : as a path names it
        """
        return AsLive(self, version)

    def get(self, model: str, version: int) -> LoadedVersion:
        """Return a version, ready to score. It is loaded as a live one is.

        Raises
        ------
        Unknown : no such version
        Tampered, Transient, Throttled, Fault : see `load_version`
        """
        loaded = self._loaded.pop((model, version), None)
        if loaded is None:
            while len(self._loaded) >= MAX_VERSIONS:  # first: memory is measured
                del self._loaded[next(iter(self._loaded))]
            loaded = load_version(self.registry.versions.get(model, version), self.artifacts, self.keys)
        self._loaded[model, version] = loaded
        return loaded


class AsLive(NamedTuple):
    """The version that a path names, as the only live one of its model."""

    versions: RegisteredVersions
    version: str

    def get(self, name: str) -> LiveModel:
        """Return the model.

        Raises
        ------
        Unknown : it has no such version, or the path names none
        """
        if not (self.version.isascii() and self.version.isdigit()):
            raise Unknown(
                f"{self.version!r} is not the number of a version", name, f"`modelcycle show {name}` lists them"
            )
        loaded = self.versions.get(name, int(self.version))
        return LiveModel(Route(weights={loaded.version: 100}), {loaded.version: loaded})
