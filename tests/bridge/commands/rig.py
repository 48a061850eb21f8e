"""A commander over a plant whose devices are stood in for, and a clock that is set by hand.

The devices only note what is written: whether they obey is the drivers' tests' matter. Plant, gate,
audit log and files are real.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.clock import SystemClock
from bridge.commands.commander import Commander
from bridge.commands.words import Approved, Command, Denied
from bridge.diagnostics import rows_of
from bridge.sparkplug.payload import CommandMetric
from drivers.registry import load_drivers
from mappings.batch import Batch, Value
from mappings.catalog import Catalog
from mappings.plant.definitions import Plant
from mappings.plant.reader import read_plant

PLANT = """\
tagbridge: 1
edge_node: {group: G, name: n}
destinations:
  scada: {servers: ["mqtt://a"]}
  mes: {servers: ["mqtt://b"], edge_node: {name: m}}
enums: {mode: {0: Off, 2: Auto, 7: Hand}}
devices:
  Pump:
    modbus: {endpoint: "tcp://127.0.0.1:1502", unit: 1}
    tags:
      - {name: Ready, address: C1, type: bool}
      - {name: On, address: C2, type: bool, access: rw}
      - {name: Setpoint/Speed, address: HR1, type: int16, scale: 0.1, low: 0, high: 60, access: rw}
      - {name: Setpoint/Level, address: HR2, type: float32, low: -10, high: 10, access: rw}
      - {name: Setpoint/Count, address: HR4, type: int32, low: -99, high: 99, access: rw,
         write_low: -5}
      - {name: Setpoint/Mode, address: HR6, type: uint16, enum: mode, metric_type: String,
         access: rw}
      - {name: Setpoint/Code, address: HR7, type: uint16, enum: mode, access: rw}
      - {name: Actual, address: IR1, type: int16, scale: 0.1}
      - {name: Service/Key, address: HR8, type: uint16, low: 0, high: 9, access: rw}
commands:
  gate: open
  max_age: 2s
  readback: 10ms
  allow:
    - {destination: scada, write: [Pump/Setpoint/*], only_if: [{metric: Pump/Ready, is: yes}],
       rate: 5/s}
    - {destination: scada, write: [Pump/On]}
    - {destination: mes, write: [Pump/Setpoint/Level]}
"""
START_MS = 1_795_000_000_000


class HandClock(SystemClock):
    """Two clocks that are set by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.utc_ms = START_MS
        self.steady_ms = 50_000

    def now_ms(self) -> int:
        return self.utc_ms

    def monotonic_ms(self) -> int:  # type: ignore[override]
        return self.steady_ms

    def pass_ms(self, ms: int) -> None:
        self.utc_ms += ms
        self.steady_ms += ms


class Written:
    """Devices that note what is written, and read back what was; ``down`` says why not."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, int, Value]] = []
        self.held: dict[tuple[str, int], Value] = {}
        self.down = ""
        self.error: Exception | None = None

    def unreachable(self, device: str) -> str:
        return self.down

    async def write(self, device: str, point: int, raw: Value) -> None:
        if self.error is not None:
            raise self.error
        self.writes.append((device, point, raw))
        self.held[device, point] = raw

    async def read(self, device: str, point: int) -> Batch:
        return Batch(device, (point,), [self.held.get((device, point))], [START_MS])


def plant_of(text: str, folder: Path) -> Plant:
    plant, problems = read_plant(text, str(folder / "plant.yaml"), load_drivers())
    assert plant is not None, [str(problem) for problem in problems]
    return replace(plant, outbox=replace(plant.outbox, folder=str(folder / "outbox")))


class Rig:
    """A commander; ``judged`` is all that its gate has said, ``told`` the node's metrics."""

    def __init__(self, folder: Path, text: str = PLANT) -> None:
        self.clock = HandClock()
        self.devices = Written()
        self.told: dict[str, Value] = {}
        self.tellings = 0
        self.faults: list[BaseException] = []
        self.judged: list[tuple[Command, int, Approved | Denied]] = []
        self.plant = plant_of(text, folder)
        self.catalog = Catalog((n, len(rows)) for n, rows in rows_of(self.plant).items())
        self.commander = Commander(
            self.plant, self.catalog, self.devices, self.clock, self._tell, self.faults.append
        )
        self.clock.pass_ms(10_000)
        gate = self.commander.gate
        judge = gate.judge

        def noting(command: Command, now: Any) -> Approved | Denied:
            found = judge(command, now)
            self.judged.append((command, now.steady_ms, found))
            return found

        gate.judge = noting  # type: ignore[method-assign]
        self.show("Ready", True)

    def _tell(self, values: Mapping[str, Value]) -> None:
        self.tellings += 1
        self.told.update(values)

    def point(self, name: str) -> int:
        [device] = self.plant.devices
        return next(p for p, metric in enumerate(device.metrics) if metric.name == name)

    def show(self, name: str, value: Value, quality: int = 192) -> None:
        """What the catalog has of a metric."""
        at = [self.clock.now_ms()]
        self.catalog.update(Batch("Pump", (self.point(name),), [value], at, [quality]))

    def command(self, name: str, field: str | None, value: Any, **options: Any) -> Command:
        """A command that may be carried out, but for what is said otherwise."""
        metric = CommandMetric(
            name=name, alias=None, field=field, value=value,
            datatype=options.pop("datatype", None),
            is_historical=options.pop("is_historical", False),
        )  # fmt: skip
        given = {
            "source": "scada", "device": "Pump", "sent_ms": self.clock.now_ms(),
            "correlation": "c", **options,
        }  # fmt: skip
        if "point" not in given:
            names = [metric.name for metric in self.plant.devices[0].metrics]
            given["point"] = names.index(name) if name in names else None
        return Command(metric=metric, **given)
