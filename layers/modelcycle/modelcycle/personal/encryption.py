"""Encrypts the cells of a column, so that only who may ask for the stack's key can read them.

AES-SIV (RFC 5297) with a key of its own for each model, which KMS derives as it does that of pseudonyms. The method
needs no random number: equal rows give equal bytes, and a step that is delivered twice writes the same. Equal values
have equal ciphertexts, as they have equal pseudonyms.
"""

from __future__ import annotations

import base64
from typing import Any

from modelcycle.cells.missing import USUAL
from modelcycle.faults import NotAllowed
from modelcycle.pseudonyms import Macs

PREFIX = "enc_"
FUNCTION = "encrypted_text"
TAG_BYTES = 16  # of AES-SIV, before the ciphertext


def encryption_key(keys: Macs, model: str) -> bytes:
    """Return the key of a model's encrypted columns, 64 bytes. Never store it.

    Raises
    ------
    Transient : the key service does not answer
    """
    parts = (keys.mac(f"modelcycle encryption of {model}, part {part}".encode()) for part in (1, 2))
    return b"".join(parts)


def encrypt(key: bytes, text: str, column: str) -> str:
    """Return the ciphertext of a cell, as text. What means a missing value, or is encrypted, stays.

    Parameters
    ----------
    column : its name; a ciphertext cannot be read as one of another column

    Examples
    --------
    >>> sealed = encrypt(bytes(range(64)), "Ann", "name")
    >>> sealed == encrypt(bytes(range(64)), sealed, "name"), decrypt(bytes(range(64)), sealed, "name")
    (True, 'Ann')
    """
    if not text.strip() or text.strip() in USUAL or text.startswith(PREFIX):
        return text
    sealed = _cipher(key).encrypt(text.encode("utf-8", "surrogatepass"), [column.encode()])
    return PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def decrypt(key: bytes, text: str, column: str) -> str:
    """Return the value of a cell; one that is not encrypted stays.

    Raises
    ------
    NotAllowed : it was encrypted by another key, for another column, or was changed since; or it is damaged
    """
    from cryptography.exceptions import InvalidTag

    if not text.startswith(PREFIX):
        return text
    packed = text.removeprefix(PREFIX)
    try:
        sealed = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    except ValueError:  # characters that are none of Base64's, or too few
        sealed = b""
    if len(sealed) <= TAG_BYTES:
        raise NotAllowed("the cell is damaged: it lacks characters, or has others", column, "copy the whole cell")
    try:
        return str(_cipher(key).decrypt(sealed, [column.encode()]), "utf-8", "surrogatepass")
    except InvalidTag:
        raise NotAllowed(
            "the cell cannot be decrypted: it is of another column, model or stack, or was changed", column,
            "is it of this stack, this model and this column?",
        ) from None  # fmt: skip


def encrypting(engine: Any, key: bytes) -> None:
    """Give a DuckDB connection the function FUNCTION(text, column), unless it has it."""
    [(known,)] = engine.execute(
        "SELECT count(*) FROM duckdb_functions() WHERE function_name = $1", [FUNCTION]
    ).fetchall()
    if known:
        return
    engine.create_function(FUNCTION, lambda text, column: encrypt(key, text, column), ["VARCHAR", "VARCHAR"], "VARCHAR")


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return AESSIV(key)
