"""Binary tensors, an extension of the Open Inference Protocol: bytes behind the JSON of a request or an answer.

The header `Inference-Header-Content-Length` tells where the JSON ends. The data of each tensor with the parameter
`binary_data_size` follow in the order of the tensors: little-endian, row by row. BOOL is one byte. A text of BYTES is
its length in 4 bytes, then itself. A missing number is NaN. Specification: "Binary Tensor Data Extension" of Triton,
which KServe shares.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from modelcycle.faults import BadRequest
from modelcycle.predict.open_inference_tensors import BINARY_SIZE, TensorError

DTYPES = {
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
    **{f"{sign}INT{8 * size}": f"<{letter}{size}" for sign, letter in (("", "i"), ("U", "u")) for size in (1, 2, 4, 8)},
}  # fmt: skip
LENGTH = struct.Struct("<I")  # of a text


def split_body(body: bytes, header_length: str) -> tuple[bytes, bytes]:
    """Return the JSON of a body, and the binary data behind it.

    Parameters
    ----------
    header_length : value of the header `Inference-Header-Content-Length`

    Raises
    ------
    BadRequest : it is not a length within the body

    Examples
    --------
    >>> split_body(b'{"inputs": []}123', "14")
    (b'{"inputs": []}', b'123')
    """
    text = header_length.strip()
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not 0 <= length <= len(body):
        raise BadRequest(
            f"Inference-Header-Content-Length is not a length within the body, which has {len(body):,} bytes", "",
            "send the length of the JSON in bytes, before any compression",
        )  # fmt: skip
    return body[:length], body[length:]


class BinaryData:
    """The binary data of a request, read from their beginning."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, datatype: str, rows: int, size: int) -> list[Any]:
        """Return the values of the next tensor; None for NaN.

        Parameters
        ----------
        rows : number of values that its shape says
        size : in bytes, as its parameter says

        Raises
        ------
        TensorError : the data are not there, or have another number of values
        """
        begin, self.position = self.position, self.position + size
        chunk = self.data[begin : self.position]
        if len(chunk) < size:
            raise TensorError(
                f"/parameters/{BINARY_SIZE}", f"{size:,} bytes are expected behind the JSON, {len(chunk):,} are left"
            )
        values = _texts(chunk, rows) if datatype == "BYTES" else _numbers(chunk, datatype)
        if len(values) != rows:
            raise TensorError("/shape", f"[{len(values)}] or [{len(values)}, 1] is expected for {len(values)} values")
        return values

    def check_all_taken(self) -> None:
        """Raise BadRequest if data are left that belong to no tensor."""
        left = len(self.data) - self.position
        if left > 0:
            raise BadRequest.at(
                [
                    (
                        "/inputs",
                        f"{left:,} bytes behind the JSON belong to no tensor; {BINARY_SIZE} says how many each has",
                    )
                ]
            )


def encoded(values: list[Any], datatype: str) -> bytes:
    """Return values as the binary data of a tensor.

    >>> encoded(["no"], "BYTES"), encoded([1.0], "FP32")
    (b'\\x02\\x00\\x00\\x00no', b'\\x00\\x00\\x80?')
    """
    if datatype == "BYTES":
        texts = [text.encode() for text in values]
        return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))
    return np.array(values, dtype=DTYPES[datatype]).tobytes()


def _numbers(chunk: bytes, datatype: str) -> list[Any]:
    if datatype == "BOOL":
        if set(chunk) - {0, 1}:
            raise TensorError("", "each BOOL is one byte, 0 or 1")
        return [byte == 1 for byte in chunk]
    dtype = np.dtype(DTYPES[datatype])
    if len(chunk) % dtype.itemsize:
        raise TensorError(f"/parameters/{BINARY_SIZE}", f"a multiple of {dtype.itemsize} is expected for {datatype}")
    values = np.frombuffer(chunk, dtype)
    if dtype.kind == "f" and np.isnan(values).any():
        return [None if value != value else value for value in values.tolist()]
    listed: list[Any] = values.tolist()
    return listed


def _texts(chunk: bytes, rows: int) -> list[str]:
    texts: list[str] = []
    position = 0
    while position < len(chunk):
        if position + LENGTH.size > len(chunk):
            raise TensorError("", "the binary data of BYTES are cut: each text begins with its length in 4 bytes")
        (length,) = LENGTH.unpack_from(chunk, position)
        position += LENGTH.size
        if position + length > len(chunk):
            raise TensorError("", f"the binary data of BYTES are cut: text {len(texts)} has {length:,} bytes")
        if len(texts) == rows:
            raise TensorError("/shape", f"there are more texts than the {rows} that the shape says")
        try:
            texts.append(chunk[position : position + length].decode("utf-8"))
        except UnicodeDecodeError:
            raise TensorError("", f"text {len(texts)} is not UTF-8") from None
        position += length
    return texts
