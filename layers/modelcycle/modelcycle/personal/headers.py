# ruff: noqa: E501, SIM905, a table of words: letters of some scripts count as two
"""What the name of a column says about personal data, in some thirty languages."""

from __future__ import annotations

import re
from functools import cache

from modelcycle.personal.letters import without_accents

PHRASES: dict[str, tuple[str, ...]] = {
    "e-mail addresses": ("email", "e mail", "mail", "correo", "courriel", "epost", "e post", "почта", "邮箱", "メール", "이메일"),
    "telephone numbers": (
        "phone", "telephone", "telephon", "tel", "telno", "mobile", "mobilephone", "cell", "cellphone", "fax", "handy",
        "telefon", "telefono", "telefone", "celular", "movil", "portable", "gsm", "msisdn", "whatsapp", "telefoon",
        "puhelin", "телефон", "τηλεφωνο", "电话", "電話", "手机", "手機", "携帯", "전화", "휴대폰", "هاتف", "جوال", "טלפון", "फोन",
        "dien thoai", "telepon",
    ),
    "payment card numbers": (
        "card", "cardnumber", "creditcard", "credit card", "cc", "ccnum", "pan", "kreditkarte", "kartennummer", "carte",
        "tarjeta", "cartao", "carta", "kaart", "karta", "карта", "卡号", "カード", "카드",
    ),
    "bank account numbers": ("iban", "bank account", "kontonummer", "konto", "rib", "account number", "accountnumber"),
    "national identity numbers": (
        "ssn", "social security", "national id", "nationalid", "identity number", "id number", "tax id", "taxid", "nino",
        "passport", "passeport", "pasaporte", "reisepass", "personnummer", "fodselsnummer", "cpr", "bsn", "pesel", "cpf",
        "dni", "nie", "nif", "curp", "rut", "codice fiscale", "nir", "insee", "steuer id", "steuerid", "aadhaar", "pan",
        "tckn", "tc kimlik", "hetu", "egn", "cnp", "oib", "rodne cislo", "nik", "инн", "снилс", "паспорт", "身份证", "身分證",
        "マイナンバー", "주민등록번호", "sozialversicherungsnummer", "ahv", "sin", "medicare", "nhs number", "driver licence",
        "drivers license", "fuhrerschein",
    ),
    "IP addresses": ("ip", "ip address", "ipaddress", "ipaddr", "ipv4", "ipv6", "client ip", "remote addr"),
    "addresses": (
        "address", "addr", "street", "adresse", "anschrift", "strasse", "rue", "direccion", "domicilio", "calle",
        "indirizzo", "endereco", "morada", "adres", "straat", "osoite", "adress", "gata", "ulica", "cim", "utca", "adresa",
        "адрес", "улица", "διευθυνση", "住所", "地址", "주소", "العنوان", "عنوان", "כתובת", "पता", "alamat", "dia chi",
    ),
    "dates of birth": (
        "birth date", "birthdate", "date of birth", "dateofbirth", "dob", "birthday", "born", "birth", "geburtsdatum",
        "geburtstag", "geboren", "geb datum", "geb dat", "gebdatum", "gebdat", "geburts datum", "date naissance", "date naiss",
        "fecha nac", "fec nac", "data nascita", "data nascimento", "birth dt", "birthdt", "date de naissance", "naissance", "fecha de nacimiento", "fecha nacimiento", "nacimiento",
        "data di nascita", "nascita", "data de nascimento", "nascimento", "geboortedatum", "fodselsdato", "fodelsedatum",
        "syntymaaika", "data urodzenia", "datum narozeni", "szuletesi datum", "szuletesi ido", "data nasterii",
        "дата рождения", "дата народження", "ημερομηνια γεννησης", "生年月日", "出生日期", "生日", "생년월일", "dogum tarihi",
        "تاريخ الميلاد", "תאריך לידה", "tanggal lahir", "ngay sinh",
    ),
    "names": (
        "first name", "firstname", "last name", "lastname", "given name", "givenname", "family name", "familyname",
        "surname", "forename", "full name", "fullname", "middle name", "middlename", "maiden name", "fname", "lname",
        "patient name", "customer name", "client name", "employee name", "person name", "contact name", "passenger name",
        "applicant name", "owner name", "user full name", "vorname", "nachname", "familienname",
        "zuname", "prenom", "nom de famille", "nom complet", "apellido", "apellidos", "nombre completo", "nombres",
        "cognome", "nome completo", "nome e cognome", "sobrenome", "apelido", "voornaam", "achternaam", "fornavn",
        "etternavn", "efternavn", "fornamn", "efternamn", "etunimi", "sukunimi", "imie", "nazwisko", "jmeno", "prijmeni",
        "priezvisko", "keresztnev", "vezeteknev", "prenume", "ime", "prezime", "имя", "фамилия", "отчество", "фио", "прізвище",
        "ім я", "ονομα", "επωνυμο", "ad soyad", "soyad", "soyadi", "الاسم", "اسم", "שם פרטי", "שם משפחה", "नाम", "姓名", "名字",
        "氏名", "姓", "名前", "이름", "성명", "ho ten", "ho va ten", "nama lengkap",
    ),
    "perhaps names": (
        "name", "nom", "nombre", "nome", "naam", "navn", "namn", "nimi", "nama", "ad", "isim", "nev", "patient", "passenger",
    ),
}  # fmt: skip
"""Kinds, and words without accents in lower case."""

