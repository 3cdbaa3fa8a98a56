"""The id columns of results: personal ones as the rows of a run hold them, unless the pipeline file keeps values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelcycle.faults import BadInput
from modelcycle.model.signature import Signature
from modelcycle.personal.decide import DONE
from modelcycle.personal.encryption import encrypting, encryption_key
from modelcycle.personal.treat import treated_sql
from modelcycle.pseudonyms import Macs, pseudonym_key, set_pseudonym_key
from modelcycle.spec import parse
from modelcycle.spec.privacy import Treatment
from modelcycle.store import ChangingStore


def keeps_values(model: str, data: ChangingStore) -> bool:
    """Return whether the pipeline file of now says `privacy: {results: keep}`; one with a fault does not say so."""
    found = data.current(f"pipelines/{model}.yaml")
    if found is None:
        return False
    try:
        return parse(found[0]).privacy.results == "keep"
    except BadInput:
        return False


@dataclass(frozen=True)
class ResultIds:
    """The id columns of a file, and how its results hold them.

    Parameters
    ----------
    names : in the order of the results
    treated : how, by column; the others stay as they stand in the file
    missing_values : texts that mean a missing value: they have no pseudonym
    """

    names: Sequence[str]
    treated: Mapping[str, Treatment] = field(default_factory=dict)
    missing_values: Sequence[str] = ()

    @classmethod
    def of(cls, signature: Signature, columns: Sequence[str], *, keep: bool) -> ResultIds:
        """Return those of a file.

        Parameters
        ----------
        columns : of the file
        keep : whether personal values stay
        """
        names = [name for name in signature.id_columns if name in columns]
        treated: dict[str, Treatment] = {
            name: treatment
            for name in names
            if not keep and (treatment := signature.personal.get(name, "keep")) != "keep"
        }
        return cls(names, treated, signature.missing_values)

    def give_keys(self, engine: Any, keys: Macs, model: str) -> None:
        """Give the engine the keys that `sql` needs; asks the key service only where a column needs one.

        Raises
        ------
        Transient : the key service does not answer
        Fault : the stack has no key any more
        """
        if "pseudonymise" in self.treated.values():
            set_pseudonym_key(engine, pseudonym_key(keys, model))
        if "encrypt" in self.treated.values():
            encrypting(engine, encryption_key(keys, model))

    def sql(self, name: str, text: str) -> str:
        """Return SQL for a cell of the results.

        Parameters
        ----------
        text : SQL of the cell in the file, of type VARCHAR
        """
        if name not in self.treated:
            return text
        return treated_sql(f"({text})", self.treated[name], name, self.missing_values)

    def notes(self) -> list[str]:
        """Return what was decided about personal ids, as a sentence for people.

        >>> ResultIds(["mail", "id"], {"mail": "pseudonymise"}).notes()  # doctest: +ELLIPSIS
        ['mail: pseudonymised in the results, as in the rows; `row` joins them to your file; ...']
        """
        if not self.treated:
            return []
        done = ", ".join(f"{name}: {DONE[treatment]}" for name, treatment in self.treated.items())
        return [
            f"{done} in the results, as in the rows; `row` joins them to your file; privacy: {{results: keep}} keeps"
            " the values"
        ]
