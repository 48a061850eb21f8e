"""The driver's offline half."""

import subprocess
import sys

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
    assert check(address="x", order="BA") == [("E420", "address"), ("E427", "order")]


def test_every_wire_type_has_its_opc_ua_type():
    assert set(VARIANT_TYPES) == WIRE_TYPES


def test_checking_a_plant_does_not_import_asyncua():
    program = (
        "import sys; from drivers.opcua.driver import OPCUA; assert 'asyncua' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
