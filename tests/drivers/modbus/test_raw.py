"""Registers that somebody wrote down, read as a unit's answers are."""

import pytest

from drivers.modbus.driver import MODBUS
from mappings.batch import Batch
from mappings.errors import Fault
from mappings.plant.grammar import WithRaw
from tests.support.modbus import device, tag

UNIT = device(
    "Pump",
    1,
    [
        tag("Speed", "HR101", "int16"),
        tag("Total", "HR102", "uint32"),
        tag("Fault", "HR104.3", "bool"),
        tag("On", "C1", "bool"),
        tag("Levels", "IR1[2]", "uint16"),
    ],
    word_order="CDAB",
)


def said(given):
    assert isinstance(MODBUS, WithRaw)
    values, faults = {}, []
    for found in MODBUS.read_raw(UNIT, given, 1000):
        if isinstance(found, Batch):
            values |= dict(zip(found.points, found.values, strict=True))
        else:
            faults.append(found)
    return {UNIT.tags[point].name: value for point, value in values.items()}, faults


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"HR101": "500"}, {"Speed": 500}),
        ({"HR101": "0500"}, {"Speed": 500}),
        ({"holding:100": "0xFFFF"}, {"Speed": -1}),
        ({"40101": "-1"}, {"Speed": -1}),
        ({"HR102": "2 1"}, {"Total": 0x10002}),
        ({"HR102": "2", "HR103": "1"}, {"Total": 0x10002}),
        ({"HR102": "2"}, {}),
        ({"HR104": "0x0008"}, {"Fault": True}),
        ({"C1": "1"}, {"On": True}),
        ({"IR1": "7, 8"}, {"Levels": (7, 8)}),
    ],
)
def test_registers_become_values(given, values):
    assert said(given) == (values, [])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"101": "1"}, "E401"),
        ({"HR101": "70000"}, "E152"),
        ({"HR101": "x"}, "E152"),
        ({"HR101": "0x12345"}, "E152"),
        ({"HR101": ""}, "E152"),
        ({"C1": "2"}, "E152"),
        ({"C1": "-1"}, "E152"),
        ({"HR104.3": "1"}, "E152"),
    ],
)
def test_what_no_register_holds_is_said(given, code):
    values, [fault] = said(given)
    assert values == {}
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field) == (code, next(iter(given)))
