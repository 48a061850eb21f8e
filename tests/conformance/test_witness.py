"""Our payloads as others read them: pysparkplug, npm's sparkplug-payload, a schemaless reader.

What pysparkplug 0.6 cannot read is listed in `UNREADABLE` and asserted too, so that a newer one
that can read it makes itself known.
"""

import struct

import pytest

from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.payload import (
    BirthMetric,
    encode_birth,
    encode_device_death,
    encode_node_death,
)
from bridge.sparkplug.rules import Grader, Packet
from bridge.sparkplug.topics import BD_SEQ, REBIRTH
from mappings.batch import Batch
from mappings.datatypes import ARRAYS, DataType
from mappings.quality import BAD, GOOD
from mappings.tags import Metric
from tests.support import wire
from tests.support.witness import pysparkplug_decode, sparkplug_payload_decode

T = 1_795_000_000_123
VALUES = {
    DataType.INT8: [0, 5, 127],
    DataType.INT16: [0, 300, 32767],
    DataType.INT32: [0, -1, -(1 << 31), (1 << 31) - 1],
    DataType.INT64: [0, -1, -(1 << 63), (1 << 63) - 1],
    DataType.UINT8: [0, 255],
    DataType.UINT16: [0, 65535],
    DataType.UINT32: [0, 1 << 31, (1 << 32) - 1],
    DataType.UINT64: [0, 1 << 63, (1 << 64) - 1],
    DataType.FLOAT: [0.0, 1.5, -3.25],
    DataType.DOUBLE: [0.1, -1e300, 5e-324],
    DataType.BOOLEAN: [True, False],
    DataType.STRING: ["", "höher", "日本" * 100],
    DataType.DATETIME: [0, T],
    DataType.TEXT: ["text"],
    DataType.UUID: ["09087e75-8e5e-499b-954f-f2a9603db28a"],
    DataType.BYTES: [b"\x00\xff"],
    DataType.INT8_ARRAY: [(-128, 0, 127)],
    DataType.INT16_ARRAY: [(-32768, 0, 32767)],
    DataType.INT32_ARRAY: [(-(1 << 31), 0, (1 << 31) - 1)],
    DataType.INT64_ARRAY: [(-(1 << 63), 0, (1 << 63) - 1)],
    DataType.UINT8_ARRAY: [(0, 255)],
    DataType.UINT16_ARRAY: [(0, 65535)],
    DataType.UINT32_ARRAY: [(0, (1 << 32) - 1)],
    DataType.UINT64_ARRAY: [(0, (1 << 64) - 1)],
    DataType.FLOAT_ARRAY: [(1.5, -3.25)],
    DataType.DOUBLE_ARRAY: [(0.1, -1e300)],
    DataType.BOOLEAN_ARRAY: [(True, False, True, True, False, False, True, False, True)],
    DataType.STRING_ARRAY: [("", "höher", "日本")],
    DataType.DATETIME_ARRAY: [(0, T)],
}
# Values that are right on the wire and that pysparkplug 0.6.1 does not read.
UNREADABLE = {
    (DataType.INT8, -1): "OverflowError: Int8 overflow",  # wants 0xFF, not sign-extended
    (DataType.INT16, -1): "OverflowError: Int16 overflow",
}
COLUMNS = [(datatype, value) for datatype, values in VALUES.items() for value in values]
METRICS = [
    Metric(id=f"{i}", name=f"{datatype.name}/{i}", datatype=datatype)
    for i, (datatype, _) in enumerate(COLUMNS)
]
ALIASES = [100 + 7 * i for i in range(len(METRICS))]


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def packet(verb, payload):
    level = "/Träger 1" if verb[0] == "D" else ""
    return Packet(f"spBv1.0/Plant A/{verb}/gw{level}", payload, int(verb == "NDEATH"), False, T)


def births(metrics=METRICS, aliases=ALIASES, values=None):
    node = [
        BirthMetric(name=BD_SEQ, datatype=DataType.INT64, value=3, timestamp_ms=T),
        BirthMetric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False, timestamp_ms=T),
    ]
    device = [
        BirthMetric(
            name=metric.name,
            alias=alias,
            datatype=metric.datatype,
            value=None if values is None else values[i],
            timestamp_ms=T,
            properties={"Quality": (DataType.INT32, GOOD), "engUnit": (DataType.STRING, "°C")},
        )
        for i, (metric, alias) in enumerate(zip(metrics, aliases, strict=True))
    ]
    return [
        packet("NBIRTH", encode_birth(node, timestamp_ms=T, seq=0)),
        packet("DBIRTH", encode_birth(device, timestamp_ms=T, seq=1)),
    ]


def data(seq, *, historical=False, aliases=ALIASES):
    batch = Batch(
        "Träger 1",
        tuple(range(len(METRICS))),
        [value for _, value in COLUMNS],
        [T + 1 + i for i in range(len(METRICS))],
        [BAD if i % 5 == 0 else GOOD for i in range(len(METRICS))],
    )
    encoder = DeviceEncoder(METRICS, aliases)
    return packet(
        "DDATA", encoder.encode(batch, timestamp_ms=T + 99, seq=seq, historical=historical)
    )


