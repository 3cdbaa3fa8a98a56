"""The screen of `documents`: what was written, and what the documents show as missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cli.screens.lines import INDENT
from modelcycle.documents import Missing

ABOUT = re.compile(r"`about\.(\w+)`")


class WrittenDocument(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def missing(self) -> list[Missing] | None: ...


def documents_text(name: str, written: Sequence[WrittenDocument]) -> str:
    """Return one line a file, then each thing that is missing, once, with how to provide it."""
    width = max(len(str(document.path)) for document in written)
    lines = [f"The documents of {name}:", ""]
    for document in written:
        lines.append(f"{INDENT}{document.path!s:<{width}}   {_state(document.missing)}")
    missing = list(dict.fromkeys(gap for document in written for gap in document.missing or []))
    keys = {found[1]: gap.what for gap in missing if (found := ABOUT.search(gap.remedy))}
    if keys:
        lines += ["", "To be written in the pipeline file:", "", f"{INDENT}about:"]
        lines += [f"{INDENT}  {key + ':':<{max(map(len, keys)) + 1}}   # {what}" for key, what in keys.items()]
    others = [gap for gap in missing if not ABOUT.search(gap.remedy)]
    if others:
        lines += ["", "Not on record:", ""]
        lines += [f"{INDENT}{gap.what}: {gap.remedy}" for gap in others]
    return "\n".join(lines)


def _state(missing: list[Missing] | None) -> str:
    if missing is None:
        return "as registered"
    return f"{len(dict.fromkeys(missing))} missing" if missing else "complete"
