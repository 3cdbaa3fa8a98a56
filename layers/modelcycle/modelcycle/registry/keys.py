"""Every key of the registry's table. No other module builds one.

The partition key `pk` says what kind of record it is and which model it is about, the sort key `sk` which record it is.
Numbers have eight digits, and run ids and events begin with their time, so that keys sort in the order in which the
records were made.

A role is allowed kinds: IAM compares `pk` with patterns such as `ROUTE#*` (condition key `dynamodb:LeadingKeys`), and
sees no other attribute. So what only some functions may write has a kind of its own.

Each function returns the key of one record, and its docstring says what that record holds. The functions in the plural
return a prefix: what all records of one kind have in common.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class Key(NamedTuple):
    pk: str
    sk: str


def _run(model: str, sk: str) -> Key:
    return Key(f"RUN#{model}", sk)


def _version(model: str, sk: str) -> Key:
    return Key(f"VERSION#{model}", sk)


def _route(model: str, sk: str) -> Key:
    return Key(f"ROUTE#{model}", sk)


# the list of models, which the state machine `monitoring` reads too


def model_entry(model: str) -> Key:
    """A model's entry in the list of models, written at its first run."""
    return Key("MODELS", model)


def model_entries() -> Key:
    return Key("MODELS", "")


# runs


def run(model: str, run_id: str) -> Key:
    """A run: what started it, its state, how it ended."""
    return _run(model, f"RUN#{run_id}")


def runs(model: str) -> Key:
    return _run(model, "RUN#")


def execution(arn: str) -> Key:
    """The run of an execution: its model and run id."""
    return Key(f"EXECUTION#{arn}", "RUN")


def lease(model: str) -> Key:
    """The run that may train the model now, and the arrivals that were folded into it."""
    return _run(model, "LEASE")


def upload(model: str, upload_id: str) -> Key:
    """The execution that claimed an upload; the id is the object's key, sequencer and version id, with `#`."""
    return _run(model, f"UPLOAD#{upload_id}")


def uploads(model: str, object_key: str) -> Key:
    return _run(model, f"UPLOAD#{object_key}#")


def id_of_upload(key: Key) -> str:
    """Return the upload's id in the key of its claim.

    >>> id_of_upload(upload("churn", "raw/churn/a.csv#0062"))
    'raw/churn/a.csv#0062'
    """
    return key.sk.removeprefix("UPLOAD#")


def step_result(model: str, step: str, fingerprint: str) -> Key:
    """What a step returned for the inputs, code and parameters of that fingerprint."""
    return Key(f"RESULT#{step}#{model}", fingerprint)


def landing(model: str, source: str) -> Key:
    """The rows pulled from a source: the manifest of the landed files, and the watermark of the next pull."""
    return Key(f"LANDING#{model}", f"LANDING#{source}")


# streams of records


def stream_shard(stream: str, shard: str) -> Key:
    """How far a shard of a stream has been landed; for a queue, only its counts."""
    return Key(f"STREAM#{stream}", f"SHARD#{shard}")


def stream_shards(stream: str) -> Key:
    return Key(f"STREAM#{stream}", "SHARD#")


def shard_of(key: Key) -> str:
    """Return the shard's name in its key.

    >>> shard_of(stream_shard("records", "shardId-000000000000"))
    'shardId-000000000000'
    """
    return key.sk.removeprefix("SHARD#")


def stream_message(stream: str, message: str) -> Key:
    """The batch that has a message of a queue; deleted when the queue cannot deliver it again."""
    return Key(f"STREAM#{stream}", f"MESSAGE#{message}")


# versions


def latest_version(model: str) -> Key:
    """The newest version number."""
    return _version(model, "LATEST")


def version(model: str, number: int) -> Key:
    """A version: its artifacts, its metrics and what made it. Never changed."""
    return _version(model, f"VERSION#{number:08d}")


def signed_versions(model: str) -> Key:
    """From which numbers on versions are signed."""
    return _version(model, "SIGNED")


def versions(model: str) -> Key:
    return _version(model, "VERSION#")


