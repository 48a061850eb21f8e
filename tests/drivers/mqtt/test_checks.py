"""Rows and blocks of MQTT sources, checked at the desk."""

import pytest
from pydantic import ValidationError

from drivers.mqtt.config import DeviceOptions, LinkOptions
from drivers.mqtt.driver import MQTT
from mappings.plant.reader import read_plant
from mappings.tags import Tag

PLANT = """
tagbridge: 1
edge_node: {group: G, name: n}
destinations: {scada: {servers: ["mqtt://127.0.0.1"]}}
devices:
  Camera 7:
    mqtt: {endpoint: "mqtts://broker.line3.example", base: vision/line3/station7,
           time: {at: $.ts, format: iso8601}, sequence: $.frame, retained: ignore,
           alive: {topic: status, is: online, silence: 10s}, topics: {stats/#: {format: text}}}
    tags:
      - {name: Defect, address: result $.defect, type: bool}
      - {name: Confidence, address: result $.confidence, type: float64}
      - {name: Defect class, address: "result $.boxes[0].class", type: string}
      - {name: Uptime, address: stats/uptime, type: uint32}
"""


def check(address: str, wire_type: str = "float64", **row: str) -> list[str]:
    of_format = row.pop("format", "json")
    options = DeviceOptions(format=of_format, topics={"raw/#": {"format": "bytes"}})
    tag = Tag(name="T", address=address, wire_type=wire_type, **row)
    return [fault.code for fault in MQTT.check_tag(tag, options)]


def test_a_plant_with_a_camera_is_read():
    plant, problems = read_plant(PLANT, "plant.yaml", {"mqtt": MQTT})
    assert problems == []
    assert plant is not None
    (link,) = plant.links
    (camera,) = link.devices
    options = camera.options
    assert isinstance(options, DeviceOptions)
    assert (link.driver, link.endpoint) == ("mqtt", "mqtts://broker.line3.example")
    assert options.topic("result") == "vision/line3/station7/result"
    assert options.format_of("result") == "json"
    assert options.format_of("stats/uptime") == "text"
    assert options.time_at() == ("ts",)
    assert options.sequence_at() == ("frame",)
    assert options.alive is not None
    assert (options.alive.topic, options.alive.says, options.alive.silence) == (
        "status", "online", 10_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        ({"address": "a $.x"}, []),
        ({"address": "a"}, ["E442"]),
        ({"address": "a/+ $.x"}, ["E441"]),
        ({"address": "a", "format": "text"}, []),
        ({"address": "a $.x", "format": "text"}, ["E443"]),
        ({"address": "raw/picture", "wire_type": "bytes(65535)"}, []),
        ({"address": "raw/picture $.x", "wire_type": "bytes(8)"}, ["E443"]),
        ({"address": "raw/picture", "wire_type": "uint8"}, ["E445"]),
        ({"address": "a $.x", "wire_type": "bytes(8)"}, ["E445"]),
        ({"address": "a $.x", "wire_type": "string(20)"}, ["E445"]),
        ({"address": "a $.x", "wire_type": "bcd16"}, ["E445"]),
        ({"address": "a $.x", "wire_type": "float16"}, ["E445"]),
        ({"address": "a $.x", "order": "AB"}, ["E446"]),
        ({"address": "a $.x", "element": "[0]"}, ["E446"]),
        ({"address": "a $.x", "access": "rw"}, ["E448"]),
        ({"address": "a", "wire_type": "bcd16", "order": "AB"}, ["E442", "E445", "E446"]),
    ],
)
def test_what_does_not_belong_together_is_told(row, codes):
    assert check(**row) == codes


@pytest.mark.parametrize(
    ("model", "keys", "code"),
    [
        (DeviceOptions, {"format": "cbor"}, "E447"),
        (DeviceOptions, {"format": "sparkplug"}, "E447"),
        (DeviceOptions, {"format": "xml"}, "literal_error"),
        (DeviceOptions, {"topics": {"a": {"format": "cbor"}}}, "E447"),
        (DeviceOptions, {"topics": {"a#": {"format": "text"}}}, "E441"),
        (DeviceOptions, {"base": "/a"}, "E440"),
        (DeviceOptions, {"base": "a/#"}, "E441"),
        (DeviceOptions, {"time": {"at": "ts", "format": "unix-s"}}, "E444"),
        (DeviceOptions, {"time": {"at": "$.ts"}}, "missing"),
        (DeviceOptions, {"sequence": "$..n"}, "E444"),
        (DeviceOptions, {"format": "text", "sequence": "$.n"}, "E449"),
        (DeviceOptions, {"alive": {"topic": "status"}}, "E449"),
        (DeviceOptions, {"alive": {"is": "online"}}, "E449"),
        (DeviceOptions, {"alive": {}}, "E449"),
        (DeviceOptions, {"alive": {"silence": "10"}}, "E114"),
        (DeviceOptions, {"alive": {"silence": "10ms"}}, "E115"),
        (DeviceOptions, {"qos": "3"}, "less_than_equal"),
        (LinkOptions, {"keep_alive": "10ms"}, "E115"),
        (LinkOptions, {"tls": {}}, "missing"),
    ],
)
def test_keys_that_mean_nothing_are_refused(model, keys, code):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    assert code in [error["type"] for error in caught.value.errors()]


def test_a_text_format_for_all_but_one_topic_may_have_a_time():
    keys = {"format": "text", "topics": {"r": {"format": "json"}}, "sequence": "$.n"}
    assert DeviceOptions.model_validate(keys).sequence_at() == ("n",)


def test_nothing_of_it_is_an_array_or_becomes_stale_by_itself():
    tag = Tag(name="T", address="a $.x[0]", wire_type="int8")
    assert MQTT.is_array(tag) is False
    assert MQTT.stale_after_ms(tag, LinkOptions()) == 0
    assert MQTT.check_link([]) == []
