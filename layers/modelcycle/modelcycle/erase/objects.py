"""Objects one by one: each version of each, by what it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from modelcycle.erase import arrays, tables
from modelcycle.erase.erasing import Bucket, Erasing, sha256
from modelcycle.erase.graphs import without_texts
from modelcycle.erase.parquet_files import source_sql
from modelcycle.erase.places import Place, Treatment, place_of
from modelcycle.erase.text_files import faults_of_reading
from modelcycle.erase.unreadable import told_as_unreadable
from modelcycle.erase.work import Task
from modelcycle.erasing_store import ObjectVersion, S3ErasingStore
from modelcycle.faults import NotAllowed, Unknown
from modelcycle.sql_literal import literal

SEPARATORS = re.compile(r"[,;\t|]")  # of the cells of a line


class Objects:
    """Looks through objects, or erases the subjects in them."""

    def __init__(self, at: Erasing) -> None:
        self.at = at

    def do(self, task: Task) -> None:
        store = self.at.stores[task.bucket]
        for key in task.keys:
            place = place_of(self.at.model, task.bucket, key)
            if place is not None:
                self.one(task.bucket, store, key, place)

    def one(self, bucket: Bucket, store: S3ErasingStore, key: str, place: Place) -> None:
        """Look at all versions of an object: the one that is read, and those that it replaced."""
        versions = [one for one in store.versions(key) if one.key == key]
        live_now: str | None = None
        for one in sorted(versions, key=lambda one: not one.latest):
            if one.deleted:
                continue
            now = self._version(bucket, store, one, place, live_now)
            if one.latest:
                live_now = now
        if versions and self.at.traces.are_in(key.encode("utf-8", "surrogatepass")):
            self.at.found.doubtful[f"{bucket}/{key}"] = (
                "its name holds a value: upload it under another one, delete this one"
            )
        if self.at.erasing:
            self._delete_lonely_markers(store, key)

    def _version(
        self, bucket: Bucket, store: S3ErasingStore, one: ObjectVersion, place: Place, live_now: str | None
    ) -> str | None:
        """Look at a version; return the SHA-256 of what a reader gets in its place then."""
        path = self.at.path()
        try:
            metadata = store.download_version(one, path)
        except Unknown:
            return None
        except NotAllowed as fault:
            self.at.found.unread = sorted({*self.at.found.unread, f"{bucket}/{one.key} ({fault.what})"})
            return None
        self.at.looked_at += 1
        was = sha256(path)
        target = path.with_name(f"{path.name}.new")
        try:
            with told_as_unreadable(one.key):
                held, left = self._without(path, bucket, one, place, was, target)
        except faults_of_reading() as fault:
            self._unread(bucket, one, path, str(fault).partition("\n")[0])
            if self.at.erasing and one.key.endswith(".parquet"):  # it was read, and could not be written
                self.at.found.held[f"{bucket}/{one.key}"] = str(fault).partition("\n")[0]
            path.unlink(missing_ok=True)
            return was
        try:
            if not held:
                return was
            name = f"{bucket}/{one.key}"
            if name in self.at.known.held:  # an earlier round could not change it
                self.at.found.held[name] = self.at.known.held[name]
                return was
            self.at.changed += 1
            self.at.count(place, one)
            if not self.at.erasing:
                return was
            return self.at.replace(bucket, store, one, was, target if left else None, live_now, metadata)
        finally:
            path.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    def _without(
        self, path: Path, bucket: Bucket, one: ObjectVersion, place: Place, was: str, target: Path
    ) -> tuple[bool, bool]:  # fmt: skip
        """Write an object without the subjects to `target`; return whether it held any, and whether any is left."""
        treatment = place.treatment
        if treatment is Treatment.ROWS:
            return self._rows(path, one.key, place, was, target)
        if treatment is Treatment.QUARANTINE:
            return self._quarantine(path, f"{bucket}/{one.key}", target)
        body = path.read_bytes()
        if treatment is Treatment.BATCH:
            return self._batch_of_stream(body, target)
        if treatment is Treatment.TABLE:
            return self._table(body, path, one.key, place), False
        if treatment is Treatment.SCRATCH:
            return self._scratch(body, path, one.key), False
        if treatment is Treatment.GRAPH:
            cleaned, held, stays = without_texts(
                body, self.at.traces, self.at.work.salt() if self.at.traces.words else ""
            )
            if stays:
                self.at.found.doubtful[f"{bucket}/{one.key}"] = (
                    "a text of theirs stands in the graph, and is none of its categories: retrain the model"
                )
            return held and self.at.write(target, cleaned), held
        if treatment is Treatment.ARCHIVE:
            return self.at.traces.are_in(arrays.unpacked(body)), False
        return self._document(body, one.key, place, target)

    def _rows(self, path: Path, key: str, place: Place, was: str, target: Path) -> tuple[bool, bool]:
        if not path.stat().st_size:
            return False, True
        subjects = self.at.subjects_in(key)
        found = tables.find(self.at.engine, path, key, self.at.csv_of(key), subjects)
        self.at.found.columns = sorted({*self.at.found.columns, *found.columns})
        for column, cells in found.alike.items():
            self.at.found.alike[column] = self.at.found.alike.get(column, 0) + cells
        if found.doubtful:
            self.at.found.doubtful[f"data/{key}"] = (
                f"{found.doubtful:,} broken lines may be theirs, and stay: correct or delete them, and upload it again"
            )
        if not found.rows:
            return False, True
        self.at.remember(found, place)
        self.at.found.contents = sorted({*self.at.found.contents, was})
        if not self.at.erasing:
            return True, True
        left = tables.write(self.at.engine, path, key, self.at.csv_of(key), subjects, target)
        # a header without rows is still a table; an object without any line is none
        has_header = key.lower().endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet"))
        return True, left > 0 or (has_header and not place.name.startswith("captured"))

    def _quarantine(self, path: Path, name: str, target: Path) -> tuple[bool, bool]:
        """Cells and lines that were kept back: those with a text that only the subjects had, or that identifies them.

        A cell of another column may have the value of an id of theirs, and stays. So does a line with a cell of that
        value, of which nobody knows the column: it is told.
        """
        known = tables.plain_names(self.at.engine, path)
        column, text = known.get("column", "NULL"), known["text"]
        mine, doubtful = [], 0
        for number, where, cell in self.at.engine.execute(
            f"SELECT file_row_number, {column}, {text} FROM {source_sql(path)} WHERE {text} IS NOT NULL"
        ).fetchall():
            if self.at.traces.in_text(cell) != cell or (where and self.at.subjects.is_cell_of(where, cell)):
                mine.append(number)
            elif not where:
                doubtful += any(self.at.subjects.is_cell_of(None, part) for part in SEPARATORS.split(cell))
        if doubtful:
            self.at.found.doubtful[name] = f"{doubtful:,} broken lines may be theirs, and stay"
        if not mine:
            return False, True
        self.at.engine.execute(
            f"""COPY (SELECT * EXCLUDE (file_row_number) FROM {source_sql(path)}
                      WHERE file_row_number NOT IN ({", ".join(map(str, mine))}) ORDER BY file_row_number)
                TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        return True, True

    def _batch_of_stream(self, body: bytes, target: Path) -> tuple[bool, bool]:
        objects: dict[str, list[str]] = json.loads(body)
        own = f"landed/{self.at.model}/"
        kept = {
            key: [line for line in lines if not (key.startswith(own) and self._is_line_of_subject(line))]
            for key, lines in objects.items()
        }
        if kept == objects:
            return False, True
        return self.at.write(target, json.dumps(kept, sort_keys=True, ensure_ascii=True).encode()), True

    def _is_line_of_subject(self, line: str) -> bool:
        try:
            return self.at.subjects.is_named_in(json.loads(line))
        except ValueError:
            return False

    def _table(self, body: bytes, path: Path, key: str, place: Place) -> bool:
        """Return whether a table of a run is deleted: it holds the subjects, or another table of the run does."""
        if key in self.at.kept:
            return False
        if place.run in self.at.known.runs:
            return True
        held = self._holds(body, path, key)
        if held:
            self.at.found.runs = sorted({*self.at.found.runs, place.run})
        return held

    def _scratch(self, body: bytes, path: Path, key: str) -> bool:
        """Whether an intermediate object is deleted: of some, nobody can say whose rows they hold.

        A sample of monitoring has test rows and answers, with codes for texts: it goes with either of the subjects.
        """
        if key.startswith("_monitoring/") and (self.at.known.predictions or self.at.known.references):
            return True
        if key.startswith("_scoring/") and any(name in self.at.known.classes for name in ("files to score", "results")):
            return True
        return self._holds(body, path, key)

    def _holds(self, body: bytes, path: Path, key: str) -> bool:
        if key.endswith(".npz"):
            return arrays.holds(body, self.at.traces, self.at.subjects)
        if body[:4] == b"PAR1":
            names = self.at.names_of_snapshot(key) if "/collect/rows-" in key else None
            sql = tables.parquet_names(self.at.engine, path, names)
            found = tables.find_in_parquet(self.at.engine, path, self.at.subjects, sql)
            if found.rows:
                self.at.remember(found, None)
                return True
            return False
        return self.at.traces.are_in(arrays.unpacked(body))

    def _document(self, body: bytes, key: str, place: Place, target: Path) -> tuple[bool, bool]:
        if key.startswith("scored/") and key.endswith("/manifest.json"):
            told = json.loads(body)
            if self._has_new_hashes(told):
                return self.at.write(target, json.dumps(told, sort_keys=True, ensure_ascii=False).encode()), True
        if key.endswith("/preprocess/contract.json") or key.endswith("/collect/manifest.json"):
            self._note_run(body, place)
        if not self.at.traces.texts and not self.at.traces.rows:
            return False, True
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return self.at.traces.are_in(body), False
        if key.endswith(".json"):
            try:
                value, changed = self.at.traces.without(json.loads(text))
            except ValueError:
                value, changed = None, False
            if changed:
                return self.at.write(target, _as_written(text, value)), True
            if value is not None:
                return False, True
        cleaned = self.at.traces.in_text(text)
        return cleaned != text and self.at.write(target, cleaned.encode()), True

    def _has_new_hashes(self, manifest: dict[str, Any]) -> bool:
        """Give the results of a scoring job, in its manifest, the hashes that they have since they were rewritten."""
        changed = False
        for file in manifest.get("results", []):
            found = self.at.registry.erasures.rewritten(self.at.model, self.at.stores["data"].bucket, file["key"])
            if found is not None and found.now not in (None, file["sha256"]):
                file |= {"sha256": found.now, "bytes": found.bytes}
                changed = True
        return changed

    def _note_run(self, body: bytes, place: Place) -> None:
        """Note a run whose snapshot was made of files that hold the subjects, or that held them by lineage."""
        contents = set(self.at.known.contents)
        described = json.loads(body)
        files = described.get("files") or described.get("objects") or []
        hashes = [(file.get("key", ""), file.get("content") or file.get("sha256")) for file in files]
        if any(sha256 in contents for _, sha256 in hashes):
            self.at.found.runs = sorted({*self.at.found.runs, place.run})
        elif contents and any(contents & self.at.ancestry.later(key, sha256) for key, sha256 in hashes if sha256):
            self.at.found.descended = sorted({*self.at.found.descended, place.run})

    def _delete_lonely_markers(self, store: S3ErasingStore, key: str) -> None:
        """Delete the markers of an object that the erasure has deleted: they name it."""
        left = [one for one in store.versions(key) if one.key == key]
        if left and all(one.deleted for one in left) and key in self.at.erased_keys:
            for one in left:
                store.delete_version(one)

    def _unread(self, bucket: Bucket, one: ObjectVersion, path: Path, why: str) -> None:
        """Note an object that cannot be read; it may hold the subjects if it has one of their texts."""
        name = f"{bucket}/{one.key}"
        if self.at.traces.are_in(path.read_bytes()):
            self.at.found.held[name] = why
        else:
            self.at.found.unread = sorted({*self.at.found.unread, name})


def _as_written(text: str, value: Any) -> bytes:
    """Return a JSON value as text, indented if the former text was."""
    indent = 1 if text.startswith("{\n ") or text.startswith("[\n ") else None
    return json.dumps(value, sort_keys=_is_sorted(text), ensure_ascii=False, indent=indent).encode()


def _is_sorted(text: str) -> bool:
    value = json.loads(text)
    return isinstance(value, dict) and list(value) == sorted(value)
