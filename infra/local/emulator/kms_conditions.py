"""Fills in the condition keys of KMS with which a policy allows a key for one algorithm and one kind of message.

MiniStack 1.5.33 evaluates policies of KMS without them, so that a policy which names one refuses every request. AWS
fills them in from the request (AWS page "AWS KMS condition keys").
"""

from __future__ import annotations

import json
from typing import Any

KEYS = {
    "kms:SigningAlgorithm": "SigningAlgorithm", "kms:MacAlgorithm": "MacAlgorithm",
    "kms:EncryptionAlgorithm": "EncryptionAlgorithm",
}  # fmt: skip
SIGNATURES = ("kms:Sign", "kms:Verify")


def fill_in_kms_conditions(iam_actions: Any) -> None:
    """Make MiniStack evaluate policies with what a request to KMS names."""
    context_of_tags = iam_actions.request_tag_context

    def context_of(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = context_of_tags(service, iam_action, body, params)
        return context | kms_context(iam_action, body) if service == "kms" else context

    iam_actions.request_tag_context = context_of


def kms_context(action: str, body: bytes) -> dict[str, Any]:
    """Return the condition keys of a request to KMS.

    Examples
    --------
    >>> kms_context("kms:Sign", b'{"SigningAlgorithm": "ECDSA_SHA_256"}')
    {'kms:SigningAlgorithm': 'ECDSA_SHA_256', 'kms:MessageType': 'RAW'}
    """
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    if not isinstance(request, dict):
        return {}
    context = {key: request[field] for key, field in KEYS.items() if field in request}
    if action in SIGNATURES:
        context["kms:MessageType"] = request.get("MessageType", "RAW")
    of_data = request.get("EncryptionContext")
    if isinstance(of_data, dict) and of_data:
        context |= {f"kms:EncryptionContext:{name}": value for name, value in of_data.items()}
        context["kms:EncryptionContextKeys"] = sorted(of_data)
    return context
