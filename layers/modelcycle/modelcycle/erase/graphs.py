"""Texts in an ONNX graph: categories that a graph tells apart, of which somebody alone had one."""

from __future__ import annotations

import hashlib

from modelcycle.erase.traces import Traces


def without_texts(body: bytes, traces: Traces, salt: str) -> tuple[bytes, bool]:
    """Return a graph in which texts of the traces are replaced by others of the same length; and whether it had any.

    A protocol buffer writes a text as its length and its bytes (Protocol Buffers page "Encoding"), so the graph stays
    what it is. No row has the new text, which is a part of a hash: all other rows get the same answers as before.

    Parameters
    ----------
    salt : of the new texts, so that nobody can try out the old ones
    """
    changed = False
    for word in traces.words:
        old = word.encode("utf-8", "surrogatepass")
        marked = _length(len(old)) + old
        if marked in body:
            new = _random_text(salt, word, len(old))
            body = body.replace(marked, _length(len(old)) + new)
            changed = True
    return body, changed


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
