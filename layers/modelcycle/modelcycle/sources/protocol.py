"""What every source promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

Secrets = Callable[[str], str]
"""Returns the text of a secret by its name in the pipeline file. Raises Unknown if there is none."""


class Landed(NamedTuple):
    """Rows that a source has given, in a file.

    Parameters
    ----------
    path : the file; the caller deletes it
    suffix : one of `reading.SUFFIXES`, such as `.parquet` or `.jsonl`
    rows : how many it holds
    watermark : the rows up to here are complete: this file and those before it are kept even if the pull is cut off
        now, and the next pull gets it as `after`. None: the file is kept together with the next ones
    """

    path: Path
    suffix: str
    rows: int
    watermark: str | None = None


class Source(Protocol):
    """A place that rows are pulled from.

    Attributes
    ----------
    definition : identifies what is read, without secrets. When it changes, the landed rows are read anew
    replaces : whether a pull gives all rows, which replace the landed ones; else it gives rows above the watermark,
        which are added to them
    notes : what people should know of the last pull, as sentences, such as retries or rows left out
    """

    @property
    def definition(self) -> str: ...

    @property
    def replaces(self) -> bool: ...

    @property
    def notes(self) -> list[str]: ...

    def batches(self, folder: Path, after: str | None) -> Iterator[Landed]:
        """Yield the rows in files, in bounded memory.

        A source that `replaces` yields nothing if it knows that nothing has changed.

        Parameters
        ----------
        folder : for the files
        after : the watermark of the last pull, None for all rows

        Raises
        ------
        BadInput : the secret, the address or the query is wrong; says what, where and what to do
        BadData : the rows cannot be used
        Transient : the source does not answer, or the connection was lost
        """
