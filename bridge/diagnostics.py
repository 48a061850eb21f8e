"""The edge node's own health as metrics: what a SCADA system should show beside the values.

They belong to the node (device ``""``), go the way of all values, through mapper and outbox, and
appear in NBIRTH and NDATA under ``Diagnostics/``. With several destinations the numbers are sums.
"""

from collections.abc import Sequence

from bridge.commands.node_metrics import metrics_of as command_rows
from bridge.outbox.outbox import Outbox
from bridge.sparkplug.image import NODE
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.plant.definitions import Plant
from mappings.tags import Metric

_PERIOD_MS = 5_000

_ROWS = (
    ("Diagnostics/Devices", "devices in the plant file"),
    ("Diagnostics/Devices up", "devices that answer"),
    ("Diagnostics/Outbox/Buffered", "samples that wait to be delivered"),
    ("Diagnostics/Outbox/Evicted", "samples given up because the outbox was full"),
    ("Diagnostics/Outbox/Quarantined", "samples in damaged parts of the outbox"),
)


class Diagnostics:
    """Samples health every five seconds; the mapper publishes what changed."""

    def __init__(self, plant: Plant) -> None:
        wanted = any(d.edge_node.diagnostics != "none" for d in plant.destinations)
        self.metrics = tuple(
            Metric(id=name, name=name, datatype=DataType.INT64, description=text)
            for name, text in (_ROWS if wanted else ())
        )
        self.devices_up = 0
        self.devices = len(plant.devices)
        self._points = tuple(range(len(self.metrics)))
        self._next_ms = 0

    def sample(self, outboxes: Sequence[Outbox], now_ms: int) -> Batch | None:
        """A batch of device ``""`` when it is time for one."""
        if not self.metrics or self._next_ms - _PERIOD_MS <= now_ms < self._next_ms:
            return None
        self._next_ms = now_ms + _PERIOD_MS
        ledgers = [outbox.ledger for outbox in outboxes]
        values = [
            self.devices,
            self.devices_up,
            sum(ledger.buffered for ledger in ledgers),
            sum(ledger.evicted for ledger in ledgers),
            sum(ledger.quarantined for ledger in ledgers),
        ]
        return Batch(NODE, self._points, values, [now_ms] * len(values))


def rows_of(plant: Plant) -> dict[str, Sequence[Metric]]:
    """The metrics of all devices by name, and of the edge node itself (device ``""``)."""
    rows: dict[str, Sequence[Metric]] = {device.name: device.metrics for device in plant.devices}
    rows[NODE] = node_rows(plant)
    return rows


def node_rows(plant: Plant) -> Sequence[Metric]:
    """The metrics of the node itself: its health, and what became of commands."""
    return (*Diagnostics(plant).metrics, *command_rows(plant))
