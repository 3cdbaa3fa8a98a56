"""Each command in the README and the docs exists, with its options: of modelcycle, make, our modules, and AWS."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer.main
from botocore import xform_name

from cli.main import app
from infra.local.deployment.translate import read_template

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+)(?: [a-z-]+)*:", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"\$\(([A-Z_]+)\)", MAKEFILE)) | {"TESTS", "PYTHON"}
# of the AWS command line itself, which botocore does not know
AWS_OPTIONS = {"query", "output", "region", "profile", "cli-binary-format", "no-cli-pager"}
AWS_OWN = {("configure",), ("sso", "login"), ("cloudformation", "deploy")}
AWS_SERVICES = {"s3api": "s3"}


def code(page: Path) -> Iterator[str]:
    """Yield each line of a code block, and each text between backticks, of a page."""
    for paragraph in re.split(r"\n\s*\n", page.read_text()):
        prose = []
        for line in paragraph.split("\n"):
            if line.startswith("    "):
                yield line.strip()
            prose.append(line)
        yield from (" ".join(text.split()) for text in re.findall(r"`([^`]+)`", "\n".join(prose)))


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the page and the words of each command of a program, comments left out."""
    for page in PAGES:
        for line in code(page):
            for part in re.split(r"&&|;(?= )|\|(?= )", line):
                found = re.match(rf"(?:\$ )?(?:\.venv/bin/)?{re.escape(program)} +(.+)", part.strip())
                if found:
                    text = re.split(r" #| {2,}", found[1])[0]
                    try:
                        words = shlex.split(text)
                    except ValueError:
                        words = text.split()
                    yield f"{page.relative_to(ROOT)}: {program} {text}", words


OURS = list(commands("modelcycle"))
MAKE = list(commands("make"))
AWS = list(commands("aws"))
MODULES = [
    (f"{page.relative_to(ROOT)}: {name}", name)
    for page in PAGES
    for name in re.findall(r"python -m ((?:infra|bench|cli)[a-z_.]*[a-z_])", page.read_text())
]


def names(words: list[str]) -> set[str]:
    return {word.partition("=")[0].rstrip(".,;:]") for word in words if re.match(r"\[?--[a-z]", word)}


def test_the_pages_have_commands() -> None:
    assert len(OURS) > 60 and len(MAKE) > 10 and len(AWS) > 10 and MODULES


@pytest.mark.parametrize(("line", "words"), OURS, ids=[line for line, _ in OURS])
def test_a_command_of_ours_exists_with_its_options(line: str, words: list[str]) -> None:
    verb = words[0]
    if verb in ("VERB", "--help", "..."):
        return
    assert verb in VERBS, line
    known = {option for parameter in VERBS[verb].params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {name.lstrip("[") for name in names(words[1:])} <= known | {"--help"}, line


@pytest.mark.parametrize(("line", "words"), MAKE, ids=[line for line, _ in MAKE])
def test_a_target_of_make_exists_with_its_variables(line: str, words: list[str]) -> None:
    targets = [word for word in words if "=" not in word]
    assert set(targets) <= TARGETS, line
    assert {word.partition("=")[0] for word in words if "=" in word} <= VARIABLES, line


def test_parameters_that_are_given_to_make_exist() -> None:
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    given = [
        (page.name, name)
        for page in PAGES
        for text in re.findall(r'(?:WITH=|SETTINGS_[a-z]+ := )"?([^"`\n]+)', page.read_text())
        for name in re.findall(r"([A-Z][A-Za-z]+)=", text)
    ]
    assert len(given) > 3
    assert not [found for found in given if found[1] not in declared]


@pytest.mark.parametrize(("line", "name"), MODULES, ids=[line for line, _ in MODULES])
def test_a_module_that_is_run_exists(line: str, name: str) -> None:
    assert importlib.util.find_spec(name) is not None, line


@cache
def service(name: str) -> Any:
    return botocore.session.Session().get_service_model(AWS_SERVICES.get(name, name))


@pytest.mark.parametrize(("line", "words"), AWS, ids=[line for line, _ in AWS])
def test_a_command_of_aws_exists_with_its_options_and_has_what_it_needs(line: str, words: list[str]) -> None:
    if any(tuple(words[: len(own)]) == own for own in AWS_OWN):
        return
    name, verb, *rest = words
    if verb == "wait":
        waiters = botocore.session.Session().get_waiter_model(AWS_SERVICES.get(name, name)).waiter_names
        verb, rest = {xform_name(waiter, "-"): waiter for waiter in waiters}[rest[0]], rest[1:]
        model = service(name).operation_model(
            botocore.session.Session().get_waiter_model(AWS_SERVICES.get(name, name)).get_waiter(verb).operation
        )
    else:
        operations = {xform_name(operation, "-"): operation for operation in service(name).operation_names}
        assert verb in operations, line
        model = service(name).operation_model(operations[verb])
    shape = model.input_shape
    members = {xform_name(member, "-"): member for member in (shape.members if shape else {})}
    given = {option.removeprefix("--") for option in names(rest)}
    assert given <= members.keys() | AWS_OPTIONS, line
    if given - AWS_OPTIONS:  # a command of which only the name is told needs no options
        needed = {xform_name(member, "-") for member in (shape.required_members if shape else [])}
        assert needed <= given, line
