"""Who may predict and who may decide, on the local cloud: by signature, by signature and key, by token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local import cloud as local
from infra.local.clients import REGION
from infra.local.cloud import LocalCloud
from infra.local.ports import free_port
from tests.e2e.conftest import ROOT, CloudSite
from tests.e2e.token_issuer import AUDIENCE, Issuer

PREDICT, DECIDE, SERVER = "POST /models/m/predict", "POST /models/m/decisions", "GET /v2"
FEEDBACK = "POST /models/m/feedback"
ROWS = b'{"instances": [{"a": 1}]}'


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def ask(base: str, call: str, user: Credentials | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Send a request, signed by a user if one is given."""
    method, _, path = call.partition(" ")
    data = ROWS if method == "POST" else None
    sent = {"content-type": "application/json"} | (headers or {})
    if user is not None:
        signed = AWSRequest(method, base + path, data=data, headers=sent)
        SigV4Auth(user, "execute-api", REGION).add_auth(signed)
        sent = dict(signed.headers)
    request = urllib.request.Request(base + path, data, sent, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return Answer(response.status, json.load(response), dict(response.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, json.loads(error.read() or b"{}"), dict(error.headers))


def user_with(cloud: LocalCloud, name: str, policy: str) -> Credentials:
    """Return the key of a new user with one of the stack's policies and nothing else."""
    iam = cloud.admin.client("iam")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=cloud.outputs[policy])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudSite]:
    site = CloudSite(tmp_path_factory.mktemp("access") / "home", free_port(), ROOT / "template.yaml")
    yield site
    local.down(home=site.home)


@pytest.fixture(scope="module")
def signed(site: CloudSite) -> LocalCloud:
    return site.up()


@pytest.fixture(scope="module")
def keyed(site: CloudSite, signed: LocalCloud) -> LocalCloud:
    # a burst of 4 that hardly fills again
    return site.up(Access="iam+key", KeyBurst="4", KeyRate="1")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def tokens(site: CloudSite, keyed: LocalCloud, issuer: Issuer) -> LocalCloud:
    return site.up(Access="jwt", JwtIssuer=issuer.url, JwtAudience=f"other,{AUDIENCE}")


def test_who_predicts_may_not_decide_and_who_decides_may_not_predict(signed: LocalCloud) -> None:
    base = signed.outputs["ApiUrl"]
    assert signed.outputs["PredictUrl"] == base
    predictor = user_with(signed, "predictor", "PredictPolicy")
    decider = user_with(signed, "decider", "DecidePolicy")
    allowed = {
        name: [call for call in (PREDICT, FEEDBACK, DECIDE, SERVER) if ask(base, call, user).status != 403]
        for name, user in (
            ("predictor", predictor),
            ("decider", decider),
            ("operator", Credentials(*signed.operator.credentials())),
            ("nobody", None),
        )
    }
    assert allowed == {
        "predictor": [PREDICT, FEEDBACK, SERVER], "decider": [DECIDE],
        "operator": [PREDICT, FEEDBACK, DECIDE, SERVER], "nobody": [],
    }  # fmt: skip


def test_iam_itself_says_the_same(signed: LocalCloud) -> None:
    iam = signed.admin.client("iam")
    api = signed.outputs["ApiUrl"].split("/restapis/")[1].partition("/")[0]
    account = signed.admin.client("sts").get_caller_identity()["Account"]

    def allowed(user: str) -> list[str]:
        paths = ["POST/models/m/predict", "POST/v2/models/m/infer", "GET/v2/models/m", "POST/models/m/decisions"]
        arns = [f"arn:aws:execute-api:{REGION}:{account}:{api}/live/{path}" for path in paths]
        results = [
            iam.simulate_principal_policy(
                PolicySourceArn=f"arn:aws:iam::{account}:user/{user}",
                ActionNames=["execute-api:Invoke"],
                ResourceArns=[arn],
            )["EvaluationResults"][0]["EvalDecision"]
            for arn in arns
        ]
        return [path for path, result in zip(paths, results, strict=True) if result == "allowed"]

    assert allowed("predictor") == ["POST/models/m/predict", "POST/v2/models/m/infer", "GET/v2/models/m"]
    assert allowed("decider") == ["POST/models/m/decisions"]


def test_a_problem_names_the_request_that_the_log_has(signed: LocalCloud) -> None:
    operator = Credentials(*signed.operator.credentials())
    answer = ask(signed.outputs["ApiUrl"], PREDICT, operator, {"Idempotency-Key": "order-7"})
    assert answer.body["instance"] == f"urn:modelcycle:request:{answer.headers['X-Request-Id']}"
    logs = signed.admin.client("logs")
    events = logs.filter_log_events(logGroupName=signed.outputs["PredictLog"])["events"]
    lines = [event["message"] for event in events if answer.headers["X-Request-Id"] in event["message"]]
    assert lines
    assert all('"client_request_id":"order-7"' in line for line in lines)


