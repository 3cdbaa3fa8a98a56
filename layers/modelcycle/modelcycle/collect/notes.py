"""What was found in the files that is not usual, as sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

MAX_NOTES = 20
MAX_NAME_CHARACTERS = 60  # of a file


def notes_of_files(files: Sequence[tuple[str, Iterable[str]]]) -> list[str]:
    """Return a sentence for each kind of file: of files with equal notes, the first is named.

    Parameters
    ----------
    files : key and notes of each

    Examples
    --------
    >>> notes_of_files([("raw/m/a.csv", ["; separates"]), ("raw/m/b.csv", ["; separates"]), ("raw/m/c.csv", [])])
    ['a.csv and 1 other file: ; separates']
    """
    by_notes: dict[tuple[str, ...], list[str]] = {}
    for key, notes in files:
        by_notes.setdefault(tuple(notes), []).append(PurePosixPath(key).name[:MAX_NAME_CHARACTERS])
    sentences = [f"{_named(names)}: {'; '.join(notes)}" for notes, names in by_notes.items() if notes]
    more = len(sentences) - MAX_NOTES
    return [*sentences[:MAX_NOTES], *([f"and {more:,} more kinds of files"] if more > 0 else [])]


def _named(names: list[str]) -> str:
    others = len(names) - 1
    return names[0] + (f" and {others:,} other file{'s' * (others > 1)}" if others else "")
