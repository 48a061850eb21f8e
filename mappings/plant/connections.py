"""Connections: the links that run, with the devices behind each, out of what was drafted."""

from collections.abc import Iterable

from mappings.plant.definitions import DeviceDefinition, LinkDefinition
from mappings.plant.driver_blocks import DeviceDraft
from mappings.plant.links import LinkDraft


def running_links(
    links: dict[str, LinkDraft], devices: list[DeviceDraft]
) -> tuple[LinkDefinition, ...]:
    """The links with devices in service: shared ones in the order of the file, then own ones."""
    running = [device for device in devices if device.in_service]
    own = [device.link for device in running if device.link is not None and device.link.own]
    behind: dict[int, list[DeviceDefinition]] = {}
    for device in running:
        if device.options is not None:
            behind.setdefault(id(device.link), []).append(_device(device))
    found = (_link(link, behind.get(id(link), ())) for link in [*links.values(), *own])
    return tuple(link for link in found if link is not None)


def _device(draft: DeviceDraft) -> DeviceDefinition:
    assert draft.options is not None
    return DeviceDefinition(
        name=draft.name,
        description=draft.description,
        options=draft.options,
        tags=tuple(draft.tags),
        metrics=tuple(draft.metrics),
        place=draft.place,
        places=tuple(draft.places),
    )


def _link(draft: LinkDraft, behind: Iterable[DeviceDefinition]) -> LinkDefinition | None:
    devices = tuple(behind)
    if not devices or draft.driver is None or draft.options is None:
        return None
    return LinkDefinition(
        name=draft.name,
        driver=draft.driver.name,
        endpoint=draft.endpoint,
        options=draft.options,
        devices=devices,
        login=draft.login,
        certificate=draft.certificate,
        down_after_ms=draft.down_after_ms,
    )
