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
