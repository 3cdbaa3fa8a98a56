"""`policy`: which policy applies to a model, and how its newest run stands; or a check of a policy file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cli import console
from cli.options import Options
from cli.place import Place
from cli.screens.policy import Waiting, figures_text, policies_text, policy_text
from infra.local import cloud
from infra.local.deployment.code_hash import policies_hash
from modelcycle.faults import BadInput, BadPolicy, NoData, NotAllowed, Tampered, Unknown
from modelcycle.messages import Artifact, Rule
from modelcycle.policy import (
    EVIDENCE,
    UNKNOWN,
    Measured,
    Policy,
    Shelf,
    approvals_needed,
    asker_of,
    authors_of,
    check,
    check_traffic,
    finite,
    frozen,
    json_schema,
    known_figures,
    parse_policy,
    who_overrides,
)
from modelcycle.policy.shelf import FOLDER
from modelcycle.store import read_json


class NewestRun(NamedTuple):
    """The newest run that was governed.

    Parameters
    ----------
    figures : by name; None if they are gone or were not kept
    refused : why its policy of then refused it, missing evidence included; empty if it did not
    """

    run: str
    figures: dict[str, Measured] | None
    refused: str = ""


def policy(
    model: str | None, checked: Path | None, schema: bool, figures: bool, options: Options, folder: Path | None = None
) -> int:
    """Show the policy of a model, or all policies; or check a file; or print what a policy file may hold.

    Parameters
    ----------
    checked : a policy file: says every error with its line
    schema : print the JSON Schema of a policy file
    figures : list the figures that rules may be about
    folder : of the policies; by default that of the project
    """
    if schema:
        console.print_json(json_schema())
        return console.DONE
    if figures:
        if options.as_json:
            console.print_json({"figures": known_figures(), "evidence": EVIDENCE})
        else:
            console.show(figures_text(known_figures(), EVIDENCE))
        return console.DONE
    if checked is not None:
        return _check(checked, options.as_json, folder or cloud.ROOT / FOLDER)
    folder = folder or cloud.ROOT / FOLDER
    shelf = Shelf.of(folder, permissions=True)
    if model is None:
        if options.as_json:
            console.print_json({"policies": [_described(one) | {"file": file} for file, one in shelf.policies.items()]})
        else:
            console.show(policies_text(shelf.policies))
        return console.DONE
    return _show(model, shelf, folder, options)


def _check(path: Path, as_json: bool, folder: Path) -> int:
    """Check a file by itself; then beside the others of the folder, which are deployed with it."""
    if not path.is_file():
        raise NoData("there is no such policy file", str(path), f"write one under {FOLDER}/: docs/policy.md")
    read = parse_policy(path.read_bytes(), str(path), permissions=True)
    _check_beside_others(path, read, folder)
    if as_json:
        console.print_json(_described(read))
    else:
        rules = "rule" if len(read.rules) == 1 else "rules"
        console.show(
            f"{path} is a policy without errors: {read.name}, version {read.version}, {len(read.rules)} {rules}."
        )
    return console.DONE


def _check_beside_others(path: Path, read: Policy, folder: Path) -> None:
    """Raise BadPolicy if a policy has the name or the models of another file of the folder.

    A file elsewhere is a draft: it takes the place of the file of its name.
    """
    others: dict[str, Policy] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix in (".yaml", ".yml") and file.name != path.name:
            with contextlib.suppress(BadPolicy):  # its errors are those of another check
                others[file.name] = parse_policy(file.read_bytes(), file.name)
    for file_name, other in others.items():
        Shelf({file_name: other, path.name: read}).check_apart()


def _show(model: str, shelf: Shelf, folder: Path, options: Options) -> int:
    applies = shelf.policy_of(model)
    file = next(name for name, one in shelf.policies.items() if one is applies)
    place = options.open_place()
    exists = place.registry.runs.has_model(model)  # a policy may be written before the first run
    now = datetime.now(UTC)
    newest = _newest_run(place, model)
    rules = check(applies, newest.figures) if newest and newest.figures is not None else None
    deployed = place.outputs.get("Policies", "unknown")
    is_deployed = deployed == policies_hash(folder.parent)
    waiting = _waiting(place, model, applies, now)
    live = _live(place, model, applies)
    held = frozen(applies, place.identity, now)
    if options.as_json:
        console.print_json({
            "model": model, "exists": exists, "file": file, "deployed": is_deployed,
            "run": newest.run if newest else None,
            "refused": newest.refused if newest else "",
            "rules": _wire(rules), "frozen": held[0] if held else None,
            "waiting": [one._asdict() for one in waiting], "live": live,
        } | {"policy": _described(applies)})  # fmt: skip
    else:
        run = newest.run if newest else None
        console.show(
            policy_text(
                model,
                file,
                applies,
                run,
                rules,
                waiting,
                live,
                f"{held[0]}; {who_overrides(applies, now)}" if held else "",
                is_deployed,
                newest.refused if newest else "",
                exists=exists,
            )
        )
    return console.DONE


def _described(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", by_alias=True) | {"sha": policy.sha}


def _wire(rules: Sequence[Rule] | None) -> list[dict[str, Any]] | None:
    return None if rules is None else [rule.model_dump(mode="json") for rule in rules]


def _newest_run(place: Place, model: str) -> NewestRun | None:
    """Return the newest run whose decision by policy is on record; None if there is none."""
    for entry in place.registry.audit.all(model):
        if "policy" not in entry.evidence or not entry.subject.startswith("run "):
            continue
        run, refused = entry.subject.removeprefix("run "), entry.why if entry.decision == "refused" else ""
        if not entry.evidence.get("figures"):
            return NewestRun(run, None, refused)
        artifacts = place.artifacts
        try:
            return NewestRun(
                run, finite(read_json(artifacts, Artifact.model_validate(entry.evidence["figures"]))), refused
            )
        except (Unknown, Tampered):
            return NewestRun(run, None, refused)
    return None


def _live(place: Place, model: str, applies: Policy) -> dict[int, str]:
    """Return the versions with traffic, and why each would get none today; empty if it would."""
    artifacts = place.artifacts
    found = {}
    for version in sorted(place.registry.routes.get(model).weights):
        record, approved = place.registry.versions.get(model, version), place.registry.approvals.get(model, version)
        try:
            check_traffic(applies, record, artifacts, approved)
            found[version] = ""
        except (NotAllowed, Unknown, Tampered) as fault:
            found[version] = fault.what
    return found


def _waiting(place: Place, model: str, applies: Policy, now: datetime) -> list[Waiting]:
    """Return the versions that wait for approval, oldest first."""
    registry = place.registry
    found = []
    for version, standing in sorted(registry.standings.all(model).items()):
        if standing.state != "awaiting_approval":
            continue
        record = registry.versions.get(model, version)
        asker = asker_of(record, standing)
        approved = registry.approvals.since_asked(model, version)
        found.append(Waiting(
            version=version, asked_at=standing.at, author=record.author or UNKNOWN, asker=asker,
            by=[one.by for one in approved.given] if approved else [],
            expires_at=standing.at + timedelta(days=applies.approvals.expires_days),
            needed=approvals_needed(applies, *authors_of(record, asker), asked=True),
        ))  # fmt: skip
    return found


def check_one_way(model: str | None, checked: Path | None, schema: bool, figures: bool) -> None:
    """Raise BadInput if more is asked for than one thing."""
    given = {"MODEL": model, "--check": checked, "--schema": schema, "--figures": figures}
    asked = [name for name, value in given.items() if value]
    if len(asked) > 1:
        raise BadInput(f"{' and '.join(asked)} ask for different things", "the command line", "give one of them")
