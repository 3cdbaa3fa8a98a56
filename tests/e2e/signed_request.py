"""Requests to the API of a local cloud, signed as its operator."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.clients import REGION
from infra.local.cloud import LocalCloud


def signed_headers(cloud: LocalCloud, method: str, url: str, body: bytes | None = None) -> dict[str, str]:
    """Return the headers of a signed request."""
    request = AWSRequest(method, url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(*cloud.operator.credentials()), "execute-api", REGION).add_auth(request)
    return dict(request.headers)


def predict(cloud: LocalCloud, model: str, instances: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the model's answer for some rows."""
    return send(cloud, f"/models/{model}/predict", {"instances": instances})


def send(cloud: LocalCloud, path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a signed POST request."""
    url = f"{cloud.outputs['ApiUrl']}{path}"
    body = json.dumps(request).encode()
    posted = urllib.request.Request(url, body, signed_headers(cloud, "POST", url, body), method="POST")
    with urllib.request.urlopen(posted) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
