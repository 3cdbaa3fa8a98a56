"""What only the erased rows had: texts and numbers that would tell a reader of a report or a graph whose they were.

A value that other rows have too, such as a city, is nobody's and stays. So does a number with few digits: it stands in
any report by chance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any
from unicodedata import normalize

import numpy as np

from modelcycle.erase.many_texts import ManyBytes, ManyTexts
from modelcycle.erase.subjects import NUMBER, canonical, tells_apart, text_of

ERASED = "(erased)"
KEPT_DIGITS = 2  # of a number that stands in place of somebody's
ROW_KEYS = ("instance", "row", "columns", "inputs")  # of a JSON object that holds one row
MAX_EXACT = 2**24  # whole numbers up to it have single precision of their own
ADDRESSES = ("s3://", "raw/", "landed/", "score/", "scored/", "pipelines/")  # of objects, which keep their names
MIN_ROW_CELLS = 2  # that agree, for a row without the column that identifies it to be the same one


@dataclass(frozen=True)
class Traces:
    """What to look for.

    Parameters
    ----------
    texts : values that the erased rows alone have, and what identifies the subjects, as they are written
    rows : the erased rows, cells by column
    """

    texts: frozenset[str] = frozenset()
    rows: Sequence[Mapping[str, str | None]] = field(default=())

    @classmethod
    def of(
        cls, own: Mapping[str, Iterable[str]], shared: Mapping[str, Iterable[str]],
        rows: Sequence[Mapping[str, str | None]], subjects: Sequence[Mapping[str, str]], names: Collection[str] = (),
    ) -> Traces:  # fmt: skip
        """Return the traces of erased rows.

        Parameters
        ----------
        own, shared : by column, the texts of erased rows, and those of them that other rows have too
        names : of the model, its columns and classes, which are nobody's texts
        """
        common = {text.strip() for texts in shared.values() for text in texts}
        texts = {text.strip() for column in own.values() for text in column if text.strip() not in common}
        texts |= {value.strip() for subject in subjects for value in subject.values()}
        known = {text for text in texts if tells_apart(text) and text not in names}
        return cls(frozenset(normalize(form, text) for text in known for form in ("NFC", "NFD")) | known, rows)

    @cached_property
    def words(self) -> frozenset[str]:
        """Those that are no numbers."""
        return frozenset(text for text in self.texts if not NUMBER.fullmatch(text))

    @cached_property
    def numbers(self) -> frozenset[float]:
        """The numbers, in the single precision in which tables and profiles hold them."""
        found = (float(text) for text in self.texts if NUMBER.fullmatch(text))
        single = {np.float32(number) for number in found if abs(number) < 1e38}
        return frozenset(float(number) for number in single if tells_apart(str(number)))

    @cached_property
    def _in_texts(self) -> ManyTexts:
        return ManyTexts(self.texts)

    @cached_property
    def _in_bytes(self) -> ManyBytes:
        return ManyBytes(self.encoded)

    @cached_property
    def encoded(self) -> tuple[bytes, ...]:
        """The words as bytes, with the forms in which JSON may write them."""
        forms = {form for word in self.words for form in (word, _ascii(word))}
        return tuple(sorted(form.encode("utf-8", "surrogatepass") for form in forms))

    @cached_property
    def _written(self) -> frozenset[float]:
        """The numbers as documents write them: exactly, and in single precision, whole or shortened."""
        exact = {float(text) for text in self.texts if NUMBER.fullmatch(text)}
        small = (number for number in self.numbers if abs(number) < MAX_EXACT)  # larger ones are shortened to others
        return frozenset({*exact, *self.numbers, *(float(str(np.float32(number))) for number in small)})

    def is_number_of(self, value: float) -> bool:
        return value in self._written

    def without(self, value: Any) -> tuple[Any, bool]:
        """Return a JSON value without the traces, of the same shape; and whether it had any.

        A row of somebody in a list of rows goes as a whole. A number in a sorted list becomes the middle of its
        neighbours, so that the list stays sorted; any other one keeps KEPT_DIGITS digits.
        """
        if isinstance(value, dict):
            inner = {key: self.without(item) for key, item in value.items()}
            cleaned: dict[str, Any] = {}
            for key, (item, _) in inner.items():
                cleaned[self._cleaned(key, cleaned)] = item
            return cleaned, any(changed for _, changed in inner.values()) or list(cleaned) != list(value)
        if isinstance(value, list):
            kept = [item for item in value if not self._is_a_row(item)]
            found = [self.without(item) for item in kept]
            changed = len(kept) < len(value) or any(changed for _, changed in found)
            if changed and kept and all(_is_number(item) for item in kept):
                return self._smoothed(kept), True
            return [item for item, _ in found], changed
        if isinstance(value, str) and value.startswith(ADDRESSES):
            return value, False
        if isinstance(value, str):
            return (ERASED, True) if value.strip() in self.texts else self._replaced(value)
        if _is_number(value) and self.is_number_of(float(value)):
            return _coarse(float(value), type(value)), True
        return value, False

    def in_text(self, text: str) -> str:
        """Return a text, such as a card, without the traces."""
        return self._replaced(text)[0]

    def are_in(self, body: bytes) -> bool:
        """Return whether bytes hold one of the words."""
        return self._in_bytes.are_in(body)

    def _replaced(self, text: str) -> tuple[str, bool]:
        return self._in_texts.replaced(text, ERASED)

    def _cleaned(self, key: str, taken: Mapping[str, Any]) -> str:
        if key.strip() not in self.texts:
            return key
        number = 1
        while (name := ERASED if number == 1 else f"(erased {number})") in taken:
            number += 1
        return name

    def _is_a_row(self, value: Any) -> bool:
        """Return whether a JSON object holds a row that is one of the erased ones."""
        if not isinstance(value, dict):
            return False
        return any(isinstance(value.get(key), dict) and self._is_erased(value[key]) for key in ROW_KEYS)

    def _is_erased(self, cells: Mapping[str, Any]) -> bool:
        found = {name: canonical(text_of(value)) for name, value in cells.items()}
        return any(self._agrees(found, row) for row in self.rows)

    def _agrees(self, cells: Mapping[str, str | None], row: Mapping[str, str | None]) -> bool:
        common = [name for name in cells if name in row]
        if len(common) < MIN_ROW_CELLS:
            return False
        return all(_same(cells[name], canonical(row[name])) for name in common)

    def _smoothed(self, numbers: Sequence[Any]) -> list[Any]:
        rising = all(a <= b for a, b in pairwise(numbers))
        smooth: list[Any] = []
        for position, number in enumerate(numbers):
            if not self.is_number_of(float(number)):
                smooth.append(number)
                continue
            coarse = _coarse(float(number), type(number))
            before = smooth[-1] if smooth else None
            after = next((n for n in numbers[position + 1 :] if not self.is_number_of(float(n))), None)
            if rising and before is not None and after is not None and not before <= coarse <= after:
                coarse = before + (after - before) / 2
            elif rising and before is not None and after is None:
                coarse = max(coarse, before)
            elif rising and after is not None and before is None:
                coarse = min(coarse, after)
            smooth.append(coarse)
        return smooth


def _same(one: str | None, other: str | None) -> bool:
    if one == other:
        return True
    try:
        return one is not None and other is not None and bool(np.float32(one) == np.float32(other))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _coarse(number: float, kind: type) -> Any:
    """Return a number of KEPT_DIGITS digits near it.

    >>> _coarse(987654.37, float), _coarse(-0.0123456, float), _coarse(1234567, int)
    (990000.0, -0.012, 1200000)
    """
    return kind(float(f"{number:.{KEPT_DIGITS - 1}e}"))


def _ascii(text: str) -> str:
    """Return a text as JSON writes it with ASCII alone."""
    return text.encode("ascii", "backslashreplace").decode() if not text.isascii() else text