def training_code(model: str, number: int) -> Key:
    """The training code that made a version last."""
    return _version(model, f"TRAINED#{number:08d}")


def content(model: str, content_hash: str) -> Key:
    """The version number that some content was given."""
    return _version(model, f"CONTENT#{content_hash}")


def state(model: str, version_number: int) -> Key:
    """A version's state, since when, and by whose decision."""
    return Key(f"STATE#{model}", f"STATE#{version_number:08d}")


def states(model: str) -> Key:
    return Key(f"STATE#{model}", "STATE#")


def version_of_state(key: Key) -> int:
    """Return the version number in the key of a state.

    >>> version_of_state(state("churn", 7))
    7
    """
    return int(key.sk.removeprefix("STATE#"))


# approvals


def approval(model: str, version_number: int) -> Key:
    """Who has approved a version since it was asked about, and what exactly."""
    return Key(f"APPROVAL#{model}", f"VERSION#{version_number:08d}")


# traffic


def route(model: str) -> Key:
    """The versions that answer requests, each with its share of the traffic."""
    return _route(model, "ROUTE")


def move(model: str, number: int) -> Key:
    """One change of the route: who, when, why, from, to."""
    return _route(model, f"MOVE#{number:08d}")


def moves(model: str) -> Key:
    return _route(model, "MOVE#")


# the evidence of rollouts


def judgement(model: str, rollout: str, step: int, number: int) -> Key:
    """The last judgement before the rollout's step `step`; `number` is that of the move that it judges."""
    return Key(f"EVIDENCE#{model}", f"JUDGEMENT#{rollout}#{step:08d}#{number:08d}")


def judgements(model: str, rollout: str = "") -> Key:
    return Key(f"EVIDENCE#{model}", f"JUDGEMENT#{rollout}#" if rollout else "JUDGEMENT#")


# monitoring


def monitoring(model: str) -> Key:
    """The newest result of monitoring."""
    return Key(f"MONITOR#{model}", "MONITOR")


def monitored_window(model: str, kind: str, end: datetime, version_number: int) -> Key:
    """The result of monitoring for one window of a version, which ended at `end` (UTC)."""
    return Key(f"MONITOR#{model}", f"{monitored_windows(kind)}{moment(end)}#{version_number:08d}")


def monitored_windows(kind: str) -> str:
    """The beginning of the `sk` of all windows of a kind."""
    return f"WINDOW#{kind}#"


def moment(at: datetime) -> str:
    """A time as a part of a key; such parts sort in the order of time.

    >>> moment(datetime.fromisoformat("2026-01-02T03:04:05+01:00"))
    '2026-01-02T02:04:05Z'
    """
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def degradation(model: str, version_number: int, day: str) -> Key:
    """That ModelDegraded was announced for a version on that day (YYYY-MM-DD)."""
    return Key(f"MONITOR#{model}", f"DEGRADED#{version_number:08d}#{day}")


# incidents


def incidents_now(model: str) -> Key:
    """Which incidents of a model are open, and the newest look at each version."""
    return Key(f"INCIDENT#{model}", "NOW")


def incident(model: str, number: int) -> Key:
    """One incident: what was seen, since when, and how it ended."""
    return Key(f"INCIDENT#{model}", f"INCIDENT#{number:08d}")


def incidents(model: str) -> Key:
    return Key(f"INCIDENT#{model}", "INCIDENT#")


# retraining


def governor(model: str) -> Key:
    """The runs that were started without a person, and since when refusals count again."""
    return Key(f"RETRAINING#{model}", "GOVERNOR")


def retraining_request(model: str, request_id: str) -> Key:
    """The decision that answered a request for a run; a request that comes again finds it."""
    return Key(f"RETRAINING#{model}", f"REQUEST#{request_id}")


def retraining_decision(model: str, at: datetime, request_id: str) -> Key:
    """A decision of the governor, by its time: whether a request for a run starts one, and why."""
    return Key(f"RETRAINING#{model}", f"DECISION#{at.isoformat()}#{request_id}")


