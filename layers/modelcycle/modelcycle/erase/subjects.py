"""Who is erased: which cells name the person, whatever the format of a file.

Values are compared as `collect` compares the keys of a join: 7, 7.0 and 7e0 are the same, 007 is a code and another
text (`cells.canonical`). Here the same rule is written in Python, for files that are changed byte by byte.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelcycle.cells.canonical import DATE, MAX_WHOLE

PREDICTION_ID = "prediction_id"
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
CODE = re.compile(r"[-+]?0\d")
MIN_DIGITS = 5  # significant ones of a number that tells one person apart; fewer stand in any report by chance
MIN_CHARACTERS = 3  # of a text that does


def canonical(text: str | None) -> str | None:
    """Return the canonical text of a cell, None for a missing value; see `cells.canonical`.

    One letter with its accent and two characters for them are the same (Unicode's NFC).

    >>> [canonical(text) for text in ("7", " 7.0", "007", "TRUE", "0.24", "2.4e-1", " ")]
    ['7', '7', '007', 'true', '0.24', '0.24', None]
    >>> canonical("2024-01-31") == canonical("2024-01-31T00:00:00Z")
    True
    """
    text = unicodedata.normalize("NFC", (text or "").strip())
    if not text:
        return None
    if not (text[0].isascii() and (text[0].isdigit() or text[0] in "+-.")):
        return text.lower() if text.lower() in ("true", "false") else text
    if NUMBER.fullmatch(text) and not CODE.match(text):
        number = float(text)
        if not math.isfinite(number):
            return text
        if number == 0:
            return "0"
        if number != math.trunc(number) or abs(number) >= float(MAX_WHOLE):
            return repr(number)
        if "e" in text.lower():
            return str(int(number))
        whole = text.lstrip("+")
        return whole.rstrip("0").rstrip(".") if "." in whole else whole
    if len(text) > 4 and text[4] == "-" and re.fullmatch(DATE, text):
        moment = _moment(text)
        return f"{moment} us" if moment is not None else text
    return text


def _moment(text: str) -> int | None:
    normal = re.sub(r" ?(?:Z|UTC)$", "+00:00", text)
    normal = re.sub(r" ([-+]\d{2}(?::?\d{2})?)$", r"\1", normal)
    normal = re.sub(r"(\.\d{6})\d+", r"\1", normal)
    try:
        found = datetime.fromisoformat(normal)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    delta = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def text_of(value: Any) -> str | None:
    """Return a JSON value as the text that a cell would have.

    >>> text_of(7), text_of(7.5), text_of(True), text_of(None), text_of("a")
    ('7', '7.5', 'true', None, 'a')
    """
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def sent_in(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a client has sent, of a captured line; None for any other JSON object."""
    sent = value.get("instance")
    return sent if isinstance(sent, dict) and PREDICTION_ID in value else None


def column_of(wanted: str, names: Sequence[str]) -> int | None:
    """Return the position of a column; capital letters count only where two names differ by nothing else.

    >>> column_of("ID", ["id", "age"]), column_of("age", ["Age", "AGE"]), column_of("x", [])
    (0, None, None)
    """
    stripped = [name.strip() for name in names]
    if wanted in stripped:
        return stripped.index(wanted)
    alike = [position for position, name in enumerate(stripped) if name.casefold() == wanted.casefold()]
    return alike[0] if len(alike) == 1 else None


@dataclass(frozen=True)
class Subjects:
    """The persons to erase.

    Parameters
    ----------
    conditions : of each, column names and the canonical texts that mean the person there (a pseudonym is a second one)
    predictions : ids of predictions that were made for them: objects that know nothing else name these
    model : JSON objects that name another model are not looked into; empty: they are
    """

    conditions: Sequence[Mapping[str, frozenset[str]]]
    predictions: Collection[str] = field(default_factory=frozenset)
    model: str = ""

    @classmethod
    def of(
        cls, subjects: Sequence[Mapping[str, str]], predictions: Collection[str] = (),
        also: Mapping[tuple[str, str], Collection[str]] | None = None,
    ) -> Subjects:  # fmt: skip
        """Return the subjects of a request.

        Parameters
        ----------
        also : further texts that mean a value, such as its pseudonym, by column and value
        """
        conditions = [
            {
                column: frozenset(
                    text for one in (value, *(also or {}).get((column, value), ())) if (text := canonical(one))
                )
                for column, value in subject.items()
            }
            for subject in subjects
        ]
        return cls(conditions, frozenset(predictions))

    def columns(self) -> list[str]:
        """Return the names of all columns that identify somebody."""
        return list(dict.fromkeys(name for condition in self.conditions for name in condition))

    def rows_of(self, names: Sequence[str]) -> Rows | None:
        """Return how to recognize their rows in a table; None if it has none of the columns."""
        found: list[list[tuple[int, frozenset[str]]]] = []
        for condition in self.conditions:
            at = [(column_of(name, names), texts) for name, texts in condition.items()]
            if all(position is not None for position, _ in at):
                found.append([(position, texts) for position, texts in at if position is not None])
        prediction = column_of(PREDICTION_ID, names)
        if prediction is not None and self.predictions:
            found.append([(prediction, frozenset(self.predictions))])
        return Rows(found) if found else None

    def is_named_in(self, value: Any) -> bool:
        """Return whether a JSON object is about one of them: by its own fields, or by what was sent in a captured line.

        An object in it may be about somebody else: `{"id": 12, "city": {"id": 7}}` is not about 7.
        """
        if not isinstance(value, dict) or (self.model and value.get("model", self.model) != self.model):
            return False
        if self.predictions and value.get(PREDICTION_ID) in self.predictions:
            return True
        return any(
            all(self._has(row, list(row), name, texts) for name, texts in condition.items())
            for row in (value, sent_in(value)) if row is not None
            for condition in self.conditions
        )  # fmt: skip

    def is_cell_of(self, column: str | None, cell: str) -> bool:
        """Return whether a cell by itself identifies one of them; without a column, whether it may."""
        return any(
            canonical(cell.strip('" ')) in texts
            for condition in self.conditions
            for name, texts in condition.items()
            if column is None or (len(condition) == 1 and column_of(name, [column]) is not None)
        )

    def may_be_named_in(self, value: Any) -> bool:
        """Return whether a line that holds a list, and so is no row, names one of them."""
        return isinstance(value, list) and any(self.is_named_in(item) for item in value)

    def _has(self, value: Mapping[str, Any], names: Sequence[str], name: str, texts: frozenset[str]) -> bool:
        position = column_of(name, names)
        if position is not None:
            return canonical(text_of(value[names[position]])) in texts
        inner: Any = value
        for part in name.split("."):  # a column of an object in an object is named by its path, see `json_keys`
            if not isinstance(inner, dict) or part not in inner:
                return False
            inner = inner[part]
        return canonical(text_of(inner)) in texts


@dataclass(frozen=True)
class Rows:
    """How the rows of somebody are recognized in a table: by one of several sets of cells.

    Parameters
    ----------
    tests : position of the column, and the canonical texts of which its cell has to be one
    """

    tests: Sequence[Sequence[tuple[int, frozenset[str]]]]

    def match(self, cells: Sequence[str | None]) -> bool:
        """Return whether a row is about one of them; a row that ends early lacks the last cells."""
        return any(
            all(position < len(cells) and _is(cells[position], texts) for position, texts in test)
            for test in self.tests
        )

    def starts_with(self, cells: Sequence[str | None]) -> bool:
        """Return whether the first cell alone identifies one of them."""
        return any(all(position == 0 and _is(cells[0], texts) for position, texts in test) for test in self.tests)

    def match_moved(self, cells: Sequence[str | None], width: int) -> bool:
        """Return whether a line with too many or too few cells may be about one of them.

        Its cells may have moved, by at most the surplus or by what lacks.

        Parameters
        ----------
        width : columns of the table
        """
        moved = len(cells) - width
        for test in self.tests:
            near = [cells[max(0, at + min(0, moved)) : at + max(0, moved) + 1] for at, _ in test]
            if all(any(_is(cell, texts) for cell in part) for part, (_, texts) in zip(near, test, strict=True)):
                return True
        return False


def _is(cell: str | None, texts: frozenset[str]) -> bool:
    return cell in texts or canonical(cell) in texts


def looks_alike(text: str, canonical_texts: Collection[str]) -> bool:
    """Return whether a cell would mean the subject if leading zeros and capital letters did not count.

    >>> looks_alike("007", ["7"]), looks_alike("7", ["7"]), looks_alike("ANN", ["Ann"]), looks_alike("70", ["7"])
    (True, False, True, False)
    """
    found = canonical(text)
    if found is None or found in canonical_texts:
        return False
    return _loose(found) in {_loose(one) for one in canonical_texts}


def _loose(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().lstrip("0") or "0"


def tells_apart(text: str) -> bool:
    """Return whether a value that one person alone has would tell a reader who it is; a short number stands anywhere.

    >>> [tells_apart(text) for text in ("Zebulon", "39", "987654.37", "1000000", "ab", "2024-01-31")]
    [True, False, True, False, False, True]
    """
    text = text.strip()
    if NUMBER.fullmatch(text):
        digits = re.sub(r"[eE].*", "", text).replace(".", "").lstrip("+-0").rstrip("0")
        return len(digits) >= MIN_DIGITS
    return len(text) >= MIN_CHARACTERS


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text and number in a JSON value, as text."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif (text := text_of(value)) is not None:
        yield text
