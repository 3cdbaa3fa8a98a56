"""Compare a look at live traffic with other tools: python -m bench.monitoring [ROWS]

A window of a million rows of 30 columns (`bench/monitoring_rows.py`), one of them of 50,000 levels, is compared with a
reference of 100,000 rows: once without any change, once with a slight one in three columns. Ours are `summarize` and
what `monitor` makes of its counts and rows: two windows (a day, and its last hour), data quality, drift of each column,
of predictions, and of all together, from compacted Parquet; in a process with the memory of its functions. The peers
read the same columns from Parquet and look for the drift of each, in one window. Performance without outcomes, which a
look estimates too, is another subject: `bench/estimates.py`; what it takes is told beside.

CPU seconds are those of reading and judging, without imports; peaks are of the whole process. The peers are installed
into `build/monitoring`; one that cannot be is left out, with a line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.commands import ROOT
from bench.folder_store import FolderStore
from bench.monitoring_rows import CHANGED, Change, make_rows, make_scores
from bench.own_process import apart, peak_megabytes
from modelcycle.captured.answer_rows import FIXED, MIN_ROW_GROUP_ROWS, ROW_GROUP_CELLS, cell_of, name_code
from modelcycle.captured.manifest import Manifest, Part, Progress, hour_folder, manifest_key, progress_key
from modelcycle.engine import connect
from modelcycle.messages import SummarizeRequest
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.fields import Field
from modelcycle.model.profile import Profile, profile_column
from modelcycle.model.scoring import Scores
from modelcycle.model.signature import Signature
from modelcycle.model.window import WindowSample, WindowSummary
from modelcycle.monitor.estimate.estimate import estimate
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.monitor.look import FAMILIES
from modelcycle.monitor.one_thread import one_thread
from modelcycle.registry import ReferenceRows, Registry, Version
from modelcycle.spec import Monitoring, Pipeline, parse
from modelcycle.sql_literal import literal
from modelcycle.summarize import summarize
from tests.fakes import MemoryTable

ROWS, REFERENCE_ROWS = 1_000_000, 100_000
MEGABYTES = 512
MODEL, CLASSES = "bench", ["no", "yes"]
END = datetime(2026, 3, 5, tzinfo=UTC)
ENVIRONMENTS = ROOT / "build" / "monitoring"
PEER = ROOT / "bench" / "monitoring_peer.py"
PEERS = {
    "evidently": ["evidently==0.7.23", "pandas<3", "numpy<2.1", "pyarrow"],
    "nannyml": ["nannyml==0.13.1", "statsmodels", "pyarrow"],
    "alibi-detect": ["alibi-detect==0.13.0", "pyarrow<20"],
}
PATIENCE_SECONDS = 1800.0


class Look(NamedTuple):
    """What one look took, and the columns that it says have changed.

    `parts` of ours: CPU seconds of its parts; those of the estimate are not in `seconds`.
    """

    seconds: float
    megabytes: float
    drifted: list[str]
    parts: dict[str, float] = {}  # noqa: RUF012 (never changed)


def main(rows: int) -> None:
    """Measure all sides, with a change and without."""
    os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(MEGABYTES)
    peers = [name for name in PEERS if install(name)]
    print(f"{'':<10}{'':<16}{'CPU s':>8}{'peak MB':>10}   drifted of {len(CHANGED)} changed, of the others")
    changes: list[Change] = ["none", "slight"]
    for change in changes:
        folder = Path(tempfile.mkdtemp(prefix="modelcycle-monitoring-"))
        os.environ["TMPDIR"] = str(folder)
        try:
            write_world(folder, rows, change)
            ours: Look = apart(look, folder)
            _print(change, "ours", ours)
            print(f"{'':<12}{', '.join(f'{part} {seconds:.2f}' for part, seconds in ours.parts.items())}", flush=True)
            theirs = [peer for peer in (look_of_peer(name, folder, change) for name in peers) if peer]
            if theirs:
                fastest = min(peer.seconds for peer in theirs)
                print(f"{change:<10}ours takes 1/{fastest / ours.seconds:.1f} of the CPU seconds of the fastest peer")
        finally:
            shutil.rmtree(folder)


def _print(change: Change, name: str, found: Look) -> None:
    hits = sum(column in CHANGED for column in found.drifted)
    print(
        f"{change:<10}{name:<16}{found.seconds:>8.1f}{found.megabytes:>10.0f}   {hits if change != 'none' else 0} of"
        f" {len(CHANGED)}, {len(found.drifted) - (hits if change != 'none' else 0)} others", flush=True,
    )  # fmt: skip


def look(folder: Path) -> Look:
    """Summarize the window, and judge it."""
    artifacts, data = FolderStore(folder / "artifacts"), FolderStore(folder / "data")
    registry = Registry(MemoryTable())
    version = Version.model_validate_json((folder / "version.json").read_text())
    registry.versions.register(version, "content")
    registry.standings.move(MODEL, 1, "staged", "bench")
    registry.routes.promote(MODEL, 1, 100, "bench")
    _load(version, artifacts)
    limits = Monitoring().model_copy(update={"false_alarms": Monitoring().false_alarms / FAMILIES})
    took = dict.fromkeys(("summarize", "judge", "estimate (not counted)"), 0.0)
    at = time.process_time()

    def since(part: str) -> None:
        nonlocal at
        took[part] += time.process_time() - at
        at = time.process_time()

    seen = summarize(SummarizeRequest(model=MODEL, at=END), data=data, artifacts=artifacts, registry=registry)
    since("summarize")
    drifted: list[str] = []
    for window in seen.windows:
        summary = WindowSummary.model_validate_json(artifacts.read(window.summary))
        sample = WindowSample.from_bytes(artifacts.read(window.sample)) if window.sample else None
        signals = input_signals(summary, sample, None, limits)
        since("judge")
        estimate(sample, "binary", version.metric, 0.5)
        since("estimate (not counted)")
        if window.kind == "day":
            changed = [one for one in signals if one.kind == "input drift" and one.state in ("slight", "alarm")]
            drifted = [one.subject for one in changed]
    return Look(took["summarize"] + took["judge"], peak_megabytes(), drifted, took)


def _load(version: Version, artifacts: FolderStore) -> None:
    """Load what the first use of some modules imports or builds, which counts as their import."""
    parse(artifacts.read(version.pipeline))
    with one_thread():
        pass


def install(name: str) -> bool:
    """Return whether a peer is installed; one that cannot be is told."""
    folder = ENVIRONMENTS / name
    wanted, done = "\n".join(PEERS[name]), folder / "installed"
    if done.exists() and done.read_text() == wanted:
        return True
    uv = Path(sys.executable).with_name("uv")
    for command in (
        [str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(folder)],
        [str(uv), "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *PEERS[name]],
    ):
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        if ended.returncode:
            print(f"{name}: not installed: {ended.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return False
    done.write_text(wanted)
    return True


def look_of_peer(name: str, folder: Path, change: Change) -> Look | None:
    """Return what a peer took; None, with a line, if it fails."""
    command = [
        str(ENVIRONMENTS / name / "bin" / "python"), str(PEER), name, str(folder / "reference.parquet"),
        str(folder / "live.parquet"),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "DO_NOT_TRACK": "1"}
    environment |= {"NML_DISABLE_USAGE_LOGGING": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment, timeout=PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        print(f"{change:<10}{name:<16}no answer after {PATIENCE_SECONDS:,.0f} seconds", flush=True)
        return None
    if ended.returncode:
        print(f"{change:<10}{name:<16}failed: {ended.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    measured = Look(found["seconds"], found["megabytes"], found["drifted"])
    _print(change, name, measured)
    return measured


def write_world(folder: Path, rows: int, change: Change) -> None:
    """Write a version with its reference, a day of its answers as `compact` does, and plain Parquet for the peers."""
    artifacts, data = FolderStore(folder / "artifacts"), FolderStore(folder / "data")
    training, reference, live = (
        make_rows(REFERENCE_ROWS, 1), make_rows(REFERENCE_ROWS, 2), make_rows(rows, 3, change),
    )  # fmt: skip
    with connect(folder, "bench", 4_000) as engine:
        for name, frame in (("reference", reference), ("live", live)):
            engine.register("frame", frame)
            engine.execute(f"COPY (FROM frame) TO {literal(folder / f'{name}.parquet')} (FORMAT parquet)")
        write_compacted(engine, data, folder, live)
    (folder / "version.json").write_text(make_version(artifacts, training, reference, folder).model_dump_json())


def make_version(artifacts: FolderStore, training: pd.DataFrame, reference: pd.DataFrame, folder: Path) -> Version:
    """Return a version that was judged on the rows of `reference`."""
    columns = [
        profile_column(name, "text" if isinstance(values, Texts) else "number", values)
        for name, values in typed(training).items()
    ]
    target = profile_column("left", "text", Texts.of([*CLASSES]))
    profile = Profile(rows=len(training), columns=columns, target=target, missing_values=[""])
    signature = Signature(
        model=MODEL, task="binary", target="left", classes=CLASSES, ignored=[], inputs=[],
        fields=[Field(name=column.name, type=column.type) for column in columns],
    )  # fmt: skip
    positive = make_scores(reference)
    outcome = np.random.default_rng(4).random(len(reference)) < positive
    Columns(typed(reference)).write(folder / "features.npz")
    none = artifacts.put("none", b"")
    return Version(
        model=MODEL, version=1, run_id="bench", created_at=END, task="binary", onnx=none, skops=none, plan=none,
        lineage=none, card=none, validation=none, metric="log_loss", metrics={}, interval=(0, 1), data="", code="",
        opset=1, signature=artifacts.put("signature", signature.model_dump_json().encode()),
        profile=artifacts.put("profile", profile.model_dump_json().encode()),
        pipeline=artifacts.put("pipeline", Pipeline(name=MODEL, target="left").model_dump_json().encode()),
        reference=ReferenceRows(
            features=artifacts.put("features.npz", folder / "features.npz"),
            labels=artifacts.put("labels.npz", Columns({}, outcome.astype(np.int32)).to_bytes()),
            scores=artifacts.put("scores.npz", Scores(np.column_stack([1 - positive, positive])).to_bytes()),
        ),
    )  # fmt: skip


def typed(frame: pd.DataFrame) -> dict[str, Values]:
    """Return columns as training types them."""
    columns: dict[str, Values] = {}
    for name in frame:
        if name.startswith("text"):
            codes, levels = pd.factorize(frame[name], sort=True)
            columns[name] = Texts(codes.astype(np.int32), list(levels))
        else:
            columns[name] = frame[name].to_numpy(dtype=np.float32)
    return columns


def write_compacted(engine: Any, data: FolderStore, folder: Path, live: pd.DataFrame) -> None:
    """Write a day of answers as `compact` would: Parquet and a manifest for each hour."""
    positive = make_scores(live).astype(np.float64)
    parts = (np.arange(len(live)) + 0.5) / len(live)
    given = live.assign(
        prediction_id=[f"{number:032x}" for number in np.random.default_rng(5).integers(0, 2**62, len(live))],
        moment=pd.to_datetime(END.timestamp() - 86_400 * (1 - parts), unit="s", utc=True),
        positive=positive,
    )  # fmt: skip
    engine.register("given", given)
    fixed = {
        name: f"NULL::{kind}" for name, kind in FIXED.items()
    } | {
        "prediction_id": "prediction_id", "at": "moment::TIMESTAMPTZ", "version": "1::INTEGER", "ms": "1.5::DOUBLE",
        "of": "1::INTEGER", "prediction": "CASE WHEN positive >= 0.5 THEN 'yes' ELSE 'no' END",
    }  # fmt: skip
    columns = [f'{sql} AS "{name}"' for name, sql in fixed.items()]
    columns += [f"1 - positive AS p_{name_code('no')}", f"positive AS p_{name_code('yes')}"]
    for name in live:
        cell, quoted = cell_of(name_code(name)), f'"{name}"'
        is_text = name.startswith("text")
        columns.append(f"{quoted if is_text else f'{quoted}::VARCHAR'} AS {cell.text}")
        columns.append(
            f"{'NULL::DOUBLE' if is_text else f'nullif({quoted}, {chr(39)}NaN{chr(39)}::DOUBLE)'} AS {cell.number}"
        )
        columns.append(f"CASE WHEN {quoted} IS NULL THEN 1 ELSE {2 if is_text else 3} END::UTINYINT AS {cell.kind}")
    codes = {name_code(name): name for name in live}
    group = ROW_GROUP_CELLS // (len(columns) // 3) // MIN_ROW_GROUP_ROWS * MIN_ROW_GROUP_ROWS
    for number in range(24):
        hour = END - timedelta(hours=24 - number)
        path = folder / "part.parquet"
        engine.execute(
            f"""COPY (SELECT {", ".join(columns)} FROM given WHERE moment >= '{hour.isoformat()}'::TIMESTAMPTZ
                  AND moment < '{(hour + timedelta(hours=1)).isoformat()}'::TIMESTAMPTZ)
                TO {literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"""
        )
        stored = data.put(f"{hour_folder(MODEL, hour)}part.parquet", path)
        part = Part(name="part.parquet", sha256=stored.sha256, bytes=stored.bytes, rows=0)
        manifest = Manifest(parts=[part], columns=codes, classes={name_code(name): name for name in CLASSES})
        data.replace(manifest_key(MODEL, hour), manifest.to_bytes(), None)
    data.replace(progress_key(MODEL), Progress(through=END).model_dump_json().encode(), None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