MAX_PHRASE_WORDS = 4
MIN_PART_CHARACTERS = 8  # of a phrase that counts within a longer word

AT_END = frozenset({"names", "telephone numbers", "national identity numbers", "addresses"})
"""Kinds that a phrase means at the end of a column's name only: mobile_sessions, rut_depth, street_condition. Elsewhere
it means `perhaps` this kind: then the values have to look so by themselves."""

MAY_FOLLOW = frozenset(
    """
    number numbers no nr num nummer numero numer nro line name names home work private privat office main primary
    secondary customer client cliente kunde kunden klienta patient paciente pacjenta person employee holder owner
    member applicant contact of the de del du des der do da la le el
""".split()
)
"""Words after a phrase with which it means the same."""

LAST_ONLY = frozenset({"patient", "passenger"})  # patient_gender and Passenger embarked name nobody

OTHERWISE = {"telephone numbers": frozenset({"cell", "mobile", "portable", "handy"})}
"""Words that mean this kind and usual other things: a cell of a battery, visits from mobiles."""

IDENTITY_LENGTHS: dict[str, frozenset[int]] = {
    "nir": frozenset({13, 15}), "insee": frozenset({13, 15}), "nik": frozenset({16}), "pan": frozenset({10}),
    "rut": frozenset({8, 9}), "sin": frozenset({9}), "nie": frozenset({9}), "nif": frozenset({9}), "dni": frozenset({8, 9}),
    "cpr": frozenset({10}), "bsn": frozenset({8, 9}), "egn": frozenset({10}), "cnp": frozenset({13}),
    "oib": frozenset({11}), "ahv": frozenset({13}), "hetu": frozenset({10, 11}),
}  # fmt: skip
"""Characters of a number, by the short word for it: some of these words mean other things, too (near infrared)."""

OTHER_THINGS: dict[str, frozenset[str]] = {
    "names": frozenset("""
        product item company station city country state file filename school brand store shop event model
        street airport team plant species drug course department dept host hostname class category type
        field region campaign column table project job role package hotel restaurant movie film song album
        track game book device server domain vessel ship pet dog cat horse currency language planet star
        gene protein
    """.split()),
    "telephone numbers": frozenset("""
        price cost brand model type count bill charge plan service minutes calls usage os time app user
        users contract has is flag seconds duration size color colour anemia lines multiple
    """.split()),
    "payment card numbers": frozenset("type brand limit balance has is count issuer name score fraud".split()),
    "addresses": frozenset("ip email mail mac web url wallet memory type ipv4 ipv6 bitcoin hash count".split()),
    "e-mail addresses": frozenset("sent opened clicks count type domain opt optin consent subject has is".split()),
    "dates of birth": frozenset("weight order rate country place city region state length type".split()),
    "IP addresses": frozenset("count type class version".split()),
}  # fmt: skip
"""Words beside which a phrase means something else: a product name, the price of a phone."""

RELEASES = frozenset("version ver release firmware fw build software driver revision rev patch".split())

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(header: str) -> list[str]:
    """Return the words of a column's name, in lower case and without accents.

    >>> words_of("customerEMail"), words_of("Prénom_du-client"), words_of("Straße 2")
    (['customer', 'email'], ['prenom', 'du', 'client'], ['strasse', '2'])
    """
    header = header.replace("EMail", "Email").replace("eMail", "email")
    spaced = _CAMEL.sub(" ", header)
    return re.findall(r"[^\W_]+", without_accents(spaced))


