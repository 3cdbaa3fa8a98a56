"""New code that is about to serve: what calls its check, and the verdict."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelcycle.messages.message import Message


class CheckCodeRequest(Message):
    """What CodeDeploy sends to a hook (AWS page "AppSpec 'hooks' section", AWS Lambda deployment)."""

    deployment: str = Field(alias="DeploymentId", min_length=1)
    hook: str = Field("", alias="LifecycleEventHookExecutionId", description="empty: nobody waits for a report")
    before: str = Field(
        "",
        alias="VersionBefore",
        description="of the function, from which traffic moves; CodeDeploy tells it when asked",
    )

    @property
    def model(self) -> str:
        return ""

    @property
    def correlation_id(self) -> str:
        return self.deployment


class CodeChecked(Message):
    """The verdict about new code."""

    verdict: Literal["passed", "refused"]
    reasons: list[str] = Field([], description="why it is refused, as sentences")
    notes: list[str] = Field([], description="what was not checked, as sentences")
    asked: str = Field("", description="what was asked, in words")
    models: int = Field(0, description="that were asked")
    rows: int = Field(0, description="whose answers were compared")
