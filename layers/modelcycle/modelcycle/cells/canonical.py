"""One text for one value, however a source writes it: for the content hash, and for the keys of a join."""

from __future__ import annotations

DATE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?"
MAX_WHOLE = "1e37"  # below HUGEINT's largest, 1.7e38


def trimmed_sql(expression: str) -> str:
    """Return SQL for a text without the white space around it, null for a blank one."""
    return f"nullif(trim({expression}), '')"


def canonical_sql(text: str) -> str:
    """Return SQL for the canonical text of a text, null for a missing value. Needs the session's time zone to be UTC.

    Whole numbers stay exact, other numbers are those of double precision: 0.24 = 0.2400, 5 = 5.0 = 5e0. Codes with
    leading zeros stay texts. Dates are points in time, without a zone in UTC: 2024-01-31 = 2024-01-31T00:00:00Z. True
    and TRUE are true. White space around a text does not count, and a blank text is missing.

    Parameters
    ----------
    text : SQL of type VARCHAR, as `trimmed_sql` gives it; best the name of a column, since it is repeated
    """
    # the first character decides which patterns are tried: most cells are told apart by it
    return f"""CASE
        WHEN {text} IS NULL THEN NULL
        WHEN NOT starts_with_digit({text}) THEN
            CASE WHEN lower({text}) IN ('true', 'false') THEN lower({text}) ELSE {text} END
        ELSE canonical_value({text}) END"""


def create_macros(engine: object) -> None:
    """Create the macros that `canonical_sql` uses."""
    execute = engine.execute  # type: ignore[attr-defined]
    execute(
        "CREATE OR REPLACE TEMP MACRO starts_with_digit(t) AS left(t, 1) IN "
        "('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '+', '.')"
    )
    # a leading zero makes a code
    execute(
        """CREATE OR REPLACE TEMP MACRO is_code(t) AS
            contains(t, '_') OR (t[1] = '0' AND t[2] BETWEEN '0' AND '9')
            OR (t[1] IN ('+', '-') AND t[2] = '0' AND t[3] BETWEEN '0' AND '9')"""
    )
    execute(
        f"""CREATE OR REPLACE TEMP MACRO canonical_number(t, n) AS CASE
            WHEN n <> trunc(n) OR abs(n) >= {MAX_WHOLE} THEN n::VARCHAR
            WHEN n = 0 THEN '0'
            WHEN contains(lower(t), 'e') THEN n::HUGEINT::VARCHAR
            WHEN contains(t, '.') THEN ltrim(rtrim(rtrim(t, '0'), '.'), '+')
            ELSE ltrim(t, '+') END"""
    )
    execute(
        f"""CREATE OR REPLACE TEMP MACRO canonical_value(t) AS CASE
            WHEN isfinite(try_cast(t AS DOUBLE)) AND NOT is_code(t) THEN canonical_number(t, try_cast(t AS DOUBLE))
            WHEN t[5] = '-' AND regexp_full_match(t, '{DATE}') AND try_cast(t AS TIMESTAMPTZ) IS NOT NULL
                THEN epoch_us(try_cast(t AS TIMESTAMPTZ))::VARCHAR || ' us'
            ELSE t END"""
    )
