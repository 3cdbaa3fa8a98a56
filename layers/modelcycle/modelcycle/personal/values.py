# ruff: noqa: E501, a table of words: letters of some scripts count as two
"""What a single value looks like. Check digits are python-stdnum's; a value is inspected and never kept."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

from modelcycle.personal.given_names import GIVEN_NAMES, OF_PLACES, TITLES
from modelcycle.personal.letters import without_accents

MAX_INSPECTED_CHARACTERS = 400  # of a value

EMAIL = re.compile(r"[^\s@<>\"',;:()\[\]]+@[^\s@<>\"',;()\[\]]+\.[^\W\d_]{2,}")
_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+|[+-]?\d{1,3}(\.\d{3})+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([ \u00a0]\d{3})+")
_EXTENSION = re.compile(r"\s*(x|ext\.?|extension)\s*\d{1,6}$", re.IGNORECASE)
_NUMBER_OF_PHONE = re.compile(r"[+(]?[(\d][\d ().\-/\u2011\u00a0]{5,22}\d")
_AMERICAN = re.compile(r"(\+?1[ .-]?)?\(\d{3}\) ?\d{3}-\d{4}")
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T]\d{1,2}:\d{2}.*)?|\d{8}|\d{1,2} \w{3,9} \d{4}")
_CARD = re.compile(r"(4\d{12}(\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(0[0-5]|[689]\d)\d{11}"
                   r"|6(011|4[4-9]\d|5\d\d)\d{12}|35\d{14}|62\d{14,17}|(50|5[6-9]|6\d)\d{10,17})")  # fmt: skip
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
_SSN = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_WORDS = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]*)*")
_STREET = re.compile(
    r"\d+[a-z]?,?\s+([\w.'-]+\s+){0,4}(street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl"
    r"|square|terrace|highway|hwy|parkway|close|crescent)\b"
    r"|\d+\s*(bis|ter)?,?\s+(rue|avenue|av|boulevard|bd|chemin|impasse|allee|place|quai|route)\b"
    r"|\w+(strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|straat|laan|gracht|gatan|vagen|veien|gata|katu|tie)\s*\d+"
    r"|\b(str\.|strasse|platz|calle|avenida|av\.|carrera|plaza|paseo|via|viale|corso|piazza|rua|travessa|ul\.|ulica"
    r"|ulitsa|ул\.|улица|проспект|jl\.|jalan|cadde|sokak|utca)\s+.*\d+"
    r"|[都道府県市区町村].*\d|[省市区县路街].*\d+号|[시구동로길].*\d",
    re.IGNORECASE,
)  # fmt: skip
_CHINESE_SURNAMES = frozenset(
    "王李张劉刘陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖蕭田董袁潘于蒋蔣蔡余杜"
    "叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范金石廖贾賈夏韦方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严"
)  # fmt: skip
_KOREAN_SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송류홍전고문양손배백허유남심노하곽성차주우구민진지엄채원"
)
_JAPANESE_SURNAMES = (
    "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤", "吉田", "山田", "佐々木", "山口", "松本", "井上", "木村",
    "斎藤", "清水", "山崎", "池田", "橋本", "阿部", "石川", "山下", "中島", "前田", "藤田", "小川", "後藤", "岡田", "長谷川", "村上", "近藤",
)  # fmt: skip

STRONG_IDS = (
    "it.codicefiscale", "es.dni", "es.nie", "fr.nir", "be.nn", "br.cpf", "pl.pesel", "fi.hetu", "se.personnummer",
    "no.fodselsnummer", "cn.ric", "kr.rrn", "tr.tckimlik", "mx.curp", "cl.rut", "ch.ssn", "ro.cnp", "bg.egn",
    "si.emso", "gr.amka", "za.idnr", "pt.cc", "ie.pps", "lt.asmens", "ee.ik", "in_.aadhaar",
)  # fmt: skip
"""Of python-stdnum: two check digits, or one beside a date or letters in fixed places."""

HEADER_IDS = ("my.nric", "id.nik", "cz.rc")
"""A date and a number without a check digit: many times of day look so. Only where the column's name says it."""

WEAK_IDS = ("nl.bsn", "ca.sin", "de.idnr", "gb.nhs", "il.idnr", "hr.oib", "th.pin", "dk.cpr", "au.tfn", "us.ssn")
"""One check digit, or none: a tenth of all numbers of that length passes."""