def test_a_key_is_asked_beside_the_signature_and_never_instead_of_it(keyed: LocalCloud) -> None:
    base, first = keyed.outputs["PredictUrl"], keyed.outputs["ApiUrl"]
    assert base != first
    iam = keyed.admin.client("iam")
    (made,) = iam.list_attached_user_policies(UserName="predictor")["AttachedPolicies"]
    assert made["PolicyArn"] == keyed.outputs["PredictPolicy"]
    secret = iam.create_access_key(UserName="predictor")["AccessKey"]
    predictor = Credentials(secret["AccessKeyId"], secret["SecretAccessKey"])
    value = keyed.admin.client("apigateway").get_api_key(apiKey=keyed.outputs["FirstKeyId"], includeValue=True)["value"]
    key = {"x-api-key": value}

    assert ask(base, SERVER, None, key).status == 403  # a key alone proves nothing
    assert ask(base, SERVER, predictor).status == 403  # a signature alone is not counted
    assert ask(base, SERVER, predictor, {"x-api-key": "wrong"}).status == 403
    assert ask(base, SERVER, predictor, key).status == 200
    assert ask(base, PREDICT, predictor, key).status == 404  # the function answers: there is no such model
    assert ask(base, FEEDBACK, predictor, key).status == 400  # so does the one that takes outcomes: rows are none
    assert ask(base, DECIDE, Credentials(*keyed.operator.credentials()), key).status == 403  # no such path here
    assert ask(first, PREDICT, predictor, key).status == 403  # nor a way round the quota
    assert ask(first, DECIDE, Credentials(*keyed.operator.credentials())).status != 403

    statuses = [ask(base, SERVER, predictor, key).status for _ in range(12)]
    assert 429 in statuses
    assert {ask(first, SERVER, Credentials(*keyed.operator.credentials())).status for _ in range(12)} == {200}


def test_a_token_of_the_issuer_opens_the_predictions_and_no_decision(tokens: LocalCloud, issuer: Issuer) -> None:
    base = tokens.outputs["PredictUrl"]
    bearer = {"Authorization": f"Bearer {issuer.token()}"}
    assert ask(base, SERVER, None, bearer).status == 200
    answer = ask(base, PREDICT, None, bearer | {"X-Request-Id": "mine"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["instance"] == f"urn:modelcycle:request:{answer.headers['X-Request-Id']}"
    assert ask(base, "GET /v2/models/m", None, bearer).status == 404
    assert ask(base, "POST /v2/models/m/infer", None, bearer).body["error"]
    assert ask(base, FEEDBACK, None, bearer).status == 400
    # there is no such path: AWS answers 404, and the emulator 403
    assert ask(base, DECIDE, None, bearer).status in (403, 404)
    # the first API takes signatures, and no tokens
    assert ask(tokens.outputs["ApiUrl"], DECIDE, None, bearer).status in (401, 403)
    assert ask(tokens.outputs["ApiUrl"], PREDICT, None, bearer).status in (401, 403)


def test_a_token_with_anything_wrong_is_refused(tokens: LocalCloud, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    payload = issuer.token().split(".")
    other_claims = issuer.token(sub="admin").split(".")
    wrong = {
        "none": "",
        "no token": "Bearer ",
        "no JWT": "Bearer abc",
        "another signer": f"Bearer {issuer.token(key=stranger)}",
        "alg none": f"Bearer {issuer.token(algorithm='none')}",
        "alg none, signed": f"Bearer {issuer.token(algorithm='none')}{payload[2][:-4]}AAAA",
        "changed claims": f"Bearer {payload[0]}.{other_claims[1]}.{payload[2]}",
        "unknown key": f"Bearer {issuer.token(kid='second')}",
        "expired": f"Bearer {issuer.token(exp=1)}",
        "not yet": f"Bearer {issuer.token(nbf=4_000_000_000)}",
        "another audience": f"Bearer {issuer.token(aud='billing')}",
        "no audience": f"Bearer {issuer.token(aud=None)}",
        "another issuer": f"Bearer {issuer.token(iss='https://evil.example')}",
    }
    answered = {
        name: ask(tokens.outputs["PredictUrl"], PREDICT, None, {"Authorization": value} if value else {}).status
        for name, value in wrong.items()
    }
    assert answered == dict.fromkeys(wrong, 401)


def test_back_to_signatures_the_other_apis_are_gone(site: CloudSite, tokens: LocalCloud, issuer: Issuer) -> None:
    address = tokens.outputs["PredictUrl"]
    again = site.up()
    assert again.outputs["PredictUrl"] == again.outputs["ApiUrl"]
    assert ask(address, SERVER, None, {"Authorization": f"Bearer {issuer.token()}"}).status in (403, 404)
    assert ask(again.outputs["ApiUrl"], SERVER).status == 403
