"""`predict`: sends the rows of a file to the API, and shows the predictions.

Every row that can be scored is scored. A cell that does not parse is sent as missing, as training reads it; a line that
is no row, and a row that the API refuses, are left out; both are named.
"""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cli import console, signing
from cli.contract import Contract, Unread, contract
from cli.data_file import DataFile, Row, check_data_file, open_data_file
from cli.options import Options
from cli.place import Place
from cli.screens.explanations import explanations_text
from cli.screens.lines import count
from cli.screens.predictions import MAX_SHOWN_ROWS, left_out_lines, predictions_text, unread_lines
from modelcycle.cells.missing import USUAL
from modelcycle.faults import BadRequest, NoData, UnreadableFile
from modelcycle.json_pointer import unescaped
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.spec.sources import Csv

BATCH_ROWS = 500  # in one request
MAX_BATCH_BYTES = 1_000_000  # of the instances in one request; the API accepts 3 MB
MAX_LISTED_CELLS = 1000  # of those that do not parse, in the output of --json
POINTER = re.compile(r"/instances/(?P<row>[0-9]+)(/(?P<column>.*))?", re.DOTALL)


class Asked(NamedTuple):
    """A row of the file and the instance that is sent for it.

    Parameters
    ----------
    number : of the row, from 1; lines that are no rows count
    line : of the file on which it begins, None if the format has none
    unread : its cells that do not parse
    """

    row: Row
    instance: dict[str, Any]
    number: int = 0
    line: int | None = None
    unread: Sequence[Unread] = ()


@dataclass
class Scored:
    """What became of the rows.

    Parameters
    ----------
    answer : the answers to all requests, joined
    numbers : of the rows that were scored
    shown : the first of these
    left_out : row or line, and reason, of each that was not
    unread : cells that were sent as missing, because they do not parse: at most MAX_LISTED_CELLS
    unread_count : how many there are
    words : those of them that are a usual word for a missing value: cells by column and text
    """

    answer: dict[str, Any] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    shown: list[Row] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    unread_count: int = 0
    words: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, batch: list[Asked], answer: dict[str, Any]) -> None:
        """Add the answer to a request."""
        merge_answer(self.answer, answer)
        self.numbers += [asked.number for asked in batch]
        self.shown += [asked.row for asked in batch[: MAX_SHOWN_ROWS - len(self.shown)]]
        for asked in batch:
            self.unread_count += len(asked.unread)
            self.words.update((cell.column, cell.text) for cell in asked.unread if cell.text in USUAL)
            for cell in asked.unread[: MAX_LISTED_CELLS - len(self.unread)]:
                self.unread.append({"row": asked.number, "line": asked.line, **cell._asdict()})

    def wire(self) -> dict[str, Any]:
        """Return the output of --json: the answer, and what is not as usual."""
        left_out = {"rows": self.numbers, "skipped": self.left_out} if self.left_out else {}
        unread = {"unread": self.unread, "unread_cells": self.unread_count} if self.unread else {}
        return self.answer | left_out | unread


def predict(
    model: str, data: Path, first: int | None, options: Options, csv: Csv | None = None, explain: bool = False
) -> int:
    """Predict the rows of a file with the live version.

    Parameters
    ----------
    model : name
    data : the data file
    first : number of rows to predict; None for all
    csv : the dialect of the file, where it is not that of the pipeline file
    explain : whether to ask which columns moved each answer

    Returns
    -------
    DONE_IN_PART if a line or row was left out, and all rows were to be predicted

    Raises
    ------
    NoData, UnreadableFile, BadData : the file cannot be read, or has no row that can be scored
    BadRequest : the API refused all rows; names row and column of the file
    """
    check_data_file(data)
    place = options.open_place()
    expected = contract(place, model)
    dialect = expected.csv.model_copy(update=csv.model_dump(exclude_none=True) if csv else {})
    with open_data_file(data, dialect, whole=[*expected.fields, *expected.ignored]) as file:
        for note in file.table.notes:
            console.say(note)
        unknown = expected.unknown_columns(file.names)
        if unknown:
            console.say(f"not sent, because the model has no such column: {', '.join(unknown)}")
        absent = _absent_columns(file, [name for name in expected.fields if name in expected.required])
        if absent:
            console.say(f"missing in every row: {', '.join(absent)}")
        for name, readers in expected.absent([*file.names, *absent]).items():
            console.say(f"not in the file, so missing to {' and '.join(readers)}: {name}")
        broken = file.broken_lines()
        scored = Scored()
        rows = (dict.fromkeys(absent) | row for row in itertools.islice(file, first))
        last_line = 0
        path, size = f"/models/{model}/predict", BATCH_ROWS
        if explain:
            from modelcycle.predict.explanations import max_explained_rows

            path, size = f"{path}?explain=true", max_explained_rows(len(expected.fields))
        for batch in request_batches(_asked(rows, file, expected, [line for line, _ in broken]), size):
            _score(place, path, batch, scored, data, expected)
            last_line = batch[-1].line or last_line
    # with `first`, the lines below the last row were not asked for
    before = broken if first is None else [(line, why) for line, why in broken if line < last_line]
    scored.left_out = sorted(
        [*scored.left_out, *({"line": line, "reason": why} for line, why in before)],
        key=lambda left: left.get("line") or left.get("row", 0),
    )
    if not scored.answer:
        if before:
            line, reason = before[0]
            raise UnreadableFile(f"no line is a row; the first: {reason}", f"{data}, line {line}", "fix the lines")
        raise NoData("the file has no rows", str(data), "give at least one row")
    for told in [*left_out_lines(scored.left_out), *unread_lines(scored.unread, scored.unread_count, scored.words)]:
        console.say(told)
    if options.as_json:
        console.print_json(scored.wire())
    else:
        columns = [name for name in expected.fields if name in file.names]
        console.show(predictions_text(scored.answer, scored.shown, columns, scored.numbers))
        if explain:
            console.show(explanations_text(scored.answer, scored.numbers))
    return console.DONE_IN_PART if scored.left_out and first is None else console.DONE


