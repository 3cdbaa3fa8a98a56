"""People who have one policy each run the verbs that docs/permissions.md lists for it, on the local cloud.

The emulator refuses what a policy does not allow. What each verb calls is recorded and compared with the document.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cli.console import REFUSED
from cli.main import main
from infra.local import cloud as local_cloud
from infra.local.clients import REGION, ClientFactory
from infra.local.cloud import LocalCloud
from infra.local.deployment.deploy import STACK
from infra.local.deployment.stack import outputs_of
from infra.local.keys import Key
from modelcycle.registry import DynamoTable, Registry
from tests.e2e.conftest import CloudSite
from tests.e2e.observed_model import ObservedModel
from tests.people_tables import FORBIDDEN, POLICIES, Site, arns, needs, needs_of, strays, verbs

MODEL = "sorts-of-fruit"
DECIDED, PULLED = "fruit-for-export", "fruit-from-afar"  # models that a person approves, that pull their rows
# names of operations that differ from the action that IAM asks for
ACTION_OF = {
    "ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions", "HeadObject": "GetObject",
    "Invoke": "InvokeFunction",
}  # fmt: skip
SERVICE_OF = {"stepfunctions": "states"}
READING = (
    ("policy", MODEL),
    ("status",), ("models",), ("show", MODEL), ("show", f"{MODEL}:1"), ("history", MODEL), ("contract", MODEL),
    ("quarantine", MODEL), ("runs", MODEL), ("show", MODEL, "--at", "2020-01-01 10:00"), ("card", MODEL),
    ("documents", MODEL, "--to", str(Path(tempfile.gettempdir(), "modelcycle-documents"))),
)  # fmt: skip


class Person:
    """A user with some policies of the stack and nothing else, who runs the command line."""

    def __init__(self, cloud: LocalCloud, name: str, *policies: str) -> None:
        self.cloud, self.name, self.calls = cloud, name, set[str]()
        iam = cloud.admin.client("iam")
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=cloud.outputs[POLICIES[policy][1]])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.clients = ClientFactory.of(cloud.endpoint, Key(key["AccessKeyId"], key["SecretAccessKey"]))

    @contextmanager
    def may(self, policy: str) -> Iterator[None]:
        """Give the person another policy for a while."""
        iam, attached = self.cloud.admin.client("iam"), self.cloud.outputs[POLICIES[policy][1]]
        iam.attach_user_policy(UserName=self.name, PolicyArn=attached)
        yield
        iam.detach_user_policy(UserName=self.name, PolicyArn=attached)

    def run(self, *words: str) -> int:
        """Run a command line as this person; `calls` are then the actions that it called."""
        self.calls.clear()
        send = BaseClient._make_api_call

        def record(client: Any, operation: str, arguments: Any) -> Any:
            service = client.meta.service_model.service_name
            if client._request_signer._credentials.access_key == self.clients.access_key:
                self.calls.add(f"{SERVICE_OF.get(service, service)}:{ACTION_OF.get(operation, operation)}")
            return send(client, operation, arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", record)
            patch.setattr(local_cloud, "load_operator", lambda *_: self.clients)
            return main([*words, "--json"])


@pytest.fixture(scope="module")
def people(cloud: LocalCloud) -> dict[str, Person]:
    made = {policy: Person(cloud, f"person-{policy.lower()}", policy) for policy in POLICIES}
    return made | {"both": Person(cloud, "person-both", "Auditor", "Approver")}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("people") / "fruit.csv"
    file.write_text(fruit(900, seed=11))
    return file


def fruit(count: int, seed: int) -> str:
    """Return a file of two sorts of fruit that overlap."""
    draw = random.Random(seed)
    lines = ["weight [g],sweet/sour,sort"]
    for _ in range(count):
        weight, taste = draw.gauss(100, 30), draw.gauss(0, 1)
        sort = "apple" if weight / 30 + taste + draw.gauss(0, 0.8) > 100 / 30 else "plum"
        lines.append(f"{weight:.2f},{taste:.3f},{sort}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def _here(project_variables: None) -> Iterator[None]:
    yield

    def test_where_the_stack_asks_an_operator_puts_nothing_live_whatever_the_pipeline_file_says(
        self, people: dict[str, Person], rows: Path, cloud: LocalCloud, project: CloudSite
    ) -> None:
        operator, name = people["Operator"], "fruit-at-once"
        pipeline = rows.with_name(f"{name}.yaml")
        pipeline.write_text(f"name: {name}\ntarget: sort\ntraining: {{trials: 1}}\napproval: {{required: false}}\n")
        project.up(Approval="always")
        try:
            assert operator.run("run", str(pipeline), "--data", str(rows)) == 0
        finally:
            project.up()
        model = ObservedModel(cloud, name)
        assert model.runs()[0].state == "awaiting_approval" and not model.weights()
        assert "this stack" in model.registry.standings.get(name, 1).why
        assert people["both"].run("approve", f"{name}:1") == 0
        wait_until(lambda: model.weights() == {1: 100})


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)


def check_calls(person: Person, verb: str) -> None:
    """Fail if a verb called what the document does not list for it; the stack's outputs are known locally."""
    listed = {action for need in verbs()[verb].needs for action, _ in needs()[need]}
    # everybody may ask STS who they are, without a permission
    assert person.calls <= listed | {"sts:GetCallerIdentity"}, f"{verb} also calls {person.calls - listed}"
    assert person.calls or not listed - {"execute-api:Invoke", "cloudformation:DescribeStacks"}


