# ruff: noqa: E501, names of columns: letters of some scripts count as two
"""What the names of columns say about protected attributes, dates of birth and identifiers, in other languages too."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.data_summary import ColumnSummary, DataSummary
from cli.draft import draft
from cli.guess import identifier_columns, sensitive_columns, time_columns
from cli.init import init
from modelcycle.personal.headers import is_of_births
from modelcycle.personal.protected import protected_attribute
from modelcycle.spec import parse


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        (
            "sex",
            "Kundengeschlecht GESCHLECHT_2 geschlechtscode customer_gender customergender clientSexe genere género płeć 客户性别",
        ),
        (
            "age",
            "Alter alter_jahre Altersgruppe edad_cliente Âge age_client Età ålder_kund ageGroup driver_age возраст_клиента",
        ),
        ("ethnic origin", "Herkunftsland etnia ethnicity_code raça skinColor country_of_birth Migrationshintergrund"),
        (
            "nationality",
            "NATIONALITAET Nationalität nationalite Nazionalità STAATSBUERGERSCHAFT Staatsangehoerigkeit citizen",
        ),
        ("religion", "Religionszugehoerigkeit Konfession RELIGION religião_cliente Kirchensteuermerkmal"),
        ("disability", "Schwerbehinderung behinderung_grad disability_status discapacidad handicapé"),
        ("pregnancy", "is_pregnant Schwangerschaftswoche embarazada"),
        ("sexual orientation", "sexualOrientation orientation_sexuelle"),
    ],
)
def test_protected_attributes_are_known_in_other_languages(attribute: str, names: str) -> None:
    assert {name: protected_attribute(name) for name in names.split()} == dict.fromkeys(names.split(), attribute)


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        ("age", "policy_holder_age home_owner_age age_at_account_opening Alter_Inhaber_Konto"),
        ("ethnic origin", "ethnicity_id race_id race_name country_of_birth_name Herkunft_Name ethnic_group_date"),
        ("disability", "disability_flag customer_service_disability"),
    ],
)
def test_a_word_beside_that_often_means_a_thing_does_not_hide_a_person(attribute: str, names: str) -> None:
    assert {name: protected_attribute(name) for name in names.split()} == dict.fromkeys(names.split(), attribute)


@pytest.mark.parametrize(
    "name",
    [
        "Datenherkunft",
        "lead_herkunft",
        "disabled_flag",
        "customer_account_age",
        "sexy_score",
        "alternative",
        "agent",
        "racecar",
        "race_car",
        "race_time",
        "vehicle_age",
        "Fahrzeugalter",
        "Fahrzeug_Alter",
        "account_age_days",
        "average_order",
        "stage",
        "message",
        "percentage",
        "storage",
        "eta_minutes",
        "screen_orientation",
        "genre",
        "music_genre",
        "alteration",
        "sextant",
        "essex",
        "engagement",
        "voltage",
        "mileage",
        "village",
        "racetrack",
        "brace",
        "terrace",
        "Kontakt",
        "nation",
        "national_id",
        "international",
        "good_faith",
        "conversion_rate",
        "disable_flag",
        "alter_ego",
        "generation",
        "trace_id",
        "Altersvorsorge",
        "package",
        "manager",
        "Konfektion",
    ],
)
def test_words_within_other_words_say_nothing(name: str) -> None:
    assert protected_attribute(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "Kundengeburtsdatum",
        "GEBURTSDATUM",
        "geb_datum",
        "GebDat",
        "date_naissance",
        "DateDeNaissance",
        "fecha_nac",
        "birthDate",
        "customerbirthdate",
    ],
)
def test_a_date_of_birth_is_never_proposed_as_the_time(name: str) -> None:
    assert is_of_births(name)
    columns = [
        dates(name),
        dates("Kunde seit"),
        ColumnSummary("y", "text", 2, levels={"a": 1, "b": 1}, distinct_count=2),
    ]
    assert time_columns(DataSummary(columns, 2), "y") == ["Kunde seit"]
    alone = DataSummary([columns[0], columns[2]], 2)
    assert not time_columns(alone, "y") and "time_column" not in draft("m", "y", "", alone, Path("a.csv"))


def dates(name: str) -> ColumnSummary:
    return ColumnSummary(name, "date", 2, levels={"1990-01-01": 1, "1991-01-01": 1}, distinct_count=2)


def test_numbers_of_things_are_identifiers_and_measures_are_not() -> None:
    def distinct(name: str, *, is_integer: bool = True) -> ColumnSummary:
        levels = {str(number): 1 for number in range(100)}
        return ColumnSummary(name, "number", 100, is_integer=is_integer, levels=levels, distinct_count=100)

    known = ["Kundennummer", "Kunden-Nr.", "numero_client", "Réf annonce", "customerId", "Matricule"]
    if_last = ["numero_client"]
    measures = [distinct("number_of_steps"), distinct("Jahr"), distinct("id", is_integer=False), distinct("Umsatz")]
    summary = DataSummary([*map(distinct, known), *measures], 100)
    assert identifier_columns(summary, "y") == [name for name in known if name not in if_last]


def test_init_says_what_it_proposes_and_what_is_personal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"K-{number};{1950 + number % 50}-03-0{1 + number % 9};{2010 + number % 14}-01-0{1 + number % 9};"
        f"{'mw'[number % 2]};a{number}@example.org;{'ja' if number % 3 else 'nein'}"
        for number in range(120)
    ]
    data, file = tmp_path / "kunden.csv", tmp_path / "kunden.yaml"
    data.write_text("Kundennummer;Geburtsdatum;Kunde seit;Geschlecht;E-Mail;Kündigung\n" + "\n".join(rows) + "\n")
    assert init(data, None, None, file, as_json=False) == 0
    screen = capsys.readouterr().out
    for line in (
        "  proposed    time_column: Kunde seit", "              id_columns: Kundennummer",
        "              sensitive_columns: Geschlecht", "remove the # of each that is right",
        "  personal    E-Mail: a run does not store it", "              Geburtsdatum: a run keeps it, and says so",
    ):  # fmt: skip
        assert line in screen, line
    wanted = "\n".join(
        line.removeprefix("# ") if line.startswith(("# time_column", "# id_columns", "# sensitive_columns")) else line
        for line in file.read_text().splitlines()
    )
    pipeline = parse(wanted)
    assert pipeline.id_columns == ["Kundennummer"] and pipeline.sensitive_columns == ["Geschlecht"]
    assert sensitive_columns(DataSummary([ColumnSummary("Geschlecht")], 0), "Geschlecht") == []
