"""`contract`: what the rows of the live version are like, to which later batches are held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cli import console
from cli.decide import model_and_version
from cli.odcs import to_odcs, to_rules
from cli.options import Options
from cli.screens.data_contract import contract_text
from modelcycle.faults import BadInput, Unknown
from modelcycle.spec import Rules, parse
from modelcycle.store import read_json


def data_contract(name: str, odcs: bool, read: Path | None, options: Options) -> int:
    """Print the contract of the live version, or of another one; or read a document.

    Parameters
    ----------
    name : MODEL or MODEL:VERSION
    odcs : print an Open Data Contract Standard document
    read : such a document, whose rules are printed for the pipeline file after they are held against the contract
    """
    model, number = model_and_version(name)
    place = options.open_place()
    place.check_model(model)
    registry = place.registry
    if number is None:
        number = registry.routes.get(model).champion
        if number is None:
            raise Unknown(f"{model} has no live version", model, f"name a version: modelcycle contract {model}:1")
    version = registry.versions.get(model, number)
    if version.contract is None:
        raise Unknown(f"{model}:{number} is older than contracts", model, "the next version has one")
    artifacts = place.artifacts
    contract = read_json(artifacts, version.contract)
    rules = parse(artifacts.read(version.pipeline), f"pipelines/{model}.yaml").rules
    if read is not None:
        return _read(read, contract, options)
    if odcs:
        document = to_odcs(contract, rules.model_dump(mode="json"), number)
        if options.as_json:
            console.print_json(document)
        else:
            print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), end="")
    elif options.as_json:
        console.print_json({"model": model, "version": number, "contract": contract, "rules": _given(rules)})
    else:
        console.show(contract_text(model, number, contract, rules))
    return console.DONE


def _read(path: Path, contract: dict[str, Any], options: Options) -> int:
    """Print the section `schema` that a document asks for.

    Raises
    ------
    BadInput : the document cannot be read, or names a column that the data do not have
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise BadInput("the document cannot be read", str(path), "a file of YAML or JSON is expected") from None
    rules = to_rules(document, str(path))
    known = [column["name"] for column in [*contract["columns"], contract["target"]]]
    from modelcycle.reading.column_names import suggest_name

    for name in [*rules.get("columns", {}), *rules.get("keys", [])]:
        if name not in known:
            raise BadInput(
                f"{name!r} is not a column", str(path), f"{suggest_name(name, known)}columns: {', '.join(known[:15])}"
            )
    section = {"schema": _given(Rules.model_validate(rules))}
    if options.as_json:
        console.print_json(section)
    else:
        print(yaml.safe_dump(section, sort_keys=False, allow_unicode=True), end="")
    return console.DONE


def _given(rules: Rules) -> dict[str, Any]:
    return rules.model_dump(mode="json", exclude_defaults=True)
