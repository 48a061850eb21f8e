"""Fixtures of the whole suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.broker import Mosquitto
from tests.support.opcua_servers import start_quickly

# How fast examples are made is a matter of the machine and its other load, not of the product.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
start_quickly()


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A running broker without access control, on a free port, persistence off."""
    async with Mosquitto(tmp_path) as broker:
        yield broker
