"""Letters that are compared without accents."""

from __future__ import annotations

import unicodedata


def without_accents(text: str) -> str:
    """Return a text in lower case, without what stands above and below its letters.

    >>> without_accents("Łódź, José")
    'lodz, jose'
    """
    folded = unicodedata.normalize("NFKD", text.casefold()).replace("ł", "l").replace("ø", "o").replace("ı", "i")
    return unicodedata.normalize("NFC", "".join(char for char in folded if not unicodedata.combining(char)))
