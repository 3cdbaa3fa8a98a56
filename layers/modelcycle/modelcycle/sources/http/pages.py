"""From one page of an API to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from modelcycle.faults import BadData
from modelcycle.sources.http.client import Answer, shown
from modelcycle.sources.http.links import next_link
from modelcycle.spec import Pages

REMEDY = "does source.pages name the API's own parameter (source.pages.parameter)? its documentation says which"


class Page(NamedTuple):
    """A page that was read.

    Parameters
    ----------
    number : from 1
    url : that was asked
    rows, rows_before : in this page, and in those before it
    digest : hash of its rows
    """

    number: int
    url: str
    answer: Answer
    rows: int
    rows_before: int
    digest: bytes


class Paging:
    """Walks through the pages of an API, and stops where they repeat."""

    def __init__(self, pages: Pages | None, url: str) -> None:
        self.pages = pages
        self.url = url
        self.digests: dict[bytes, int] = {}
        self.asked = {self.first()}
        self.notes: list[str] = []

    def first(self) -> str:
        """Return the address of the first page."""
        if self.pages is None:
            return self.url
        begin: dict[str, Any] = {}
        if self.pages.by == "page":
            begin[self.pages.parameter] = self.pages.first
        elif self.pages.by == "offset":
            begin[self.pages.parameter] = self._first_offset
        if self.pages.size_parameter:
            begin[self.pages.size_parameter] = self.pages.size
        return with_query(self.url, begin)

    def next(self, page: Page, value_at: Callable[[str], Any]) -> str | None:
        """Return the address of the next page; None after the last one.

        An empty page is the last one. A page with fewer rows than were asked for need not be: many APIs give fewer.

        Parameters
        ----------
        value_at : returns the value at a path of the page's answer

        Raises
        ------
        BadData : the API gives a page or a cursor again
        """
        if self.pages is None:
            return None
        where = f"{shown(page.url)}, page {page.number}"
        if page.rows:
            before = self.digests.setdefault(page.digest, page.number)
            if before != page.number:
                raise BadData(f"page {page.number} has the same rows as page {before}: the pages repeat", where, REMEDY)
        url = self._next(page, value_at)
        if url is None:
            return None
        if url in self.asked:
            raise BadData(
                f"page {page.number} leads to a page that was read before: the pages repeat", where,
                "tell the owner of the API; to read one page only, leave out source.pages",
            )  # fmt: skip
        self.asked.add(url)
        return url

    def _next(self, page: Page, value_at: Callable[[str], Any]) -> str | None:
        pages = self.pages
        if pages is None:
            return None
        if pages.by == "link":
            link = next_link(page.answer.headers.get("Link", ""), page.answer.url)
            if link is None and page.number == 1:
                self.notes.append("the API names no next page (Link header); its first page was taken as all of it")
            return link
        if pages.by == "cursor":
            return self._next_by_cursor(page, value_at)
        if not page.rows:
            return None
        number = pages.first + page.number if pages.by == "page" else self._first_offset + page.rows_before + page.rows
        return with_query(page.url, {pages.parameter: number})

    def _next_by_cursor(self, page: Page, value_at: Callable[[str], Any]) -> str | None:
        pages = self.pages
        if pages is None or pages.cursor is None:
            return None
        cursor = value_at(pages.cursor)
        if cursor in (None, "", False):
            if page.number == 1:
                self.notes.append(f"the answer has no {pages.cursor}; its first page was taken as all of it")
            return None
        if isinstance(cursor, (dict, list)) or cursor is True:
            raise BadData(
                f"{pages.cursor} is not a cursor but a structure", f"{shown(page.url)}, page {page.number}",
                "correct source.pages.cursor",
            )  # fmt: skip
        text = str(cursor)
        if text.lower().startswith(("https://", "http://")):
            return text  # many APIs give the whole address
        return with_query(page.url, {pages.parameter: text})

    @property
    def _first_offset(self) -> int:
        """Offsets count from 0, unless the pipeline file says otherwise."""
        return self.pages.first if self.pages and "first" in self.pages.model_fields_set else 0


def with_query(url: str, parameters: dict[str, Any]) -> str:
    """Return an address with query parameters, in place of those of the same names; the others stay as written.

    >>> with_query("https://example.com/rows?q=a%20b&page=1", {"page": 2})
    'https://example.com/rows?q=a%20b&page=2'
    """
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if part and unquote_plus(part.partition("=")[0]) not in parameters]
    added = [f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in parameters.items()]
    return urlunsplit(parts._replace(query="&".join([*kept, *added]), fragment=""))
