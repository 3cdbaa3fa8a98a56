"""Guesses from column names and values; `init` writes them into the pipeline file for a person to check."""

from __future__ import annotations

from cli.data_summary import ColumnSummary, DataSummary
from modelcycle.personal.detect import detect
from modelcycle.personal.headers import is_of_births, words_of
from modelcycle.personal.protected import protected_attribute

TARGET_NAMES = ("target", "label", "y", "class", "outcome", "response")
IDENTIFIER_WORDS = {
    "id", "uuid", "guid", "key", "ssn", "email", "ref", "reference", "referenz", "referencia", "riferimento",
    "identifiant", "identificador", "kennung", "kennziffer", "matricule", "matricula",
}  # fmt: skip
NUMBER_WORDS = {"number", "no", "nr", "num", "nummer", "numero", "numer", "nro", "cislo"}
"""That a name ends with, if it numbers things: Kundennummer, but not number_of_steps."""
NUMBER_ENDS = ("nummer", "nr", "numero", "number", "kennung")
ENTITY_WORDS = {
    "account", "client", "customer", "device", "household", "member", "patient", "person", "session", "subject", "user",
    "kunde", "konto", "haushalt", "mitglied", "nutzer", "patientin", "cliente", "compte", "utilisateur", "usuario",
    "utente", "paciente", "paziente", "klant", "klient", "kund",
}  # fmt: skip
MIN_GROUPS = 20
MIN_DISTINCT_SHARE = 0.9  # of the values of an identifier
MIN_CODES = 20  # rows of a column that is an identifier by its values alone
MIN_CODE_SHARE = 0.95  # of its values
HINT = "choose another with --target"


def guess_target(summary: DataSummary) -> tuple[str, str]:
    """Return the column to predict and the reason: a usual name, otherwise the last column that varies."""
    for name in TARGET_NAMES:
        for column in summary.columns:
            if column.name.strip().lower() == name:
                return column.name, f"guessed by its name; {HINT}"
    last = summary.columns[-1]
    for column in reversed(summary.columns):
        if column.distinct_count > 1:
            which = "the last column" if column is last else "the last column with at least two values"
            return column.name, f"guessed: {which}; {HINT}"
    return last.name, f"guessed: the last column; {HINT}"


def sensitive_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns with a name that suggests a protected attribute of people."""
    return [column.name for column in summary.columns if column.name != target and protected_attribute(column.name)]


def identifier_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns that seem to identify rows; those with personal data only if there are no others."""
    found = [column for column in summary.columns if column.name != target and is_identifier(column)]
    plain = [column.name for column in found if detect(column.name, list(column.levels)) is None]
    return plain or [column.name for column in found]


def is_unlearnable(column: ColumnSummary) -> bool:
    """Return whether a target has another text in nearly every row, so that nothing can be learned from it."""
    many = column.rows - column.missing >= MIN_CODES
    return many and _is_distinct(column) and (column.kind == "text" or is_identifier(column))


def group_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns that seem to say to whom a row belongs: by the last word of the name, and values repeat."""
    return [
        column.name
        for column in summary.columns
        if column.name != target
        and _names_entity(column.name)
        and MIN_GROUPS <= column.distinct_count <= MIN_DISTINCT_SHARE * (column.rows - column.missing)
    ]


def time_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns of dates, without those of birth: people are not split into older and younger."""
    return [
        column.name
        for column in summary.columns
        if column.name != target and column.kind == "date" and not is_of_births(column.name)
    ]


def is_identifier(column: ColumnSummary) -> bool:
    """Return whether a column seems to identify rows: by its name or as codes, and nearly every value is distinct."""
    is_measured = column.kind == "number" and not column.is_integer
    return _is_distinct(column) and not is_measured and (_names_identifiers(column.name) or _holds_codes(column))


def _is_distinct(column: ColumnSummary) -> bool:
    present = column.rows - column.missing
    return present > 1 and column.distinct_count > MIN_DISTINCT_SHARE * present


def _holds_codes(column: ColumnSummary) -> bool:
    """Return whether the texts are words with digits, such as S-000123 or a UUID.

    >>> _holds_codes(ColumnSummary("siniestro", "text", 20, levels={f"S-{n:06}": 1 for n in range(20)}))
    True
    >>> _holds_codes(ColumnSummary("note", "text", 20, levels={f"room {n}": 1 for n in range(20)}))
    False
    """
    if column.kind != "text" or column.rows - column.missing < MIN_CODES:
        return False
    codes = sum(
        not any(sign.isspace() for sign in text) and any(sign.isdigit() for sign in text) for text in column.levels
    )
    return codes >= max(1, MIN_CODE_SHARE * len(column.levels))


def _names_identifiers(name: str) -> bool:
    """Return whether a name says that it identifies rows.

    >>> [_names_identifiers(name) for name in ("Kundennummer", "customerId", "Réf annonce", "number_of_steps", "Jahr")]
    [True, True, True, False, False]
    """
    words = words_of(name)
    last = words[-1] if words else ""
    return bool(IDENTIFIER_WORDS.intersection(words)) or last in NUMBER_WORDS or last.endswith(NUMBER_ENDS)


def _names_entity(name: str) -> bool:
    """Return whether a name says to whom a row belongs."""
    last = words_of(name)[-1:]
    return not (IDENTIFIER_WORDS | ENTITY_WORDS).isdisjoint(last) or any(word.endswith(NUMBER_ENDS) for word in last)
