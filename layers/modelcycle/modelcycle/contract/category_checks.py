"""Categories that the rule, or the contract, does not have."""

from __future__ import annotations

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DECLARED, DEFAULT, MAX_NEW_CATEGORY_SHARE, MAX_RESPELLED_SHARE
from modelcycle.contract.matching import same_letters
from modelcycle.contract.shifts import continues, cut
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Violation, with_share
from modelcycle.spec import Rules
from modelcycle.sql_literal import literal

MAX_CATEGORIES = 1000  # distinct texts of a batch that are compared
MAX_NAMED = 3  # in a sentence


def check_categories(batch: Batch, contract: Contract | None, rules: Rules, target: str) -> list[Violation]:
    """Return the text columns with categories that the rule, or the contract, does not have."""
    terms = contract.terms() if contract is not None else {}
    found = []
    for name, reading in batch.readings.items():
        if reading.type != "text" or name not in batch.texts:
            continue
        rule, then = rules.column(name).categories, terms.get(name)
        if rule == "open" or (rule is None and (then is None or then.open or not then.levels or name == target)):
            continue
        known = rule if rule is not None else then.levels if then is not None else []
        present = batch.present(name)
        if not batch.counts(name).keys() - {*known}:
            continue
        levels = measured.levels(batch.engine, batch.source, present, MAX_CATEGORIES)
        values = sum(level.rows for level in levels)
        new = [
            level for level in levels
            if level.text not in set(known) and (rule is not None or not continues(level.text, known))
        ]  # fmt: skip
        if not new:
            continue
        count = sum(level.rows for level in new)
        respelled = {level.text: old for level in new if (old := same_letters(level.text, known)) is not None}
        respelled_rows = sum(level.rows for level in new if level.text in respelled)
        if rule is not None:
            level = rules.level("categories", name, DECLARED["categories"])
        else:
            in_blocks = len(new) > 1 and all(level.blocks == 1 for level in new)
            grave = respelled_rows > MAX_RESPELLED_SHARE * values or (
                count > MAX_NEW_CATEGORY_SHARE * values and not in_blocks and count >= 30
            )
            level = rules.level("categories", name, "ask" if grave else DEFAULT["categories"])
        named = ", ".join(
            repr(cut(level.text)) + (f" (likely {cut(respelled[level.text])!r})" if level.text in respelled else "")
            for level in new[:MAX_NAMED]
        )
        more = f" and {len(new) - MAX_NAMED:,} more" if len(new) > MAX_NAMED else ""
        listed = ", ".join(literal(level.text) for level in new[:100])
        told = f"{with_share(count, values)} {'is' if count == 1 else 'are'}"
        noun = "a new category" if len(new) == 1 else "new categories"
        found.append(
            Violation(
                anomaly="ENUM_TYPE_UNEXPECTED_STRING_VALUES", check="categories", level=level, column=name, count=count,
                of=values, what=f"{name}: {told} {noun}: {named}{more}",
                match=next(iter(respelled.values()), None),
                examples=batch.examples(f"({present}) IN ({listed})", batch.texts[name]),
            )
        )  # fmt: skip
    return found
