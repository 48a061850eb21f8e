"""Recorded Modbus responses: a thousand floats of one unit, all different in each scan."""

import random
import struct
from dataclasses import dataclass
from fractions import Fraction

from drivers.modbus.blocks import Block
from drivers.modbus.config import DeviceOptions
from drivers.modbus.planning import plan_device
from mappings.datatypes import DataType
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Device, Metric, Tag

COUNT = 1000
SCAN_MS = 1000


def device() -> DeviceDefinition:
    """Input registers 0 to 1999 as float32, scaled by a tenth, with a deadband."""
    return DeviceDefinition(
        name="Device",
        description="",
        options=DeviceOptions.model_validate({"unit": "1"}),
        tags=tuple(
            Tag(name=f"Value {n}", address=f"input:{2 * n}", wire_type="float32", scan_ms=SCAN_MS)
            for n in range(COUNT)
        ),
        metrics=tuple(
            Metric(
                id=f"Value {n}", name=f"Value {n}", datatype=DataType.DOUBLE,
                scale=Fraction(1, 10), deadband=0.001,
            )
            for n in range(COUNT)
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recording:
    """``scans[s][b]`` is the response to block b in scan s, what follows its byte count."""

    blocks: tuple[Block, ...]
    scans: list[list[bytes]]

    @property
    def sizes(self) -> list[int]:
        return [block.size for block in self.blocks]

    @property
    def values(self) -> int:
        return len(self.scans) * COUNT


def record(scans: int, seed: int = 1) -> Recording:
    """A recording; neighbouring scans differ in every value by more than the deadband."""
    rng = random.Random(seed)
    made = device()
    blocks = plan_device(Device(name=made.name, options=made.options, tags=made.tags))[SCAN_MS]
    out = []
    level = [rng.uniform(-1000, 1000) for _ in range(COUNT)]
    for scan in range(scans):
        shift = 1.0 if scan % 2 else 2.0
        values = iter(value + shift + rng.random() / 4 for value in level)
        out.append(
            [
                struct.pack(f">{block.count // 2}f", *[next(values) for _ in block.rows])
                for block in blocks
            ]
        )
    return Recording(tuple(blocks), out)
