"""Addresses: the grammar of the address column, offline."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.addresses import UA_NAMESPACE, NodeAddress, PathAddress, parse
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
        ("/", "E429"),
        ("//", "E429"),
        ("/s7:", "E429"),
        ("/s7:Chiller/", "E429"),
        ("/s7:Chiller//s7:Speed", "E429"),
        ("/s7:R&D", "E429"),
        ("/s7:end&", "E429"),
        ("/s8:Chiller", "E422"),
        ("/3:Chiller", "E421"),
        ("/ns=3:Chiller", "E421"),
        ("/:Chiller", "E422"),
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


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("/s7:Chiller/s7:Speed", ((S7, "Chiller"), (S7, "Speed"))),
        ("/Server/ServerStatus", ((UA_NAMESPACE, "Server"), (UA_NAMESPACE, "ServerStatus"))),
        ("/4:Chiller", (("urn:chiller:types", "Chiller"),)),
        ("/ns=4:Chiller", (("urn:chiller:types", "Chiller"),)),
        ("/s7:In&/Out/s7:a&:b/s7:R&&D", ((S7, "In/Out"), (S7, "a:b"), (S7, "R&D"))),
        ("/a&:b", ((UA_NAMESPACE, "a:b"),)),
        ("/s7:12:30", ((S7, "12:30"),)),
        ("/s7: Chiller 1", ((S7, " Chiller 1"),)),
    ],
)
def test_reads_paths(text, steps):
    assert parse(text, NAMESPACES) == PathAddress(steps=steps)


@given(
    st.lists(
        st.tuples(st.sampled_from(["s7", "ns=4", ""]), st.text(min_size=1)), min_size=1, max_size=4
    )
)
def test_every_name_can_be_written(names):
    def escaped(name: str) -> str:
        return "".join("&" + c if c in "/:&" else c for c in name)

    text = "".join(f"/{space}:{escaped(n)}" if space else f"/{escaped(n)}" for space, n in names)
    uris = {**NAMESPACES, "": UA_NAMESPACE}
    assert parse(text, NAMESPACES) == PathAddress(
        steps=tuple((uris[space], name) for space, name in names)
    )


@given(st.text())
def test_any_text_is_an_address_or_a_fault(text):
    assert isinstance(parse(text, NAMESPACES), NodeAddress | PathAddress | Fault)


def test_an_unpinned_index_says_how_to_pin_it():
    fault = parse("ns=3;i=1", NAMESPACES)
    assert isinstance(fault, Fault)
    assert fault.seen == "'ns=3' may mean another namespace after the next download to the PLC"
    assert fault.remedy == (
        'pin it once under namespaces: {"ns=3": URI}; pasted node ids may then stay as they are'
    )
    assert fault.next == "tagbridge browse {plant} {device} --namespaces"


def test_an_unknown_alias_suggests_the_nearest():
    fault = parse("S7x;i=1", NAMESPACES)
    assert isinstance(fault, Fault)
    assert "did you mean 's7'?" in fault.remedy
