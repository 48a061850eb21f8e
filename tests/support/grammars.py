"""Two drivers that are nothing but grammar, so that tests of the reader stand by themselves."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mappings.errors import Fault
from mappings.plant.scalars import Duration, Text, WholeNumber, lasting
from mappings.tags import Device, Tag


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WireLink(_Block):
    timeout: Annotated[Duration, lasting("10ms", "1min")] = 1_000
    pause: Duration = 0

    @model_validator(mode="after")
    def pause_below_timeout(self) -> "WireLink":
        if self.pause > self.timeout:
            raise ValueError("pause is longer than timeout")
        return self


class WireDevice(_Block):
    unit: Annotated[WholeNumber, Field(ge=1, le=247, description="1 to 247")]
    word_order: Literal["ABCD", "CDAB"] = "ABCD"
    forbidden: tuple[Text, ...] = ()


class SessionLink(_Block):
    security: Literal["insecure"] = "insecure"


class SessionDevice(_Block):
    namespaces: dict[str, Text] = Field(default_factory=dict)


class Wire:
    """Registers are ``holding:N``; every one holds 16 bits."""

    name = "modbus"
    schemes = frozenset({"tcp"})
    device_model = WireDevice
    link_model = WireLink

    def is_array(self, tag: Tag) -> bool:
        return tag.address.endswith("]")

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:
        return 0

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        assert isinstance(options, WireDevice)
        if tag.address.startswith("holding:"):
            return []
        seen = f"{tag.address!r} names no area"
        return [Fault(code="E401", field="address", seen=seen, remedy="write holding:N")]

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:
        first: dict[str, str] = {}
        faults = []
        for index, tag in enumerate(device.tags):
            if first.setdefault(tag.address, tag.name) != tag.name:
                seen = f"{tag.name!r} lies inside {first[tag.address]!r}"
                fault = Fault(code="E408", field="address", seen=seen, remedy="off by one?")
                faults.append((index, fault))
        return faults

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:
        first: dict[int, str] = {}
        faults = []
        for index, device in enumerate(devices):
            assert isinstance(device.options, WireDevice)
            unit = device.options.unit
            if first.setdefault(unit, device.name) != device.name:
                seen = f"unit {unit} belongs to {first[unit]!r} already"
                fault = Fault(code="E206", field="unit", seen=seen, remedy="one unit, one device")
                faults.append((index, fault))
        return faults


class Session:
    """Any address is right."""

    name = "opcua"
    schemes = frozenset({"opc.tcp"})
    device_model = SessionDevice
    link_model = SessionLink
    takes_login = True

    def is_array(self, tag: Tag) -> bool:
        return tag.address.endswith("]")

    def stale_after_ms(self, tag: Tag, link: BaseModel) -> int:
        return 0

    def check_tag(self, tag: Tag, options: BaseModel) -> list[Fault]:
        return []

    def check_device(self, device: Device) -> list[tuple[int, Fault]]:
        return []

    def check_link(self, devices: Sequence[Device]) -> list[tuple[int, Fault]]:
        return []


GRAMMARS = {"modbus": Wire(), "opcua": Session()}
