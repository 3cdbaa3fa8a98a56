"""Rows of people who do not exist, and a search for what is personal of them in everything that was stored."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from stdnum import luhn

FIRST = ["Zebulon", "Quirina", "Maria", "Thomas", "Xanthippe", "Peter", "Fatima", "Ines", "Olga", "Rahul"]
LAST = ["Oddsworth", "Plimsollberg", "Vandermolen", "Krzyzewskaja", "Abernethyson", "Fitzwobble"]


def people(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Return rows with personal columns, two features, and a target that one of them explains."""
    random_of = random.Random(seed)
    rows = []
    for number in range(count):
        first, last = random_of.choice(FIRST), random_of.choice(LAST)
        age = random_of.randint(18, 90)
        card = f"4{random_of.randrange(10**14):014d}"
        rows.append({
            "customer": f"K{730_000 + number * 17}", "Kontakt": f"{first}.{last}.{number}@example.org".lower(),
            "Full Name": f"{first} {last}{'a' * (number % 3)}", "fon": f"+49 171 {random_of.randrange(10**7):07d}",
            "zahlung": card + luhn.calc_check_digit(card), "age": str(age),
            "city": random_of.choice(["Ulm", "Bonn", "Kiel"]),
            "left": "yes" if age + random_of.gauss(0, 8) > 55 else "no",
        })  # fmt: skip
    return rows


def csv_of(rows: Iterable[Mapping[str, str]]) -> bytes:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def secrets_of(rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> list[str]:
    """Return the values that nothing may hold: those of the columns, and the parts of names."""
    values: set[str] = set()
    for row in rows:
        for column in columns:
            values |= {row[column]}
    return sorted(values)


def decoded(key: str, body: bytes) -> str:
    """Return all texts of an object: packed, and those of Parquet and npz files."""
    if body[:2] == b"\x1f\x8b":
        return decoded(key, gzip.decompress(body))
    if body[:4] == b"PAR1":
        with TemporaryDirectory() as folder, duckdb.connect() as engine:
            path = Path(folder, "x.parquet")
            path.write_bytes(body)
            rows: Any = engine.execute(f"SELECT * FROM '{path}'").fetchall()
            return body.decode("latin-1") + "\n".join(map(str, rows))
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    return body.decode("utf-8", "replace")


def found_in(objects: Mapping[str, bytes], secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return where a value stands: key of the object, and the value."""
    texts = {key: decoded(key, body) for key, body in objects.items()}
    return [(key, value) for value in secrets for key, text in texts.items() if value in text]
