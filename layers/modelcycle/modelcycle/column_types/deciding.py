"""Decides what one column holds, with what is known of the others.

The decisions, in this order; the first that fits counts:

    number     digits with a point, or another spelling that reads most values (`readings`); with some words among few
               different numbers, such as grades 1, 2, 3, K, the column stays categories
    codes      of these, whole numbers that are codes are texts, and some are dates (`codes`)
    boolean    both words of a pair of `cells.booleans`; 0 and 1 are numbers
    datetime   see `cells.dates`; placeholders such as 9999-12-31 are missing (`sentinels`)
    text       everything else; `words` decides what means a missing value

A value of a number or date column that does not parse is missing. Two spellings that read all values alike ("1,234",
01/02/2024) are decided by the other columns of the file, see `readings.preferred`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.column import Column
from modelcycle.cells.missing import USUAL, WORDS
from modelcycle.cells.numbers import split_unit
from modelcycle.cells.reading import Reading, parsed_number, parsed_sql
from modelcycle.cells.times import TIME_FORMATS
from modelcycle.column_types import codes
from modelcycle.column_types.candidates import MIN_READ_SHARE, Candidates
from modelcycle.column_types.classes import MAX_SPELLED_LEVELS, merge_note
from modelcycle.column_types.decided import MIN_TOLD_SHARE, Counted, Decided, listed, quoted
from modelcycle.column_types.readings import preferred
from modelcycle.column_types.sentinels import NO_DATE, Sentinels, find_sentinels, may_be_sentinel
from modelcycle.column_types.words import MIN_LEVEL_CELLS, decide_words

MIN_BOOLEAN_SHARE = 0.95  # of the values, for a column to be true and false; a word that recurs is a third category
MAX_FEW_NUMBERS = 20  # with at most so many different ones, words that recur make the column categories
MIN_WORD_SHARE = 0.01  # of the values, for words to recur
MIN_MIXED_SHARE = 0.5  # of the texts that are no numbers: if so many have digits, the column holds codes (12A)
MIN_TELLING_DIGITS = 5  # of a number that may tell who somebody is; `erase.subjects` has the same limit
MAX_UNREAD_TEXTS = 200  # different ones that are looked at


@dataclass
class Deciding:
    """Decides about columns one by one, with what is known of the file; see `infer.decide_columns` for the parameters.

    Parameters
    ----------
    comma : whether other columns have a decimal comma
    order : %d or %m, whichever other dates begin with
    elsewhere : words for a missing value that stand beside numbers and dates
    """

    engine: Any
    target: int
    time: int | None
    numeric: frozenset[int]
    decide_missing: bool
    comma: bool
    order: str
    elsewhere: set[str] = field(default_factory=set)

    def read(self, number: int, name: str, candidate: Candidates) -> Decided:
        """Decide how a column is read; words of texts are left to `with_words`."""
        text = Decided(Column(name=name, type="text"))
        readings, present = self._readings(number, candidate), candidate.present
        if number in self.numeric:
            readings = [(reading, count) for reading, count in readings if reading.type == "number"]
            if number == self.target and not readings:
                return text
            readings = readings or [(Reading(type="number"), 0)]
        for kind in ("number", "boolean", "datetime"):
            counts = {reading.format: count for reading, count in readings if reading.type == kind}
            least = MIN_BOOLEAN_SHARE if kind == "boolean" else MIN_READ_SHARE
            if not counts or (max(counts.values()) < least * present and number not in self.numeric):
                continue
            best = preferred(counts, comma=self.comma, order=self.order)
            reading = next(entry for entry, _ in readings if (entry.type, entry.format) == (kind, best))
            decided = self._with_type(number, Column(name=name, **reading.reading()), counts[best], candidate)
            if decided is not None:
                return self._told(decided, counts, candidate)
        return text

    def _readings(self, number: int, candidate: Candidates) -> list[tuple[Reading, int]]:
        """Return the candidate's readings; of digits with a point, also thousands if the file has decimal commas."""
        readings = candidate.readings
        if self.comma and [reading.format for reading, _ in readings] == [""]:
            thousands = Reading(type="number", format="1.234,56")
            read, points = self.engine.execute(
                f"SELECT count({parsed_sql(thousands, f'c{number}')}), count(*) FILTER (contains(c{number}, '.'))"
                f" FROM clean_rows"
            ).fetchone()
            if points:
                return [*readings, (thousands, read)]
        return readings

    def _with_type(self, number: int, column: Column, read: int, candidate: Candidates) -> Decided | None:
        """Return a column with its texts that are no values, or None if these say that it is something else."""
        unread, distinct = _unread(self.engine, number, column) if read < candidate.filled else ([], 0)
        words = [(text, count) for text, count in unread if text not in USUAL]
        is_number, total = column.type == "number", sum(count for _, count in words)
        decided, zeros = Decided(column), list[Counted]()
        if column.type == "boolean" and not self._is_boolean(number, unread, words, candidate.present):
            return None
        with_unit = is_number and number not in self.numeric and split_unit(column.format)[1]
        if with_unit and number == self.target and self._distinct(number, column) <= MAX_FEW_NUMBERS:
            return None  # 36 months and 60 months are classes, whose names stay what they are
        if is_number and number not in self.numeric:
            if words and number != self.time and self._are_categories(number, column, words, candidate.present):
                return None
            if not column.format:
                coded = self._coded(number, column)
                if coded is not None and coded.column.type == "text":
                    return coded
                decided = coded or decided
            mixed = sum(count for text, count in words if codes.may_be_code(text))
            if mixed >= MIN_MIXED_SHARE * total > 0 and mixed > MIN_WORD_SHARE * candidate.present:
                whole = self.engine.execute(
                    f"SELECT bool_and({parsed_sql(column, f'c{number}')} % 1 = 0) FROM clean_rows"
                ).fetchone()[0]
                if whole and not column.format:
                    return Decided(Column(name=column.name, type="text"))
        column = decided.column
        if column.type == "datetime":
            ends = candidate.ends.get(column.format, (0.0,))  # of digits they are not counted
            far = any(end is not None and may_be_sentinel(end) for end in ends)
            sentinels = find_sentinels(self.engine, number, column) if far else Sentinels([], 0)
            if is_number:
                words = _unread(self.engine, number, column)[0]
            zeros = [(text, count) for text, count in words if NO_DATE.fullmatch(text) and "0" in text]
            no_dates = sentinels.texts + zeros
            if no_dates:
                cells = sentinels.cells + sum(count for _, count in zeros)
                decided = decided.add(
                    f"{cells:,} cells stand for no date: {listed(no_dates)}",
                    loud=cells >= MIN_TOLD_SHARE * candidate.filled,
                    missing_values=sorted(text for text, _ in no_dates),
                )
                if not is_number:
                    unread, distinct = [entry for entry in unread if entry not in zeros], distinct - len(zeros)
        self.elsewhere |= {text for text, _ in unread if text in WORDS}
        if unread:
            cells = candidate.filled - read - sum(count for _, count in zeros if not is_number)
            verb = "cell is" if cells == 1 else "cells are"
            decided = decided.add(
                f"{cells:,} {verb} missing: {listed(unread, distinct)}",
                loud=cells >= MIN_TOLD_SHARE * candidate.filled,
            )
        return decided

    def _is_boolean(self, number: int, unread: list[Counted], words: list[Counted], present: int) -> bool:
        """Return whether a column is true and false: no other word recurs, nor is a class of the target."""
        if any(count >= max(2, MIN_WORD_SHARE * present) for _, count in words):
            return False
        classes = [text for text, count in unread if text in WORDS - {"NA"} and count >= MIN_LEVEL_CELLS]
        return not (number == self.target and classes)

    def _are_categories(self, number: int, column: Column, words: list[Counted], present: int) -> bool:
        """Return whether words that recur among few different numbers are levels beside them."""
        recurring = sum(count for _, count in words if count > 1)
        if recurring < MIN_WORD_SHARE * present:
            return False
        return self._distinct(number, column) <= MAX_FEW_NUMBERS

    def _distinct(self, number: int, column: Column) -> int:
        parsed = parsed_sql(column, f"c{number}")
        return int(self.engine.execute(f"SELECT count(DISTINCT {parsed}) FROM clean_rows").fetchone()[0])

    def _coded(self, number: int, column: Column) -> Decided | None:
        """Return a column of whole numbers as a date or as codes, None if it holds measures."""
        zeros, large = self.engine.execute(
            f"""SELECT count(*) FILTER (c{number}[1] = '0' AND c{number}[2] BETWEEN '0' AND '9'),
                  coalesce(max(try_cast(c{number} AS DOUBLE)) > {codes.MAX_EXACT_INTEGER}, false)
                FROM clean_rows"""
        ).fetchone()
        name = column.name
        remedy = "list it in features.numeric" if number != self.target else "write task: regression"
        reason = codes.other_code_reason(self.engine, number, name) if number != self.time else ""
        if reason:
            return Decided(Column(name=name, type="text")).add(f"{reason}, read as text; if not, {remedy}", loud=True)
        if not zeros and not large:
            return None
        whole = codes.count_whole(self.engine, number)
        if whole is None or whole.others:
            return None
        format_ = codes.date_of_digits(self.engine, number, name, whole, is_time=number == self.time) if large else ""
        if format_ and number != self.target:
            dated = Reading(type="datetime", format=format_)
            note = "dates of bare digits" if format_ not in dates.EPOCHS else "moments, counted from 1970"
            return Decided(Column(name=name, **dated.reading())).add(f"{note} ({format_})")
        reason = codes.code_reason(self.engine, number, whole) if number != self.time else ""
        if not reason:
            return None
        note = f"codes, read as text: {reason}; if they are measures, {remedy}"
        return Decided(Column(name=name, type="text")).add(note, loud=True)

    def _told(self, decided: Decided, counts: dict[str, int], candidate: Candidates) -> Decided:
        """Return a decision with a sentence on how its numbers or dates are written."""
        column = decided.column
        if column.type == "number" and column.format:
            read = [text for text in candidate.sample if parsed_number(text, column.format) is not None]
            example = _example(read) or column.format
            if column.format in TIME_FORMATS:
                what = "times of the day" if column.format == "clock" else "durations"
                return decided.add(f"{what} such as {quoted(example)}, as seconds", loud=True)
            unit = "; 52% is the number 52" if any("%" in text for text in candidate.sample) else ""
            return decided.add(
                f"numbers such as {quoted(example)} are read as {column.format}{unit}"
                f" (another way: features.numbers)", loud=True,
            )  # fmt: skip
        other = dates.swapped(column.format) if column.type == "datetime" else ""
        if other and counts.get(other) == counts.get(column.format):
            why = "as in another column" if self.order and column.format.startswith(self.order) else "a guess"
            first = "day" if column.format.startswith("%d") else "month"
            return decided.add(
                f"day and month are ambiguous in every date: read with the {first} first ({column.format}), {why};"
                f" if that is wrong, write features.dates: {{{column.name}: '{other}'}}", loud=True,
            )  # fmt: skip
        return decided

    def with_words(self, number: int, decided: Decided) -> Decided:
        """Return a column of texts with the words that are missing values, and with a warning of spellings."""
        is_target = number == self.target
        if self.decide_missing:
            words = decide_words(self.engine, number, elsewhere=self.elsewhere, is_target=is_target)
            decided = decided.add("", missing_values=words.missing)
            if words.found:
                cells = sum(count for _, count in words.found)
                loud = is_target or any(text in WORDS for text, _ in words.found)
                verb = "cell is" if cells == 1 else "cells are"
                decided = decided.add(f"{cells:,} {verb} missing: {listed(words.found)}", loud=loud)
            kept = [entry for entry in words.kept if entry[0] in WORDS]
            if kept and is_target:
                tokens = ", ".join(f"'{text}'" for text, _ in kept)
                decided = decided.add(
                    f"{listed(kept)} is a class; if it means a missing value, write missing_values: ['', {tokens}]",
                    loud=True,
                )
        levels = self.engine.execute(
            f"SELECT c{number}, count(*) FROM clean_rows WHERE c{number} IS NOT NULL GROUP BY ALL"
            f" ORDER BY count(*) DESC, c{number} LIMIT {MAX_SPELLED_LEVELS + 1}"
        ).fetchall() if self._has_few_levels(number) else []  # fmt: skip
        missing = set(decided.column.missing_values)
        note = merge_note([entry for entry in levels if entry[0] not in missing])
        return decided.add(note, loud=True) if note else decided

    def _has_few_levels(self, number: int) -> bool:
        distinct = self.engine.execute(f"SELECT approx_count_distinct(c{number}) FROM clean_rows").fetchone()[0]
        return bool(distinct <= MAX_SPELLED_LEVELS)


