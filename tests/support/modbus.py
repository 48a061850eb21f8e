"""Modbus devices for tests, made without a plant file."""

from collections.abc import Sequence

from drivers.driver import Device, Endpoint
from drivers.modbus.config import DeviceOptions, LinkOptions
from mappings.datatypes import WIRE_TYPES
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric, Tag


def tag(
    name: str,
    address: str,
    wire_type: str = "uint16",
    order: str = "",
    scan_ms: int = 100,
    access: str = "r",
) -> Tag:
    return Tag(
        name=name, address=address, wire_type=wire_type, order=order, scan_ms=scan_ms, access=access
    )


def device(name: str, unit: int, tags: Sequence[Tag], **options: object) -> Device:
    return Device(
        name=name,
        options=DeviceOptions.model_validate({"unit": unit, **options}),
        tags=tuple(tags),
    )


def definition(device: Device) -> DeviceDefinition:
    """The same device as a plant file would define it, unscaled."""
    metrics = tuple(
        Metric(id=t.name, name=t.name, datatype=WIRE_TYPES[t.wire_type].datatype)
        for t in device.tags
    )
    return DeviceDefinition(
        name=device.name, description="", options=device.options, tags=device.tags, metrics=metrics
    )


def endpoint(url: str, devices: Sequence[Device], timeout_ms: int = 500) -> Endpoint:
    return Endpoint(
        name="link", url=url, options=LinkOptions(timeout=timeout_ms), devices=tuple(devices)
    )
