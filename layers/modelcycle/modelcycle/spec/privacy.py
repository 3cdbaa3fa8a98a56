"""The section `privacy`: what happens to columns that hold personal data, before anything of a row is stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelcycle.spec.section import ColumnName, Section

Treatment = Literal["drop", "mask", "pseudonymise", "encrypt", "keep"]
"""Drop: the values are not stored. Mask: their form stays (`Xxx Xxxx`, `##-##`). Pseudonymise: equal values get equal
pseudonyms, by a key that never leaves KMS. Encrypt: only who may decrypt by the stack's key can read them. Keep: as it
is, and found no more."""


class Privacy(Section):
    """Columns with personal data. Treated columns never enter the model, and no value of them is stored by a run."""

    columns: dict[ColumnName, Treatment] = Field(
        {}, description="by column: drop, mask, pseudonymise, encrypt, or keep, which also ends that it is found"
    )
    detected: Literal["treat", "tell", "fail"] = Field(
        "treat",
        description="columns that look personal and are not listed; treat: identifiers and keys are pseudonymised, the"
        " others dropped, and it is said; tell: they are kept, and it is said; fail: the run fails",
    )

    results: Literal["treat", "keep"] = Field(
        "treat",
        description="id columns in the results of batch scoring; treat: as the rows of a run hold them, such as"
        " pseudonyms; keep: as they stand in the file that was scored",
    )

    def treated(self, *treatments: Treatment) -> list[str]:
        """Return the listed columns with one of these treatments, sorted.

        >>> Privacy(columns={"email": "drop", "id": "pseudonymise"}).treated("drop", "mask")
        ['email']
        """
        return sorted(name for name, treatment in self.columns.items() if treatment in treatments)
