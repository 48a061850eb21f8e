"""Addresses: the grammar of the address column, offline."""

import uuid

import pytest

from drivers.opcua.addresses import UA_NAMESPACE, NodeAddress, parse
from mappings.errors import Fault

NAMESPACES = {"s7": "http://www.siemens.com/simatic-s7-opcua", "ns=4": "urn:chiller:types"}
S7 = NAMESPACES["s7"]


@pytest.mark.parametrize(
    ("text", "namespace", "kind", "identifier"),
    [
        ('s7;s="Pumps"."P"[1]."Speed"', S7, "s", '"Pumps"."P"[1]."Speed"'),
        ("ns=4;i=5012", "urn:chiller:types", "i", 5012),
        ("i=2258", UA_NAMESPACE, "i", 2258),
        ("ns=0;i=2258", UA_NAMESPACE, "i", 2258),
        ("nsu=urn:a:b;s=x", "urn:a:b", "s", "x"),
        ("nsu=urn:a%3Bb%25;i=1", "urn:a;b%", "i", 1),
        ("s=a;b=c", UA_NAMESPACE, "s", "a;b=c"),
        ("s7;s=a;i=5 ", S7, "s", "a;i=5 "),
        ("s7;s=ns=4;i=1", S7, "s", "ns=4;i=1"),
        ("i=4294967295", UA_NAMESPACE, "i", 0xFFFF_FFFF),
        (
            "s7;g=09087e75-8e5e-499b-954f-f2a9603db28a",
            S7,
            "g",
            uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a"),
        ),
        ("s7;b=AQID", S7, "b", b"\x01\x02\x03"),
    ],
)
def test_reads(text, namespace, kind, identifier):
    assert parse(text, NAMESPACES) == NodeAddress(
        namespace=namespace, kind=kind, identifier=identifier
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E420"),
        ("s7", "E420"),
        ("Temperature", "E420"),
        ("s7;x=5", "E420"),
        ("s7;S=Speed", "E420"),
        ("nsu=;s=x", "E420"),
        ("ns=3;i=1", "E421"),
        ("ns=1;s=x", "E421"),
        ("s8;i=1", "E422"),
        (";i=1", "E422"),
        ("ns=x;i=1", "E422"),
        ("i=", "E424"),
        ("i=-1", "E424"),
        ("i=4294967296", "E424"),
        ("i=0x10", "E424"),
        ("i=٣", "E424"),
        ("i=" + "9" * 5000, "E424"),
        ("s7;s=", "E424"),
        ("s7;g=nonsense", "E424"),
        ("s7;b=%%", "E424"),
        ("s7;b=", "E424"),
    ],
)
def test_refuses(text, code):
    fault = parse(text, NAMESPACES)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field) == (code, "address")
    assert fault.seen
    assert "\n" not in fault.seen
    assert fault.remedy


def test_an_unpinned_index_says_how_to_pin_it():
    fault = parse("ns=3;i=1", NAMESPACES)
    assert isinstance(fault, Fault)
    assert fault.seen == "'ns=3' may mean another namespace after the next download to the PLC"
    assert 'namespaces: {"ns=3": URI}' in fault.remedy


def test_an_unknown_alias_suggests_the_nearest():
    fault = parse("S7x;i=1", NAMESPACES)
    assert isinstance(fault, Fault)
    assert "did you mean 's7'?" in fault.remedy
