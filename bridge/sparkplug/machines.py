"""Machines: metrics of one template shown as one Sparkplug Template (a UDT), not as a folder.

Which points belong together follows from the rows (`mappings.tags.Part`); a machine that has rows
beside those of its template stays a folder, because a folder is no metric. Definitions stand in the
NBIRTH as ``_types_/TEMPLATE``, where the hosts of the field look for them; instances have their
name and no alias, in births with all members, in data with those that have something new.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.sparkplug.encoder import DeviceEncoder, Records
from bridge.sparkplug.fields import (
    IS_HISTORICAL,
    METRIC_KEYS,
    SEQ,
    TIMESTAMP,
    name_field,
    template_field,
    varint,
)
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.tags import Metric

_KINDS = {"integer": DataType.INT64, "number": DataType.DOUBLE}
NEUTRAL: Mapping[DataType, int | float | str] = {
    DataType.INT64: 0,
    DataType.DOUBLE: 0.0,
    DataType.STRING: "",
}
"""What a definition says of its parameters: decoders in the field want a value of each."""

Members = tuple[tuple[str, DataType], ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine: its name, its definition, its points in their order, and its parameters."""

    name: str
    definition: str
    points: tuple[int, ...]
    parameters: tuple[tuple[str, DataType, int | float | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A template: the name of its metric, its members, and its parameters with their types."""

    name: str
    members: Members
    parameters: tuple[tuple[str, DataType], ...] = ()


def machines_of(
    metrics: Mapping[str, Sequence[Metric]],
) -> tuple[list[Definition], dict[str, list[Instance]]]:
    """The definitions of a node, and the instances of each device.

    All instances of a template have the members of its first one, or they stay folders.
    """
    definitions: dict[str, Definition] = {}
    instances: dict[str, list[Instance]] = {}
    for device, rows in metrics.items():
        instances[device] = []
        for name, points in _together(rows).items():
            part = rows[points[0]].part
            assert part is not None
            members = tuple((_member(rows[point]), rows[point].datatype) for point in points)
            parameters = tuple(_parameter(*one) for one in part.parameters)
            definition = definitions.setdefault(
                part.template,
                Definition(
                    f"_types_/{part.template}",
                    members,
                    tuple((word, kind) for word, kind, _ in parameters),
                ),
            )
            if definition.members == members:
                instances[device].append(Instance(name, definition.name, tuple(points), parameters))
    used = {instance.definition for found in instances.values() for instance in found}
    return [d for d in definitions.values() if d.name in used], instances


def _member(metric: Metric) -> str:
    assert metric.part is not None
    return metric.part.member


def _together(rows: Sequence[Metric]) -> dict[str, list[int]]:
    """The points of each machine by its name, without those whose folder has other rows, too."""
    found: dict[str, list[int]] = {}
    others: list[str] = []
    for point, metric in enumerate(rows):
        if not metric.published:
            continue
        name, dot, _ = metric.name.rpartition("/" + (metric.part.member if metric.part else ""))
        if metric.part is not None and dot and metric.name == f"{name}/{metric.part.member}":
            found.setdefault(name, []).append(point)
        else:
            others.append(metric.name)
    folders = {"/".join(name.split("/")[:n]) for name in others for n in range(1, 99)}
    return {name: points for name, points in found.items() if name not in folders}


def _parameter(name: str, kind: str, text: str) -> tuple[str, DataType, int | float | str]:
    datatype = _KINDS.get(kind, DataType.STRING)
    if datatype is DataType.INT64:
        return name, datatype, int(text)
    if datatype is DataType.DOUBLE:
        return name, datatype, float(text.replace(",", "."))
    return name, datatype, text


class MachineEncoder(DeviceEncoder):
    """A `DeviceEncoder` of a device with machines: their members go into Templates."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        aliases: Sequence[int] | None,
        instances: Iterable[Instance],
        *,
        null_if_bad: bool = False,
    ) -> None:
        super().__init__(metrics, aliases, null_if_bad=null_if_bad)
        self._machine: dict[int, tuple[bytes, bytes]] = {}
        most = 0
        for instance in instances:
            name = name_field(instance.name)
            head = template_field(instance.definition)
            for point in instance.points:
                self._machine[point] = (name, head)
                self._names[point] = name_field(_member(metrics[point]))
            most = max(most, len(name) + len(head) + 40)
        self._weight = max(map(len, self._names), default=0) + self._beside + most

    def encode_all(self, records: Records, *, timestamp_ms: int, seq: int) -> bytes:
        """See `DeviceEncoder.encode_all`."""
        parts = [TIMESTAMP, varint(timestamp_ms)]
        for batch, historical in records:
            for piece, machine in self._pieces(batch):
                metrics = self.metrics(piece, historical=historical)
                if machine is not None:
                    metrics = _instance(*machine, piece.times_ms[0], metrics, historical=historical)
                parts += metrics
        parts += (SEQ, varint(seq))
        return b"".join(parts)

    def _pieces(self, batch: Batch) -> Iterable[tuple[Batch, tuple[bytes, bytes] | None]]:
        """Runs of rows of one machine and time, which are one metric; and of no machine."""
        start, size = 0, len(batch)
        while start < size:
            machine = self._machine.get(batch.points[start])
            time_ms = batch.times_ms[start]
            seen = {batch.points[start]}
            stop = start + 1
            while stop < size and self._machine.get(batch.points[stop]) is machine:
                point = batch.points[stop]
                if machine is not None and (batch.times_ms[stop] != time_ms or point in seen):
                    break
                seen.add(point)
                stop += 1
            yield batch if stop - start == size else batch.part(start, stop), machine
            start = stop


def _instance(
    name: bytes, head: bytes, time_ms: int, members: Iterable[bytes], *, historical: bool
) -> list[bytes]:
    """A Template metric out of its members, which are written like metrics of a payload."""
    template = b"".join((*members, head))
    past = IS_HISTORICAL if historical else b""
    content = b"".join((name, varint(time_ms), past, b"\x92\x01", varint(len(template))))
    return [METRIC_KEYS[len(content) + len(template)], content, template]
