"""Who has started a run: as the bucket has proved it, or as somebody says.

A person who uploads may put two tags on the object. The bucket's policy takes them only if they are what IAM knows of
the caller: `aws:PrincipalArn` and `aws:userid` (infra/storage.yaml, decision 67). So an object that has them was
written by that person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from modelcycle.store import AUTHOR, PRINCIPAL, SESSION, Written

MAX_AGE = timedelta(minutes=15)
"""From the upload to the start of its run. Whoever may start executions could name an old upload of somebody else."""


class Author(NamedTuple):
    """Who has started a run.

    Parameters
    ----------
    arn : None: nobody knows
    proved : by the bucket's policy; otherwise somebody says so
    stated : the ARN of somebody else whom the object names as its author; None: it names nobody else
    """

    arn: str | None = None
    proved: bool = False
    stated: str | None = None


def author_of_object(written: Written | None, started_at: datetime, is_enforced: bool) -> Author:
    """Return who has written an object that starts a run.

    Parameters
    ----------
    written : what is beside it; None if it was replaced or deleted since
    started_at : when the execution began
    is_enforced : whether this place enforces policies of buckets
    """
    if written is None:
        return Author()
    stated = author_of(written.metadata.get(AUTHOR))
    age = started_at.timestamp() - written.modified
    proved = proved_arn(written.tags) if is_enforced and age <= MAX_AGE.total_seconds() else None
    if proved is None:
        return Author(stated)
    return Author(proved, True, stated if stated not in (None, proved) else None)


def proved_arn(tags: Mapping[str, str]) -> str | None:
    """Return the ARN, as STS writes it, of whom the tags of an object prove; None if they prove nobody.

    Policies compare the names of tags without regard to capitals, objects do not: so a second spelling proves nothing.

    >>> proved_arn({PRINCIPAL: "arn:aws:iam::123456789012:role/path/Dev", SESSION: "AROA1:ann"})
    'arn:aws:sts::123456789012:assumed-role/Dev/ann'
    >>> proved_arn({PRINCIPAL: "arn:aws:iam::123456789012:user/ann", SESSION: "AIDA1"})
    'arn:aws:iam::123456789012:user/ann'
    """
    named = [name for name in tags if name.casefold() in (PRINCIPAL, SESSION)]
    if sorted(named) != sorted((PRINCIPAL, SESSION)):
        return None
    principal, (_, _, session) = tags[PRINCIPAL], tags[SESSION].partition(":")
    role = re.fullmatch(r"arn:([\w-]+):iam::(\d+):role/(?:\S*/)?([^\s/]+)", principal)
    if role:
        partition, account, name = role.groups()
        return author_of(f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}") if session else None
    return author_of(principal)


def author_of(stated: object) -> str | None:
    """Return the ARN that the author of a run has stated; None if it is none.

    >>> author_of("arn:aws:iam::123456789012:user/ann"), author_of("ann")
    ('arn:aws:iam::123456789012:user/ann', None)
    """
    is_arn = isinstance(stated, str) and re.fullmatch(r"arn:[\w-]*:(iam|sts)::\d*:[^\s]{1,400}", stated)
    return str(stated) if is_arn else None
