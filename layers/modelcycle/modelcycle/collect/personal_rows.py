"""The personal columns of a run: which there are, and the rows without what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelcycle.faults import BadData, NotAllowed
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal import decide_personal, detect, treat_rows, treated_columns, values
from modelcycle.personal.decide import DONE
from modelcycle.personal.encryption import encrypting, encryption_key
from modelcycle.pseudonyms import Macs, pseudonym_key, set_pseudonym_key
from modelcycle.reading import TextTable
from modelcycle.spec import Pipeline
from modelcycle.sql_literal import literal

FORMS = (values.is_email, values.is_iban, values.is_card, values.is_international_phone)
HEADER_ROWS = 200  # of a file whose columns are compared with the contract


def check_names(names: Sequence[str], where: str) -> None:
    """Check that no column is named like a person's data: names are stored, and messages quote them.

    Parameters
    ----------
    where : the file

    Raises
    ------
    BadData : of a file without a header, for example
    """
    if any(form(name) for name in names for form in FORMS):
        raise BadData(
            "the first line holds personal data where names of columns are expected: has the file no header?", where,
            "write the names of the columns into the first line",
        )  # fmt: skip


@dataclass(frozen=True)
class PersonalRows:
    """What a run does with columns of personal data.

    Parameters
    ----------
    pipeline : the pipeline file
    known : what was found for the live version
    keys : of pseudonyms; None: this stack has none
    earlier : how a run has treated the columns whose rows are made again
    """

    pipeline: Pipeline
    known: Mapping[str, PersonalColumn]
    keys: Macs | None
    earlier: Mapping[str, PersonalColumn] | None = None

    @property
    def has_key(self) -> bool:
        """Whether this stack can make pseudonyms."""
        return self.keys is not None and self.keys.makes_macs

    def parameters(self) -> dict[str, Any]:
        """Return what of it decides about the result of the step."""
        pipeline = self.pipeline
        known = {name: column.kind for name, column in self.known.items() if column.by == "detected"}
        return pipeline.privacy.model_dump(exclude={"results"}) | {
            "known": known, "has_key": self.has_key, "group_by": pipeline.group_by,
            "features": pipeline.features.model_dump(), "sensitive": pipeline.sensitive_columns,
            "missing": pipeline.missing_everywhere,
        }  # fmt: skip

    def decided(
        self, engine: Any, shards: Sequence[Path], names: Sequence[str], rows: int
    ) -> dict[str, PersonalColumn]:
        """Return the personal columns of a snapshot, see `decide_personal`."""
        if self.earlier is not None:
            self._check_key(self.earlier)
            return dict(self.earlier)
        known = {name: column for name, column in self.known.items() if column.by == "detected"}
        return decide_personal(
            engine, shards, names, rows, self.pipeline, known, has_key=self.has_key
        )  # fmt: skip

    def _check_key(self, personal: Mapping[str, PersonalColumn]) -> None:
        if not self.has_key and (needed := treated_columns(personal, "pseudonymise", "encrypt")):
            raise NotAllowed(
                f"the rows hold {DONE[personal[needed[0]].treatment]} values ({needed[0][:60]}), and only functions of"
                " the stack may ask for its key", self.pipeline.name,
                "the next run of the stack makes the rows again from the same files",
            )  # fmt: skip

    def treated(
        self, engine: Any, shards: Sequence[Path], names: Sequence[str], personal: Mapping[str, PersonalColumn]
    ) -> list[Path]:
        """Return the rows with treated columns, see `treat_rows`."""
        if self.keys is not None and shards and treated_columns(personal, "pseudonymise"):
            set_pseudonym_key(engine, pseudonym_key(self.keys, self.pipeline.name))
        if self.keys is not None and treated_columns(personal, "encrypt"):
            encrypting(engine, encryption_key(self.keys, self.pipeline.name))
        return treat_rows(engine, shards, names, personal, self.pipeline.missing_everywhere)

    def visible(self, engine: Any, table: TextTable) -> TextTable:
        """Return a file's rows without the values of personal columns, for reports that quote what is wrong."""
        listed = self.pipeline.privacy.columns
        columns = ", ".join(f"c{number}" for number in range(len(table.names)))
        first = engine.execute(
            f"SELECT {columns} FROM read_parquet({literal(table.path)}) LIMIT {HEADER_ROWS}"
        ).fetchall()
        hidden = {}
        for number, name in enumerate(table.names):
            texts = [row[number] for row in first if row[number]]
            found = name not in listed and (name in self.known or detect(name, texts) is not None)
            if listed.get(name, "keep") != "keep" or found:
                hidden[number] = f"NULL::VARCHAR AS c{number}"
        if not hidden:
            return table
        shown = ", ".join(hidden.get(number, f"c{number}") for number in range(len(table.names)))
        path = table.path.with_suffix(".visible.parquet")
        engine.execute(
            f"COPY (SELECT file, row, {shown} FROM read_parquet({literal(table.path)})) TO {literal(path)}"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        return replace(table, path=path)
