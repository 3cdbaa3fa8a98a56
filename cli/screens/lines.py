"""How one line looks: aligned, broken only between its parts, numbers the way people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

WIDTH = 100  # columns of a line where no terminal says otherwise
LABEL = 19
GAP = "   "


def step_line(label: str, parts: Sequence[str], time: str = "", width: int = WIDTH) -> str:
    """`label`, the parts with gaps between them, and the time at the right edge of the last line."""
    room = max(width - 4 - LABEL - 10, 30)
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(GAP) + len(part) > room:
            lines.append("")
        lines[-1] += (GAP if lines[-1] else "") + part
    indent = " " * (4 + LABEL)
    whole = [f"    {label:<{LABEL}}{lines[0]}"] + [indent + line for line in lines[1:]]
    if time:
        whole[-1] = f"{whole[-1]:<{4 + LABEL + room}}{time:>10}"
    return "\n".join(line.rstrip() for line in whole)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "    ") -> str:
    """Columns as wide as their widest cell, three spaces apart, no lines between them."""
    widths = [max([len(name), *(len(row[place]) for row in rows)]) for place, name in enumerate(head)]
    return "\n".join(
        (indent + GAP.join(f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=True))).rstrip()
        for row in [head, *rows]
    )


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"


def size(number: float) -> str:
    """Bytes, in powers of 1000 as file managers count."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def figure(value: float) -> str:
    """A metric: three digits after the point, or as many as say something."""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.1e}"


def tiny(value: float) -> str:
    """A difference: 3e-07 as 3e-7."""
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-")


def words(name: str) -> str:
    """`log_loss` as people say it."""
    return name.replace("_", " ")


def clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in the unit that fits."""
    passed = max(((now or datetime.now(UTC)) - moment).total_seconds(), 0)
    for limit, length, name in (
        (90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h"), (14 * 86400, 86400, "days"),
    ):  # fmt: skip
        if passed < limit:
            return f"{passed / length:.0f} {name} ago"
    return f"{passed / (7 * 86400):.0f} weeks ago"


def traffic(weights: dict[int, int]) -> str:
    """`7 (90 %)   8 (10 %)`, the most first."""
    return GAP.join(f"{version} ({weight} %)" for version, weight in sorted(weights.items(), key=lambda one: -one[1]))
