"""What a call of a function changes in earnest, for people who call it by hand."""

from __future__ import annotations

EFFECTS = {
    "Claim": "takes the model's lease for the event's run: other runs wait until `conclude` releases it",
    "Land": "writes the records of the event as rows, which the next run reads",
    "Pull": "reads the pipeline file's sources and labelled requests, and writes what is new as rows for the next run",
    "Register": "registers the version of the event's run, unless that is done",
    "Relay": "puts the events of the event's records on the bus again: ModelDegraded may start a run",
    "Deploy": "moves the traffic of the model as the event says, unless the rollout has done it",
    "Judge": "may move the traffic of the model back",
    "Withdraw": "moves the traffic of the model back to where it was before the rollout of the event",
    "Decide": "makes the decision of the event: it may move the traffic, and is written into the audit trail",
    "Expire": "refuses versions that have waited too long for an approval",
    "Retrain": "decides about a run of the model, and may start it",
    "Seal": "seals the audit trails for the days that have ended, unless that is done",
    "Conclude": "records the end of the event's run, and releases the model's lease",
    "Compact": "writes the captured answers of past hours as Parquet, unless that is done",
    "Monitor": "writes a report; a degraded model is announced, and that starts a run",
    "AcceptFeedback": "keeps the outcomes of the event, which monitoring and rollouts count, unless that is done",
    "Sweep": "deletes for good what models keep longer than their pipeline files say",
    "Predict": "answers, and captures the answers for monitoring",
    "Reveal": "shows encrypted values, and writes into the audit trail who has seen them",
    "PlanErasure": "takes the model's lease for the erasure of the event, and divides its next round",
    "EraseObjects": "takes the rows of the erasure's subjects out of the objects of a batch, for good",
    "FinishErasure": "leaves the receipt of the erasure, deletes its request, and releases the model's lease",
    "FinishScoring": "writes the results of the scoring job beside the other results",
}
"""By the function's name in the template: what a call changes beyond what its run has written already."""

REPEATS = frozenset((
    "Collect", "Preprocess", "EngineerFeatures", "PlanTrials", "RunTrial", "SelectModel", "FindUnseen",
    "ScoreCandidate", "Validate", "Refit", "CheckRefit", "Govern", "Stage", "Candidate", "PlanScoring", "ScoreShard",
    "CheckPredict", "CheckDecide", "Summarize",
))  # fmt: skip
"""The functions that only write artifacts and results of their run again, with the same content, or nothing."""


def effect_of(name: str) -> str:
    """Return what a call of a function changes in earnest; empty if it repeats what its run has done.

    Parameters
    ----------
    name : in the template
    """
    return "" if name in REPEATS else EFFECTS.get(name, "may change the models, their traffic or their runs")
