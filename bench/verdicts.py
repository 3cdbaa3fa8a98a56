"""Measure how often a verdict is wrong: python -m bench.verdicts [equal] [bad-uploads] [better] [intervals] [creep]

equal        two models of one recipe are told apart, with independent rows and with rows in fours of one entity
bad-uploads  a bad upload replaces a champion: a column that is broken in part, renamed classes, a second separator
better       a better challenger replaces the champion, although the file is written otherwise
intervals    the 95 % intervals of accuracy, area under the ROC curve and RMSE contain the true value
creep        ten retrainings that are each 1 % worse do not add up, and equal ones are not refused

Without arguments all of them, some 20 minutes. `--runs N` sets the repetitions of each line. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.in_memory import Lifecycle
from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.units import Units
from modelcycle.messages import Chain
from modelcycle.model.losses import row_losses
from modelcycle.validate.chain import extend, has_fallen
from modelcycle.validate.significance import Comparison, compare

Array = npt.NDArray[Any]
TRUTH_ROWS = 400_000  # from which a true value is estimated that has no formula


class Line(NamedTuple):
    """A measured share: `hits` of `runs`, and between which shares it should be."""

    name: str
    hits: int
    runs: int
    low: float
    high: float

    def __str__(self) -> str:
        share = self.hits / self.runs
        holds = "as wanted" if self.low <= share <= self.high else "NOT AS WANTED"
        wanted = f"{self.low:.0%} to {self.high:.0%}" if self.low < self.high else f"{self.high:.0%}"
        return f"{self.name:<66}{self.hits:>6} of {self.runs:<6}{share:>7.1%}   wanted {wanted:<13}{holds}"


def main() -> None:
    """Run the modes of the command line and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", choices=[*MODES, []], default=[])
    parser.add_argument("--runs", type=int, help="repetitions of each line")
    arguments = parser.parse_args()
    for mode in arguments.modes or MODES:
        print(mode)
        measure, runs = MODES[mode]
        for line in measure(arguments.runs or runs):
            print(f"  {line}", flush=True)


