"""What a user says about a Modbus device and its link: the keys of the ``modbus:`` block.

Texts are read by `mappings.plant.scalars`: a duration carries its unit, an order is a word.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mappings.plant.scalars import Duration, WholeNumber, lasting

WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]


class DeviceOptions(BaseModel):
    """One unit (a server, formerly slave).

    A request never asks for more than ``max_registers`` or ``max_coils`` (Modbus application
    protocol 1.1b3, sections 6.1 to 6.4, allows 125 and 2000). A wire has units 1 to 247; Modbus
    TCP devices without a wire behind them answer to 255 or 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Annotated[WholeNumber, Field(ge=0, le=255)]
    word_order: WordOrder = "ABCD"
    max_registers: Annotated[WholeNumber, Field(ge=1, le=125)] = 125
    max_coils: Annotated[WholeNumber, Field(ge=1, le=2000)] = 2000


class LinkOptions(BaseModel):
    """The connection; ``timeout`` (milliseconds) is how long one answer may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: Annotated[Duration, lasting("10ms", "1min")] = 1_000
