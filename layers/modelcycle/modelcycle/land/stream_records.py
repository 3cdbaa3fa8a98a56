"""One record of a stream or queue: which row it is, of which model, and when it happened; or an outcome."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from modelcycle.cells.moments import read_time
from modelcycle.faults import BadMessage
from modelcycle.json_text import without_key
from modelcycle.reading.broken_lines import MAX_LINE_BYTES
from modelcycle.spec import StreamSource

MODEL = "model"  # the field that names a record's model
ROW = "row"  # a record of exactly these two fields holds its row here, for rows with a column `model`
OUTCOME = "outcome"  # a record of exactly `model` and this holds an object: the outcome of a prediction, and no row

FindSource = Callable[[str], "StreamSource | Reason"]
Reason = Literal[
    "is not JSON", "is not a JSON object", "names no model", "names an unknown model",
    "names a model whose source is not the stream", "names a model whose pipeline file has errors",
    "holds no row", "is too long", "has no event time", "has an event time that cannot be read",
]  # fmt: skip
"""Why a record is kept back. There are few reasons, and none holds a value."""


class Delivery(NamedTuple):
    """What an event source mapping delivers.

    Parameters
    ----------
    stream : name of the stream or queue
    ordered : whether its records have sequence numbers that only grow (Kinesis)
    """

    stream: str
    ordered: bool


class Arrival(NamedTuple):
    """A record as it arrived.

    Parameters
    ----------
    shard : `queue` for a queue
    id : the sequence number, or the message's id
    at : when it arrived
    """

    shard: str
    id: str
    at: datetime
    data: bytes


class Row(NamedTuple):
    """A row of a model.

    Parameters
    ----------
    line : its JSON text, in one line
    event_at : when it happened
    row_id : the value of the id column as JSON text, None without one
    """

    arrival: Arrival
    model: str
    line: str
    event_at: datetime
    row_id: str | None


class Outcome(NamedTuple):
    """What really happened, for a prediction of a model.

    Parameters
    ----------
    line : its JSON text, in one line
    """

    arrival: Arrival
    model: str
    line: str


class KeptBack(NamedTuple):
    """A record that is neither; it goes to quarantine."""

    arrival: Arrival
    reason: Reason


def read_delivery(event: Any) -> Delivery:
    """Return what an event delivers.

    Raises
    ------
    BadMessage : it is no delivery of a stream or queue
    """
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records and isinstance(records[0], dict) else {}
    source = first.get("eventSource")
    if source not in ("aws:kinesis", "aws:sqs"):
        raise BadMessage("the event holds no records of Kinesis or SQS", "land", "see events/land.json")
    name = str(first.get("eventSourceARN", "")).rpartition(":")[2]
    return Delivery(name.removeprefix("stream/"), source == "aws:kinesis")


def read_arrival(record: dict[str, Any]) -> Arrival:
    """Read one record of a delivery (AWS pages "Using Lambda with Kinesis" and "Using Lambda with Amazon SQS")."""
    if "kinesis" in record:
        kinesis = record["kinesis"]
        at = datetime.fromtimestamp(float(kinesis["approximateArrivalTimestamp"]), UTC)
        shard = record["eventID"].rpartition(":")[0]
        return Arrival(shard, kinesis["sequenceNumber"], at, base64.b64decode(kinesis["data"]))
    at = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    return Arrival("queue", record["messageId"], at, record["body"].encode())


Record = Row | Outcome | KeptBack


def read_record(arrival: Arrival, find_source: FindSource) -> Record:
    """Return what a record is: a row, an outcome, or why it is neither.

    Parameters
    ----------
    find_source : returns the section `source` of a model's pipeline file, or why it is not a stream

    Examples
    --------
    >>> arrival = Arrival("queue", "m-1", datetime(2026, 1, 2, 3, tzinfo=UTC), b'{"model": "churn", "price": 1.10}')
    >>> read_record(arrival, lambda model: StreamSource(type="stream")).line
    '{"price": 1.10}'
    """
    try:
        text = arrival.data.decode("utf-8-sig")
        record = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return KeptBack(arrival, "is not JSON")
    if not isinstance(record, dict):
        return KeptBack(arrival, "is not a JSON object")
    model = record.get(MODEL)
    if not isinstance(model, str) or not model:
        return KeptBack(arrival, "names no model")
    source = find_source(model)
    if record.keys() == {MODEL, OUTCOME} and isinstance(record[OUTCOME], dict):
        return _read_outcome(arrival, model, record[OUTCOME], _inner_object(text), source)
    if isinstance(source, str):
        return KeptBack(arrival, source)
    if record.keys() == {MODEL, ROW} and isinstance(record[ROW], dict):
        row, line = record[ROW], _inner_object(text)
    else:
        row, line = {key: value for key, value in record.items() if key != MODEL}, without_key(text, MODEL)
    if not row:
        return KeptBack(arrival, "holds no row")
    if len(line.encode(errors="surrogatepass")) >= MAX_LINE_BYTES:
        return KeptBack(arrival, "is too long")
    event_at = arrival.at
    if source.event_time is not None:
        value = value_of(row, source.event_time)
        if value is None or value == "":
            return KeptBack(arrival, "has no event time")
        found = read_time(value)
        if found is None:
            return KeptBack(arrival, "has an event time that cannot be read")
        event_at = found
    row_id = value_of(row, source.id) if source.id is not None else None
    return Row(arrival, model, line, event_at, None if row_id is None else json.dumps(row_id, sort_keys=True))


def _inner_object(text: str) -> str:
    """Return the text of the other value of an object that has MODEL and one more key."""
    line = without_key(text, MODEL)
    return line[line.index(":") + 1 : -1].strip()


def _read_outcome(
    arrival: Arrival, model: str, outcome: dict[str, Any], line: str, source: StreamSource | Reason
) -> Outcome | KeptBack:
    """Return an outcome; every model takes them, wherever its rows come from."""
    if source == "names an unknown model":
        return KeptBack(arrival, source)
    if not outcome:
        return KeptBack(arrival, "holds no row")
    if len(line.encode(errors="surrogatepass")) >= MAX_LINE_BYTES:
        return KeptBack(arrival, "is too long")
    return Outcome(arrival, model, line)


def value_of(row: dict[str, Any], column: str) -> Any:
    """Return a row's value; a dot leads into an object, unless a key has it."""
    value: Any = row
    for key in [column] if column in row else column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
