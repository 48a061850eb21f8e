"""Addresses of MQTT sources: what is read, and what is said about what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt.addresses import (
    TopicAddress,
    filter_matches,
    parse,
    parse_selector,
    topic_fault,
)
from mappings.errors import Fault


@pytest.mark.parametrize(
    ("text", "topic", "selector"),
    [
        ("result $.boxes[0].class", "result", ("boxes", 0, "class")),
        ("t1 $.temp", "t1", ("temp",)),
        ("result $", "result", ()),
        ("result $[3]", "result", (3,)),
        ("gateway/status", "gateway/status", None),
        ("a b/c  $.x", "a b/c", ("x",)),
        ('t $["flow rate"].v', "t", ("flow rate", "v")),
        ("t $['m³/h']", "t", ("m³/h",)),
        ('t $["a $.b"]', "t", ("a $.b",)),
        ("t $.flow-rate", "t", ("flow-rate",)),
        ("t $.Größe", "t", ("Größe",)),
        ("t $.0", "t", ("0",)),
        ("$SYS/broker/uptime", "$SYS/broker/uptime", None),
    ],
)
def test_an_address_is_a_topic_and_a_place_in_its_documents(text, topic, selector):
    assert parse(text) == TopicAddress(topic=topic, selector=selector)


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("$.x", "E440", "names no topic"),
        ("", "E440", "names no topic"),
        ("/a $.x", "E440", "empty level"),
        ("a//b $.x", "E440", "empty level"),
        ("a/ $.x", "E440", "empty level"),
        ("a\0b $.x", "E440", "no broker takes"),
        ("x" * 65_536, "E440", "no broker takes"),
        ("a ", "E440", "blank"),
        ("a/+/b $.x", "E441", "'+' is a wildcard"),
        ("a/# $.x", "E441", "'#' is a wildcard"),
        ("a/b# $.x", "E441", "'b#' is a wildcard"),
        ("a $..x", "E444", "no wildcards"),
        ("a $.*", "E444", "no wildcards"),
        ("a $.x[*]", "E444", "no wildcards"),
        ("a $[?@.x]", "E444", "no filters"),
        ("a $[-1]", "E444", "count from 0"),
        ("a $[0:9]", "E444", "no slices"),
        ("a $.x y", "E444", "quoted"),
        ("a $x", "E444", "neither"),
        ("a $.", "E444", "neither"),
        ("a $[]", "E444", "neither"),
        ("a $[12345678]", "E444", "six digits"),
        ("a$.x", "E444", "no blank"),
    ],
)
def test_what_is_no_address_is_told(text, code, word):
    fault = parse(text)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field) == (code, "address")
    assert word in fault.seen + fault.remedy
    assert fault.remedy


def test_a_missing_blank_is_written_out():
    fault = parse("line/a$.x[0]")
    assert isinstance(fault, Fault)
    assert fault.remedy == "write line/a $.x[0]"


NAMES = st.text(min_size=1, max_size=8).filter(lambda name: not set(name) & {'"', "\\"})


@given(st.lists(st.one_of(NAMES, st.integers(0, 999_999)), max_size=6))
def test_a_selector_that_is_written_out_is_read_as_it_was(steps):
    text = "$" + "".join(f'["{s}"]' if isinstance(s, str) else f"[{s}]" for s in steps)
    assert parse_selector(text) == tuple(steps)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_fault(text):
    assert isinstance(parse(text), TopicAddress | Fault)


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("stats/#", "stats/a/b", True),
        ("stats/#", "stats", True),
        ("stats/#", "stat/a", False),
        ("#", "a/b", True),
        ("+/state", "pump/state", True),
        ("+/state", "pump/x/state", False),
        ("a/+", "a", False),
        ("a", "a", True),
        ("a", "a/b", False),
        ("a/b", "a", False),
    ],
)
def test_filters_match_as_brokers_match_them(pattern, topic, matches):
    assert filter_matches(pattern, topic) is matches


@pytest.mark.parametrize("pattern", ["a#", "#/a", "a/b+", "a//#", "/#"])
def test_what_is_no_filter_is_told(pattern):
    assert topic_fault(pattern, wildcards=True) is not None


@pytest.mark.parametrize("pattern", ["#", "a/#", "+", "a/+/b"])
def test_filters_have_wildcards(pattern):
    assert topic_fault(pattern, wildcards=True) is None
    assert topic_fault(pattern) is not None
