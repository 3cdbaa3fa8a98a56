"""What is mended inside the emulator, since nothing outside could: each mend names what it is for.

`tests/e2e/test_local_cloud.py` fails where a mend is missing, and says so when the emulator no longer needs it.
"""

from __future__ import annotations

from typing import Any


def keep_attributes_of_nested_resources() -> None:
    """An update of a nested stack forgets the attributes of every resource that did not change.

    Its outputs, which read them (`!GetAtt Bucket.Arn`), then fail, and with them each later deploy (MiniStack 1.5.33;
    a root stack hands the attributes on).
    """
    from ministack.services.cloudformation import _stacks, provisioners

    update = provisioners._update_resource

    def keeping(
        kind: str, physical_id: str, before: Any, after: Any, stack: str, logical_id: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:  # fmt: skip
        if attributes is None:
            known = _stacks.get(stack, {}).get("_resources", {}).get(logical_id, {})
            attributes = known.get("Attributes")
        result: tuple[str, dict[str, Any]] = update(kind, physical_id, before, after, stack, logical_id, attributes)
        return result

    provisioners._update_resource = keeping


def name_the_end_of_a_starting_function() -> None:
    """A process that ends before its handler is loaded is `Runtime.Unknown` here, whatever ended it (1.5.33).

    On AWS a killed one is `Runtime.ExitError`, which the flows try again, and a broken import has its own name, such
    as `Runtime.ImportModuleError`, which they do not.
    """
    from ministack.core.lambda_runtime import ProvidedInitTimeout, ProvidedRuntimeError, ProvidedWorker

    wait = ProvidedWorker._await_init

    def naming(worker: Any, timeout: float | None = None) -> None:
        try:
            wait(worker, timeout)
        except ProvidedInitTimeout:
            raise
        except RuntimeError as error:
            told = worker._init_error
            if isinstance(told, dict) and "errorType" in told:
                raise ProvidedRuntimeError(str(told.get("errorMessage", "")), str(told["errorType"])) from error
            raise ProvidedRuntimeError(str(error), "Runtime.ExitError") from error

    ProvidedWorker._await_init = naming
