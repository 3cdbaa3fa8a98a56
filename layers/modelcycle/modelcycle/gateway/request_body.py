"""The body of a prediction request, as bytes: its media type, its character set, its compression."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from modelcycle.faults import BadRequest, UnsupportedMedia
from modelcycle.gateway.content_encoding import decompressed
from modelcycle.model.request import MAX_REQUEST_BYTES

BINARY = "application/octet-stream"
UTF_8 = ("", "utf-8", "utf8", "us-ascii", "ascii")  # ASCII is a part of it


def request_json(event: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return the body of a request that must be JSON.

    Parameters
    ----------
    event : of the REST API
    headers : of the request, by name in lower case

    Raises
    ------
    UnsupportedMedia : by `Content-Type` it is something else, or not UTF-8; or its compression is unknown
    BadRequest : it is not UTF-8
    TooLarge : see `decompressed`
    """
    if media_type(headers) == BINARY:
        raise _wrong_media_type(BINARY)
    return utf8_text(request_bytes(event, headers))


def request_bytes(event: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """Return the body of a request of JSON, or of JSON with binary tensors behind it.

    Raises
    ------
    UnsupportedMedia, BadRequest, TooLarge : see `request_json`
    """
    kind = media_type(headers)
    if kind not in ("", BINARY, "application/json") and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise _wrong_media_type(kind)
    charset = _parameter(headers.get("content-type", ""), "charset")
    if charset not in UTF_8:
        raise UnsupportedMedia(f"the charset {_quoted(charset)} is not supported", "", "send the body as UTF-8")
    return decompressed(_raw_body(event), headers.get("content-encoding", ""), MAX_REQUEST_BYTES)


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a request by their names in lower case; API Gateway keeps a client's spelling."""
    headers: Mapping[str, str] = event.get("headers") or {}
    return {name.lower(): value for name, value in headers.items()}


def media_type(headers: Mapping[str, str]) -> str:
    """Return the media type of a body, without parameters; empty if the client names none.

    >>> media_type({"content-type": "Application/JSON; charset=utf-8"})
    'application/json'
    """
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def utf8_text(body: bytes) -> str:
    """Return bytes as text.

    Raises
    ------
    BadRequest : they are not UTF-8
    """
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"the body is not UTF-8 text: byte {error.start + 1:,} is wrong", "",
            "send UTF-8 JSON; Latin-1 and Windows code pages are not read",
        ) from None  # fmt: skip


def _raw_body(event: Mapping[str, Any]) -> bytes:
    """Return the body as it was sent. API Gateway encodes it, because the API takes all media types as binary."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise BadRequest("the body is not valid base64", "", "send UTF-8 JSON") from None


def _parameter(content_type: str, name: str) -> str:
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return ""


def _wrong_media_type(kind: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"the content type {_quoted(kind)} is not read here",
        "",
        "send JSON, with the header Content-Type: application/json",
    )


def _quoted(text: str) -> str:
    return repr(text[:40])
