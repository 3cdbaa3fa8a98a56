"""Reads source files as text: the same reader and the same dialect for `collect`, `init` and `predict`.

    .csv, .csv.gz      csv_rows     the header by the `csv` module, the rows by DuckDB
    .jsonl, .jsonl.gz  json_lines   one object per line; a key that a line does not have is a missing value
    .parquet           parquet      every value as its text

`cells.values` and `cells.dates` decide later what a text means: a missing value, a number, true or false, a date.
"""

from modelcycle.reading.reader import SUFFIXES, check_suffix, read_file
from modelcycle.reading.text_table import TextTable

__all__ = ["SUFFIXES", "TextTable", "check_suffix", "read_file"]
