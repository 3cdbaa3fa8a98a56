"""Columns that look personal and are not, and columns that are: as files of many trades and languages have them."""

from __future__ import annotations

import pytest

from modelcycle.personal import detect

JOBS = [
    "Sr Data Analyst",
    "Sr. Software Engineer",
    "Sr Manager",
    "Jr Data Analyst",
    "Sr Accountant",
    "Sr Clerk",
    "Sr. Nurse",
]
PLACES = ["San Jose", "San Francisco", "Santa Maria", "St. Paul", "San Juan", "Santa Rosa", "St Thomas", "Boston"]


def numbers(first: int, step: int, count: int = 60) -> list[str]:
    return [str(first + step * number) for number in range(count)]


HARMLESS = {
    # medicine
    "patient_gender": ["female", "male", "diverse"],
    "patient_status": ["in treatment", "discharged", "deceased", "transferred", "waiting", "unknown"],
    "patient_smoker": ["yes", "no"],
    "patient diagnosis": ["Diabetes", "Asthma", "Hypertension", "Influenza", "Migraine", "Anaemia"],
    "cim_10": ["E11.9", "I10", "J45.0", "K21.9", "M54.5", "F32.1"],
    "birth_weight_g": numbers(1_850, 37),
    "Near Miss": ["Miss", "Hit", "Near Miss", "Late Miss", "No Miss", "Both"],
    "bp_reading": ["120/80", "135/85", "110/70", "142/91"],
    # people's matters, not their names
    "Passenger embarked": ["Southampton", "Cherbourg", "Queenstown", "Belfast", "Cork", "Dover"],
    "passenger satisfaction": ["very happy", "happy", "neutral", "unhappy", "angry", "none"],
    "passenger": ["adult", "child", "infant", "senior", "crew", "student"],
    "customer name match": ["exact", "close", "partial", "none", "unchecked", "unsure"],
    "job": JOBS,
    "born in": PLACES,
    "address_changes": ["once", "2 times", "3 times", "4 times", "5 times", "6 times"],
    # telecom
    "mobile_sessions": numbers(1_204_117, 9_371), "phone_sales": numbers(2_000_117, 7_919),
    "cell_id": numbers(5_430_201, 11), "cell_area_um2": numbers(1_000_003, 13_331),
    "fax_volume": numbers(3_400_000, 17),
    "handover_cell": numbers(7_700_011, 13), "app": ["12.2.0.1", "12.3.0.4", "11.9.1.0", "13.0.0.2"],
    "firmware": ["10.2.0.1", "10.3.0.4", "10.9.1.0", "5.4.0.150"],
    # sensors
    "nir": numbers(100_213, 977), "rut_depth": numbers(100_117, 31),
    "offset": ["+83365330", "+83365331", "+77120931", "+7"],
    "sampled": numbers(240_920_165_027, 100), "stamp": numbers(200_101_120_000, 1_000_000), "ticks": ["3.4e7", "1e9"],
    "street_condition": ["very good", "rather good", "quite bad", "very bad", "under repair", "not seen"],
    # retail, finance, places
    "pan": numbers(250_107, 1_913), "nik": numbers(310_004, 7), "insee_code": numbers(175_056, 101),
    "brand": ["Ralph Lauren", "Paul Smith", "Hugo Boss", "Giorgio Armani", "Tommy Hilfiger", "Calvin Klein", "Acme"],
    "crust": ["Pan Pizza", "Thin Crust", "Deep Pan", "Pan Classic", "Stuffed Crust", "Pan Thick", "Pan Pan"],
    "program": ["MS Excel", "MS Word", "MS Access", "MS Teams", "MS Project", "MS Visio"],
    "amount": ["1 200 000", "2 350 000", "890 000", "4 100 500"],
    "mobile_revenue": ["1 200 000", "2 350 000", "8 890 000", "4 100 500"],
    "cell_barcode": [f"{number:07d}" for number in range(40, 90)],
    "isbn": ["9783161484100", "9780306406157", "9781861972712"],
    "loyalty card": ["gold", "silver", "bronze", "none"],
    "taxiway": numbers(123_456, 7),
}  # fmt: skip

