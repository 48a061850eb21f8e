"""Births, deaths and commands."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug.messages import Metric, Payload
from bridge.sparkplug.payload import (
    BirthMetric,
    CommandMetric,
    CommandRequest,
    PayloadError,
    decode_command,
    encode_birth,
    encode_device_death,
    encode_node_death,
)
from mappings.datatypes import DataType
from tests.support import wire

T = 1_795_000_000_123
MINUS_1_32, MINUS_1_64 = (1 << 32) - 1, (1 << 64) - 1


def born(datatype, value, **more):
    metric = BirthMetric(name="m", datatype=datatype, value=value, timestamp_ms=T, **more)
    return encode_birth([metric], timestamp_ms=T + 1, seq=3)


def test_birth():
    """tck-id-topics-nbirth-metrics, tck-id-payloads-alias-birth-requirement"""
    payload = born(DataType.DOUBLE, 0.5, alias=7)
    assert wire.fields(payload)[0] == (1, T + 1)
    assert wire.fields(payload)[-1] == (3, 3)
    [metric] = wire.metrics(payload)
    assert metric.pop(13) == b"\x00\x00\x00\x00\x00\x00\xe0\x3f"
    assert metric == {1: b"m", 2: 7, 3: T, 4: 10}


@pytest.mark.parametrize(
    ("datatype", "value", "number", "raw"),
    [
        (DataType.INT8, -1, 10, MINUS_1_32),
        (DataType.INT16, -2, 10, MINUS_1_32 - 1),
        (DataType.INT32, -(1 << 31), 10, 1 << 31),
        (DataType.UINT8, 255, 10, 255),
        (DataType.UINT16, 65535, 10, 65535),
        (DataType.UINT32, MINUS_1_32, 10, MINUS_1_32),
        (DataType.INT64, -1, 11, MINUS_1_64),
        (DataType.UINT64, MINUS_1_64, 11, MINUS_1_64),
        (DataType.DATETIME, T, 11, T),
        (DataType.BOOLEAN, False, 14, 0),
        (DataType.STRING, "höher", 15, "höher".encode()),
        (DataType.TEXT, "", 15, b""),
        (DataType.STRING, "a\ud800", 15, b"a?"),
        (DataType.FLOAT, 1.5, 12, b"\x00\x00\xc0\x3f"),
    ],
)
def test_values_go_into_their_fields(datatype, value, number, raw):
    """Section 6.4.16; unmarked-metric-value-oneof"""
    [metric] = wire.metrics(born(datatype, value))
    assert metric == {1: b"m", 3: T, 4: int(datatype), number: raw}


@pytest.mark.parametrize("datatype", DataType)
def test_null(datatype):
    """tck-id-operational-behavior-data-publish-dbirth-values: is_null and the type, no value"""
    [metric] = wire.metrics(born(datatype, None))
    assert metric == {1: b"m", 3: T, 4: int(datatype), 7: 1}


def test_properties():
    """tck-id-payloads-metric-propertyvalue-type-req, tck-id-payloads-propertyset-keys-array-size"""
    payload = born(
        DataType.INT16,
        4,
        properties={
            "Quality": (DataType.INT32, 192),
            "engUnit": (DataType.STRING, "°C"),
            "engLow": (DataType.DOUBLE, -20.0),
            "note": (DataType.STRING, None),
        },
    )
    [metric] = Payload.FromString(payload).metrics
    assert list(metric.properties.keys) == ["Quality", "engUnit", "engLow", "note"]
    quality, unit, low, note = metric.properties.values
    assert (quality.type, quality.int_value) == (3, 192)
    assert (unit.type, unit.string_value) == (12, "°C")
    assert (low.type, low.double_value) == (10, -20.0)
    assert (note.type, note.is_null, note.WhichOneof("value")) == (12, True, None)


@pytest.mark.parametrize("bd_seq", [0, 1, 255])
def test_node_death_is_bd_seq_alone(bd_seq):
    """tck-id-topics-ndeath-payload, tck-id-topics-ndeath-seq, unmarked-ndeath-timestamp"""
    [(number, metric)] = wire.fields(encode_node_death(bd_seq))
    assert number == 2
    assert wire.fields(metric) == [(1, b"bdSeq"), (4, 4), (11, bd_seq)]


def test_device_death():
    """tck-id-payloads-ddeath-timestamp, tck-id-payloads-ddeath-seq"""
    assert wire.fields(encode_device_death(timestamp_ms=T, seq=9)) == [(1, T), (3, 9)]


# --- commands -------------------------------------------------------------------------------------


def test_the_barest_rebirth_command():
    """No seq, no timestamps, no datatype: tck-id-payloads-name-cmd-requirement"""
    payload = Payload()
    payload.metrics.add(name="Node Control/Rebirth", boolean_value=True)
    metric = CommandMetric(
        name="Node Control/Rebirth", alias=None, field="boolean_value", value=True
    )
    assert decode_command(payload.SerializeToString()) == CommandRequest(metrics=(metric,))


def test_command_by_alias_with_everything():
    payload = Payload(timestamp=T, seq=1, uuid="order 7")
    payload.metrics.add(alias=0, timestamp=T, datatype=3, int_value=MINUS_1_32, is_historical=True)
    metric = CommandMetric(
        name=None, alias=0, field="int_value", value=MINUS_1_32, datatype=3, timestamp_ms=T,
        is_historical=True,
    )  # fmt: skip
    assert decode_command(payload.SerializeToString()) == CommandRequest(
        metrics=(metric,), timestamp_ms=T, correlation="order 7"
    )


def test_commands_of_kinds_that_no_scalar_has():
    payload = Payload()
    payload.metrics.add(name="null", is_null=True, int_value=3)
    payload.metrics.add(name="nothing")
    payload.metrics.add(name="set", dataset_value={"num_of_columns": 1})
    payload.metrics.add(name="bytes", bytes_value=b"\xff")
    found = decode_command(payload.SerializeToString()).metrics
    assert [(m.field, m.value) for m in found] == [
        (None, None), (None, None), ("dataset_value", None), ("bytes_value", b"\xff"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b'{"metrics": []}',
        b"\x12\x7f",
        b"\x12\x04\x0a\x02\xff\xfe",
        b"\x12\x04\x7a\x02\xff\xfe",
        b"\x22\x02\xff\xfe",
        b"\x12\x05" * 200,
    ],
)
def test_hostile_commands(data):
    with pytest.raises(PayloadError, match="not a Sparkplug payload"):
        decode_command(data)


def nested(depth):
    metric = Metric(name="x")
    for _ in range(depth):
        outer = Metric(name="x")
        outer.template_value.metrics.append(metric)
        metric = outer
    return Payload(metrics=[metric]).SerializeToString()


def test_a_command_nested_too_deep():
    deep = nested(30)
    for _ in range(400):
        deep = b"\x92\x01" + wire_varint(len(deep)) + deep
        deep = b"\x12" + wire_varint(len(deep)) + deep
    with pytest.raises(PayloadError):
        decode_command(deep)


def wire_varint(number):
    encoded = Payload(timestamp=number).SerializeToString()
    return encoded[1:]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_payload_error(data):
    with contextlib.suppress(PayloadError):
        decode_command(data)


@given(st.data())
def test_mutated_commands(data):
    payload = Payload(timestamp=T, seq=4)
    payload.metrics.add(name="Node Control/Rebirth", boolean_value=True)
    payload.metrics.add(alias=4, template_value={"version": "1"}, datatype=19)
    encoded = bytearray(payload.SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PayloadError):
        decode_command(bytes(encoded))


def test_nan_in_a_birth():
    [metric] = wire.metrics(born(DataType.DOUBLE, math.nan))
    assert math.isnan(wire.double(metric[13]))
