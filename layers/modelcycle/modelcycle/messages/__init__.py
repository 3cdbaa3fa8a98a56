"""The messages between steps: small, with names and S3 addresses instead of rows (claim check pattern).

Each step has a request, which the state machine gives it, and a result, which it returns. A request names the run and
holds the results of the earlier steps that the step reads; rows stay in S3. All messages are far below the 256 KiB that
a state of Step Functions may hold (AWS page "Step Functions service quotas").

The modules in the order of the flow: `run` (claim, conclude), `data`, `training`, `candidate`, `traffic`, `monitoring`.
Beside them, `message` has the base class and `Artifact`, and `event` has what goes over the bus.
"""

from __future__ import annotations

from modelcycle.messages.candidate import (
    Chain,
    CheckedRefit,
    CheckRefitRequest,
    FindUnseenRequest,
    FoundUnseen,
    Governed,
    GovernRequest,
    RefitRequest,
    Refitted,
    Registered,
    RegisterRequest,
    Rule,
    ScoreCandidateRequest,
    ScoredCandidate,
    Staged,
    StageRequest,
    Validated,
    ValidateRequest,
)
from modelcycle.messages.data import (
    CaseColumn,
    CaseRecipe,
    Collected,
    CollectRequest,
    Preprocessed,
    PreprocessRequest,
    Pulled,
    PulledFile,
    PullRequest,
)
from modelcycle.messages.event import Event
from modelcycle.messages.fingerprint import fingerprint
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.monitoring import Drift, Monitored, MonitorRequest, Retrained, RetrainRequest
from modelcycle.messages.run import Claimed, Concluded, ConcludeRequest, Outcome, Run, RunRequest, Trigger
from modelcycle.messages.traffic import Decided, Decision, Deployed, DeployRequest, RolloutEnded, Withdrawn
from modelcycle.messages.training import (
    Calibration,
    EngineeredFeatures,
    EngineerFeaturesRequest,
    LearningCurve,
    LearningPoint,
    LeftOut,
    Member,
    PlannedTrials,
    PlanTrialsRequest,
    Recipe,
    RunTrialRequest,
    SelectedModel,
    SelectModelRequest,
    Trial,
    TrialResult,
)

__all__ = [
    "Artifact",
    "Calibration",
    "CaseColumn",
    "CaseRecipe",
    "Chain",
    "CheckRefitRequest",
    "CheckedRefit",
    "Claimed",
    "CollectRequest",
    "Collected",
    "ConcludeRequest",
    "Concluded",
    "Decided",
    "Decision",
    "DeployRequest",
    "Deployed",
    "Drift",
    "EngineerFeaturesRequest",
    "EngineeredFeatures",
    "Event",
    "FindUnseenRequest",
    "FoundUnseen",
    "GovernRequest",
    "Governed",
    "LearningCurve",
    "LearningPoint",
    "LeftOut",
    "Member",
    "Message",
    "MonitorRequest",
    "Monitored",
    "Outcome",
    "PlanTrialsRequest",
    "PlannedTrials",
    "PreprocessRequest",
    "Preprocessed",
    "PullRequest",
    "Pulled",
    "PulledFile",
    "Recipe",
    "RefitRequest",
    "Refitted",
    "RegisterRequest",
    "Registered",
    "RetrainRequest",
    "Retrained",
    "RolloutEnded",
    "Rule",
    "Run",
    "RunRequest",
    "RunTrialRequest",
    "ScoreCandidateRequest",
    "ScoredCandidate",
    "SelectModelRequest",
    "SelectedModel",
    "StageRequest",
    "Staged",
    "Trial",
    "TrialResult",
    "Trigger",
    "ValidateRequest",
    "Validated",
    "Withdrawn",
    "fingerprint",
]
