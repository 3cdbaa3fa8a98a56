"""The screen of `reproduce`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.reproduction.comparison import Reproduction
from cli.screens.lines import count, labelled, table, words

LABEL_WIDTH = 12
SHOWN_HASH = 12  # characters; --json prints all


def reproduced_text(made: Reproduction, lineage: Mapping[str, Any]) -> str:
    """Return what came out the same and what did not.

    Parameters
    ----------
    lineage : of the version
    """
    name = f"{made.model}:{made.version}"
    changed = [file for file in made.files if not file.same]
    if changed:
        head = f"{name} was not made again: its data have changed."
    elif made.same:
        head = f"{name} was made again: the model has the same bytes."
    elif made.fault:
        head = f"{name} could not be made again."
    else:
        head = f"{name} was made again, but the model differs."
    rows = [
        (file.key, f"recorded {file.recorded}") if number == 0 else ("", _found(file.found))
        for file in changed
        for number in (0, 1)
    ]
    width = max([LABEL_WIDTH, *(len(label) + 2 for label, _ in rows)])
    rows += [
        ("error", made.fault),
        ("first", f"{made.first_difference} differs" if made.artifacts and made.first_difference else ""),
        ("from", f"{count(len(made.files), 'file')}, {count(lineage['rows']['collected'], 'row')}"),
        ("code", _code(made)),
        ("packages", _differences(made.packages) if made.artifacts and not made.fault else ""),
        ("runtime", _differences(made.runtime)),
    ]
    lines = [head, *labelled(rows, width)]
    shown = [compared for compared in made.artifacts if compared.made or not made.fault]  # else it was not tried
    if shown:
        cells = [
            [words(compared.step), compared.name, compared.recorded[:SHOWN_HASH], _made(compared.same, compared.made)]
            for compared in shown
        ]
        lines += ["", table(["step", "artifact", "recorded", "made again"], cells)]
    return "\n".join(lines)


def _found(digest: str) -> str:
    return f"found    {digest}" if digest else "found    nothing: the object is gone"


def _made(same: bool, digest: str) -> str:
    return "the same" if same else digest[:SHOWN_HASH] or "not made"


def _code(made: Reproduction) -> str:
    recorded, here = made.code
    if recorded == here:
        return f"the same, {recorded[:SHOWN_HASH]}"
    return f"was {recorded[:SHOWN_HASH]}, here {here[:SHOWN_HASH] or 'unknown'}"


def _differences(values: Mapping[str, tuple[str, str]]) -> str:
    told = [f"{name} was {was or 'absent'}, here {here or 'absent'}" for name, (was, here) in values.items()]
    return "; ".join(told) or "the same"
