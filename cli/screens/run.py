"""The screen of a run: a head, a line a step, and what came of it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cli.execution import Step
from cli.follow import Ending
from cli.screens import lines, steps
from modelcycle.faults import Fault

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"failed": "red", "refused": "yellow", "cached": "dim"}


class RunScreen:
    """Lines on `console`: where it is a terminal, the step under way is shown too, with a bar for the trials."""

    def __init__(self, console: Console, model: str, title: str) -> None:
        self.console = console
        self.width = min(console.width, 120) if console.is_terminal else lines.WIDTH
        self.began: dict[str, float] = {}
        self.live: Any = None
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
            passed = now - self.began.setdefault(step.name, now)
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


def bar(done: int, total: int, width: int = 24) -> str:
    full = width * done // total if total else 0
    return "━" * full + "─" * (width - full)


def ending(end: Ending, next_steps: list[tuple[str, str]], evidence: bool = True) -> str:
    """What came of the run.

    Parameters
    ----------
    next_steps : (what it is for, command), one line each
    evidence : name the command that shows this very run
    """
    what, where, remedy = Fault.parse(end.reason)
    said: list[tuple[str, str]] = []
    if end.status == "deployed":
        head, said = _deployed(end)
    elif end.status == "unchanged":
        head = f"Nothing new: {_stays(end)}."
        said = [("why", what)]
    elif end.status == "awaiting_approval":
        head = f"{end.model}:{end.version} waits for approval; {_stays(end)}."
        said = [
            ("let it go live", f"modelcycle approve {end.model}:{end.version}"),
            ("or not", f"modelcycle reject {end.model}:{end.version} --why ..."),
        ]
    elif end.status == "refused":
        head = f"{end.model} was refused; {_stays(end)}."
        said = [("why", line) for line in end.reason.split("\n") if line]
    else:
        head = f"The run failed; {_registered(end)}{_stays(end)}."
        said = [("what", what), ("where", where), ("what to do", remedy)]
    if end.status == "failed" and where.removeprefix(f"raw/{end.model}/") not in ("", where):
        said.append(("or without it", "modelcycle run PIPELINE.yaml --data FILE --replace"))
    if evidence and end.status in ("refused", "failed"):
        said.append(("evidence", f"modelcycle show {end.model} --run {end.run_id}"))
    if end.unseen:
        text = f"{lines.count(end.unseen, 'upload')} came too late for it; another run sees them"
        said.append(("meanwhile", f"{text}: modelcycle runs {end.model}"))
    rows = [(name, text) for name, text in [*said, *next_steps] if text]
    return "\n".join([head, *(f"  {name:<16}{text}" for name, text in rows)])


def _deployed(end: Ending) -> tuple[str, list[tuple[str, str]]]:
    """The share that the version has now, and whether that is all: a canary starts with a part of the traffic."""
    version, share = f"{end.model}:{end.version}", end.route.weights.get(end.version or 0, 0)
    if share == 100:
        return f"{version} is live{_after(end)}.", []
    if not share:
        return f"{version} went live{_after(end)}; live now: version {lines.traffic(end.route.weights)}.", []
    rest = {number: weight for number, weight in end.route.weights.items() if number != end.version}
    head = f"{version} has {share} % of the traffic{_after(end)}; its rollout "
    stands = [("the rest", f"version {lines.traffic(rest)}")]
    if end.rollout in ("", "RUNNING"):
        return f"{head}goes on by itself.", [*stands, ("follow it", f"modelcycle show {end.model}")]
    return f"{head}has ended there.", [*stands, ("go on", f"modelcycle promote {version}")]


def _after(end: Ending) -> str:
    return f" after {lines.seconds(end.seconds)}" if end.seconds is not None else ""


def _registered(end: Ending) -> str:
    return f"version {end.version} is registered, " if end.version is not None else "nothing was registered, "


def _stays(end: Ending) -> str:
    champion = end.route.champion
    return "no version is live yet" if champion is None else f"version {champion} stays live"
