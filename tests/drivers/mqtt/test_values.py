"""Payloads to values: strictly typed, exact, and never a crash whatever is sent."""

import json
import math
import struct
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.heard import assert_fits
from drivers.mqtt.checks import WIRE_TYPES
from drivers.mqtt.config import DeviceOptions
from drivers.mqtt.documents import MOST_BYTES, MalformedError
from drivers.mqtt.values import Reading, TopicRows, topics_of
from mappings.datatypes import INTEGERS, integer_range, wire_type
from mappings.quality import Reason
from mappings.tags import Tag

NONE, WRONG, FITS_NOT = Reason.NONE, Reason.WRONG_TYPE, Reason.DOES_NOT_FIT
NOTHING, NOT_FINITE = Reason.NO_VALUE, Reason.NOT_FINITE


def rows_of(wire_type: str, address: str = "t $.v", **options) -> TopicRows:
    device = DeviceOptions.model_validate(options)
    tag = Tag(name="T", address=address, wire_type=wire_type)
    (rows,) = topics_of(device, [tag]).values()
    return rows


def read(payload: bytes | str, wire_type: str, address: str = "t $.v", **options):
    payload = payload.encode() if isinstance(payload, str) else payload
    reading = rows_of(wire_type, address, **options).read(payload)
    reason = NONE if reading.reasons is None else Reason(reading.reasons[0])
    return reading.values[0], reason


@pytest.mark.parametrize(
    ("literal", "word", "value"),
    [
        ("true", "bool", True),
        ("127", "int8", 127),
        ("-128", "int8", -128),
        ("255", "uint8", 255),
        ("7.0", "int16", 7),
        ("7e2", "uint16", 700),
        ("-0.0", "int32", 0),
        ("9223372036854775807", "int64", 9223372036854775807),
        ("-9223372036854775808", "int64", -9223372036854775808),
        ("18446744073709551615", "uint64", 18446744073709551615),
        ("9007199254740993", "int64", 9007199254740993),
        ("9007199254740993.0", "int64", 9007199254740993),
        ("1", "float64", 1.0),
        ("0.1", "float64", 0.1),
        ("9007199254740993", "float64", 9007199254740992.0),
        ("1e-400", "float64", 0.0),
        ("0.1", "float32", 0.10000000149011612),
        ("16777217", "float32", 16777216.0),
        ('"a\\u00e4€"', "string", "aä€"),
        ('""', "string", ""),
        ('"2026-11-20T06:14:07.120Z"', "datetime", 1795155247120),
        ('"2026-11-20T07:14:07.1209+01:00"', "datetime", 1795155247120),
    ],
)
def test_what_fits_is_the_value(literal, word, value):
    assert read(f'{{"v":{literal}}}', word) == (value, NONE)
    assert type(read(f'{{"v":{literal}}}', word)[0]) is type(value)


@pytest.mark.parametrize(
    ("literal", "word", "reason"),
    [
        ("1", "bool", WRONG),
        ('"true"', "bool", WRONG),
        ("true", "int8", WRONG),
        ('"7"', "int8", WRONG),
        ("7.5", "int8", FITS_NOT),
        ("128", "int8", FITS_NOT),
        ("-129", "int8", FITS_NOT),
        ("256", "uint8", FITS_NOT),
        ("-1", "uint64", FITS_NOT),
        ("18446744073709551616", "uint64", FITS_NOT),
        ("1e19", "int64", FITS_NOT),
        ("1e999999", "int64", FITS_NOT),
        ("1e-5", "int64", FITS_NOT),
        ("true", "float64", WRONG),
        ('"1.5"', "float64", WRONG),
        ("1e400", "float64", FITS_NOT),
        ("1" * 400, "float64", FITS_NOT),
        ("1e39", "float32", FITS_NOT),
        ("NaN", "float64", NOT_FINITE),
        ("-Infinity", "float32", NOT_FINITE),
        ("NaN", "int8", NOT_FINITE),
        ("NaN", "bool", WRONG),
        ("5", "string", WRONG),
        ("[]", "string", WRONG),
        ('{"a":1}', "float64", WRONG),
        ("[1]", "float64", WRONG),
        ('"\\ud800"', "string", FITS_NOT),
        ('"yesterday"', "datetime", FITS_NOT),
        ('"2026-11-20T06:14:07"', "datetime", FITS_NOT),
        ('"1969-12-31T00:00:00Z"', "datetime", FITS_NOT),
        ("1795155247", "datetime", WRONG),
        ("null", "string", NOTHING),
        ("null", "bool", NOTHING),
    ],
)
def test_what_does_not_is_none_with_its_reason(literal, word, reason):
    assert read(f'{{"v":{literal}}}', word) == (None, reason)


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("t $.boxes[1].class", "b"),
        ("t $.boxes[2].class", None),
        ("t $.boxes.class", None),
        ("t $.boxes[0][0]", None),
        ("t $[0]", None),
        ('t $["a.b"]', "dot"),
        ("t $.a.b", None),
    ],
)
def test_a_selector_finds_one_place_or_nothing(address, value):
    document = '{"boxes":[{"class":"a"},{"class":"b"}],"a.b":"dot"}'
    assert read(document, "string", address) == (value, NONE if value else NOTHING)


