"""Firehose writes the lines of each partition into objects of their own, as AWS does with dynamic partitioning.

LocalStack 4.14.0 evaluates no expression in a prefix: the keys would contain it. It writes each call of PutRecordBatch
as one object at once, and appends `YYYY/MM/DD/HH/` to the prefix: what `!{timestamp:yyyy/MM/dd/HH}/` gives on AWS.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

PARTITION = re.compile(r"!\{partitionKeyFromQuery:(\w+)\}")
HOURS = "!{timestamp:yyyy/MM/dd/HH}/"
FAILED = re.compile(r"!\{firehose:error-output-type\}")


def install() -> None:
    """Let LocalStack's Firehose part its records."""
    from localstack.services.firehose.provider import FirehoseProvider

    original = FirehoseProvider._put_records_to_s3_bucket

    def put(provider: Any, stream_name: str, records: list[dict[str, Any]], s3_destination_description: Any) -> None:
        destination = dict(s3_destination_description)
        prefix = destination.get("Prefix") or ""
        if not PARTITION.search(prefix):
            original(provider, stream_name, records, s3_destination_description)
            return
        data = [base64.b64decode(record.get("Data") or record.get("data") or "") for record in records]
        failed = FAILED.sub("metadata-extraction-failed", destination.get("ErrorOutputPrefix") or "failed/")
        for folder, lines in partitions(data, prefix, failed).items():
            part = {"Data": base64.b64encode(b"\n".join(lines) + b"\n")}
            original(provider, stream_name, [part], {**destination, "Prefix": folder})

    FirehoseProvider._put_records_to_s3_bucket = put


def partitions(records: Iterable[bytes], prefix: str, failed: str) -> dict[str, list[bytes]]:
    """Return the lines of records by their folder.

    Parameters
    ----------
    records : each with one or more lines of JSON
    prefix : with an expression for each key, whose name is that of the field it is read from
    failed : the folder of lines that lack a field

    Examples
    --------
    >>> prefix = "captures/model=!{partitionKeyFromQuery:model}/!{timestamp:yyyy/MM/dd/HH}/"
    >>> partitions([b'{"model": "a"}\\n{"model": "b"}', b"broken"], prefix, "failed/")
    {'captures/model=a/': [b'{"model": "a"}'], 'captures/model=b/': [b'{"model": "b"}'], 'failed/': [b'broken']}
    """
    found: dict[str, list[bytes]] = {}
    for line in (line for record in records for line in record.splitlines() if line.strip()):
        found.setdefault(_folder(line, prefix, failed), []).append(line)
    return found


def _folder(line: bytes, prefix: str, failed: str) -> str:
    try:
        row = json.loads(line)
        folder = PARTITION.sub(lambda key: str(row[key[1]]), prefix)
    except (ValueError, KeyError, TypeError):
        return failed
    return folder.removesuffix(HOURS)
