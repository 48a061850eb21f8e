"""The hand-written data payloads against those of the protobuf runtime, byte for byte."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug import encoder as encoder_module
from bridge.sparkplug import fields
from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.payload import VALUE_FIELDS
from mappings.batch import Batch
from mappings.datatypes import FLOATS, INTEGERS, SIGNED, DataType, integer_range
from mappings.quality import BAD, GOOD, STALE
from mappings.tags import Metric

NOW_MS = 1_795_000_000_123
EDGES = {
    DataType.BOOLEAN: [True, False],
    DataType.FLOAT: [0.0, -0.0, 1.5, math.inf, -math.inf, 1e39, -1e39, 1e-45, 3],
    DataType.DOUBLE: [0.0, -0.0, 0.1, 1e308, 5e-324, math.inf, 3],
    DataType.STRING: ["", "ä", "\x00", "x" * 127, "x" * 128, "y" * 20_000, "\ud800"],
    DataType.TEXT: ["", "Ω" * 100],
    DataType.DATETIME: [0, NOW_MS, (1 << 64) - 1],
}
for integer_type in INTEGERS:
    low, high = integer_range(integer_type)
    near = [0, 1, 127, 128, 16383, 16384, (1 << 28) - 1, 1 << 28, low, low + 1, high - 1, high]
    EDGES[integer_type] = sorted({v for v in near if low <= v <= high})
    if integer_type in SIGNED:
        EDGES[integer_type].append(-1)


def metrics_of(datatypes):
    return [
        Metric(id=f"m{i}", name=f"Line 1/Träger {i}", datatype=datatype)
        for i, datatype in enumerate(datatypes)
    ]


def values_of(datatype):
    if datatype in INTEGERS:
        return st.integers(*integer_range(datatype)) | st.sampled_from(EDGES[datatype])
    if datatype in FLOATS:
        return st.floats(width=32, allow_nan=False) | st.sampled_from(EDGES[datatype])
    if datatype is DataType.BOOLEAN:
        return st.booleans()
    if datatype is DataType.DATETIME:
        return st.integers(0, (1 << 64) - 1)
    return st.text(max_size=300) | st.sampled_from(EDGES[datatype])


def by_protobuf(metrics, aliases, batch, *, seq, historical, said):
    """The same payload by the runtime; ``said[i]``: value i carries its quality."""
    payload = Payload(timestamp=NOW_MS, seq=seq)
    qualities = batch.qualities or [GOOD] * len(batch)
    for i, (point, value, time) in enumerate(
        zip(batch.points, batch.values, batch.times_ms, strict=True)
    ):
        message = payload.metrics.add(timestamp=time)
        if aliases is None:
            message.name = metrics[point].name
        else:
            message.alias = aliases[point]
        if historical:
            message.is_historical = True
        field = VALUE_FIELDS[metrics[point].datatype]
        if value is None:
            message.is_null = True
        elif isinstance(value, str):
            message.string_value = value.encode("utf-8", "replace").decode()
        elif field == "int_value":
            message.int_value = value & 0xFFFFFFFF
        elif field == "long_value":
            message.long_value = value & 0xFFFFFFFFFFFFFFFF
        else:
            setattr(message, field, value)
        if said[i]:
            message.properties.keys.append("Quality")
            message.properties.values.add(type=3, int_value=qualities[i])
    return payload.SerializeToString()


@pytest.mark.parametrize(
    "number", [0, 1, 127, 128, 16383, 16384, (1 << 21) - 1, 1 << 28, 1 << 35, (1 << 64) - 1]
)
def test_varint(number):
    encoded = b"\x08" + fields.varint(number)
    assert encoded == Payload(timestamp=number).SerializeToString() or not number
    assert Payload.FromString(encoded).timestamp == number


@pytest.mark.parametrize("datatype", list(EDGES))
@pytest.mark.parametrize("aliases", [True, False])
@pytest.mark.parametrize("historical", [True, False])
def test_edge_values_of_each_type_twice(datatype, aliases, historical):
    """Twice, because the second batch of the same points goes by a plan."""
    values = EDGES[datatype] * 3
    metrics = metrics_of([datatype] * len(values))
    numbers = [(1 << (3 * i % 62)) + i for i in range(len(values))] if aliases else None
    encoder = DeviceEncoder(metrics, numbers)
    points = tuple(range(len(values)))
    for _ in range(3):
        batch = Batch("d", points, values, [NOW_MS] * len(values))
        expected = by_protobuf(
            metrics, numbers, batch, seq=255, historical=historical, said=[False] * len(values)
        )
        found = encoder.encode(batch, timestamp_ms=NOW_MS, seq=255, historical=historical)
        assert found == expected


times = (
    st.integers(0, (1 << 64) - 1) | st.integers(0, 1 << 15) | st.integers(NOW_MS, NOW_MS + 40_000)
)


@given(st.data())
def test_any_batches_equal_protobuf(data):
    datatypes = data.draw(st.lists(st.sampled_from(list(EDGES)), min_size=1, max_size=12))
    metrics = metrics_of(datatypes)
    aliases = data.draw(
        st.none()
        | st.lists(
            st.integers(0, (1 << 64) - 1),
            min_size=len(metrics),
            max_size=len(metrics),
            unique=True,
        )
    )
    encoder = DeviceEncoder(metrics, aliases)
    told_live = data.draw(
        st.lists(st.sampled_from([GOOD, BAD]), min_size=len(metrics), max_size=len(metrics))
    )
    encoder.born(told_live)
    told_last = list(told_live)
    point_sets = data.draw(
        st.lists(
            st.lists(st.integers(0, len(metrics) - 1), max_size=25).map(tuple),
            min_size=1,
            max_size=2,
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        points = data.draw(st.sampled_from(point_sets))
        one_time = data.draw(st.booleans())
        time = data.draw(times)
        when = [time] * len(points) if one_time else [data.draw(times) for _ in points]
        qualities = data.draw(
            st.none()
            | st.lists(
                st.sampled_from([GOOD, BAD, STALE]), min_size=len(points), max_size=len(points)
            )
        )
        values = [
            None
            if qualities and qualities[i] != GOOD and data.draw(st.booleans())
            else data.draw(values_of(datatypes[point]))
            for i, point in enumerate(points)
        ]
        historical = data.draw(st.booleans())
        said = []
        for i, point in enumerate(points):
            quality = qualities[i] if qualities else GOOD
            said.append((quality, told_live[point], told_last[point]) != (GOOD,) * 3)
            told_last[point] = quality
            if not historical:
                told_live[point] = quality
        batch = Batch("d", points, values, when, qualities)
        seq = data.draw(st.integers(0, 255))
        found = encoder.encode(batch, timestamp_ms=NOW_MS, seq=seq, historical=historical)
        expected = by_protobuf(metrics, aliases, batch, seq=seq, historical=historical, said=said)
        assert found == expected


def qualities_in(payload):
    return [
        [value.int_value for value in metric.properties.values]
        for metric in Payload.FromString(payload).metrics
    ]


def test_recovery_is_said_once():
    """Hosts keep the last property: tck-id-payloads-propertyset-quality-value-value."""
    encoder = DeviceEncoder(metrics_of([DataType.INT16]), [1])
    encoder.born([BAD])

    def send(quality, *, historical=False):
        batch = Batch("d", (0,), [7], [NOW_MS], [quality])
        payload = encoder.encode(batch, timestamp_ms=NOW_MS, seq=1, historical=historical)
        return qualities_in(payload)[0]

    assert send(GOOD) == [192]
    assert send(GOOD) == []
    assert send(STALE) == [500]
    assert send(STALE) == [500]
    # A host that takes history for the present and one that does not must both end at GOOD.
    assert send(GOOD, historical=True) == [192]
    assert send(GOOD) == [192]
    assert send(GOOD) == []
    assert send(BAD, historical=True) == [0]
    assert send(GOOD) == [192]
    assert send(GOOD) == []


def test_a_birth_settles_what_was_told():
    encoder = DeviceEncoder(metrics_of([DataType.DOUBLE]), [1])
    bad = Batch("d", (0,), [1.0], [NOW_MS], [BAD])
    encoder.encode(bad, timestamp_ms=NOW_MS, seq=1, historical=False)
    encoder.born([GOOD])
    good = Batch("d", (0,), [1.0], [NOW_MS])
    assert qualities_in(encoder.encode(good, timestamp_ms=NOW_MS, seq=1, historical=False)) == [[]]


def test_a_plan_is_used_and_leaves_odd_values_to_the_other_way(monkeypatch):
    encoder = DeviceEncoder(metrics_of([DataType.BOOLEAN, DataType.DOUBLE] * 4), range(1, 9))
    points = tuple(range(8))
    good = Batch("d", points, [True, 0.5] * 4, [NOW_MS] * 8)
    for _ in range(2):
        encoder.encode(good, timestamp_ms=NOW_MS, seq=1, historical=False)
    each = encoder._each
    calls = []
    monkeypatch.setattr(encoder, "_each", lambda *a, **k: calls.append(1) or each(*a, **k))
    encoder.encode(good, timestamp_ms=NOW_MS, seq=1, historical=False)
    assert not calls
    odd = Batch("d", points, [None, 0.5] * 4, [NOW_MS] * 8)
    payload = Payload.FromString(encoder.encode(odd, timestamp_ms=NOW_MS, seq=1, historical=False))
    assert calls
    assert [m.is_null for m in payload.metrics] == [True, False] * 4


def test_plans_are_bounded():
    encoder = DeviceEncoder(metrics_of([DataType.DOUBLE] * 20), range(1, 21))
    for n in range(600):
        points = (n % 20, n // 20 % 20, n // 400, 3)
        for _ in range(2):
            batch = Batch("d", points, [1.0] * 4, [NOW_MS] * 4)
            payload = encoder.encode(batch, timestamp_ms=NOW_MS, seq=1, historical=False)
        assert [m.alias for m in Payload.FromString(payload).metrics] == [p + 1 for p in points]
    assert len(encoder._plans) <= encoder_module._MAX_PLANS


def test_nan_survives():
    for datatype in FLOATS:
        encoder = DeviceEncoder(metrics_of([datatype]), [1])
        batch = Batch("d", (0,), [math.nan], [NOW_MS])
        message = Payload.FromString(
            encoder.encode(batch, timestamp_ms=NOW_MS, seq=1, historical=False)
        ).metrics[0]
        assert math.isnan(getattr(message, VALUE_FIELDS[datatype]))


def test_an_empty_batch_is_a_payload_without_metrics():
    encoder = DeviceEncoder([], [])
    payload = encoder.encode(Batch("d", (), [], []), timestamp_ms=NOW_MS, seq=3, historical=False)
    assert payload == Payload(timestamp=NOW_MS, seq=3).SerializeToString()


def test_float_is_rounded_as_the_runtime_does():
    assert struct.unpack("<f", fields._float(0.1)[1:])[0] == pytest.approx(0.1)
