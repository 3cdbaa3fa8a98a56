"""Changes the personal columns of a snapshot before it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcycle.engine import row_group_rows
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal.encryption import FUNCTION
from modelcycle.pseudonyms import pseudonym_sql
from modelcycle.spec.privacy import Treatment
from modelcycle.sql_literal import literal

MAX_MASK_CHARACTERS = 40  # the length of a long text would tell it from others


def treat_rows(
    engine: Any, shards: Sequence[Path], names: Sequence[str], personal: Mapping[str, PersonalColumn],
    missing_values: Iterable[str] = (),
) -> list[Path]:  # fmt: skip
    """Return Parquet files with the same rows, in which personal columns are treated; the former files are deleted.

    A dropped column stays as one without values, so that files and versions still have the same columns.

    Parameters
    ----------
    engine : with `set_pseudonym_key` if there are pseudonyms, and `encrypting` if columns are encrypted
    shards : with the columns `file`, `row`, `c0`, `c1` ..., all text
    names : of `c0`, `c1` ...
    missing_values : texts that mean a missing value: they have no pseudonym
    """
    changed = {number: personal[name].treatment for number, name in enumerate(names) if name in personal}
    changed = {number: treatment for number, treatment in changed.items() if treatment != "keep"}
    if not changed:
        return list(shards)
    columns = [
        f"{treated_sql(f'c{number}', changed[number], names[number], missing_values)} AS c{number}"
        if number in changed
        else f"c{number}"
        for number in range(len(names))
    ]
    treated = []
    for shard in shards:
        path = shard.with_name(f"{shard.stem}.treated.parquet")
        engine.execute(
            f"COPY (SELECT file, row, {', '.join(columns)} FROM read_parquet({literal(shard)})) TO {literal(path)}"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(names))})"
        )
        shard.unlink()
        treated.append(path)
    return treated


def treated_sql(text: str, treatment: Treatment, name: str, missing_values: Iterable[str] = ()) -> str:
    """Return SQL for what is stored of a column's cell.

    Parameters
    ----------
    text : SQL of type VARCHAR; best the name of a column, since it is repeated
    name : of the column, with which its cells are encrypted
    missing_values : see `treat_rows`
    """
    if treatment == "drop":
        return "NULL::VARCHAR"
    if treatment == "mask":
        return mask_sql(text)
    if treatment == "pseudonymise":
        return pseudonym_sql(text, missing_values)
    return f"{FUNCTION}({text}, {literal(name)})" if treatment == "encrypt" else text


def mask_sql(text: str) -> str:
    """Return SQL for the form of a text: X for a capital letter, x for another character, # for a digit.

    White space and ASCII punctuation stay: `Ann@example.org` becomes `Xxx@xxxxxxx.xxx`.
    """
    sql = f"left({text}, {MAX_MASK_CHARACTERS})"
    for pattern, mask in (
        (r"\p{M}", ""), (r"\p{N}", "#"), (r"\p{Lu}", "X"), (r"[^X\t\r\n -@\[-`{-~]", "x"),
    ):  # fmt: skip
        sql = f"regexp_replace({sql}, {literal(pattern)}, '{mask}', 'g')"
    return sql
