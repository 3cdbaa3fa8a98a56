"""What an erasure found, and its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcycle.registry import LearnedFromErased

MAX_SHOWN = 5  # objects by name


def found_text(model: str, erasure: str, preview: Mapping[str, Any]) -> str:
    """Return what was found, by class of data."""
    lines = [f"{model}   {_many(preview['rows'], 'row')} in {_many(preview['objects'], 'object')}", ""]
    lines += _classes(preview["classes"])
    lines += _said(preview)
    if preview["versions"]:
        versions = ", ".join(map(str, preview["versions"]))
        lines.append(f"    among the test rows of version {versions}, which keep the others")
    return "\n".join([*lines, "", f"    erasure {erasure}: nothing has been changed yet"])


def none_text(model: str, preview: Mapping[str, Any]) -> str:
    """Return that there is nothing to erase, and why that may be."""
    return "\n".join([f"{model}   nothing was found: there is nothing to erase", *_said(preview)])


def receipt_text(model: str, receipt: Mapping[str, Any]) -> str:
    """Return what was erased, what learned from it, and what an erasure does not reach."""
    lines = [
        f"{model}   erased: {_many(receipt['rows'], 'row')}; {_many(receipt['rewritten'], 'object')} written anew,"
        f" {receipt['deleted']:,} deleted", "",
    ]  # fmt: skip
    lines += _classes(receipt["classes"])
    learned = receipt["versions_that_learned"]
    if learned:
        lines.append(f"    learned from them   version {', '.join(map(str, learned))}   a new run learns without them")
    told = receipt.get("versions_by_lineage", [])
    if told:
        lines.append(
            f"    by lineage          version {', '.join(map(str, told))}: its tables are gone since an earlier"
            " erasure, and the files that it learned from had these rows"
        )
    lines += _held(receipt)
    lines += ["", "    not reached"] + [f"        {sentence}" for sentence in receipt["kept_elsewhere"]]
    run = receipt.get("run")
    if run:
        lines += ["", f"    a run was asked for: {run['done']}" + (f", {run['why']}" if run.get("why") else "")]
    elif learned:
        lines += ["", f"  learn again    modelcycle retrain {model}"]
    lines.append(f"  receipt        {model}/erasures/{receipt['erasure']}/receipt.json, without the person's data")
    return "\n".join(lines)


def learned_text(model: str, learned: Mapping[int, LearnedFromErased]) -> list[str]:
    """Return the versions that have learned from rows which were erased later."""
    if not learned:
        return []
    versions = ", ".join(map(str, sorted(learned)))
    return [
        "",
        f"learned from rows that were erased since: version {versions};"
        f" a new run learns without them: modelcycle retrain {model}",
    ]


def _classes(classes: Mapping[str, Mapping[str, int]]) -> list[str]:
    lines = []
    for name, count in classes.items():
        old = f"   {count['old']:,} of them old versions" if count["old"] else ""
        rows = f"{_many(count['rows'], 'row'):>14}" if count["rows"] else " " * 14
        lines.append(f"    {name:<32}{rows}   {_many(count['objects'], 'object')}{old}")
    return lines


def _said(preview: Mapping[str, Any]) -> list[str]:
    lines = [f"    no table has a column {name}: is it spelled so in the files?" for name in preview["missing_columns"]]
    lines += [
        f"    {_many(cells, 'cell')} of {name} differ only by leading zeros or capital letters: these are other values"
        for name, cells in preview["alike"].items()
    ]
    return lines + _held(preview)


def _held(found: Mapping[str, Any]) -> list[str]:
    lines = [f"    cannot be changed   {name}: {why}" for name, why in list(found["held"].items())[:MAX_SHOWN]]
    if found.get("masked"):
        lines.append(
            f"    cannot be searched   {_many(found['masked'], 'captured answer')}, in which the column is masked:"
            " nobody can say whose they are; `retention` says until when they are kept"
        )
    unread = found["unread"]
    if unread:
        shown = ", ".join(unread[:MAX_SHOWN]) + (" ..." if len(unread) > MAX_SHOWN else "")
        lines.append(f"    cannot be read, and so not searched by column   {shown}")
    return lines


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
