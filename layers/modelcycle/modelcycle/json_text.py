"""Parts of a JSON text as they are written: a number keeps its spelling, which parsing to float would lose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

WHITE_SPACE = " \t\n\r"
_decoder = json.JSONDecoder()


class Slice(NamedTuple):
    """A value of a JSON text: where it begins and ends, and what it is."""

    begin: int
    end: int
    value: Any


def members(text: str, begin: int = 0) -> Iterator[tuple[str, int]]:
    """Yield each key of an object, and where its value begins.

    The caller may send the position after the value; otherwise the value is parsed to find it.

    Raises
    ------
    json.JSONDecodeError : the text is not JSON, or is cut
    """
    position = _expect(text, begin, "{")
    if _next(text, position) == "}":
        return
    while True:
        position = _skip(text, position)
        if text[position : position + 1] != '"':
            raise json.JSONDecodeError("Expecting a key in quotes", text, position)
        key, position = _decoder.raw_decode(text, position)
        position = _skip(text, _expect(text, position, ":"))
        yield key, position
        position = _separator(text, _decoder.raw_decode(text, position)[1], "}")
        if position < 0:
            return


def items(text: str, begin: int = 0) -> Iterator[Slice]:
    """Yield each item of a list.

    Raises
    ------
    json.JSONDecodeError : the text is not JSON, or is cut

    Examples
    --------
    >>> text = '[{"price": 1.10}, {"price": 2}]'
    >>> [text[item.begin : item.end] for item in items(text)]
    ['{"price": 1.10}', '{"price": 2}']
    """
    position = _expect(text, begin, "[")
    if _next(text, position) == "]":
        return
    while True:
        position = _skip(text, position)
        value, end = _decoder.raw_decode(text, position)
        yield Slice(position, end, value)
        position = _separator(text, end, "]")
        if position < 0:
            return


def one_line(text: str) -> str:
    """Return a JSON text without line breaks. Inside its texts they are escaped, so that no value changes."""
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


def without_key(text: str, left_out: str) -> str:
    """Return an object's text without a key, in one line.

    >>> without_key('{"model": "churn", "price": 1.10}', "model")
    '{"price": 1.10}'
    """
    kept = [
        f"{json.dumps(key, ensure_ascii=False)}: {text[begin : _decoder.raw_decode(text, begin)[1]]}"
        for key, begin in members(text, _skip(text, 0))
        if key != left_out
    ]
    return one_line("{" + ", ".join(kept) + "}")


def _skip(text: str, position: int) -> int:
    while text[position : position + 1] in WHITE_SPACE and position < len(text):
        position += 1
    return position


def _next(text: str, position: int) -> str:
    position = _skip(text, position)
    return text[position : position + 1]


def _expect(text: str, position: int, character: str) -> int:
    position = _skip(text, position)
    if text[position : position + 1] != character:
        raise json.JSONDecodeError(f"Expecting {character!r}", text, position)
    return position + 1


def _separator(text: str, position: int, closing: str) -> int:
    """Return the position after a comma; -1 after the closing character."""
    position = _skip(text, position)
    character = text[position : position + 1]
    if character == closing:
        return -1
    if character != ",":
        raise json.JSONDecodeError(f"Expecting ',' or {closing!r}", text, position)
    return position + 1
