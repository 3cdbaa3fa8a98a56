"""Whether a column holds personal data, by its name and some of its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from typing import NamedTuple

from modelcycle.cells.missing import USUAL
from modelcycle.personal import values
from modelcycle.personal.headers import (
    ends_with_phone,
    identity_lengths,
    is_of_other_things,
    is_of_releases,
    kinds_of_header,
)
from modelcycle.personal.inside import find_inside

FIRST_VALUES = 24  # if hardly any of these looks like a kind, the others are not tried
MIN_FIRST = 0.3  # share of those
MIN_SHARE = 0.5  # of the distinct values: a column of contacts may hold telephone numbers, too
MIN_WEAK_SHARE = 0.95  # where a tenth of all numbers would pass
MIN_WEAK_VALUES = 8  # 0.1 ** 8
MIN_VALUES = 3  # that look so, without the column's name
MIN_NAMES = 0.3  # of full names, without the column's name
MIN_SINGLE_NAMES = 0.6  # of single words
MIN_HINTED_NAMES = 0.12  # with a name such as `name`
MIN_DISTINCT_NAMES = 5
MIN_DISTINCT_ADDRESSES = 5  # without a street and a number
MIN_ONE_LENGTH = 0.8  # share of numbers that have the same count of characters
MIN_PLAIN_PHONE = 9  # digits, without anything else

Test = Callable[[str], bool]


class Found(NamedTuple):
    """What a column holds.

    Parameters
    ----------
    kind : in the plural, for people
    share : of its distinct inspected values that look so, 0 to 1
    sure : whether a check digit or a form proves it; otherwise names and usual words are the evidence
    """

    kind: str
    share: float
    sure: bool


def detect(header: str, texts: Sequence[str]) -> Found | None:
    """Return what personal data a column holds, None if none.

    Parameters
    ----------
    header : name of the column
    texts : some of its values

    Examples
    --------
    >>> detect("x", ["ann@example.org", "bo@example.org", "cy@example.org", "n/a"])
    Found(kind='e-mail addresses', share=1.0, sure=True)
    >>> detect("price", ["1.20", "3.99", "17.00"])
    """
    distinct = list(
        dict.fromkeys(
            text for value in texts if (text := value.strip()[: values.MAX_INSPECTED_CHARACTERS]) and text not in USUAL
        )
    )
    if not distinct:
        return None
    hints = kinds_of_header(header)
    for search in (_by_form, _by_identity, _by_birth, _by_contact, _by_words):
        found = search(distinct, hints, header)
        if found is not None:
            return found
    inside = find_inside(list(dict.fromkeys(value.strip() for value in texts)))
    return Found(inside.kind, inside.share, True) if inside is not None else None


def _share(texts: Sequence[str], test: Test) -> float:
    """Return the share of texts that pass; 0 if hardly any of the first ones does."""
    first = texts[:FIRST_VALUES]
    passed = sum(map(test, first))
    if passed < MIN_FIRST * len(first):
        return 0.0
    return (passed + sum(map(test, texts[FIRST_VALUES:]))) / len(texts)


def _by_form(texts: Sequence[str], hints: Set[str], header: str) -> Found | None:
    """Kinds that each have a form of their own; one value is enough where the column's name says the same."""
    signed = any(text.startswith("-") for text in texts)  # numbers with a sign, not telephone numbers
    phone = values.is_international_phone if "telephone numbers" in hints else values.is_clear_phone
    forms: dict[str, Test] = {
        "e-mail addresses": values.is_email, "bank account numbers": values.is_iban, "IP addresses": values.is_ip,
        "payment card numbers": values.is_card,
        **({} if signed else {"telephone numbers": phone}),
    }  # fmt: skip
    shares = {kind: _share(texts, test) for kind, test in forms.items()}
    kind = max(shares, key=shares.__getitem__)
    share = shares[kind]
    enough = 1 if kind in hints or kind == "e-mail addresses" else MIN_VALUES
    if share >= MIN_SHARE and share * len(texts) >= enough:
        if kind == "IP addresses" and kind not in hints and (is_of_releases(header) or all(map(_is_release, texts))):
            return None
        return Found(kind, round(share, 3), True)
    together = sum(any(test(text) for test in forms.values()) for text in texts) / len(texts) if share else 0.0
    if together >= MIN_SHARE and together * len(texts) >= MIN_VALUES:
        return Found("contact data", round(together, 3), True)
    return None


