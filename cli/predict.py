"""`predict`: sends the rows of a file to the API, and shows the predictions."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cli import console, signing
from cli.contract import contract
from cli.data_file import DataFile, Row, open_data_file
from cli.options import Options
from cli.screens.predictions import MAX_SHOWN_ROWS, predictions_text
from modelcycle.faults import BadData, BadRequest, NoData
from modelcycle.reading.column_names import list_names

BATCH_ROWS = 500  # in one request
MAX_BATCH_BYTES = 1_000_000  # of the instances in one request; the API accepts 3 MB
POINTER = re.compile(r"/instances/(?P<row>[0-9]+)(/(?P<column>.*))?", re.DOTALL)

RowInstance = tuple[Row, dict[str, Any]]
"""A row of the file, and the instance that is sent for it."""


def predict(model: str, data: Path, first: int | None, options: Options) -> int:
    """Predict the rows of a file with the live version.

    Parameters
    ----------
    model : name
    data : the data file
    first : number of rows to predict; None for all

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : the file cannot be read; no row was sent
    BadRequest : the API refused a row; names row and column of the file
    """
    with open_data_file(data) as file:
        if file.table.broken:
            _report_broken_lines(file, first)
        place = options.open_place()
        expected = contract(place, model)
        unknown = expected.unknown_columns(file.names)
        if unknown:
            console.say(f"not sent, because the model has no such column: {', '.join(unknown)}")
        absent = _absent_columns(file, list(expected.fields))
        if absent:
            console.say(f"missing in every row: {', '.join(absent)}")
        answer: dict[str, Any] = {}
        shown: list[Row] = []
        rows = (dict.fromkeys(absent) | row for row in itertools.islice(file, first))
        for batch in request_batches((row, expected.instance(row)) for row in rows):
            shown += [row for row, _ in batch[: MAX_SHOWN_ROWS - len(shown)]]
            body = {"instances": [instance for _, instance in batch]}
            try:
                merge_answer(answer, signing.call(place, "POST", f"/models/{model}/predict", body))
            except BadRequest as fault:
                answered = len(answer.get("predictions", []))
                raise fault_in_file(fault, data, answered, list(expected.fields)) from None
    if not answer:
        raise NoData("the file has no rows", str(data), "give at least one row")
    if options.as_json:
        console.print_json(answer)
    else:
        console.show(predictions_text(answer, shown, [name for name in expected.fields if name in file.names]))
    return console.DONE


def request_batches(rows: Iterable[RowInstance]) -> Iterator[list[RowInstance]]:
    """Yield rows with their instances in batches, one per request; an instance that is too large gets its own."""
    batch: list[RowInstance] = []
    batch_bytes = 0
    for row, instance in rows:
        instance_bytes = len(json.dumps(instance))
        if batch and (len(batch) == BATCH_ROWS or batch_bytes + instance_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append((row, instance))
        batch_bytes += instance_bytes
    if batch:
        yield batch


def merge_answer(merged: dict[str, Any], answer: dict[str, Any]) -> None:
    """Append the answer to one batch to those before: lists grow, other values are those of the first answer.

    During a rollout several versions may answer; then `versions` has the version of each row.

    Examples
    --------
    >>> merged = {"version": 1, "predictions": ["no"]}
    >>> merge_answer(merged, {"version": 2, "predictions": ["yes", "no"]})
    >>> merged["predictions"], merged["versions"]
    (['no', 'yes', 'no'], [1, 2, 2])
    """
    if merged and ("versions" in merged or "versions" in answer or merged.get("version") != answer.get("version")):
        merged.setdefault("versions", [merged.get("version")] * len(merged.get("predictions", [])))
        answer = {"versions": [answer.get("version")] * len(answer.get("predictions", []))} | answer
    for key, value in answer.items():
        if isinstance(value, list) and key in merged:
            merged[key] += value
        else:
            merged.setdefault(key, value)


def fault_in_file(fault: BadRequest, data: Path, answered: int, columns: list[str]) -> BadRequest:
    """Translate the pointers of a fault into rows and columns of the file.

    Parameters
    ----------
    fault : the API's
    answered : rows in the batches before; the file's rows count from 1
    columns : that the model reads
    """
    errors = []
    for error in fault.errors:
        pointer = POINTER.fullmatch(error["pointer"])
        if pointer is None:
            return fault
        name = pointer["column"]
        column = f", column {name.replace('~1', '/').replace('~0', '~')!r}" if name is not None else ""
        errors.append({"pointer": f"row {int(pointer['row']) + answered + 1}{column}", "detail": error["detail"]})
    if not errors:
        return fault
    what = f"{errors[0]['pointer']}: {errors[0]['detail']}"
    return BadRequest(what, str(data), f"fix the file; the model reads {list_names(columns)}", errors)


def _report_broken_lines(file: DataFile, first: int | None) -> None:
    """Refuse a file with broken lines, so that predictions and lines correspond; with `first`, only warn.

    Raises
    ------
    BadData : all rows are to be predicted
    """
    if first is None:
        line, reason = file.first_broken_line()
        raise BadData(
            f"{file.broken_count()} broken; the first: {reason}", f"{file.path}, line {line}",
            "fix or remove them, or predict only the first rows with --rows",
        )  # fmt: skip
    console.say(file.skipped_lines())


def _absent_columns(file: DataFile, fields: list[str]) -> list[str]:
    """Return the columns that no line of a sparse file has; they are missing values, as in training.

    Other formats must have all columns, and a file without any of them is a wrong one: the API's answer names them.
    """
    absent = [name for name in fields if name not in file.names]
    return absent if file.table.sparse and len(absent) < len(fields) else []
