"""`reveal`: shows the values of encrypted cells, or the pseudonym of a value, to whoever may see them."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli import console, signing
from cli.decide import model_and_version
from cli.encrypted_rows import Cell, EncryptedRows, encrypted_columns, rows_of_file, rows_of_version
from cli.options import Options
from cli.place import Place
from cli.screens.lines import count
from modelcycle.bounded_groups import bounded_groups
from modelcycle.faults import BadInput, BadRequest, Fault, NotAllowed
from modelcycle.json_pointer import unescaped
from modelcycle.personal.encryption import PREFIX
from modelcycle.personal.named_person import names_a_value
from modelcycle.reveal.reveal_request import MAX_CELLS, MAX_WHY_CHARACTERS, NAME_NOBODY, NAMED

MAX_PART_CHARACTERS = 1_000_000  # of the cells of one request; its answer may have 6 MB
MAX_TOLD = 5  # of the cells that stay encrypted
RIGHT = "attach the policy `RevealPolicy` (docs/permissions.md)"


def reveal(
    name: str, columns: Sequence[str], data: Path | None, value: str | None, pseudonym_of: str | None, to: Path | None,
    why: str, options: Options,
) -> int:  # fmt: skip
    """Have cells decrypted by the function that has the key; the audit trail has who, what and why before.

    Parameters
    ----------
    name : MODEL, or MODEL:VERSION for the rows of one version
    columns : in which the cells are; a cell of one column cannot be read as one of another
    data : a file with such columns; without it, `value` and `pseudonym_of`, the rows of which the version was made.
        The rows are written to `to`, readable by its owner alone
    value : instead, one cell
    pseudonym_of : instead, a value of which the pseudonym is asked

    Returns
    -------
    DONE_IN_PART if a cell could not be decrypted

    Raises
    ------
    BadInput : what is asked for is incomplete, or nothing is encrypted, or not by this stack
    NotAllowed : the person may not see values
    """
    columns = list(dict.fromkeys(columns))
    model, version = model_and_version(name)
    _check(version, columns, data, value, pseudonym_of, to, why)
    own = data.with_name(f"{data.name.partition('.')[0]}.revealed.csv") if data else Path(f"{model}.revealed.csv")
    target = to or own
    if data and target.exists() and target.samefile(data):
        raise BadInput("the values would overwrite the file", str(target), "give another --out")
    place = options.open_place()
    place.check_model(model)
    if pseudonym_of is not None:
        (made,) = _ask(place, model, {"why": why, "values": [pseudonym_of]})["pseudonyms"]
        return _told(options, {"model": model, "pseudonym": made}, made)
    if value is not None:
        cell = (columns[0], value)
        known, wrong = _values(place, model, [cell], why)
        if wrong:
            raise BadInput(wrong[cell], "--value", _hint(place, model, columns))
        return _told(options, {"model": model, "value": known[cell]}, known[cell])
    rows = rows_of_file(data, columns) if data else rows_of_version(place, name, columns)
    return _reveal_rows(place, model, rows, target, why, options)


def _reveal_rows(place: Place, model: str, rows: EncryptedRows, target: Path, why: str, options: Options) -> int:
    """Write rows with the values of their encrypted cells; a cell that cannot be decrypted stays, and is told."""
    names = ", ".join(rows.wanted)
    wanted = rows.cells()
    console.say(f"{rows.where}: {len(rows.rows):,} rows, {len(wanted):,} different encrypted values of {names}")
    known, wrong = _values(place, model, wanted, why)
    if not known:
        first = next(iter(wrong.values()), "no cell is encrypted")
        raise BadInput(
            f"none of the encrypted cells can be shown: {first}", rows.where, _hint(place, model, [*rows.wanted])
        )
    _write(rows, known, target)
    shown = rows.count(known)
    unread = [
        {"row": row, "column": cell[0], "detail": wrong[cell]} for row, cell in rows.places(wrong)
    ]  # fmt: skip
    lines = [f"{count(shown, 'cell')} of {names} written to {target}, which only you can read; the audit trail says so"]
    if unread:
        lines.append(
            f"{len(unread):,} encrypted {'cell stays as it is' if len(unread) == 1 else 'cells stay as they are'}:"
        )
        lines += [f"  {one['row']}, {one['column']}: {one['detail']}" for one in unread[:MAX_TOLD]]
        if len(unread) > MAX_TOLD:
            lines.append(f"  and {len(unread) - MAX_TOLD:,} more: --json lists all")
    answer = {"model": model, "cells": shown, "out": str(target), "rows_of": rows.where, "unread": unread}
    _told(options, answer, "\n".join(lines))
    return console.DONE_IN_PART if unread else console.DONE


def _told(options: Options, answer: dict[str, Any], text: str) -> int:
    if options.as_json:
        console.print_json(answer)
    else:
        console.show(text)
    return console.DONE


def _check(
    version: int | None, columns: Sequence[str], data: Path | None, value: str | None, pseudonym_of: str | None,
    to: Path | None, why: str,
) -> None:  # fmt: skip
    where = "the command line"
    if sum(one is not None for one in (data, value, pseudonym_of)) > 1:
        raise BadInput("only one of --data, --value and --pseudonym-of can be given", where, "give one of them")
    if version is not None and (data, value, pseudonym_of) != (None, None, None):
        raise BadInput(
            "a version goes only with its own rows", where,
            "leave out :VERSION: the key is the same for all versions of a model",
        )  # fmt: skip
    if pseudonym_of is not None and columns:
        raise BadInput(
            "--column does not go with --pseudonym-of", where,
            "leave it out: the pseudonym of a value is the same in all columns of a model",
        )  # fmt: skip
    if to is not None and (value, pseudonym_of) != (None, None):
        raise BadInput("--out goes only with rows", where, "leave it out: the answer is shown")
    if pseudonym_of is None and not columns:
        raise BadInput("--column is missing", where, "name the column of the cells: --column ssn")
    if value is not None and len(columns) != 1:
        raise BadInput("one --column is needed with --value", where, "name the column of the cell")
    if not 0 < len(why.strip()) <= MAX_WHY_CHARACTERS:
        raise BadInput(
            f"--why has to have 1 to {MAX_WHY_CHARACTERS:,} characters", where,
            "say why you need the values, without naming the person: the reason stays in the audit trail",
        )  # fmt: skip
    if value is not None and not value.startswith(PREFIX):
        raise BadInput("the value is not encrypted", "--value", f"an encrypted cell begins with {PREFIX}")
    if names_a_value(why, [one for one in (value, pseudonym_of) if one]):
        raise BadInput(NAMED, "--why", NAME_NOBODY)


def _ask(place: Place, model: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return signing.call(place, "POST", f"/models/{model}/reveal", body)
    except Fault as fault:
        if type(fault) is Fault and "execute-api:Invoke" in fault.remedy:
            raise NotAllowed("you may not see encrypted values", model, RIGHT) from fault
        raise


def _values(place: Place, model: str, wanted: list[Cell], why: str) -> tuple[dict[Cell, str], dict[Cell, str]]:
    """Return the values of cells, and of those that cannot be decrypted what is wrong.

    A request with one wrong cell is refused as a whole, so it is sent again without those.
    """
    known: dict[Cell, str] = {}
    wrong: dict[Cell, str] = {}
    for part in bounded_groups(wanted, lambda cell: len(cell[1]), MAX_PART_CHARACTERS, MAX_CELLS):
        left = part
        while left:
            cells: dict[str, list[str]] = {}
            for column, text in left:
                cells.setdefault(column, []).append(text)
            try:
                values = _ask(place, model, {"why": why, "cells": cells})["values"]
            except BadRequest as fault:
                wrong |= _wrong_cells(fault, cells)
                left = [cell for cell in left if cell not in wrong]
                continue
            for column, found in cells.items():
                known |= {(column, text): value for text, value in zip(found, values[column], strict=True)}
            left = []
    return known, wrong


def _wrong_cells(fault: BadRequest, cells: dict[str, list[str]]) -> dict[Cell, str]:
    """Return what the function says about cells, which it names by their place in the request.

    Raises
    ------
    BadRequest : the same, if something else is wrong
    """
    wrong: dict[Cell, str] = {}
    for error in fault.errors:
        place = str(error["pointer"]).split("/")  # /cells/ssn/17
        if len(place) != 4 or place[1] != "cells" or not place[3].isdigit():
            raise fault
        column = unescaped(place[2])
        wrong[column, cells[column][int(place[3])]] = str(error["detail"])
    if not wrong:
        raise fault
    return wrong


def _hint(place: Place, model: str, columns: Sequence[str]) -> str:
    """Return what to do about cells that cannot be decrypted; it names the columns that are encrypted now."""
    general = f"a cell can be read only as one of its own model and column: is it of {model} and {', '.join(columns)}?"
    try:
        encrypted = encrypted_columns(place, model)
    except Fault:  # without the right to read artifacts, or while S3 does not answer
        return general
    if not encrypted:
        return f"{general} In the live version no column is encrypted"
    return f"{general} In the live version these are encrypted: {', '.join(encrypted[:10])}"


def _write(rows: EncryptedRows, known: dict[Cell, str], target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(rows.names)
            writer.writerows(rows.shown(known))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
