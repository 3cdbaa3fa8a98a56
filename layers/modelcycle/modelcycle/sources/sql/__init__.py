"""Tables and queries of a database, read-only.

rows          the source: which statement is sent, and how its rows become Parquet files
url           the address of a database, from its secret
csv_rows      rows on their way: a CSV file in which a missing value and an empty text differ
sqlite, postgresql, mysql, sql_server, sqlalchemy   one database each, all behind `database.Database`
"""

from modelcycle.sources.sql.rows import SqlRows

__all__ = ["SqlRows"]
