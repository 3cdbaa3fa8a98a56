"""Records of a stream or a queue as rows that `collect` reads, each landed once."""

from modelcycle.land.land import Lander
from modelcycle.land.stream_records import KeptBack, Record, Row, read_arrival, read_delivery, read_record
from modelcycle.land.stream_sources import StreamSources

__all__ = ["KeptBack", "Lander", "Record", "Row", "StreamSources", "read_arrival", "read_delivery", "read_record"]
