"""The node's metrics about commands: what a SCADA system sees of its own writes.

``Commands/DEVICE/METRIC`` carries the result of the last command for each metric that may be
written, as JSON: a device that is down may send nothing, so the node tells it.
"""

from collections.abc import Sequence

from bridge.commands.permits import Permits
from mappings.datatypes import DataType
from mappings.plant.definitions import Plant
from mappings.tags import Metric

GATE = "Commands/Gate"
ACCEPTED = "Commands/Accepted"
DENIED = "Commands/Denied"
LAST_DENIED = "Commands/Last denied"
AUDIT_HEAD = "Commands/Audit head"

_OWN = (
    (GATE, DataType.STRING, "open, or why commands are refused"),
    (ACCEPTED, DataType.INT64, "commands carried out since the start"),
    (DENIED, DataType.INT64, "commands refused since the start"),
    (LAST_DENIED, DataType.STRING, "the last refusal, as JSON"),
    (AUDIT_HEAD, DataType.STRING, "hash of the last record in the audit log, and its number"),
)


def result_id(device: str, metric: Metric) -> str:
    """The id of the metric that carries the results of commands for another."""
    return f"Commands/{device}/{metric.id}"


def metrics_of(plant: Plant) -> Sequence[Metric]:
    """The metrics that the node has about commands: none while the gate is closed."""
    if not plant.commands.is_open:
        return ()
    own = [
        Metric(id=name, name=name, datatype=datatype, description=text)
        for name, datatype, text in _OWN
    ]
    sources = [destination.name for destination in plant.destinations]
    results = [
        Metric(
            id=result_id(device, metric),
            name=f"Commands/{device}/{metric.name}",
            datatype=DataType.STRING,
            description=f"result of the last command for {device}/{metric.name}, as JSON",
        )
        for device, metric in Permits(plant).named_for(*sources)
    ]
    return (*own, *results)
