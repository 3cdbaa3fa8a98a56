"""Asks new code of `decide` for decisions that nobody may make, so that it reads the registry and changes nothing."""

from __future__ import annotations

from typing import Any

from modelcycle.check_code.verdict import Places, Reply, ask, other_version, reported, verdict
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.proxy_requests import CHECK, proxy_request

NO_VERSION = 2**31 - 1  # versions are numbered from 1
NO_MODEL = "no-such-model"
RESOURCE = "/models/{name}/decisions"


def check_decide(request: CheckCodeRequest, places: Places) -> CodeChecked:
    """Check that the new code refuses a decision without a version, and one about a version that does not exist.

    The first is refused by its reading of requests, the second by what the registry holds. Neither is recorded.
    """
    return reported(request, places.deployments, lambda: _check(request, places))


def _check(request: CheckCodeRequest, places: Places) -> CodeChecked:
    models = places.registry.runs.models()
    model = models[0] if models else NO_MODEL
    reasons = []
    for body, status, title in (
        ({"decision": "approve"}, 400, "a decision without a version"),
        ({"decision": "reject", "version": NO_VERSION, "why": "check of new code"}, 404, "one about no version"),
    ):
        reply = ask(places.new, _event(model, body, request.deployment))
        reason = other_version(request, places, reply.version) or _difference(reply, status)
        if reason:
            reasons.append(f"{title}: {reason}")
    return verdict(
        reasons, [] if models else ["there is no model yet"], "decisions that nobody may make", models=len(models[:1])
    )


def _event(model: str, body: dict[str, Any], deployment: str) -> bytes:
    path = f"/models/{model}/decisions"
    return proxy_request("POST", path, RESOURCE, {"name": model}, f"check-{deployment}", body, CHECK)


def _difference(reply: Reply, status: int) -> str:
    if reply.failure:
        return reply.failure
    if reply.status != status:
        return f"it answers {reply.status} instead of {status}"
    told = reply.body.get("status") if isinstance(reply.body, dict) else None
    return "" if told == status else "its refusal is no problem document (RFC 9457)"