def is_email(text: str) -> bool:
    """Return whether a text is an e-mail address, also as `Ann <ann@x.org>` or a link.

    >>> is_email("ann@example.org"), is_email("Ann <ann@example.org>"), is_email("@ann"), is_email("3 @ 2.50")
    (True, True, False, False)
    """
    match = EMAIL.search(text)
    return match is not None and len(match[0]) >= len(text) / 3


def is_international_phone(text: str) -> bool:
    """Return whether a text is a telephone number beyond doubt: with its country (E.164), or in the American form.

    >>> is_international_phone("+49 (30) 123-4567"), is_international_phone("(212) 555-0199")
    (True, True)
    >>> is_international_phone("+52.520008"), is_international_phone("+1.234.567"), is_international_phone("2024-01-31")
    (False, False, False)
    """
    text = _EXTENSION.sub("", text.removeprefix("tel:").strip())
    if _AMERICAN.fullmatch(text):
        return True
    if _DECIMAL.fullmatch(text) or not (text.startswith("+") or (text.startswith("00") and " " in text)):
        return False
    digits = re.sub(r"\D", "", text).lstrip("0") if text.startswith("00") else re.sub(r"\D", "", text)
    return _NUMBER_OF_PHONE.fullmatch(text) is not None and 8 <= len(digits) <= 15 and digits[:1] != "0"


def may_be_phone(text: str) -> bool:
    """Return whether a text may be a telephone number if the column's name says so.

    >>> may_be_phone("030/1234567"), may_be_phone("5551234567.0"), may_be_phone("12.50"), may_be_phone("2024-01-31")
    (True, True, False, False)
    """
    text = _EXTENSION.sub("", text.removeprefix("tel:").strip())
    text = text.removesuffix(".0") if re.fullmatch(r"\d+\.0", text) else text
    if _DECIMAL.fullmatch(text) or _DATE.fullmatch(text):
        return False
    return _NUMBER_OF_PHONE.fullmatch(text) is not None and 7 <= len(re.sub(r"\D", "", text)) <= 15


def is_written_as_phone(text: str) -> bool:
    """Return whether a text that may be a telephone number is written as one, and not as a count or an identifier.

    >>> is_written_as_phone("030 1234567"), is_written_as_phone("0171234567"), is_written_as_phone("1234567")
    (True, True, False)
    >>> is_written_as_phone("1 200 000"), is_written_as_phone("(212) 555-0199")
    (False, True)
    """
    text = _EXTENSION.sub("", text.removeprefix("tel:").strip())
    if not may_be_phone(text) or _THOUSANDS.fullmatch(text):
        return False
    return not text.isdigit() or (text[0] == "0" and 9 <= len(text) <= 11)


def is_clear_phone(text: str) -> bool:
    """Return whether a text is a telephone number with its country, and no number with a sign.

    >>> is_clear_phone("+83365330"), is_clear_phone("+4915112345678"), is_clear_phone("+47 22 12 34 56")
    (False, True, True)
    """
    return is_international_phone(text) and not re.fullmatch(r"\+\d{1,9}", text.strip())


def is_card(text: str) -> bool:
    """Return whether a text is a payment card number: an issuer's first digits, its length, and Luhn's check digit.

    >>> is_card("4111 1111 1111 1111"), is_card("4111111111111112"), is_card("1234567812345670")
    (True, False, False)
    """
    digits = re.sub(r"[ -]", "", text)
    return _CARD.fullmatch(digits) is not None and bool(_module("luhn")(digits))


def is_card_by_form(text: str) -> bool:
    """Return whether a text has an issuer's first digits and the length of a card number, whatever its check digit.

    >>> is_card_by_form("4111111111111112"), is_card_by_form("1234567812345670")
    (True, False)
    """
    return _CARD.fullmatch(re.sub(r"[ -]", "", text)) is not None


