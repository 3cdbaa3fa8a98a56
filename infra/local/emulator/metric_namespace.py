"""Fills in `cloudwatch:namespace`, with which a policy allows metrics of one namespace and no others.

MiniStack 1.5.33 leaves the key out, so that such a policy allows nothing (AWS page "Using condition keys to limit
access to CloudWatch namespaces").
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

ACTION, KEY = "cloudwatch:PutMetricData", "cloudwatch:namespace"


def fill_in_metric_namespace(iam_actions: Any) -> None:
    """Make MiniStack evaluate policies with the namespace of each request that writes metrics."""
    context_of = iam_actions.request_tag_context

    def request_context(service: str, action: str, body: bytes, *rest: Any) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, *rest)
        namespace = namespace_of(body) if action == ACTION else ""
        return context | ({KEY: namespace} if namespace else {})

    iam_actions.request_tag_context = request_context


def namespace_of(body: bytes) -> str:
    """Return the namespace of PutMetricData as JSON or as a form; empty if it names none.

    Examples
    --------
    >>> namespace_of(b'{"Namespace": "ModelCycle"}'), namespace_of(b"Action=PutMetricData&Namespace=A%2FB")
    ('ModelCycle', 'A/B')
    >>> namespace_of(b"")
    ''
    """
    try:
        if body[:1] == b"{":
            request = json.loads(body)
        else:
            request = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
    except ValueError:
        return ""
    return str(request.get("Namespace") or "") if isinstance(request, dict) else ""
