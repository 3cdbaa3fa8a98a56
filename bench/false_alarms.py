"""Measure how often a window alarms falsely, and what it finds: python -m bench.false_alarms [case ...] [--windows N]

Windows of 30 columns, one of them with 50,000 levels, are drawn with a reference of their own (`bench.drawn_windows`)
and judged by `monitor.inputs`, with the part of `monitoring.false_alarms` that inputs have of a whole look (a third:
`monitor.look.FAMILIES`). A window is falsely alarmed if any of its signals is beyond chance, slight or not.

same         no change, columns independent of each other
correlated   no change, columns correlated by 0.6
slight       0.05 standard deviations, 5 % of a deviation, 2 points of a level's share, in a column each
moderate     0.3 standard deviations, 30 % of a deviation, 10 points
strong       0.5 standard deviations, 70 % of a deviation, 25 points
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bench.drawn_windows import Change, Drawn, window
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.monitor.look import FAMILIES
from modelcycle.spec import Monitoring

CASES = {
    "same": Change(),
    "correlated": Change(),
    "slight": Change(0.05, 1.05, 0.02),
    "moderate": Change(0.3, 1.3, 0.1),
    "strong": Change(0.5, 1.7, 0.25),
}
SIZES = {
    "same": (500, 5_000, 100_000), "correlated": (500, 5_000, 100_000), "slight": (1_000_000,), "moderate": (5_000,),
    "strong": (5_000,),
}  # fmt: skip
WINDOWS = {"same": 200, "correlated": 200, "slight": 3, "moderate": 20, "strong": 20}
REFERENCE_ROWS = 100_000
OF_INPUTS = Monitoring().false_alarms / FAMILIES


@dataclass
class Line:
    """What was seen in the windows of one case.

    Parameters
    ----------
    beyond_chance, alarmed : windows with such a signal; in cases with a change, of columns that have none
    seen, found : of the changed columns, signals beyond chance, and alarms
    kinds : of the false ones
    seconds : of CPU, of all judgements
    """

    case: str
    rows: int
    reference_rows: int
    windows: int
    beyond_chance: int = 0
    alarmed: int = 0
    seen: int = 0
    found: int = 0
    changed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        false = f"{self.beyond_chance:>3} of {self.windows} windows falsely beyond chance, {self.alarmed} alarmed"
        seen = f"   seen {self.seen} of {self.changed}, alarmed {self.found}" if self.changed else ""
        kinds = f"   {dict(self.kinds)}" if self.kinds else ""
        each = self.seconds / self.windows
        return (
            f"{self.case:<11}{self.rows:>9,} rows, reference {self.reference_rows:>7,}: {false}{seen}"
            f"   {each:.2f} CPU s each{kinds}"
        )


def measure(
    case: str, rows: int, windows: int, reference_rows: int = REFERENCE_ROWS, seed: int = 0,
    false_alarms: float = OF_INPUTS, joint: bool = True, one_reference: bool = False,
) -> Line:  # fmt: skip
    """Judge `windows` windows of a case.

    Parameters
    ----------
    false_alarms : share of windows without a change that may show something in their inputs
    joint : whether rows are sampled for the test of joint drift
    one_reference : all windows have the same reference, as those of a version have
    """
    drawn = Drawn.columns(seed, correlated=case == "correlated")
    change = CASES[case]
    limits = Monitoring(false_alarms=false_alarms)
    line = Line(case, rows, reference_rows, windows)
    rng = np.random.default_rng([seed, rows, reference_rows])
    kept = drawn.rows(rng, reference_rows) if one_reference else None
    for _ in range(windows):
        summary, sample = window(drawn, rng, reference_rows, rows, change, kept)
        began = time.process_time()
        signals = input_signals(summary, sample if joint else None, None, limits)
        line.seconds += time.process_time() - began
        changed = set(change.columns) if change != Change() else set()
        line.changed += len(changed)
        drifts = [signal for signal in signals if signal.kind == "input drift" and signal.subject in changed]
        line.seen += sum(signal.state in {"slight", "alarm"} for signal in drifts)
        line.found += sum(signal.state == "alarm" for signal in drifts)
        if changed:  # predictions and joint rows change with the inputs
            signals = [one for one in signals if one.subject not in {*changed, "", "predicted class", "score"}]
        false = [signal for signal in signals if signal.state in {"slight", "alarm"}]
        line.beyond_chance += bool(false)
        line.alarmed += any(signal.state == "alarm" for signal in false)
        line.kinds.update(signal.kind for signal in false)
    return line


def main() -> None:
    """Measure the cases of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--windows", type=int)
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--reference", type=int, default=REFERENCE_ROWS)
    parser.add_argument("--one-reference", action="store_true", help="all windows have the same reference")
    parser.add_argument("--false-alarms", type=float, default=OF_INPUTS, help="of inputs; default: as in a look")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for case in arguments.cases or CASES:
        for rows in arguments.rows or SIZES[case]:
            windows = arguments.windows or WINDOWS[case]
            print(
                measure(
                    case, rows, windows, arguments.reference, arguments.seed, arguments.false_alarms,
                    one_reference=arguments.one_reference,
                ),
                flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