def retraining_decisions(model: str) -> Key:
    return Key(f"RETRAINING#{model}", "DECISION#")


def wanted_run(model: str, kind: str, occasion: str) -> Key:
    """That a run was asked for on that occasion, such as new code for a version."""
    return Key(f"RETRAINING#{model}", f"WANTED#{kind}#{occasion}")


# erasures


def erasure(model: str, erasure_id: str) -> Key:
    """An erasure of somebody's rows: what was asked for, and how it ended; nothing about the person."""
    return Key(f"ERASURE#{model}", f"ERASURE#{erasure_id}")


def erasures(model: str) -> Key:
    return Key(f"ERASURE#{model}", "ERASURE#")


def rewritten_object(model: str, bucket: str, object_key: str) -> Key:
    """That an erasure has written an object anew: the hashes that it had, and the one that it has now."""
    return Key(f"ERASURE#{model}", f"OBJECT#{bucket}#{object_key}")


def rewritten_objects(model: str, bucket: str, prefix: str) -> Key:
    return Key(f"ERASURE#{model}", f"OBJECT#{bucket}#{prefix}")


def version_after_erasure(model: str, version_number: int) -> Key:
    """The erasures of rows that a version has learned from."""
    return Key(f"ERASURE#{model}", f"VERSION#{version_number:08d}")


def versions_after_erasure(model: str) -> Key:
    return Key(f"ERASURE#{model}", "VERSION#")


def version_after_an_erasure(key: Key) -> int:
    """Return the version number in such a key.

    >>> version_after_an_erasure(version_after_erasure("churn", 7))
    7
    """
    return int(key.sk.removeprefix("VERSION#"))


# events, which the table's stream carries to the bus


def event(model: str, at: datetime, event_id: str) -> Key:
    """An event for the bus."""
    return Key(f"EVENT#{model}", f"EVENT#{at.isoformat()}#{event_id}")


def is_of_an_event(pk: str) -> bool:
    """Return whether a partition key is one of events; those of earlier releases may not have been relayed yet.

    >>> is_of_an_event("EVENT#churn"), is_of_an_event("RESULT#run_trial#churn")
    (True, False)
    """
    return pk.startswith(("EVENT#", OLD_PARTITION))


# the audit trail; a decision that is repeated has the same name, and so the same entry


def audit_entry(model: str, decision: str) -> Key:
    """A decision: who, when, why. `decision` is one of the names below."""
    return Key(f"AUDIT#{model}", f"AUDIT#{decision}")


def audit_entries(model: str) -> Key:
    return Key(f"AUDIT#{model}", "AUDIT#")


def audit_head(model: str) -> Key:
    """The end of the model's chain of entries: number and hash of the last one."""
    return Key(f"AUDIT#{model}", "HEAD")


def decision_to_move(number: int) -> str:
    """Name the decision behind a move of the route."""
    return f"MOVE#{number:08d}"


def decision_about_state(version_number: int, revision: int) -> str:
    """Name the decision that changed a version's state; `revision` is the one that it changed."""
    return f"STATE#{version_number:08d}#{revision}"


def decision_to_approve(version_number: int, revision: int, approvals_before: int) -> str:
    """Name one of several approvals; the last one is named by the state that it changes, of that `revision`."""
    return f"APPROVE#{version_number:08d}#{revision}#{approvals_before}"


def decision_to_expire(version_number: int, at: datetime) -> str:
    """Name the end of a request for approval that was made `at` that time and that nobody has answered."""
    return f"EXPIRE#{version_number:08d}#{moment(at)}"


def decision_by_policy(version_number: int, rollout: str, step: int, what: str) -> str:
    """Name what the policy of then did with a rollout's step: `stopped` or `frozen`."""
    return f"POLICY#{version_number:08d}#{rollout}#{step}#{what}"


def decision_to_promote(version_number: int, moves_before: int) -> str:
    """Name a person's decision to start a rollout; `moves_before` is the number of the route's last move."""
    return f"PROMOTE#{version_number:08d}#{moves_before}"


