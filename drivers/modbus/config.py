"""What a user says about a Modbus device and its link: the keys of the ``modbus:`` block.

Texts are read by `mappings.plant.scalars`: a duration carries its unit, an order is a word.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from drivers.modbus.ranges import Range, parse_range
from mappings.errors import Fault
from mappings.plant.scalars import Duration, WholeNumber, lasting, refusal

WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%")


def _share(value: object) -> object:
    if not isinstance(value, str):
        return value
    percent = _PERCENT.fullmatch(value.strip())
    if percent is None or not 0 < float(percent[1]) <= 100:
        raise refusal("E115", f"{value!r} is no share", "write a part of the time, such as 5 %")
    return float(percent[1]) / 100


def _gap(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip() == "auto":
        return None
    if not re.fullmatch(r"\s*[0-9]{1,3}\s*", value) or int(value) > 124:
        raise refusal("E115", f"{value!r} is no number of registers", "write auto, or 0 to 124")
    return int(value)


def _range(value: str) -> str:
    found = parse_range(value)
    if isinstance(found, Fault):
        raise refusal("E119", found.seen, found.remedy)
    return value


Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "string"})]
"""A part of the time, 0 to 1, from ``5 %``."""

Gap = Annotated[
    int | None,
    BeforeValidator(_gap),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 0}]}),
]
"""Registers, from ``16``; None from ``auto``."""

RangeText = Annotated[str, AfterValidator(_range)]
"""``holding:500-599``."""


class DeviceOptions(BaseModel):
    """One unit (a server, formerly slave).

    A request never asks for more than ``max_registers`` or ``max_coils`` (Modbus application
    protocol 1.1b3, sections 6.1 to 6.4, allows 125 and 2000). It reads up to ``max_gap``
    registers that no row names to save another request (16 coils count as one; ``auto`` by what
    requests cost), and never a register of ``forbidden``. A wire has units 1 to 247; Modbus TCP
    devices without a wire behind them answer to 255 or 0. ``transaction_id`` ignore is for
    servers that echo a wrong one, ``bit_writes`` how a bit of a register will be written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Annotated[WholeNumber, Field(ge=0, le=255)]
    word_order: WordOrder = "ABCD"
    max_registers: Annotated[WholeNumber, Field(ge=1, le=125)] = 125
    max_coils: Annotated[WholeNumber, Field(ge=1, le=2000)] = 2000
    max_gap: Gap = None
    forbidden: tuple[RangeText, ...] = ()
    bit_writes: Literal["mask", "read-modify-write", "refuse"] = "mask"
    transaction_id: Literal["strict", "ignore"] = "strict"

    @property
    def forbidden_ranges(self) -> tuple[Range, ...]:
        """``forbidden`` as ranges."""
        ranges = map(parse_range, self.forbidden)
        return tuple(found for found in ranges if isinstance(found, Range))


class SerialOptions(BaseModel):
    """A serial port: bits per second, and data bits, parity and stop bits (``8E1``).

    ``rs485`` says who switches the transmitter on: ``driver`` (the adapter or the kernel as it is
    set up), or the port's RTS, up or down while sending. The defaults are those of Modbus over
    serial line 1.02, section 3.2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    baud: Annotated[WholeNumber, Field(ge=300, le=4_000_000)] = 19_200
    format: Literal["8E1", "8N1", "8O1", "8N2", "8E2", "8O2"] = "8E1"
    rs485: Literal["driver", "rts-up", "rts-down"] = "driver"


class LinkOptions(BaseModel):
    """The connection; durations in milliseconds.

    ``timeout`` is how long one answer may take, on a serial port besides the time that request
    and answer are on the wire; ``pause`` the silence between an answer and the next request,
    ``after_connect`` before the first. Units that do not answer are tried so seldom that waiting
    for them takes ``dead_share`` of the time at most. ``turnaround`` is what a unit is assumed to
    need before it answers, where loads are computed. ``in_flight`` is how many requests may be
    unanswered at once; this release knows 1 only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: Annotated[Duration, lasting("10ms", "1min")] = 1_000
    pause: Annotated[Duration, lasting("0ms", "10s")] = 0
    after_connect: Annotated[Duration, lasting("0ms", "1min")] = 0
    in_flight: Annotated[WholeNumber, Field(ge=1, le=1)] = 1
    dead_share: Share = 0.05
    turnaround: Annotated[Duration, lasting("0ms", "10s")] = 20
    serial: SerialOptions | None = None
