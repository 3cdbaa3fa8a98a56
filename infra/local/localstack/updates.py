"""What LocalStack 4.14.0 does not update, though it says UPDATE_COMPLETE: APIs are updated here, the rest is named.

It knows no update for most types of resources. Of a changed API it deletes deployment and stage, so that no request is
answered any more. `tests/localstack` fails where a type begins to be updated.
"""

from __future__ import annotations

import json
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.properties import PROPERTIES

Template = dict[str, Any]

NEVER_UPDATED = frozenset({
    "AWS::ApiGateway::Account", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlanKey", "AWS::CloudWatch::Alarm", "AWS::DynamoDB::Table", "AWS::Events::EventBus",
    "AWS::Events::Rule", "AWS::IAM::ManagedPolicy", "AWS::KMS::Key", "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::Alias", "AWS::Lambda::EventInvokeConfig", "AWS::Logs::LogGroup", "AWS::Logs::LogStream",
    "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy",
})  # fmt: skip
"""Types of the template whose resource providers have no update."""
SET_LATER = {(checked.resource_type, checked.name) for checked in PROPERTIES}
"""Properties that `reconcile` brings to their values."""
OF_APIS = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage")
UPDATED_HERE = {("AWS::ApiGateway::RestApi", "Body"), ("AWS::ApiGateway::Stage", "DeploymentId")}


def keep_apis(template: Template, before: Template) -> Template:
    """Return the template with its APIs as they are deployed: of a changed one LocalStack would delete the stage.

    Parameters
    ----------
    template : as the project has it; not changed
    before : as it was given to LocalStack last
    """
    kept = {
        name: before["Resources"][name]
        for name, resource in template["Resources"].items()
        if resource["Type"] in OF_APIS and before["Resources"].get(name, {}).get("Type") == resource["Type"]
    }
    return {**template, "Resources": {**template["Resources"], **kept}}


def name_deployments(template: Template) -> None:
    """Name the deployments of APIs by their API: SAM names them by a hash, and each change would make another one."""
    resources = template["Resources"]
    names = {
        name: f"{resource['Properties']['RestApiId']['Ref']}Deployment"
        for name, resource in resources.items()
        if resource["Type"] == "AWS::ApiGateway::Deployment"
    }
    template["Resources"] = {names.get(name, name): _renamed(resource, names) for name, resource in resources.items()}


def update_apis(stack: DeployedStack, admin: ClientFactory) -> list[str]:
    """Give each stage whose API has changed a deployment of the template's API; return sentences for people.

    Parameters
    ----------
    stack : with the template as the project has it

    Notes
    -----
    The description of a deployment has SAM's hash of the API, so that an update that was interrupted is made again.
    """
    gateway = admin.client("apigateway")
    resources, said = stack.template["Resources"], []
    for name, resource in resources.items():
        if resource["Type"] != "AWS::ApiGateway::Stage" or name not in stack.resources:
            continue
        properties = resource["Properties"]
        api, deployment = properties["RestApiId"]["Ref"], properties["DeploymentId"]["Ref"]
        where = {"restApiId": stack.ref(api), "stageName": stack.value(properties["StageName"])}
        wanted = resources[deployment]["Properties"]["Description"]
        current = gateway.get_stage(**where)["deploymentId"]
        if gateway.get_deployment(restApiId=where["restApiId"], deploymentId=current).get("description") == wanted:
            continue
        body = json.dumps(stack.value(resources[api]["Properties"]["Body"])).encode()
        gateway.put_rest_api(restApiId=where["restApiId"], mode="overwrite", body=body)
        made = gateway.create_deployment(restApiId=where["restApiId"], description=wanted)["id"]
        gateway.update_stage(**where, patchOperations=[{"op": "replace", "path": "/deploymentId", "value": made}])
        said.append(f"{api}: its changes were made through the API Gateway itself, because LocalStack updates no API")
    return said


def not_updated(before: Template, after: Template) -> list[str]:
    """Return a sentence for each resource that has changed and that LocalStack leaves as it was.

    Examples
    --------
    >>> def template(state):
    ...     return {"Resources": {"Soon": {"Type": "AWS::Events::Rule", "Properties": {"State": state}}}}
    >>> not_updated(template("ENABLED"), template("ENABLED"))
    []
    >>> not_updated(template("ENABLED"), template("DISABLED"))
    ['Soon.State has changed, and LocalStack updates no AWS::Events::Rule: `down`, then `up` again']
    """
    said = []
    for name, resource in after["Resources"].items():
        kind, earlier = resource["Type"], before["Resources"].get(name)
        if earlier is None or earlier["Type"] != kind or kind not in NEVER_UPDATED:
            continue
        old, new = earlier.get("Properties", {}), resource.get("Properties", {})
        for changed in sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)):
            if (kind, changed) not in SET_LATER | UPDATED_HERE:
                said.append(f"{name}.{changed} has changed, and LocalStack updates no {kind}: `down`, then `up` again")
    return said


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _renamed(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    return names.get(node, node) if isinstance(node, str) else node
