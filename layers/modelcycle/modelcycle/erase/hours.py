"""Hours of answers: captured objects, the Parquet files that were made of them, and the manifest that names both."""

from __future__ import annotations

from modelcycle.captured.manifest import Manifest, Part
from modelcycle.erase import tables
from modelcycle.erase.erasing import Erasing, sha256
from modelcycle.erase.objects import Objects
from modelcycle.erase.places import Place, Treatment
from modelcycle.erase.work import Task, Tombstone
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.sql_literal import literal


class Hours:
    """Looks through hours of answers, or erases the subjects in them."""

    def __init__(self, at: Erasing) -> None:
        self.at = at

    def do(self, task: Task) -> None:
        """Erase captured and compacted answers of an hour; its manifest names both."""
        store = self.at.stores["data"]
        for key in [key for key in task.keys if not key.startswith("compacted/")]:
            Objects(self.at).one("data", store, key, Place("captured answers", Treatment.ROWS))
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
        self.at.looked_at += 1
        names = {name: f'"t_{code}"' for code, name in manifest.columns.items()} | {"prediction_id": "prediction_id"}
        stored = set(tables.plain_names(self.at.engine, path))
        names = {name: sql for name, sql in names.items() if sql.strip('"') in stored}
        found = tables.find_in_parquet(self.at.engine, path, self.at.subjects, names)
        self.at.found.columns = sorted({*self.at.found.columns, *found.columns})
        if not found.rows:
            path.unlink()
            return part
        place = Place("compacted answers", Treatment.COMPACTED)
        self.at.changed += 1
        self.at.count(place, one)
        self.at.remember(found, place)
        if not self.at.erasing:
            path.unlink()
            return part
        target = path.with_name(f"{path.name}.new")
        left = tables.write_parquet(self.at.engine, path, self.at.subjects, names, target)
        answers = self.at.engine.execute(
            f"SELECT count(*) FILTER (shadow IS NOT TRUE) FROM read_parquet({literal(target)})"
        ).fetchone()[0]
        digest, size = sha256(target), target.stat().st_size
        fresh = Part(name=f"part-{digest[:32]}.parquet", sha256=digest, bytes=size, rows=left, answers=answers)
        self.at.keep_tombstone(Tombstone(bucket="data", key=key, was=part.sha256, now=None))
        if left:
            store.put(f"{folder}{fresh.name}", target)
        path.unlink()
        target.unlink()
        return fresh if left else None

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
            if is_old and one.key in self.at.erased_keys:
                store.delete_version(one)
