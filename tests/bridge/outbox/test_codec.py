"""Records come back exactly: every data type, NaN payloads, -0.0, extremes, any text."""

import math
import struct
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outbox.columns import pack_values, unpack_values
from bridge.outbox.frames import Kind, Rubbish, pack_frame, scan, seed_of
from bridge.outbox.numbers import Ranges, ranges_of
from bridge.outbox.records import (
    Cursor,
    Dictionary,
    pack_base,
    pack_cursor,
    pack_definition,
    pack_record,
    places,
    unpack_cursor,
)
from bridge.outbox.words import PointKey
from mappings.batch import Batch, Value
from mappings.datatypes import DataType

NAN = struct.unpack("<d", bytes.fromhex("0100000000adf87f"))[0]  # a quiet NaN with a payload
integers = st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(-300, 300)
floats = st.floats(width=64) | st.floats(width=32) | st.sampled_from([-0.0, NAN, math.inf])
texts = st.text(st.characters(codec=None, exclude_categories=())) | st.just("\ud800")
arrays = st.one_of(
    *(st.lists(kind, max_size=9).map(tuple) for kind in (st.booleans(), integers, floats, texts))
)
values = st.one_of(st.none(), st.booleans(), integers, floats, texts, st.binary(), arrays)
columns = st.one_of(*(st.lists(kind, min_size=1) for kind in (
    values, st.booleans(), integers, floats, texts,
)))  # fmt: skip
times = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(1_700_000_000_000, 1_700_000_100_000)


def bits(value: Value) -> object:
    if isinstance(value, tuple):
        return [(type(element), bits(element)) for element in value]
    return struct.pack("<d", value) if isinstance(value, float) else value


def same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and bits(a) == bits(b)


@settings(max_examples=400, deadline=None)
@given(columns)
def test_values_come_back_exactly(column: list[Value]) -> None:
    packed = pack_values(column)
    back, end = unpack_values(packed, 0, len(column))
    assert end == len(packed)
    assert len(back) == len(column)
    assert all(map(same, back, column))


def test_a_value_of_another_type_is_a_bug_that_shows() -> None:
    with pytest.raises(TypeError):
        pack_values([[1.0]])  # type: ignore[list-item]


KEYS = [PointKey(f"id{i}", DataType.DOUBLE) for i in range(70_000)]
DICTIONARY = Dictionary({"pump": KEYS})
DICTIONARY.define(pack_definition(3, "pump", KEYS))


@settings(max_examples=200, deadline=None)
@given(st.data(), columns)
def test_records_come_back_exactly(data: st.DataObject, column: list[Value]) -> None:
    count = len(column)

    def some(items: st.SearchStrategy[int]) -> list[int]:
        return data.draw(st.lists(items, min_size=count, max_size=count))

    points = tuple(some(st.integers(0, data.draw(st.sampled_from([9, 300, 69_999])))))
    qualities = data.draw(st.none() | st.just(some(st.sampled_from([0, 192, 500]))))
    natives = data.draw(st.none() | st.just(some(st.integers(0, (1 << 32) - 1))))
    reasons = data.draw(st.none() | st.just(some(st.integers(0, 40))))
    batch = Batch("pump", points, column, some(times), qualities, natives, reasons=reasons)
    body = pack_base(1 << 40) + pack_record(0, 3, batch) + pack_record(70_000, 3, batch)
    found = list(places(body))
    assert [(p.number, p.samples) for p in found] == [
        (1 << 40, count),
        ((1 << 40) + 70_000, count),
    ]
    for place in found:
        back = DICTIONARY.read(body, place)
        assert back is not None
        assert (back.device, back.points, list(back.times_ms)) == (
            "pump",
            points,
            list(batch.times_ms),
        )
        assert all(map(same, back.values, column))
        assert back.qualities == qualities
        assert back.natives == (natives if natives and any(natives) else None)
        assert back.reasons == (reasons if reasons and any(reasons) else None)


def test_an_edited_configuration_never_moves_a_value_to_another_point() -> None:
    stored = [PointKey("a", DataType.INT16), PointKey("b", DataType.INT16),
              PointKey("c", DataType.INT16)]  # fmt: skip
    today = [PointKey("c", DataType.INT16), PointKey("new", DataType.INT16),
             PointKey("b", DataType.DOUBLE), PointKey("a", DataType.INT16)]  # fmt: skip
    body = pack_base(5) + pack_record(0, 0, Batch("pump", (0, 1, 2), [10, 20, 30], [1, 2, 3]))
    for keys, expected in (
        ({"pump": today}, Batch("pump", (3, 0), [10, 30], [1, 3])),
        ({"other": stored}, None),
        ({"pump": today[1:3]}, None),
    ):
        dictionary = Dictionary(keys)
        dictionary.define(pack_definition(0, "pump", stored))
        assert dictionary.read(body, next(places(body))) == expected


def test_size_of_a_sample_is_at_most_30_bytes() -> None:
    keys = [PointKey(f"line 3/motor {i}/speed", DataType.DOUBLE) for i in range(1000)]
    now = 1_700_000_000_000
    full = Batch("a", tuple(range(1000)), [i * 0.1 for i in range(1000)], [now] * 1000)
    single = Batch("a", (700,), [0.1], [now])
    assert len(pack_record(1, 0, full)) <= 12 * 1000
    assert len(pack_record(1, 0, single)) <= 30
    assert len(pack_definition(0, "a", keys)) < 10_000


range_lists = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()))


@settings(max_examples=400, deadline=None)
@given(range_lists, st.integers(0, 60), st.integers(0, 60))
def test_ranges_are_a_set(steps: list[tuple[int, int, bool]], low: int, high: int) -> None:
    ranges, model = Ranges(), set[int]()
    for start, end, adding in steps:
        (ranges.add if adding else ranges.remove)(start, end)
        model = model | set(range(start, end)) if adding else model - set(range(start, end))
    assert list(ranges) == ranges_of(sorted(model))
    assert [n for n in range(62) if n in ranges] == sorted(model)
    asked = set(range(low, high))
    assert ranges.overlaps(low, high) == bool(model & asked)
    assert ranges.covers(low, high) == (asked <= model)
    clipped = {n for a, b in ranges.clip(low, high) for n in range(a, b)}
    assert clipped == model & asked
    copied = ranges.copy()
    copied.add(100, 101)
    assert 100 not in ranges
    cursor = Cursor(next=99, owed=tuple(ranges), accepted=12, confirmed=3)
    assert unpack_cursor(pack_cursor(cursor)) == cursor


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.data())
def test_scan_finds_what_is_not_damaged(bodies: list[bytes], data: st.DataObject) -> None:
    seed = seed_of("x")
    frames = [pack_frame(Kind.RECORDS, body, 1, seed) for body in bodies]
    content = bytearray(b"".join(frames))
    hit = data.draw(st.integers(0, len(content) - 1))
    content[hit] ^= data.draw(st.integers(1, 255))
    found = list(scan(bytes(content), seed, 0))
    assert found[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[-1].end == len(content)
    good = [i.body for i in found if not isinstance(i, Rubbish) and i.good]
    broken = next(i for i, end in enumerate(accumulate(map(len, frames))) if hit < end)
    assert good == bodies[:broken] + bodies[broken + 1 :]


def test_frames_of_another_segment_are_no_frames() -> None:
    content = pack_frame(Kind.RECORDS, b"body", 1, seed_of("a"))
    assert list(scan(content, seed_of("b"), 0)) == [Rubbish(0, len(content))]
