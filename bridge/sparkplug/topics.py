"""Names: the topics of Sparkplug B, the ids inside them, and the names that the standard reserves.

``spBv1.0/GROUP/VERB/NODE[/DEVICE]`` for edge nodes and devices (Sparkplug 3.0, chapter 4).
An id is any UTF-8 text that is one topic level:
tck-id-topic-structure-namespace-valid-group-id and its two sisters.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "spBv1.0"
STATE = "spBv1.0/STATE"  # with the id of a host below it
LEGACY_STATE = "STATE"  # the same in Sparkplug 2.2

BD_SEQ = "bdSeq"  # in NBIRTH and NDEATH: which session is born or dead
REBIRTH = "Node Control/Rebirth"  # written by a host that wants all births again
DEVICE_REBIRTH = "Device Control/Rebirth"  # of one device; all are born again, which is allowed
NEXT_SERVER = "Node Control/Next Server"  # likewise by one that wants the node at another server
QUALITY = "Quality"  # property of a metric, see mappings.quality
NATIVE_CODE = "NativeCode"  # what the device itself said: OPC UA StatusCode, Modbus exception
REASON = "Reason"  # one line for people, out of mappings.quality.REASON_TEXTS

_MAX_LEVEL_BYTES = 1024  # a topic has room for 65,535 bytes; brokers and people for fewer


class Verb(StrEnum):
    """The third level of a topic: what the message says, of a node (N) or of a device (D)."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"

    @property
    def of_device(self) -> bool:
        """Whether the topic has a device id as its last level."""
        return self.value[0] == "D"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of an edge node (``device`` None) or of a device; ``str()`` is its text."""

    group: str
    verb: Verb
    node: str
    device: str | None = None

    def __str__(self) -> str:
        text = f"{NAMESPACE}/{self.group}/{self.verb.value}/{self.node}"
        return text if self.device is None else f"{text}/{self.device}"


def build(group: str, verb: Verb, node: str, device: str | None = None) -> str:
    """The text of a topic; ``device`` is given for D verbs and only for them."""
    if verb.of_device is (device is None):
        raise ValueError(f"{verb} {'needs a' if verb.of_device else 'has no'} device id")
    return str(Topic(group, verb, node, device))


def parse(text: str) -> Topic | None:
    """The topic that a text names, or None when it is none of an edge node or device.

    The ids are not judged (`id_fault` does), only the number of levels and the verb.
    """
    levels = text.split("/")
    if len(levels) not in {4, 5} or levels[0] != NAMESPACE:
        return None
    verb = Verb.__members__.get(levels[2])
    if verb is None or verb.of_device is not (len(levels) == 5):
        return None
    return Topic(levels[1], verb, levels[3], levels[4] if verb.of_device else None)


def id_fault(text: str) -> str | None:
    """What makes a text unfit as group, edge node, device or host id, or None when it is fit."""
    if not text:
        return "it is empty"
    for mark in "+/#":
        if mark in text:
            return f"it contains {mark!r}, which means something else in MQTT topics"
    if any(unicodedata.category(character) == "Cc" for character in text):
        return "it contains a control character"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "it cannot be written in UTF-8"
    if size > _MAX_LEVEL_BYTES:
        return f"it has {size} bytes, more than {_MAX_LEVEL_BYTES}"
    return None
