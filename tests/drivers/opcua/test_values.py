"""From monitored items to columns: status, type, time."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from drivers.opcua.values import Columns
from drivers.opcua.variants import BAD_NO_DATA, BAD_TYPE_MISMATCH, VARIANT_TYPES
from mappings.quality import BAD, GOOD
from mappings.tags import Tag

NOW_MS = 1_795_000_000_000
SAMPLES = {
    "bool": True, "int8": -128, "uint8": 255, "int16": -32768, "uint16": 65535,
    "int32": -(2**31), "uint32": 2**32 - 1, "int64": -(2**63), "uint64": 2**64 - 1,
    "float32": 1.5, "float64": 0.1, "string": "Ä €",
}  # fmt: skip


def at(ms: int, microseconds: int = 0) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms, microseconds=microseconds)


def tag(wire_type: str) -> Tag:
    return Tag(name=wire_type, address="i=1", wire_type=wire_type)


def item(point, variant, *, status=0, source=None, server=None):
    return ua.MonitoredItemNotification(
        ClientHandle=point + 1,
        Value=ua.DataValue(
            Value=variant,
            StatusCode=ua.StatusCode(status),
            SourceTimestamp=source,
            ServerTimestamp=server,
        ),
    )


def one(columns, *items, now_ms=NOW_MS):
    batch = columns.batch(items, now_ms)
    assert batch is not None
    qualities = batch.qualities or [GOOD] * len(batch)
    natives = batch.natives or [0] * len(batch)
    return batch.values[0], qualities[0], natives[0]


@pytest.mark.parametrize(("wire_type", "value"), SAMPLES.items())
def test_the_declared_type_passes_unchanged(wire_type, value):
    columns = Columns("PLC", [tag(wire_type)])
    got = one(columns, item(0, ua.Variant(value, VARIANT_TYPES[wire_type])))
    assert got == (value, GOOD, 0)
    assert type(got[0]) is type(value)


@pytest.mark.parametrize("declared", SAMPLES)
@pytest.mark.parametrize("sent", SAMPLES)
def test_any_other_type_is_bad_and_told_once(declared, sent):
    if declared == sent:
        return
    columns = Columns("PLC", [tag(declared)])
    variant = ua.Variant(SAMPLES[sent], VARIANT_TYPES[sent])
    assert one(columns, item(0, variant)) == (None, BAD, BAD_TYPE_MISMATCH)
    assert columns.mismatches == {0: VARIANT_TYPES[sent].name}
    columns.mismatches.clear()
    one(columns, item(0, variant))
    assert columns.mismatches == {}


def test_an_array_is_bad():
    columns = Columns("PLC", [tag("int16")])
    variant = ua.Variant([1, 2], ua.VariantType.Int16)
    assert one(columns, item(0, variant)) == (None, BAD, BAD_TYPE_MISMATCH)
    assert columns.mismatches == {0: "array of Int16"}


def test_null_is_bad_but_a_null_string_is_empty():
    null = ua.Variant(None, ua.VariantType.Null)
    assert one(Columns("PLC", [tag("int16")]), item(0, null)) == (None, BAD, BAD_NO_DATA)
    assert one(Columns("PLC", [tag("string")]), item(0, null)) == (None, BAD, BAD_NO_DATA)
    empty = ua.Variant(None, ua.VariantType.String)
    assert one(Columns("PLC", [tag("string")]), item(0, empty)) == ("", GOOD, 0)


def test_datetime_is_milliseconds_and_not_before_1970():
    columns = Columns("PLC", [tag("datetime")])
    moment = ua.Variant(at(NOW_MS, 999), ua.VariantType.DateTime)
    assert one(columns, item(0, moment)) == (NOW_MS, GOOD, 0)
    old = ua.Variant(datetime(1601, 1, 1, tzinfo=UTC), ua.VariantType.DateTime)
    assert one(columns, item(0, old)) == (None, BAD, BAD_NO_DATA)


@pytest.mark.parametrize(
    ("status", "value", "quality"),
    [
        (0x00000000, 5, GOOD),
        (0x00300000, 5, GOOD),  # GoodClamped
        (0x40900000, 5, GOOD),  # UncertainLastUsableValue
        (0x80050000, None, BAD),  # BadCommunicationError
        (0xC0000000, None, BAD),  # reserved: to be taken as Bad
    ],
)
def test_severity_decides_and_the_code_travels_beside(status, value, quality):
    variant = ua.Variant(5, ua.VariantType.Int16)
    got = one(Columns("PLC", [tag("int16")]), item(0, variant, status=status))
    assert got == (value, quality, status)


def test_overflow_is_marked_and_counted():
    columns = Columns("PLC", [tag("int16")])
    variant = ua.Variant(5, ua.VariantType.Int16)
    assert one(columns, item(0, variant, status=0x0480)) == (5, GOOD, 0x0480)
    assert columns.overflows == 1
    one(columns, item(0, variant, status=0x0080))  # another info type has no such bit
    one(columns, item(0, variant))
    assert columns.overflows == 1


@pytest.mark.parametrize(
    ("clock", "source", "server", "expected"),
    [
        ("source", at(NOW_MS - 500, 999), at(NOW_MS - 10), NOW_MS - 500),
        ("source", at(NOW_MS - 60_000), at(NOW_MS - 10), NOW_MS - 60_000),
        ("source", at(NOW_MS - 60_001), at(NOW_MS - 10), NOW_MS - 10),
        ("source", at(NOW_MS + 60_001), at(NOW_MS - 10), NOW_MS - 10),
        ("source", None, at(NOW_MS - 10), NOW_MS - 10),
        ("source", None, None, NOW_MS),
        ("source", at(0), at(0), NOW_MS),
        ("server", at(NOW_MS - 500), at(NOW_MS - 10), NOW_MS - 10),
        ("server", at(NOW_MS - 500), None, NOW_MS),
        ("gateway", at(NOW_MS - 500), at(NOW_MS - 10), NOW_MS),
    ],
)
def test_whose_time(clock, source, server, expected):
    columns = Columns("PLC", [tag("int16")], clock=clock)
    variant = ua.Variant(5, ua.VariantType.Int16)
    batch = columns.batch([item(0, variant, source=source, server=server)], NOW_MS)
    assert batch is not None
    assert batch.times_ms == [expected]


def test_times_never_run_backwards_for_a_point():
    columns = Columns("PLC", [tag("int16"), tag("int16")])
    variant = ua.Variant(5, ua.VariantType.Int16)
    moments = [(0, NOW_MS), (0, NOW_MS - 300), (1, NOW_MS - 300), (0, NOW_MS + 5)]
    items = [item(point, variant, source=at(ms)) for point, ms in moments]
    batch = columns.batch(items, NOW_MS)
    assert batch is not None
    assert batch.times_ms == [NOW_MS, NOW_MS, NOW_MS - 300, NOW_MS + 5]
    assert columns.bad({0: 1}, NOW_MS - 50).times_ms == [NOW_MS + 5]


def test_all_good_needs_no_columns_for_quality():
    columns = Columns("PLC", [tag("int16")])
    batch = columns.batch([item(0, ua.Variant(5, ua.VariantType.Int16))], NOW_MS)
    assert batch is not None
    assert (batch.qualities, batch.natives) == (None, None)


def test_same_points_are_the_same_object():
    columns = Columns("PLC", [tag("int16"), tag("int16")])
    variant = ua.Variant(5, ua.VariantType.Int16)
    first = columns.batch([item(0, variant), item(1, variant)], NOW_MS)
    second = columns.batch([item(0, variant), item(1, variant)], NOW_MS)
    assert first is not None
    assert second is not None
    assert first.points is second.points


def test_strange_handles_are_counted_and_left_out():
    columns = Columns("PLC", [tag("int16")])
    variant = ua.Variant(5, ua.VariantType.Int16)
    assert columns.batch([item(-1, variant), item(1, variant)], NOW_MS) is None
    assert columns.strays == 2
