"""What a column holds, decided over all its rows: the same for `preprocess`, `init` and the contract of a model."""

from modelcycle.column_types.clean_rows import create_clean_rows, write_parquet
from modelcycle.column_types.infer import infer_columns, target_column

__all__ = ["create_clean_rows", "infer_columns", "target_column", "write_parquet"]
