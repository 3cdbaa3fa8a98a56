"""Small corrections of MiniStack that cannot be made from outside.

`tests/e2e/test_local_cloud.py` and `test_imports.py` fail where one is missing, or is no longer needed.
"""

from __future__ import annotations

from typing import Any


def keep_attributes_of_nested_resources() -> None:
    """Keep the attributes of unchanged resources when a nested stack is updated.

    MiniStack 1.5.33 drops them. The stack's outputs that read them (`!GetAtt Bucket.Arn`) then fail, and with them
    each later deployment; for a root stack it keeps them.
    """
    from ministack.services.cloudformation import _stacks, provisioners

    original = provisioners._update_resource

    def update_resource(
        resource_type: str, physical_id: str, old: Any, new: Any, stack: str, logical_id: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:  # fmt: skip
        if attributes is None:
            resource = _stacks.get(stack, {}).get("_resources", {}).get(logical_id, {})
            attributes = resource.get("Attributes")
        result: tuple[str, dict[str, Any]] = original(
            resource_type, physical_id, old, new, stack, logical_id, attributes
        )
        return result

    provisioners._update_resource = update_resource


def keep_retained_resources_of_nested_stacks() -> None:
    """Keep what a nested template says to keep (`DeletionPolicy`) when the root stack is deleted.

    MiniStack 1.5.33 keeps it of a root stack only: buckets of data in a nested one would be gone.
    """
    from ministack.services.cloudformation import _stacks, provisioners
    from ministack.services.cloudformation.stacks import _add_event

    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::Stack"]
    original = handlers["delete"]

    def delete_nested_stack(physical_id: str, properties: Any) -> Any:
        name = provisioners._nested_stack_lookup_name(physical_id)
        stack = _stacks.get(name) or {}
        declared = (stack.get("_template") or {}).get("Resources", {})
        resources = stack.get("_resources", {})
        for logical_id in list(resources):
            if declared.get(logical_id, {}).get("DeletionPolicy") in provisioners._RETAINING_POLICIES:
                kept = resources.pop(logical_id)
                _add_event(
                    stack["StackId"], name, logical_id, kept["ResourceType"], "DELETE_SKIPPED",
                    physical_id=kept["PhysicalResourceId"],
                )  # fmt: skip
        return original(physical_id, properties)

    handlers["delete"] = delete_nested_stack


def report_errors_of_starting_functions() -> None:
    """Report the error of a function that ends before its handler is loaded as AWS does.

    MiniStack 1.5.33 reports `Runtime.Unknown` in every case. On AWS a killed process is `Runtime.ExitError`, which the
    state machines retry; a broken import has a name of its own, such as `Runtime.ImportModuleError`, which they don't.
    """
    from ministack.core.lambda_runtime import ProvidedInitTimeout, ProvidedRuntimeError, ProvidedWorker

    original = ProvidedWorker._await_init

    def await_init(worker: Any, timeout: float | None = None) -> None:
        try:
            original(worker, timeout)
        except ProvidedInitTimeout:
            raise
        except RuntimeError as error:
            reported = worker._init_error
            if isinstance(reported, dict) and "errorType" in reported:
                message = str(reported.get("errorMessage", ""))
                raise ProvidedRuntimeError(message, str(reported["errorType"])) from error
            raise ProvidedRuntimeError(str(error), "Runtime.ExitError") from error

    ProvidedWorker._await_init = await_init


def take_bodies_without_media_type_as_json() -> None:
    """Hand on the body of a request without `Content-Type` as AWS does: its media type is application/json by default.

    MiniStack 1.5.33 takes it as text, even where the API takes all media types as binary, and replaces bytes that are
    not UTF-8. The public client of Triton sends binary tensors so.
    """
    from ministack.services import apigateway_v1

    original = apigateway_v1._media_type_matches

    def matches(media_type: str | None, binary_media_types: list[str]) -> bool:
        return bool(original(media_type or "application/json", binary_media_types))

    apigateway_v1._media_type_matches = matches
