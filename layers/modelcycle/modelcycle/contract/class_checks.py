"""Classes of the target that are renamed, new, gone, or far more frequent than before."""

from __future__ import annotations

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DEFAULT, MAX_CLASS_MOVE, MIN_GONE, MIN_STANDARD_ERRORS
from modelcycle.contract.matching import match_texts, same_letters
from modelcycle.contract.quoting import IN_REPORT, may_quote
from modelcycle.contract.shifts import cut
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Anomaly, Violation
from modelcycle.model.class_labels import label_sql
from modelcycle.model.proportions import proportions_z
from modelcycle.spec import Level, Rules

MAX_CLASSES = 1000  # distinct texts of the target that are compared
MAX_NAMED = 4


def check_classes(batch: Batch, contract: Contract, rules: Rules) -> list[Violation]:
    """Return how the classes of the target differ from those of the contract."""
    name = contract.target.name
    if not contract.classes or name not in batch.texts or name not in batch.readings:
        return []
    then = contract.class_rows
    reading = batch.readings[name]
    label = label_sql(batch.parsed(name), reading.type)
    levels = measured.levels(batch.engine, batch.source, label, MAX_CLASSES)
    now = {level.text: level.rows for level in levels}
    rows, before = sum(now.values()), sum(then.values())
    if not rows or not before:
        return []
    gone = {
        text: count / before for text, count in then.items()
        if text not in now and (1 - count / before) ** rows < MIN_GONE
    }  # fmt: skip
    new = {text: count / rows for text, count in now.items() if text not in set(contract.classes)}
    cells = batch.texts[name]
    if new:
        listed = list(new)[:MAX_NAMED]
        spelled = {text: old for text in new if (old := same_letters(text, contract.classes)) is not None}
        renamed = match_texts({text: gone.get(text, 0.0) for text in then if text in gone}, new)
        renamed |= {old: text for text, old in spelled.items() if old not in renamed}
        count = sum(now[text] for text in new)
        shown = [text for text in new if may_quote(now[text], personal=name in batch.personal)][:MAX_NAMED]
        named = ", ".join(repr(cut(text)) for text in shown) + (" ..." if len(new) > len(shown) else "")
        if not shown:
            named = f"{len(new):,} of few rows or personal; {IN_REPORT}"
        told = [(old, text) for old, text in renamed.items() if text in shown]
        likely = "; ".join(f"{cut(text)!r} is likely {cut(old)!r}" for old, text in told)
        what = f"{name}, the target: {count:,} of {rows:,} rows are of classes that were not there: {named}"
        condition = " OR ".join(f"{label} = '{text.replace(chr(39), chr(39) * 2)}'" for text in listed)
        return [
            Violation(
                anomaly="ENUM_TYPE_UNEXPECTED_STRING_VALUES", check="classes", column=name, count=count, of=rows,
                level=rules.level("classes", name, DEFAULT["classes"]), what=what + (f"; {likely}" if likely else ""),
                match=next(iter(renamed), None), examples=batch.examples(condition, cells),
            )
        ]  # fmt: skip
    found = []
    if gone:
        frequent = [text for text in gone if may_quote(then[text], personal=name in batch.personal)][:MAX_NAMED]
        missing = ", ".join(repr(cut(text)) for text in frequent) or f"{len(gone):,} classes"
        share = f"{100 * sum(gone.values()):.1f} %"
        what = f"{name}, the target: no row is of {missing}, of which {share} of the rows were"
        found.append(_violation("FEATURE_TYPE_NOT_PRESENT", rules, name, DEFAULT["classes"], what, rows))
    moved = {
        text: (now.get(text, 0), count) for text, count in then.items()
        if abs(now.get(text, 0) / rows - count / before) > MAX_CLASS_MOVE
        and abs(proportions_z(now.get(text, 0), rows, count, before)) > MIN_STANDARD_ERRORS
    }  # fmt: skip
    if moved and not gone:
        text, (count, was) = max(moved.items(), key=lambda item: abs(item[1][0] / rows - item[1][1] / before))
        shares = f"{100 * count / rows:.0f} % of the rows, {100 * was / before:.0f} % before"
        quoted = repr(cut(text)) if name not in batch.personal else "one class"
        what = f"{name}, the target: {quoted} in {shares}"
        found.append(_violation("COMPARATOR_L_INFTY_HIGH", rules, name, "warn", what, rows))
    return found


def _violation(anomaly: Anomaly, rules: Rules, name: str, default: Level, what: str, rows: int) -> Violation:
    level = rules.level("classes", name, default)
    return Violation(anomaly=anomaly, check="classes", level=level, column=name, what=what, of=rows)
