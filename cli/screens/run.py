"""The screen of a run in progress: a title, and one line for each step."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from cli.execution import Step
from cli.screens import lines, steps

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

COLOURS = {"failed": "red", "refused": "yellow", "cached": "dim"}
MAX_WIDTH = 120  # characters; lines of a wide terminal are shorter
BAR_WIDTH = 24


class RunScreen:
    """Prints each step when it has ended. A terminal also shows the step that runs, with a bar for the trials."""

    def __init__(self, console: Console, model: str, title: str) -> None:
        self.console = console
        self.width = min(console.width, MAX_WIDTH) if console.is_terminal else lines.WIDTH
        self.started: dict[str, float] = {}
        self.live: Live | None = None
        console.print(f"ModelCycle  {model}  {title}\n")

    def __enter__(self) -> RunScreen:
        if self.console.is_terminal:
            from rich.live import Live

            self.live = Live("", console=self.console, transient=True, refresh_per_second=8)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def running(self, step: Step, trials: tuple[int, int] | None) -> None:
        if self.live:
            from rich.text import Text

            now = time.monotonic()
            passed = now - self.started.setdefault(step.name, now)
            parts = steps.running(step, trials)
            if trials and trials[0]:
                parts.append(bar(*trials))
            self.live.update(Text(lines.step_line(steps.label(step.name), parts, lines.seconds(passed), self.width)))

    def ended(self, step: Step) -> None:
        if self.live:
            self.live.update("", refresh=True)
        self.console.print(steps.line(step, self.width), style=COLOURS.get(step.status))

    def note(self, text: str) -> None:
        self.console.print(f"    {text}", style="dim")


def bar(done: int, total: int, width: int = BAR_WIDTH) -> str:
    """Return a progress bar.

    >>> bar(16, 24, width=6)
    '━━━━──'
    """
    full = width * done // total if total else 0
    return "━" * full + "─" * (width - full)
