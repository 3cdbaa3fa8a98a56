"""Every role reaches the records and objects that docs/security.md lists, and nothing else."""

from __future__ import annotations

import fnmatch
from functools import cache
from typing import Any

import pytest
from ministack.core import iam_evaluator

from infra.local.deployment.translate import read_template
from modelcycle.registry import keys
from tests.permission_tables import (
    MODELS,
    NOTHING,
    PARAMETERS,
    ROOT,
    documented,
    may_reach,
    may_touch,
    objects,
    partition_keys,
    roles,
    statements,
    strays,
)

TABLE = PARAMETERS["RegistryArn"]
OTHER_ACTIONS = {
    "dynamodb": [
        "DeleteItem",
        "UpdateItem",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "PartiQLSelect",
        "PartiQLInsert",
    ],
    "s3": ["DeleteObject", "DeleteObjectVersion", "PutObjectAcl", "PutBucketPolicy"],
}
SWEPT = (
    "raw", "landed", "captures", "compacted", "feedback", "score", "scored", "holdout/features", "holdout/labels",
    "monitoring", "staging", "_scoring",
)  # fmt: skip
ERASES = {"EraseObjects": ("DeleteObject", "DeleteObjectVersion"), "FinishErasure": ("DeleteObjectVersion",)}
FUNCTIONS = roles()


@cache
def policy(function: str) -> Any:
    """Return the policy of a function's role, as MiniStack reads it."""
    return iam_evaluator.parse_policy_document({"Version": "2012-10-17", "Statement": statements(function)})


def allowed(function: str, action: str, resource: str, keys: list[str] | None = None) -> bool:
    """Return whether a function's role allows a request that names these partition keys."""
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:iam::1:role/{function}", principal_type="AssumedRole", principal_account="1",
        action=action, resource_arn=resource, region="us-east-1",
        service_context={"dynamodb:leadingkeys": keys} if keys else {},
    )  # fmt: skip
    return bool(iam_evaluator.evaluate(context, [policy(function)]).decision == "Allow")


@pytest.mark.parametrize("table", ["Records", "Objects"])
def test_the_document_has_a_row_for_each_function(table: str) -> None:
    assert documented(table).keys() == FUNCTIONS.keys() != set(), "add the function to docs/security.md"


def test_the_steps_that_keep_results_are_those_that_verify_reads() -> None:
    steps = [step for name, step in FUNCTIONS.items() if "RESULT" in documented("Records")[name].writes]
    assert sorted(steps) == sorted(keys.STEPS)


@pytest.mark.parametrize(("function", "step"), FUNCTIONS.items())
def test_a_role_reaches_the_records_that_the_document_lists_and_no_others(function: str, step: str) -> None:
    row = documented("Records").get(function, NOTHING)
    for model in MODELS:
        for key in partition_keys(model):
            for action, names in (("GetItem", row.reads), ("Query", row.lists), ("PutItem", row.writes)):
                expected = may_reach(names, key, step)
                assert allowed(function, f"dynamodb:{action}", TABLE, [key]) == expected, (action, key)


