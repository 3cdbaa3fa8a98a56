"""Faults as HTTP: problem documents (RFC 9457) with one sentence, and each wrong field by JSON pointer."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadInput, BadRequest, Fault, NotAllowed, TooLarge, Transient, Unknown

CONTENT_TYPE = "application/problem+json"
# the first that fits counts: children before their parents
STATUS: tuple[tuple[type[Fault], int, str], ...] = (
    (TooLarge, 413, "Too large"),
    (BadRequest, 400, "The request does not fit"),
    (Unknown, 404, "Not found"),
    (BadInput, 400, "The request does not fit"),
    (NotAllowed, 409, "Not live"),
    (Transient, 503, "Try again"),
)


def problem(error: Exception) -> dict[str, Any]:
    """The document of an error. What is not the caller's doing is told as such, without a word of the inside."""
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            detail = error.what + (f"; {error.remedy}" if error.remedy else "")
            return document(status, title, detail, getattr(error, "errors", None) or None)
    return document(500, "The server failed", "the model could not answer; the service's log says why")


def document(status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """`type` names the kind of problem; docs/problems.md has a paragraph for each."""
    kind = title.lower().replace(" ", "-")
    told: dict[str, Any] = {
        "type": f"urn:modelcycle:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    return told | ({"errors": errors} if errors else {})
