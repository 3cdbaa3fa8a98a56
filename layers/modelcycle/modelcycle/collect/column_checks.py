"""Checks of column names across the files of a model."""

from __future__ import annotations

from modelcycle.faults import ColumnsDiffer
from modelcycle.reading import TextTable
from modelcycle.reading.column_names import list_names


def all_names(tables: list[TextTable]) -> list[str]:
    """Return the columns of all tables, in the order in which they come first."""
    return list(dict.fromkeys(name for table in tables for name in table.names))


def check_same_columns(table: TextTable, first: TextTable, where: str, first_where: str) -> None:
    """Check that a file has the columns of the first one, in any order.

    A sparse format leaves out missing values: such a file may lack columns, and one after it may have more.

    Parameters
    ----------
    where, first_where : the files, for faults

    Raises
    ------
    ColumnsDiffer : names the differences
    """
    added = [] if first.sparse else [name for name in table.names if name not in set(first.names)]
    absent = [] if table.sparse else [name for name in first.names if name not in set(table.names)]
    if added or absent:
        differences = [f"is missing {list_names(absent)}"] * bool(absent) + [f"adds {list_names(added)}"] * bool(added)
        raise ColumnsDiffer(
            f"the files have different columns: compared with {first_where}, {where} {' and '.join(differences)}",
            where, "give all files of a model the same columns, or remove the file that differs",
        )  # fmt: skip
