"""What an edit means: every kind of change is found, and what is as before is left alone."""

import re

import pytest

from bridge.changes import Changes, compare, same_sources
from drivers.registry import load_drivers
from mappings.plant.definitions import Plant
from mappings.plant.reader import read_plant
from mappings.tags import Tag

TEXT = """\
tagbridge: 1
edge_node: {group: G, name: N}
place: {site: Aying, area: Cellar}
destinations:
  scada: {servers: ["mqtt://a"]}
  cloud:
    servers: ["mqtt://b"]
    edge_node: {group: G, name: M}
    sparkplug: {metric_names: "{area}/{metric}"}
outbox: {folder: outbox, max_size: 1 GiB}
links:
  line: {endpoint: "tcp://10.0.0.1", timeout: 500ms}
devices:
  Filler:
    modbus: {link: line, unit: 1}
    tags:
      - {name: Speed, address: HR1, type: uint16, scale: 0.1, unit: Hz}
      - {name: State, address: HR2, type: uint16, deadband: 2}
  Capper: {modbus: {link: line, unit: 2}, tags: [{name: Torque, address: IR5, type: int16}]}
  Boiler:
    modbus: {endpoint: "tcp://10.0.0.2", unit: 1}
    tags: [{name: P, address: HR9, type: int16}]
"""


def plant(text: str) -> Plant:
    found, problems = read_plant(text, "plant.yaml", load_drivers())
    assert found is not None, problems
    return found


def edited(*edits: tuple[str, str]) -> Changes:
    text = TEXT
    for before, after in edits:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return compare(plant(TEXT), plant(text))


def told(changes: Changes) -> list[str]:
    return [f"{c.what} {c.name} {c.kind}" for c in changes]


def test_nothing_changes_by_comments_and_order() -> None:
    lines = TEXT.splitlines()
    capper = lines.index(next(line for line in lines if "Capper" in line))
    lines.append(lines.pop(capper))
    changes = compare(plant(TEXT), plant("\n".join(["# a comment", *lines]) + "\n"))
    assert not changes
    assert told(changes) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("name: Speed,", "name: Tempo, id: Speed,",
         ["device Filler reborn", "metric Filler/Tempo renamed"]),
        ("scale: 0.1,", "scale: 0.01,", ["metric Filler/Speed changed"]),
        ("deadband: 2", "deadband: 3", ["metric Filler/State changed"]),
        ("unit: Hz", "unit: 1/min", ["device Filler reborn", "metric Filler/Speed changed"]),
        ("HR2, type: uint16", "HR2, type: uint16, metric_type: UInt32",
         ["device Filler reborn", "metric Filler/State retyped"]),
        ("address: HR2", "address: HR7", ["link line reopened", "metric Filler/State changed"]),
        ("HR2, type: uint16", "HR2, type: uint16, scan: 5s",
         ["link line reopened", "metric Filler/State changed"]),
        ("timeout: 500ms", "timeout: 400ms", ["link line reopened"]),
        ("tcp://10.0.0.1", "tcp://10.0.0.3", ["link line reopened"]),
        ("unit: 2}", "unit: 3}", ["link line reopened"]),
        ("      - {name: State, address: HR2, type: uint16, deadband: 2}\n", "",
         ["link line reopened", "device Filler reborn", "metric Filler/State removed"]),
        ("  Boiler:", "  Kettle:",
         ["link Kettle added", "link Boiler removed", "device Kettle added",
          "device Boiler removed"]),
        ("site: Aying", "site: Murnau", []),
        ("area: Cellar", "area: Attic",
         ["device Boiler reborn", "device Capper reborn", "device Filler reborn"]),
        ('"mqtt://a"]', '"mqtt://c"]', ["destination scada reconnected"]),
        ("  scada:", "  mes:", ["destination mes added", "destination scada removed"]),
        ("name: N}\nplace", "name: N, diagnostics: none}\nplace",
         ["destination scada reconnected", "destination cloud reconnected"]),
    ],
)  # fmt: skip
def test_an_edit_is_found(before: str, after: str, expected: list[str]) -> None:
    changes = edited((before, after))
    assert told(changes) == expected
    assert changes.restart == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [("folder: outbox", "folder: other"), ("1 GiB", "2 GiB"),
     ("1 GiB", "1 GiB, durability: strict"), ("1 GiB", "1 GiB, commit_interval: 20ms")],
)  # fmt: skip
def test_what_only_a_restart_can_do_is_said(before: str, after: str) -> None:
    changes = edited((before, after))
    assert told(changes) == []
    assert changes
    assert re.match("outbox: [a-z_]+: .+ → .+", changes.restart[0])


def test_a_name_without_its_id_gets_a_hint() -> None:
    changes = edited(("name: Torque", "name: Moment"))
    added, removed = changes.metrics
    assert (added.name, removed.name) == ("Capper/Moment", "Capper/Torque")
    assert "if 'Moment' is its new name, write there id: Torque" in removed.why


def test_why_a_link_is_reopened_is_said() -> None:
    changes = edited(
        ("timeout: 500ms", "timeout: 1s"),
        ("address: IR5", "address: IR6"),
        ("line, unit: 1}", "line, unit: 9}"),
    )
    assert changes.links[0].why == "options, Filler: other options, Capper: other rows to read"


def test_a_device_may_move_to_another_link() -> None:
    changes = edited(("{link: line, unit: 2}", '{endpoint: "tcp://10.0.0.9", unit: 2}'))
    assert told(changes) == ["link line reopened", "link Capper added"]


def tag(name: str, address: str, **more: object) -> Tag:
    return Tag(name=name, address=address, wire_type="int16", **more)  # type: ignore[arg-type]


def test_sources_are_the_same_by_what_is_read() -> None:
    before = [tag("a", "HR1"), tag("b", "HR2"), tag("c", "HR3")]
    after = [tag("x", "HR3"), tag("a", "HR1", scan_ms=5000), tag("b", "HR2", order="BA")]
    assert same_sources(before, after) == {0: 1, 2: 0}


def test_a_source_that_two_rows_read_stays_in_its_rows() -> None:
    rows = [tag("a", "HR1"), tag("b", "HR1"), tag("c", "HR1")]
    assert same_sources(rows, rows) == {0: 0, 1: 1, 2: 2}
    assert same_sources(rows, rows[1:]) == {0: 0, 1: 1}
