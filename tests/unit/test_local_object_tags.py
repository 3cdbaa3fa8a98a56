"""The local cloud evaluates the tags of an upload and the variables of a policy, as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.core import iam_actions, iam_evaluator

from infra.local.emulator.object_tags import TAG, TAG_KEYS, fill_in_object_tags

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
            "Condition": {
                "Null": {f"{TAG}by": "false"}, "StringNotEquals": {f"{TAG}by": "${aws:userid}"},
            },
        }
    ],
}  # fmt: skip


@pytest.fixture
def _filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam_actions, "s3_service_context", iam_actions.s3_service_context)
    monkeypatch.setattr(iam_evaluator, "enforce", lambda *_, **__: None)
    monkeypatch.setattr(iam_evaluator, "_conditions_met", iam_evaluator._conditions_met)
    fill_in_object_tags(iam_actions, iam_evaluator)


def context(tags: str) -> dict[str, Any]:
    headers = {"x-amz-tagging": tags} if tags else {}
    found: dict[str, Any] = iam_actions.s3_service_context("s3:PutObject", {}, "/bucket/key", headers)
    return found


def decision(tags: str) -> str:
    request = iam_evaluator.EvalContext(
        principal_arn="arn:aws:iam::000000000000:user/ann", principal_type="User", principal_account="000000000000",
        action="s3:PutObject", resource_arn="arn:aws:s3:::bucket/key", region="us-east-1",
        service_context={name.lower(): value for name, value in context(tags).items()},
        principal_keys={"aws:userid": "AIDAANN"},
    )  # fmt: skip
    return str(iam_evaluator.evaluate_resource_policy(POLICY, request).decision)


@pytest.mark.usefixtures("_filled_in")
@pytest.mark.parametrize(
    ("tags", "expected"), [("by=AIDAANN", "ImplicitDeny"), ("by=AIDABOB", "Deny"), ("", "ImplicitDeny")]
)
def test_a_policy_takes_no_tag_that_names_another_person(tags: str, expected: str) -> None:
    assert decision(tags) == expected


@pytest.mark.usefixtures("_filled_in")
def test_an_upload_with_tags_needs_the_right_to_set_them() -> None:
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iam_evaluator, "enforce", lambda key, action, *_, **__: asked.append(action))
        fill_in_object_tags(iam_actions, iam_evaluator)
        for tags in ("", "by=AIDAANN"):
            iam_evaluator.enforce("key", "s3:PutObject", "s3", "us-east-1", service_context=context(tags))
    assert asked == ["s3:PutObject", "s3:PutObject", "s3:PutObjectTagging"]


def test_ministack_still_leaves_tags_and_variables_out() -> None:
    """Then `infra/local/emulator/object_tags.py` is needed; when this fails, remove it."""
    assert TAG_KEYS not in context("by=AIDAANN")
    assert decision("by=AIDABOB") == "ImplicitDeny"
