"""Lambda's runtime and extensions APIs, in the order in which AWS calls a function; Firehose, S3, and DynamoDB's reads.

An invocation is given to the runtime, and to an extension that registered for it, once both have asked for an event.
The client has its answer as soon as the runtime posts it. The environment would be frozen when both have asked again;
an extension without events asks once.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from modelcycle.key_service import KeyService
from tests.fakes import UNSIGNED, MemoryTable

ROOT = Path(__file__).parents[1]
SERVER = Path(__file__).with_name("serving_process.py")
TIMEOUT = 60.0  # seconds


@dataclass
class FakeLambda:
    """The APIs on a free port, and what has happened there, in order.

    Parameters
    ----------
    has_extensions : whether a function may register; the local cloud answers 404
    happened : ("answered", request id, status), ("sent", prediction ids), ("next", request id)
    firehose_fails : the next calls of Firehose fail
    firehose_seconds : how long such a call takes
    table, objects : what DynamoDB and S3 hold; a path of S3 is /bucket/key
    keys : what KMS verifies with
    seconds : of each answer, from the event given to the runtime to the answer posted
    """

    has_extensions: bool = True
    happened: list[tuple[Any, ...]] = field(default_factory=list)
    firehose_fails: bool = False
    firehose_seconds: float = 0.0
    table: MemoryTable = field(default_factory=MemoryTable)
    objects: dict[str, bytes] = field(default_factory=dict)
    keys: KeyService = UNSIGNED
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.registered = False
        self.extension_events: list[str] = []  # that it registered for
        self.runtime_asks = self.extension_asks = 0
        self.process = 0  # how many there have been
        self.given_at = 0.0  # time.perf_counter() of the last event
        self.invocation: tuple[str, bytes] | None = None
        self.given_to: set[str] = set()
        self.answers: dict[str, tuple[str, bytes]] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                if not self.path.startswith(("/2018-06-01/", "/2020-01-01/")):
                    body = fake.objects.get(self.path.partition("?")[0])
                    self.reply(404 if body is None else 200, body or b"")
                    return
                fake.give("extension" if "/extension/" in self.path else "runtime", self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path.endswith("/extension/register"):
                    fake.register(json.loads(body)["events"], self)
                elif "/runtime/" in self.path:
                    fake.answer(self.path, body, self)
                elif "DynamoDB" in self.headers.get("X-Amz-Target", ""):
                    fake.get_item(json.loads(body)["Key"], self)
                elif self.headers.get("X-Amz-Target") == "TrentService.Verify":
                    fake.verify(json.loads(body), self)
                else:
                    fake.put_records(body, self)

            def reply(self, status: int, body: bytes = b"{}", **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None: ...  # a killed function leaves its requests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def invoke(self, event: dict[str, Any]) -> tuple[str, Any]:
        """Call the function; return the request id and its answer, as soon as that is posted."""
        request_id = str(uuid.uuid4())
        with self.changed:
            assert self.changed.wait_for(self.is_ready, TIMEOUT), "the function does not ask for a request"
            self.given_to = set()
            self.invocation = request_id, json.dumps(event).encode()
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: request_id in self.answers, TIMEOUT), "no answer"
        _, body = self.answers.pop(request_id)
        return request_id, json.loads(body)

    def is_ready(self) -> bool:
        return self.invocation is None and self.runtime_asks > 0 and (not self.registered or self.extension_asks > 0)

    def wait_until_ready(self) -> None:
        with self.changed:
            assert self.changed.wait_for(self.is_ready, TIMEOUT)

    def forget_process(self) -> None:
        """Be ready for another process of the function."""
        with self.changed:
            self.registered, self.runtime_asks, self.extension_asks, self.invocation = False, 0, 0, None
            self.extension_events = []
            self.process += 1
            self.changed.notify_all()

    @property
    def sent(self) -> list[str]:
        """The prediction ids that Firehose has."""
        return [prediction_id for kind, *rest in self.happened if kind == "sent" for prediction_id in rest[0]]

    def register(self, events: list[str], request: Any) -> None:
        if not self.has_extensions:
            request.reply(404)
            return
        self.registered, self.extension_events = True, events
        request.reply(200, b"{}", Lambda_Extension_Identifier="one")

    def give(self, who: str, request: Any) -> None:
        with self.changed:
            setattr(self, f"{who}_asks", getattr(self, f"{who}_asks") + 1)
            self.happened.append(("next", who))
            self.changed.notify_all()
            process = self.process
            is_told = who == "runtime" or "INVOKE" in self.extension_events
            self.changed.wait_for(
                lambda: (
                    self.process != process or (is_told and self.invocation is not None and who not in self.given_to)
                )
            )
            if self.process != process or self.invocation is None:
                return
            setattr(self, f"{who}_asks", 0)
            request_id, event = self.invocation
            self.given_to.add(who)
            if "runtime" in self.given_to and ("extension" in self.given_to or "INVOKE" not in self.extension_events):
                self.invocation = None
        deadline = int((time.time() + 29) * 1000)
        if who == "extension":
            body = json.dumps({"eventType": "INVOKE", "requestId": request_id, "deadlineMs": deadline}).encode()
            request.reply(200, body)
        else:
            self.given_at = time.perf_counter()
            request.reply(
                200, event, Lambda_Runtime_Aws_Request_Id=request_id, Lambda_Runtime_Deadline_Ms=str(deadline),
                Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:us-east-1:123456789012:function:predict",
                Content_Type="application/json",
            )  # fmt: skip

    def answer(self, path: str, body: bytes, request: Any) -> None:
        *_, request_id, kind = path.split("/")
        self.seconds.append(time.perf_counter() - self.given_at)
        with self.changed:
            self.happened.append(("answered", request_id, kind))
            self.answers[request_id] = kind, body
            self.changed.notify_all()
        request.reply(202)

    def get_item(self, key: dict[str, Any], request: Any) -> None:
        record = self.table.get(key["pk"]["S"], key["sk"]["S"])
        item = record and {
            **key, "body": {"S": json.dumps(record.body)}, "revision": {"N": str(record.revision)}
        }  # fmt: skip
        request.reply(200, json.dumps({"Item": item} if item else {}).encode())

    def verify(self, asked: dict[str, str], request: Any) -> None:
        digest, signature = (base64.b64decode(asked[name]) for name in ("Message", "Signature"))
        if self.keys.verify(digest, signature):
            request.reply(200, b'{"SignatureValid": true}')
        else:
            request.reply(400, b'{"__type": "KMSInvalidSignatureException"}')

    def put_records(self, body: bytes, request: Any) -> None:
        time.sleep(self.firehose_seconds)
        if self.firehose_fails:
            request.reply(500)
            return
        records = [base64.b64decode(record["Data"]) for record in json.loads(body)["Records"]]
        ids = [json.loads(line)["prediction_id"] for record in records for line in record.splitlines()]
        with self.changed:
            self.happened.append(("sent", ids))
            self.changed.notify_all()
        answer = {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in records]}
        request.reply(200, json.dumps(answer).encode())


class Function:
    """The predict function under awslambdaric; each `start` is a new process.

    Parameters
    ----------
    is_told : whether the runtime calls the function when an answer is posted, as a later one may not
    """

    def __init__(self, fake: FakeLambda, folder: Path, is_told: bool = True) -> None:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": fake.address, "AWS_ENDPOINT_URL": f"http://{fake.address}",
            "MODEL_FOLDER": str(folder), "IS_TOLD": "yes" if is_told else "", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "CODE_VERSION": "test", "CAPTURE_STREAM": "captures", "AWS_LAMBDA_FUNCTION_NAME": "predict",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13" if fake.has_extensions else "", "PATH": os.defpath,
        }  # fmt: skip
        self.fake = fake
        self.log = folder / "log"
        self.zygote = subprocess.Popen(
            [sys.executable, str(SERVER)], env=environment, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w"),
        )  # fmt: skip
        self.pid = 0

    def start(self) -> None:
        assert self.zygote.stdin and self.zygote.stdout
        self.fake.forget_process()
        self.zygote.stdin.write("start\n")
        self.zygote.stdin.flush()
        self.pid = int(self.zygote.stdout.readline())

    def end(self, number: signal.Signals) -> int:
        """End the process by a signal; return its exit status."""
        assert self.zygote.stdout
        os.kill(self.pid, number)
        return int(self.zygote.stdout.readline())

    def close(self) -> None:
        self.zygote.kill()
        self.zygote.wait()
