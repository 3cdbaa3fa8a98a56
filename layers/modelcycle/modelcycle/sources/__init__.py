"""Where rows come from, apart from uploads: one module for each kind of source, all behind the protocol `Source`.

    sql    tables and queries of a database
    http   JSON and CSV APIs

`collect.pull` lands what a source gives as objects of the data bucket.
"""

from modelcycle.sources.open_source import open_source
from modelcycle.sources.protocol import Landed, Secrets, Source

__all__ = ["Landed", "Secrets", "Source", "open_source"]
