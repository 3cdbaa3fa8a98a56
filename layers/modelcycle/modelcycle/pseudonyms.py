"""Pseudonyms of identifiers: equal values of a model have equal ones, and nobody finds a value without the key.

A pseudonym is the first half of an HMAC-SHA-256 (RFC 2104; ENISA, "Pseudonymisation techniques and best practices",
2019, section 5.1.3). Its key is an HMAC that KMS makes of the model's name: it is derived anew in each process, and
nowhere stored. Whoever has a value and may ask KMS for that HMAC can tell its pseudonym, which erasure needs.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Protocol

from modelcycle.cells.missing import USUAL, missing_texts
from modelcycle.sql_literal import literal

PREFIX = "ps_"
HEX_DIGITS = 32  # 128 bits: among 10^9 values, two have the same pseudonym with a chance of 10^-21
BLOCK_BYTES = 64  # of SHA-256
_WHITE = " \t\r\n"
_PSEUDONYM = re.compile(rf"{PREFIX}[0-9a-f]{{{HEX_DIGITS}}}")
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


class Macs(Protocol):
    """What makes an HMAC by a key that it does not give away; `modelcycle.key_service` in a stack."""

    @property
    def makes_macs(self) -> bool:
        """Whether there is a key."""

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of a message, 32 bytes."""


def pseudonym_key(keys: Macs, model: str) -> bytes:
    """Return the key of a model's pseudonyms, 32 bytes. Never store it.

    Raises
    ------
    Transient : the key service does not answer
    """
    return keys.mac(f"modelcycle pseudonyms of {model}".encode())


def plain_text(value: Any) -> str:
    """Return the text of a value of which a pseudonym is made: a number is what a file says of it.

    >>> plain_text(7.0), plain_text(" 7.0 "), plain_text("007"), plain_text(True)
    ('7', '7', '007', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    text = unicodedata.normalize("NFC", str(value)).strip(_WHITE)
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def pseudonym(key: bytes, value: Any, missing_values: Iterable[str] = ()) -> Any:
    """Return the pseudonym of a value. What means a missing value stays as it is, and so does a pseudonym.

    Examples
    --------
    >>> key = bytes(32)
    >>> pseudonym(key, 7) == pseudonym(key, "7.0"), pseudonym(key, "7") == pseudonym(key, "007")
    (True, False)
    >>> pseudonym(key, pseudonym(key, "x")) == pseudonym(key, "x"), pseudonym(key, None), pseudonym(key, "n/a")
    (True, None, 'n/a')
    """
    if value is None or is_pseudonym(value):
        return value
    text = plain_text(value)
    if not text or text in USUAL or text in missing_texts(missing_values):
        return value
    return PREFIX + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:HEX_DIGITS]


def is_pseudonym(value: Any) -> bool:
    """Return whether a value is one already, such as that of a request which was captured before."""
    return isinstance(value, str) and _PSEUDONYM.fullmatch(value) is not None


def set_pseudonym_key(engine: Any, key: bytes) -> None:
    """Give a DuckDB connection what `pseudonym_sql` needs. The key is in its memory only, never in a query's text."""
    block = key.ljust(BLOCK_BYTES, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
    engine.execute("SET VARIABLE pseudonym_inner = $1::BLOB", [inner])
    engine.execute("SET VARIABLE pseudonym_outer = $1::BLOB", [outer])


def pseudonym_sql(text: str, missing_values: Iterable[str] = ()) -> str:
    """Return SQL for the pseudonym of a text, equal to that of `pseudonym`.

    Parameters
    ----------
    text : SQL of type VARCHAR; best the name of a column, since it is repeated
    """
    plain = f"regexp_replace(trim(nfc_normalize({text}), {_escaped(_WHITE)}), '^(-?[0-9]+)\\.0+$', '\\1')"
    words = ", ".join(literal(word) for word in sorted({"", *USUAL, *missing_texts(missing_values)}))
    inner = f"unhex(sha256(getvariable('pseudonym_inner') || encode({plain})))"
    made = f"{literal(PREFIX)} || left(sha256(getvariable('pseudonym_outer') || {inner}), {HEX_DIGITS})"
    return (
        f"CASE WHEN {text} IS NULL OR regexp_full_match({text}, {literal(_PSEUDONYM.pattern)})"
        f" OR {plain} IN ({words}) THEN {text} ELSE {made} END"
    )


def _escaped(characters: str) -> str:
    return "' ' || " + " || ".join(f"chr({ord(character)})" for character in characters.strip(" "))
