"""From the uploaded files to one snapshot, which never changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.collect.arrivals import arrival
from modelcycle.collect.column_checks import all_names
from modelcycle.collect.content import content_hash
from modelcycle.collect.contract_columns import check_table
from modelcycle.collect.corrections import apply_corrections, is_corrections, read_corrections
from modelcycle.collect.inputs import Inputs, list_inputs, list_traffic, source_prefix
from modelcycle.collect.join import join_tables
from modelcycle.collect.landed import TRAFFIC, landed_prefix
from modelcycle.collect.notes import notes_of_files
from modelcycle.collect.objects import Entry, read_objects
from modelcycle.collect.personal_rows import PersonalRows, check_names
from modelcycle.collect.pinned_contract import Pinned, contract_for, pinned_contract
from modelcycle.collect.pinned_inputs import pin_inputs, pinned_inputs
from modelcycle.collect.repeated_ids import without_repeated_ids
from modelcycle.collect.returned_files import notes_of_returned
from modelcycle.collect.shards import write_line_numbers, write_quarantine, write_shards
from modelcycle.collect.stream_objects import correct_objects
from modelcycle.collect.traffic import count_known, read_traffic
from modelcycle.contract import ContractFile, contract_files
from modelcycle.data_need import check_files, files_need
from modelcycle.engine import connect
from modelcycle.faults import NoData
from modelcycle.messages import Collected, CollectRequest
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal import PERSONAL_OF_RUN, personal_notes
from modelcycle.pseudonyms import Macs
from modelcycle.reading import TextTable, check_suffix
from modelcycle.reading.pipeline_columns import check_pipeline_columns, pipeline_columns
from modelcycle.registry import Leases, Registry, Results
from modelcycle.spec import MAIN, StreamSource
from modelcycle.spec.sources import csv_of
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Listed, Store, put_json, read_json
from modelcycle.workplace import HandOver, Workplace

MAX_NAMED = 20  # repeated files in the message; the manifest has all


def collect(
    request: CollectRequest, *, data: Store, artifacts: Store, leases: Leases, results: Results, code: str,
    registry: Registry | None = None, workplace: Workplace | None = None, spelled_by: Pinned | None = None,
    keys: Macs | None = None, personal_as: Mapping[str, PersonalColumn] | None = None,
) -> Collected:  # fmt: skip
    """Write a snapshot of the rows: all columns as text, in order of object and line.

    Reads the objects under `raw/{model}/`, or those that have landed from the source of the pipeline file, and joins
    the columns of its other sources. Behind them come labelled live requests, which have the columns of all sources.

    Skips objects whose names begin with `_` or `.`. Of files with equal bytes, only the first by key is read, unless
    the pipeline file says `duplicates: keep`. Removes white space around column names.

    Parameters
    ----------
    data : the bucket with the uploaded files
    artifacts : the bucket for the snapshot
    leases : records which objects this run has read
    results : earlier results of the step
    code : version of the code; a result of other code is not reused
    registry : what has landed from sources, see `list_inputs` for None; its live version holds new files to a contract
    workplace : where the work may be done; None: here, whatever it takes
    keys : of pseudonyms; None: this stack has none
    personal_as : how an earlier run has treated the columns, to make its rows again; None: it is decided here
    spelled_by : without a registry, the contract of the manifest's `traffic_contract`, by which live requests are read

    Raises
    ------
    NoData : there is no object, or no row
    UnreadableFile, ColumnsDiffer, BadData : a file cannot be used
    TargetMissing, BadPipeline : the pipeline file names a column that the data do not have
    Transient : an object was replaced while it was being read
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)
    prefix = source_prefix(run.model, MAIN, pipeline.source)

    def found() -> Inputs:
        landings = registry.landings if registry is not None else None
        # of rows from any source: `modelcycle quarantine --replay` uploads them, which starts a run
        corrections = [listed for listed in data.list(f"raw/{run.model}/") if is_corrections(listed.key)]
        return Inputs(list_inputs(pipeline, data, landings), corrections, *list_traffic(pipeline, data, landings))

    hands_over = workplace is not None and workplace.hands_over
    read = (pinned_inputs(run, workplace.objects) if workplace is not None and hands_over else None) or found()
    inputs, corrections, traffic, lost = read
    listing = inputs[MAIN]
    leases.mark_as_read(run, [(listed.key, listed.etag) for listed in [*listing, *corrections]])
    for name, objects in inputs.items():
        _check_listing(objects, source_prefix(run.model, name, pipeline.sources[name]), hands_over)
    pinned = pinned_contract(run, artifacts, registry) if registry is not None else None
    personal_of = PersonalRows(pipeline, pinned.contract.personal if pinned is not None else {}, keys, personal_as)
    arrivals = {listed.key: arrival(listed, run, pipeline) for listed in [*listing, *traffic]}
    parameters = {
        "objects": [(listed.key, listed.etag) for listed in listing], "columns": pipeline_columns(pipeline),
        "keep_repeated": pipeline.duplicates == "keep", "csv": pipeline.csv.model_dump(),
        "id": pipeline.source.id if isinstance(pipeline.source, StreamSource) else None,
        "corrections": [(listed.key, listed.etag) for listed in corrections],
        "traffic": [(listed.key, listed.etag) for listed in traffic],
        "traffic_contract": pinned.artifact.sha256 if traffic and pinned is not None else None,
        "arrivals": arrivals if any(arrivals.values()) else None,
        "personal": personal_of.parameters(),
        "joins": [
            (
                join.model_dump(mode="json", exclude={"source"}), csv_of(join.source).model_dump(),
                [(other.key, other.etag) for other in inputs[join.name]],
            )
            for join in pipeline.join
        ],
    }  # fmt: skip

    def work() -> Collected:
        with TemporaryDirectory() as name, connect(Path(name), "collect") as engine:
            folder = Path(name)
            corrected, correction_objects = read_corrections(data, corrections, folder)

            def correct(table: TextTable, entry: Entry, number: int) -> tuple[TextTable, Entry]:
                table, applied, content = apply_corrections(engine, table, entry["key"], entry["sha256"], corrected)
                return table, entry | ({"content": content, "corrected": applied} if applied else {})

            def prepare(table: TextTable, entry: Entry, number: int) -> tuple[TextTable, Entry]:
                check_names(table.names, entry["key"])
                table, entry = correct(table, entry, number)
                content = entry.get("content", entry["sha256"])
                # with a join, `preprocess` checks: here, the rows do not have all their columns yet
                if pinned is not None and not pipeline.join and content not in pinned.contract.contents:
                    file = ContractFile(key=entry["key"], content=content, rows=table.rows)
                    check_table(engine, table, file, number, pinned, personal_of, request, artifacts)
                return table, entry

            tables, sources = read_objects(engine, data, listing, pipeline, MAIN, folder, prepare)
            notes: list[str] = []
            if isinstance(pipeline.source, StreamSource) and corrected:
                tables = correct_objects(engine, tables, sources, corrected)
            if isinstance(pipeline.source, StreamSource) and pipeline.source.id is not None:
                where = f"pipelines/{pipeline.name}.yaml"
                tables, repeated_rows = without_repeated_ids(engine, tables, pipeline.source.id, where)
                if repeated_rows:
                    notes.append(f"{repeated_rows} rows left out: an earlier one has the same {pipeline.source.id}")
            names = all_names(tables)
            rows = sum(table.rows for table in tables)
            broken = sum(table.broken for table in tables)
            if not rows:
                raise NoData("the files have headers but no row", prefix, "upload a file with rows")
            paths = write_shards(engine, tables, names, folder)
            for join in pipeline.join:
                others, entries = read_objects(engine, data, inputs[join.name], pipeline, join.name, folder, correct)
                broken += sum(table.broken for table in others)
                sources += [entry | {"source": join.name} for entry in entries]
                paths, names, said = join_tables(engine, paths, names, others, join, pipeline, folder)
                notes += said
            check_pipeline_columns(pipeline, names)
            live = read_traffic(engine, data, traffic, names, pinned or spelled_by, len(sources), folder)
            personal = personal_of.decided(engine, paths, names, rows)
            notes += personal_notes(personal)
            paths = personal_of.treated(engine, paths, names, personal)
            live = live._replace(shards=personal_of.treated(engine, live.shards, names, personal))
            known = count_known(engine, paths, live.shards, names, pipeline.id_columns)
            if known:
                notes.append(
                    f"{known:,} of {live.rows:,} live requests have the {' and '.join(pipeline.id_columns)[:60]}"
                    " of a row of the files; if it is the same case, it counts twice: see `retraining.traffic`"
                )
            paths, sources, notes = [*paths, *live.shards], [*sources, *live.entries], [*notes, *live.notes]
            rows += live.rows
            if lost:
                notes.append(f"days of live requests that are gone from {landed_prefix(run.model, TRAFFIC)}: {lost}")
            content = content_hash(engine, paths, names)
            shards = [
                artifacts.put(run.key("collect", f"rows-{number:04d}.parquet"), path)
                for number, path in enumerate(paths)
            ]
            treated = {name for name, column in personal.items() if column.treatment != "keep"}
            quarantine = write_quarantine(engine, folder, withheld=bool(treated)) if broken else None
            lines = write_line_numbers(engine, tables, folder)
            notes = [*notes_of_files([(source["key"], source.pop("notes", ())) for source in sources]), *notes]
            if registry is not None:
                notes = [*notes_of_returned(registry, run.model, data.bucket, sources), *notes]
            repeated = [source["key"] for source in sources if "repeats" in source]
            sources = [source | arrivals.get(source["key"], {}) for source in sources]
            manifest = {"columns": names, "objects": sources, "rows": rows, "quarantined": broken}
            if personal:
                manifest[PERSONAL_OF_RUN] = {name: column.model_dump() for name, column in personal.items()}
            if live.unsent:
                manifest["unsent"] = live.unsent
            if traffic and (spelled := pinned or spelled_by) is not None:
                manifest["traffic_contract"] = spelled.artifact.model_dump(mode="json")
            if correction_objects:
                manifest["corrections"] = correction_objects
            return Collected(
                manifest=put_json(artifacts, run.key("collect", "manifest.json"), manifest),
                shards=shards,
                quarantine=artifacts.put(run.key("collect", "quarantine.parquet"), quarantine) if quarantine else None,
                lines=artifacts.put(run.key("collect", "lines.parquet"), lines) if lines else None,
                columns=len(names),
                objects=sum(map(len, inputs.values())) + len(traffic),
                bytes=read.bytes,
                rows=rows,
                traffic=live.rows,
                quarantined=broken,
                corrected=sum(source.get("corrected", 0) for source in sources),
                repeated=repeated[:MAX_NAMED],
                files_left_out=len(repeated),
                content=content,
                notes=notes,
            )

    try:
        collected = reuse_or_run(
            work, Collected, step="collect", request=request, parameters=parameters, code=code, results=results,
            artifacts=artifacts, workplace=workplace, need=files_need(read.bytes) if hands_over else None,
        )  # fmt: skip
    except HandOver:
        assert workplace is not None
        pin_inputs(run, read, workplace.objects)
        raise
    contents = [file.content for file in contract_files(read_json(artifacts, collected.manifest))]
    held = contract_for(pinned, contents, artifacts)
    if held is None:
        return collected
    return collected.model_copy(update={"contract": held.artifact, "contract_version": held.version})


def _check_listing(listing: list[Listed], prefix: str, hands_over: bool) -> None:
    if not listing and not prefix.startswith("raw/"):
        raise NoData(
            "no rows have arrived from the source", prefix,
            "does its table or query give any? `modelcycle status` says what has arrived of a stream",
        )  # fmt: skip
    if not listing:
        raise NoData(
            "there is no file",
            prefix,
            f"upload one to {prefix} in the data bucket, or give `modelcycle run` --data FILE",
        )
    for listed in listing:
        check_suffix(listed.key)
    total = sum(listed.bytes for listed in listing)
    check_files(total, prefix, hands_over)
