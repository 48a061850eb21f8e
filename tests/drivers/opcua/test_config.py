"""What a plant file may say about OPC UA: as text, the way the reader hands it over."""

import pytest
from pydantic import ValidationError

from drivers.opcua.config import AUTO, DeviceOptions, LinkOptions


def refused(model, keys):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    (error,) = caught.value.errors()
    return error


def test_insecure_must_be_said():
    assert LinkOptions.model_validate({"security": "insecure"}).timeout == 4_000


@pytest.mark.parametrize("keys", [{}, {"security": "Basic256Sha256"}, {"security": "none"}])
def test_anything_else_is_refused_because_it_is_not_built(keys):
    error = refused(LinkOptions, keys)
    assert error["type"] == "E430"
    assert error["loc"] == ("security",)
    assert "security: insecure" in error["ctx"]["remedy"]


def test_defaults_of_a_device():
    device = DeviceOptions.model_validate({})
    assert (device.publish_interval, device.queue, device.time) == (500, AUTO, "source")
    assert (device.read, device.max_skew, device.namespaces) == ("subscribe", 60_000, {})


def test_texts_are_read_by_their_keys():
    device = DeviceOptions.model_validate(
        {
            "namespaces": {"s7": "urn:s7", "ns=4": "urn:four"},
            "publish_interval": "250ms",
            "queue": "20",
            "time": "server",
            "max_skew": "5min",
        }
    )
    assert (device.publish_interval, device.queue, device.max_skew) == (250, 20, 300_000)
    assert DeviceOptions.model_validate({"queue": "auto"}).queue == AUTO


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"publish_interval": "500"}, "publish_interval"),
        ({"publish_interval": "1h"}, "publish_interval"),
        ({"queue": "0"}, "queue"),
        ({"queue": "many"}, "queue"),
        ({"read": "poll"}, "read"),
        ({"time": "plc"}, "time"),
        ({"namespaces": {"a;b": "urn:x"}}, "namespaces"),
        ({"namespaces": {"ns=0": "urn:x"}}, "namespaces"),
        ({"namespaces": {"s7": ""}}, "namespaces"),
        ({"publsh_interval": "1s"}, "publsh_interval"),
    ],
)
def test_refuses(keys, where):
    assert refused(DeviceOptions, keys)["loc"][0] == where
