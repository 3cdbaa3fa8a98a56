"""Records of a stream or a queue as rows that `collect` reads, each landed once."""

from modelcycle.land.land import Lander
from modelcycle.land.stream_records import KeptBack, Row, read_arrival, read_delivery, read_row
from modelcycle.land.stream_sources import StreamSources

__all__ = ["KeptBack", "Lander", "Row", "StreamSources", "read_arrival", "read_delivery", "read_row"]