def decision_to_sweep(batch: str) -> str:
    """Name the deletion of a batch of old objects."""
    return f"RETENTION#{batch}"


def decision_to_adopt(entries: str) -> str:
    """Name that entries without a number were taken into the chain; `entries` is a hash of them."""
    return f"ADOPT#{entries}"


def decision_in_run(run_id: str, what: str) -> str:
    """Name what a run decided: that it `started`, `govern`, the state of its version, and how it `ended`."""
    return f"RUN#{run_id}#{what}"


def decision_of_judge(rollout: str, step: int, moves: int, looks: int) -> str:
    """Name what the judge decided about a step of a rollout, at its look of that number at that move of the route."""
    return f"JUDGE#{rollout}#{step:08d}#{moves:08d}#{looks}"


def decision_on_request(request_id: str) -> str:
    """Name the governor's answer to a request for a run."""
    return f"REQUEST#{request_id}"


def decision_about_answers(version_number: int, at: datetime) -> str:
    """Name a person's decision that new code may answer otherwise than a version has."""
    return f"ANSWERS#{version_number:08d}#{moment(at)}"


# governed records: they change together with an audit entry, which holds their hash

_GOVERNED = {
    "VERSION": ("LATEST", "SIGNED", "VERSION#", "CONTENT#"), "STATE": ("STATE#",), "ROUTE": ("ROUTE", "MOVE#"),
    "APPROVAL": ("VERSION#",), "EVIDENCE": ("JUDGEMENT#",), "RUN": ("RUN#",), "RETRAINING": ("REQUEST#", "DECISION#"),
}  # fmt: skip


def is_governed(key: Key) -> bool:
    """Return whether a record is written only with the audit entry of the decision behind it.

    >>> is_governed(state("churn", 7)), is_governed(lease("churn"))
    (True, False)
    """
    return key.sk.startswith(_GOVERNED.get(key.pk.partition("#")[0], ("\0",)))


def is_claim(key: Key) -> bool:
    """Return whether a governed record says that something was done, and its key has neither a number nor a time.

    >>> is_claim(content("churn", "ab12")), is_claim(retraining_request("churn", "r1")), is_claim(state("churn", 7))
    (True, True, False)
    """
    return key.sk.startswith((content("", "").sk, retraining_request("", "").sk)) and is_governed(key)


def number_within(key: Key) -> tuple[str, int] | None:
    """Return what the number in a key counts, versions or moves, and the number; None if it has none.

    A judgement has the number of the move that it judges, a state that of its version.

    >>> number_within(move("churn", 7)), number_within(judgement("churn", "r", 1, 7)), number_within(state("churn", 2))
    (('MOVE', 7), ('MOVE', 7), ('VERSION', 2))
    >>> number_within(latest_version("churn")), number_within(Key("VERSION#churn", "VERSION#x"))
    (None, None)
    """
    kind, _, number = key.sk.partition("#")
    counted = {"VERSION": "VERSION", "STATE": "VERSION", "MOVE": "MOVE", "JUDGEMENT": "MOVE"}.get(kind)
    number = number.rpartition("#")[2]
    return (counted, int(number)) if counted and number.isdecimal() and len(number) < 20 else None


