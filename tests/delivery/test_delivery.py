"""The whole delivery here: one release to two stacks, and a broken one that neither serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.delivery.local import deliver

pytestmark = pytest.mark.delivery


def test_a_release_reaches_prod_as_it_was_tested_in_dev_and_a_broken_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(tmp_path)
    said = capsys.readouterr().out
    lines = [line.strip() for line in said.splitlines()]
    first, second = (line.split()[1].rstrip(":") for line in lines if line.startswith("release "))
    assert first != second
    deployed = [line for line in lines if "deploying release" in line]
    assert deployed == [
        f"dev: deploying release {first}", f"prod: deploying release {first}", f"dev: deploying release {second}",
    ]  # fmt: skip
    refused = [line for line in lines if "was refused" in line and "rows are answered otherwise than on record" in line]
    assert len(refused) == 1, said
    assert sum("has answered 5 rows" in line for line in lines) == 3  # dev, prod, and dev after the refusal
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {first, second}
