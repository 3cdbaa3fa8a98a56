"""The rows of a JSON answer, each as it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from modelcycle import json_text
from modelcycle.faults import BadData

MAX_NAMED_KEYS = 12


class Row(NamedTuple):
    """One row: its JSON text in one line, and its value."""

    text: str
    value: dict[str, Any]


def read_text(body: bytes, where: str) -> str:
    """Return an answer's text.

    Raises
    ------
    BadData : it is not UTF-8, which JSON is (RFC 8259, section 8.1)
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadData("the answer is not UTF-8", where, "JSON is UTF-8; ask the API for it (source.format)") from None


def check_not_html(head: bytes, content_type: str, where: str) -> None:
    """Check that an answer is not a web page, which many servers give for a login or an error, with status 200.

    Raises
    ------
    BadData : it is
    """
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if begin.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        content_type.lower().startswith(("text/html", "application/xhtml")) and begin.startswith(b"<")
    ):
        raise BadData(
            "the API answers a web page (HTML) instead of rows", where,
            "open the address yourself: is it a login page (source.secret) or documentation (source.url)?",
        )  # fmt: skip


def rows_of(text: str, path: str, where: str) -> Iterator[Row]:
    """Yield the rows of an answer.

    Parameters
    ----------
    path : keys from the answer to its list of rows, with dots; empty: the answer is the list

    Raises
    ------
    BadData : there is no list of objects, or the answer is not JSON
    """
    with _readable(text, where):
        begin = _find(text, path.split(".") if path else [], where)
        for number, item in enumerate(json_text.items(text, begin), 1):
            if not isinstance(item.value, dict):
                raise BadData(
                    f"row {number} is not an object but {_kind(item.value)}", where,
                    "rows are objects {column: value}; correct source.rows",
                )  # fmt: skip
            yield Row(json_text.one_line(text[item.begin : item.end]), item.value)


def value_at(text: str, path: str, where: str) -> Any:
    """Return the value at a path with dots; None if there is none.

    Raises
    ------
    BadData : the answer is not JSON
    """
    with _readable(text, where):
        value: Any = json.loads(text)
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


@contextmanager
def _readable(text: str, where: str) -> Iterator[None]:
    """Raise BadData for what json raises while it reads a text."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise not_json(text, error, where) from None
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError:  # Python's limit, against texts that take hours to read
        raise BadData(
            "the answer holds a number with thousands of digits", where, "ask the API for it as a text"
        ) from None


def not_json(text: str, error: json.JSONDecodeError, where: str) -> BadData:
    """Return the fault for an answer that is not JSON: cut, or something else."""
    if not text.strip():
        return BadData("the answer is empty", where, "open the address yourself; correct source.url")
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return BadData("the answer ends in the middle", where, "try again; if it stays so, ask for smaller pages")
    lines = text.lstrip().startswith("{") and error.msg == "Extra data"
    return BadData(
        f"the answer is not JSON (line {error.lineno}, column {error.colno})", where,
        "set source.format: jsonl" if lines else "set source.format: csv, or jsonl, if it is that",
    )  # fmt: skip


def _too_deep(where: str) -> BadData:
    return BadData("the answer is nested too deeply", where, "rows are objects {column: value}; correct source.url")


def _find(text: str, keys: list[str], where: str) -> int:
    """Return where the list of rows begins."""
    position = 0
    passed: list[str] = []
    for key in keys:
        names = []
        found = None
        if _first(text, position) != "{":
            raise _no_list(text, position, passed, where)
        for name, begin in json_text.members(text, position):
            names.append(name)
            if name == key:
                found = begin
                break
        if found is None:
            at = f"under {'.'.join(passed)}" if passed else "in the answer"
            raise BadData(f"there is no key {key!r} {at}; there are {_listed(names)}", where, "correct source.rows")
        position = found
        passed.append(key)
    if _first(text, position) != "[":
        raise _no_list(text, position, passed, where)
    return position


def _first(text: str, position: int) -> str:
    return text[position:].lstrip(json_text.WHITE_SPACE)[:1] if position == 0 else text[position : position + 1]


def _no_list(text: str, position: int, passed: list[str], where: str) -> BadData:
    """Return the fault for something that is not a list; it names the keys that hold one."""
    begin = len(text) - len(text[position:].lstrip())
    value, end = json.JSONDecoder().raw_decode(text, begin)
    if not passed and text[end:].lstrip().startswith("{"):
        return BadData("the answer is one object a line, not one JSON value", where, "set source.format: jsonl")
    at = f"under {'.'.join(passed)}" if passed else "in the answer"
    if not isinstance(value, dict):
        return BadData(f"{at} there is no list of rows but {_kind(value)}", where, "correct source.rows")
    lists = [".".join([*passed, *path]) for path in _paths_of_lists(value)]
    remedy = f"set source.rows: {' or '.join(lists[:3])}" if lists else "set source.rows to the key of the list of rows"
    return BadData(f"{at} there is no list of rows but an object with {_listed(list(value))}", where, remedy)


def _paths_of_lists(value: dict[str, Any], depth: int = 3) -> Iterator[list[str]]:
    for key, inner in value.items():
        if isinstance(inner, list) and (not inner or isinstance(inner[0], dict)):
            yield [key]
        elif isinstance(inner, dict) and depth > 1:
            yield from ([key, *path] for path in _paths_of_lists(inner, depth - 1))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED_KEYS} more" if len(names) > MAX_NAMED_KEYS else ""
    return (", ".join(name[:60] for name in names[:MAX_NAMED_KEYS]) + more) or "no keys"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds[type(value)]
