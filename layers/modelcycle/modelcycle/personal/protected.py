# ruff: noqa: E501, SIM905, a table of words: letters of some scripts count as two
"""What the name of a column says about a protected attribute of people, in some thirty languages.

The attributes are those of Article 21 of the Charter of Fundamental Rights of the European Union and of 15 U.S.C. 1691
that a table usually has: sex, age, ethnic origin, nationality, religion, disability, pregnancy, sexual orientation.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise

from modelcycle.personal.headers import words_of
from modelcycle.personal.letters import without_accents

WORDS: dict[str, tuple[str, ...]] = {
    "sex": (
        "sex", "gender", "geschlecht", "sexe", "sexo", "género", "genero", "sesso", "genere", "geslacht", "sekse", "kön", "køn",
        "kjønn", "sukupuoli", "płeć", "pohlaví", "pohlavie", "pohlavi", "cinsiyet", "spol", "lytis", "dzimums", "sugu",
        "пол", "стать", "φυλο", "性别", "性別", "성별", "الجنس", "מין", "लिंग", "jenis kelamin", "gioi tinh",
    ),
    "age": (
        "age", "ages", "alter", "altersgruppe", "altersklasse", "lebensalter", "âge", "edad", "età", "idade", "leeftijd",
        "ålder", "alder", "ikä", "wiek", "věk", "vek", "életkor", "vârstă", "yaş", "возраст", "вік", "ηλικια", "年龄", "年齡",
        "年齢", "나이", "연령", "العمر", "גיל", "उम्र", "usia", "umur", "tuoi",
    ),
    "ethnic origin": (
        "race", "ethnicity", "ethnic", "ethnicgroup", "caste", "skin color", "skin colour", "herkunft", "ethnie", "ethnizität",
        "ethnische", "abstammung", "hautfarbe", "migrationshintergrund", "rasse", "origine ethnique", "origine etnica", "etnia",
        "raza", "razza", "raça", "etnicidad", "etnicità", "etnicidade", "origen étnico", "etniciteit", "etnische afkomst",
        "afkomst", "etnicitet", "etnisk", "etniskt ursprung", "narodowość", "narodnost", "etnik", "этническая", "национальность",
        "εθνικοτητα", "民族", "种族", "人種", "인종", "العرق", "country of birth", "birth country", "geburtsland",
        "pays de naissance", "país de nacimiento", "paese di nascita", "geboorteland", "födelseland", "fødeland",
    ),
    "nationality": (
        "nationality", "citizenship", "citizen", "nationalität", "staatsangehörigkeit", "staatsbürgerschaft", "nationalité",
        "citoyenneté", "nacionalidad", "ciudadanía", "nazionalità", "cittadinanza", "nacionalidade", "cidadania",
        "nationaliteit", "nationalitet", "statsborgerskap", "statsborgerskab", "medborgarskap", "kansalaisuus", "obywatelstwo",
        "občanství", "állampolgárság", "naționalitate", "cetățenie", "državljanstvo", "uyruk", "vatandaşlık", "гражданство",
        "громадянство", "υπηκοοτητα", "国籍", "國籍", "국적", "الجنسية", "kewarganegaraan", "quoc tich",
    ),
    "religion": (
        "religion", "religious", "faith", "konfession", "religionszugehörigkeit", "glaubensbekenntnis", "kirchensteuer",
        "confession religieuse", "religión", "religione", "religião", "religie", "godsdienst", "uskonto", "wyznanie",
        "náboženství", "náboženstvo", "vallás", "религия", "вероисповедание", "θρησκεια", "宗教", "종교", "الديانة", "agama",
        "ton giao",
    ),
    "disability": (
        "disability", "disabled", "behinderung", "behinderungsgrad", "behindert", "schwerbehindert", "schwerbehinderung",
        "handicap", "handicapé", "discapacidad", "disabilità", "deficiência", "handicapt", "arbeidsongeschikt",
        "funktionsnedsättning", "funktionsnedsaettelse", "vammaisuus", "niepełnosprawność", "invalidita", "fogyatékosság",
        "dizabilitate", "engelli", "engellilik", "инвалидность", "αναπηρια", "残疾", "障害", "장애", "الإعاقة", "disabilitas",
    ),
    "pregnancy": (
        "pregnancy", "pregnant", "pregnancies", "schwanger", "schwangerschaft", "grossesse", "enceinte", "embarazo", "embarazada",
        "gravidanza", "incinta", "gravidez", "grávida", "zwanger", "zwangerschap", "gravid", "graviditet", "raskaus", "ciąża",
        "těhotenství", "terhesség", "hamile", "беременность", "怀孕", "妊娠", "임신",
    ),
    "sexual orientation": (
        "sexual orientation", "sexuelle orientierung", "orientation sexuelle", "orientación sexual", "orientamento sessuale",
        "orientação sexual", "seksuele geaardheid", "seksuele voorkeur", "sexuell läggning", "orientacja seksualna",
    ),
}  # fmt: skip
"""Words by attribute, as they are written; names of columns often lack the accents, or write ä as ae."""

STEMS = frozenset(
    """
    geschlecht gender geburtsland staatsangehorig staatsangehoerig staatsburger staatsbuerger nationalit religion konfession behinder schwanger herkunft
    ethni migrationshintergrund altersgruppe altersklasse lebensalter kirchensteuer geslacht leeftijd nationalitei
    medborgarskap statsborger cinsiyet sukupuoli kansalaisuus godsdienst discapacidad ciudadania nacionalidad pregnan
    disabilit disabled citizenship ethnicity
