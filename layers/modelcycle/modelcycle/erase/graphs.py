"""Texts in an ONNX graph: categories that a graph tells apart, of which somebody alone had one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from modelcycle.erase.traces import Traces

CATEGORIES = {b"cats_strings", b"keys_strings", b"values_strings", b"value_strings", b"value_string",
              b"string_vocabulary", b"pool_strings"}  # fmt: skip
"""Attributes of nodes that list texts of cells; others, such as `nodes_modes`, say what the node does."""

# of onnx.proto3: numbers of the fields that lead to nodes and tensors, by message
INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor"},
    "tensor": {},
}
STRING_DATA = 6  # of a tensor
NAME, STRING, STRINGS = 1, 4, 9  # of an attribute
VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5  # types of fields


class Unwalkable(ValueError):
    """Bytes are no protocol buffer."""


def without_texts(body: bytes, traces: Traces, salt: str) -> tuple[bytes, bool, bool]:
    """Return a graph in which categories of the traces are replaced by others of the same length.

    Only texts in tensors and in attributes that list categories are: the same text may be an operator or an input. A
    field keeps its length, so the graph stays what it is. No row has the new text, which is a part of a hash: all other
    rows get the same answers as before.

    Parameters
    ----------
    salt : of the new texts, so that nobody can try out the old ones

    Returns
    -------
    the graph; whether a category was replaced; whether one of the texts stands elsewhere in it, or it cannot be read
    """
    words = {word.encode("utf-8", "surrogatepass"): word for word in traces.words}
    if not words:
        return body, False, False
    new = bytearray(body)
    changed = False
    try:
        for start, end in _categories(body, 0, len(body), "model"):
            word = words.get(body[start:end])
            if word is not None:
                new[start:end] = _random_text(salt, word, end - start)
                changed = True
    except Unwalkable:
        return body, False, traces.are_in(body)
    return bytes(new), changed, any(_length(len(word)) + word in new for word in words if word in new)


def _categories(body: bytes, start: int, end: int, message: str) -> Iterator[tuple[int, int]]:
    """Yield where the texts of categories begin and end."""
    fields = list(_fields(body, start, end))
    listed = False
    if message == "attribute":
        listed = any(number == NAME and body[first:last] in CATEGORIES for number, first, last in fields)
    for number, first, last in fields:
        if (message == "tensor" and number == STRING_DATA) or (listed and number in (STRING, STRINGS)):
            yield first, last
        elif inner := INNER[message].get(number):
            yield from _categories(body, first, last, inner)


def _fields(body: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, beginning and end of each field with a length (Protocol Buffers page "Encoding")."""
    while start < end:
        tag, start = _varint(body, start, end)
        kind, size = tag & 7, 0
        if kind == SIZED:
            size, start = _varint(body, start, end)
        elif kind == VARINT:
            _, start = _varint(body, start, end)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise Unwalkable
        if start + size > end:
            raise Unwalkable
        if kind == SIZED:
            yield tag >> 3, start, start + size
        start += size


def _varint(body: bytes, start: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while start < end and shift < 70:
        byte = body[start]
        value |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return value, start
    raise Unwalkable


def _length(size: int) -> bytes:
    """Return a length as a varint.

    >>> _length(5), _length(300)
    (b'\\x05', b'\\xac\\x02')
    """
    written = b""
    while size > 0x7F:
        written += bytes([size & 0x7F | 0x80])
        size >>= 7
    return written + bytes([size])


def _random_text(salt: str, word: str, size: int) -> bytes:
    text = ""
    while len(text) < size:
        text += hashlib.sha256(f"{salt} {word} {len(text)}".encode("utf-8", "surrogatepass")).hexdigest()
    return text[:size].encode()
