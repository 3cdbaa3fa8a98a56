"""The faults of a database in words: never a value of a row, never a password."""

from __future__ import annotations

import re
import socket

from modelcycle.faults import BadInput, Fault, Transient

MAX_MESSAGE = 300  # characters of a database's own message


def refused(product: str, code: object, message: str, about_the_query: bool, where: str) -> Fault:
    """Return the fault for a query that the database refused.

    Parameters
    ----------
    about_the_query : whether the message speaks of the query alone; others may quote values of rows
    """
    text = re.sub(r"\s+", " ", message).strip()[:MAX_MESSAGE]
    said = f": {text}" if about_the_query and text else f" at a row (error {code})"
    return BadInput(
        f"{product} refused the query{said}", where, "correct `table:` or `query:`; try it in the database's own client"
    )


def unreachable(error: Exception, name: str, where: str) -> Fault:
    """Return the fault for a database that does not answer."""
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return BadInput("the host of the database is unknown", f"{where}, {name}", "correct the URL in the secret")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Transient(
            "the database refuses connections", f"{where}, {name}",
            "is it running, and are host and port in the secret right?",
        )  # fmt: skip
    return Transient(
        "the database does not answer, or the connection was lost", f"{where}, {name}",
        "is its network open to the functions? the pull can be repeated: no row comes twice",
    )  # fmt: skip
