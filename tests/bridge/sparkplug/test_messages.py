"""The message made in code has the fields of the standard, by number, type and label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug.messages import Metric, Payload, read_payload
from tests.support.wire import fields


def test_the_wire_of_a_full_payload():
    """Section 6.4: every field of Payload and Metric at its number."""
    payload = Payload(timestamp=1, seq=2, uuid="u", body=b"b")
    metric = payload.metrics.add(
        name="n", alias=3, timestamp=4, datatype=5, is_historical=True, is_transient=True,
        is_null=True, int_value=6,
    )  # fmt: skip
    metric.metadata.description = "d"
    metric.properties.keys.append("k")
    metric.properties.values.add(type=7, int_value=8)
    top = fields(payload.SerializeToString())
    assert {number for number, _ in top} == {1, 2, 3, 4, 5}
    inner = fields(dict(top)[2])
    assert dict(inner) == {
        1: b"n", 2: 3, 3: 4, 4: 5, 5: 1, 6: 1, 7: 1, 8: b"\x42\x01d",
        9: b"\x0a\x01k\x12\x04\x08\x07\x18\x08", 10: 6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("int_value", 1, 10), ("long_value", 1, 11), ("float_value", 1.0, 12),
        ("double_value", 1.0, 13), ("boolean_value", True, 14), ("string_value", "x", 15),
        ("bytes_value", b"x", 16),
    ],
)  # fmt: skip
def test_value_fields(name, value, number):
    encoded = Metric(**{name: value}).SerializeToString()
    assert [n for n, _ in fields(encoded)] == [number]


def test_dataset_template_and_metadata_numbers():
    metric = Metric()
    dataset = metric.dataset_value
    dataset.num_of_columns = 1
    dataset.columns.append("a")
    dataset.types.append(3)
    dataset.rows.add().elements.add(int_value=9)
    assert fields(metric.SerializeToString()) == [
        (17, b"\x08\x01\x12\x01a\x18\x03\x22\x04\x0a\x02\x08\x09")
    ]
    metric = Metric()
    template = metric.template_value
    template.version = "v"
    template.template_ref = "r"
    template.is_definition = False
    template.parameters.add(name="p", type=3, int_value=1)
    assert fields(metric.SerializeToString()) == [
        (18, b"\x0a\x01v\x1a\x07\x0a\x01p\x10\x03\x18\x01\x22\x01r\x28\x00")
    ]
    metric = Metric()
    assert [(f.number, f.name) for f in metric.metadata.DESCRIPTOR.fields] == [
        (1, "is_multi_part"), (2, "content_type"), (3, "size"), (4, "seq"), (5, "file_name"),
        (6, "file_type"), (7, "md5"), (8, "description"),
    ]  # fmt: skip
    assert [(f.number, f.name) for f in metric.properties.values.add().DESCRIPTOR.fields] == [
        (1, "type"), (2, "is_null"), (3, "int_value"), (4, "long_value"), (5, "float_value"),
        (6, "double_value"), (7, "boolean_value"), (8, "string_value"),
        (9, "propertyset_value"), (10, "propertysets_value"),
    ]  # fmt: skip


def test_one_value_at_a_time():
    metric = Metric(int_value=1)
    metric.double_value = 2.0
    assert metric.WhichOneof("value") == "double_value"


def test_false_is_told_from_nothing():
    """proto2: a Boolean false is on the wire."""
    assert Metric(boolean_value=False).SerializeToString() == b"\x70\x00"
    assert Payload(seq=0).HasField("seq")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_none(data):
    payload = read_payload(data)
    assert payload is None or isinstance(payload, Payload)
