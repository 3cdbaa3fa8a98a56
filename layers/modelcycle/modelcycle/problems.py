"""Faults over HTTP: problem documents (RFC 9457). Never a stack trace, never a value that was not sent."""

from __future__ import annotations

import json

from modelcycle.faults import BadInput, BadMessage, Fault, NotAllowed, Raced, TooLarge, Transient, Unknown

STATUS: list[tuple[type[Fault], int]] = [
    (TooLarge, 413), (Unknown, 404), (NotAllowed, 409), (Raced, 503), (Transient, 503),
    (BadInput, 400), (BadMessage, 400),
]  # fmt: skip


def problem(fault: Fault, status: int | None = None) -> tuple[int, str]:
    """The status and the JSON body of a fault."""
    code = status or next((code for kind, code in STATUS if isinstance(fault, kind)), 500)
    name = type(fault).__name__
    body = {"type": f"urn:modelcycle:fault:{name}", "title": _words(name), "status": code, "detail": fault.what}
    if fault.remedy:
        body["remedy"] = fault.remedy
    errors = getattr(fault, "errors", None)
    if errors:
        body["errors"] = errors
    return code, json.dumps(body, ensure_ascii=False)


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip().capitalize()