def time_within(key: Key) -> datetime | None:
    """Return the time in the key of a run, or of a decision of the governor; None for other keys.

    Raises
    ------
    ValueError : the key should have a time and has none

    >>> print(time_within(run("churn", "20260102T030405000-0a1b")), time_within(route("churn")))
    2026-01-02 03:04:05+00:00 None
    """
    kind, _, rest = key.sk.partition("#")
    if (key.pk.partition("#")[0], kind) == ("RUN", "RUN"):
        return datetime.strptime(rest[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    if (key.pk.partition("#")[0], kind) == ("RETRAINING", "DECISION"):
        at = datetime.fromisoformat(rest.partition("#")[0])
        return at.replace(tzinfo=at.tzinfo or UTC)
    return None


STEPS = (
    "collect", "preprocess", "engineer_features", "run_trial", "select_model", "find_unseen", "score_candidate",
    "validate", "refit", "check_refit", "govern", "stage", "plan_scoring", "score_shard", "finish_scoring",
)  # fmt: skip
"""The steps that keep results."""


def partitions(model: str) -> list[str]:
    """Return every `pk` under which records of a model may lie, but for the lists that all models share."""
    kinds = (
        "RUN", "LANDING", "VERSION", "STATE", "APPROVAL", "ROUTE", "EVIDENCE", "MONITOR", "INCIDENT", "RETRAINING",
        "ERASURE", "EVENT", "AUDIT",
    )  # fmt: skip
    return [f"{kind}#{model}" for kind in kinds] + [f"RESULT#{step}#{model}" for step in STEPS]


def object_of_rewriting(key: Key) -> tuple[str, str] | None:
    """Return bucket and key of the object that a record of an erasure is about; None for another record.

    >>> object_of_rewriting(rewritten_object("churn", "artifacts", "churn/runs/r1/a#1.json"))
    ('artifacts', 'churn/runs/r1/a#1.json')
    """
    if not key.pk.startswith("ERASURE#") or not key.sk.startswith("OBJECT#"):
        return None
    bucket, _, object_key = key.sk.removeprefix("OBJECT#").partition("#")
    return bucket, object_key


def decision_to_erase(erasure_id: str) -> str:
    """Name a person's decision to erase somebody's rows."""
    return f"ERASE#{erasure_id}"


def decision_to_reveal(request: str) -> str:
    """Name that a person has seen encrypted values; `request` is the id of the request."""
    return f"REVEAL#{request}"


def decision_to_reword(erasure_id: str, records: str) -> str:
    """Name that an erasure has taken a person's texts out of records; `records` is a hash of these as they were."""
    return f"REWORD#{erasure_id}#{records}"


def rewordings(model: str, erasure_id: str) -> Key:
    return audit_entry(model, f"REWORD#{erasure_id}#")


_MAY_QUOTE = {
    "RUN": ("RUN#",), "RESULT": ("",), "MONITOR": ("",), "INCIDENT": ("",), "RETRAINING": ("REQUEST#", "DECISION#"),
    "EVENT": ("",),
}  # fmt: skip


def may_quote(key: Key) -> bool:
    """Return whether a record holds sentences about data, which may quote a cell, and that an erasure may rewrite.

    >>> may_quote(run("churn", "r1")), may_quote(lease("churn")), may_quote(route("churn"))
    (True, False, False)
    """
    return key.sk.startswith(_MAY_QUOTE.get(key.pk.partition("#")[0], ("\0",)))


# keys as they were before `pk` named the kind; `infra/old_keys.py` moves their records

OLD_PARTITION = "MODEL#"  # of everything about a model
OLD_EVENTS = "EVENT#"  # they stay where they are: all were announced, and DynamoDB deletes them after 90 days
_KINDS_OF_OLD_KEYS = {
    "RUN": "RUN", "LEASE": "RUN", "UPLOAD": "RUN", "LANDING": "LANDING", "LATEST": "VERSION", "VERSION": "VERSION",
    "CONTENT": "VERSION", "STATE": "STATE", "ROUTE": "ROUTE", "MOVE": "ROUTE", "MONITOR": "MONITOR",
    "DEGRADED": "MONITOR", "AUDIT": "AUDIT",
}  # fmt: skip


def key_since_kinds(key: Key) -> Key | None:
    """Return the present key of a record that has an old one; None if it stays where it is.

    >>> key_since_kinds(Key("MODEL#churn", "MOVE#00000001"))
    Key(pk='ROUTE#churn', sk='MOVE#00000001')
    """
    model, (start, _, rest) = key.pk.removeprefix(OLD_PARTITION), key.sk.partition("#")
    if start == "STEP":
        step, _, fingerprint = rest.partition("#")
        return step_result(model, step, fingerprint)
    kind = _KINDS_OF_OLD_KEYS.get(start)
    return Key(f"{kind}#{model}", key.sk) if kind else None
