"""Which of two watermarks is later."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from modelcycle.faults import BadData

Order = tuple[str, Any]
"""The kind of a watermark, and what it is compared by."""


def order_of(text: str) -> Order:
    """Return how a watermark is compared: as a number, as a time (without a zone: UTC), or else as a text.

    >>> order_of("10") > order_of("9.5"), order_of("2024-02-01T00:00:00+02:00") < order_of("2024-01-31 23:00:00")
    (True, True)
    """
    try:
        number = Decimal(text)
        if number.is_finite():
            return "number", number
    except InvalidOperation:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return "text", text
    return "time", time if time.tzinfo else time.replace(tzinfo=UTC)


class Latest:
    """The latest watermark of the rows so far.

    Parameters
    ----------
    after : the last pull's
    """

    def __init__(self, column: str, after: str | None, where: str) -> None:
        self.column = column
        self.where = where
        self.text = after
        self.after = order_of(after) if after is not None else None
        self.order = self.after
        self.without = 0  # rows

    def is_new(self, text: str | None) -> bool:
        """Whether a row has not been pulled before; notes its watermark.

        A row without a watermark is new in the first pull only: a later one could not tell it from a known row.

        Raises
        ------
        BadData : watermarks cannot be compared
        """
        if text is None or not text.strip():
            self.without += 1
            return self.after is None
        order = order_of(text.strip())
        if self.order is not None and order[0] != self.order[0]:
            raise BadData(
                f"the watermark column {self.column!r} holds both a {self.order[0]} and a {order[0]}", self.where,
                "name a column that only grows, such as an id or a time, in source.watermark",
            )  # fmt: skip
        if self.order is None or order > self.order:
            self.order, self.text = order, text.strip()
        return self.after is None or order > self.after