def test_a_whole_document_may_be_a_bare_value():
    assert read(" 23.5\n", "float64", "t $") == (23.5, NONE)
    assert read("[1, 2]", "uint8", "t $[1]") == (2, NONE)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"{", "no JSON"),
        (b"online", "no JSON"),
        (b'{"v":1}{"v":2}', "no JSON"),
        (b'{"v":01}', "no JSON"),
        (b"{'v':1}", "no JSON"),
        (b'\xef\xbb\xbf{"v":1}', "no JSON"),
        (b'{"v":1,"v":2}', "'v' twice"),
        (b'{"x":{"a":1,"a":1},"v":2}', "'a' twice"),
        (b'{"v":"\xff"}', "no UTF-8 at byte 6"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"v":' * 50_000, "nested too deeply"),
        (b'{"v":' + b"9" * 5_000 + b"}", "no JSON"),
        (b'{"v":1e' + b"9" * 30 + b"}", "beyond all measure"),
        (b" " * (MOST_BYTES + 1), "at most"),
        (b'{"v":"' + b"x" * 4_000_000 + b'"}', "at most"),
    ],
)
def test_what_is_no_document_is_told(payload, words):
    with pytest.raises(MalformedError, match=words):
        read(payload, "string")


def test_deep_but_bearable_nesting_is_read():
    deep = 400
    assert read(b'{"v":7,"x":' + b"[" * deep + b"]" * deep + b"}", "uint8") == (7, NONE)
    assert sys.getrecursionlimit() > deep


def test_an_empty_payload_takes_a_retained_one_back():
    assert read(b"", "string") == (None, NOTHING)
    assert read(b"", "string", "t", format="text") == (None, NOTHING)
    assert read(b"", "bytes(8)", "t", format="bytes") == (b"", NONE)


@pytest.mark.parametrize(
    ("text", "word", "value", "reason"),
    [
        (" 21.5\n", "float64", 21.5, NONE),
        ("+7", "uint8", 7, NONE),
        ("7.", "uint8", 7, NONE),
        ("7.5", "uint8", None, FITS_NOT),
        ("9007199254740993", "int64", 9007199254740993, NONE),
        ("21,5", "float64", None, WRONG),
        ("21.5 °C", "float64", None, WRONG),
        ("٣", "uint8", None, WRONG),
        ("1_000", "uint16", None, WRONG),
        ("0x10", "uint16", None, WRONG),
        ("nan", "float64", None, NOT_FINITE),
        ("-inf", "float32", None, NOT_FINITE),
        ("1e999", "float64", None, FITS_NOT),
        ("1e99999", "float64", None, WRONG),
        ("9" * 401, "float64", None, WRONG),
        ("ON", "bool", True, NONE),
        ("0", "bool", False, NONE),
        ("online", "bool", None, WRONG),
        ("  two words ", "string", "  two words ", NONE),
        ("2026-11-20T06:14:07.120Z\n", "datetime", 1795155247120, NONE),
        ("soon", "datetime", None, FITS_NOT),
    ],
)
def test_texts_are_read_by_the_type_of_the_row(text, word, value, reason):
    assert read(text, word, "t", format="text") == (value, reason)


def test_bytes_are_what_they_are_up_to_their_length():
    assert read(b"\0\xff", "bytes(2)", "t", format="bytes") == (b"\0\xff", NONE)
    assert read(b"\0\xff\0", "bytes(2)", "t", format="bytes") == (None, FITS_NOT)


