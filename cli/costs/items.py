"""The line items of an estimate: each is a name, what it counts, and quantities of what has a price."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cli.costs.prices import price_table
from cli.costs.stack_facts import HOURS_A_MONTH
from cli.costs.use import DAYS_A_MONTH, SECONDS_A_MONTH, Use

GB = 1e9
FIREHOSE_STEP = 5 * 1024  # bytes; a record is billed in steps of it
MAX_ROWS_A_RECORD = 20  # `predict` sends its rows together, at least once a second (decision 26)
ROUTE_SECONDS = 2  # an environment of `predict` reads the route again after them
SAMPLED = 0.05  # X-Ray traces the first request of each second and this share of the others (AWS page "Sampling rules")
LOOK_TRANSITIONS = 13  # of the monitoring, with one model: eight around its five
JUDGE_TRANSITIONS = 3  # Judge, Verdict and the wait before them
RUN_SIGNATURES = 20  # of a run: one is made, and whatever loads the version checks it
ROLLOUT_TRANSITIONS = 6  # of a rollout in one step: Known, Unknown, Move, Done, Judged, Finished


@dataclass(frozen=True)
class Charge:
    """A quantity of what one price is for."""

    price: str
    quantity: float

    @property
    def dollars(self) -> float:
        return price_table().prices[self.price].of(self.quantity)


@dataclass(frozen=True)
class Item:
    """A line of the estimate.

    Parameters
    ----------
    basis : what the quantity is, for people
    figures : names of the figures that it rests on
    """

    name: str
    basis: str
    charges: tuple[Charge, ...]
    figures: tuple[str, ...] = ()

    @property
    def dollars(self) -> float:
        return sum(charge.dollars for charge in self.charges)


def _runs(use: Use) -> Item:
    figures = use.figures
    return Item(
        "Lambda: runs", f"{use.runs:,.1f} runs of {figures['run_gb_seconds']:,.0f} GB-seconds",
        (Charge("lambda_gb_second", use.runs * figures["run_gb_seconds"]),
         Charge("lambda_call", use.runs * figures["run_calls"])),
        ("run_gb_seconds", "run_calls"),
    )  # fmt: skip


def _load_tests(use: Use) -> Item:
    staging = use.pipeline.staging
    seconds = sum(staging.concurrency) * staging.load_seconds
    seconds += max(staging.concurrency, default=0) * staging.soak_seconds
    amount = use.runs * seconds * use.gigabytes("Candidate")
    return Item("Lambda: load tests", f"{amount:,.0f} GB-seconds at most", (Charge("lambda_gb_second", amount),))


def _predictions(use: Use) -> Item:
    amount = use.requests * use.predict_seconds * use.gigabytes("Predict")
    basis = (
        f"{use.requests:,.0f} requests of {use.predict_seconds * 1000:.0f} ms with {use.gigabytes('Predict'):.2f} GB"
    )
    charges = (Charge("lambda_gb_second", amount), Charge("lambda_call", use.requests))
    names = ("predict_ms", "capture_ms", *(("row_ms",) if use.assumed.rows > 1 else ()))
    return Item("Lambda: predictions", basis, charges, names)


def _monitoring(use: Use) -> Item:
    charges = (
        Charge("lambda_gb_second", use.looks * use.figures["look_gb_seconds"]),
        Charge("lambda_call", use.look_calls),
    )  # fmt: skip
    return Item("Lambda: monitoring", f"{use.looks:,.0f} looks", charges, ("look_gb_seconds",))


def _rollouts(use: Use) -> Item:
    charges = (
        Charge("lambda_gb_second", use.judged * use.figures["judge_gb_seconds"]), Charge("lambda_call", use.judged),
    )  # fmt: skip
    basis = f"{use.judged:,.0f} looks"
    return Item("Lambda: rollouts", basis, charges, ("judge_gb_seconds", "judge_looks_a_day"))


def _batch(use: Use) -> Item:
    amount = use.batch_millions * use.figures["batch_gb_seconds"]
    basis = f"{use.batch_millions:,.2f} million rows"
    return Item("Lambda: batch scoring", basis, (Charge("lambda_gb_second", amount),), ("batch_gb_seconds",))


def _transitions(use: Use) -> Item:
    figures = use.figures
    amount = use.runs * (figures["run_transitions"] + ROLLOUT_TRANSITIONS)
    amount += (
        use.looks * LOOK_TRANSITIONS
        + use.judged * JUDGE_TRANSITIONS
        + use.batch_millions * figures["batch_transitions"]
    )
    basis = f"{amount:,.0f} state transitions"
    names = ("run_transitions", *(("batch_transitions",) if use.batch_millions else ()))
    return Item("Step Functions", basis, (Charge("transition", amount),), names)


def _api(use: Use) -> Item:
    kind = "http_request" if use.facts.http_api else "rest_request"
    return Item("API Gateway", f"{use.requests:,.0f} requests", (Charge(kind, use.requests),))


def _firehose(use: Use) -> Item:
    size = use.figures["capture_bytes"]
    # requests a second share a record; at a lower rate each has its own
    together = min(MAX_ROWS_A_RECORD, max(use.assumed.rows, use.captured_rows / SECONDS_A_MONTH))
    records = use.captured_rows / together
    billed = records * math.ceil(size * together / FIREHOSE_STEP) * FIREHOSE_STEP / GB
    charges = [Charge("firehose_gb", billed)]
    if use.facts.partitions:
        hours = use.captured_rows / use.figures["jq_lines"] / 3600
        charges += [
            Charge("partition_gb", use.captured_rows * size / GB), Charge("partition_object", use.capture_objects),
            Charge("partition_hour", hours),
        ]  # fmt: skip
    basis = f"{use.captured_rows:,.0f} captured rows, {billed:,.2f} GB as billed"
    return Item("Firehose: captures", basis, tuple(charges), ("capture_bytes", "jq_lines"))


def _storage(use: Use) -> Item:
    figures = use.figures
    kept = use.runs * use.assumed.months * (figures["run_bytes"] + figures["upload_bytes"])
    days = use.assumed.capture_days or use.facts.capture_days or use.assumed.months * DAYS_A_MONTH
    captured = use.captured_rows / DAYS_A_MONTH * days * figures["capture_bytes"] * figures["capture_stored"]
    basis = f"{(kept + captured) / GB:,.2f} GB: {use.assumed.months:g} months of runs, {days:g} days of captures"
    return Item(
        "S3: storage", basis, (Charge("s3_gb", (kept + captured) / GB),),
        ("run_bytes", "upload_bytes", "capture_bytes", "capture_stored"),
    )  # fmt: skip


def _s3_requests(use: Use) -> tuple[float, float]:
    """Return the numbers of PUT and GET requests."""
    figures = use.figures
    puts = use.runs * (figures["run_objects"] + 1) + use.capture_objects + use.looks * figures["look_puts"]
    gets = use.runs * figures["run_gets"] + use.looks * min(figures["look_gets"], 10 + use.capture_objects)
    return puts, gets


def _objects(use: Use) -> Item:
    puts, gets = _s3_requests(use)
    charges = (Charge("s3_put", puts), Charge("s3_get", gets))
    return Item(
        "S3: requests",
        f"{puts:,.0f} PUT, {gets:,.0f} GET",
        charges,
        ("run_objects", "run_gets", "look_puts", "look_gets"),
    )


def _registry(use: Use) -> Item:
    figures = use.figures
    routes = min(
        use.requests, SECONDS_A_MONTH / ROUTE_SECONDS * max(1, use.requests * use.predict_seconds / SECONDS_A_MONTH)
    )
    reads = use.runs * figures["run_reads"] + use.looks * figures["look_reads"] + routes
    writes = use.runs * figures["run_writes"] + use.looks
    # a claim of a queue's message is a transaction of two units
    writes += use.records * 2 if use.facts.queues else 0
    charges = [
        Charge("dynamodb_write", writes), Charge("dynamodb_read", reads), Charge("dynamodb_gb", figures["registry_gb"]),
    ]  # fmt: skip
    if use.facts.point_in_time:
        charges.append(Charge("dynamodb_backup_gb", figures["registry_gb"]))
    basis = f"{writes:,.0f} write and {reads:,.0f} read units"
    return Item("DynamoDB", basis, tuple(charges), ("run_writes", "run_reads", "look_reads", "registry_gb"))


def _alarms(use: Use) -> Item:
    return Item("CloudWatch: alarms", f"{use.facts.alarms} alarms", (Charge("alarm", use.facts.alarms),))


def _dashboards(use: Use) -> Item:
    number = use.facts.dashboards
    return Item("CloudWatch: dashboard", f"dashboards: {number}", (Charge("dashboard", number),))


def _metrics(use: Use) -> Item:
    figures = use.figures
    hours = min(use.runs, HOURS_A_MONTH) * figures["run_metrics"]
    hours += min(use.looks, HOURS_A_MONTH) * figures["look_metrics"]
    hours += use.hours_with_traffic * figures["predict_metrics"]
    if use.facts.detailed_metrics:
        hours += use.hours_with_traffic * figures["path_metrics"]
    basis = f"{hours:,.0f} hours of a metric"
    return Item(
        "CloudWatch: metrics",
        basis,
        (Charge("metric_hour", hours), Charge("metric_request", use.looks * figures["look_metric_requests"])),
        ("run_metrics", "look_metrics", "look_metric_requests", "predict_metrics", "path_metrics"),
    )


def _logs(use: Use) -> Item:
    taken = (use.calls * use.figures["log_bytes"] + use.requests * use.figures["api_log_bytes"]) / GB
    months = use.assumed.months
    kept = taken * (months if use.facts.log_days is None else min(months, use.facts.log_days / DAYS_A_MONTH))
    days = "forever" if use.facts.log_days is None else f"{use.facts.log_days} days"
    charges = (Charge("log_gb", taken), Charge("log_storage_gb", kept))
    return Item("CloudWatch: logs", f"{taken:,.2f} GB, kept {days}", charges, ("log_bytes", "api_log_bytes"))


def _traces(use: Use) -> Item:
    first = min(use.requests, SECONDS_A_MONTH)
    others = use.runs + use.looks
    traces = (first + (use.requests - first) * SAMPLED + others) if use.facts.traced else 0
    return Item("X-Ray", f"{traces:,.0f} traces", (Charge("trace", traces),))


def _events(use: Use) -> Item:
    events = use.runs * use.figures["run_events"]
    charges = (Charge("event", events), Charge("schedule", use.looks + use.runs))
    return Item("EventBridge", f"{events:,.0f} events, {use.looks + use.runs:,.0f} schedules", charges, ("run_events",))


def _keys(use: Use) -> Item:
    if not use.facts.keys:
        return Item("KMS", "", ())
    signing = use.runs * RUN_SIGNATURES if use.facts.keys > use.facts.data_keys else 0
    requests = sum(_s3_requests(use)) + use.calls if use.facts.data_keys else 0
    charges = (
        Charge("key", use.facts.keys), Charge("key_request", requests), Charge("signing_request", signing),
    )  # fmt: skip
    names = ("run_gets", "look_gets") if use.facts.data_keys else ()
    basis = f"keys: {use.facts.keys}; at most {requests + signing:,.0f} requests"
    return Item("KMS", basis, charges, names)


def _secrets(use: Use) -> Item:
    names = {getattr(source, "secret", None) for source in use.pipeline.sources.values()} - {None}
    charges = (Charge("secret", len(names)),) if names else ()
    return Item("Secrets Manager", f"secrets of the pipeline file: {len(names)}", charges)


def _stream(use: Use) -> Item:
    charges: list[Charge] = []
    if use.facts.shards:
        charges += [Charge("shard_hour", use.facts.shards * HOURS_A_MONTH), Charge("shard_put", use.records)]
    if use.facts.queues:
        # one request sends a message, ten are received and deleted together
        charges.append(Charge("queue_request", use.records * 1.2))
    return Item("Stream of records", f"shards: {use.facts.shards}; {use.records:,.0f} records", tuple(charges))


def _firewall(use: Use) -> Item:
    """Return the line of a web ACL that the stack makes; the account pays for one of its own anyway."""
    rules = use.facts.firewall_rules
    if not rules:
        return Item("Firewall", "", ())
    charges = (Charge("web_acl", 1), Charge("web_acl_rule", rules), Charge("web_acl_request", use.requests))
    return Item("Firewall", f"rules: {rules}; {use.requests:,.0f} requests", charges)


LINES: tuple[Callable[[Use], Item], ...] = (
    _runs, _load_tests, _predictions, _monitoring, _rollouts, _batch, _transitions, _api, _firewall, _firehose,
    _storage, _objects, _registry, _alarms, _dashboards, _metrics, _logs, _traces, _events, _keys, _secrets, _stream,
)  # fmt: skip
"""One function for each line, in the order of the table."""
