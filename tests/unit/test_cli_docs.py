"""docs/cli.md describes every verb and every option, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHARED = PAGE.split("## The verbs")[0]
SECTIONS = dict(re.findall(r"^### `modelcycle ([a-z]+)[^\n]*\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ON_ANY_PLACE = {"--place", "--stage", "--json", "--debug"}


def options(verb: str) -> set[str]:
    return {name for option in VERBS[verb].params for name in option.opts if name.startswith("--")} - {"--help"}


def test_the_page_has_a_section_for_each_verb_and_for_no_other() -> None:
    assert SECTIONS.keys() == VERBS.keys()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_option_of_a_verb_has_a_line(verb: str) -> None:
    described = set(re.findall(r"^- `(--[a-z-]+)`", SECTIONS[verb], re.MULTILINE))
    assert described == options(verb) - ON_ANY_PLACE


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"schema"}))
def test_each_verb_that_works_on_a_place_has_the_shared_options(verb: str) -> None:
    assert options(verb) >= ON_ANY_PLACE


@pytest.mark.parametrize("option", sorted(ON_ANY_PLACE))
def test_each_shared_option_has_a_line(option: str) -> None:
    assert re.search(rf"^- `{option}`", SHARED, re.MULTILINE)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_says_what_it_does_in_its_help(verb: str) -> None:
    assert VERBS[verb].help
    assert all(getattr(option, "help", None) for option in VERBS[verb].params if option.name != "help")
