"""What a plant file may say about OPC UA: as text, the way the reader hands it over."""

import pytest
from pydantic import ValidationError

from drivers.opcua.config import AUTO, DeviceOptions, LinkOptions


def refused(model, keys):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    (error,) = caught.value.errors()
    return error


def test_security_is_on_unless_somebody_says_otherwise():
    link = LinkOptions.model_validate({})
    assert (link.security, link.mode, link.timeout) == ("best", "sign_and_encrypt", 4_000)
    assert LinkOptions.model_validate({"security": "insecure"}).security == "insecure"
    assert LinkOptions.model_validate({"security": "Basic256Sha256", "mode": "sign"}).mode == "sign"


@pytest.mark.parametrize("word", ["none", "None", "", "Basic256", "Basic128Rsa15"])
def test_other_words_and_broken_policies_are_refused(word):
    assert refused(LinkOptions, {"security": word})["loc"] == ("security",)


def test_a_mode_of_nothing_is_refused():
    error = refused(LinkOptions, {"security": "insecure", "mode": "sign"})
    assert (error["type"], error["loc"]) == ("E430", ("mode",))


def test_defaults_of_a_device():
    device = DeviceOptions.model_validate({})
    assert (device.publish_interval, device.queue, device.time) == (500, AUTO, "source")
    assert (device.read, device.max_skew, device.namespaces) == ("subscribe", 60_000, {})
    assert (device.backfill, device.uncertain) == ("history", "good")


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
        ({"read": "history"}, "read"),
        ({"backfill": "yes"}, "backfill"),
        ({"uncertain": "stale"}, "uncertain"),
        ({"time": "plc"}, "time"),
        ({"namespaces": {"a;b": "urn:x"}}, "namespaces"),
        ({"namespaces": {"ns=0": "urn:x"}}, "namespaces"),
        ({"namespaces": {"s7": ""}}, "namespaces"),
        ({"publsh_interval": "1s"}, "publsh_interval"),
    ],
)
def test_refuses(keys, where):
    assert refused(DeviceOptions, keys)["loc"][0] == where
