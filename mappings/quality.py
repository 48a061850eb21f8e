"""Quality: may this value be believed, and if there is something to say about it, what?

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


class Reason(IntEnum):
    """Why a value is not GOOD, or what a GOOD one should not hide; published as `REASON_TEXTS`.

    A value that nothing is to be said about has `NONE`. The numbers are kept in buffered records:
    they are never given to another reason.
    """

    NONE = 0
    CLAMPED = 1
    NO_TEXT = 2
    UNCERTAIN = 3
    INVALID = 4
    NOT_FINITE = 5
    DOES_NOT_FIT = 6
    WRONG_TYPE = 7
    NO_VALUE = 8
    DEVICE_ERROR = 9
    LINK_LOST = 10
    SILENT = 11
    ARRIVAL_TIME = 12
    SCALE_UNKNOWN = 13


REASON_TEXTS: dict[int, str] = {
    Reason.NONE: "",
    Reason.CLAMPED: "beyond its range, clamped",
    Reason.NO_TEXT: "the enum has no text for this code",
    Reason.UNCERTAIN: "the device is uncertain about it",
    Reason.INVALID: "a raw value that says 'no value'",
    Reason.NOT_FINITE: "not a finite number",
    Reason.DOES_NOT_FIT: "does not fit its type",
    Reason.WRONG_TYPE: "the device sends another type",
    Reason.NO_VALUE: "the device sends no value for it",
    Reason.DEVICE_ERROR: "the device refuses it or reports an error",
    Reason.LINK_LOST: "the device does not answer",
    Reason.SILENT: "nothing fresh for too long",
    Reason.ARRIVAL_TIME: "without a time of its own, that of its arrival",
    Reason.SCALE_UNKNOWN: "the row that scales it has no value",
}
"""What people read in the property ``Reason``."""

BAD = int(Quality.BAD)
GOOD = int(Quality.GOOD)
STALE = int(Quality.STALE)
