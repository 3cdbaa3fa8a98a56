"""What holds for the whole table: numbers of rows, keys, the age of the newest row."""

from __future__ import annotations

from datetime import UTC, datetime

from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import (
    DECLARED,
    DEFAULT,
    MAX_LOAD_SHARE,
    MIN_FILE_ROWS,
    MIN_FILE_SHARE,
    MIN_SNAPSHOT_SHARE,
)
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Anomaly, Violation
from modelcycle.spec import Check, Level, Rules, seconds_of


def check_rows(
    batch: Batch, contract: Contract | None, rules: Rules, snapshot_rows: int, whole_files: bool
) -> list[Violation]:
    """Return whether there are fewer rows than the rule, the files before, or the version before had."""
    found: list[Violation] = []

    def add(anomaly: Anomaly, what: str, level: Level, count: int, of: int) -> None:
        found.append(Violation(anomaly=anomaly, check="rows", level=level, what=what, count=count, of=of))

    low, high = rules.rows.min, rules.rows.max
    level = rules.level("rows", "", DECLARED["rows"])
    rows = sum(file.rows for file in batch.files.values())  # with those that were there before the file was replaced
    if low is not None and batch.files and rows < low:
        add("DATASET_LOW_NUM_EXAMPLES", f"{rows:,} new rows; the rule asks for {low:,}", level, rows, low)
    if high is not None and rows > high:
        add("DATASET_HIGH_NUM_EXAMPLES", f"{rows:,} new rows; the rule allows {high:,}", level, rows, high)
    if contract is None or low is not None:
        return found
    level = rules.level("rows", "", DEFAULT["rows"])
    earlier = {file.key: file.rows for file in contract.files if file.rows and not file.joined}
    smallest = min(earlier.values(), default=0)
    known = contract.contents
    for number, file in batch.files.items() if whole_files else ():
        key, rows = file.key, file.rows
        if file.content in known:
            continue
        if key in earlier:  # the same file, written anew
            if rows < MIN_SNAPSHOT_SHARE * earlier[key]:
                what = f"{batch.name_of(number)} has {rows:,} rows; it had {earlier[key]:,}"
                add("COMPARATOR_LOW_NUM_EXAMPLES", what, level, rows, earlier[key])
            continue
        if not rows and smallest < MIN_FILE_ROWS:
            weaker = "warn" if "rows" not in rules.levels else level
            add("COMPARATOR_LOW_NUM_EXAMPLES", f"{batch.name_of(number)} has no row", weaker, 0, smallest)
        if smallest < MIN_FILE_ROWS or rows >= MIN_FILE_SHARE * smallest:
            continue
        # after one large file, a small one is rather the first of many small ones
        first_load = len(earlier) == 1 and rows < MAX_LOAD_SHARE * smallest
        those = "the only file before" if len(earlier) == 1 else f"the smallest of {len(earlier):,} files before"
        what = f"{batch.name_of(number)} has {rows:,} rows; {those} has {smallest:,}"
        weaker = "warn" if first_load and "rows" not in rules.levels else level
        add("COMPARATOR_LOW_NUM_EXAMPLES", what, weaker, rows, smallest)
    total = sum(earlier.values())
    if snapshot_rows < MIN_SNAPSHOT_SHARE * total and all(violation.level == "warn" for violation in found):
        what = f"all files together have {snapshot_rows:,} rows; they had {total:,}"
        add("COMPARATOR_LOW_NUM_EXAMPLES", what, level, snapshot_rows, total)
    return found


def check_unique(batch: Batch, contract: Contract | None, rules: Rules, known_rows: str) -> list[Violation]:
    """Return the columns in which a value is there twice, although the rule says that none is; or that were
    identifiers without one.
    """
    found = []
    for name in sorted(rules.columns):
        if rules.column(name).unique is not True or name not in batch.readings or name not in batch.texts:
            continue
        found += _repeated(batch, [name], "unique", rules.level("unique", name, DECLARED["unique"]), batch.source)
    keys = rules.keys or (contract.keys if contract is not None else [])
    for name, then in contract.terms().items() if contract is not None else ():
        is_identifier = then.unique and then.is_identifier and then.rows >= MIN_FILE_ROWS
        if not is_identifier or rules.column(name).unique is not None or name in keys:
            continue
        if name in batch.readings and name in batch.texts and batch.readings[name].type == "text":
            found += _repeated(batch, [name], "unique", rules.level("unique", name, DEFAULT["unique"]), known_rows)
    return found


