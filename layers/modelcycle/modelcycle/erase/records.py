"""Records of the registry that quote a cell of the subjects: their sentences lose it, whatever else they say stays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelcycle.column_types.decided import MAX_TEXT_CHARACTERS
from modelcycle.contract.shifts import MAX_SHOWN_CHARACTERS
from modelcycle.erase.traces import Traces
from modelcycle.erase.work import Count, Found
from modelcycle.model.bins import MAX_LABEL_CHARACTERS
from modelcycle.model.fields import MAX_QUOTED_CHARACTERS
from modelcycle.registry import Registry
from modelcycle.registry.events import plain_line

RECORDS = "records of the registry"  # the class of data, as people read it
WHO = ("by", "author", "model")  # fields that name who decided, or what about
ADDRESS = re.compile(
    r"(?:s3://|arn:|raw/|landed/|score/|scored/|pipelines/).*|[0-9a-f]{32,64}"  # of objects, and their hashes
    r"|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{8}T\d{6,}-[0-9a-f]+",  # times, and runs by their id
    re.DOTALL,
)
SENTENCE = re.compile(r"[:,;] |['\"]")  # a text that begins with an address and goes on
FREE = {
    "text", "texts", "value", "values", "level", "levels", "example", "examples", "label", "labels", "match",
    "why", "reason", "reasons", "note", "notes", "detail", "details", "what", "sentence", "sentences", "message",
    "counts", "group", "groups", "warned", "ask",
}  # fmt: skip
"""Fields that hold cells, sentences or what people wrote: a short text there is no term of ours."""

BY_CELL = {"levels", "values", "counts", "groups", "examples", "labels", "texts"}
"""Fields whose entries are named by cells: such a name is no term of ours either."""

CUT_AT = (MAX_SHOWN_CHARACTERS, MAX_QUOTED_CHARACTERS, MAX_TEXT_CHARACTERS, MAX_LABEL_CHARACTERS)
"""Characters of a cell in a sentence; of a longer one, three dots stand for the rest."""

TERM = re.compile(r"[a-z][a-z0-9_.-]*(?: [a-z0-9_.-]+){0,2}")  # `input drift`: a word of ours, whatever cells say
STAYS = {
    "AUDIT": "of the audit trail, which never changes: the reasons that people gave, and those of runs",
    "LANDING": "of sources: how far they were pulled; pull the source as a whole, or accept the place as a number",
    "VERSION": "of versions, which never change",
}
STAYS_BY_DECISION = "about decisions and traffic, which an erasure does not change"


class Sentences:
    """The sentences of records, without what only the subjects had.

    >>> sentences = Sentences(Traces(frozenset({"Zwolle", "drift"})))
    >>> sentences.cleaned({"note": "'Zwolle' is new", "kind": "input drift", "levels": ["drift"], "by": "Zwolle"})
    ({'note': "'(erased)' is new", 'kind': 'input drift', 'levels': ['(erased)'], 'by': 'Zwolle'}, True)
    >>> sentences.cleaned({"key": "raw/m/Zwolle.csv"})  # its name is told
    ({'key': 'raw/m/Zwolle.csv'}, False)
    >>> sentences.cleaned({"notes": ["raw/m/a.csv: 'Zwolle' is new"], "levels": {"drift": 2}})
    ({'notes': ["raw/m/a.csv: '(erased)' is new"], 'levels': {'(erased)': 2}}, True)
    """

    def __init__(self, traces: Traces) -> None:
        self.traces = Traces(frozenset(form for text in traces.texts for form in _forms(text)))

    def cleaned(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the body of a record without the texts, of the same shape, and whether it had any."""
        found = self._without(body)
        return found, found != body

    def _without(self, value: Any, field: str = "") -> Any:
        if isinstance(value, Mapping):
            kept: dict[str, Any] = {}
            for name, inner in value.items():
                kept[self._name(name, field, kept)] = self._without(inner, name)
            return kept
        if isinstance(value, list):
            return [self._without(inner, field) for inner in value]
        return self._text(value, field) if isinstance(value, str) and field not in WHO else value

    def _name(self, name: str, field: str, taken: Mapping[str, Any]) -> str:
        """Return the name of an entry of a field, such as a level with its count; two of them keep two names."""
        known = field if field in BY_CELL else ""
        cleaned, number = self._text(name, known), 1
        while cleaned != name and cleaned in taken:
            number += 1
            cleaned = f"{self._text(name, known)} ({number})"
        return cleaned

    def _text(self, text: str, field: str) -> str:
        is_address = ADDRESS.fullmatch(text) and not (field in FREE and SENTENCE.search(text))
        is_ours = is_address or (TERM.fullmatch(text) and field not in FREE)
        return text if is_ours else self.traces.in_text(text)


def _forms(text: str) -> Iterator[str]:
    """Yield a text as sentences may hold it: cut, on one line, escaped, and with other quotes.

    >>> sorted(_forms("O'Brien \\"X\\""))
    ['O\\'Brien "X"', "O'Brien 'X'", 'O\\\\\\'Brien "X"']
    """
    for one in (text, *(f"{text[: limit - 3]}..." for limit in CUT_AT if len(text) > limit)):
        yield from {one, " ".join(one.split()), plain_line(one), repr(one)[1:-1]}


def count_quotes(registry: Registry, model: str, traces: Traces, known: Found) -> None:
    """Add to what is known the records that quote the subjects, and those of them that stay."""
    found = registry.quotes.find(model, Sentences(traces).cleaned)
    _add(known, len(found.changing), found.staying)


def take_out_quotes(
    registry: Registry, model: str, erasure: str, by: str, why: str, traces: Traces, known: Found
) -> None:
    """Take the subjects' texts out of records, and add to what is known how many these were, and what stays."""
    cleaned = Sentences(traces).cleaned
    registry.quotes.take_out(model, erasure, by, why, cleaned)
    _add(known, registry.quotes.taken_out(model, erasure), registry.quotes.find(model, cleaned).staying)


def _add(known: Found, objects: int, staying: Mapping[str, int]) -> None:
    if objects:
        known.classes[RECORDS] = Count(objects=objects)
    for kind, number in staying.items():
        records = "record quotes" if number == 1 else "records quote"
        known.doubtful[f"registry/{kind}"] = f"{number:,} {records} them: {STAYS.get(kind, STAYS_BY_DECISION)}"
