"""How the columns of a version differ from those of another one, for the people who call the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

MAX_NAMED_COLUMNS = 50  # of each kind; a table may have thousands
MAX_SAID_COLUMNS = 5  # in a sentence


class Retyped(BaseModel):
    """A column that both versions read, as another type or in another format."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    column: str
    before: str
    after: str


class ContractChange(BaseModel):
    """The difference between the requests that two versions read; see `contract_change`.

    Parameters
    ----------
    against : the earlier version
    new : columns that only the later version reads
    gone : columns that only the earlier one reads
    refused : those of `gone` that the later version does not even know: a request that has one is refused by it
    retyped : columns that both read, but not the same values
    more_new, more_gone, more_retyped : further columns, beyond the MAX_NAMED_COLUMNS of each kind
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    against: int
    new: list[str] = []
    gone: list[str] = []
    refused: list[str] = []
    retyped: list[Retyped] = []
    more_new: int = 0
    more_gone: int = 0
    more_retyped: int = 0

    @property
    def what(self) -> str:
        """What changed, as one sentence."""
        parts = []
        if self.new:
            parts.append(f"new: {_names(self.new, self.more_new)}")
        if self.gone:
            parts.append(f"gone: {_names(self.gone, self.more_gone)}")
        shown = self.retyped[:MAX_SAID_COLUMNS]
        parts += [f"{_names([one.column])} is {one.after}, was {one.before}" for one in shown]
        others = len(self.retyped) - len(shown) + self.more_retyped
        if others:
            parts.append(f"{others:,} more of another type")
        return f"the columns of requests differ from version {self.against}: {'; '.join(parts)}"

    @property
    def who(self) -> str:
        """Whom the later version refuses, and until when they are served all the same."""
        senders = []
        if self.new:
            senders.append(f"do not send {_names(self.new, self.more_new, 'or')}")
        if self.refused:
            senders.append(f"still send {_names(self.refused, last='or')}")
        if self.retyped:
            senders.append(f"send {_names([one.column for one in self.retyped], self.more_retyped, 'or')} as before")
        if not senders:
            return "no client is refused"
        clients = f"clients that {', or '.join(senders)}" + ("," if len(senders) > 1 else "")
        return f"{clients} are served as long as version {self.against} is live or previous, and refused after that"


def contract_change(against: int, before: dict[str, Any], after: dict[str, Any]) -> ContractChange | None:
    """Return how the columns of requests differ between two versions; None if they do not.

    Parameters
    ----------
    against : number of the earlier version
    before, after : JSON of the signatures (`model.signature.Signature`, which needs numpy; neither `register` nor the
        command line has it)

    Examples
    --------
    >>> change = contract_change(
    ...     3,
    ...     {"fields": [{"name": "age", "type": "number"}, {"name": "plz", "type": "text"}], "ignored": []},
    ...     {"fields": [{"name": "age", "type": "text"}, {"name": "income", "type": "number"}], "ignored": ["plz"]},
    ... )
    >>> change.what
    'the columns of requests differ from version 3: new: income; gone: plz; age is a text, was a number'
    >>> change.who.partition(" are served ")[0]
    'clients that do not send income, or send age as before,'
    """
    earlier = {field["name"]: field for field in before["fields"]}
    later = {field["name"]: field for field in after["fields"]}
    new = [name for name in later if name not in earlier]
    gone = [name for name in earlier if name not in later]
    retyped = [
        Retyped(column=name, before=_kind(earlier[name]), after=_kind(field))
        for name, field in later.items()
        if name in earlier and not _still_reads(earlier[name], field)
    ]
    if not new and not gone and not retyped:
        return None
    return ContractChange(
        against=against,
        new=new[:MAX_NAMED_COLUMNS],
        gone=gone[:MAX_NAMED_COLUMNS],
        refused=[name for name in gone if name not in after["ignored"]][:MAX_NAMED_COLUMNS],
        retyped=retyped[:MAX_NAMED_COLUMNS],
        more_new=max(len(new) - MAX_NAMED_COLUMNS, 0),
        more_gone=max(len(gone) - MAX_NAMED_COLUMNS, 0),
        more_retyped=max(len(retyped) - MAX_NAMED_COLUMNS, 0),
    )


def _still_reads(earlier: dict[str, Any], later: dict[str, Any]) -> bool:
    """Return whether the later field reads every value that the earlier one does."""
    if earlier["type"] != later["type"] or (earlier.get("format") or "") != (later.get("format") or ""):
        return False
    return all(set(earlier.get(words) or ()) <= set(later.get(words) or ()) for words in ("true", "false"))


def _kind(field: dict[str, Any]) -> str:
    form = field.get("format") or ""
    if field["type"] == "boolean":
        words = [" / ".join(field[words]) for words in ("true", "false") if field.get(words)]
        return "true or false" + (f", as {' or '.join(words)}" if words else "")
    if field["type"] == "datetime":
        return f"a date ({form})" if form else "a date"
    return f"a {field['type']}" + (f" like {form}" if form else "")


def _names(columns: Sequence[str], more: int = 0, last: str = "and") -> str:
    """Return names as a sentence lists them.

    Parameters
    ----------
    more : how many there are beside these

    >>> _names(["a", "b", "c"]), _names(["a"], more=3, last="or")
    ('a, b and c', 'a or 3 more')
    """
    names = [" ".join(name.split()) for name in columns[:MAX_SAID_COLUMNS]]
    unnamed = len(columns) - len(names) + more
    if unnamed:
        names.append(f"{unnamed:,} more")
    return f" {last} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