def request_batches(rows: Iterable[Asked], size: int = BATCH_ROWS) -> Iterator[list[Asked]]:
    """Yield rows with their instances in batches, one per request; an instance that is too large gets its own."""
    batch: list[Asked] = []
    batch_bytes = 0
    for asked in rows:
        instance_bytes = len(json.dumps(asked.instance))
        if batch and (len(batch) == size or batch_bytes + instance_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(asked)
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


def fault_in_file(fault: BadRequest, data: Path, numbers: Sequence[int], columns: list[str]) -> BadRequest:
    """Translate the pointers of a fault into rows and columns of the file.

    Parameters
    ----------
    fault : the API's
    numbers : of the rows in the request
    columns : that the model reads
    """
    errors = []
    for error in fault.errors:
        pointer = POINTER.fullmatch(error["pointer"])
        if pointer is None:
            return fault
        name = pointer["column"]
        column = f", column {unescaped(name)!r}" if name is not None else ""
        errors.append({"pointer": f"row {numbers[int(pointer['row'])]}{column}", "detail": error["detail"]})
    if not errors:
        return fault
    what = f"{errors[0]['pointer']}: {errors[0]['detail']}"
    return BadRequest(what, str(data), f"fix the file; the model reads {list_names(columns)}", errors)


def _asked(rows: Iterable[Row], file: DataFile, expected: Contract, broken: list[int]) -> Iterator[Asked]:
    """Yield the rows of a file; a row's number counts the broken lines before it."""
    for position, row in enumerate(rows, 1):
        line = file.table.numbers.line_of(position)
        number = position + (bisect_left(broken, line) if line else 0)
        instance, unread = expected.read(row)
        yield Asked(row, instance, number, line, unread)


def _score(place: Place, path: str, batch: list[Asked], scored: Scored, data: Path, expected: Contract) -> None:
    """Ask for the predictions of a batch, and again without the rows that the API refuses.

    Raises
    ------
    BadRequest : it refuses all of them and no other row was scored, or the file lacks a column
    """
    has = list(batch[0].row) if batch else []
    lacking = [name for name in expected.fields if name in expected.required and name not in has]
    while batch:
        try:
            body = {"instances": [asked.instance for asked in batch]}
            scored.add(batch, signing.call(place, "POST", path, body))
            return
        except BadRequest as fault:
            if lacking:  # of all rows alike
                raise _other_table(data, lacking, has) from None
            told = fault_in_file(fault, data, [asked.number for asked in batch], list(expected.fields))
            reasons = _refused(fault)
            kept = [asked for position, asked in enumerate(batch) if position not in reasons]
            if not reasons or not (kept or scored.answer):
                raise told from None
            scored.left_out += [
                {"row": batch[position].number, "line": batch[position].line, "reason": reason}
                for position, reason in reasons.items()
            ]
            batch = kept


def _other_table(data: Path, lacking: list[str], has: list[str]) -> BadRequest:
    """Return the fault of a file that lacks columns, as one sentence for all its rows."""
    similar = suggest_name(lacking[0], has) if len(lacking) == 1 else ""
    return BadRequest(
        f"the file lacks {count(len(lacking), 'column')} that the model reads: {list_names(lacking)}", str(data),
        f"{similar}give a file with the columns of the training data; a cell may be empty, where its value is missing;"
        f" this file has: {list_names(has)}",
    )  # fmt: skip


def _refused(fault: BadRequest) -> dict[int, str]:
    """Return the rows of a request that the API refuses, by position, with the reason; empty if it refuses all."""
    reasons: dict[int, str] = {}
    for error in fault.errors:
        pointer = POINTER.fullmatch(error["pointer"])
        if pointer is None:
            return {}
        column = f"column {pointer['column']!r}: " if pointer["column"] is not None else ""
        reasons.setdefault(int(pointer["row"]), f"{column}{error['detail']}")
    return reasons


def _absent_columns(file: DataFile, fields: list[str]) -> list[str]:
    """Return the columns that no line of a sparse file has; they are missing values, as in training.

    Other formats must have all columns, and a file without any of them is a wrong one: the API's answer names them.
    """
    absent = [name for name in fields if name not in file.names]
    return absent if file.table.sparse and len(absent) < len(fields) else []
