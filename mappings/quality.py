"""Quality: may this value be believed?

Three words, with the codes that Sparkplug puts on the wire (property ``Quality``,
tck-id-payloads-propertyset-quality-value-value). The reason and the protocol's own code
(OPC UA StatusCode, Modbus exception) travel beside it, never inside it.
"""

from enum import IntEnum


class Quality(IntEnum):
    """The three qualities; their numbers are Sparkplug's."""

    BAD = 0
    GOOD = 192
    STALE = 500


BAD = int(Quality.BAD)
GOOD = int(Quality.GOOD)
STALE = int(Quality.STALE)
