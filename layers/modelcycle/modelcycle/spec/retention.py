"""The section `retention`: how long what belongs to a model is kept, by class of data."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from modelcycle.spec.rules import SECONDS, seconds_of
from modelcycle.spec.section import Section

DataClass = Literal["raw", "landed", "snapshots", "holdout", "captures", "feedback", "scored", "reports"]
CLASSES: tuple[DataClass, ...] = get_args(DataClass)
MAX_DAYS = 36_500


def _days(age: str) -> str:
    try:
        seconds = seconds_of(age)
    except ValueError:
        raise ValueError("an age is expected, such as 30 days or 1 week") from None
    if not SECONDS["day"] <= seconds <= MAX_DAYS * SECONDS["day"]:
        raise ValueError(f"between 1 and {MAX_DAYS:,} days are possible, such as 400 days; it is looked at once a day")
    return age


KeptFor = Annotated[str, AfterValidator(_days)]


class Retention(Section):
    """How long data are kept after they were written; without an entry, as long as the stack keeps them.

    Once a day, what is older is deleted with all its versions. What a version with traffic needs stays.
    """

    raw: KeptFor | None = Field(None, description="uploads, such as `400 days`; later runs learn without them")
    landed: KeptFor | None = Field(None, description="rows that were pulled, or came by a stream or as live traffic")
    snapshots: KeptFor | None = Field(
        None, description="rows as the steps of a run have written them; such a version cannot be made again"
    )
    holdout: KeptFor | None = Field(None, description="test rows of versions that have no traffic")
    captures: KeptFor | None = Field(None, description="requests and their answers; at most 90 days by the stack")
    feedback: KeptFor | None = Field(None, description="outcomes that people have sent")
    scored: KeptFor | None = Field(
        None, description="files to score and their results; at most 30 and 90 days by the stack"
    )
    reports: KeptFor | None = Field(None, description="reports of monitoring and staging")

    def seconds(self) -> dict[DataClass, float]:
        """Return how long each class with an entry is kept, in seconds.

        >>> Retention(raw="2 weeks").seconds()
        {'raw': 1209600.0}
        """
        kept = {name: getattr(self, name) for name in CLASSES}
        return {name: seconds_of(age) for name, age in kept.items() if age is not None}
