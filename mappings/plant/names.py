"""Names: what groups, edge nodes, devices, metrics and destinations may be called.

Group, edge node and device are levels of an MQTT topic (Sparkplug 3.0, section 4.1:
tck-id-topic-structure-namespace-valid-group-id and its sisters); a metric's name is shown at hosts
as folders. Names that differ only in case or in how an accent is encoded are told to be one: some
hosts cannot keep them apart.
"""

import re
import unicodedata

from mappings.errors import Fault

RESERVED_METRICS = ("Node Control", "Device Control", "Diagnostics", "Properties", "bdSeq")
"""Folders and metrics that Sparkplug or the edge node itself uses."""

OWN_PROPERTIES = (
    "Quality", "Reason", "NativeCode", "engUnit", "engLow", "engHigh", "unitUcum", "unitCode",
    "description", "Documentation", "readOnly",
)  # fmt: skip
"""Properties that the edge node publishes itself."""

_FOLDER_NAME = re.compile(r"\w[\w .-]{0,63}")


def folded(name: str) -> str:
    """What two names share that hosts may take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_sparkplug_id(name: str, what: str) -> Fault | None:
    """Why a text cannot be a group, edge node or device id; ``what`` names which."""
    if not name.strip():
        return _fault("E608", f"{what} is empty", "write a name")
    for char in "/+#":
        if char in name:
            remedy = "/ + # separate MQTT topics; write ':' or '-' instead"
            return _fault("E608", f"{what} {name!r} contains {char!r}", remedy)
    return _untidy("E608", f"{what} {name!r}", name)


def check_dots(name: str, what: str) -> Fault | None:
    """The warning about a dot in a group, edge node or device id."""
    if "." not in name:
        return None
    remedy = "some brokers split topics at dots; better '-' or ':'"
    return _fault("W609", f"{what} {name!r} contains a dot", remedy)


def check_metric_name(name: str) -> Fault | None:
    """Why a text cannot be the name of a metric."""
    for char in "+#":
        if char in name:
            return _fault("E602", f"metric {name!r} contains {char!r}", "leave out + and #")
    if "" in name.split("/"):
        remedy = "'/' stands between a folder and what is in it, never first, last or twice"
        return _fault("E602", f"metric {name!r} has a folder without a name", remedy)
    top = name.split("/", 1)[0]
    for reserved in RESERVED_METRICS:
        if folded(top) == folded(reserved):
            remedy = "Sparkplug and the edge node use this name themselves; choose another"
            return _fault("E603", f"metric {name!r}: {reserved!r} is reserved", remedy)
    return _untidy("E602", f"metric {name!r}", name)


def is_hidden(name: str) -> bool:
    """Whether a point is read but not published: its name, or a folder of it, begins with ``_``."""
    return name.startswith("_") or "/_" in name


def check_destination_name(name: str) -> Fault | None:
    """Why a text cannot name a destination, which gives a folder of the outbox its name."""
    if _FOLDER_NAME.fullmatch(name) and name == name.strip(" ."):
        return None
    remedy = "it names a folder too: use letters, digits, - and _, 64 at most"
    return _fault("E611", f"destination {name!r}", remedy)


def _untidy(code: str, what: str, name: str) -> Fault | None:
    if name != name.strip():
        return _fault(code, f"{what} begins or ends with a blank", "remove the blank")
    hidden = next((c for c in name if not c.isprintable()), None)
    if hidden is not None:
        seen = f"{what} contains the invisible character U+{ord(hidden):04X}"
        return _fault(code, seen, "type the name again by hand")
    return None


def _fault(code: str, seen: str, remedy: str) -> Fault:
    return Fault(code=code, field="name", seen=seen, remedy=remedy)
