"""`reveal`: shows the values of encrypted cells, or the pseudonym of a value, to whoever may see them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli import console, signing
from cli.data_file import open_data_file
from cli.options import Options
from cli.place import Place
from modelcycle.faults import BadInput, BadRequest, Fault, NotAllowed
from modelcycle.personal.encryption import PREFIX
from modelcycle.personal.named_person import names_a_value
from modelcycle.reveal.reveal_request import MAX_CELLS, MAX_WHY_CHARACTERS, NAME_NOBODY, NAMED

MAX_PART_CHARACTERS = 1_000_000  # of the cells of one request; its answer may have 6 MB
RIGHT = "attach the policy `RevealPolicy` (docs/permissions.md)"


def reveal(
    model: str, columns: Sequence[str], data: Path | None, value: str | None, pseudonym_of: str | None, to: Path | None,
    why: str, options: Options,
) -> int:  # fmt: skip
    """Have cells decrypted by the function that has the key; the audit trail has who, what and why before.

    Parameters
    ----------
    columns : in which the cells are; a cell of one column cannot be read as one of another
    data : a file with such columns; its rows are written to `to`, readable by its owner alone
    value : instead, one cell
    pseudonym_of : instead, a value of which the pseudonym is asked

    Raises
    ------
    BadInput : what is asked for is incomplete, or nothing in the file is encrypted, or not by this stack
    NotAllowed : the person may not see values
    """
    _check(columns, data, value, pseudonym_of, why)
    target = (to or data.with_name(f"{data.name.partition('.')[0]}.revealed.csv")) if data else None
    if data and target and target.exists() and target.samefile(data):
        raise BadInput("the values would overwrite the file", str(target), "give another --out")
    place = options.open_place()
    place.check_model(model)
    if pseudonym_of is not None:
        (made,) = _ask(place, model, {"why": why, "values": [pseudonym_of]})["pseudonyms"]
        return _told(options, {"model": model, "pseudonym": made}, made)
    if data is None or target is None:
        (plain,) = _ask(place, model, {"why": why, "cells": {columns[0]: [value]}})["values"][columns[0]]
        return _told(options, {"model": model, "value": plain}, plain)
    count = _write(place, model, data, columns, target, why)
    cells = f"{count:,} cells of {', '.join(columns)} written to {target}, which only you can read"
    return _told(options, {"model": model, "cells": count, "out": str(target)}, f"{cells}; the audit trail says so")


def _told(options: Options, answer: dict[str, Any], text: str) -> int:
    if options.as_json:
        console.print_json(answer)
    else:
        console.show(text)
    return console.DONE


def _check(columns: Sequence[str], data: Path | None, value: str | None, pseudonym_of: str | None, why: str) -> None:
    if sum(one is not None for one in (data, value, pseudonym_of)) != 1:
        raise BadInput("one of --data, --value and --pseudonym-of is needed", "the command line", "give one of them")
    if pseudonym_of is None and not columns:
        raise BadInput("--column is missing", "the command line", "name the column of the cells: --column ssn")
    if value is not None and len(columns) != 1:
        raise BadInput("one --column is needed with --value", "the command line", "name the column of the cell")
    if not 0 < len(why.strip()) <= MAX_WHY_CHARACTERS:
        raise BadInput(
            f"--why has to have 1 to {MAX_WHY_CHARACTERS:,} characters", "the command line",
            "say why you need the values, without naming the person: the reason stays in the audit trail",
        )  # fmt: skip
    if names_a_value(why, [one for one in (value, pseudonym_of) if one]):
        raise BadInput(NAMED, "--why", NAME_NOBODY)


def _ask(place: Place, model: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return signing.call(place, "POST", f"/models/{model}/reveal", body)
    except Fault as fault:
        if type(fault) is Fault and "execute-api:Invoke" in fault.remedy:
            raise NotAllowed("you may not see encrypted values", model, RIGHT) from fault
        raise


def _write(place: Place, model: str, data: Path, columns: Sequence[str], target: Path, why: str) -> int:
    """Write the rows of a file with the values of its encrypted cells; return how many these are."""
    with open_data_file(data) as file:
        lacking = [name for name in columns if name not in file.names]
        if lacking:
            raise BadInput(f"the file has no column {lacking[0]}", str(data), f"it has {', '.join(file.names[:10])}")
        names = list(file.names)
        rows = [{name: cell or "" for name, cell in row.items()} for row in file]
    known: dict[tuple[str, str], str] = {}
    wanted = dict.fromkeys((name, row[name]) for row in rows for name in columns if _is_encrypted(row[name]))
    if not wanted:
        raise BadInput(f"no cell of {', '.join(columns)} is encrypted", str(data), f"such cells begin with {PREFIX}")
    for part in _parts(list(wanted)):
        cells: dict[str, list[str]] = {}
        for name, cell in part:
            cells.setdefault(name, []).append(cell)
        try:
            values = _ask(place, model, {"why": why, "cells": cells})["values"]
        except BadRequest as fault:
            raise _of_row(fault, cells, rows, data) from fault
        for name, found in cells.items():
            known |= {(name, cell): value for cell, value in zip(found, values[name], strict=True)}
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as out:
            writer = csv.DictWriter(out, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {name: known.get((name, cell), cell) if name in columns else cell for name, cell in row.items()}
                for row in rows
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return sum(_is_encrypted(row[name]) for row in rows for name in columns)


def _of_row(
    fault: BadRequest, cells: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, str]], data: Path
) -> Fault:  # fmt: skip
    """Return the fault of a request as one of the file: it names a cell by its place in the request."""
    for error in fault.errors:
        place = str(error["pointer"]).split("/")  # /cells/ssn/17
        if len(place) == 4 and place[1] == "cells" and place[3].isdigit():
            name = place[2].replace("~1", "/").replace("~0", "~")
            cell = cells[name][int(place[3])]
            number = next(number for number, row in enumerate(rows, 1) if row[name] == cell)
            return BadInput(
                f"row {number:,}, {name}: {error['detail']}", str(data), "correct or delete the cell; nothing is shown"
            )
    return fault


def _is_encrypted(cell: str) -> bool:
    return cell.startswith(PREFIX)


def _parts(cells: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the cells of each request."""
    part: list[tuple[str, str]] = []
    characters = 0
    for name, cell in cells:
        if part and (len(part) == MAX_CELLS or characters + len(cell) > MAX_PART_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append((name, cell))
        characters += len(cell)
    yield part
