"""The hand-written data payloads against those of the protobuf runtime, byte for byte."""

import array
import math
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug import encoder as encoder_module
from bridge.sparkplug import fields
from bridge.sparkplug.encoder import DeviceEncoder
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.payload import VALUE_FIELDS
from mappings.batch import Batch
from mappings.datatypes import (
    ARRAYS,
    FLOATS,
    INTEGERS,
    SIGNED,
    DataType,
    element_of,
    integer_range,
)
from mappings.quality import BAD, GOOD, REASON_TEXTS, STALE, Reason
from mappings.tags import Metric

NOW_MS = 1_795_000_000_123
EDGES = {
    DataType.BOOLEAN: [True, False],
    DataType.FLOAT: [0.0, -0.0, 1.5, math.inf, -math.inf, 1e39, -1e39, 1e-45, 3],
    DataType.DOUBLE: [0.0, -0.0, 0.1, 1e308, 5e-324, math.inf, 3],
    DataType.STRING: ["", "ä", "\x00", "x" * 127, "x" * 128, "y" * 20_000, "\ud800"],
    DataType.TEXT: ["", "Ω" * 100],
    DataType.DATETIME: [0, NOW_MS, (1 << 64) - 1],
    DataType.UUID: ["09087e75-8e5e-499b-954f-f2a9603db28a"],
    DataType.BYTES: [b"", b"\x00\xff", b"z" * 200],
}
for integer_type in INTEGERS:
    low, high = integer_range(integer_type)
    near = [0, 1, 127, 128, 16383, 16384, (1 << 28) - 1, 1 << 28, low, low + 1, high - 1, high]
    EDGES[integer_type] = sorted({v for v in near if low <= v <= high})
    if integer_type in SIGNED:
        EDGES[integer_type].append(-1)
for array_type in sorted(ARRAYS):
    elements = EDGES[element_of(array_type)]
    if array_type is DataType.FLOAT_ARRAY:
        elements = [value for value in elements if abs(value) < 1e38 or math.isinf(value)]
    EDGES[array_type] = [(), tuple(elements), tuple(elements[:1]) * 40]


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
    if datatype is DataType.BYTES or datatype in ARRAYS:
        return st.sampled_from(EDGES[datatype])
    return st.text(max_size=300) | st.sampled_from(EDGES[datatype])


def array_by_hand(datatype, values):
    """An array, value by value and without format strings."""
    element = element_of(datatype)
    if element is DataType.BOOLEAN:
        out = bytearray(len(values).to_bytes(4, "little") + bytes((len(values) + 7) // 8))
        for i, value in enumerate(values):
            out[4 + i // 8] |= value << 7 - i % 8
        return bytes(out)
    if element is DataType.STRING:
        return b"".join(v.split("\0")[0].encode("utf-8", "replace") + b"\0" for v in values)
    if element in FLOATS:
        packed = array.array("f" if element is DataType.FLOAT else "d", values)
        if sys.byteorder == "big":
            packed.byteswap()
        return packed.tobytes()
    size = 8 if element is DataType.DATETIME else (integer_range(element)[1].bit_length() + 7) // 8
    return b"".join(value.to_bytes(size, "little", signed=element in SIGNED) for value in values)


def by_protobuf(metrics, aliases, batch, *, seq, historical, said):
    """The same payload by the runtime; ``said[i]``: value i carries its quality, 2: all it has."""
    payload = Payload(timestamp=NOW_MS, seq=seq)
    qualities = batch.qualities or [GOOD] * len(batch)
    natives = batch.natives or [0] * len(batch)
    reasons = batch.reasons or [0] * len(batch)
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
        elif isinstance(value, tuple):
            message.bytes_value = array_by_hand(metrics[point].datatype, value)
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
        if said[i] == 2:
            message.properties.keys.extend(["NativeCode", "Reason"])
            message.properties.values.add(type=4, long_value=natives[i])
            message.properties.values.add(type=12, string_value=REASON_TEXTS[reasons[i]])
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
    encoder.born([point for point, quality in enumerate(told_live) if quality != GOOD])
    told_last = list(told_live)
    told_more = set()
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
        many = {"min_size": len(points), "max_size": len(points)}
        codes = st.lists(st.sampled_from([0, 0, 2, 0x80350000]), **many)
        natives = data.draw(st.none() | codes)
        reasons = data.draw(st.none() | st.lists(st.sampled_from([0, 0, *Reason]), **many))
        said = []
        for i, point in enumerate(points):
            quality = qualities[i] if qualities else GOOD
            more = bool((natives and natives[i]) or (reasons and reasons[i]))
            state = BAD if more else quality  # not plain
            say = (state, told_live[point], told_last[point]) != (GOOD,) * 3
            said.append(2 if say and (more or point in told_more) else say)
            if more:
                told_more.add(point)
            told_last[point] = state
            if not historical:
                told_live[point] = state
            if told_live[point] == told_last[point] == GOOD:
                told_more.discard(point)
        batch = Batch("d", points, values, when, qualities, natives, reasons=reasons)
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
    encoder.born([0])

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


def test_a_reason_is_taken_back():
    """Hosts keep the last property, so one that no longer holds is told to be over, once."""
    encoder = DeviceEncoder(metrics_of([DataType.INT16]), [1])

    def send(native, reason):
        batch = Batch("d", (0,), [7], [NOW_MS], None, [native], reasons=[reason])
        payload = encoder.encode(batch, timestamp_ms=NOW_MS, seq=1, historical=False)
        [metric] = Payload.FromString(payload).metrics
        values = metric.properties.values
        return [getattr(value, value.WhichOneof("value")) for value in values]

    assert send(0, 0) == []
    assert send(0, Reason.CLAMPED) == [192, 0, "beyond its range, clamped"]
    assert send(4, 0) == [192, 4, ""]
    assert send(0, 0) == [192, 0, ""]
    assert send(0, 0) == []


def test_a_bad_value_is_null_by_choice():
    encoder = DeviceEncoder(metrics_of([DataType.INT16]), [1], null_if_bad=True)
    batch = Batch("d", (0, 0), [7, 8], [NOW_MS] * 2, [BAD, STALE])
    payload = Payload.FromString(
        encoder.encode(batch, timestamp_ms=NOW_MS, seq=1, historical=False)
    )
    assert [(m.is_null, m.int_value) for m in payload.metrics] == [(True, 0), (False, 8)]


def test_a_birth_settles_what_was_told():
    encoder = DeviceEncoder(metrics_of([DataType.DOUBLE]), [1])
    bad = Batch("d", (0,), [1.0], [NOW_MS], [BAD])
    encoder.encode(bad, timestamp_ms=NOW_MS, seq=1, historical=False)
    encoder.born([])
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
