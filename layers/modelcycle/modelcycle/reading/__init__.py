"""Reads source files as text: the same reader and the same dialect for `collect`, `init` and `predict`.

    .csv, .tsv        csv_rows   the header and the dialect by `csv_header`, the rows by DuckDB
    .jsonl, .json     json_rows  one object per line, or one list of objects; an absent key is a missing value
    .parquet          parquet    every value as its text

Text may be compressed (.gz). `cells` decides later what a text means: a missing value, a number, true or false, a date.
"""

from modelcycle.reading.reader import SUFFIXES, check_suffix, read_file, read_header
from modelcycle.reading.text_table import TextTable

__all__ = ["SUFFIXES", "TextTable", "check_suffix", "read_file", "read_header"]
