"""Naming: how a destination calls metrics, by its pattern ``metric_names``; pure.

Hosts that build their namespace from metric names want the plant's levels in them:
``{area}/{line}/{metric}``. A level that nobody named leaves no folder behind. The identity of a
metric, its id and alias, does not change with its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric

PLAIN = "{metric}"
"""The pattern that leaves names as they are."""


def named(
    pattern: str, metrics: Mapping[str, Sequence[Metric]], devices: Iterable[DeviceDefinition]
) -> Mapping[str, Sequence[Metric]]:
    """The metrics of all devices with the names that one destination shows.

    The edge node's own (device ``""``) keep theirs: hosts know them by it.
    """
    if pattern == PLAIN:
        return metrics
    shown = dict(metrics)
    for device in devices:
        levels = {**asdict(device.place), "device": device.name}
        shown[device.name] = [
            replace(metric, name=_name(pattern, {**levels, "metric": metric.name}))
            for metric in metrics[device.name]
        ]
    return shown


def _name(pattern: str, words: Mapping[str, str]) -> str:
    text = pattern
    for key, word in words.items():
        if key != "metric":
            text = text.replace(f"{{{key}}}", word)
    folders = (folder for folder in text.split("/") if folder)
    return "/".join(folders).replace(PLAIN, words["metric"])