PERSONAL = [
    ("names", "patient", ["Ann Smith", "Peter Jones", "Mary Webb", "Otto Grün", "Ruth Abel", "Lisa Dorn"]),
    ("names", "customer_name", ["Ann Smith", "Peter Jones", "Mary Webb", "Otto Grün", "Ruth Abel", "Lisa Dorn"]),
    ("names", "Nachname", ["Grün", "Zwirner", "Ößterreicher", "Kübler", "Abel", "Voß"]),
    ("names", "apellidos", ["Zubizarreta", "Etxeberria", "Quiroga", "Núñez Prado", "Ibáñez", "Urdangarín"]),
    ("names", "Prénom du client", ["Maëlys", "Gwenaëlle", "Yann", "Loïc", "Thibault", "Enora"]),
    ("names", "фамилия", ["Кузнецов", "Соколова", "Лебедев", "Морозова", "Волков", "Зайцева"]),
    ("names", "姓名", ["王伟", "李娜", "张敏", "刘洋"]),
    ("names", "col4", ["Braund, Mr. Owen", "Cumings, Mrs. John", "Heikkinen, Miss. Laina", "Allen, Mr. William",
                       "Moran, Mr. James", "Palsson, Master. Gosta"]),
    ("names", "gast", ["Herr Zwirner", "Frau Kübler", "Herr Voß", "Frau Abel", "Herr Grün", "Frau Dr. Wolf"]),
    ("names", "host", ["Maria", "John", "Fatima", "Olga", "Peter", "Zed", "Ann"]),
    ("telephone numbers", "mobile", ["9876543210", "9812345678", "9900112233", "8123456789"]),
    ("telephone numbers", "Telefon privat", ["030/1234567", "0171 2345678", "089 334455", "040-112233"]),
    ("telephone numbers", "telefono_movil_cliente", ["612 345 678", "699 112 233", "655 998 877"]),
    ("telephone numbers", "cell_phone_number", ["555-0134 22", "(212) 555-0199", "212.555.0187", "212-555-0133"]),
    ("telephone numbers", "携帯電話番号", ["090-1234-5678", "080-2345-6789", "070-3456-7890"]),
    ("telephone numbers", "k9", ["+4915112345678", "+33612345678", "+14155550123", "+919876543210"]),
    ("national identity numbers", "ssn", ["123456789", "234567891", "345678912", "456789123"]),
    ("national identity numbers", "NIK", ["3171011708450001", "3273025206910003", "3578101212800007"]),
    ("national identity numbers", "rodné číslo", ["530101123", "645230222", "510723444"]),
    ("national identity numbers", "passport_no", ["C01X00T47", "L8988901C", "X4RTBPFW4", "C4J2K9M1"]),
    ("national identity numbers", "dni_cliente", ["54362315K", "12345678Z", "87654321X"]),
    ("national identity numbers", "x1", ["529.982.247-25", "111.444.777-35", "390.533.447-05"]),
    ("addresses", "Anschrift", ["Hauptstraße 5", "Lindenweg 12a", "Am Markt 3", "Ringstr. 8", "Goethestraße 1"]),
    ("addresses", "street", ["Rosehill Cottage", "Flat 2, The Mews", "The Old Mill", "Mill House", "Quay Side 4"]),
    ("addresses", "direccion del cliente", ["Calle Mayor 5", "Avenida de la Paz 12", "Plaza Nueva 1"]),
    ("addresses", "地址", ["北京市朝阳区建国路88号", "上海市浦东新区世纪大道100号", "广州市天河路385号"]),
    ("IP addresses", "client", ["10.0.0.1", "10.0.0.17", "10.0.0.23", "10.0.1.9"]),
    ("e-mail addresses", "contact", ["ann@example.org", "bo@example.org", "cy@example.org"]),
    ("bank account numbers", "x2", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32",
                                    "FR1420041010050500013M02606"]),
    ("payment card numbers", "pan", ["4111111111111111", "5500005555555559", "340000000000009"]),
    ("dates of birth", "fecha de nacimiento", ["03/02/2001", "04/12/1987", "17/05/1960"]),
]  # fmt: skip


@pytest.mark.parametrize("header", HARMLESS)
def test_harmless_columns_stay(header: str) -> None:
    assert detect(header, HARMLESS[header]) is None


@pytest.mark.parametrize(("kind", "header", "texts"), PERSONAL)
def test_personal_columns_are_found(kind: str, header: str, texts: list[str]) -> None:
    found = detect(header, texts)
    assert (found.kind if found else None) == kind