def test_three_functions_sign_and_each_use_of_a_key_is_a_digest_or_a_pseudonym() -> None:
    uses: dict[str, set[str]] = {}
    for function in FUNCTIONS:
        for statement in statements(function):
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            for action in (one for one in actions if one.startswith("kms:")):
                uses.setdefault(action, set()).add(function)
                assert statement["Resource"] in (PARAMETERS["SigningKeyArn"], PARAMETERS["PseudonymKeyArn"]), function
                if action in ("kms:Sign", "kms:Verify"):
                    wanted = {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"}
                    assert statement["Condition"] == {"StringEquals": wanted}, function
    assert uses.keys() == {"kms:Sign", "kms:Verify", "kms:GetPublicKey", "kms:GenerateMac"}
    assert uses["kms:Sign"] == {"Register", "Seal", "EraseObjects"}
    assert uses["kms:GenerateMac"] == {
        "Collect", "Pull", "Predict", "AcceptFeedback", "PlanScoring", "EraseObjects", "Summarize", "Reveal",
    }  # fmt: skip


def test_one_function_reads_secrets() -> None:
    assert [name for name in FUNCTIONS if "secretsmanager:" in str(statements(name))] == ["Pull"]


def test_who_reads_artifacts_of_runs_may_ask_what_an_erasure_has_made_of_them() -> None:
    """Else a changed file is reported as a missing right, and one that an erasure has written anew cannot be read."""
    of_runs = [arn for _, arn in objects("plums") if "/plums/runs/" in arn]
    readers = {name for name in FUNCTIONS if any(allowed(name, "s3:GetObject", arn) for arn in of_runs)}
    without = [name for name in readers if not allowed(name, "dynamodb:GetItem", TABLE, ["ERASURE#plums"])]
    assert {"PlanTrials", "Deploy", "Predict"} <= readers and without == []


def test_who_names_a_queue_for_failures_may_write_to_it() -> None:
    """Lambda asks for the right when the function is made: without it, the stack is rolled back."""
    template = read_template(ROOT / "template.yaml")["Resources"]
    with_queue = set[str]()
    for name, made in template.items():
        if "OnFailure" in str(made):
            of_mapping = made["Properties"].get("FunctionName", {}).get("Ref", name)
            with_queue.add(of_mapping.removesuffix(".Alias"))
    may_write = {name for name in FUNCTIONS if allowed(name, "sqs:SendMessage", PARAMETERS["UndeliveredArn"])}
    assert {"Expire", "Sweep", "Seal", "Land", "Relay"} <= with_queue <= may_write


@pytest.mark.parametrize(("function", "step"), FUNCTIONS.items())
def test_a_request_reaches_nothing_if_one_of_its_keys_is_not_allowed_or_it_names_none(function: str, step: str) -> None:
    for action in ("GetItem", "Query", "PutItem"):
        for key in partition_keys("plums"):
            assert not allowed(function, f"dynamodb:{action}", TABLE, [key, "OTHER#plums"])
        assert not allowed(function, f"dynamodb:{action}", TABLE)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_reaches_the_objects_that_the_document_lists_and_no_others(function: str) -> None:
    row = documented("Objects").get(function, NOTHING)
    for model in MODELS:
        for name, arn in objects(model):
            for action, names in (("GetObject", row.reads), ("PutObject", row.writes)):
                assert allowed(function, f"s3:{action}", arn) == may_touch(names, name), (action, arn)
    for bucket in ("data", "artifacts", "seals"):
        assert allowed(function, "s3:ListBucket", f"arn:aws:s3:::{bucket}") == (bucket in row.lists), bucket


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_reaches_no_object_outside_the_areas(function: str) -> None:
    for model in MODELS:
        for arn in strays(model):
            assert not any(allowed(function, f"s3:{action}", arn) for action in ("GetObject", "PutObject")), arn


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_has_no_other_action_on_the_registry_and_the_buckets(function: str) -> None:
    versions_too = [arn for _, arn in objects("plums")] if function not in ("Sweep", "EraseObjects") else []
    for name in OTHER_ACTIONS["dynamodb"]:
        assert not any(allowed(function, f"dynamodb:{name}", TABLE, [key]) for key in partition_keys("plums")), name
    for name in OTHER_ACTIONS["s3"]:
        if (function, name) != ("Sweep", "DeleteObjectVersion") and name not in ERASES.get(function, ()):
            assert not any(allowed(function, f"s3:{name}", arn) for _, arn in objects("plums")), name
    assert not any(allowed(function, "s3:GetObjectVersion", arn) for arn in versions_too)


@pytest.mark.parametrize("model", MODELS)
def test_a_sweep_deletes_what_retention_names_and_the_rows_of_runs(model: str) -> None:
    for name, arn in objects(model):
        rows_of_a_run = f"/{model}/runs/" in arn and arn.endswith((".npz", ".parquet"))
        assert allowed("Sweep", "s3:DeleteObjectVersion", arn) == (may_touch(SWEPT, name) or rows_of_a_run), arn
    for name in ("claim/pipeline.json", "select_model/model.onnx", "govern/lineage.json"):
        arn = f"arn:aws:s3:::artifacts/{model}/runs/20260101T000000000-abcd/{name}"
        assert not allowed("Sweep", "s3:DeleteObjectVersion", arn), arn


@pytest.mark.parametrize("function", ERASES)
def test_an_erasure_deletes_where_rows_may_be_and_its_request_last_and_nowhere_else(function: str) -> None:
    deletes: tuple[str, ...] = ("_erasing",)  # the request goes last, by another function than the rows
    if function == "EraseObjects":
        writes = documented("Objects")[function].writes
        deletes = (*(name for name in writes if name != "_erasing"), "_scoring", "_monitoring")
    for model in MODELS:
        for name, arn in objects(model):
            for action in ERASES[function]:
                assert allowed(function, f"s3:{action}", arn) == may_touch(deletes, name), arn
        for arn in strays(model):
            assert not any(allowed(function, f"s3:{action}", arn) for action in ERASES[function]), arn


def test_every_area_that_a_policy_names_is_in_the_document() -> None:
    """Else the tests above would not try it."""
    known = [arn for model in MODELS for _, arn in objects(model)] + [
        f"arn:aws:s3:::{bucket}" for bucket in ("data", "artifacts", "seals")
    ]
    known += [arn.replace(".npz", ".parquet") for arn in known if "/runs/" in arn]
    for function in FUNCTIONS:
        for resource in resources(function, "s3:"):
            assert fnmatch.filter(known, resource), f"{function} may reach {resource}"


def test_every_permission_for_the_registry_names_its_kinds() -> None:
    """A kind is whole: `RUN#*`, never `RUN*`, which RUNNERS would match."""
    for function in FUNCTIONS:
        for statement in statements(function):
            if TABLE in resources_of(statement):
                patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                assert all(pattern == "MODELS" or pattern.endswith("#*") for pattern in patterns), function
                assert statement["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}, function


def resources(function: str, service: str) -> list[str]:
    """Return the resources on which a role has an action of a service."""
    return [
        resource
        for statement in statements(function)
        if str(statement["Action"]).strip("[]'").startswith(service)
        for resource in resources_of(statement)
    ]


def resources_of(statement: dict[str, Any]) -> list[str]:
    found = statement["Resource"]
    return found if isinstance(found, list) else [found]
