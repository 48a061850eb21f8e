"""The protobuf message of Sparkplug B, built at import from the facts of its wire format.

A descriptor made in code instead of a generated module: generated modules are bound to one major
version of the protobuf runtime, a descriptor works with all from 4.25 on. Field numbers and types
are those of Sparkplug 3.0, section 6.4; extension ranges are left out, unknown fields survive
parsing anyway. The classes exist at run time only, hence their type is `Any`.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tagbridge.sparkplug"
_TYPES = {
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}

# One message a block, one field a line: number, name, type ("*" repeats it, "|" puts it into the
# oneof "value"). A type that is not a scalar is a message.
_LAYOUT = """
Payload
  1 timestamp uint64
  2 metrics *Payload.Metric
  3 seq uint64
  4 uuid string
  5 body bytes
Payload.Metric
  1 name string
  2 alias uint64
  3 timestamp uint64
  4 datatype uint32
  5 is_historical bool
  6 is_transient bool
  7 is_null bool
  8 metadata Payload.MetaData
  9 properties Payload.PropertySet
  10 int_value |uint32
  11 long_value |uint64
  12 float_value |float
  13 double_value |double
  14 boolean_value |bool
  15 string_value |string
  16 bytes_value |bytes
  17 dataset_value |Payload.DataSet
  18 template_value |Payload.Template
Payload.MetaData
  1 is_multi_part bool
  2 content_type string
  3 size uint64
  4 seq uint64
  5 file_name string
  6 file_type string
  7 md5 string
  8 description string
Payload.PropertySet
  1 keys *string
  2 values *Payload.PropertyValue
Payload.PropertySetList
  1 propertyset *Payload.PropertySet
Payload.PropertyValue
  1 type uint32
  2 is_null bool
  3 int_value |uint32
  4 long_value |uint64
  5 float_value |float
  6 double_value |double
  7 boolean_value |bool
  8 string_value |string
  9 propertyset_value |Payload.PropertySet
  10 propertysets_value |Payload.PropertySetList
Payload.DataSet
  1 num_of_columns uint64
  2 columns *string
  3 types *uint32
  4 rows *Payload.DataSet.Row
Payload.DataSet.Row
  1 elements *Payload.DataSet.DataSetValue
Payload.DataSet.DataSetValue
  1 int_value |uint32
  2 long_value |uint64
  3 float_value |float
  4 double_value |double
  5 boolean_value |bool
  6 string_value |string
Payload.Template
  1 version string
  2 metrics *Payload.Metric
  3 parameters *Payload.Template.Parameter
  4 template_ref string
  5 is_definition bool
Payload.Template.Parameter
  1 name string
  2 type uint32
  3 int_value |uint32
  4 long_value |uint64
  5 float_value |float
  6 double_value |double
  7 boolean_value |bool
  8 string_value |string
"""


def _add_field(to: descriptor_pb2.DescriptorProto, number: str, name: str, kind: str) -> None:
    field = to.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind[0] == "*":
        field.label = _Field.LABEL_REPEATED
    if kind[0] == "|":
        if not to.oneof_decl:
            to.oneof_decl.add(name="value")
        field.oneof_index = 0
    scalar = _TYPES.get(kind.lstrip("*|"))
    if scalar is None:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind.lstrip('*|')}"
    else:
        field.type = scalar


def _pool() -> descriptor_pool.DescriptorPool:
    # proto2, because a metric must tell "false" and "0" from "not said".
    file = descriptor_pb2.FileDescriptorProto(
        name="tagbridge/sparkplug.proto", package=_PACKAGE, syntax="proto2"
    )
    blocks: dict[str, descriptor_pb2.DescriptorProto] = {}
    current = None
    for line in _LAYOUT.strip().splitlines():
        if not line.startswith(" "):
            outer, _, name = line.rpartition(".")
            current = blocks[outer].nested_type.add() if outer else file.message_type.add()
            current.name = name
            blocks[line] = current
        elif current is not None:
            _add_field(current, *line.split())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_messages.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_messages = _pool()
Payload: Any = _message_class("Payload")
# Not ``Payload.Metric``: the runtime in pure Python, where no binary wheel exists, has no such.
Metric: Any = _message_class("Payload.Metric")


def read_payload(data: bytes) -> Any:
    """The `Payload` that the bytes hold, or None when they are none; never raises.

    Text that is no UTF-8 makes it None or shows as bytes in its field, as the runtime has it.
    """
    try:
        return Payload.FromString(data)
    except (message.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def as_text(text: str | bytes) -> str:
    """A text field of a message: the runtime gives bytes where it is no UTF-8."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
