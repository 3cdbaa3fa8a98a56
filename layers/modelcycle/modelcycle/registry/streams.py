"""How far a stream has been landed: which records belong to which batch, and how many there were.

A record belongs to the batch that claimed it first, in one conditional write together with the counts. In a shard of
Kinesis sequence numbers only grow, so one cursor for each shard claims a range. Messages of SQS have no order; each is
claimed by its own record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import Artifact
from modelcycle.registry import keys
from modelcycle.registry.table import MAX_TRANSACTION_WRITES, Table, Write, revision_of

MAX_CLAIMED = MAX_TRANSACTION_WRITES - 1  # messages in one claim; one write is that of the counts


class Shard(BaseModel):
    """What has been landed of a shard, or of a queue.

    Parameters
    ----------
    sequence : of the last record; empty before the first one, and for a queue
    batch : the newest batch
    arrived_at : when the newest landed record arrived
    landed : rows of each model
    newest : when the newest row of each model arrived
    kept_back : records by the reason why they are in quarantine
    kept_back_at : when the newest of them arrived
    repeated : rows left out because their batch has another one with the same id
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    sequence: str = ""
    batch: Artifact | None = None
    arrived_at: datetime | None = None
    landed: dict[str, int] = {}
    newest: dict[str, datetime] = {}
    kept_back: dict[str, int] = {}
    kept_back_at: datetime | None = None
    repeated: int = 0


class KnownShard(NamedTuple):
    """A shard and the revision of its record, 0 before the first batch."""

    shard: Shard
    revision: int


class Streams:
    """The streams of the stack."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, stream: str, shard: str) -> KnownShard:
        """Return what has been landed of a shard."""
        record = self.table.get(*keys.stream_shard(stream, shard))
        return KnownShard(Shard.model_validate(record.body) if record else Shard(), revision_of(record))

    def shards(self, stream: str) -> dict[str, Shard]:
        """Return every shard of a stream of which something has been landed, by name."""
        records = self.table.query(*keys.stream_shards(stream))
        return {keys.shard_of(record.key): Shard.model_validate(record.body) for record in records}

    def claim_range(self, stream: str, name: str, shard: Shard, revision: int) -> None:
        """Record a shard in place of the one that was read: its new batch has the records up to its sequence.

        Raises
        ------
        Raced : another batch was faster
        """
        self.table.write(self._write(stream, name, shard, revision))

    def claim_messages(
        self, stream: str, name: str, shard: Shard, revision: int, messages: Sequence[str], expires: int
    ) -> None:
        """Record a queue's counts, and that its new batch has these messages.

        Parameters
        ----------
        messages : ids, at most MAX_CLAIMED
        expires : seconds since 1970 after which the queue cannot deliver them again

        Raises
        ------
        Raced : another batch has one of them, or was faster
        """
        if shard.batch is None:
            raise ValueError("a claim needs its batch")
        body = {"batch": shard.batch.model_dump(mode="json")}
        claims = [Write(*keys.stream_message(stream, message), body, expires=expires) for message in messages]
        self.table.write(self._write(stream, name, shard, revision), *claims)

    def batch_of(self, stream: str, message: str) -> Artifact | None:
        """Return the batch that has a message, None if no batch has claimed it."""
        record = self.table.get(*keys.stream_message(stream, message))
        return Artifact.model_validate(record.body["batch"]) if record else None

    def _write(self, stream: str, name: str, shard: Shard, revision: int) -> Write:
        return Write(*keys.stream_shard(stream, name), shard.model_dump(mode="json"), revision)
