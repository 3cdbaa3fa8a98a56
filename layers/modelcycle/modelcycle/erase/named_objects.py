"""Objects whose name holds what identifies a person, and what a receipt calls them instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from modelcycle.erase.subjects import MIN_CHARACTERS, canonical, tells_apart
from modelcycle.erasing_store import S3ErasingStore

CHOSEN = ("raw/", "landed/", "score/", "scored/", "feedback/")  # where people choose the names
DATES = re.compile(r"(?<=/)\d{4}/\d{2}/\d{2}/(\d{2}/)?")
NAMED = "its name holds a value: upload it under another one, delete this one"


class Values:
    """What identifies the subjects, as it may stand in a name.

    >>> values = Values([{"id": "4711", "name": "Ann"}])
    >>> [values.are_in(f"raw/m/{name}") for name in ("4711.csv", "x_4711.csv", "04711.csv", "47110.csv", "Anna.csv")]
    [True, True, False, False, False]
    """

    def __init__(self, subjects: Iterable[Mapping[str, str]], texts: Iterable[str] = ()) -> None:
        found = {value.strip() for subject in subjects for value in subject.values()}
        self.texts = {text.casefold() for text in {*found, *(text for text in texts if tells_apart(text))}}
        self.texts = {text for text in self.texts if len(text) >= MIN_CHARACTERS}
        self.canonical = {canonical(text) for text in self.texts}

    def are_in(self, key: str) -> bool:
        """Return whether a key holds one of them as a word; the date folders of what arrives are no ids."""
        plain = DATES.sub("", key).casefold()
        if any(canonical(word) in self.canonical for word in re.split(r"[^\w.]+|_|\.(?!\d)", plain) if word):
            return True
        near = [text for text in self.texts if text in plain and not text.isdigit()]
        return any(re.search(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", plain) for text in near)


def without_values(names: Iterable[str], values: Values, stores: Mapping[str, S3ErasingStore]) -> dict[str, str]:
    """Return what a receipt calls objects: their own name, or their folder and version if the name holds a value.

    Parameters
    ----------
    names : `bucket/key`, perhaps followed by a reason in brackets
    """
    return {
        name: _told(name, number, values, stores) if values.are_in(name) else name
        for number, name in enumerate(names, 1)
    }


def _told(name: str, number: int, values: Values, stores: Mapping[str, S3ErasingStore]) -> str:
    bucket, _, key = name.partition("/")
    if bucket not in stores:
        return name  # a kind of records
    parts = key.split("/")
    folder = ""
    for part in parts[:-1]:
        if values.are_in(f"{folder}{part}/"):
            break
        folder += f"{part}/"
    found = [one for one in stores[bucket].versions(folder) if one.latest and name.startswith(f"{bucket}/{one.key}")]
    version = max(found, key=lambda one: len(one.key)).version if found else "null"
    return f"{bucket}/{folder} (object {number}, version {version}: its name holds a value)"
