"""The firewall in front of the API (`infra/firewall.yaml`): what it protects, what it refuses, what it only counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.test_keys_and_networks import SCOPE, TEMPLATES, evaluated

OF_THE_ACCOUNT = f"arn:aws:wafv2:{SCOPE}:regional/webacl/ours/1-2"
STAGES = f"arn:aws:apigateway:{SCOPE.partition(':')[0]}::/restapis/"
# a row may hold any text, and a request of a thousand rows is larger than 8 KB
RULES_THAT_READ_BODIES = {
    "SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY",
}  # fmt: skip


def firewall(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the properties of what infra/firewall.yaml makes under these parameters of the stack."""
    # the ARN of a web ACL is not its name, and only AWS knows it
    return {
        name.partition("/")[2]: body["stack"].value(
            json.loads(json.dumps(body["Properties"]).replace('{"Fn::GetAtt": ["Acl", "Arn"]}', '"OURS"'))
        )
        for name, body in evaluated(**parameters).items()
        if name.startswith("firewall/")
    }


def rules() -> dict[str, dict[str, Any]]:
    return {rule["Name"]: rule for rule in firewall(Firewall="own")["Acl"]["Rules"]}


def test_there_is_none_unless_somebody_asks_for_it() -> None:
    assert firewall() == {}
    assert firewall(Access="iam+key") == {}


@pytest.mark.parametrize("given", ["own", OF_THE_ACCOUNT])
@pytest.mark.parametrize(("access", "protected"), [("iam", {"OfTheApi"}), ("iam+key", {"OfTheApi", "OfTheKeyApi"})])
def test_it_protects_each_rest_api_that_exists(given: str, access: str, protected: set[str]) -> None:
    made = firewall(Firewall=given, Access=access)
    joined = {name: made[name] for name in made if name.startswith("Of")}
    assert set(joined) == protected
    assert len({body["ResourceArn"] for body in joined.values()}) == len(protected)
    for body in joined.values():
        assert body["ResourceArn"].startswith(STAGES) and "/stages/" in body["ResourceArn"]
    if given == "own":
        assert {"Acl", "Log", "Logging"} < set(made)
        assert {body["WebACLArn"] for body in joined.values()} == {made["Logging"]["ResourceArn"]} == {"OURS"}
    else:
        assert set(made) == protected, "a web ACL of the account has rules and a log of its own"
        assert {body["WebACLArn"] for body in joined.values()} == {OF_THE_ACCOUNT}


def test_one_address_that_floods_the_api_is_blocked() -> None:
    rule = rules()["one-address"]
    assert rule["Action"] == {"Block": {}}
    limit = TEMPLATES["template"]["Parameters"]["RequestsOfAnAddress"]["Default"]
    assert rule["Statement"]["RateBasedStatement"] == {"AggregateKeyType": "IP", "Limit": str(limit)}
    own = firewall(Firewall="own", RequestsOfAnAddress="500")["Acl"]["Rules"][0]
    assert own["Statement"]["RateBasedStatement"]["Limit"] == "500"


def test_rules_that_read_the_rows_of_a_request_count_and_do_not_block() -> None:
    """They would refuse a prediction because a column holds a path, or a piece of HTML."""
    overridden = rules()["common"]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert {one["Name"] for one in overridden} == RULES_THAT_READ_BODIES
    assert all(one["ActionToUse"] == {"Count": {}} for one in overridden)


def test_the_groups_of_aws_block_as_aws_has_them() -> None:
    groups = {name: rule for name, rule in rules().items() if "ManagedRuleGroupStatement" in rule["Statement"]}
    assert len(groups) == 3
    for name, rule in groups.items():
        assert rule["OverrideAction"] == {"None": {}}, name
    priorities = [rule["Priority"] for rule in rules().values()]
    assert sorted(set(priorities)) == sorted(priorities)


def test_no_row_and_nothing_that_proves_who_called_reaches_its_log() -> None:
    made = firewall(Firewall="own")
    redacted = {field["SingleHeader"]["Name"] for field in made["Logging"]["RedactedFields"]}
    assert redacted >= {"authorization", "x-api-key"}
    assert made["Logging"]["LoggingFilter"]["DefaultBehavior"] == "DROP"  # what was let through is not logged
    # WAF keeps samples of requests, headers included, outside the log
    for config in [made["Acl"], *made["Acl"]["Rules"]]:
        assert config["VisibilityConfig"]["SampledRequestsEnabled"] is False
    assert made["Log"]["LogGroupName"].startswith("aws-waf-logs-"), "WAF writes to no other name"
    assert json.dumps(made["Logging"]["LogDestinationConfigs"]).count("log-group:") == 1