@pytest.fixture(scope="module")
def answers():
    captured = [
        *births(values=[value for _, value in COLUMNS]),
        data(2),
        data(3, historical=True),
        packet("DDEATH", encode_device_death(timestamp_ms=T, seq=4)),
    ]
    # The grader is a third opinion on the same packets.
    grader = Grader(complete=True)
    assert [violation for one in captured for violation in grader.feed(one)] == []
    found = pysparkplug_decode(captured)
    assert not [answer for answer in found if "error" in answer]
    return dict(zip(["NBIRTH", "DBIRTH", "live", "historical", "DDEATH"], found, strict=True))


def test_node_birth(answers):
    """tck-id-topics-nbirth-bdseq-included, tck-id-topics-nbirth-rebirth-metric"""
    birth = answers["NBIRTH"]
    assert (birth["verb"], birth["seq"], birth["timestamp_ms"]) == ("NBIRTH", 0, T)
    assert [(m["name"], m["datatype"], m["value"]) for m in birth["metrics"]] == [
        ("bdSeq", 4, 3),
        ("Node Control/Rebirth", 11, False),
    ]


def test_device_birth(answers):
    """tck-id-topics-dbirth-metrics, tck-id-payloads-alias-birth-requirement"""
    birth = answers["DBIRTH"]
    assert birth["seq"] == 1
    assert birth["metrics"] == [
        {
            "name": metric.name,
            "alias": alias,
            "datatype": int(metric.datatype),
            "value": as_json(value),
            "timestamp_ms": T,
            "historical": False,
            "null": False,
        }
        for metric, alias, (_, value) in zip(METRICS, ALIASES, COLUMNS, strict=True)
    ]


@pytest.mark.parametrize(("lane", "seq"), [("live", 2), ("historical", 3)])
def test_device_data(answers, lane, seq):
    """Names and types come from the birth: tck-id-payloads-alias-data-cmd-requirement"""
    answer = answers[lane]
    assert (answer["verb"], answer["seq"], answer["timestamp_ms"]) == ("DDATA", seq, T + 99)
    assert answer["metrics"] == [
        {
            "name": metric.name,
            "alias": ALIASES[i],
            "datatype": int(metric.datatype),
            "value": as_json(COLUMNS[i][1]),
            "timestamp_ms": T + 1 + i,
            "historical": lane == "historical",
            "null": False,
        }
        for i, metric in enumerate(METRICS)
    ]


def test_device_death(answers):
    """tck-id-payloads-ddeath-seq"""
    assert (answers["DDEATH"]["verb"], answers["DDEATH"]["seq"]) == ("DDEATH", 4)


def test_data_by_name():
    [*_, answer] = pysparkplug_decode(
        [*births(aliases=[None] * len(METRICS)), data(2, aliases=None)]
    )
    assert [(m["name"], m["alias"], m["value"]) for m in answer["metrics"]] == [
        (metric.name, None, as_json(value))
        for metric, (_, value) in zip(METRICS, COLUMNS, strict=True)
    ]


@pytest.mark.parametrize(("datatype", "value"), UNREADABLE)
def test_what_the_witness_cannot_read(datatype, value):
    metric = Metric(id="m", name="m", datatype=datatype)
    encoder = DeviceEncoder([metric], [1])
    sent = packet(
        "DDATA",
        encoder.encode(Batch("d", (0,), [value], [T]), timestamp_ms=T, seq=2, historical=False),
    )
    [*_, answer] = pysparkplug_decode([*births([metric], [1]), sent])
    assert answer["error"].startswith(UNREADABLE[datatype, value])
    [raw] = wire.metrics(sent.payload)
    assert raw[10] == value & 0xFFFFFFFF


def test_node_death():
    """tck-id-topics-ndeath-payload"""
    [answer] = pysparkplug_decode([packet("NDEATH", encode_node_death(3))])
    assert (answer["verb"], answer["bd_seq"]) == ("NDEATH", 3)


def test_null_and_quality_by_the_wire():
    """tck-id-payloads-propertyset-quality-value-type, -value: pysparkplug ignores properties."""
    encoder = DeviceEncoder([Metric(id="m", name="m", datatype=DataType.INT16)], [9])
    batch = Batch("d", (0, 0, 0), [None, 7, 8], [T, T + 1, T + 2], [BAD, GOOD, GOOD])
    payload = encoder.encode(batch, timestamp_ms=T, seq=2, historical=False)
    null, recovered, good = wire.metrics(payload)
    said = b"\x0a\x07Quality\x12\x04\x08\x03\x18\x00"
    assert null == {2: 9, 3: T, 7: 1, 9: said}
    recovered_said = dict(wire.fields(recovered.pop(9)))
    assert recovered == {2: 9, 3: T + 1, 10: 7}
    assert recovered_said[1] == b"Quality"
    assert wire.fields(recovered_said[2]) == [(1, 3), (3, 192)]
    assert good == {2: 9, 3: T + 2, 10: 8}
    [*_, answer] = pysparkplug_decode(
        [
            *births([Metric(id="m", name="m", datatype=DataType.INT16)], [9]),
            packet("DDATA", payload),
        ]
    )
    assert [(m["value"], m["null"]) for m in answer["metrics"]] == [
        (None, True),
        (7, False),
        (8, False),
    ]


