"""A document as sections of facts, and its Markdown. A section without any fact says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Missing(NamedTuple):
    """Something a document should tell, for which there is no evidence.

    Parameters
    ----------
    what : such as `the intended purpose`
    remedy : how to provide it, as an imperative clause
    """

    what: str
    remedy: str


class Table(NamedTuple):
    head: list[str]
    rows: list[list[str]]


class Code(NamedTuple):
    text: str


Part = str | Table | Code | Missing


class Section(NamedTuple):
    """A heading and what stands under it: sentences, tables, code, and what is missing.

    Parameters
    ----------
    level : of the heading; the document's title has level 1
    """

    title: str
    parts: list[Part]
    level: int = 2


class Document(NamedTuple):
    """Parameters
    ----------
    introduction : paragraphs before the first section
    """

    title: str
    introduction: list[str]
    sections: list[Section]

    @property
    def missing(self) -> list[Missing]:
        """Everything that is missing, in the order of the document."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Missing)]


def markdown(document: Document) -> str:
    """Return a document as Markdown.

    Texts of the user or the data are escaped where they are put in, see `escaped`.

    Raises
    ------
    ValueError : a section with no part and no section below it: it would look as if nothing had to be told

    Examples
    --------
    >>> print(markdown(Document("churn", ["A model."], [Section("Purpose", [Missing("the purpose", "write it")])])))
    # churn
    <BLANKLINE>
    A model.
    <BLANKLINE>
    ## Purpose
    <BLANKLINE>
    - **Missing: the purpose.** To provide it, write it.
    <BLANKLINE>
    """
    lines = [f"# {document.title}", ""]
    for paragraph in document.introduction:
        lines += [paragraph, ""]
    for place, section in enumerate(document.sections):
        if not section.parts and not _has_section_below(document.sections, place):
            raise ValueError(f"the section {section.title!r} tells nothing, not even what is missing")
        lines += [f"{'#' * section.level} {section.title}", "", *_body(section.parts)]
    return "\n".join(lines)


def _has_section_below(sections: list[Section], place: int) -> bool:
    following = sections[place + 1 : place + 2]
    return bool(following) and following[0].level > sections[place].level


def _body(parts: list[Part]) -> Iterator[str]:
    """Yield lines; parts of one kind that follow each other stand together."""
    listed = False
    for part in parts:
        is_listed = isinstance(part, str | Missing)
        if listed and not is_listed:
            yield ""
        listed = is_listed
        match part:
            case str():
                yield f"- {part}"
            case Missing(what, remedy):
                yield f"- **Missing: {what}.** To provide it, {remedy}."
            case Code(text):
                yield from (*(f"    {line}" for line in text.splitlines()), "")
            case Table(head, rows):
                yield f"| {' | '.join(head)} |"
                yield f"|{'---|' * len(head)}"
                yield from (f"| {' | '.join(row)} |" for row in rows)
                yield ""
    if listed:
        yield ""


def escaped(text: str) -> str:
    """Return a text of the user or the data as it may stand in a line or a cell of Markdown.

    >>> escaped("a|b\\n`c`")
    "a\\\\|b 'c'"
    """
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("`", "'")
    return plain.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def number(value: float | None) -> str:
    """Return a number with four digits; nothing for None."""
    return "" if value is None else f"{value:.4g}"
