"""Files of rows, read as texts: one reader and one dialect, for `collect` as for `init` and `predict`.

    .csv, .csv.gz      delimited      the header by the `csv` module, the rows by DuckDB
    .jsonl, .jsonl.gz  json_lines     one object a line; a key that a line lacks is a missing value
    .parquet           parquet        every value as its text

What a text means (missing, a number, true or false, a date) is decided later, by `model.values` and `model.dates`.
"""

from modelcycle.reading.piece import Piece
from modelcycle.reading.reader import SUFFIXES, read

__all__ = ["SUFFIXES", "Piece", "read"]
