"""The driver's offline half."""

import subprocess
import sys

import pytest

from drivers.opcua.config import DeviceOptions
from drivers.opcua.driver import OPCUA, WIRE_TYPES
from drivers.opcua.variants import VARIANT_TYPES
from mappings.tags import Tag

OPTIONS = DeviceOptions(namespaces={"s7": "urn:s7"})


def check(**columns):
    columns = {"name": "Speed", "address": "s7;s=Speed", "wire_type": "float32"} | columns
    return [(fault.code, fault.field) for fault in OPCUA.check_tag(Tag(**columns), OPTIONS)]


def test_a_good_row_passes():
    assert check() == []


def test_faults_name_their_column():
    assert check(address="ns=3;i=1") == [("E421", "address")]
    assert check(order="CDAB") == [("E427", "order")]
    assert check(wire_type="bcd16") == [("E426", "type")]
    assert check(element="3") == [("E428", "element")]
    assert check(address="x", order="BA") == [("E420", "address"), ("E427", "order")]


@pytest.mark.parametrize(
    "word", ["string(20)", "float16", "bcd16", "bcd32", "epoch_s", "epoch_ms", "string(5,cp1252)"]
)
def test_what_opc_ua_does_not_have_is_refused_with_what_to_write(word):
    tag = Tag(name="x", address="s7;s=x", wire_type=word)
    (fault,) = OPCUA.check_tag(tag, OPTIONS)
    assert (fault.code, fault.field) == ("E426", "type")
    assert "write " in fault.remedy


def test_bytes_pass():
    assert check(wire_type="bytes(8)") == []


@pytest.mark.parametrize(
    ("element", "is_array"),
    [("", False), ("[3]", False), ("[0:9]", True), (".Curve[:]", True), ("[3", False)],
)
def test_ranges_are_arrays(element, is_array):
    tag = Tag(name="x", address="s7;s=x", wire_type="int16", element=element)
    assert OPCUA.is_array(tag) is is_array


def test_every_wire_type_has_its_opc_ua_type():
    assert set(VARIANT_TYPES) == WIRE_TYPES


def test_checking_a_plant_does_not_import_asyncua():
    program = (
        "import sys; from drivers.opcua.driver import OPCUA; assert 'asyncua' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