def is_iban(text: str) -> bool:
    """Return whether a text is an international bank account number (ISO 13616, modulo 97).

    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    compact = re.sub(r"[ -]", "", text).upper()
    if not _IBAN.fullmatch(compact):
        return False
    from stdnum import iban

    return bool(iban.is_valid(compact, check_country=False))


def is_iban_by_form(text: str) -> bool:
    """Return whether a text has the form of its country's accounts, whatever its check digits.

    >>> is_iban_by_form("DE88 3704 0044 0532 0130 00"), is_iban_by_form("DE88 3704"), is_iban_by_form("AB12CDEF1234567890")
    (True, False, False)
    """
    compact = re.sub(r"[ -]", "", text).upper()
    if not _IBAN.fullmatch(compact):
        return False
    from stdnum import iban

    try:
        return is_iban(f"{compact[:2]}{iban.calc_check_digits(compact)}{compact[4:]}")
    except ValueError:
        return False


def is_ip(text: str) -> bool:
    """Return whether a text is an IP address, with a port or without.

    >>> is_ip("192.168.0.12"), is_ip("2001:db8::1"), is_ip("12:34:56"), is_ip("1.2.3")
    (True, True, False, False)
    """
    if text.count(".") == 3:
        text = re.sub(r"[:/]\d{1,5}$", "", text)
    elif text.count(":") < 2:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_identity(text: str, scheme: str) -> bool:
    """Return whether a text is a number of a national scheme, a module of python-stdnum.

    >>> is_identity("123-45-6789", "us.ssn"), is_identity("RSSMRA85T10A562S", "it.codicefiscale")
    (True, True)
    """
    if scheme == "us.ssn":
        return _SSN.fullmatch(text) is not None
    if scheme == "dk.cpr" and "-" not in text:
        return False  # any date and four digits
    return bool(_module(scheme)(text))


def is_nino(text: str) -> bool:
    """Return whether a text has the form of a British National Insurance number.

    >>> is_nino("AB 12 34 56 C"), is_nino("AB12345C")
    (True, False)
    """
    return _NINO.fullmatch(text.replace(" ", "").upper()) is not None


def may_be_identity(text: str) -> bool:
    """Return whether a text has the length and the digits of a document's number: enough if the column's name says so.

    >>> may_be_identity("C01X00T47"), may_be_identity("123456789"), may_be_identity("0.123456"), may_be_identity("Germany")
    (True, True, False, False)
    """
    compact = re.sub(r"[ ./+-]", "", text)
    if _DECIMAL.fullmatch(text) or not compact.isascii():
        return False
    return 6 <= len(compact) <= 20 and compact.isalnum() and sum(map(str.isdigit, compact)) * 5 >= 2 * len(compact)


def is_date(text: str) -> bool:
    """Return whether a text looks like a day.

    >>> is_date("1985-12-10"), is_date("10.12.1985"), is_date("19851210"), is_date("3.5")
    (True, True, True, False)
    """
    return _DATE.fullmatch(text) is not None


def is_street(text: str) -> bool:
    """Return whether a text is an address with a street and a number.

    >>> is_street("12 Long Acre Street"), is_street("Hauptstr. 5"), is_street("14 rue de la Paix"), is_street("Paris")
    (True, True, True, False)
    """
    return any(char.isdigit() for char in text) and _STREET.search(without_accents(text)) is not None


def may_be_address(text: str) -> bool:
    """Return whether a text may be an address if the column's name says so.

    >>> may_be_address("Flat 2, Rosehill"), may_be_address("17"), may_be_address("E11.9")
    (True, False, False)
    """
    return any(char.isalpha() for char in text) and len(text.split()) > 1


def may_be_name(text: str) -> bool:
    """Return whether a text consists of some words, as names do.

    >>> may_be_name("O'Brien, Mr. Jean-Luc"), may_be_name("Route 66"), may_be_name("a_b"), may_be_name("")
    (True, False, False, False)
    """
    rest = _WORDS.sub("", text)
    return (
        bool(text)
        and len(text) <= 90
        and rest != text
        and not rest.strip(" ,.-'’()\"&\u00a0\u0300\u0301\u094d\u0940\u093e\u093f")
    )


def is_name(text: str) -> bool:
    """Return whether one of the words is a common given name, or a form of address.

    >>> is_name("Braund, Mr. Owen Harris"), is_name("José García"), is_name("王伟"), is_name("full time")
    (True, True, True, False)
    >>> is_name("Sr. Data Analyst"), is_name("San Jose"), is_name("Elm Dr"), is_name("Sr. Juan Pérez")
    (False, False, False, True)
    """
    if not may_be_name(text):
        return False
    words = _WORDS.findall(without_accents(text))
    if not words or len(words) > 8 or words[0].rstrip(".") in OF_PLACES:
        return False
    if any(word in GIVEN_NAMES for word in words) or any(word.rstrip(".") in TITLES for word in words[:-1]):
        return True
    compact = text.replace(" ", "")
    if 2 <= len(compact) <= 4 and compact[0] in (
        _KOREAN_SURNAMES if "\uac00" <= compact[0] <= "\ud7a3" else _CHINESE_SURNAMES
    ):
        return all("\u4e00" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in compact)
    return 3 <= len(compact) <= 7 and compact.startswith(_JAPANESE_SURNAMES)


@cache
def _module(name: str) -> Callable[[str], bool]:
    """Return the check of a module of python-stdnum; imported when it is first needed."""
    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return check
