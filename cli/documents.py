"""`documents` and `card`: what is on record about a version, as documents that people read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from cli import console
from cli.named_version import named_or_live
from cli.options import Options
from cli.place import Place
from cli.screens.documents import documents_text
from modelcycle.documents import (
    Document,
    Life,
    Made,
    Missing,
    ProfileFacts,
    bill_of_materials,
    datasheet,
    markdown,
    risk_index,
    technical_file,
)
from modelcycle.faults import BadInput, Unknown
from modelcycle.model.plan import FeaturePlan
from modelcycle.registry import Version
from modelcycle.spec import About, Pipeline, parse
from modelcycle.store import S3Store, read_json

CARD, DATASHEET, TECHNICAL_FILE = "card.md", "datasheet.md", "technical-file.md"
RISK_INDEX, BILL = "ai-rmf-index.md", "bom.cdx.json"


class Written(NamedTuple):
    """A document in the folder, and what is missing in it; None: it is as it was registered."""

    path: Path
    missing: list[Missing] | None


def card(name: str, options: Options) -> int:
    """Print the card of a version as it was registered; of the live version, if none is named.

    Raises
    ------
    Unknown : there is no such model or version, or the model has no live version
    Tampered : the card is not the one that was registered
    """
    place = options.open_place()
    version = named_or_live(place, name)
    text = place.artifacts.read(version.card).decode()
    if options.as_json:
        console.print_json({"model": version.model, "version": version.version, "card": text})
    else:
        console.show(text)
    return console.DONE


def documents(name: str, to: Path | None, options: Options) -> int:
    """Write the documents of a version into a folder; of the live version, if none is named.

    Parameters
    ----------
    to : the folder, which is made; files of the same names are replaced. None: MODEL-VERSION-documents

    Raises
    ------
    BadInput : `to` is a file, or cannot be written
    Unknown : there is no such model or version, or its lineage says too little
    Tampered : what is on record is not what was registered
    """
    place = options.open_place()
    version = named_or_live(place, name)
    folder = to or Path(f"{version.model}-{version.version}-documents")
    store = place.artifacts
    made, life = _made(version, store), _life(place, version, store)
    now = datetime.now(UTC)
    texts: dict[str, Document] = {
        DATASHEET: datasheet(made), TECHNICAL_FILE: technical_file(made, life, now),
        RISK_INDEX: risk_index(made, life, now),
    }  # fmt: skip
    files = {CARD: store.read(version.card).decode()} | {file: markdown(text) for file, text in texts.items()}
    files[BILL] = json.dumps(bill_of_materials(made), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    _write(folder, files)
    gaps: dict[str, list[Missing] | None] = {file: text.missing for file, text in texts.items()} | {CARD: None}
    written = [Written(folder / file, gaps.get(file, [])) for file in files]
    if options.as_json:
        console.print_json({
            "model": version.model, "version": version.version,
            "files": [
                {"path": str(file.path), "missing": [gap._asdict() for gap in file.missing or []]} for file in written
            ],
        })  # fmt: skip
    else:
        console.show(documents_text(life.name, written))
    return console.DONE


def _made(version: Version, store: S3Store) -> Made:
    lineage = read_json(store, version.lineage)
    try:
        return Made.from_lineage(
            lineage, pipeline=parse(store.read(version.pipeline).decode()),
            plan=FeaturePlan.model_validate(read_json(store, version.plan)),
            profile=ProfileFacts.model_validate(read_json(store, version.profile)),
            report=read_json(store, version.validation),
        )  # fmt: skip
    except (KeyError, ValidationError):
        raise Unknown(
            f"the lineage of {version.model}:{version.version} says too little: an older release made it",
            version.lineage.uri, "run again: the next version has all documents",
        ) from None  # fmt: skip


def _life(place: Place, version: Version, store: S3Store) -> Life:
    """Return what has happened to a version since it was made."""
    registry, model, number = place.registry, version.model, version.version
    mine = {f"version {number}", f"run {version.run_id}"}
    looked = registry.monitoring.latest(model)
    return Life(
        version=version, standing=registry.standings.get(model, number), about=_about_now(place, version, store),
        moves=[move for move in registry.routes.moves(model, None) if number in {*move.before, *move.after}],
        decisions=[entry for entry in registry.audit.all(model) if entry.subject in mine],
        incidents=[incident for incident in registry.incidents.latest(model) if incident.version == number],
        others=[other for other in registry.versions.all(model) if other.version != number],
        monitored=looked if looked is not None and looked.version == number else None,
        staged=_staged(store, version),
    )  # fmt: skip


def _about_now(place: Place, version: Version, store: S3Store) -> About:
    """Return `about` of the newest pipeline file: people may write it when the version is long registered."""
    newest = S3Store(place.s3, place.output("DataBucket")).current(f"pipelines/{version.model}.yaml")
    pipeline: Pipeline = parse((newest[0] if newest else store.read(version.pipeline)).decode())
    return pipeline.about


def _staged(store: S3Store, version: Version) -> dict[str, Any] | None:
    """Return the report of the version's last staging; None if it was never staged."""
    prefix = f"{version.model}/staging/{version.version:08d}/"
    reports = [listed.key for listed in store.list(prefix) if listed.key.endswith("/report.json")]
    if not reports:
        return None
    found = store.current(max(reports))
    return json.loads(found[0]) if found else None


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"the documents cannot be written: {error.strerror}", str(folder), "name another folder with --to"
        ) from None
