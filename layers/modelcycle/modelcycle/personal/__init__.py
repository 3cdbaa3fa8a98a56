"""Personal data in columns: found by header and content, and treated before anything of a row is stored.

`headers` and `values` say what names and values look like, `detect` decides about a column, `decide` what happens to
it, `treat` changes the rows.
"""

from modelcycle.personal.decide import (
    PERSONAL_OF_RUN,
    decide_personal,
    hidden_columns,
    personal_notes,
    treated_columns,
)
from modelcycle.personal.detect import Found, detect
from modelcycle.personal.sample import sampled_columns
from modelcycle.personal.treat import treat_rows, treated_sql

__all__ = [
    "PERSONAL_OF_RUN",
    "Found",
    "decide_personal",
    "detect",
    "hidden_columns",
    "personal_notes",
    "sampled_columns",
    "treat_rows",
    "treated_columns",
    "treated_sql",
]
