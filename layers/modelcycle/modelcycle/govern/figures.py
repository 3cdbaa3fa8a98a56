"""The figures of a run, by name (see `modelcycle.policy.figures`): what the rules of a policy are held against."""

from __future__ import annotations

from modelcycle.govern.facts import Facts
from modelcycle.policy import Measured, finite


def figures(facts: Facts) -> dict[str, Measured]:
    """Return every figure of a run that was measured; some have a sentence that says more than the value."""
    return {
        **of_the_verdict(facts),
        **of_columns(facts),
        **of_data(facts),
        **finite(facts.request.validate_.figures),  # by sensitive group
    }


def has_evidence(facts: Facts, name: str) -> bool:
    """Return whether the evidence of a name (see `modelcycle.policy.EVIDENCE`) is on record."""
    if name.startswith("about."):
        return getattr(facts.pipeline.about, name.removeprefix("about."), None) is not None
    request = facts.request
    found = {
        "contract": request.preprocess.contract is not None,
        "comparison": request.validate_.compared > 0,
        "refit check": request.refit.done,
        "fairness": any(figure.startswith("fairness.") for figure in request.validate_.figures),
        "author": request.run.author is not None,
        "author_proved": request.run.author_proved and request.run.author_stated is None,
    }
    # this step writes card, lineage and figures itself; `validate` its report before it returns
    return found.get(name, name in ("card", "lineage", "figures", "validation"))


def of_the_verdict(facts: Facts) -> dict[str, Measured]:
    """Return what was measured on test rows."""
    verdict, scored = facts.request.validate_, facts.request.score_candidate
    # the parity gate ended the run if the scores differ; a row exactly on the threshold may change its class
    parity = f"{scored.rows} rows, largest difference {scored.max_difference:.1e}"
    parity += f", {scored.flips} on the threshold" if scored.flips else ""
    low, high = verdict.interval
    return {
        "gates.passed": Measured(float(verdict.verdict == "passed"), "; ".join(verdict.reasons)),
        "gates.asked": Measured(len(verdict.ask), "; ".join(verdict.ask)),
        "parity.rows": Measured(scored.rows, parity),
        "rows.compared": Measured(verdict.compared),
    } | finite({
        "parity.difference": scored.max_difference, "parity.flips": scored.flips,
        "interval.low": low, "interval.high": high,
        **{f"metrics.{name}": value for name, value in verdict.metrics.items()},
        **{f"baseline.{name}": value for name, value in verdict.baseline.items()},
        **{f"champion.{name}": value for name, value in (verdict.champion or {}).items()},
    })  # fmt: skip


def of_columns(facts: Facts) -> dict[str, Measured]:
    """Return the figures of the columns that the model uses."""
    sensitive = sorted(facts.used & set(facts.pipeline.sensitive_columns))
    named = f"in the model: {', '.join(sensitive)}" if sensitive else "none in the model"
    # every plan of `engineer_features` leaves leaking columns out; the stored plan, of which the model is made, counts
    certain = {planned.column for planned in facts.plan.columns if planned.loud and not planned.suspected}
    leaking, features = sorted(facts.used & certain), facts.pipeline.features
    not_listed = set(leaking) - {*features.numeric, *features.categorical, *features.allow}
    gives_away = f"gives the target away: {', '.join(leaking)}" if leaking else ""
    return {
        "columns.used": Measured(len(facts.used)),
        "columns.sensitive": Measured(len(sensitive), named),
        "columns.sensitive_not_allowed": Measured(
            0 if facts.pipeline.features.use_sensitive else len(sensitive), named
        ),
        "columns.leaking": Measured(len(leaking), gives_away),
        "columns.leaking_not_listed": Measured(len(not_listed), gives_away),
    }


def of_data(facts: Facts) -> dict[str, Measured]:
    """Return the figures of the rows."""
    collected, preprocessed = facts.request.collect, facts.request.preprocess
    # a row without a target is of no use for training, but no sign of bad data
    lines = collected.quarantined / max(1, collected.rows + collected.quarantined)
    values = preprocessed.cells / max(1, preprocessed.kept * collected.columns)
    unreadable = (
        f"{collected.quarantined:,} broken lines ({lines:.1%}) and {preprocessed.cells:,} unreadable values"
        f" ({values:.1%}); the quarantine files list them"
    )
    on_record = f"{collected.objects} objects, code {facts.code[:12]}"
    train, validation, test = preprocessed.split
    return {
        "lineage.recorded": Measured(float(bool(collected.objects and facts.code)), on_record),
        "lineage.files": Measured(collected.objects),
        "data.rows": Measured(collected.rows),
        "data.kept": Measured(preprocessed.kept),
        "data.quarantined": Measured(collected.quarantined + preprocessed.quarantined),
        "data.duplicates": Measured(preprocessed.duplicates),
        "data.broken_lines": Measured(lines),
        "data.unreadable_values": Measured(values),
        "data.unreadable": Measured(max(lines, values), unreadable),
        "rows.train": Measured(train),
        "rows.validation": Measured(validation),
        "rows.test": Measured(test),
        "rows.learned": Measured(facts.learned_rows),
    }