def equal_recipes(runs: int) -> Iterator[Line]:
    """Tell two models apart that one recipe has made from two samples of the same people."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    told = {"independent rows": 0, "rows in fours of one entity": 0}
    for _ in range(runs):
        models = []
        for _ in range(2):
            rows, target, _ = people(random, 8000, copies=1)
            models.append(LogisticRegression().fit(rows, target))
        for name, copies in zip(told, (1, 4), strict=True):
            rows, target, entities = people(random, 400, copies)
            units = Units.of(len(target), entities)
            first, second = (row_losses(model.predict_proba(rows), target, "binary") for model in models)
            told[name] += compare(first, second, units).verdict != "inconclusive"
    for name, count in told.items():
        yield Line(f"equal recipes told apart, {name}", count, runs, 0.03, 0.07)


def people(random: np.random.Generator, rows: int, copies: int) -> tuple[Array, Array, Array]:
    """Return features (n, 5), class (n,) and entity (n,) of n rows, `copies` nearly equal ones of each entity."""
    entities = rows // copies
    features = random.normal(size=(entities, 5))
    chance = 1 / (1 + np.exp(0.5 - features @ np.array([1.0, 0.8, 0.5, 0.0, 0.0])))
    target = (random.random(entities) < chance).astype(int)
    noise = random.normal(scale=0.1, size=(entities * copies, 5)) if copies > 1 else 0.0
    return (
        np.repeat(features, copies, axis=0) + noise,
        np.repeat(target, copies),
        np.repeat(np.arange(entities), copies),
    )


def bad_uploads(runs: int) -> Iterator[Line]:
    """Upload a bad file beside a good one; the champion of the good one should stay."""
    replaced = dict.fromkeys(BAD_WRITERS, 0)
    for seed in range(runs):
        name = list(BAD_WRITERS)[seed % len(BAD_WRITERS)]
        random = np.random.default_rng(seed)
        lifecycle = Lifecycle("loans")
        lifecycle.upload("january.csv", csv_text(loans(random, 3000)))
        first = lifecycle.run(target="status", **FAST)
        if first.outcome != "deployed":
            raise RuntimeError(f"the good file did not go live: {first.reasons}")
        lifecycle.upload("february.csv", BAD_WRITERS[name](loans(random, 3000), random))
        lifecycle.run(target="status", **FAST)
        replaced[name] += lifecycle.champion != 1
    for number, (name, count) in enumerate(replaced.items()):
        tried = len(range(number, runs, len(BAD_WRITERS)))
        if tried:
            yield Line(f"champion replaced after a bad upload: {name}", count, tried, 0.0, 0.0)


FAST: dict[str, Any] = {"training": {"trials": 1, "algorithms": ["linear"], "refit": "judged"}}
Rows = dict[str, list[Any]]


def loans(random: np.random.Generator, count: int, strength: float = 1.0) -> Rows:
    """Return a table of loans; `rating` adds as much to the prediction as `strength` says, `customer` nothing."""
    income, debt, rating = random.normal(size=(3, count))
    age = random.integers(18, 80, count)
    town = random.choice(["Lyon", "Köln", "Gent, B"], count)
    hidden = 1.3 * income - 0.9 * debt + strength * rating + 0.4 * (town == "Lyon") + 0.01 * (age - 45)
    target = random.random(count) < 1 / (1 + np.exp(-hidden))
    return {
        "customer": [f"c-{number:012x}" for number in random.integers(0, 2**48, count)],
        "income": np.round(3000 + 800 * income, 2).tolist(),
        "debt": np.round(900 + 250 * debt, 2).tolist(),
        "rating": np.round(50 + 12 * rating, 2).tolist(),
        "age": age.tolist(),
        "town": town.tolist(),
        "status": ["ok" if value else "default" for value in target],
    }


def csv_text(rows: Rows, delimiter: str = ",", number: Callable[[float], str] = str) -> str:
    """Return a table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(rows)
    for row in zip(*rows.values(), strict=True):
        writer.writerow([number(cell) if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def _broken_column(rows: Rows, random: np.random.Generator) -> str:
    broken = random.random(len(rows["income"])) < 0.1
    cells = ["n/a" if is_broken else cell for cell, is_broken in zip(rows["income"], broken, strict=True)]
    return csv_text(rows | {"income": cells})


def _renamed_classes(rows: Rows, random: np.random.Generator) -> str:
    return csv_text(rows | {"status": [{"ok": "OK", "default": "Default"}[name] for name in rows["status"]]})


def _other_separator(rows: Rows, random: np.random.Generator) -> str:
    """Write the later half of the lines with semicolons; a file that has them throughout is read as it is meant."""
    commas, semicolons = csv_text(rows).splitlines(), csv_text(rows, delimiter=";").splitlines()
    middle = len(commas) // 2
    return "\n".join(commas[:middle] + semicolons[middle:])


BAD_WRITERS: dict[str, Callable[[Rows, np.random.Generator], str]] = {
    "one column broken, 10 % n/a": _broken_column,
    "classes renamed": _renamed_classes,
    "another separator in half of the lines": _other_separator,
}


def better_challengers(runs: int, rows: int = 20_000) -> Iterator[Line]:
    """Train with one more informative column (area under the ROC curve + 0.02) after the file was written otherwise."""
    accepted = dict.fromkeys(OTHER_WRITERS, 0)
    for seed in range(runs):
        table = loans(np.random.default_rng(seed), rows, strength=0.55)
        champions = {}
        for column_known in (True, False):
            lifecycle = champions[column_known] = Lifecycle("loans")
            known = table if column_known else {name: cells for name, cells in table.items() if name != "rating"}
            lifecycle.upload("all.csv", csv_text(known))
            first = lifecycle.run(target="status", **FAST, **({"drop_columns": ["rating"]} if column_known else {}))
            if first.outcome != "deployed":
                raise RuntimeError(f"the first model did not go live: {first.reasons}")
        for name, write in OTHER_WRITERS.items():
            challenged = champions[name != "a column added"].copy()
            challenged.upload("all.csv", write(table))
            challenged.run(target="status", **FAST)
            accepted[name] += challenged.champion == 2
    for name, count in accepted.items():
        yield Line(f"better challenger live, {name}", count, runs, 28 / 30, 1.0)


OTHER_WRITERS: dict[str, Callable[[Rows], str]] = {
    "columns reordered": lambda rows: csv_text(dict(reversed(rows.items()))),
    "a column added": csv_text,
    "a column dropped": lambda rows: csv_text({name: cells for name, cells in rows.items() if name != "customer"}),
    "numbers written otherwise": lambda rows: csv_text(rows, number=lambda value: f"{value:.4f}"),
}


def interval_coverage(runs: int) -> Iterator[Line]:
    """Count how often an interval contains the true value."""
    random = np.random.default_rng(0)
    for rows in (50, 200, 1000, 5000):
        for name, (metric, task, draw, truth) in _interval_cases(random).items():
            held = 0
            for _ in range(runs):
                scores, target = draw(rows)
                interval = metric_interval(metric, scores, target, task, Units(rows))
                held += interval is not None and interval[0] <= truth <= interval[1]
            yield Line(f"interval holds the truth: {name}, {rows:,} rows", held, runs, 0.93, 0.97)

    yield from few_positives(runs)


def few_positives(runs: int) -> Iterator[Line]:
    """Count the same for the area under the ROC curve where positive rows are few."""
    from scipy.stats import norm

    random = np.random.default_rng(0)
    for positives, distance in ((2, 1.5), (3, 1.5), (6, 1.5), (6, 2.6), (20, 1.0)):
        target = np.repeat([0, 1], [280 - positives, positives])
        truth, held = float(norm.cdf(distance / np.sqrt(2))), 0
        for _ in range(runs):
            positive = 1 / (1 + np.exp(-random.normal(distance * target)))
            scores = np.column_stack([1 - positive, positive])
            interval = metric_interval("roc_auc", scores, target, "binary", Units(280))
            held += interval is not None and interval[0] <= truth <= interval[1]
        name = f"area under the ROC curve {truth:.3f}, {positives} of 280 positive"
        yield Line(f"interval holds the truth: {name}", held, runs, 0.93, 0.99)


def _interval_cases(
    random: np.random.Generator,
) -> dict[str, tuple[str, Any, Callable[[int], tuple[Array, Array]], float]]:
    """Return metric, task, what draws scores and target, and the true value."""
    from sklearn.metrics import roc_auc_score

    def classes(rows: int) -> tuple[Array, Array]:
        hidden = random.normal(size=rows)
        positive = 1 / (1 + np.exp(0.4 - 1.5 * hidden))
        return np.column_stack([1 - positive, positive]), (random.random(rows) < positive).astype(int)

    def errors(draw: Callable[[int], Array]) -> Callable[[int], tuple[Array, Array]]:
        return lambda rows: (np.zeros((rows, 1)), draw(rows))

    scores, target = classes(TRUTH_ROWS)
    return {
        "accuracy": ("accuracy", "binary", classes, float(((scores[:, 1] >= 0.5) == target).mean())),
        "area under the ROC curve": ("roc_auc", "binary", classes, float(roc_auc_score(target, scores[:, 1]))),
        "RMSE, normal errors": ("rmse", "regression", errors(lambda rows: random.normal(size=rows)), 1.0),
        "RMSE, lognormal errors": (
            "rmse", "regression", errors(lambda rows: np.exp(random.normal(size=rows))), float(np.exp(1.0)),
        ),
    }  # fmt: skip


def creep(runs: int) -> Iterator[Line]:
    """Retrain ten times, with candidates that are each 1 % worse than the live model, and with equal ones."""
    random = np.random.default_rng(0)
    fallen = refused = 0
    for _ in range(runs):
        fallen += _retrain(random, loss_rise=0.01)[0] > MAX_FALL
        refused += _retrain(random, loss_rise=0.0)[1]
    yield Line(f"ten retrainings, each 1 % worse, cost more than {MAX_FALL:.1%}", fallen, runs, 0.0, 0.05)
    yield Line("an equal recipe is refused", refused, 10 * runs, 0.0, 0.05)


MAX_FALL = 0.055  # rise of the live model's loss, more than five such candidates; all ten would cost 10.5 %


def _retrain(random: np.random.Generator, loss_rise: float, rows: int = 4000) -> tuple[float, int]:
    """Return how far the live model's loss has risen after ten candidates, and how many of them were refused."""
    best = loss = 0.3
    chain, refused = Chain(), 0
    for version in range(1, 11):
        comparison: Comparison = compare(np.zeros(rows), random.normal(-loss_rise * loss, 0.1, rows))
        extended = extend(chain, version, comparison)
        if comparison.verdict == "worse" or has_fallen(extended, 0.02, loss):
            refused += 1
        else:
            chain, loss = extended, loss * (1 + loss_rise)
    return loss / best - 1, refused


MODES: dict[str, tuple[Callable[[int], Iterator[Line]], int]] = {
    "equal": (equal_recipes, 400),
    "bad-uploads": (bad_uploads, 30),
    "better": (better_challengers, 30),
    "intervals": (interval_coverage, 1000),
    "creep": (creep, 200),
}


if __name__ == "__main__":
    main()
