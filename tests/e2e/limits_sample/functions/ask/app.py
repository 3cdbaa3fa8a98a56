"""Exceeds the limit that a test names."""

import os
import tempfile
import time
from pathlib import Path


def handler(event, context):
    ask = event.get("ask")
    if ask == "memory":
        kept = []
        for _ in range(event["mib"]):
            kept.append(b"x" * (1 << 20))
            time.sleep(0.001)
        time.sleep(event.get("seconds", 0.3))
        return len(kept)
    if ask == "answer":
        return "x" * event["characters"]
    if ask == "sleep":
        time.sleep(event["seconds"])
    if ask == "files":
        with tempfile.TemporaryDirectory() as folder:
            for number in range(event["mib"]):
                (Path(folder) / str(number)).write_bytes(b"x" * (1 << 20))
            time.sleep(1)
            return folder
    if ask == "exit":
        os._exit(event["status"])
    if ask == "count":
        return list(range(event["until"]))
    if "requestContext" in event:
        size = int((event.get("queryStringParameters") or {}).get("characters", 2))
        return {"statusCode": 200, "body": "x" * size}
    return event
