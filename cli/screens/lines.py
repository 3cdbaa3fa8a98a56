"""The parts of a screen: aligned lines and tables, and numbers and times as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

# characters
WIDTH = 100  # of a line, if no terminal has another
LABEL_WIDTH = 19
TIME_WIDTH = 10
MIN_PARTS_WIDTH = 30
INDENT = "    "
GAP = "   "


def step_line(
    label: str, parts: Sequence[str], time: str = "", width: int = WIDTH, sentences: Sequence[str] = ()
) -> str:
    """Return the line of a step: the label, the parts, the sentences, and the time at the right edge.

    A line breaks only between parts, or between the words of a sentence; the time is on the last one.

    Parameters
    ----------
    sentences : each begins on a line of its own
    """
    parts_width = max(width - len(INDENT) - LABEL_WIDTH - TIME_WIDTH, MIN_PARTS_WIDTH)
    rows = [""]
    for part in parts:
        if rows[-1] and len(rows[-1]) + len(GAP) + len(part) > parts_width:
            rows.append("")
        rows[-1] += (GAP if rows[-1] else "") + part
    for sentence in sentences:
        rows += textwrap.wrap(sentence, parts_width, subsequent_indent="  ", break_on_hyphens=False)
    if not rows[0] and len(rows) > 1:
        del rows[0]
    continuation = " " * (len(INDENT) + LABEL_WIDTH)
    lines = [f"{INDENT}{label:<{LABEL_WIDTH}}{rows[0]}", *(continuation + row for row in rows[1:])]
    if time:
        lines[-1] = f"{lines[-1]:<{len(INDENT) + LABEL_WIDTH + parts_width}}{time:>{TIME_WIDTH}}"
    return "\n".join(line.rstrip() for line in lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without rules; each column is as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        (INDENT + GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in [head, *rows]
    )


def wrapped(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the rows of a table with their last cell in lines of at most `width` characters, each a row.

    >>> wrapped([["a", "one two"], ["b", ""]], 4)
    [['a', 'one'], ['', 'two'], ['b', '']]
    """
    return [
        [*(row[:-1] if not number else [""] * (len(row) - 1)), line]
        for row in rows
        for number, line in enumerate(textwrap.wrap(row[-1], width, break_on_hyphens=False) or [""])
    ]


def more(number: int) -> list[str]:
    """Return the line below a table that leaves out `number` rows; none if it is complete."""
    return [f"{INDENT}and {number:,} more; --json prints all"] if number > 0 else []


def labelled(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return one line for each label and text, the texts aligned; empty texts are left out."""
    return [f"  {label:<{width}}{text}" for label, text in rows if text]


def seconds(value: float | None) -> str:
    """Return a duration.

    >>> seconds(0.71), seconds(41.2), seconds(600)
    ('0.7 s', '41 s', '10 min')
    """
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"


def size(number: float) -> str:
    """Return a number of bytes, in powers of 1000 as file managers count.

    >>> size(3_812_000)
    '3.8 MB'
    """
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "row"), count(32_561, "row")
    ('1 row', '32,561 rows')
    """
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def rules_hold(held: int, rules: int) -> str:
    """Return how many rules hold, as a clause.

    >>> rules_hold(1, 1), rules_hold(1, 2)
    ('1 of 1 rule holds', '1 of 2 rules hold')
    """
    return f"{held:,} of {count(rules, 'rule')} {'holds' if rules == 1 else 'hold'}"


def figure(value: float) -> str:
    """Return a metric with three decimals, or in the form that fits very large and small ones.

    >>> figure(0.8712), figure(12_345.6), figure(0.0000312)
    ('0.871', '12,346', '3.1e-05')
    """
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.1e}"


def difference(value: float) -> str:
    """Return a numerical difference with one digit.

    >>> difference(3.1e-7)
    '3e-7'
    """
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-")


def words(name: str) -> str:
    """Return an identifier as words: `log_loss` is `log loss`."""
    return name.replace("_", " ")


def clip(text: str, width: int) -> str:
    """Return a text of at most `width` characters.

    >>> clip("education_num", 10)
    'educati...'
    """
    return text if len(text) <= width else text[: width - 3] + "..."


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in the unit that fits."""
    passed = max(((now or datetime.now(UTC)) - moment).total_seconds(), 0)
    for limit, length, unit in (
        (90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h"), (14 * 86400, 86400, "days"),
    ):  # fmt: skip
        if passed < limit:
            return f"{passed / length:.0f} {unit} ago"
    return f"{passed / (7 * 86400):.0f} weeks ago"


def minute(moment: datetime) -> str:
    """Return a time of day with its date, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def shares(weights: Mapping[int, int]) -> list[str]:
    """Return the versions with their share of the traffic, the largest first.

    >>> shares({8: 10, 7: 90})
    ['7 (90 %)', '8 (10 %)']
    """
    return [f"{version} ({weight} %)" for version, weight in sorted(weights.items(), key=lambda share: -share[1])]


def traffic(weights: Mapping[int, int]) -> str:
    """Return `shares` on one line."""
    return ", ".join(shares(weights))


def person(by: str) -> str:
    """Return who did something, without the ARN around a person's name.

    >>> person("arn:aws:iam::000000000000:user/team/ada"), person("run 20260101T000000-abc")
    ('ada', 'run 20260101T000000-abc')
    """
    return by.rpartition("/")[2] if by.startswith("arn:") else by
