"""Rows of the reference and of a window side by side, for what needs rows: the joint test, and the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelcycle.engine import batches
from modelcycle.model.columns import Texts, Values
from modelcycle.model.reference import Reference, sampled_positions
from modelcycle.model.signature import Signature
from modelcycle.model.window import MAX_SAMPLE_ROWS, WindowSample
from modelcycle.summarize.columns import Rows, Watched
from modelcycle.summarize.traffic import typed_rows


def draw_sample(
    rows: Rows, window: int, watched: Sequence[Watched], signature: Signature, probabilities: Mapping[str, str],
    reference: Reference, missing_values: Sequence[str],
) -> WindowSample:  # fmt: skip
    """Draw at most MAX_SAMPLE_ROWS rows of the reference and of one window, chosen by their hash.

    Parameters
    ----------
    window : its position in `rows.windows`
    watched : columns of the sample
    probabilities : by class: SQL of its probability
    """
    positions = sampled_positions(reference.rows, MAX_SAMPLE_ROWS)
    live, live_scores = _live(rows, rows.windows[window], watched, signature, probabilities, missing_values)
    columns, texts = [], []
    for column in watched:
        expected = reference.values(column.name)
        if expected is None:
            continue
        chosen = (
            Texts(expected.codes[positions], expected.levels) if isinstance(expected, Texts) else expected[positions]
        )
        columns.append((column.name, *_as_numbers(chosen, live[column.name])))
        texts.append(isinstance(expected, Texts))
    before = [values for _, values, _ in columns]
    now = [values for _, _, values in columns]
    return WindowSample(
        names=[name for name, _, _ in columns],
        texts=np.array(texts, dtype=np.bool_),
        reference=np.column_stack(before) if before else np.zeros((len(positions), 0), dtype=np.float32),
        live=np.column_stack(now) if now else np.zeros((len(live_scores), 0), dtype=np.float32),
        reference_scores=reference.scores[positions],
        live_scores=live_scores,
        target=reference.target[positions].astype(np.float32),
    )


def _live(
    rows: Rows, window: str, watched: Sequence[Watched], signature: Signature, probabilities: Mapping[str, str],
    missing_values: Sequence[str],
) -> tuple[dict[str, Values], np.ndarray[tuple[int, int], np.dtype[np.float32]]]:  # fmt: skip
    """Return columns (n,) of the window's rows whose hashes are the smallest, and their scores (n, k)."""
    scores = [
        f"({expression})::FLOAT"
        for expression in (
            ["try_cast(prediction AS DOUBLE)"]
            if signature.task == "regression"
            else [probabilities[name] for name in signature.classes]
        )
    ]
    chosen = f"{window} AND {' AND '.join(f'isfinite({score})' for score in scores)}"
    rows.engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE chosen AS SELECT hash(prediction_id) AS hash FROM {rows.source}
            WHERE {chosen} ORDER BY 1 LIMIT {MAX_SAMPLE_ROWS}"""
    )
    bound = rows.engine.execute("SELECT max(hash) FROM chosen").fetchone()[0]
    source = f"(FROM {rows.source} WHERE {chosen} AND hash(prediction_id) <= {bound})"
    order = "ORDER BY hash(prediction_id), prediction_id"
    columns: dict[str, Values] = {}
    scored = {f"score{n}": score for n, score in enumerate(scores)}
    live_scores = np.zeros((0, len(scores)), dtype=np.float32)
    for batch in batches([column for column in watched if column.cell]) if bound is not None else ():
        sent = [(column.cell, column.profile) for column in batch if column.cell]
        typed = typed_rows(source, sent, missing_values, {"prediction_id": "prediction_id", **scored})
        fetched = rows.engine.execute(f"SELECT * FROM {typed} {order}").fetchnumpy()
        live_scores = np.column_stack([np.ma.filled(fetched[name], np.nan) for name in scored])
        for n, column in enumerate(batch):
            values = fetched[f"value{n}"]
            columns[column.name] = (
                Texts.of(np.ma.asarray(values).tolist())  # None where masked; `filled` would write "?"
                if column.profile.type == "text"
                else np.ma.filled(values.astype(np.float32), np.nan)
            )
    for column in watched:
        if column.name not in columns:
            none: Values = np.full(len(live_scores), np.nan, np.float32)
            if column.profile.type == "text":
                none = Texts(np.full(len(live_scores), -1, np.int32), [])
            columns[column.name] = none
    return columns, live_scores


def _as_numbers(before: Values, now: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides as float32 (n,), NaN without a value; texts as codes of levels that both share."""
    if not isinstance(before, Texts) or not isinstance(now, Texts):
        assert not isinstance(before, Texts) and not isinstance(now, Texts)
        return before.astype(np.float32), now.astype(np.float32)
    levels = sorted({*_held(before), *_held(now)})
    code_of = {level: code for code, level in enumerate(levels)}
    sides = []
    for texts in (before, now):
        table = np.array([*(code_of.get(level, np.nan) for level in texts.levels), np.nan], dtype=np.float32)
        sides.append(table[texts.codes])
    return sides[0], sides[1]


def _held(texts: Texts) -> set[str]:
    return {texts.levels[code] for code in np.unique(texts.codes) if code >= 0}
