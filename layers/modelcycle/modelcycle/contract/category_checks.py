"""Categories that the rule, or the contract, does not have."""

from __future__ import annotations

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DECLARED, DEFAULT, MAX_NEW_CATEGORY_SHARE, MAX_RESPELLED_SHARE
from modelcycle.contract.matching import same_letters
from modelcycle.contract.quoting import IN_REPORT, may_quote
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
        rows_then = dict(zip(then.levels, then.counts, strict=False)) if then is not None else {}
        usual = {
            text: old for text, old in respelled.items()
            if name not in batch.personal and (rule is not None or may_quote(rows_then.get(old, 0)))
        }  # fmt: skip
        shown = [
            one.text for one in new if one.text in usual or may_quote(one.rows, personal=name in batch.personal)
        ][:MAX_NAMED]  # fmt: skip
        named = ", ".join(
            repr(cut(text)) + (f" (likely {cut(usual[text])!r})" if text in usual else "") for text in shown
        )
        more = f" and {len(new) - len(shown):,} more" if len(new) > len(shown) else ""
        which = f": {named}{more}" if shown else f" ({len(new):,} of few rows or personal; {IN_REPORT})"
        listed = ", ".join(literal(level.text) for level in new[:100])
        told = f"{with_share(count, values)} {'is' if count == 1 else 'are'}"
        noun = "a new category" if len(new) == 1 else "new categories"
        found.append(
            Violation(
                anomaly="ENUM_TYPE_UNEXPECTED_STRING_VALUES", check="categories", level=level, column=name, count=count,
                of=values, what=f"{name}: {told} {noun}{which}",
                match=next(iter(respelled.values()), None),
                examples=batch.examples(f"({present}) IN ({listed})", batch.texts[name]),
            )
        )  # fmt: skip
    return found
