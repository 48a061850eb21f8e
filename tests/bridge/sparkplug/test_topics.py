"""Topics, ids and their faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug.topics import Topic, Verb, build, id_fault, parse

IDS = st.text(min_size=1, max_size=30).filter(lambda text: id_fault(text) is None)


@given(IDS, st.sampled_from(Verb), IDS, IDS)
def test_a_built_topic_parses_to_itself(group, verb, node, device):
    """tck-id-topic-structure"""
    text = build(group, verb, node, device if verb.of_device else None)
    topic = parse(text)
    assert topic == Topic(group, verb, node, device if verb.of_device else None)
    assert str(topic) == text


@given(st.text(max_size=60))
def test_any_text_is_a_topic_or_none(text):
    topic = parse(text)
    assert topic is None or str(topic) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spBv1.0",
        "spBv1.0/G/NDATA",
        "spAv1.0/G/NDATA/N",
        "spBv1.0/G/NBIRTH/N/D",
        "spBv1.0/G/DBIRTH/N",
        "spBv1.0/G/DBIRTH/N/D/E",
        "spBv1.0/G/nbirth/N",
        "spBv1.0/STATE/scada",
        "spBv1.0/G/of_device/N",
    ],
)
def test_what_is_no_topic(text):
    assert parse(text) is None


def test_device_id_exactly_for_device_verbs():
    """tck-id-topic-structure-namespace-device-id-associated-message-types"""
    with pytest.raises(ValueError, match="needs a device id"):
        build("G", Verb.DDATA, "N")
    with pytest.raises(ValueError, match="has no device id"):
        build("G", Verb.NDATA, "N", "D")


@pytest.mark.parametrize("text", ["Alpenbräu:Murnau", "utilities-gw", "Meter Kettle", "$x", "日本"])
def test_fit_ids(text):
    assert id_fault(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("a/b", "'/'"),
        ("a+", "'+'"),
        ("#", "'#'"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("\ud800", "UTF-8"),
        ("ä" * 600, "1200 bytes"),
    ],
)
def test_unfit_ids(text, word):
    """tck-id-topic-structure-namespace-valid-group-id, -edge-node-id, -device-id"""
    assert word in id_fault(text)
