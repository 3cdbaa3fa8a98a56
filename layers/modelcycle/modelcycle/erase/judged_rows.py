"""The test rows of versions: found by the column that identifies a subject, or by way of the snapshot."""

from __future__ import annotations

import json

from modelcycle.erase import references
from modelcycle.erase.erasing import Erasing, sha256, sha256_of
from modelcycle.erase.parquet_files import find_rows
from modelcycle.erase.work import Count, Positions
from modelcycle.faults import Unknown
from modelcycle.registry import Version
from modelcycle.sql_literal import literal


class JudgedRows:
    """Looks for subjects among the test rows of versions, or takes them out."""

    def __init__(self, at: Erasing) -> None:
        self.at = at

    def do(self) -> None:
        if not self.at.erasing:
            begun = {positions.version: positions for positions in self.at.known.references}
            for version in self.at.versions:
                if version.version not in begun or not self._count_left(version, begun[version.version]):
                    self._find_test_rows(version, has_begun=version.version in begun)
            return
        for positions in self.at.known.references:
            self._erase_test_rows(positions)

    def _find_test_rows(self, version: Version, *, has_begun: bool) -> None:
        if version.reference is None:
            return
        artifacts = self.at.stores["artifacts"]
        try:
            features = artifacts.read(version.reference.features)
        except Unknown:
            return
        rows = references.test_rows_of(features, self.at.subjects, exactly=True)
        if rows is None and has_begun:
            return  # by way of the snapshot they were found, and it is gone
        if rows is None:  # the column was dropped before training, or rounded: the snapshot still has it
            rows = self._test_rows_by_snapshot(version)
        if rows is None:
            rows = references.test_rows_of(features, self.at.subjects)
        if rows is None and references.run_of(version.reference.features) in self.at.known.runs:
            key = version.reference.features.uri.removeprefix(f"s3://{artifacts.bucket}/")
            self.at.found.held[f"artifacts/{key}"] = (
                f"the test rows of version {version.version} have lost the column, and so has their snapshot: a new run"
                " has others"
            )
        if not rows:
            return
        files = references.files_of(version.reference)
        was = {name: sha256_of(artifacts.read(artifact)) for name, artifact in files.items()}
        self.at.found.references.append(Positions(version=version.version, rows=rows, was=was))
        self.at.add_count("test rows of a version", Count(objects=len(files), rows=len(rows)))
        self.at.changed += len(files)

    def _test_rows_by_snapshot(self, version: Version) -> list[int] | None:
        """Return the positions of the subjects among the test rows by way of the snapshot; None if it is gone."""
        assert version.reference is not None
        run = references.run_of(version.reference.features)
        artifacts = self.at.stores["artifacts"]
        folder = self._snapshot_of(run)
        try:
            parts = artifacts.latest(f"{self.at.model}/runs/{run}/preprocess/parts.npz")[0]
        except Unknown:
            folder = None
        if folder is None:
            return None
        names, rows, first = self.at.names_of_snapshot(f"{folder}x") or {}, list[int](), 0
        for listed in artifacts.list(f"{folder}rows-"):
            path = self.at.path()
            path.write_bytes(artifacts.latest(listed.key)[0])
            found = find_rows(self.at.engine, path, self.at.subjects, names)
            rows += [first + int(row["_row"]) for row in found]
            first += self.at.engine.execute(f"SELECT count(*) FROM read_parquet({literal(path)})").fetchone()[0]
            path.unlink()
        return references.positions_in_test(parts, rows)

    def _snapshot_of(self, run: str) -> str | None:
        """Return the folder of the snapshot that a run was made of, perhaps an earlier run's; None if it is gone."""
        artifacts, prefix = self.at.stores["artifacts"], f"{self.at.model}/runs/"

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
                body = self.at.stores["artifacts"].latest(artifact.uri.split("/", 3)[3])[0]
            except Unknown:
                continue
            if sha256_of(body) == positions.was[name]:
                left += 1
                rows = len(positions.rows) if name == "features" else 0
                self.at.add_count("test rows of a version", Count(objects=1, rows=rows))
        self.at.changed += left
        return left

    def _erase_test_rows(self, positions: Positions) -> None:
        version = next((one for one in self.at.versions if one.version == positions.version), None)
        if version is None or version.reference is None:
            return
        store = self.at.stores["artifacts"]
        for name, artifact in references.files_of(version.reference).items():
            key = artifact.uri.removeprefix(f"s3://{store.bucket}/")
            for one in [one for one in store.versions(key) if one.key == key and not one.deleted]:
                path = self.at.path()
                metadata = store.download_version(one, path)
                body = path.read_bytes()
                path.unlink()
                was = sha256_of(body)
                self.at.looked_at += 1
                if was != positions.was[name]:
                    continue
                target = path.with_name(f"{path.name}.new")
                target.write_bytes(references.without(name, body, positions.rows))
                self.at.changed += 1
                # an old version with the same bytes goes; what is read in its place lost the same rows
                self.at.replace("artifacts", store, one, was, target, sha256(target), metadata)
                target.unlink()
