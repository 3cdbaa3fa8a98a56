from __future__ import annotations

from modelcycle.faults import BadPipeline
from modelcycle.sources.protocol import Secrets, Source
from modelcycle.spec import HttpSource, SqlSource
from modelcycle.spec.sources import Source as SourceSpec


def open_source(spec: SourceSpec, secrets: Secrets, where: str) -> Source:
    """Return the source that a section of the pipeline file describes. Connects only when rows are asked for.

    Parameters
    ----------
    where : the section, for faults

    Raises
    ------
    BadPipeline : rows of this type are not pulled
    """
    if isinstance(spec, SqlSource):
        from modelcycle.sources.sql import SqlRows

        return SqlRows(spec, secrets, where)
    if isinstance(spec, HttpSource):
        from modelcycle.sources.http import HttpRows

        return HttpRows(spec, secrets, where)
    raise BadPipeline(f"rows of the type {spec.type} are not pulled", where, "uploads and records arrive by themselves")
