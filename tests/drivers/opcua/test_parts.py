"""Parts of values: arrays, structures, and what is not there."""

import struct
import uuid

import pytest
from asyncua import ua

from drivers.opcua.structures import Field, Layout, StructureError, unpack
from drivers.opcua.values import Columns
from drivers.opcua.variants import BAD_NOTHING_THERE, BAD_TYPE_MISMATCH
from mappings.quality import BAD, GOOD, Reason
from mappings.tags import Tag

T = ua.VariantType
MOTOR = ua.NodeId(3001, 2)
MOTOR_LAYOUT = Layout(
    ua.StructureType.Structure, [Field("Speed", T.Float), Field("Name", T.String)]
)
LINE = ua.NodeId(3002, 2)
LINE_LAYOUT = Layout(
    ua.StructureType.Structure,
    [
        Field("Id", T.Int16),
        Field("Motor", None, MOTOR_LAYOUT),
        Field("Curve", T.Double, is_array=True),
        Field("Axes", None, MOTOR_LAYOUT, is_array=True),
    ],
)
LAYOUTS = {MOTOR: MOTOR_LAYOUT, LINE: LINE_LAYOUT}


def text(word: str) -> bytes:
    return struct.pack("<i", len(word)) + word.encode()


def motor(speed: float, name: str) -> bytes:
    return struct.pack("<f", speed) + text(name)


LINE_BYTES = (
    struct.pack("<h", -7)
    + motor(1.5, "M1")
    + struct.pack("<i2d", 2, 0.25, 0.5)
    + struct.pack("<i", 2)
    + motor(2.5, "A0")
    + motor(3.5, "A1")
)
LINE_VALUE = ua.Variant(ua.ExtensionObject(TypeId=LINE, Body=LINE_BYTES), T.ExtensionObject)


def read(variant, *rows, status=0):
    """Value, quality, native and reason of rows (element, type, array) of one node."""
    tags = [
        Tag(name=str(n), address="i=1", wire_type=word, element=element, array=array)
        for n, (element, word, array) in enumerate(rows)
    ]
    columns = Columns("PLC", tags, layouts=LAYOUTS)
    value = ua.DataValue(Value=variant, StatusCode=ua.StatusCode(status))
    batch = columns.batch([ua.MonitoredItemNotification(ClientHandle=1, Value=value)], 1)
    assert batch is not None
    size = len(batch)
    return [
        *zip(
            batch.values,
            batch.qualities or [GOOD] * size,
            batch.natives or [0] * size,
            batch.reasons or [0] * size,
            strict=True,
        )
    ]


@pytest.mark.parametrize(
    ("element", "word", "array", "expected"),
    [
        (".Id", "int16", False, -7),
        (".Motor.Speed", "float32", False, 1.5),
        (".Motor.Name", "string", False, "M1"),
        (".Curve[1]", "float64", False, 0.5),
        (".Curve[0:1]", "float64", True, (0.25, 0.5)),
        (".Curve[:]", "float64", True, (0.25, 0.5)),
        (".Axes[1].Speed", "float32", False, 3.5),
        (".Axes[0].Name", "string", False, "A0"),
    ],
)
def test_fields_of_structures(element, word, array, expected):
    assert read(LINE_VALUE, (element, word, array)) == [(expected, GOOD, 0, 0)]


