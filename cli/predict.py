"""`predict`: the rows of a file through the API, as the model's signature wants them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cli import console, rows, signing
from cli.contract import contract
from cli.options import Options
from cli.screens import predictions as screen
from modelcycle.faults import BadData, BadRequest, NoData

MOST_ROWS = 500  # of one request
POINTER = re.compile(r"/instances/(?P<row>[0-9]+)(/(?P<column>.*))?", re.DOTALL)
MOST_BYTES = 1_000_000  # of its instances; the API takes 3 MB


def predict(model: str, data: Path, first: int | None, options: Options) -> int:
    """Ask the live version for the rows of a file, and show its answers.

    Parameters
    ----------
    first : rows to ask for; else all

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : nothing was asked, since a line of the file is no row
    BadRequest : names row and column of the file
    """
    with rows.opened(data) as file:
        if file.piece.broken:
            _broken(file, first)
        place = options.open_place()
        asked = contract(place, model)
        unknown = asked.unknown(file.names)
        if unknown:
            console.say(f"left out, the model does not know them: {', '.join(unknown)}")
        absent = _absent(file, list(asked.fields))
        if absent:
            console.say(f"missing in every row: {', '.join(absent)}")
        answer: dict[str, Any] = {}
        shown: list[rows.Row] = []
        asked_for = (dict.fromkeys(absent) | row for row in itertools.islice(file, first))
        for batch in batches((row, asked.instance(row)) for row in asked_for):
            shown += [row for row, _ in batch[: screen.MAX_ROWS - len(shown)]]
            body = {"instances": [instance for _, instance in batch]}
            try:
                merge(answer, signing.call(place, "POST", f"/models/{model}/predict", body))
            except BadRequest as refused:
                raise in_file(refused, data, len(answer.get("predictions", [])), list(asked.fields)) from None
    if not answer:
        raise NoData("the file has no rows", str(data), "give at least one row")
    if options.as_json:
        console.print_json(answer)
    else:
        known = [name for name in asked.fields if name in file.names]
        console.show(screen.predictions_text(answer, shown, known))
    return console.DONE


def _broken(file: rows.DataFile, first: int | None) -> None:
    """All rows are asked for only where every line is one, so that the answers go with the file's lines; the first few
    are a look, which a broken line need not spoil."""
    line, reason = file.first_broken()
    count = f"{file.piece.broken:,} lines are" if file.piece.broken > 1 else "a line is"
    if first is None:
        raise BadData(
            f"{count} broken; the first: {reason}", f"{file.path}, line {line}",
            "mend or drop them; or ask for the first rows with --rows",
        )  # fmt: skip
    console.say(f"{count} left out as broken; the first is line {line}: {reason}")


def _absent(file: rows.DataFile, fields: list[str]) -> list[str]:
    """Columns that no line of a sparse file has: they are missing, as a key that a line lacks is in training.

    A CSV or Parquet file has to have all columns, and one that shares none with the model is another table: the API
    names what such files lack.
    """
    absent = [name for name in fields if name not in file.names]
    return absent if file.piece.sparse and len(absent) < len(fields) else []


def batches(found: Iterable[tuple[rows.Row, dict[str, Any]]]) -> Iterator[list[tuple[rows.Row, dict[str, Any]]]]:
    """Rows with their instances, as many as one request may hold; a row that is too large goes alone."""
    batch: list[tuple[rows.Row, dict[str, Any]]] = []
    size = 0
    for row, instance in found:
        added = len(json.dumps(instance))
        if batch and (len(batch) == MOST_ROWS or size + added > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((row, instance))
        size += added
    if batch:
        yield batch


def in_file(refused: BadRequest, data: Path, sent: int, columns: list[str]) -> BadRequest:
    """The API's refusal in terms of the file: its rows counted from 1, after the `sent` rows of earlier requests."""
    errors = []
    for error in refused.errors:
        found = POINTER.fullmatch(error["pointer"])
        if found is None:
            return refused
        name = found["column"]
        column = f", column {name.replace('~1', '/').replace('~0', '~')!r}" if name is not None else ""
        errors.append({"pointer": f"row {int(found['row']) + sent + 1}{column}", "detail": error["detail"]})
    if not errors:
        return refused
    first = f"{errors[0]['pointer']}: {errors[0]['detail']}"
    return BadRequest(first, str(data), f"mend the file; the model reads {', '.join(columns[:40])}", errors)


def merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a batch's answer: lists grow, the rest stays as the first answer said it.

    A canary moves between two requests: where the versions of the rows differ, `versions` has one for each.
    """
    rows_of = {id(one): len(one.get("predictions", [])) for one in (whole, part)}
    mixed = "versions" in whole or "versions" in part or (whole and whole.get("version") != part.get("version"))
    if whole and mixed:
        whole.setdefault("versions", [whole.get("version")] * rows_of[id(whole)])
        part = {"versions": [part.get("version")] * rows_of[id(part)]} | part
    for key, value in part.items():
        if isinstance(value, list) and key in whole:
            whole[key] += value
        else:
            whole.setdefault(key, value)
