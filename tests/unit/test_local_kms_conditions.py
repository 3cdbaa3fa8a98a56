"""The local cloud evaluates policies of KMS with what a request names, as AWS does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ministack.core import iam_actions

from infra.local.emulator.kms_conditions import fill_in_kms_conditions, kms_context


@pytest.mark.parametrize(("action", "request_", "context"), [
    ("kms:Verify", {"SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "DIGEST"},
     {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"}),
    ("kms:GenerateMac", {"MacAlgorithm": "HMAC_SHA_256"}, {"kms:MacAlgorithm": "HMAC_SHA_256"}),
    ("kms:Decrypt", {"EncryptionContext": {"model": "m"}},
     {"kms:EncryptionContext:model": "m", "kms:EncryptionContextKeys": ["model"]}),
    ("kms:DescribeKey", {"KeyId": "k"}, {}),
])  # fmt: skip
def test_the_request_says_what_the_key_is_used_for(
    action: str, request_: dict[str, Any], context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iam_actions, "request_tag_context", iam_actions.request_tag_context)
    fill_in_kms_conditions(iam_actions)
    assert iam_actions.request_tag_context("kms", action, json.dumps(request_).encode(), {}) == context
    assert iam_actions.request_tag_context("sqs", action, json.dumps(request_).encode(), {}) == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"\xff"])
def test_what_is_no_request_names_nothing(body: bytes) -> None:
    assert kms_context("kms:DescribeKey", body) == {}


def test_ministack_still_leaves_the_conditions_out() -> None:
    """Then `infra/local/emulator/kms_conditions.py` is needed; when this fails, remove it."""
    body = json.dumps({"SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "DIGEST"}).encode()
    assert iam_actions.request_tag_context("kms", "kms:Sign", body, {}) == {}