@pytest.mark.parametrize(
    ("element", "word", "array", "native", "reason"),
    [
        (".Id", "int32", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        (".Speed", "float32", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        (".Motor", "float32", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        (".Curve", "float64", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        (".Curve[2]", "float64", False, BAD_NOTHING_THERE, Reason.NO_VALUE),
        (".Curve[2:3]", "float64", True, BAD_NOTHING_THERE, Reason.NO_VALUE),
        (".Id[0]", "int16", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        (".Id.More", "int16", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
        ("[0]", "int16", False, BAD_TYPE_MISMATCH, Reason.WRONG_TYPE),
    ],
)
def test_what_is_not_there_is_bad(element, word, array, native, reason):
    assert read(LINE_VALUE, (element, word, array)) == [(None, BAD, native, reason)]


def test_rows_of_one_node_share_its_value():
    said = read(LINE_VALUE, (".Id", "int16", False), (".Motor.Name", "string", False))
    assert said == [(-7, GOOD, 0, 0), ("M1", GOOD, 0, 0)]
    bad = read(LINE_VALUE, (".Id", "int16", False), (".No", "string", False), status=0x80050000)
    assert bad == [(None, BAD, 0x80050000, Reason.DEVICE_ERROR)] * 2


def test_elements_of_arrays():
    words = ua.Variant([5, 6, 7], T.UInt16)
    assert read(words, ("[2]", "uint16", False)) == [(7, GOOD, 0, 0)]
    assert read(words, ("[1:5]", "uint16", True)) == [((6, 7), GOOD, 0, 0)]
    assert read(words, ("[3]", "uint16", False))[0][:2] == (None, BAD)
    matrix = ua.Variant([[1, 2], [3, 4]], T.Int32)
    assert read(matrix, ("[1,0]", "int32", False)) == [(3, GOOD, 0, 0)]
    assert read(matrix, ("[1]", "int32", True)) == [((3, 4), GOOD, 0, 0)]
    assert read(matrix, ("[:]", "int32", True))[0][3] == Reason.WRONG_TYPE
    octets = ua.Variant(b"\x01\xff", T.ByteString)
    assert read(octets, ("[1]", "uint8", False)) == [(255, GOOD, 0, 0)]
    assert read(octets, ("[:]", "uint8", True)) == [((1, 255), GOOD, 0, 0)]


def test_a_whole_array_where_the_row_is_one():
    words = ua.Variant([5, 6], T.UInt16)
    assert read(words, ("", "uint16", True)) == [((5, 6), GOOD, 0, 0)]
    assert read(ua.Variant([], T.UInt16), ("", "uint16", True)) == [((), GOOD, 0, 0)]
    assert read(words, ("", "int16", True))[0][3] == Reason.WRONG_TYPE
    assert read(ua.Variant(5, T.UInt16), ("", "uint16", True))[0][3] == Reason.WRONG_TYPE
    names = ua.Variant(["a", None], T.String)
    assert read(names, ("", "string", True)) == [(("a", ""), GOOD, 0, 0)]


def test_optional_fields_and_unions():
    layouts = {
        MOTOR: Layout(
            ua.StructureType.StructureWithOptionalFields,
            [Field("A", T.Byte), *(Field(name, T.Byte, optional=True) for name in "BC")],
        ),
        LINE: Layout(ua.StructureType.Union, [Field("X", T.Byte), Field("Y", T.UInt16)]),
    }  # fmt: skip
    optional = unpack(ua.ExtensionObject(TypeId=MOTOR, Body=b"\x02\0\0\0\x01\x09"), layouts)
    assert {name: typed and typed.value for name, typed in optional.items()} == {
        "A": 1, "B": None, "C": 9,
    }  # fmt: skip
    union = unpack(ua.ExtensionObject(TypeId=LINE, Body=b"\x02\0\0\0\x05\x01"), layouts)
    assert union["X"] is None
    assert union["Y"] is not None
    assert union["Y"].value == 261


def test_a_structure_that_asyncua_has_taken_apart_is_read_by_the_servers_layout_too():
    encoding = ua.typeid_by_extension_objects[ua.Range]
    layout = Layout(ua.StructureType.Structure, [Field("Low", T.Double), Field("High", T.Double)])
    fields = unpack(ua.Range(-1.0, 2.5), {encoding: layout})
    assert {name: typed and typed.value for name, typed in fields.items()} == {
        "Low": -1.0, "High": 2.5,
    }  # fmt: skip


@pytest.mark.parametrize("cut", range(len(LINE_BYTES)))
def test_a_structure_cut_short_is_not_believed(cut):
    with pytest.raises(StructureError):
        unpack(ua.ExtensionObject(TypeId=LINE, Body=LINE_BYTES[:cut]), LAYOUTS)


def test_a_structure_that_is_longer_than_its_layout_is_not_believed():
    with pytest.raises(StructureError, match="longer"):
        unpack(ua.ExtensionObject(TypeId=LINE, Body=LINE_BYTES + b"\0"), LAYOUTS)
    with pytest.raises(StructureError, match="does not describe"):
        unpack(ua.ExtensionObject(TypeId=ua.NodeId(9, 9), Body=b""), LAYOUTS)


def test_guids_and_localized_texts_are_text():
    guid = uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a")
    assert read(ua.Variant(guid, T.Guid), ("", "string", False)) == [(str(guid), GOOD, 0, 0)]
    said = ua.Variant(ua.LocalizedText("läuft", "de"), T.LocalizedText)
    assert read(said, ("", "string", False)) == [("läuft", GOOD, 0, 0)]


def test_bytes_have_room_for_so_many():
    octets = ua.Variant(b"\x01\xff", T.ByteString)
    assert read(octets, ("", "bytes(2)", False)) == [(b"\x01\xff", GOOD, 0, 0)]
    assert read(octets, ("", "bytes(8)", False)) == [(b"\x01\xff", GOOD, 0, 0)]
    assert read(octets, ("", "bytes(1)", False))[0][3] == Reason.DOES_NOT_FIT
    assert read(ua.Variant([1, 2], T.Byte), ("", "bytes(2)", False)) == [(b"\x01\x02", GOOD, 0, 0)]


def test_uncertain_is_good_with_a_reason_or_bad_by_choice():
    value = ua.DataValue(Value=ua.Variant(5, T.Int16), StatusCode=ua.StatusCode(0x40900000))
    item = ua.MonitoredItemNotification(ClientHandle=1, Value=value)
    tags = [Tag(name="x", address="i=1", wire_type="int16")]
    for is_bad, quality in ((False, GOOD), (True, BAD)):
        batch = Columns("PLC", tags, uncertain_is_bad=is_bad).batch([item], 1)
        assert batch is not None
        assert batch.values == [5]
        assert (batch.qualities or [GOOD]) == [quality]
        assert (batch.natives, batch.reasons) == ([0x40900000], [Reason.UNCERTAIN])
