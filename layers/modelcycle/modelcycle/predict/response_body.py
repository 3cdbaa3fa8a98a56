"""The body of an answer: compressed if the client takes it so, and small enough for Lambda."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from aws_lambda_powertools.event_handler import Response

from modelcycle.faults import TooLarge
from modelcycle.gateway.content_encoding import MIN_COMPRESSED_BYTES, accepted_encoding, compressed

MAX_RESPONSE_BYTES = 5 * 2**20  # Lambda returns at most 6 MB (AWS page "Lambda quotas"), with the body escaped in it
BYTES_PER_BASE64 = 3 / 4


def takes_bytes(headers: Mapping[str, str]) -> bool:
    """Return whether API Gateway turns base64 of ours into bytes for this client.

    It goes by the media types in `Accept`; what it does where a client sends none is not documented.
    """
    return bool(headers.get("accept"))


def encoded_response(body: bytes, content_type: str, headers: Mapping[str, str]) -> Response[str]:
    """Return a response with status 200.

    Parameters
    ----------
    body : UTF-8 text, or bytes if `takes_bytes`
    headers : of the request, by name in lower case

    Raises
    ------
    TooLarge : it does not fit in Lambda's response
    """
    encoding = accepted_encoding(headers.get("accept-encoding", "")) if takes_bytes(headers) else ""
    compressible = len(body) >= MIN_COMPRESSED_BYTES
    if compressible and encoding:
        body = compressed(body, encoding)
    as_bytes = content_type == "application/octet-stream" or (compressible and encoding)
    if len(body) > MAX_RESPONSE_BYTES * (BYTES_PER_BASE64 if as_bytes else 1):
        raise TooLarge("the answer would be too large", "/instances", "send fewer rows in each of several requests")
    response = Response(200, content_type, base64.b64encode(body).decode() if as_bytes else body.decode())
    response.base64_encoded = bool(as_bytes)
    if compressible:
        response.headers["Vary"] = "Accept-Encoding"
        if encoding:
            response.headers["Content-Encoding"] = encoding
    return response