def check_keys(batch: Batch, contract: Contract | None, rules: Rules, known_rows: str) -> list[Violation]:
    """Return whether keys are there twice, among all rows of the run."""
    keys = rules.keys or (contract.keys if contract is not None else [])
    if not keys or any(key not in batch.readings or key not in batch.texts for key in keys):
        return []
    level = rules.level("keys", "", (DECLARED if rules.keys else DEFAULT)["keys"])
    return _repeated(batch, keys, "keys", level, known_rows)


def _repeated(batch: Batch, names: list[str], check: Check, level: Level, source: str) -> list[Violation]:
    """Return the rows of the batch whose values are in another row of `source` too, except for the first of each.

    Rows that were there before the batch come first, whatever their file is called.
    """
    columns = ", ".join(f"{batch.parsed(name)} AS k{number}" for number, name in enumerate(names))
    keys = ", ".join(f"k{number}" for number in range(len(names)))
    present = " AND ".join(f"k{number} IS NOT NULL" for number in range(len(names)))
    repeated = (
        f"SELECT row_id FROM (SELECT row_id, row_number() OVER (PARTITION BY {keys} ORDER BY {batch.order()}) AS n"
        f" FROM (SELECT row_id, file, {columns} FROM {source}) WHERE {present}) WHERE n > 1"
    )
    condition = f"row_id IN ({repeated})"
    count = batch.count(condition)
    if not count:
        return []
    named = " and ".join(names)
    what = f"{named}: {count:,} of {batch.rows:,} rows repeat the value of another row"
    return [
        Violation(
            anomaly="FEATURE_TYPE_LOW_UNIQUE", check=check, level=level, column=names[0] if len(names) == 1 else "",
            what=what, count=count, of=batch.rows, examples=batch.examples(condition),
        )
    ]  # fmt: skip


def check_freshness(
    batch: Batch, contract: Contract | None, rules: Rules, time_column: str, started: datetime
) -> list[Violation]:
    """Return whether the newest row is older than the rule allows, or than those that are known."""
    if batch.readings[time_column].type != "datetime" or time_column not in batch.texts:
        return []
    newest = batch.engine.execute(f"SELECT max({batch.parsed(time_column)}) FROM {batch.source}").fetchone()[0]
    if newest is None:
        return []
    date = f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M}"
    anomaly: Anomaly = "NO_DATA_IN_SPAN"
    if rules.freshness is not None:
        age = started.timestamp() - newest
        if age <= seconds_of(rules.freshness):
            return []
        what = (
            f"{time_column}: the newest row is of {date}, {_age(age)} before the run; the rule allows {rules.freshness}"
        )
        level = rules.level("freshness", time_column, DECLARED["freshness"])
        return [Violation(anomaly=anomaly, check="freshness", level=level, column=time_column, what=what)]
    then = contract.terms().get(time_column) if contract is not None else None
    if then is None or then.maximum is None or then.type != "datetime" or newest >= then.maximum:
        return []
    known = f"{datetime.fromtimestamp(then.maximum, UTC):%Y-%m-%d %H:%M}"
    what = f"{time_column}: the newest of the new rows is of {date}; rows up to {known} are known"
    level = rules.level("freshness", time_column, DEFAULT["freshness"])
    return [Violation(anomaly=anomaly, check="freshness", level=level, column=time_column, what=what)]


def _age(seconds: float) -> str:
    """Return an age for people.

    >>> _age(180_000), _age(7200)
    ('2.1 days', '2.0 hours')
    """
    return f"{seconds / 86_400:.1f} days" if seconds >= 86_400 else f"{seconds / 3600:.1f} hours"