@pytest.mark.usefixtures("_here")
class TestVerbs:
    """In this order: each test uses what the previous ones have left."""

    def test_an_operator_makes_a_model_and_works_with_it(
        self, people: dict[str, Person], rows: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator, pipeline = people["Operator"], rows.with_name(f"{MODEL}.yaml")
        assert main(["init", "--data", str(rows), "--target", "sort", "--name", MODEL, "--out", str(pipeline)]) == 0
        for words, verb in (
            (("run", str(pipeline), "--data", str(rows)), "run"),
            (("run", str(pipeline), "--data", str(rows), "--replace"), "run --replace"),
            (("predict", MODEL, "--data", str(rows), "--rows", "3"), "predict"),
            (("api", MODEL, "--print"), "api"),
            (("monitor", MODEL), "monitor"),
            (("quarantine", MODEL, "--replay"), "quarantine --replay"),
            (("score", MODEL, "--data", str(rows), "--out", str(rows.with_name("scored.csv"))), "score"),
        ):
            assert operator.run(*words) == 0, words
            check_calls(operator, verb)

    def test_an_operator_stores_a_secret_and_cannot_read_it(
        self, people: dict[str, Person], monkeypatch: pytest.MonkeyPatch, cloud: LocalCloud
    ) -> None:
        operator = people["Operator"]
        for text in ("first", "second"):
            monkeypatch.setattr("sys.stdin", io.StringIO(text))
            assert operator.run("secret", "orders-db") == 0
        check_calls(operator, "secret")
        secrets, name = operator.clients.client("secretsmanager"), f"{cloud.outputs['SecretPrefix']}orders-db"
        with pytest.raises(secrets.exceptions.ClientError, match="AccessDenied"):
            secrets.get_secret_value(SecretId=name)

    def test_an_operator_pulls_rows_without_a_run(self, people: dict[str, Person], cloud: LocalCloud) -> None:
        s3, bucket = cloud.admin.client("s3"), cloud.outputs["DataBucket"]
        pipeline = f"name: {PULLED}\ntarget: sort\nsource: {{type: s3, prefix: shared/{PULLED}/}}\n"
        s3.put_object(Bucket=bucket, Key=f"pipelines/{PULLED}.yaml", Body=pipeline.encode())
        s3.put_object(Bucket=bucket, Key=f"shared/{PULLED}/a.csv", Body=fruit(40, seed=2).encode())
        assert people["Operator"].run("collect", PULLED) == 0
        check_calls(people["Operator"], "collect")
        assert s3.list_objects_v2(Bucket=bucket, Prefix=f"landed/{PULLED}/")["KeyCount"] > 0

    def test_an_operator_sends_what_really_happened(
        self, people: dict[str, Person], rows: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        operator, outcomes = people["Operator"], rows.with_name("outcomes.csv")
        capsys.readouterr()
        assert operator.run("predict", MODEL, "--data", str(rows), "--rows", "5") == 0
        ids = json.loads(capsys.readouterr().out)["prediction_ids"]
        outcomes.write_text("prediction_id,outcome\n" + "".join(f"{one},plum\n" for one in ids))
        found = 0
        for _ in range(60):  # the stream delivers captures after a while
            assert operator.run("feedback", MODEL, "--data", str(outcomes)) == 0
            check_calls(operator, "feedback")
            if found := json.loads(capsys.readouterr().out)["found"]:
                break
            time.sleep(1)
        assert found == len(ids)
        assert "s3:GetObject" in operator.calls
        assert operator.run("explain", MODEL, "--prediction", ids[0]) == 0
        check_calls(operator, "explain")
        told = json.loads(capsys.readouterr().out)
        assert (told["prediction_id"], told["version"], told["state"]) == (ids[0], 1, "live")
        assert told["explanation"]["columns"] and (told["nearest"]["changes"] or told["nearest"]["note"])

    @pytest.mark.parametrize("words", READING, ids=" ".join)
    def test_who_only_reads_may_run_what_reads(
        self, people: dict[str, Person], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        auditor = people["Auditor"]
        capsys.readouterr()
        ended, told = auditor.run(*words), json.loads(capsys.readouterr().out)
        if words == ("status",):  # what other tests have left in this cloud is no concern of this one
            assert told["up"] and {"undelivered", "models", "api"} <= told["facts"].keys(), told
            assert bool(ended) == bool(told["faults"])
        else:
            assert ended == 0
        check_calls(auditor, words[0])

    def test_who_only_reads_may_look_at_runs_and_costs(self, people: dict[str, Person], rows: Path) -> None:
        auditor = people["Auditor"]
        registry = Registry(DynamoTable(auditor.clients.client("dynamodb"), auditor.cloud.outputs["RegistryTable"]))
        run_id = registry.runs.latest(MODEL, 1)[0].run.run_id
        for words, verb in (
            (("show", MODEL, "--run", run_id), "show"),
            (("runs", MODEL, "--follow", run_id), "runs"),
            (("cost", str(rows.with_name(f"{MODEL}.yaml"))), "cost"),
        ):
            assert auditor.run(*words) == 0, words
            check_calls(auditor, verb)

    def test_who_only_reads_makes_a_version_again(
        self, people: dict[str, Person], capsys: pytest.CaptureFixture[str]
    ) -> None:
        auditor = people["Auditor"]
        capsys.readouterr()
        assert auditor.run("reproduce", f"{MODEL}:1") == 0
        check_calls(auditor, "reproduce")
        assert json.loads(capsys.readouterr().out)["same"]

    def test_who_only_reads_verifies_all_that_is_kept_of_a_model(
        self, people: dict[str, Person], capsys: pytest.CaptureFixture[str]
    ) -> None:
        auditor, cloud = people["Auditor"], people["Auditor"].cloud
        event = json.dumps({"schema": 1, "kind": "seal"})
        invoked = cloud.admin.client("lambda").invoke(FunctionName=cloud.outputs["SealFunction"], Payload=event)
        assert json.loads(invoked["Payload"].read())["signed"]
        capsys.readouterr()
        assert auditor.run("verify", MODEL) == 0
        check_calls(auditor, "verify")
        told = json.loads(capsys.readouterr().out)
        assert told["ok"] and told["verified"]["seals"] == 1 and told["verified"]["signed"]
        assert not [note for note in told["notes"] if "not checked" in note]
        # what scoring hands on and writes is no auditor's to read, and is deleted soon
        unread = [note for note in told["notes"] if "may not read" in note]
        assert all("in _scoring/" in note or "in scored/" in note for note in unread), unread

    def test_a_seal_cannot_be_removed_or_written_by_who_makes_models(self, people: dict[str, Person]) -> None:
        cloud = people["Operator"].cloud
        seal = {"Bucket": cloud.outputs["SealBucket"], "Key": "seals/2020/01/01.json"}
        for clients in (people["Operator"].clients, cloud.operator):
            with pytest.raises(ClientError, match="AccessDenied"):
                clients.client("s3").put_object(**seal, Body=b"{}")
        s3 = cloud.admin.client("s3")
        (version,) = s3.list_object_versions(Bucket=seal["Bucket"])["Versions"]
        with pytest.raises(ClientError, match="object lock"):
            s3.delete_object(Bucket=seal["Bucket"], Key=version["Key"], VersionId=version["VersionId"])

    def test_who_only_reads_changes_nothing(
        self, people: dict[str, Person], rows: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        auditor, pipeline = people["Auditor"], str(rows.with_name(f"{MODEL}.yaml"))
        before = auditor.cloud.admin.client("s3").list_object_versions(Bucket=auditor.cloud.outputs["DataBucket"])
        for words in (
            ("run", pipeline, "--data", str(rows)), ("run", pipeline), ("monitor", MODEL), ("collect", MODEL),
            ("predict", MODEL, "--data", str(rows), "--rows", "1"), ("score", MODEL, "--data", str(rows)),
            ("rollback", MODEL), ("promote", f"{MODEL}:1"), ("secret", "orders-db"),
            ("feedback", MODEL, "--data", str(rows.with_name("outcomes.csv"))),
        ):  # fmt: skip
            monkeypatch.setattr("sys.stdin", io.StringIO("third"))
            assert auditor.run(*words) == 1, words
        after = auditor.cloud.admin.client("s3").list_object_versions(Bucket=auditor.cloud.outputs["DataBucket"])
        keys = [
            {item["Key"] for item in page["Versions"] if item["Key"].startswith("raw/")} for page in (before, after)
        ]
        assert keys[0] == keys[1]

    def test_who_decides_needs_to_read_too_and_may_not_train(self, people: dict[str, Person], rows: Path) -> None:
        both = people["both"]
        assert both.run("promote", f"{MODEL}:1", "--why", "again") == 0
        check_calls(both, "promote")
        assert both.run("run", str(rows.with_name(f"{MODEL}.yaml")), "--data", str(rows)) == 1
        assert people["Approver"].run("promote", f"{MODEL}:1") == 1
        assert people["Operator"].run("promote", f"{MODEL}:1") == 1

    def test_who_decides_approves_rejects_and_rolls_back_what_an_operator_makes(
        self, people: dict[str, Person], rows: Path, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
    ) -> None:
        operator, both, model = people["Operator"], people["both"], ObservedModel(cloud, DECIDED)
        pipeline = rows.with_name(f"{DECIDED}.yaml")
        pipeline.write_text(f"name: {DECIDED}\ntarget: sort\ntraining: {{trials: 2}}\napproval: {{required: true}}\n")
        for version in (1, 2, 3):
            more = rows.with_name(f"fruit {version}.csv")
            more.write_text(fruit(700, seed=20 + version))
            assert operator.run("run", str(pipeline), "--data", str(more)) == 0
            assert model.runs()[0].state == "awaiting_approval", model.runs()[0].reason
            for decision in ("approve", "reject"):
                assert operator.run(decision, f"{DECIDED}:{version}") == 1
            if version == 1:  # nobody approves their own run, not even with the right to approve
                with operator.may("Approver"):
                    assert operator.run("approve", f"{DECIDED}:1") == REFUSED
                assert "nobody approves their own run" in capsys.readouterr().err
                assert model.registry.standings.get(DECIDED, 1).state == "awaiting_approval"
            decision = "reject" if version == 3 else "approve"
            assert both.run(decision, f"{DECIDED}:{version}", "--why", "looked at it") == 0
            check_calls(both, decision)
            live = min(version, 2)
            wait_until(lambda live=live: model.weights() == {live: 100})  # type: ignore[misc]
        assert model.registry.standings.get(DECIDED, 3).state == "rejected"
        assert operator.run("rollback", DECIDED) == 1
        assert both.run("rollback", DECIDED, "--why", "too sour") == 0
        check_calls(both, "rollback")
        assert model.weights() == {1: 100}
        assert model.registry.standings.get(DECIDED, 2).state == "rolled_back"


@pytest.mark.parametrize("policy", ["Auditor", "Operator"])
def test_the_stack_is_found_by_its_outputs(people: dict[str, Person], policy: str, cloud: LocalCloud) -> None:
    stacks = people[policy].clients.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert outputs_of(stacks[0]).keys() == cloud.outputs.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_iam_itself_says_what_the_document_says(people: dict[str, Person], policy: str, cloud: LocalCloud) -> None:
    site = deployed(cloud)
    named = arns(site)
    granted = {(action, arn) for need in needs_of(policy) for action, place in needs()[need] for arn in named[place]}
    everywhere = {arn for found in named.values() for arn in found} | set(strays(site))
    user = f"arn:aws:iam::{site.account}:user/{people[policy].name}"
    assert simulated(cloud, user, everywhere) == granted != set()
    # no other service may be given the role
    passed = {pair for pair in granted if pair[0] == "iam:PassRole"}
    assert simulated(cloud, user, everywhere, passed_to="lambda.amazonaws.com") == granted - passed


def simulated(
    cloud: LocalCloud, user: str, everywhere: set[str], passed_to: str = "scheduler.amazonaws.com"
) -> set[tuple[str, str]]:
    """Return the pairs of action and ARN that IAM allows, of all actions and these ARNs."""
    iam, found = cloud.admin.client("iam"), set()
    actions = sorted({action for pairs in needs().values() for action, _ in pairs} | FORBIDDEN)
    context = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string", "ContextKeyValues": [passed_to]}
    for arn in sorted(everywhere):
        answer = iam.simulate_principal_policy(
            PolicySourceArn=user, ActionNames=actions, ResourceArns=[arn], ContextEntries=[context]
        )
        results = answer["EvaluationResults"]
        assert len(results) == len(actions)
        found |= {(result["EvalActionName"], arn) for result in results if result["EvalDecision"] == "allowed"}
    return found


def deployed(cloud: LocalCloud) -> Site:
    """Return the site of the local cloud, whose stack has a stream and a queue of records."""
    out, account = cloud.outputs, cloud.admin.client("sts").get_caller_identity()["Account"]
    table = cloud.admin.client("dynamodb").describe_table(TableName=out["RegistryTable"])["Table"]["TableArn"]
    return Site({
        "Stack": out["SecretPrefix"].rstrip("/"), "DataBucketArn": f"arn:aws:s3:::{out['DataBucket']}",
        "ArtifactBucketArn": f"arn:aws:s3:::{out['ArtifactBucket']}", "RegistryArn": table,
        "SealBucketArn": f"arn:aws:s3:::{out['SealBucket']}", "SigningKeyArn": out["SigningKey"],
        "ErasureArn": out["ErasureArn"],
        "StreamArn": f"arn:aws:kinesis:{REGION}:{account}:stream/{out['RecordStream']}",
        "QueueArn": f"arn:aws:sqs:{REGION}:{account}:{out['RecordQueue'].rpartition('/')[2]}",
        "UndeliveredArn": out["UndeliveredArn"], "LifecycleArn": out["LifecycleArn"],
        "MonitoringArn": out["MonitoringArn"], "BatchScoringArn": out["BatchScoringArn"],
        "PullArn": out["PullFunction"], "RetrainArn": out["RetrainFunction"],
        "CandidateArn": out["CandidateFunction"],
        "ScheduleRoleArn": out["ScheduleRoleArn"], "ApiId": out["ApiUrl"].split("/restapis/")[1].partition("/")[0],
    }, REGION, account)  # fmt: skip
