"""A bucket and a registry whose writer is killed before or after one of its writes."""

from __future__ import annotations

from pathlib import Path

from modelcycle.messages import Artifact
from modelcycle.registry import Write
from tests.fakes import MemoryStore, MemoryTable


class Killed(BaseException):
    """The process is gone."""


class KillableStore(MemoryStore):
    """A bucket whose writer is killed before or after one of its writes."""

    def __init__(self) -> None:
        super().__init__("data")
        self.until_kill: int | None = None

    def put(self, key: str, body: bytes | Path) -> Artifact:
        self._count()
        artifact = super().put(key, body)
        self._count()
        return artifact

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        self._count()
        super().replace(key, body, etag)
        self._count()

    def _count(self) -> None:
        if self.until_kill is not None:
            self.until_kill -= 1
            if self.until_kill < 0:
                self.until_kill = None
                raise Killed


class KillableTable(MemoryTable):
    """A registry whose writer is killed before or after its write; it shares the store's count."""

    def __init__(self, store: KillableStore) -> None:
        super().__init__()
        self.store = store

    def write(self, *writes: Write) -> None:
        self.store._count()
        super().write(*writes)
        self.store._count()
