"""Personal fields of outcomes: what is stored of them is what the rows and captures of the model hold."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import BaseModel

from modelcycle.accept_feedback.outcomes_request import AT, ID, OUTCOME
from modelcycle.faults import Unknown
from modelcycle.pseudonyms import Macs, pseudonym, pseudonym_key
from modelcycle.registry import Registry, Route
from modelcycle.spec.privacy import Treatment
from modelcycle.store import Store

MAX_SIGNATURES = 32  # of which the personal columns are in memory


class _Personal(BaseModel):
    """What is read of a signature; the whole needs NumPy, which this function does not have."""

    personal: dict[str, Treatment] = {}
    missing_values: list[str] = []


class Treated(NamedTuple):
    """Outcomes without personal values, and the key of their pseudonyms; None if there are none."""

    rows: list[dict[str, Any]]
    key: bytes | None = None

    def tag(self, sent: bytes, kept: bytes) -> bytes:
        """Return a code of a request, from which nobody can try out values.

        Parameters
        ----------
        sent : the bytes of its outcomes
        kept : these without personal values: what was only left out stands in no name
        """
        return kept if self.key is None else hmac.digest(self.key, sent, "sha256")


def treat_fields(
    model: str, rows: list[dict[str, Any]], *, registry: Registry, artifacts: Store, keys: Macs
) -> Treated:
    """Return the outcomes as they are stored: an id that captures hold as a pseudonym is one, other personal fields go.

    What one version of the route treats is treated, however capital letters stand in the field's name.

    Raises
    ------
    Transient : the key service does not answer
    Tampered : what a version says is personal was changed; nobody knows what may be stored
    Fault : the stack has no key any more
    """
    if all(name in (ID, OUTCOME, AT) for row in rows for name in row):
        return Treated(rows)
    dropped: set[str] = set()
    missing: dict[str, Sequence[str]] = {}
    for columns in _personal_columns(model, registry.routes.get(model), registry, artifacts):
        dropped |= {name for name, words in columns.items() if words is None}
        missing |= {name: words for name, words in columns.items() if words is not None}
    missing = {name: words for name, words in missing.items() if name not in dropped}
    named = {name.casefold() for row in rows for name in row}
    key = pseudonym_key(keys, model) if named & missing.keys() else None
    made: dict[str, Callable[[Any], Any]] = {}
    if key is not None:
        made = {name: _with(key, words) for name, words in missing.items()}
    return Treated([_treated(row, dropped, made) for row in rows], key)


def _with(key: bytes, words: Sequence[str]) -> Callable[[Any], Any]:
    return lambda value: pseudonym(key, value, words)


def _treated(row: dict[str, Any], dropped: set[str], made: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {
        name: made[name.casefold()](value) if name.casefold() in made and name not in (ID, OUTCOME, AT) else value
        for name, value in row.items()
        if name in (ID, OUTCOME, AT) or name.casefold() not in dropped
    }


_known: dict[str, dict[str, list[str] | None]] = {}  # by the SHA-256 of a signature


def _personal_columns(
    model: str, route: Route, registry: Registry, artifacts: Store
) -> list[dict[str, list[str] | None]]:
    """Return the personal columns of each version of the route: words for a missing value, None if they are dropped."""
    found = []
    for number in sorted({*route.weights, route.champion or 0, route.previous or 0, route.shadow or 0} - {0}):
        with suppress(Unknown):  # a version that is gone captures nothing
            signature = registry.versions.get(model, number).signature
            if signature.sha256 not in _known:
                read = _Personal.model_validate_json(artifacts.read(signature))
                if len(_known) >= MAX_SIGNATURES:
                    del _known[next(iter(_known))]
                _known[signature.sha256] = {
                    name.casefold(): read.missing_values if treatment == "pseudonymise" else None
                    for name, treatment in read.personal.items()
                    if treatment != "keep"
                }
            found.append(_known[signature.sha256])
    return found
