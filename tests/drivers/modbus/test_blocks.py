"""Planning: every row in one block, no block too large, no value cut, nothing extra read."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.blocks import Block
from drivers.modbus.planning import plan_device
from drivers.modbus.ranges import touching
from tests.support.modbus import device, tag

WIDTHS = {"uint16": 1, "float32": 2, "float64": 4, "bool": 1}


def planned(*rows, **options):
    return {
        scan_ms: [str(block) for block in blocks]
        for scan_ms, blocks in plan_device(device("d", 1, rows, **options)).items()
    }


def test_neighbours_are_read_together():
    rows = (tag("a", "HR1"), tag("b", "HR2", "float32"), tag("c", "HR4.3", "bool"))

    assert planned(*rows) == {100: ["holding:0-3"]}


def test_a_gap_is_read_along_where_that_is_cheaper_than_a_request():
    rows = (tag("a", "HR1"), tag("b", "HR34"), tag("c", "HR68"))

    assert planned(*rows) == {100: ["holding:0-33", "holding:67"]}
    assert planned(*rows, max_gap="0") == {
        100: ["holding:0", "holding:33", "holding:67"],
    }
    assert planned(*rows, max_gap="33") == {100: ["holding:0-67"]}
    assert planned(*rows, max_registers=20) == {100: ["holding:0", "holding:33", "holding:67"]}


def test_a_forbidden_range_is_no_gap():
    rows = (tag("a", "HR1"), tag("b", "HR5"), tag("c", "HR9"))

    assert planned(*rows, forbidden=("HR7",)) == {100: ["holding:0-4", "holding:8"]}
    assert planned(*rows, forbidden=("input:0-99",)) == {100: ["holding:0-8"]}


def test_what_is_only_written_is_not_read():
    row = replace(tag("a", "HR1"), access="w")
    assert planned(row, tag("b", "HR2")) == {100: ["holding:1"]}


def test_areas_and_scans_are_read_apart():
    rows = (
        tag("a", "HR1"),
        tag("b", "IR1"),
        tag("c", "C1", "bool"),
        tag("d", "DI1", "bool"),
        tag("e", "HR2", scan_ms=5000),
    )

    assert planned(*rows) == {
        100: ["coil:0", "discrete:0", "holding:0", "input:0"],
        5000: ["holding:1"],
    }


def test_a_value_is_never_cut():
    rows = [tag(f"t{n}", f"holding:{2 * n}", "float32") for n in range(100)]

    assert planned(*rows) == {100: ["holding:0-123", "holding:124-199"]}
    assert planned(*rows[:3], max_registers=3) == {
        100: ["holding:0-1", "holding:2-3", "holding:4-5"]
    }


def test_a_thousand_floats_take_sixteen_requests_or_so():
    rows = [tag(f"t{n}", f"holding:{2 * n}", "float32") for n in range(1000)]

    assert len(plan_device(device("d", 1, rows))[100]) == 17  # 62 floats in each


@st.composite
def device_rows(draw):
    rows, end = [], 0
    for n in range(draw(st.integers(1, 60))):
        wire_type = draw(st.sampled_from(["uint16", "float32", "float64"]))
        first = end + draw(st.sampled_from([0, 0, 0, 1, 7]))
        end = first + WIDTHS[wire_type]
        area = draw(st.sampled_from(["holding", "input"]))
        scan_ms = draw(st.sampled_from([100, 1000]))
        rows.append(tag(f"t{n}", f"{area}:{first}", wire_type, scan_ms=scan_ms))
        if wire_type == "uint16" and draw(st.booleans()):
            rows.append(tag(f"b{n}", f"{area}:{first}.5", "bool", scan_ms=scan_ms))
    coils = draw(st.sets(st.integers(0, 60), max_size=20))
    rows += [tag(f"c{n}", f"coil:{n}", "bool") for n in coils]
    return draw(st.permutations(rows))


@given(device_rows(), st.integers(4, 125), st.integers(1, 2000))
def test_properties_of_any_plan(rows, max_registers, max_coils):
    limits = {"max_registers": max_registers, "max_coils": max_coils, "max_gap": "0"}
    plans = plan_device(device("d", 1, rows, **limits))
    seen = []
    for scan_ms, blocks in plans.items():
        read: dict[str, set[int]] = {}
        for block in blocks:
            assert 1 <= block.count <= (max_coils if block.area.is_bits else max_registers)
            asked = set(range(block.first, block.first + block.count))
            needed = set()
            for row in block.rows:
                assert row.area is block.area
                assert set(range(row.first, row.end)) <= asked
                needed |= set(range(row.first, row.end))
                assert rows[row.point].scan_ms == scan_ms
            assert needed == asked, "registers that no row names are not read"
            assert not read.setdefault(block.area.value, set()) & asked, "and none twice"
            read[block.area.value] |= asked
            assert sorted(block.points) == sorted(row.point for row in block.rows)
            seen += block.points
    assert sorted(seen) == list(range(len(rows)))


@given(device_rows(), st.integers(4, 125), st.integers(0, 124), st.integers(0, 60))
def test_plans_with_gaps_read_every_row_and_nothing_forbidden(rows, most, gap, forbidden):
    chosen = device(
        "d", 1, rows, max_registers=most, max_gap=str(gap), forbidden=(f"holding:{forbidden}",)
    )
    seen = []
    for blocks in plan_device(chosen).values():
        for block in blocks:
            assert block.area.is_bits or block.count <= most
            named = {place for row in block.rows for place in range(row.first, row.end)}
            assert {block.first, block.first + block.count - 1} <= named
            for place in set(range(block.first, block.first + block.count)) - named:
                ranges = chosen.options.forbidden_ranges
                assert touching(ranges, block.area, place, place + 1) is None
            seen += block.points
    assert sorted(seen) == list(range(len(rows)))


@given(device_rows())
def test_parts_read_the_same_rows(rows):
    for blocks in plan_device(device("d", 1, rows)).values():
        for block in blocks:
            parts = block.parts()
            if not parts:
                assert len({(row.first, row.count) for row in block.rows}) == 1
            else:
                assert sorted(p for part in parts for p in part.points) == sorted(block.points)
                assert sum(part.count for part in parts) <= block.count


def test_decodes_to_a_batch():
    (block,) = plan_device(
        device("Pump", 1, [tag("b", "HR3", "float32"), tag("a", "HR1", "uint32")])
    )[100]
    batch = block.decode(struct.pack(">If", 70000, 1.5), 12345)

    assert (batch.device, batch.points) == ("Pump", (1, 0))
    assert list(batch.values) == [70000, 1.5]
    assert list(batch.times_ms) == [12345, 12345]
    assert batch.qualities is None
    assert batch.natives is None
    assert batch.points is block.decode(struct.pack(">If", 1, 2.0), 12346).points


def test_word_order_of_the_device_and_of_the_row():
    rows = [tag("a", "HR1", "uint32"), tag("b", "HR3", "uint32", "DCBA"), tag("c", "HR5")]
    (block,) = plan_device(device("d", 1, rows, word_order="CDAB"))[100]
    raw = bytes.fromhex("0001 0002 04030201 0102")

    assert list(block.decode(raw, 0).values) == [0x00020001, 0x01020304, 0x0102]


@pytest.mark.parametrize(
    ("address", "wire_type", "code", "size"),
    [
        ("C1", "bool", 1, 1),
        ("DI1", "bool", 2, 1),
        ("HR1", "uint16", 3, 2),
        ("IR1", "float64", 4, 8),
    ],
)
def test_requests(address, wire_type, code, size):
    (block,) = plan_device(device("d", 1, [tag("t", address, wire_type)]))[100]

    assert isinstance(block, Block)
    assert (block.function_code, block.size) == (code, size)
