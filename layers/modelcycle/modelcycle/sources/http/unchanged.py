"""Asking an API whether its answer has changed since the last pull (RFC 9110, section 13)."""

from __future__ import annotations

import json

from modelcycle.sources.http.client import Answer


def conditions_of(after: str | None) -> dict[str, str]:
    """Return the headers that ask for an answer only if it has changed."""
    try:
        state = json.loads(after or "{}")
    except json.JSONDecodeError:
        return {}
    names = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
    return {header: state[name] for name, header in names.items() if isinstance(state, dict) and state.get(name)}


def state_of(answer: Answer) -> str | None:
    """Return what the next pull needs to ask whether the answer has changed."""
    found = {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
    known = {name: value for name, value in found.items() if value and value.isprintable()}
    return json.dumps(known, sort_keys=True) if known else None
