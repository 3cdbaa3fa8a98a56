"""The Link header (RFC 8288), in which many APIs give the address of the next page."""

from __future__ import annotations

import re
from urllib.parse import urljoin

NAME = r"[\w!#$%&'*+.^`|~-]+"
PARAMETER = re.compile(rf';\s*({NAME})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*')
TARGET = re.compile(r"<([^<>]*)>\s*")


def next_link(header: str, base: str) -> str | None:
    """Return the address with the relation `next`, made absolute.

    Parameters
    ----------
    header : value of the header; several headers are joined by commas
    base : address of the answer

    Examples
    --------
    >>> next_link('</rows?page=1>; rel="prev", </rows?page=3>; rel="next"', "https://example.com/rows?page=2")
    'https://example.com/rows?page=3'
    """
    position = 0
    while target := TARGET.search(header, position):
        position = target.end()
        relations: set[str] = set()
        while parameter := PARAMETER.match(header, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            if name.lower() == "rel" and not relations:  # a second one is ignored (RFC 8288, section 3.3)
                relations = set((quoted or plain or "").lower().split())
        if "next" in relations:
            return urljoin(base, str(target[1]))
    return None