def test_numbers_by_the_wire():
    encoder = DeviceEncoder(METRICS, ALIASES)
    batch = Batch("d", tuple(range(len(METRICS))), [v for _, v in COLUMNS], [T] * len(METRICS))
    for _ in range(2):  # once value by value, once by a plan
        payload = encoder.encode(batch, timestamp_ms=T, seq=255, historical=True)
        assert wire.fields(payload)[0] == (1, T)
        assert wire.fields(payload)[-1] == (3, 255)
        for raw, alias, (datatype, value) in zip(
            wire.metrics(payload), ALIASES, COLUMNS, strict=True
        ):
            assert raw[2] == alias
            assert raw[3] == T
            assert raw[5] == 1
            assert as_sent(datatype, raw) == value


ARRAY_CODES = {
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H",
    "UINT32": "I", "UINT64": "Q", "FLOAT": "f", "DOUBLE": "d", "DATETIME": "q",
}  # fmt: skip


def as_sent(datatype, raw):
    """The value of a metric on the wire, read with the widths of section 6.4.16."""
    name = datatype.name
    if name in {"INT8", "INT16", "INT32"}:
        return struct.unpack("<i", struct.pack("<I", raw[10]))[0]
    if name == "INT64":
        return struct.unpack("<q", struct.pack("<Q", raw[11]))[0]
    if name in {"UINT8", "UINT16", "UINT32", "UINT64"}:
        return raw[11 if name == "UINT64" else 10]
    if name in {"STRING", "TEXT", "UUID"}:
        return raw[15].decode()
    if name == "BYTES":
        return raw[16]
    if name == "BOOLEAN_ARRAY":
        (count,) = struct.unpack_from("<I", raw[16])
        return tuple(raw[16][4 + i // 8] >> 7 - i % 8 & 1 == 1 for i in range(count))
    if name == "STRING_ARRAY":
        return tuple(text.decode() for text in raw[16].split(b"\0")[:-1])
    if name.endswith("_ARRAY"):
        return tuple(one for (one,) in struct.iter_unpack("<" + ARRAY_CODES[name[:-6]], raw[16]))
    readers = {
        "DATETIME": lambda: raw[11],
        "FLOAT": lambda: wire.single(raw[12]),
        "DOUBLE": lambda: wire.double(raw[13]),
        "BOOLEAN": lambda: bool(raw[14]),
    }
    return readers[name]()


# What npm's sparkplug-payload 1.0.3 misreads: it wants a UInt32 where Tahu puts it, knows no
# arrays, and takes types from the message alone, never from a birth.
MISREAD = {DataType.UINT32: None, **dict.fromkeys(ARRAYS)}


def npm_reads(value):
    """A value as the decoder's JSON has it: 64-bit integers as texts."""
    return value.hex() if isinstance(value, bytes) else value


def test_what_npm_reads_of_a_birth():
    columns = [*COLUMNS, (DataType.INT8, -1), (DataType.INT16, -2)]
    births = [
        encode_birth(
            [
                BirthMetric(
                    name="Größe/m", alias=7, datatype=datatype, value=value, timestamp_ms=T,
                    properties={
                        "Quality": (DataType.INT32, GOOD), "engUnit": (DataType.STRING, "°C"),
                    },
                )
            ],
            timestamp_ms=T, seq=9,
        )
        for datatype, value in columns
    ]  # fmt: skip
    texts = {DataType.INT64, DataType.UINT64, DataType.DATETIME}
    for (datatype, value), answer in zip(columns, sparkplug_payload_decode(births), strict=True):
        payload = answer["payload"]
        assert (payload["timestamp"], payload["seq"]) == (str(T), "9")
        [metric] = payload["metrics"]
        assert (metric["name"], metric["alias"], metric["timestamp"]) == ("Größe/m", "7", str(T))
        assert metric["properties"] == {
            "Quality": {"value": GOOD, "type": "Int32"},
            "engUnit": {"value": "°C", "type": "String"},
        }
        wanted = MISREAD.get(datatype, str(value) if datatype in texts else npm_reads(value))
        assert metric["value"] == wanted, (datatype, metric)


def test_npm_reads_no_value_of_data_without_its_type():
    [answer] = sparkplug_payload_decode([data(3).payload])
    metrics = answer["payload"]["metrics"]
    assert [metric["alias"] for metric in metrics] == [str(alias) for alias in ALIASES]
    assert {metric["value"] for metric in metrics} == {None}


def test_npm_reads_a_death():
    node, device = sparkplug_payload_decode(
        [encode_node_death(7), encode_device_death(timestamp_ms=T, seq=4)]
    )
    [bd_seq] = node["payload"]["metrics"]
    assert (bd_seq["name"], bd_seq["value"], bd_seq["type"]) == (BD_SEQ, "7", "Int64")
    assert (device["payload"]["timestamp"], device["payload"]["seq"]) == (str(T), "4")
