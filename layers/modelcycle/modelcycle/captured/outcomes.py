"""Outcomes that people have sent back: what really happened, and to which prediction it belongs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modelcycle.captured.lines import json_lines
from modelcycle.captured.outcome_rows import OutcomeColumns, OutcomeRows, key_sql, read_outcomes
from modelcycle.cells.numbers import separators
from modelcycle.cells.reading import Reading, parsed_number, parsed_sql, present_text_sql
from modelcycle.cells.times import TIME_FORMATS
from modelcycle.engine import Engine
from modelcycle.json_pointer import json_pointer
from modelcycle.model.signature import Signature
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

MAX_SPELLINGS = 10_000  # different outcomes of a classification
MAX_DAYS_AHEAD = 1  # of an outcome's time before its arrival; more is a wrong clock or a typing error
ARRIVED_LATER = "coalesce(arrived, 'infinity'::TIMESTAMPTZ), object, line"
LATER = f"happened, {ARRIVED_LATER}"
"""Of two outcomes of a prediction, the one that is greater by these counts."""


class MatchedOutcomes(NamedTuple):
    """What became of the rows of the table `told`.

    Parameters
    ----------
    known : predictions whose outcome is known
    other : rows whose outcome is neither a class of the model nor a number, as the task wants it
    unknown : rows that belong to no prediction
    twice : rows that repeat an outcome of the same prediction
    contradictory : predictions of which different outcomes were told
    out_of_order : predictions whose latest outcome was not the last to arrive
    early : rows whose outcome happened before the prediction
    ahead : rows whose time lies more than MAX_DAYS_AHEAD after their arrival; the arrival counts
    ambiguous : those of `other` that are one number as the data write numbers, and another with a decimal point
    """

    known: int = 0
    other: int = 0
    unknown: int = 0
    twice: int = 0
    contradictory: int = 0
    out_of_order: int = 0
    early: int = 0
    ahead: int = 0
    ambiguous: int = 0


def load_outcomes(
    engine: Engine, data: Store, objects: Sequence[Listed], folder: Path, signature: Signature, target: Reading | None
) -> list[str]:
    """Create the table `known`: the latest outcome of each prediction id, as `class` or as the number `value`.

    Parameters
    ----------
    objects : newest first
    folder : for the work; the caller removes it
    signature, target : see `value_outcomes`

    Returns
    -------
    what was left out, as sentences
    """
    read = read_outcomes(engine, data, objects, folder, OutcomeColumns(signature.target))
    value_outcomes(engine, signature, target)
    engine.execute(
        f"""CREATE TABLE known AS SELECT id, class, value FROM valued
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY ({LATER}) DESC) = 1"""
    )
    told, known = engine.execute(
        "SELECT (SELECT count(DISTINCT id) FROM told), (SELECT count(*) FROM known WHERE id IS NOT NULL)"
    ).fetchone()
    notes: list[str] = []
    if read.unread:
        notes.append(f"objects with outcomes that could not be read: {read.unread:,}")
    if read.without:
        notes.append(f"objects with outcomes that have no row with a prediction_id and an outcome: {read.without:,}")
    if known < told:
        what = "a number" if signature.task == "regression" else "a class of the model"
        notes.append(f"{told - known:,} of {told:,} outcomes are not {what}")
    return notes


def value_outcomes(engine: Engine, signature: Signature | None, target: Reading | None) -> int:
    """Create the table `valued`: the rows of `told` with `class` and `value`, the class's code or the number.

    Parameters
    ----------
    signature : None: every outcome counts, as a text
    target : how the data write its numbers: `3.500` may be 3500; None: with a point, or the target is no number.
        What is not written so is read with a decimal point, unless that could mean thousands: see `ambiguous_sql`.
        What means a missing value in the data, such as -999, is no outcome

    Returns
    -------
    rows whose outcome is none of the model's; they are not in the table
    """
    if signature is None:
        engine.execute("CREATE OR REPLACE TABLE valued AS SELECT *, outcome AS class, outcome AS value FROM told")
    elif signature.task == "regression":
        told = present_text_sql(target.missing_values if target else [], "outcome")
        plain = f"CASE WHEN NOT {ambiguous_sql(target)} THEN try_cast({told} AS DOUBLE) END"
        written = parsed_sql(target, "outcome") if target and target.type == "number" else plain
        engine.execute(
            f"""CREATE OR REPLACE TABLE valued AS
                FROM (SELECT *, NULL::VARCHAR AS class, CASE WHEN number IS NULL
                  THEN coalesce({written}, {plain}) ELSE {_sent_sql(target)} END AS value FROM told)
                WHERE isfinite(value)"""
        )
    else:
        spellings = engine.execute(f"SELECT DISTINCT outcome FROM told LIMIT {MAX_SPELLINGS}").fetchall()
        engine.execute("CREATE OR REPLACE TABLE spelled (outcome VARCHAR, class VARCHAR, value DOUBLE)")
        classes = {text: class_of(text, signature.classes) for (text,) in spellings}
        named = [[text, name, signature.classes.index(name)] for text, name in classes.items() if name is not None]
        if named:
            engine.connection.executemany("INSERT INTO spelled VALUES (?, ?, ?)", named)
        engine.execute("CREATE OR REPLACE TABLE valued AS SELECT * FROM told JOIN spelled USING (outcome)")
    told, valued = (engine.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("told", "valued"))
    return int(told - valued)


def _sent_sql(target: Reading | None) -> str:
    """Return SQL for an outcome that was sent as a JSON number, NULL if that number means a missing value.

    >>> _sent_sql(None), _sent_sql(Reading(type="number", format="1234,56", missing_values=["-", "-999"]))
    ('number', 'CASE WHEN number NOT IN (-999.0) THEN number END')
    """
    texts = target.missing_values if target and target.type == "number" else []
    numbers = {parsed_number(text, target.format) for text in texts} - {None} if target else set()
    listed = ", ".join(sorted(repr(number) for number in numbers))
    return f"CASE WHEN number NOT IN ({listed}) THEN number END" if listed else "number"


def ambiguous_sql(target: Reading | None) -> str:
    """Return SQL whether an outcome is no number as the data write numbers, but may mean thousands: 1.500 beside 12,5.

    >>> ambiguous_sql(None), ambiguous_sql(Reading(type="number", format="1.234,56"))
    ('false', 'false')
    """
    if target is None or target.type != "number" or target.format in ("", *TIME_FORMATS):
        return "false"
    thousands, mark = separators(target.format)
    if mark != "," or thousands == ".":
        return "false"
    looks = "regexp_full_match(outcome, '[+-]?[1-9][0-9]{0,2}[.][0-9]{3}')"
    return f"({looks} AND {parsed_sql(target, 'outcome')} IS NULL)"


def match_outcomes(engine: Engine, signature: Signature | None, target: Reading | None) -> MatchedOutcomes:
    """Create the table `matched`: the latest outcome of each prediction of which one is known.

    An outcome with a prediction id belongs to that prediction. One with id columns alone belongs to the entity's last
    prediction before the outcome happened. The table has the columns of `told`, where `id` is the prediction's, and
    `asked` and `value`.

    Parameters
    ----------
    engine : with the tables `told` (`read_outcomes`) and `predictions` (id, key, asked), each id once
    signature, target : see `value_outcomes`
    """
    other = value_outcomes(engine, signature, target)
    engine.execute(
        """CREATE OR REPLACE TABLE pairs AS
           SELECT v.*, p.asked FROM valued v JOIN predictions p ON v.id = p.id
           UNION ALL
           SELECT v.* REPLACE (p.id AS id), p.asked
           FROM (FROM valued WHERE id IS NULL) v
           ASOF JOIN (FROM predictions WHERE key IS NOT NULL) p ON v.key = p.key AND v.happened >= p.asked"""
    )
    engine.execute(
        f"""CREATE OR REPLACE TABLE matched AS FROM pairs
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY ({LATER}) DESC) = 1"""
    )
    known, rows, values, contradictory = engine.execute(
        """SELECT count(*), coalesce(sum(n), 0), coalesce(sum(different), 0), count(*) FILTER (different > 1)
           FROM (SELECT count(*) AS n, count(DISTINCT value) AS different FROM pairs GROUP BY id)"""
    ).fetchone()
    (out_of_order,) = engine.execute(
        f"""SELECT count(*) FROM (
              SELECT arg_max(value, ({LATER})) AS latest, arg_max(value, ({ARRIVED_LATER})) AS last
              FROM pairs GROUP BY id)
            WHERE latest <> last"""
    ).fetchone()
    (early,) = engine.execute("SELECT count(*) FROM pairs WHERE told_at < asked").fetchone()
    (ambiguous,) = engine.execute(
        f"SELECT count(*) FROM told WHERE number IS NULL AND {ambiguous_sql(target)}"
        if signature is not None and signature.task == "regression"
        else "SELECT 0"
    ).fetchone()
    valued, ahead = engine.execute(
        f"SELECT count(*), count(*) FILTER (told_at > arrived + INTERVAL {MAX_DAYS_AHEAD} DAY) FROM valued"
    ).fetchone()
    return MatchedOutcomes(
        known=known, other=other, unknown=valued - int(rows), twice=int(rows) - int(values),
        contradictory=contradictory, out_of_order=out_of_order, early=early, ahead=ahead,
        ambiguous=ambiguous,
    )  # fmt: skip


def create_predictions(engine: Engine, files: Sequence[Path], id_columns: Sequence[str]) -> int:
    """Create the table `predictions` of captured answers; return their number.

    Parameters
    ----------
    files : of captured lines, unpacked
    """
    texts = [f"json_extract_string(json, {literal(json_pointer('instance', name))})" for name in id_columns]
    engine.execute(
        f"""CREATE OR REPLACE TABLE predictions AS
            SELECT json ->> '$.prediction_id' AS id, any_value({key_sql(texts)}) AS key,
              any_value(try_cast(json ->> '$.at' AS TIMESTAMPTZ)) AS asked
            FROM ({json_lines(files)})
            WHERE json ->> '$.prediction_id' IS NOT NULL AND json ->> '$.shadow' IS NULL GROUP BY id"""
    )
    return int(engine.execute("SELECT count(*) FROM predictions").fetchone()[0])


def count_told_before(
    engine: Engine, data: Store, objects: Sequence[Listed], folder: Path, columns: OutcomeColumns,
    signature: Signature | None, target: Reading | None,
) -> tuple[int, int]:  # fmt: skip
    """Return of how many predictions in `matched` earlier objects tell the same outcome, and of how many another.

    Replaces `told`, `valued`, `pairs` and `matched` by those of the earlier objects.

    Parameters
    ----------
    objects : newest first
    folder : for the work; the caller removes it
    signature, target : see `value_outcomes`
    """
    engine.execute("CREATE OR REPLACE TABLE sent AS SELECT id, value FROM matched")
    read_outcomes(engine, data, objects, folder, columns)
    match_outcomes(engine, signature, target)
    same, other = engine.execute(
        """SELECT count(*) FILTER (s.value = e.value), count(*) FILTER (s.value <> e.value)
           FROM sent s JOIN matched e USING (id)"""
    ).fetchone()
    return int(same), int(other)


def count_late(engine: Engine, days: int) -> int:
    """Return how many predictions got their outcome, the latest, more than so many days after they were answered."""
    (late,) = engine.execute(f"SELECT count(*) FROM matched WHERE arrived > asked + INTERVAL {days:d} DAY").fetchone()
    return int(late)


def told_as_sentences(read: OutcomeRows, matched: MatchedOutcomes, signature: Signature) -> list[str]:
    """Return what of the outcomes was left out, or is odd."""
    what = "a number" if signature.task == "regression" else "a class of the model"
    counted = {
        "objects with outcomes that could not be read: {:,}": read.unread,
        "objects without any outcome: {:,}": read.without,
        "rows of outcomes without an id or an outcome: {:,}": read.incomplete,
        f"outcomes that are not {what}: {{:,}}": matched.other - matched.ambiguous,
        "outcomes such as 1.500, which may mean thousands; write a decimal comma: {:,}": matched.ambiguous,
        "outcomes that belong to no prediction of the time that is looked at: {:,}": matched.unknown,
        "predictions with contradictory outcomes, of which the latest counts: {:,}": matched.contradictory,
        "predictions whose latest outcome arrived before an older one: {:,}": matched.out_of_order,
        "outcomes of a time before their prediction; they count: {:,}": matched.early,
        "outcomes of a time after their arrival; the arrival counts: {:,}": matched.ahead,
    }
    return [text.format(number) for text, number in counted.items() if number]


def class_of(text: str, classes: Sequence[str]) -> str | None:
    """Return the class that an outcome names; systems write the same class as 1, 1.0 or true.

    >>> class_of("yes", ["no", "yes"]), class_of("1.0", ["0", "1"]), class_of("True", ["false", "true"])
    ('yes', '1', 'true')
    >>> class_of("1,0", ["0", "1"]), class_of("maybe", ["no", "yes"]) is None
    ('1', True)
    >>> class_of("Sí", ["no", "si"]), class_of("ANO", ["año", "mes"]), class_of("Ano", ["año", "ano"])
    ('si', 'año', 'ano')
    """
    if text in classes:
        return text
    for same in (str.casefold, _without_accents, _as_number):
        wanted = same(text)
        matching = [name for name in classes if wanted is not None and same(name) == wanted]
        if len(matching) == 1:
            return matching[0]
    return None


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _as_number(text: str) -> float | None:
    decimal_comma = re.fullmatch(r"[+-]?[0-9]+,[0-9]{1,2}", text)  # three digits may be thousands
    try:
        return float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return None