@cache
def _kinds_by_phrase() -> dict[tuple[str, ...], set[str]]:
    kinds: dict[tuple[str, ...], set[str]] = {}
    for kind, phrases in PHRASES.items():
        for phrase in phrases:
            kinds.setdefault(tuple(without_accents(phrase).split()), set()).add(kind)
    return kinds


def kinds_of_header(header: str) -> set[str]:
    """Return what a column of this name may hold, `perhaps` before it if other evidence is needed; empty if its name
    says nothing.

    >>> kinds_of_header("Customer_Email"), kinds_of_header("product name"), kinds_of_header("Geburtsdatum")
    ({'e-mail addresses'}, set(), {'dates of birth'})
    >>> kinds_of_header("mobile_sessions"), kinds_of_header("patient_gender"), kinds_of_header("Telefon 2")
    ({'perhaps telephone numbers'}, set(), {'telephone numbers'})
    """
    words = words_of(header)
    known = _kinds_by_phrase()
    found: set[str] = set()
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_PHRASE_WORDS, len(words)) + 1):
            phrase = tuple(words[start:end])
            rest = words[end:]
            if phrase[0] in LAST_ONLY and len(phrase) == 1 and rest:
                continue
            ends = _may_follow(rest)
            for kind in known.get(phrase, set()):
                means_it = kind not in AT_END or (ends and phrase[0] not in OTHERWISE.get(kind, frozenset()))
                found.add(kind if means_it else f"perhaps {kind}")
    for word in words:
        if not word.isascii():  # scripts without spaces between words
            found |= {kind for phrase, kinds in known.items() if _is_part(phrase, word) for kind in kinds}
    return {
        kind for kind in found if not OTHER_THINGS.get(kind.removeprefix("perhaps "), frozenset()).intersection(words)
    }


def is_of_births(header: str) -> bool:
    """Return whether a column's name says that it holds dates of birth, also within a longer word.

    >>> is_of_births("Kundengeburtsdatum"), is_of_births("Date de naissance"), is_of_births("Kunde seit")
    (True, True, False)
    """
    if "dates of birth" in kinds_of_header(header):
        return True
    known = [without_accents(phrase) for phrase in PHRASES["dates of birth"] if len(phrase) >= MIN_PART_CHARACTERS]
    return any(word.startswith(phrase) or word.endswith(phrase) for word in words_of(header) for phrase in known)


def ends_with_phone(header: str) -> bool:
    """Return whether a column's name ends with a word that may mean a telephone, among others.

    >>> ends_with_phone("Mobile No"), ends_with_phone("mobile_id")
    (True, False)
    """
    words = words_of(header)
    usual = OTHERWISE["telephone numbers"]
    return any(word in usual and _may_follow(words[number + 1 :]) for number, word in enumerate(words))


def _may_follow(words: list[str]) -> bool:
    return all(word in MAY_FOLLOW or word.isdigit() for word in words)


def is_of_other_things(header: str) -> bool:
    """Return whether a column's name says that it names no people: a city, a brand, a role.

    >>> is_of_other_things("Store City"), is_of_other_things("host"), is_of_other_things("guest")
    (True, True, False)
    """
    return not OTHER_THINGS["names"].isdisjoint(words_of(header))


def is_of_releases(header: str) -> bool:
    """Return whether a column's name says that it holds numbers of releases, which may look like IP addresses.

    >>> is_of_releases("firmware"), is_of_releases("os_version"), is_of_releases("source")
    (True, True, False)
    """
    return not RELEASES.isdisjoint(words_of(header))


def identity_lengths(header: str) -> frozenset[int]:
    """Return how many characters the national numbers have that a column's name says; empty if it says none.

    >>> sorted(identity_lengths("NIR")), sorted(identity_lengths("passport"))
    ([13, 15], [])
    """
    return frozenset().union(*(IDENTITY_LENGTHS.get(word, frozenset()) for word in words_of(header)))


def _is_part(phrase: tuple[str, ...], word: str) -> bool:
    return len(phrase) == 1 and len(phrase[0]) > 1 and phrase[0][0] > "\u2fff" and phrase[0] in word