""".split()
)
"""Beginnings or ends of longer words that mean the same: Kundengeschlecht, religionszugehoerigkeit."""

ACCENTED = frozenset({"età", "kön", "køn", "yaş", "ikä", "věk", "raça"})
"""Words that mean something else, or nothing, without their accents: eta is also an estimated time."""

AGES = frozenset({"age", "ages", "alter", "edad"})

OTHER_THINGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(AGES, frozenset("""
        account vehicle car building house property home loan contract policy device machine equipment file engine
        data record battery asset invoice ticket session cookie domain tree stand rock sample concrete egg
        fahrzeug auto gebaude gebaeude haus vertrag konto gerat geraet maschine vehicule voiture batiment maison contrat
        vehiculo coche edificio casa contrato conto veicolo voertuig gebouw woning ego table
    """.split())),
    **dict.fromkeys(("race", "rasse"), frozenset("""
        car time times number distance horse horses track lap laps result results condition conditions season round day
        date hund hunde katze pferd tier
    """.split())),
    "faith": frozenset("good bad".split()),
    "disabled": frozenset("feature flag button account user service alarm".split()),
    "handicap": frozenset("golf".split()),
    "sex": frozenset("chromosome chromosomes worker linked music movie film book song".split()),
    "herkunft": frozenset("lead daten kanal traffic quelle ware waren produkt".split()),
}  # fmt: skip
"""Words beside which a word means something else: the age of a car, a good faith, the time of a race."""

OF_PEOPLE = frozenset(
    """
    holder holders owner owners driver drivers buyer tenant borrower at inhaber inhaberin halter halterin besitzer fahrer
    kaeufer kaufer mieter conducteur proprietaire titulaire conductor propietario titular conducente proprietario
""".split()
)
"""Words beside which an age is a person's all the same: of a policy's holder, or at the account's opening."""


def protected_attribute(header: str) -> str:
    """Return the protected attribute that a column's name says; empty if it says none.

    Examples
    --------
    >>> protected_attribute("Geschlecht"), protected_attribute("client_sexe"), protected_attribute("Staatsangehoerigkeit")
    ('sex', 'sex', 'nationality')
    >>> [protected_attribute(name) for name in ("sexy_score", "alternative", "agent", "racecar", "vehicle_age")]
    ['', '', '', '', '']
    """
    words = words_of(header)
    accented = set(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", header.casefold())))
    phrases = {*words, *map(" ".join, pairwise(words)), *(" ".join(words[at : at + 3]) for at in range(len(words) - 2))}
    others = {word for word, beside in OTHER_THINGS.items() if beside.intersection(words)}
    if OF_PEOPLE.intersection(words):
        others -= AGES
    words = [word for word in words if word not in others]
    phrases -= others
    for attribute, known in _known().items():
        if phrases & known or accented & ACCENTED.intersection(WORDS[attribute]):
            return attribute
        stems = [stem for stem in STEMS if stem in _stems_of(attribute)]
        if any(word.startswith(stem) or _ends_with(word, stem) for word in words for stem in stems):
            return attribute
        if any(not word.isascii() and phrase in word for word in words for phrase in known if phrase[0] > "\u2fff"):
            return attribute  # scripts without spaces between words
    return ""


def _ends_with(word: str, stem: str) -> bool:
    return word.endswith(stem) and word.removesuffix(stem) not in OTHER_THINGS.get(stem, frozenset())


@cache
def _known() -> dict[str, frozenset[str]]:
    """Return the words of each attribute as `words_of` writes them, and with ä as ae."""
    return {
        attribute: frozenset(
            written
            for word in words
            if word not in ACCENTED
            for written in (" ".join(words_of(word)), without_accents(_spelled_out(word)))
        )
        for attribute, words in WORDS.items()
    }


@cache
def _stems_of(attribute: str) -> frozenset[str]:
    known = _known()[attribute]
    return frozenset(stem for stem in STEMS if any(word.startswith(stem) for word in known))


def _spelled_out(word: str) -> str:
    """Return a word with ä as ae, as names of columns have it.

    >>> _spelled_out("Nationalität"), _spelled_out("kjønn")
    ('nationalitaet', 'kjoenn')
    """
    folded = word.casefold()
    for letter, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ø", "oe"), ("å", "aa"), ("æ", "ae")):
        folded = folded.replace(letter, written)
    return folded