def _unread(engine: Any, number: int, column: Column) -> tuple[list[Counted], int]:
    """Return the texts of a column that do not parse.

    Returns
    -------
    the most frequent MAX_UNREAD_TEXTS with their cells, and how many different ones there are
    """
    unread = engine.execute(
        f"SELECT c{number}, count(*), count(*) OVER () FROM clean_rows WHERE c{number} IS NOT NULL"
        f" AND ({parsed_sql(column, f'c{number}')}) IS NULL GROUP BY c{number}"
        f" ORDER BY count(*) DESC, c{number} LIMIT {MAX_UNREAD_TEXTS}"
    ).fetchall()
    return [(text, count) for text, count, _ in unread], unread[0][2] if unread else 0


def _example(texts: Sequence[str]) -> str:
    """Return a number as it is written, for a sentence; one that tells nobody apart, if need be with other digits.

    The sentence stands in the history of the execution, which no erasure changes.

    >>> _example(["52", "987.654,37", "3,5"]), _example(["987.654,37", "123.456,00"]), _example([])
    ('3,5', '123.456,78', '')
    """
    short = [text for text in texts if sum(map(str.isdigit, text)) < MIN_TELLING_DIGITS]
    chosen = next((text for text in short if not text.isdigit()), "")
    chosen = chosen or next((text for text in texts if not text.isdigit()), next(iter(texts), ""))
    digits = itertools.cycle("1234567890")
    return chosen if chosen in short else re.sub(r"\d", lambda _: next(digits), chosen)
