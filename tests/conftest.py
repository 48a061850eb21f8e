"""Fixtures of the whole suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.broker import Mosquitto


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A running broker without access control, on a free port, persistence off."""
    async with Mosquitto(tmp_path) as broker:
        yield broker
