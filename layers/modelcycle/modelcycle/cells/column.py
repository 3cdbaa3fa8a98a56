"""A column of a table, without its values; the command line, which has no numpy, knows it too."""

from __future__ import annotations

from modelcycle.cells.reading import Reading


class Column(Reading):
    """A column, and how its text is read.

    Parameters
    ----------
    name : any text
    type, format, true, false, missing_values : see `cells.reading.Reading`
    note : what was decided about its texts, for people; "" if nothing needs a word
    distinct : number of distinct values over the kept rows
    missing : share of missing values, 0 to 1
    """

    name: str
    note: str = ""
    distinct: int = 0
    missing: float = 0.0
