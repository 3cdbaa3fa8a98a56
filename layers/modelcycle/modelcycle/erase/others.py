"""What is not the subjects' alone: names of the model, its columns and classes, and texts that rows of others have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelcycle.erase import tables
from modelcycle.erase.erasing import Erasing
from modelcycle.erase.places import Treatment, place_of
from modelcycle.erase.text_files import faults_of_reading
from modelcycle.erase.unreadable import told_as_unreadable
from modelcycle.erase.work import Task
from modelcycle.faults import Unknown
from modelcycle.registry import Version


class Others:
    """Looks in the rows of others, and in what versions know, for the texts of the subjects' rows."""

    def __init__(self, at: Erasing) -> None:
        self.at = at

    def names(self) -> None:
        """Note names of columns and classes, and levels that more rows of a version have than the subjects'."""
        mine = self.at.work.found(self.at.known.base).matching_rows
        found = {name for row in self.at.known.rows for name in row}
        for version in self.at.versions:
            found |= _names_in(self._told(version, "signature"))
            profile = self._told(version, "profile")
            found |= _names_in(profile) | _frequent_levels(profile, mine)
        self.at.found.names = sorted(found)

    def compare(self, task: Task) -> None:
        """Note the texts of the subjects' rows that others have, in whatever column of whatever file."""
        texts = self.at.traces.texts
        if not texts:
            return
        store = self.at.stores[task.bucket]
        faults: tuple[type[Exception], ...] = (Unknown, *faults_of_reading())
        for key in task.keys:
            place = place_of(self.at.model, task.bucket, key)
            one = next((one for one in store.versions(key) if one.key == key and one.latest), None)
            if place is None or place.treatment is not Treatment.ROWS or one is None or one.deleted or not one.bytes:
                continue
            path = self.at.path()
            try:
                store.download_version(one, path)
                with told_as_unreadable(key):
                    found = tables.texts_of_others(
                        self.at.engine, path, key, self.at.csv_of(key), self.at.subjects_in(key), texts
                    )  # fmt: skip
            except faults:
                continue  # the look says what cannot be read
            finally:
                path.unlink(missing_ok=True)
            if found:
                self.at.found.shared["*"] = sorted({*self.at.found.shared.get("*", []), *found})

    def _told(self, version: Version, name: str) -> Mapping[str, Any]:
        try:
            told = json.loads(self.at.stores["artifacts"].read(getattr(version, name)))
        except (Unknown, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def _names_in(told: Mapping[str, Any]) -> set[str]:
    """Return the names of a signature or a profile.

    >>> sorted(_names_in({"target": {"name": "left", "levels": ["no"]}, "columns": [{"name": "city"}]}))
    ['city', 'left', 'no']
    >>> sorted(_names_in({"target": "left", "classes": ["no"], "fields": [{"name": "city"}], "ignored": ["id"]}))
    ['city', 'id', 'left', 'no']
    """
    target = told.get("target", {})
    columns = [target, *(one for part in ("columns", "fields") for one in told.get(part, []))]
    names = [one.get("name") if isinstance(one, dict) else one for one in columns]
    levels = target.get("levels", []) if isinstance(target, dict) else []
    more = [name for part in ("classes", "ignored", "id_columns") for name in told.get(part, [])]
    return {name for name in (*names, *levels, *more) if isinstance(name, str)}


def _frequent_levels(profile: Mapping[str, Any], rows: int) -> set[str]:
    """Return the levels of a profile that more rows have.

    >>> sorted(_frequent_levels({"columns": [{"levels": ["Basel", "Zwolle"], "counts": [18, 2, 0]}]}, 2))
    ['Basel']
    """
    return {
        level
        for column in profile.get("columns", []) if isinstance(column, dict)
        for level, count in zip(column.get("levels", []), column.get("counts", []), strict=False)
        if isinstance(level, str) and isinstance(count, int) and count > rows
    }  # fmt: skip