@pytest.mark.parametrize(
    ("form", "literal", "own_ms"),
    [
        ("unix-ms", "1795155247120", 1795155247120),
        ("unix-ms", "1795155247120.9", 1795155247120),
        ("unix-s", "1795155247", 1795155247000),
        ("unix-s", "1795155247.1209", 1795155247120),
        ("unix-s", "-1", None),
        ("unix-s", "1e15", None),
        ("unix-s", "1e99999", None),
        ("unix-ms", "NaN", None),
        ("unix-ms", "true", None),
        ("unix-ms", '"1795155247120"', None),
        ("iso8601", "1795155247120", None),
        ("iso8601", '"9999-12-31T23:59:59-23:59"', None),
        ("iso8601", '"2026-11-20T06:14:07.120Z"', 1795155247120),
        ("iso8601", "null", None),
    ],
)
def test_a_document_may_carry_its_time(form, literal, own_ms):
    rows = rows_of("uint8", time={"at": "$.m.ts", "format": form})
    assert rows.read(f'{{"v":1,"m":{{"ts":{literal}}}}}'.encode()).own_ms == own_ms


@pytest.mark.parametrize(
    ("literal", "number"),
    [("88211", 88211), ("88211.0", 88211), ('"a-1"', "a-1"), ("1.5", None), ("true", None),
     ("null", None), ("[1]", None), ("1e999999", None)],
)  # fmt: skip
def test_a_document_may_carry_a_number(literal, number):
    rows = rows_of("uint8", sequence="$.frame")
    assert rows.read(f'{{"v":1,"frame":{literal}}}'.encode()).number == number


def test_a_datetime_is_written_as_the_times_of_its_device():
    options = {"time": {"at": "$.ts", "format": "unix-s"}}
    assert read('{"v":1.5}', "datetime", **options) == (1500, NONE)
    assert read('{"v":"1.5"}', "datetime", **options) == (None, WRONG)


def test_rows_of_one_topic_are_columns_of_one_reading():
    words = sorted(WIRE_TYPES)
    tags = [Tag(name=w, address=f"a/b $.{w}", wire_type=w) for w in words]
    topics = topics_of(
        DeviceOptions(base="x"), [*tags, Tag(name="o", address="o $", wire_type="bool")]
    )
    assert list(topics) == ["x/a/b", "x/o"]
    assert topics["x/a/b"].points == tuple(range(len(words)))
    assert topics["x/o"].points == (len(words),)


# Properties.

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("vwx"), inside),
    max_leaves=8,
)


@given(DOCUMENTS, st.sampled_from(sorted(WIRE_TYPES)))
def test_whatever_stands_there_a_value_is_of_its_type_or_none(document, word):
    payload = json.dumps({"v": document}).encode()
    value, reason = read(payload, word)
    assert (value is None) is (reason is not NONE)
    if value is not None:
        assert_fits(value, word)


@given(st.binary(max_size=60), st.sampled_from(["json", "text"]))
@settings(max_examples=300)
def test_any_bytes_are_a_reading_or_malformed(payload, form):
    address = "t $.v" if form == "json" else "t"
    for word in sorted(WIRE_TYPES):
        with suppress(MalformedError):
            assert isinstance(rows_of(word, address, format=form).read(payload), Reading)


@given(st.sampled_from(sorted(w for w in WIRE_TYPES if "int" in w)), st.integers())
def test_whole_numbers_are_exact_or_do_not_fit(word, number):
    wire = wire_type(word)
    assert wire is not None
    assert wire.datatype in INTEGERS
    least, most = integer_range(wire.datatype)
    expected = (number, NONE) if least <= number <= most else (None, FITS_NOT)
    assert read(f'{{"v":{number}}}', word) == expected
    assert read(str(number), word, "t", format="text") == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_pass_bit_for_bit(number):
    for text, options in ((f'{{"v":{number!r}}}', {}), (repr(number), {"format": "text"})):
        value, reason = read(text, "float64", "t" if options else "t $.v", **options)
        assert reason is NONE
        # An integer literal has no negative zero.
        assert struct.pack("<d", value) == struct.pack("<d", number)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-1000, max_value=1000)
)
def test_a_single_is_the_nearest_of_what_was_written(number):
    value, _ = read(f'{{"v":{number}}}', "float32")
    assert value == struct.unpack("<f", struct.pack("<f", float(number)))[0]
    assert math.isfinite(value)
