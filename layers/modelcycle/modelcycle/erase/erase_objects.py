"""Find the rows of the subjects in some objects, or take them out: one item of the erasure's Map."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.captured.manifest import Manifest, Part
from modelcycle.engine import connect
from modelcycle.erase import arrays, references, tables
from modelcycle.erase.graphs import without_texts
from modelcycle.erase.parquet_files import find_rows
from modelcycle.erase.places import Place, Treatment, place_of
from modelcycle.erase.subjects import Subjects
from modelcycle.erase.text_files import faults_of_reading
from modelcycle.erase.work import Count, Found, Positions, Task, Tombstone, Work
from modelcycle.erasing_store import ERASURE, ObjectVersion, S3ErasingStore
from modelcycle.faults import BadPipeline, NotAllowed, Unknown
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact, ErasedObjects, EraseObjectsRequest
from modelcycle.registry import Registry, Version
from modelcycle.spec import Pipeline, parse
from modelcycle.spec.sources import Csv, csv_of
from modelcycle.sql_literal import literal

STEP = "erase_objects"
SHARED = ("captures/2", "captures-failed/", "landed/_quarantine/")  # with the lines of all models


def erase_objects(
    request: EraseObjectsRequest, *, data: S3ErasingStore, artifacts: S3ErasingStore, registry: Registry,
    keys: KeyService | None = None,
) -> ErasedObjects:  # fmt: skip
    """Look for the subjects in the objects of a batch, or erase them there.

    Before anything is changed, a tombstone says what will be. An object that is rewritten has its new hash on record
    before it has its new bytes. So a step that is killed anywhere goes on when it is called again, and one that is
    called twice changes nothing the second time.

    Parameters
    ----------
    keys : of pseudonyms; None: the stack has none

    Raises
    ------
    Unknown : there is no request of that erasure
    Raced : somebody replaced an object meanwhile
    """
    work = Work(artifacts, request.model, request.erasure)
    with TemporaryDirectory() as name, connect(Path(name), STEP) as engine:
        eraser = _Eraser(request, work, data, artifacts, registry, keys, engine, Path(name))
        for task in work.batch(request.round, request.batch):
            eraser.do(task)
        work.keep_found(request.round, request.batch, eraser.found)
        return ErasedObjects(
            model=request.model, erasure=request.erasure, batch=request.batch, objects=eraser.looked_at,
            changed=eraser.changed,
        )  # fmt: skip


class _Eraser:
    """The work of one call.

    Attributes
    ----------
    found : what the call has found
    looked_at, changed : objects, each version counts
    """

    def __init__(
        self, request: EraseObjectsRequest, work: Work, data: S3ErasingStore, artifacts: S3ErasingStore,
        registry: Registry, keys: KeyService | None, engine: Any, folder: Path,
    ) -> None:  # fmt: skip
        self.model, self.erasure = request.model, request.erasure
        self.erasing = request.phase == "erase"
        self.work, self.registry, self.engine, self.folder = work, registry, engine, folder
        self.stores = {"data": data, "artifacts": artifacts}
        self.known = work.known()
        self.subjects = work.subjects(self.known, keys)
        self.traces = work.traces(self.known)
        self.versions = registry.versions.all(request.model)
        self.kept = references.kept_keys(self.versions, artifacts.bucket)
        self.csv = self._csv()
        self.found = Found()
        self.looked_at = self.changed = 0
        self.number = 0

    def do(self, task: Task) -> None:
        if task.kind == "references":
            self._references()
        elif task.kind == "hour":
            self._hour(task)
        else:
            self._objects(task)

    # objects, one by one

    def _objects(self, task: Task) -> None:
        store = self.stores[task.bucket]
        for key in task.keys:
            place = place_of(self.model, task.bucket, key)
            if place is not None:
                self._object(task.bucket, store, key, place)

    def _object(self, bucket: str, store: S3ErasingStore, key: str, place: Place) -> None:
        """Look at all versions of an object: the one that is read, and those that it replaced."""
        versions = [one for one in store.versions(key) if one.key == key]
        hits = 0
        live_now: str | None = None
        for one in sorted(versions, key=lambda one: not one.latest):
            if one.deleted:
                continue
            hit, now = self._version(bucket, store, one, place, live_now)
            hits += hit
            if one.latest:
                live_now = now
        if self.erasing:
            self._delete_lonely_markers(store, key, hits)

    def _version(
        self, bucket: str, store: S3ErasingStore, one: ObjectVersion, place: Place, live_now: str | None
    ) -> tuple[bool, str | None]:
        """Look at a version; return whether it held something, and the SHA-256 of what a reader gets then."""
        path = self._path(one.key)
        try:
            metadata = store.download_version(one, path)
        except Unknown:
            return False, None
        except NotAllowed as fault:
            self.found.unread = sorted({*self.found.unread, f"{bucket}/{one.key} ({fault.what})"})
            return False, None
        self.looked_at += 1
        was = _sha256(path)
        target = path.with_name(f"{path.name}.new")
        try:
            held, left = self._without(path, one, place, was, target)
        except faults_of_reading() as fault:
            self._unread(bucket, one, path, str(fault).partition("\n")[0])
            if self.erasing and one.key.endswith(".parquet"):  # it was read, and could not be written
                self.found.held[f"{bucket}/{one.key}"] = str(fault).partition("\n")[0]
            path.unlink(missing_ok=True)
            return False, was
        try:
            if not held:
                return False, was
            name = f"{bucket}/{one.key}"
            if name in self.known.held:  # an earlier round could not change it
                self.found.held[name] = self.known.held[name]
                return False, was
            self.changed += 1
            self._count(place, one)
            if not self.erasing:
                return True, was
            return True, self._replace(bucket, store, one, was, target if left else None, live_now, metadata)
        finally:
            path.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    def _replace(
        self, bucket: str, store: S3ErasingStore, one: ObjectVersion, was: str, target: Path | None,
        live_now: str | None, metadata: Mapping[str, str],
    ) -> str | None:  # fmt: skip
        """Put other bytes in place of a version that is read, and delete it; return their hash, None if there are none.

        A version that was replaced before is deleted: what is read in its place is `live_now`.
        """
        now = (_sha256(target) if target is not None else None) if one.latest else live_now
        self.work.keep_tombstones([Tombstone(bucket=_name(bucket), key=one.key, was=was, now=now)])
        owner = Artifact(uri=f"s3://{store.bucket}/{one.key}", sha256=was, bytes=0).owner
        size = target.stat().st_size if target is not None and one.latest else 0
        if one.latest and target is not None:
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, now, size)
            kept = {name: value for name, value in metadata.items() if name != "sha256"}
            written = store.rewrite(one, target, kept | {ERASURE: self.erasure})
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, now, size, etag=written.etag)
        elif one.latest:
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, None)
            store.hide(one.key)
        store.delete_version(one)
        return now

    def _without(
        self, path: Path, one: ObjectVersion, place: Place, was: str, target: Path
    ) -> tuple[bool, bool]:  # fmt: skip
        """Write an object without the subjects to `target`; return whether it held any, and whether any is left."""
        treatment = place.treatment
        if treatment is Treatment.ROWS:
            return self._rows(path, one.key, place, was, target)
        if treatment is Treatment.QUARANTINE:
            return self._quarantine(path, target)
        body = path.read_bytes()
        if treatment is Treatment.BATCH:
            return self._batch_of_stream(body, target)
        if treatment is Treatment.TABLE:
            return self._table(body, path, one.key, place), False
        if treatment is Treatment.SCRATCH:
            return self._scratch(body, path, one.key), False
        if treatment is Treatment.GRAPH:
            cleaned, held = without_texts(body, self.traces, self.work.salt() if self.traces.words else "")
            return held and self._write(target, cleaned), held
        if treatment is Treatment.ARCHIVE:
            return self.traces.are_in(arrays.unpacked(body)), False
        return self._document(body, one.key, place, target)

    # kinds of objects

    def _rows(self, path: Path, key: str, place: Place, was: str, target: Path) -> tuple[bool, bool]:
        if not path.stat().st_size:
            return False, True
        subjects = self._subjects_in(key)
        found = tables.find(self.engine, path, key, self._csv_of(key), subjects)
        self.found.columns = sorted({*self.found.columns, *found.columns})
        for column, cells in found.alike.items():
            self.found.alike[column] = self.found.alike.get(column, 0) + cells
        if not found.rows:
            return False, True
        self._remember(found, place)
        self.found.contents = sorted({*self.found.contents, was})
        if not self.erasing:
            return True, True
        left = tables.write(self.engine, path, key, self._csv_of(key), subjects, target)
        # a header without rows is still a table; an object without any line is none
        has_header = key.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet"))
        return True, left > 0 or (has_header and not place.name.startswith("captured"))

    def _quarantine(self, path: Path, target: Path) -> tuple[bool, bool]:
        """Cells and lines that were kept back: those that hold what identifies a subject, or what only they had."""
        texts = sorted(
            {*self.traces.texts, *(text for one in self.subjects.conditions for t in one.values() for text in t)}
        )
        wanted = ", ".join(literal(text) for text in texts)
        file = f"read_parquet({literal(path)}, file_row_number = true)"
        inside = " OR ".join(f"contains(text, {literal(text)})" for text in sorted(self.traces.texts))
        condition = f"coalesce(trim(text) IN ({wanted}){f' OR {inside}' if inside else ''}, false)"
        rows = self.engine.execute(f"SELECT count(*) FROM {file} WHERE {condition}").fetchone()[0]
        if not rows:
            return False, True
        self.engine.execute(
            f"""COPY (SELECT * EXCLUDE (file_row_number) FROM {file} WHERE NOT {condition} ORDER BY file_row_number)
                TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        return True, True

    def _batch_of_stream(self, body: bytes, target: Path) -> tuple[bool, bool]:
        objects: dict[str, list[str]] = json.loads(body)
        own = f"landed/{self.model}/"
        kept = {
            key: [line for line in lines if not (key.startswith(own) and self._is_line_of_subject(line))]
            for key, lines in objects.items()
        }
        if kept == objects:
            return False, True
        return self._write(target, json.dumps(kept, sort_keys=True, ensure_ascii=True).encode()), True

    def _is_line_of_subject(self, line: str) -> bool:
        try:
            return self.subjects.is_named_in(json.loads(line))
        except ValueError:
            return False

    def _table(self, body: bytes, path: Path, key: str, place: Place) -> bool:
        """Return whether a table of a run is deleted: it holds the subjects, or another table of the run does."""
        if key in self.kept:
            return False
        if place.run in self.known.runs:
            return True
        held = self._holds(body, path, key)
        if held:
            self.found.runs = sorted({*self.found.runs, place.run})
        return held

    def _scratch(self, body: bytes, path: Path, key: str) -> bool:
        """Whether an intermediate object is deleted: once somebody asked or scored, nobody can say which it holds."""
        if key.startswith("_monitoring/") and self.known.predictions:
            return True
        if key.startswith("_scoring/") and any(name in self.known.classes for name in ("files to score", "results")):
            return True
        return self._holds(body, path, key)

    def _holds(self, body: bytes, path: Path, key: str) -> bool:
        if key.endswith(".npz"):
            return arrays.holds(body, self.traces, self.subjects)
        if body[:4] == b"PAR1":
            names = self._names_of_snapshot(key) if "/collect/rows-" in key else None
            sql = tables.parquet_names(self.engine, path, names)
            found = tables.find_in_parquet(self.engine, path, self.subjects, sql)
            if found.rows:
                self._remember(found, None)
                return True
            return False
        return self.traces.are_in(arrays.unpacked(body))

    def _names_of_snapshot(self, key: str) -> dict[str, str] | None:
        try:
            manifest = json.loads(self.stores["artifacts"].latest(f"{key.rpartition('/')[0]}/manifest.json")[0])
        except Unknown:
            return None
        return {name: f'"c{number}"' for number, name in enumerate(manifest["columns"])}

    def _document(self, body: bytes, key: str, place: Place, target: Path) -> tuple[bool, bool]:
        if key.startswith("scored/") and key.endswith("/manifest.json"):
            told = json.loads(body)
            if self._has_new_hashes(told):
                return self._write(target, json.dumps(told, sort_keys=True, ensure_ascii=False).encode()), True
        if key.endswith("/preprocess/contract.json") or key.endswith("/collect/manifest.json"):
            self._note_run(body, place)
        if not self.traces.texts and not self.traces.rows:
            return False, True
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return self.traces.are_in(body), False
        if key.endswith(".json"):
            try:
                value, changed = self.traces.without(json.loads(text))
            except ValueError:
                value, changed = None, False
            if changed:
                return self._write(target, _as_written(text, value)), True
            if value is not None:
                return False, True
        cleaned = self.traces.in_text(text)
        return cleaned != text and self._write(target, cleaned.encode()), True

    def _has_new_hashes(self, manifest: dict[str, Any]) -> bool:
        """Give the results of a scoring job, in its manifest, the hashes that they have since they were rewritten."""
        changed = False
        for file in manifest.get("results", []):
            found = self.registry.erasures.rewritten(self.model, self.stores["data"].bucket, file["key"])
            if found is not None and found.now not in (None, file["sha256"]):
                file |= {"sha256": found.now, "bytes": found.bytes}
                changed = True
        return changed

    def _note_run(self, body: bytes, place: Place) -> None:
        """Note a run whose snapshot was made of files that hold the subjects."""
        contents = set(self.known.contents)
        described = json.loads(body)
        files = described.get("files") or described.get("objects") or []
        hashes = {file.get("content") for file in files} | {file.get("sha256") for file in files}
        if contents & hashes:
            self.found.runs = sorted({*self.found.runs, place.run})

    # hours of answers

    def _hour(self, task: Task) -> None:
        """Erase captured and compacted answers of an hour; its manifest names both."""
        store = self.stores["data"]
        for key in [key for key in task.keys if not key.startswith("compacted/")]:
            self._object("data", store, key, Place("captured answers", Treatment.ROWS))
        manifest_key = f"compacted/model={self.model}/{task.hour}/manifest.json"
        current = store.current(manifest_key)
        if current is None:
            return
        manifest, etag = Manifest.model_validate_json(current[0]), current[1]
        folder = manifest_key.removesuffix("manifest.json")
        parts = [self._part(store, folder, part, manifest) for part in manifest.parts]
        objects = self._etags(store, manifest) if self.erasing else manifest.objects
        changed = manifest.model_copy(
            update={"parts": [part for part in parts if part is not None], "objects": objects}
        )  # fmt: skip
        if self.erasing and changed != manifest:
            store.replace(manifest_key, changed.to_bytes(), etag)
        if self.erasing:
            self._delete_unnamed(store, folder, changed, manifest_key)

    def _part(self, store: S3ErasingStore, folder: str, part: Part, manifest: Manifest) -> Part | None:
        """Return a compacted file without the subjects; None if nothing of it is left."""
        key = f"{folder}{part.name}"
        one = next((one for one in store.versions(key) if one.key == key and one.latest), None)
        if one is None or one.deleted:
            return part
        path = self._path(key)
        store.download_version(one, path)
        self.looked_at += 1
        names = {name: f'"t_{code}"' for code, name in manifest.columns.items()} | {"prediction_id": "prediction_id"}
        stored = set(tables.plain_names(self.engine, path))
        names = {name: sql for name, sql in names.items() if sql.strip('"') in stored}
        found = tables.find_in_parquet(self.engine, path, self.subjects, names)
        self.found.columns = sorted({*self.found.columns, *found.columns})
        if not found.rows:
            path.unlink()
            return part
        place = Place("compacted answers", Treatment.COMPACTED)
        self.changed += 1
        self._count(place, one)
        self._remember(found, place)
        if not self.erasing:
            path.unlink()
            return part
        target = path.with_name(f"{path.name}.new")
        left = tables.write_parquet(self.engine, path, self.subjects, names, target)
        answers = self.engine.execute(
            f"SELECT count(*) FILTER (shadow IS NOT TRUE) FROM read_parquet({literal(target)})"
        ).fetchone()[0]
        digest, size = _sha256(target), target.stat().st_size
        fresh = Part(name=f"part-{digest[:32]}.parquet", sha256=digest, bytes=size, rows=left, answers=answers)
        self.work.keep_tombstones([Tombstone(bucket="data", key=key, was=part.sha256, now=None)])
        if left:
            store.put(f"{folder}{fresh.name}", target)
        path.unlink()
        target.unlink()
        return fresh if left else None

    def _etags(self, store: S3ErasingStore, manifest: Manifest) -> dict[str, str]:
        """Return the compacted objects with the etags that they have since an erasure rewrote them."""
        objects = dict(manifest.objects)
        for key, etag in manifest.objects.items():
            found = self.registry.erasures.rewritten(self.model, store.bucket, key)
            if found is not None and found.etag and found.etag != etag:
                objects[key] = found.etag
        return objects

    def _delete_unnamed(self, store: S3ErasingStore, folder: str, manifest: Manifest, manifest_key: str) -> None:
        """Delete files that no manifest names, which hold what was erased, and manifests that were replaced."""
        named = {f"{folder}{part.name}" for part in manifest.parts}
        for one in store.versions(folder):
            is_old = one.key.endswith(".parquet") and (one.key not in named or not one.latest)
            if is_old and self._is_tombstone(one.key):
                store.delete_version(one)

    def _is_tombstone(self, key: str) -> bool:
        return any(stone.key == key for stone in self.work.tombstones())

    # test rows of versions

    def _references(self) -> None:
        if not self.erasing:
            begun = {positions.version: positions for positions in self.known.references}
            for version in self.versions:
                if version.version not in begun or not self._count_left(version, begun[version.version]):
                    self._find_test_rows(version)
            return
        for positions in self.known.references:
            self._erase_test_rows(positions)

    def _find_test_rows(self, version: Version) -> None:
        if version.reference is None:
            return
        artifacts = self.stores["artifacts"]
        try:
            rows = references.test_rows_of(artifacts.read(version.reference.features), self.subjects)
        except Unknown:
            return
        if rows is None:  # the column was dropped before training: the snapshot still has it
            rows = self._test_rows_by_snapshot(version)
        if rows is None:
            return
        if not rows:
            return
        files = references.files_of(version.reference)
        was = {name: _sha256_of(artifacts.read(artifact)) for name, artifact in files.items()}
        self.found.references.append(Positions(version=version.version, rows=rows, was=was))
        self._add_count("test rows of a version", Count(objects=len(files), rows=len(rows)))
        self.changed += len(files)

    def _test_rows_by_snapshot(self, version: Version) -> list[int] | None:
        """Return the positions of the subjects among the test rows by way of the snapshot; None if it is gone."""
        assert version.reference is not None
        run = references.run_of(version.reference.features)
        artifacts = self.stores["artifacts"]
        folder = self._snapshot_of(run)
        try:
            parts = artifacts.latest(f"{self.model}/runs/{run}/preprocess/parts.npz")[0]
        except Unknown:
            folder = None
        if folder is None:
            if run in self.known.runs:
                key = version.reference.features.uri.removeprefix(f"s3://{artifacts.bucket}/")
                self.found.held[f"artifacts/{key}"] = (
                    f"the test rows of version {version.version} have lost the column, and so has their snapshot: a new"
                    " run has others"
                )
            return None
        names, rows, first = self._names_of_snapshot(f"{folder}x") or {}, list[int](), 0
        for listed in artifacts.list(f"{folder}rows-"):
            path = self._path(listed.key)
            path.write_bytes(artifacts.latest(listed.key)[0])
            found = find_rows(self.engine, path, self.subjects, names)
            rows += [first + int(row["_row"]) for row in found]
            first += self.engine.execute(f"SELECT count(*) FROM read_parquet({literal(path)})").fetchone()[0]
            path.unlink()
        return references.positions_in_test(parts, rows)

    def _snapshot_of(self, run: str) -> str | None:
        """Return the folder of the snapshot that a run was made of, perhaps an earlier run's; None if it is gone."""
        artifacts, prefix = self.stores["artifacts"], f"{self.model}/runs/"

        def contents(key: str) -> list[str] | None:
            try:
                told = json.loads(artifacts.latest(key)[0])
            except Unknown:
                return None
            files = told.get("files") or told.get("objects") or []
            return [file.get("content") or file.get("sha256") for file in files if "traffic" not in file]

        wanted = contents(f"{prefix}{run}/preprocess/contract.json")
        folders = [one.key.removesuffix("manifest.json") for one in artifacts.list(prefix)
                   if one.key.endswith("/collect/manifest.json")]  # fmt: skip
        return next(
            (
                folder for folder in sorted(folders, key=lambda one: f"/{run}/" not in one)
                if wanted is not None and contents(f"{folder}manifest.json") == wanted
                and any(artifacts.list(f"{folder}rows-"))
            ),
            None,
        )  # fmt: skip

    def _count_left(self, version: Version, positions: Positions) -> int:
        """Return how many files have the rows that were found in them earlier: a kill may have come between two."""
        left = 0
        for name, artifact in references.files_of(version.reference).items() if version.reference else ():
            try:
                body = self.stores["artifacts"].latest(artifact.uri.split("/", 3)[3])[0]
            except Unknown:
                continue
            if _sha256_of(body) == positions.was[name]:
                left += 1
                rows = len(positions.rows) if name == "features" else 0
                self._add_count("test rows of a version", Count(objects=1, rows=rows))
        self.changed += left
        return left

    def _erase_test_rows(self, positions: Positions) -> None:
        version = next((one for one in self.versions if one.version == positions.version), None)
        if version is None or version.reference is None:
            return
        store = self.stores["artifacts"]
        for name, artifact in references.files_of(version.reference).items():
            key = artifact.uri.removeprefix(f"s3://{store.bucket}/")
            for one in [one for one in store.versions(key) if one.key == key and not one.deleted]:
                path = self._path(key)
                metadata = store.download_version(one, path)
                body = path.read_bytes()
                path.unlink()
                was = _sha256_of(body)
                self.looked_at += 1
                if was != positions.was[name]:
                    continue
                target = path.with_name(f"{path.name}.new")
                target.write_bytes(references.without(name, body, positions.rows))
                self.changed += 1
                # an old version with the same bytes goes; what is read in its place lost the same rows
                self._replace("artifacts", store, one, was, target, _sha256(target), metadata)
                target.unlink()

    # what all share

    def _subjects_in(self, key: str) -> Subjects:
        """Return the subjects; in an object of all models, only lines that name this one are about them."""
        return replace(self.subjects, model=self.model) if key.startswith(SHARED) else self.subjects

    def _remember(self, found: tables.RowsFound, place: Place | None) -> None:
        mine = Found(
            predictions=sorted(found.predictions), rows=found.rows[:1000],
            own={column: sorted(texts) for column, texts in found.own.items()},
            shared={column: sorted(texts) for column, texts in found.shared.items()},
        )  # fmt: skip
        self.found.add(mine)
        if place is not None:
            self._add_count(place.name, Count(rows=len(found.rows)))

    def _count(self, place: Place, one: ObjectVersion) -> None:
        self._add_count(place.name, Count(objects=1, old=0 if one.latest else 1))

    def _add_count(self, name: str, count: Count) -> None:
        self.found.add(Found(classes={name: count}))

    def _delete_lonely_markers(self, store: S3ErasingStore, key: str, hits: int) -> None:
        """Delete the markers of an object of which no version is left: they name it."""
        left = [one for one in store.versions(key) if one.key == key]
        if left and all(one.deleted for one in left):
            for one in left:
                store.delete_version(one)

    def _unread(self, bucket: str, one: ObjectVersion, path: Path, why: str) -> None:
        """Note an object that cannot be read; it may hold the subjects if it has one of their texts."""
        name = f"{bucket}/{one.key}"
        if self.traces.are_in(path.read_bytes()):
            self.found.held[name] = why
        else:
            self.found.unread = sorted({*self.found.unread, name})

    def _csv(self) -> Pipeline | None:
        try:
            return parse(self.stores["data"].latest(f"pipelines/{self.model}.yaml")[0])
        except (Unknown, BadPipeline):
            return None

    def _csv_of(self, key: str) -> Csv:
        """Return what the pipeline file says of the CSV files of the source in whose folder an object lies."""
        if self.csv is None:
            return Csv()
        if key.startswith("landed/"):
            name = key.split("/")[2] if key.count("/") > 2 else ""
            return csv_of(self.csv.sources[name]) if name in self.csv.sources else Csv()
        return self.csv.csv

    def _path(self, key: str) -> Path:
        self.number += 1
        return self.folder / f"{self.number:06d}"

    @staticmethod
    def _write(target: Path, body: bytes) -> bool:
        target.write_bytes(body)
        return True


def _as_written(text: str, value: Any) -> bytes:
    """Return a JSON value as text, indented if the former text was."""
    indent = 1 if text.startswith("{\n ") or text.startswith("[\n ") else None
    return json.dumps(value, sort_keys=_is_sorted(text), ensure_ascii=False, indent=indent).encode()


def _is_sorted(text: str) -> bool:
    value = json.loads(text)
    return isinstance(value, dict) and list(value) == sorted(value)


def _name(bucket: str) -> Any:
    return bucket


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
