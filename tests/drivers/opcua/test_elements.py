"""Elements: which part of a value a row means, offline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.elements import Range, parse_element
from mappings.errors import Fault


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("[3]", (3,)),
        ("[1,2]", (1, 2)),
        ("[1][2]", (1, 2)),
        ("[0:9]", (Range(0, 9),)),
        ("[:]", (Range(0, None),)),
        (".Motor.Current", ("Motor", "Current")),
        ("[2].Speed", (2, "Speed")),
        (".Axes[1].Curve[0:9]", ("Axes", 1, "Curve", Range(0, 9))),
        ('."Motor 1.2".Speed', ("Motor 1.2", "Speed")),
        (".Übersetzung", ("Übersetzung",)),
    ],
)
def test_reads(text, steps):
    assert parse_element(text) == steps


@pytest.mark.parametrize(
    "text",
    ["3", "[", "[]", "[-1]", "[a]", "[9:0]", "[3:3]", "[0:9][1]", "[0:9].Speed", ".", "..A",
     "Motor", '."', "[1] ", "[0:200000]", "[9999999999]", "[٣]"],
)  # fmt: skip
def test_refuses(text):
    fault = parse_element(text)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field) == ("E428", "element")
    assert fault.remedy


@given(st.text())
def test_any_text_is_an_element_or_a_fault(text):
    assert isinstance(parse_element(text), tuple | Fault)
