"""Many texts, looked for in one pass: an erasure may have thousands, and a pattern of all would try each everywhere."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

TOKEN = re.compile(r"\w+")
MIN_BYTES = 3  # of a text that is looked for in bytes
FEW = 32  # texts are found faster one by one
BLOCK_BYTES = 2**20


class ManyTexts:
    """Texts that are replaced where they stand as words of their own.

    Each is known by its first word and what stands before that, so a text is looked up where its first word stands.
    """

    def __init__(self, texts: Collection[str]) -> None:
        self.texts = frozenset(texts)
        shapes: dict[str, set[tuple[int, int]]] = {}
        wordless = []
        for text in self.texts:
            first = TOKEN.search(text)
            if first is None:
                wordless.append(text)
            else:
                shapes.setdefault(first.group(), set()).add((-first.start(), len(text)))
        # the leftmost first, of these the longest
        self._shapes = {word: sorted(found, key=lambda shape: (shape[0], -shape[1])) for word, found in shapes.items()}
        longest = sorted(wordless, key=len, reverse=True)
        self._wordless = (
            re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in longest)) if longest else None
        )

    def replaced(self, text: str, by: str) -> tuple[str, bool]:
        """Return a text with another one in place of each; and whether it had any.

        >>> ManyTexts(["Zoe", "Ann Lee", "+41 79"]).replaced("Zoe, Zoes, Ann Lee: +41 79.", "x")
        ('x, Zoes, x: x.', True)
        """
        parts, done = [], 0
        for token in TOKEN.finditer(text):
            for before, length in self._shapes.get(token.group(), ()):
                start = token.start() + before
                end = start + length
                if start >= done and text[start:end] in self.texts and _stands_alone(text, start, end):
                    parts += [text[done:start], by]
                    done = end
                    break
        left = "".join([*parts, text[done:]])
        if self._wordless is not None:
            left, count = self._wordless.subn(by, left)
            return left, bool(parts) or count > 0
        return left, bool(parts)


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not (start and TOKEN.match(text[start - 1])) and not (end < len(text) and TOKEN.match(text[end]))


class ManyBytes:
    """Texts that are looked for in bytes, as parts of words too."""

    def __init__(self, texts: Collection[bytes]) -> None:
        self.texts = frozenset(texts)
        self._lengths: dict[bytes, set[int]] = {}
        self._begins = np.zeros(0, dtype=bool)
        if len(self.texts) > FEW:
            self._begins = np.zeros(2 ** (8 * MIN_BYTES), dtype=bool)
            for text in self.texts:
                self._lengths.setdefault(text[:MIN_BYTES], set()).add(len(text))
                self._begins[int.from_bytes(text[:MIN_BYTES])] = True

    def are_in(self, body: bytes) -> bool:
        """Return whether bytes hold one of the texts.

        >>> ManyBytes([b"Zoe"]).are_in(b"xZoes"), ManyBytes([b"Zoe"]).are_in(b"Zo")
        (True, False)
        """
        if len(self.texts) <= FEW or any(len(text) < MIN_BYTES for text in self._lengths):
            return any(text in body for text in self.texts)
        for first in range(0, len(body), BLOCK_BYTES):
            block = np.frombuffer(body, dtype=np.uint8)[first : first + BLOCK_BYTES + MIN_BYTES - 1].astype(np.uint32)
            codes = block[:-2] << 16 | block[1:-1] << 8 | block[2:]
            for start in (first + np.flatnonzero(self._begins[codes])).tolist():
                lengths = self._lengths[body[start : start + MIN_BYTES]]
                if any(body[start : start + length] in self.texts for length in lengths):
                    return True
        return False
