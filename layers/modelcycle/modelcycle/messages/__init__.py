"""What one step hands to the next: small messages of names and S3 addresses with their hashes (claim check).

Each step has a request (what the state machine gives it) and a result (what it answers). A request names the run and
the results of earlier steps that the step reads; the rows themselves lie in S3. All are far below the 256 KiB that a
Step Functions state may hold (AWS page "Step Functions service quotas").
One file a stretch of the way: `message` (the base, artifacts), `run`, `rows`, `training`, `judging`, `traffic`.
"""

from __future__ import annotations

from modelcycle.messages.fingerprint import fingerprint
from modelcycle.messages.judging import (
    Governed,
    GovernRequest,
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
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.rows import Collected, CollectRequest, Preprocessed, PreprocessRequest
from modelcycle.messages.run import Claimed, Concluded, ConcludeRequest, Outcome, Run, RunRequest, Trigger
from modelcycle.messages.traffic import (
    Decided,
    Decision,
    Deployed,
    DeployRequest,
    Drift,
    Event,
    Monitored,
    MonitorRequest,
    RolloutEnded,
    Withdrawn,
)
from modelcycle.messages.training import (
    EngineeredFeatures,
    EngineerFeaturesRequest,
    LeftOut,
    PlannedTrials,
    PlanTrialsRequest,
    RunTrialRequest,
    SelectedModel,
    SelectModelRequest,
    Trial,
    TrialResult,
)

__all__ = [
    "Artifact",
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
    "GovernRequest",
    "Governed",
    "LeftOut",
    "Message",
    "MonitorRequest",
    "Monitored",
    "Outcome",
    "PlanTrialsRequest",
    "PlannedTrials",
    "PreprocessRequest",
    "Preprocessed",
    "RegisterRequest",
    "Registered",
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
