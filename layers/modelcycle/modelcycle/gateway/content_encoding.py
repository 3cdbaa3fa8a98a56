"""Compressed requests and answers (RFC 9110, 8.4): gzip, and deflate, which is zlib's format (RFC 1950)."""

from __future__ import annotations

import zlib

from modelcycle.faults import BadRequest, TooLarge, UnsupportedMedia

MIN_COMPRESSED_BYTES = 4 * 2**10  # a smaller answer fits in a few network packets anyway
COMPRESSION_LEVEL = 1  # the fastest: at 6, answers are a tenth smaller and take twice the time
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # of zlib: 16 more mean gzip's header


def decompressed(body: bytes, encodings: str, max_bytes: int) -> bytes:
    """Return the bytes of a request that was sent with a `Content-Encoding`.

    Parameters
    ----------
    encodings : value of the header; empty if there is none
    max_bytes : of the result; not more than this is ever decompressed

    Raises
    ------
    UnsupportedMedia : another encoding than gzip and deflate, or several
    BadRequest : the bytes are not compressed so, are cut, or go on after their end
    TooLarge : there are more bytes

    Examples
    --------
    >>> decompressed(zlib.compress(b'{"instances": []}'), "deflate", 1000)
    b'{"instances": []}'
    """
    encoding = encodings.strip().lower().removeprefix("x-")
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in WINDOW_BITS:
        raise UnsupportedMedia(
            "Content-Encoding: only gzip or deflate is supported, one of them", "", "send the body without compression"
        )
    stream = zlib.decompressobj(WINDOW_BITS[encoding])
    try:
        content = stream.decompress(body, max_bytes + 1)
    except zlib.error:
        raise BadRequest(
            f"the body is not {encoding} data, as Content-Encoding says", "", "compress it again"
        ) from None
    if len(content) > max_bytes:
        raise TooLarge(
            f"the body has more than {max_bytes:,} bytes when it is decompressed",
            "",
            "send the rows in several requests",
        )
    if not stream.eof:
        raise BadRequest(f"the {encoding} data of the body are cut", "", "send the whole body")
    if stream.unused_data:
        raise BadRequest(f"the body goes on after its {encoding} data", "", "compress the body as one stream")
    return content


def accepted_encoding(accepted: str) -> str:
    """Return the encoding that a client prefers among those that we write; empty for none.

    Parameters
    ----------
    accepted : value of the header `Accept-Encoding`

    Examples
    --------
    >>> accepted_encoding("br, gzip, deflate;q=0.5"), accepted_encoding("gzip;q=0, deflate"), accepted_encoding("br")
    ('gzip', 'deflate', '')
    """
    best, best_weight = "", 0.0
    weights = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        try:
            weights[name.strip()] = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weights[name.strip()] = 0.0
    for encoding in WINDOW_BITS:
        weight = weights.get(encoding, weights.get("*", 0.0))
        if weight > best_weight:
            best, best_weight = encoding, weight
    return best


def compressed(body: bytes, encoding: str) -> bytes:
    """Return the bytes of an answer, compressed."""
    stream = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, WINDOW_BITS[encoding])
    return stream.compress(body) + stream.flush()