def _is_release(text: str) -> bool:
    """Return whether a text may also be the number of a release, such as 12.2.0.1; 10.0.0.1 is of a private network."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 100 for part in parts):
        return False
    return int(parts[0]) < 50 and parts[0] != "10"


def _by_identity(texts: Sequence[str], hints: Set[str], header: str) -> Found | None:
    kind = "national identity numbers"
    hinted = kind in hints
    if not _share(texts, values.may_be_identity):
        return None
    of_header = values.HEADER_IDS if hinted or f"perhaps {kind}" in hints else ()
    for scheme in (*values.STRONG_IDS, *of_header):
        share = _share(texts, lambda text, scheme=scheme: values.is_identity(text, scheme))  # type: ignore[misc]
        if share >= (MIN_SHARE if hinted else 0.8) and share * len(texts) >= (1 if hinted else MIN_VALUES):
            return Found(kind, round(share, 3), True)
    for test in (values.is_nino, lambda text: values.is_identity(text, "us.ssn")):
        share = _share(texts, test)
        if share >= MIN_SHARE and share * len(texts) >= (1 if hinted else MIN_VALUES):
            return Found(kind, round(share, 3), True)
    for scheme in values.WEAK_IDS:
        share = _share(texts, lambda text, scheme=scheme: values.is_identity(text, scheme))  # type: ignore[misc]
        if share >= MIN_WEAK_SHARE and share * len(texts) >= (1 if hinted else MIN_WEAK_VALUES):
            return Found(kind, round(share, 3), hinted)
    if hinted and (share := _share_of_documents(texts, header)) >= MIN_SHARE:
        return Found(kind, round(share, 3), False)
    return None


def _share_of_documents(texts: Sequence[str], header: str) -> float:
    """Return the share of texts that may be numbers of documents: of the length that the column's name says, of one
    length, or most of them with letters.
    """
    passed = [text for text in texts if values.may_be_identity(text)]
    if not passed:
        return 0.0
    lengths = [sum(map(str.isalnum, text)) for text in passed]
    if known := identity_lengths(header):
        return sum(length in known for length in lengths) / len(texts)
    of_one_length = Counter(lengths).most_common(1)[0][1] >= MIN_ONE_LENGTH * len(passed)
    with_letters = sum(any(map(str.isalpha, text)) for text in passed) >= MIN_SHARE * len(passed)
    return len(passed) / len(texts) if of_one_length or with_letters else 0.0


def _by_birth(texts: Sequence[str], hints: Set[str], header: str) -> Found | None:
    kind = "dates of birth"
    share = _share(texts, values.is_date) if kind in hints else 0.0
    return Found(kind, round(share, 3), False) if share >= MIN_SHARE else None


def _by_contact(texts: Sequence[str], hints: Set[str], header: str) -> Found | None:
    """Telephone numbers without their country, and addresses: their form alone is not enough, or hardly."""
    if "telephone numbers" in hints and (share := _share(texts, values.may_be_phone)) >= MIN_SHARE:
        return Found("telephone numbers", round(share, 3), False)
    if "perhaps telephone numbers" in hints and (share := _share_of_phones(texts, header)) >= MIN_SHARE:
        return Found("telephone numbers", round(share, 3), False)
    hinted = "addresses" in hints
    share = _share(texts, values.is_street)
    if share >= (0.3 if hinted or "perhaps addresses" in hints else 0.6) and share * len(texts) >= (
        1 if hinted else MIN_VALUES
    ):
        return Found("addresses", round(share, 3), False)
    if hinted and (share := _share(texts, values.may_be_address)) >= 0.8 and len(texts) >= MIN_DISTINCT_ADDRESSES:
        return Found("addresses", round(share, 3), False)
    return None


def _share_of_phones(texts: Sequence[str], header: str) -> float:
    """Return the share of texts that are written as telephone numbers are; of plain digits, if the column's name ends
    with the word, also those of one length.
    """
    share = _share(texts, values.is_written_as_phone)
    plain = [digits for text in texts if (digits := text.replace(" ", "")).isdigit() and len(digits) >= MIN_PLAIN_PHONE]
    if share >= MIN_SHARE or not plain or not ends_with_phone(header):
        return share
    of_one_length = Counter(map(len, plain)).most_common(1)[0][1]
    return of_one_length / len(texts) if of_one_length >= MIN_ONE_LENGTH * len(plain) else share


def _by_words(texts: Sequence[str], hints: Set[str], header: str) -> Found | None:
    shaped = _share(texts, values.may_be_name)
    if shaped < MIN_SHARE:
        return None
    share = sum(map(values.is_name, texts)) / len(texts)
    if "names" in hints and len(texts) >= MIN_DISTINCT_NAMES:  # family names are rarely given names, too
        return Found("names", round(max(share, shaped), 3), False)
    if hints & {"names", "perhaps names"} and share >= MIN_HINTED_NAMES and len(texts) >= MIN_VALUES:
        return Found("names", round(share, 3), False)
    several = sum(" " in text for text in texts) >= MIN_SHARE * len(texts)
    limit = MIN_NAMES if several and not is_of_other_things(header) else MIN_SINGLE_NAMES
    if share >= limit and share * len(texts) >= MIN_DISTINCT_NAMES:
        return Found("names", round(share, 3), False)
    return None
