"""Reasons: why an MQTT 5 broker ends a connection, in words for the person who has to mend it."""

from typing import Any

from bridge.mqtt.errors import CLIENT_ID_REMEDY

CLOSED = ("the broker closed the connection", CLIENT_ID_REMEDY)
"""Of a broker that does not say why: each of MQTT 3.1.1."""

# Reason codes of DISCONNECT (MQTT 5.0, section 3.14.2.1).
_REMEDIES = {
    0x81: "the broker could not read what was sent: which broker is it, and which version?",
    0x87: "this user may not do that: see the broker's access list",
    0x89: "the broker is busy; if it stays so, it has too little of something",
    0x8B: "the broker is being stopped",
    0x8D: "the broker heard nothing for a keep-alive: is the line overloaded?",
    0x8E: "another client has the same client id: give each its own (client_id), or stop the other",
    0x93: "the broker takes fewer messages at once than it was sent",
    0x95: "a message is larger than the broker takes: raise its limit, or divide the device",
    0x96: "the broker takes fewer messages a second: raise its limit",
    0x97: "a quota of the broker is used up",
    0x98: "somebody told the broker to end this connection",
    0x9C: "use the other server that the broker names",
    0x9D: "use the other server that the broker names",
}


def closed_words(code: Any) -> tuple[str, str]:
    """What was seen and what to check when a broker closes with this reason code."""
    remedy = _REMEDIES.get(getattr(code, "value", 0))
    if remedy is None:
        return CLOSED
    return f"the broker closed the connection: {str(code).lower()}", remedy
