"""The rows on which candidate and champion can be compared: test rows that neither has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.contract.shifts import (
    far_bounds,
    is_comparable,
    is_other_period,
    level_shift,
    number_shift,
)
from modelcycle.data_need import rows_need
from modelcycle.engine import connect
from modelcycle.faults import BadMessage
from modelcycle.find_unseen.comparability import (
    MAX_DIFFERENCES,
    MIN_UNSEEN_ROWS,
    differences,
    listed,
    missing_columns,
    other_target,
    rewritten_columns,
    sentence,
    too_few,
)
from modelcycle.find_unseen.learned_cases import LearnedCases, Memory, fields_recipe, is_same
from modelcycle.find_unseen.older_rows import read_older_rows
from modelcycle.find_unseen.seen_rows import SeenRows, find_seen_rows
from modelcycle.find_unseen.snapshot import Mask, Snapshot
from modelcycle.messages import Artifact, CaseColumn, CaseRecipe, FindUnseenRequest, FoundUnseen, OlderRows
from modelcycle.model.columns import TableSchema
from modelcycle.model.fields import Field
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.profile import Profile
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import MAX_OBJECT_BYTES, Store, put_json, read_json
from modelcycle.workplace import Workplace

STEP = "find_unseen"
TEST = 2  # in `parts`; 0 and 1 are training and validation, from which a model learns
MAX_KNOWN_SHARE = 0.25  # of a file's rows, that the champion has learned from; of its own files it knows most
MAX_COMPARED_ROWS = 100_000  # whose values are compared with the profile: every n-th, so that the order stays


@dataclass(frozen=True)
class Rows:
    """The rows of this run: the snapshot, the names of its files by number, which of these hold live requests, and the
    part (n,) of each row.
    """

    snapshot: Snapshot
    files: list[str]
    live: list[bool]
    parts: npt.NDArray[np.uint8]


def find_unseen(
    request: FindUnseenRequest, *, artifacts: Store, registry: Registry, code: str, workplace: Workplace | None = None
) -> FoundUnseen:
    """Find the test rows that the champion has not learned from, and read them as it does.

    It also keeps, for the runs after this one, the cases that the candidate has learned from.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the work may be done; None: here, whatever it takes

    Raises
    ------
    BadMessage : the parts do not belong to the snapshot
    """
    pipeline_of(artifacts, request.run)
    champion = _first_seen_champion(request, artifacts, registry)
    version = None if champion is None else registry.versions.get(request.run.model, champion)
    # a champion whose artifacts are gone must not stop the run that could replace it
    lost = version is not None and bool(artifacts.missing(version.essentials))
    unusable = [] if version is None or lost else _unusable(version, artifacts)

    def work() -> FoundUnseen:
        with TemporaryDirectory() as name, connect(Path(name), STEP) as engine:
            rows = _open_rows(request, artifacts, engine, Path(name))
            found = FoundUnseen(
                champion=champion, champion_lost=lost, uncompared=unusable,
                cases=_keep_cases(request, rows, artifacts),
            )  # fmt: skip
            if version is None or lost or unusable:
                return found
            return _compare(request, version, rows, found, artifacts)

    return reuse_or_run(
        work, FoundUnseen, step=STEP, request=request, parameters=[champion, lost, unusable], code=code,
        results=registry.results, artifacts=artifacts,
        workplace=workplace, need=rows_need(request.collect, workplace),
    )  # fmt: skip


def _first_seen_champion(request: FindUnseenRequest, artifacts: Store, registry: Registry) -> int | None:
    """Return the champion as this run first saw it: a redelivered event, even after a promotion, changes nothing."""
    champion = registry.routes.get(request.run.model).champion
    first_seen = put_json(artifacts, request.run.key(STEP, "champion.json"), {"champion": champion})
    version: int | None = read_json(artifacts, first_seen)["champion"]
    return version


def _unusable(version: Version, artifacts: Store) -> list[str]:
    """Return why a version that can serve cannot be judged, as sentences."""
    if version.cases is None:
        return [f"version {version.version} has no record of the rows that it has learned from: it is older than that"]
    sentences = []
    if artifacts.missing([version.cases]):
        sentences.append(f"the record of the rows that version {version.version} has learned from is gone")
    if version.twin is not None and artifacts.missing([version.twin]):
        sentences.append(f"the model by which version {version.version} was judged is gone")
    return sentences


def _open_rows(request: FindUnseenRequest, artifacts: Store, engine: Any, folder: Path) -> Rows:
    manifest = read_json(artifacts, request.collect.manifest)
    files = [source["key"].removeprefix(f"raw/{request.run.model}/") for source in manifest["objects"]]
    shards = [artifacts.fetch(shard, folder) for shard in request.collect.shards]
    parts = np.zeros(0, dtype=np.uint8)
    if request.preprocess.parts is not None:
        parts = from_npz(artifacts.read(request.preprocess.parts))["parts"]
    tests = int((parts == TEST).sum())
    if len(parts) != request.collect.rows or tests != request.preprocess.split[TEST]:
        raise BadMessage("the parts do not belong to the rows of the snapshot", STEP, "start a new run")
    live = ["traffic" in source for source in manifest["objects"]]
    return Rows(Snapshot.open(engine, shards, manifest["columns"]), files, live, parts)


def _keep_cases(request: FindUnseenRequest, rows: Rows, artifacts: Store) -> Artifact:
    """Write the cases of the training and validation rows, which the judged model has learned from."""
    assert request.preprocess.case_recipe is not None  # written together with the parts
    recipe = CaseRecipe.model_validate_json(artifacts.read(request.preprocess.case_recipe))
    signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
    by_fields = fields_recipe(recipe, signature)
    learned = rows.parts < TEST
    whole = LearnedCases.of(recipe, rows.snapshot.cases(recipe)[learned])
    narrow = None
    if not is_same(recipe, by_fields):
        narrow = LearnedCases.of(by_fields, rows.snapshot.cases(by_fields)[learned])
    return artifacts.put(request.run.key(STEP, "cases.npz"), Memory(whole, narrow).to_bytes())


def _compare(
    request: FindUnseenRequest, version: Version, rows: Rows, found: FoundUnseen, artifacts: Store
) -> FoundUnseen:
    """Return the result with the unseen rows, or with the reasons why the champion is not compared on them."""
    assert version.cases is not None
    snapshot, number = rows.snapshot, version.version
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
    # it may read what is the target now: that would copy test labels to where features are
    other = other_target(signature.target, table.target.name, number)
    if other:
        return found.model_copy(update={"uncompared": other})
    lacking = snapshot.lacks(field.name for field in signature.fields)
    if lacking:
        return found.model_copy(update={"uncompared": missing_columns(lacking, number)})
    memory = Memory.from_bytes(artifacts.read(version.cases))
    seen = find_seen_rows(snapshot, memory, table)
    if not isinstance(seen, SeenRows):
        reason = f"the data have no {listed(seen)}, by which the rows that version {number} has learned from are known"
        return found.model_copy(update={"uncompared": [reason]})

    by_group = memory.whole.recipe.kind == "group"
    is_test = rows.parts == TEST
    unseen = is_test & seen.unseen
    n_unseen, n_seen = int(unseen.sum()), int((is_test & seen.learned).sum())
    missing = sorted({*signature.missing_values, *table.missing_values})
    new = seen.unseen & (rows.parts <= TEST)
    snapshot.select("new_rows", new)
    files, of_new_files = snapshot.files(), _of_new_files(snapshot, seen)
    snapshot.select("new_rows_of_files", new & ~np.array(rows.live, dtype=np.bool_)[files])
    recently = new & of_new_files
    snapshot.select("compared_rows", _thinned(recently if recently.sum() >= MIN_UNSEEN_ROWS else new))
    profile = Profile.model_validate_json(artifacts.read(version.profile))
    reasons = [
        *too_few(int(is_test.sum()), n_seen, n_unseen, number, by_group=by_group),
        *_differences(rows, signature, seen.needed, profile, missing, number),
        *_shifts(rows, signature, profile, missing, number),
    ]
    reasons = reasons or rewritten_columns(seen.rewritten, number)
    older: OlderRows | str = ""
    if not reasons:
        cases = snapshot.cases(memory.whole.recipe) if not snapshot.lacks(_case_columns(memory)) else seen.learned
        older = read_older_rows(
            request.run, snapshot, rows.parts, seen.unseen, np.asarray(cases, dtype=np.uint64), table, signature,
            missing, artifacts,
        )  # fmt: skip
    of_older = {"older_left_out": older} if isinstance(older, str) else {"older": older}
    found = found.model_copy(
        update={"rows": n_unseen, "seen": n_seen, "by_group": by_group, "uncompared": reasons} | of_older
    )
    if reasons:
        return found
    snapshot.select("unseen_rows", unseen)
    body = snapshot.read("unseen_rows", n_unseen, signature.fields, missing).to_bytes()
    if len(body) > MAX_OBJECT_BYTES:
        size = f"{len(body) >> 20} MiB; the limit is {MAX_OBJECT_BYTES >> 20}"
        return found.model_copy(update={"uncompared": [f"the test rows as version {number} reads them have {size}"]})
    return found.model_copy(
        update={
            "recent": int((unseen & of_new_files).sum()),
            "positions": _put_positions(request, np.flatnonzero(unseen[is_test]), of_new_files[unseen], artifacts),
            "features": artifacts.put(request.run.holdout_key("features", "-champion"), body),
        }
    )


def _case_columns(memory: Memory) -> list[str]:
    return [column.name for column in [*memory.whole.recipe.columns, *memory.whole.recipe.rest]]


def _differences(
    rows: Rows, signature: Signature, needed: list[CaseColumn], profile: Profile, missing: list[str], champion: int
) -> list[str]:
    """Return how the rows of the table `new_rows` differ from those that the champion learned from, as sentences.

    Parameters
    ----------
    needed : columns that the model need not read, but without whose values a row that it knows is taken for a new one
    """
    read = {field.name for field in signature.fields}
    others = [Field(name=column.name, **column.reading()) for column in needed]
    fields = [*signature.fields, *(field for field in others if field.name not in read)]
    counted = rows.snapshot.count_cells("new_rows", signature.fields, missing)
    # requests need not have what the model does not read, and a row of these is found again without it
    counted |= rows.snapshot.count_cells("new_rows_of_files", fields[len(signature.fields) :], missing)
    found = differences(counted, fields, profile)
    sentences = []
    for difference in found[:MAX_DIFFERENCES]:
        by_file = rows.snapshot.count_cells_by_file("new_rows", difference.field, missing)
        named = {rows.files[file]: cells for file, cells in by_file.items()}
        sentences.append(sentence(difference, named, champion, is_read=difference.field.name in read))
    more = len(found) - MAX_DIFFERENCES
    return [*sentences, f"{more} more such differences"] if more > 0 else sentences


def _of_new_files(snapshot: Snapshot, seen: SeenRows) -> Mask:
    """Return which rows (n,) are in files of which the champion knows few rows.

    Beside older rows, which are as they were, those of a broken file would be too few to be noticed.
    """
    files = snapshot.files()
    known = np.bincount(files, weights=seen.learned) > MAX_KNOWN_SHARE * np.bincount(files)
    of_new_files: Mask = ~known[files]
    return of_new_files


def _thinned(rows: Mask) -> Mask:
    """Return at most MAX_COMPARED_ROWS of these rows (n,), evenly spread."""
    positions = np.flatnonzero(rows)
    thinned = np.zeros_like(rows)
    thinned[positions[:: -(-len(positions) // MAX_COMPARED_ROWS) or 1]] = True
    return thinned


def _shifts(rows: Rows, signature: Signature, profile: Profile, missing: list[str], champion: int) -> list[str]:
    """Return which columns of `compared_rows` are not what they were when the champion learned, as sentences.

    Its fields, and the target if that is a number; other columns only tell the period that the rows are about.
    """
    read = {field.name: field for field in signature.fields}
    before = {column.name: column for column in profile.columns if is_comparable(column)}
    if signature.task == "regression" and is_comparable(profile.target):
        before[signature.target] = profile.target
        read[signature.target] = Field(name=signature.target, type="number")
    fields = {
        name: read.get(name) or Field(name=name, type=then.type, format=then.format, true=then.true, false=then.false)
        for name, then in before.items()
        if not rows.snapshot.lacks([name])
    }
    counted = {name: field for name, field in fields.items() if field.type != "text" and before[name].type != "text"}
    far = {name: far_bounds(before[name]) for name in counted}
    numbers = rows.snapshot.numbers("compared_rows", counted, far, missing)
    other_period = is_other_period([(before[name], now) for name, now in numbers.items() if name != signature.target])
    sentences = []
    for name, field in fields.items():
        if name not in read:
            continue
        found = None
        if name in numbers:
            found = number_shift(before[name], numbers[name], champion, other_period=other_period)
        elif field.type == "text" == before[name].type:
            levels = rows.snapshot.levels("compared_rows", field, missing)
            found = level_shift(before[name], levels, champion, other_period=other_period)
        if found is not None:
            sentences.append(f"{name}{', the target' if name == signature.target else ''}: {found}")
    more = len(sentences) - MAX_DIFFERENCES
    return [*sentences[:MAX_DIFFERENCES], *([f"{more} more such columns"] if more > 0 else [])]


def _put_positions(
    request: FindUnseenRequest, positions: npt.NDArray[np.intp], recent: Mask, artifacts: Store
) -> Artifact:
    body = to_npz(positions=positions.astype(np.int64), recent=recent)
    return artifacts.put(request.run.key(STEP, "positions.npz"), body)
