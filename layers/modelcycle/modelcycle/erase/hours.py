"""Hours of answers: captured objects, the Parquet files that were made of them, and the manifest that names both."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from modelcycle.captured.answer_rows import name_code
from modelcycle.captured.manifest import Manifest, Part
from modelcycle.erase import tables
from modelcycle.erase.erasing import Erasing, sha256
from modelcycle.erase.masked_answers import masked_in_compacted, masked_in_lines
from modelcycle.erase.objects import Objects
from modelcycle.erase.places import Place, Treatment
from modelcycle.erase.unreadable import told_as_unreadable
from modelcycle.erase.work import Task, Tombstone
from modelcycle.erasing_store import ObjectVersion, S3ErasingStore
from modelcycle.faults import Unknown, UnreadableFile
from modelcycle.sql_literal import literal

PLACE = Place("compacted answers", Treatment.COMPACTED)


class Hours:
    """Looks through hours of answers, or erases the subjects in them."""

    def __init__(self, at: Erasing) -> None:
        self.at = at

    def do(self, task: Task) -> None:
        """Erase captured and compacted answers of an hour; its manifest names both."""
        store = self.at.stores["data"]
        for key in [key for key in task.keys if not key.startswith("compacted/")]:
            Objects(self.at).one("data", store, key, Place("captured answers", Treatment.ROWS))
        if task.hour:
            self._compacted(task, store)
        named = self._named(task, store)
        for key in task.keys:
            if key.startswith("compacted/") and key.endswith(".parquet"):
                self._unnamed(store, key, named)
            elif key.startswith("captures/") and key not in named.objects and not self.at.erasing:
                self._count_masked(store, key)

    def _compacted(self, task: Task, store: S3ErasingStore) -> None:
        """Look through the files that the hour's manifest names."""
        manifest_key = f"compacted/model={self.at.model}/{task.hour}/manifest.json"
        current = store.current(manifest_key)
        if current is None:
            return
        manifest, etag = Manifest.model_validate_json(current[0]), current[1]
        folder = manifest_key.removesuffix("manifest.json")
        parts = [self._part(store, folder, part, manifest) for part in manifest.parts]
        objects = self._etags(store, manifest) if self.at.erasing else manifest.objects
        changed = manifest.model_copy(
            update={"parts": [part for part in parts if part is not None], "objects": objects}
        )  # fmt: skip
        if self.at.erasing and changed != manifest:
            store.replace(manifest_key, changed.to_bytes(), etag)
        if self.at.erasing:
            self._delete_unnamed(store, folder, changed)

    def _part(self, store: S3ErasingStore, folder: str, part: Part, manifest: Manifest) -> Part | None:
        """Return a compacted file without the subjects; None if nothing of it is left."""
        key = f"{folder}{part.name}"
        one = next((one for one in store.versions(key) if one.key == key and one.latest), None)
        if one is None or one.deleted:
            return part
        path = self.at.path()
        store.download_version(one, path)
        try:
            with told_as_unreadable(key):
                return self._part_without(store, folder, part, one, path, manifest.columns)
        except UnreadableFile as fault:
            self._not_searched(key, fault.what if self.at.erasing else "")
            return part
        finally:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.new").unlink(missing_ok=True)

    def _part_without(
        self, store: S3ErasingStore, folder: str, part: Part, one: ObjectVersion, path: Path,
        columns: Mapping[str, str],
    ) -> Part | None:  # fmt: skip
        self.at.found.masked += masked_in_compacted(self.at.engine, path, self.at.subjects, columns)
        found, names = self._find(path, columns)
        if not found.rows:
            return part
        self.at.changed += 1
        self.at.count(PLACE, one)
        self.at.remember(found, PLACE)
        if not self.at.erasing:
            return part
        target = path.with_name(f"{path.name}.new")
        left = tables.write_parquet(self.at.engine, path, self.at.subjects, names, target)
        answers = self.at.engine.execute(
            f"SELECT count(*) FILTER (shadow IS NOT TRUE) FROM read_parquet({literal(target)})"
        ).fetchone()[0]
        digest, size = sha256(target), target.stat().st_size
        fresh = Part(name=f"part-{digest[:32]}.parquet", sha256=digest, bytes=size, rows=left, answers=answers)
        self.at.keep_tombstone(Tombstone(bucket="data", key=one.key, was=part.sha256, now=None))
        if left:
            store.put(f"{folder}{fresh.name}", target)
        return fresh if left else None

    def _find(self, path: Path, columns: Mapping[str, str]) -> tuple[tables.RowsFound, dict[str, str]]:
        """Return the subjects' rows in a compacted file, and SQL of its columns by name.

        Parameters
        ----------
        columns : names by code, as a manifest has them; a column without a name is called by its code
        """
        self.at.looked_at += 1
        stored = set(tables.plain_names(self.at.engine, path))
        known = {name_code(name): name for name in self.at.subjects.columns()} | dict(columns)
        names = {
            known.get(column.removeprefix("t_"), column): f'"{column}"'
            for column in sorted(stored) if column.startswith("t_")
        }  # fmt: skip
        names |= {"prediction_id": '"prediction_id"'} if "prediction_id" in stored else {}
        found = tables.find_in_parquet(self.at.engine, path, self.at.subjects, names)
        self.at.found.columns = sorted({*self.at.found.columns, *found.columns})
        return found, names

    def _named(self, task: Task, store: S3ErasingStore) -> Manifest:
        """Return the manifest as it is now; without one, one that names no file."""
        current = store.current(f"compacted/model={self.at.model}/{task.hour}/manifest.json") if task.hour else None
        return Manifest.model_validate_json(current[0]) if current else Manifest()

    def _unnamed(self, store: S3ErasingStore, key: str, manifest: Manifest) -> None:
        """Look through the versions of a file that no reader gets: of a compaction that was killed or raced.

        It is written anew under its name, not deleted: a compaction that is under way may be about to name it. Its
        readers find the new hash on record.
        """
        is_named = key.rpartition("/")[2] in {part.name for part in manifest.parts}
        live_now: str | None = None
        versions = [one for one in store.versions(key) if one.key == key and not one.deleted]
        for one in sorted(versions, key=lambda one: not one.latest):
            if is_named and one.latest:
                continue
            path = self.at.path()
            target = path.with_name(f"{path.name}.new")
            try:
                metadata = store.download_version(one, path)
            except Unknown:
                continue
            try:
                with told_as_unreadable(key):
                    found, names = self._find(path, manifest.columns)
                    if found.rows and self.at.erasing:
                        tables.write_parquet(self.at.engine, path, self.at.subjects, names, target)
            except UnreadableFile as fault:
                self._not_searched(key, fault.what if self.at.erasing else "")
                continue
            if found.rows:
                self.at.changed += 1
                self.at.count(PLACE, one)
                self.at.remember(found, PLACE)
            elif not found.columns and any(sql == f'"{name}"' and name.startswith("t_") for name, sql in names.items()):
                self._not_searched(key)  # no manifest says how these columns are called
            if found.rows and self.at.erasing:
                live_now = self.at.replace("data", store, one, sha256(path), target, live_now, metadata)
            path.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    def _count_masked(self, store: S3ErasingStore, key: str) -> None:
        one = next((one for one in store.versions(key) if one.key == key and one.latest and not one.deleted), None)
        if one is None:
            return
        path = self.at.path()
        with suppress(Unknown):
            store.download_version(one, path)
            self.at.found.masked += masked_in_lines(path, self.at.model, self.at.subjects)
        path.unlink(missing_ok=True)

    def _not_searched(self, key: str, held: str = "") -> None:
        self.at.found.unread = sorted({*self.at.found.unread, f"data/{key}"})
        if held:
            self.at.found.held[f"data/{key}"] = held

    def _etags(self, store: S3ErasingStore, manifest: Manifest) -> dict[str, str]:
        """Return the compacted objects with the etags that they have since an erasure rewrote them."""
        objects = dict(manifest.objects)
        for key, etag in manifest.objects.items():
            found = self.at.registry.erasures.rewritten(self.at.model, store.bucket, key)
            if found is not None and found.etag and found.etag != etag:
                objects[key] = found.etag
        return objects

    def _delete_unnamed(self, store: S3ErasingStore, folder: str, manifest: Manifest) -> None:
        """Delete the files that a manifest named before they were written anew."""
        named = {f"{folder}{part.name}" for part in manifest.parts}
        for one in store.versions(folder):
            is_old = one.key.endswith(".parquet") and (one.key not in named or not one.latest)
            if is_old and one.key in self.at.deleted_keys:
                store.delete_version(one)
