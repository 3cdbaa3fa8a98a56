"""Fixtures that several unit tests share."""

from __future__ import annotations

import pytest

from tests.unit.traffic_cycle import Cycle


@pytest.fixture
def cycle() -> Cycle:
    return Cycle()
