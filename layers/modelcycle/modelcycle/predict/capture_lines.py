"""What is captured of an answer: the lines of its rows, as the pipeline file's section `capture` allows.

A line: {"prediction_id", "at", "model", "version", "ms", "of", "prediction", "probabilities", "instance"}; "assigned"
and "failure" where another version answered than the route named; "masked" names the columns whose values are hidden. A
line of the shadow version also has {"shadow": true, "beside": prediction id of the answered row}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from modelcycle.model.answer import Answer
from modelcycle.predict.personal_values import Pseudonymise
from modelcycle.predict.predict import Served

MASKED = "(masked)"  # in place of a value; `masked` of the line names the columns, so that no value is taken for it

_to_json = json.JSONEncoder(allow_nan=False).encode


def is_sampled(answer: Served) -> bool:
    """Return whether an answer is captured; the same request (idempotency key) always has the same result."""
    champion = answer.loaded.get(answer.route.champion or 0)
    share = champion.capture.sample if champion else 1.0
    if share >= 1:
        return True
    digest = hashlib.sha256(json.dumps(["capture", answer.model, answer.key]).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def capture_lines(
    answer: Answer,
    at: datetime,
    masked: Sequence[str],
    beside: Sequence[str] = (),
    pseudonyms: Mapping[str, Pseudonymise] | None = None,
) -> Iterator[bytes]:
    """Yield the lines of an answer, one per row.

    Parameters
    ----------
    masked : columns whose values are hidden
    beside : for an answer of the shadow version, the prediction ids of the answered rows
    pseudonyms : by column, what replaces its values
    """
    replaced = pseudonyms or {}
    for row, record in enumerate(answer.records(at)):
        instance, text = record.pop("instance"), answer.texts[row]
        hidden = [name for name in masked if instance.get(name) is not None]
        if hidden:
            record["masked"] = hidden
        changed = dict.fromkeys(hidden, MASKED) | {
            name: replace(instance[name])
            for name, replace in replaced.items()
            if instance.get(name) is not None and name not in hidden
        }
        if changed:
            text = json.dumps(instance | changed, sort_keys=True)
        if beside:
            record |= {"shadow": True, "beside": beside[row]}
        # the instance has been written once already
        yield f'{_to_json(record)[:-1]}, "instance": {text}}}\n'.encode()


def masked_columns(answer: Served) -> list[str]:
    """Return the columns that any of the model's versions in memory masks, sorted."""
    return sorted({name for version in answer.loaded.values() for name in version.capture.mask})
