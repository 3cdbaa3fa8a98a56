"""Evaluates the tags that a write to S3 names, and variables in policies: by both, a bucket proves who has uploaded.

MiniStack 1.5.33 leaves `s3:RequestObjectTag/...` out of each request, does not ask for `s3:PutObjectTagging` where an
upload names tags, and compares policy variables such as `${aws:userid}` as they are written. AWS does all three (AWS
pages "Tagging and access control policies" and "IAM policy elements: Variables and tags").
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

TAG = "s3:RequestObjectTag/"
TAG_KEYS = "s3:RequestObjectTagKeys"
VARIABLE = re.compile(r"\$\{([A-Za-z][\w-]*:[^}]+)\}")


def fill_in_object_tags(iam_actions: Any, iam_evaluator: Any) -> None:
    """Make MiniStack evaluate policies with the tags that an upload names, and with what variables stand for.

    Tags that are set later, by `PutObjectTagging`, are in its body and stay unknown to policies.
    """
    context_of, enforce, are_met = (
        iam_actions.s3_service_context, iam_evaluator.enforce, iam_evaluator._conditions_met,
    )  # fmt: skip

    def s3_service_context(
        action: str, query: dict[str, Any] | None, path: str = "", headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        context: dict[str, Any] = context_of(action, query, path, headers)
        return context | (tag_context(headers or {}) if action == "s3:PutObject" else {})

    def enforce_tagging(
        access_key: str, action: str, service: str, region: str,
        resource_arn: str = "*", service_context: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        arguments = {"resource_arn": resource_arn, "service_context": service_context}
        denied = enforce(access_key, action, service, region, **arguments)
        if denied or action != "s3:PutObject" or TAG_KEYS not in (service_context or {}):
            return denied
        return enforce(access_key, "s3:PutObjectTagging", service, region, **arguments)

    def conditions_met(conditions: Any, context: Any) -> bool:
        return bool(are_met(_without_variables(conditions, context, iam_evaluator), context))

    iam_actions.s3_service_context = s3_service_context
    iam_evaluator.enforce = enforce_tagging
    iam_evaluator._conditions_met = conditions_met


def tag_context(headers: dict[str, str]) -> dict[str, Any]:
    """Return the condition keys of an upload's tags; empty if it names none.

    >>> tag_context({"x-amz-tagging": "a=1&b=x%2Fy"})
    {'s3:RequestObjectTag/a': '1', 's3:RequestObjectTag/b': 'x/y', 's3:RequestObjectTagKeys': ['a', 'b']}
    """
    tags = dict(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
    return {TAG + name: value for name, value in tags.items()} | ({TAG_KEYS: sorted(tags)} if tags else {})


def _without_variables(conditions: Any, context: Any, iam_evaluator: Any) -> Any:
    """Return conditions in which each variable is replaced by its value, where the request has one."""
    if isinstance(conditions, dict):
        return {name: _without_variables(value, context, iam_evaluator) for name, value in conditions.items()}
    if isinstance(conditions, list):
        return [_without_variables(value, context, iam_evaluator) for value in conditions]
    if not isinstance(conditions, str):
        return conditions

    def value_of(found: re.Match[str]) -> str:
        value = iam_evaluator._resolve_condition_key(found[1], context)
        if found[1].lower() == "aws:principalarn":
            value = _arn_of_principal(str(value))
        return found[0] if value is None else str(value)

    return VARIABLE.sub(value_of, conditions)


def _arn_of_principal(arn: str) -> str:
    """Return the ARN of the role of a session, as `aws:PrincipalArn` has it on AWS; others stay."""
    from ministack.services import iam

    _, _, session = arn.partition(":assumed-role/")
    role = iam._roles.get(session.partition("/")[0]) if session else None
    return str(role["Arn"]) if role else arn
