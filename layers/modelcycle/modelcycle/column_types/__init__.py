"""What a column holds, decided over all its rows: the same for `preprocess`, `init` and the contract of a model."""

from modelcycle.column_types.clean_rows import create_clean_rows, write_parquet
from modelcycle.column_types.decided import Decided
from modelcycle.column_types.infer import decide_columns, infer_columns, target_column

__all__ = ["Decided", "create_clean_rows", "decide_columns", "infer_columns", "target_column", "write_parquet"]
