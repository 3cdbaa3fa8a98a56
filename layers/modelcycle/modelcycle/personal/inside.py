"""Personal data inside longer texts, by pattern and check digit. They are told, not treated: a text says more.

Numbers of orders and parts look like cards and accounts, and one in ten or one in a hundred has the right check digit
by chance. So a kind counts only if most of what has its form has its check digit, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from modelcycle.personal.values import (
    EMAIL,
    is_card,
    is_card_by_form,
    is_clear_phone,
    is_iban,
    is_iban_by_form,
    is_written_as_phone,
)

TEXTS_WITH = "texts with "
MAX_SEARCHED_CHARACTERS = 4_000  # of a text
MIN_SHARE = 0.002  # of the texts
MIN_TEXTS = 3
MIN_RIGHT = 0.5  # share of what has the form that has the check digit; by chance 0.1 (Luhn), 0.01 (modulo 97)

_CARD = re.compile(r"(?<![\w.,+-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}[ -]?[A-Z0-9](?:[ -]?[A-Z0-9])*")
_MAX_IBAN_CHARACTERS = 42  # with spaces
# 00 behind a group of digits is within an account or another number
_PHONE = re.compile(r"(?<![\w+.,/-])(?:\+[1-9]|(?<!\d )00[1-9])[\d ()/-]{6,20}\d(?![\w]|[.,]\d)")
_AMERICAN = re.compile(r"(?<![\w(])\(\d{3}\) ?\d{3}-\d{4}(?![\w-])")
_SUM = re.compile(r"\+?[1-9]\d{0,2}(?: \d{3})+")  # thousands
_BLANKS = re.compile(r"\s{3,}")
_PLACED = r"(?<![^\W_])(?:{words})\.?:?\s*(?:nr\.?|no\.?|n[ºo°]\.?|number|nummer|número|(?:at|on|unter)\b)?:?\s*"
_AFTER_WORD = re.compile(
    _PLACED.format(
        words=r"tel|telefon\w*|telephone|teléfono|téléphone|tél|phone|mobil|mobile|handy|cell|fax|whatsapp|rückruf"
        r"|call(?: me| us| back)?"
    )
    + r"([\d(][\d ()/-]{5,18}\d)(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
# words that mean nothing else; after those, a number needs no 0 and no country
_AFTER_SURE_WORD = re.compile(
    _PLACED.format(
        words=r"(?:tel|telefon\w*|telefoon\w*|telephone|teléfono|teléf|téléphone|tél|tlf|tfno|tfn|phone|mobil|móvil|celular"
        r"|cellulare|gsm|handynummer|mobilnummer|puh|puhelin|fax|whatsapp|тел|телефон\w*)"
        r"(?:\.?(?: de contacto| du client| di contatto| is| ist| es| est| è| al| le| el))?"
        r"|llam\w+ al|call (?:me|us|him|her|back) (?:at|on)"
    )
    + r"(\d{8,11}|\d{2,4}(?:[ .-]\d{2,4}){2,4})(?![\w-]|[., ]\d)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d{2}(?:0\d|1[0-2])[0-3]\d|[0-3]?\d[ .-][01]?\d[ .-]\d{4}|\d{4}[ .-][01]?\d[ .-][0-3]?\d")
_NATIONAL_DIGITS = range(8, 12)


class _Kind(NamedTuple):
    """`candidates` yields what has the form in a text, and whether each is right."""

    name: str
    candidates: Callable[[str], Iterator[bool]]


class Inside(NamedTuple):
    """What texts hold: the kinds, in the plural for people; and the share of the texts, 0 to 1."""

    kind: str
    share: float


def find_inside(texts: Sequence[str]) -> Inside | None:
    """Return what personal data longer texts hold, None if none.

    Parameters
    ----------
    texts : distinct ones

    Examples
    --------
    >>> find_inside(["write to ann@x.org", "or bo@x.org", "cy@x.org, please", "thanks"])
    Inside(kind='texts with e-mail addresses', share=0.75)
    >>> find_inside(["call +49 30 1234567", "tel. 030/7654321", "IBAN DE89 3704 0044 0532 0130 00", "(212) 555-0199"])
    Inside(kind='texts with telephone numbers', share=0.75)
    """
    kinds: list[str] = []
    with_any: set[int] = set()
    for name, candidates in KINDS:
        right = form = 0
        holding: set[int] = set()
        for number, text in enumerate(texts):
            for is_right in candidates(text[:MAX_SEARCHED_CHARACTERS]):
                form += 1
                right += is_right
                if is_right:
                    holding.add(number)
        if len(holding) >= max(MIN_TEXTS, MIN_SHARE * len(texts)) and right >= MIN_RIGHT * form:
            kinds.append(name)
            with_any |= holding
    if not kinds:
        return None
    named = " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
    return Inside(TEXTS_WITH + named, round(len(with_any) / len(texts), 3))


def _emails(text: str) -> Iterator[bool]:
    if "@" in text:
        yield from (True for _ in EMAIL.finditer(text))


def _phones(text: str) -> Iterator[bool]:
    for pattern in (_PHONE, _AMERICAN):
        for match in pattern.finditer(text):
            if not _SUM.fullmatch(match[0]) and is_clear_phone(_with_plus(match[0])):
                yield True
    text = _BLANKS.sub("  ", text)  # of many blanks, the pattern would try each
    for match in _AFTER_WORD.finditer(text):
        if is_written_as_phone(match[1]):
            yield True
    for match in _AFTER_SURE_WORD.finditer(text):
        if sum(map(str.isdigit, match[1])) in _NATIONAL_DIGITS and not _DATE.fullmatch(match[1]):
            yield True


def _with_plus(text: str) -> str:
    return f"+{text[2:]}" if text.startswith("00") else text


def _cards(text: str) -> Iterator[bool]:
    for match in _CARD.finditer(text):
        if is_card_by_form(match[0]):
            yield is_card(match[0])


def _accounts(text: str) -> Iterator[bool]:
    """Each account ends at the end of a group; words in capital letters may stand behind it."""
    for match in _IBAN.finditer(text):
        text_of_account = match[0][: 2 * _MAX_IBAN_CHARACTERS]  # a text in capital letters may go on for pages
        ends = [
            end
            for end in _ends_of_groups(text_of_account)
            if len(re.sub(r"[ -]", "", text_of_account[:end])) <= _MAX_IBAN_CHARACTERS
        ]
        fitting = [text_of_account[:end] for end in ends if is_iban_by_form(text_of_account[:end])]
        if fitting:
            yield any(map(is_iban, fitting))


def _ends_of_groups(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r"[ -]|$", text)]


KINDS = (
    _Kind("e-mail addresses", _emails), _Kind("telephone numbers", _phones), _Kind("bank account numbers", _accounts),
    _Kind("payment card numbers", _cards),
)  # fmt: skip
