"""Fills in what policies about CloudWatch compare and MiniStack 1.5.33 leaves out: such a policy would allow nothing.

`cloudwatch:namespace` allows metrics of one namespace and no others (AWS page "Using condition keys to limit access to
CloudWatch namespaces"). DescribeAlarms is a request about all alarms, and those are `alarm:*` (AWS page "Actions,
resources, and condition keys for Amazon CloudWatch").
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

WRITES_METRICS, READS_ALARMS = "cloudwatch:PutMetricData", "cloudwatch:DescribeAlarms"
NAMESPACE = "cloudwatch:namespace"


def fill_in_cloudwatch_rights(iam_actions: Any) -> None:
    """Make MiniStack evaluate policies with the namespace of metrics, and with all alarms."""
    context_of, resource_of = iam_actions.request_tag_context, iam_actions.extract_resource_arn

    def request_context(service: str, action: str, body: bytes, *rest: Any) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, *rest)
        namespace = namespace_of(body) if action == WRITES_METRICS else ""
        return context | ({NAMESPACE: namespace} if namespace else {})

    def resource_arn(service: str, *request: Any) -> str:
        *parts, region, account = request
        if service == "monitoring" and iam_actions.extract_iam_action(service, *parts) == READS_ALARMS:
            return f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
        return str(resource_of(service, *request))

    iam_actions.request_tag_context, iam_actions.extract_resource_arn = request_context, resource_arn


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
