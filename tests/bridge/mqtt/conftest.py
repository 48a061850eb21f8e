"""The transport's tests run with both versions of MQTT."""

from collections.abc import Iterator

import pytest

from bridge.mqtt import Version
from tests.bridge.mqtt.peers import VERSION


@pytest.fixture(params=["mqtt-3.1.1", "mqtt-5"])
def version(request: pytest.FixtureRequest) -> Iterator[Version]:
    """The version of MQTT that `tests.bridge.mqtt.peers.connect` speaks."""
    token = VERSION.set(request.param)
    yield request.param
    VERSION.reset(token)
