"""Changes the personal columns of a snapshot before it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcycle.engine import row_group_rows
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal.encryption import FUNCTION
from modelcycle.pseudonyms import pseudonym_sql
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
    columns = []
    for number in range(len(names)):
        column, treatment = f"c{number}", changed.get(number)
        if treatment == "drop":
            columns.append(f"NULL::VARCHAR AS {column}")
        elif treatment == "mask":
            columns.append(f"{mask_sql(column)} AS {column}")
        elif treatment == "pseudonymise":
            columns.append(f"{pseudonym_sql(column, missing_values)} AS {column}")
        elif treatment == "encrypt":
            columns.append(f"{FUNCTION}({column}, {literal(names[number])}) AS {column}")
        else:
            columns.append(column)
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
