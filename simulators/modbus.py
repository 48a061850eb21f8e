"""A Modbus TCP server of several units that misbehaves on demand and remembers what it said.

It serves the rows of given devices at their addresses, in their types and orders, with the values
of seeded signals or, in counting mode, the next number for each read of a row. It shares the
address grammar alone with the driver, and writes registers by `simulators.registers`. Whole
requests are answered without giving up control, so a block is one moment's values, and `Truth`
holds exactly what was sent.

Registers that no row names answer exception 2, as many devices do.
"""

import asyncio
import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType as SimDataType
from pymodbus.simulator import SimData, SimDevice

from drivers.modbus.addresses import Address, Area, parse
from mappings.batch import Value
from mappings.plant.definitions import DeviceDefinition
from mappings.tags import Metric, Tag
from simulators.clock import wall_clock_ms
from simulators.modbus_writes import WRITES, Writes
from simulators.registers import register_count, registers_for, sent_order
from simulators.signals import Counting, Signal, raw_of, signal_for
from simulators.truth import Truth

_AREAS = {1: Area.COIL, 2: Area.DISCRETE, 3: Area.HOLDING, 4: Area.INPUT}
_READS = (
    (ReadCoilsRequest, ReadCoilsResponse),
    (ReadDiscreteInputsRequest, ReadDiscreteInputsResponse),
    (ReadHoldingRegistersRequest, ReadHoldingRegistersResponse),
    (ReadInputRegistersRequest, ReadInputRegistersResponse),
)


class UnitOptions(Protocol):
    """What the simulator needs of a device's ``modbus:`` block."""

    unit: int
    word_order: str


class _Point:
    """A row at its place: ``first`` to ``last`` in its area, both included."""

    def __init__(self, tag: Tag, address: Address, signal: Signal, metric: Metric) -> None:
        self.tag = tag
        self.area = address.area
        self.bit = address.bit
        self.first = address.first
        self.last = address.first + register_count(tag.wire_type) - 1
        self.signal = signal
        self.metric = metric

    def at(self, t_ms: int) -> Value:
        """What the device holds at ``t_ms``."""
        return raw_of(self.signal.at(t_ms), self.tag, self.metric)


class _Unit:
    """The memory of one device."""

    def __init__(self, device: DeviceDefinition, seed: int) -> None:
        options = cast("UnitOptions", device.options)
        self.name = device.name
        self.number = options.unit
        self.word_order = options.word_order
        self.points: list[_Point] = []
        for tag, metric in zip(device.tags, device.metrics, strict=True):
            address = parse(tag.address)
            assert isinstance(address, Address), f"{device.name}/{tag.name}: {address}"
            signal = signal_for(
                seed, device.name, metric.name, metric.datatype, metric.low, metric.high
            )
            self.points.append(_Point(tag, address, signal, metric))
        self.memory: dict[Area, dict[int, int]] = {area: {} for area in Area}
        for point in self.points:
            for address_ in range(point.first, point.last + 1):
                self.memory[point.area][address_] = 0
        self.held: dict[str, Value] = {}
        self.refused: list[tuple[Area, int, int, int]] = []
        self.writes = Writes()

    def is_written(self, point: _Point) -> bool:
        """Whether a master has written there, so that no signal counts any more."""
        kept = self.writes.coils if point.area is Area.COIL else self.writes.registers
        if point.area not in {Area.COIL, Area.HOLDING} or not kept:
            return False
        return any(place in kept for place in range(point.first, point.last + 1))

    def write(self, point: _Point, value: Value) -> None:
        """Put a value into the memory."""
        cells = self.memory[point.area]
        if point.area.is_bits:
            cells[point.first] = int(bool(value))
        elif point.bit is not None:
            mask = 1 << point.bit
            cells[point.first] = cells[point.first] & ~mask | (mask if value else 0)
        else:
            order = sent_order(point.tag.wire_type, point.tag.order, self.word_order)
            words = registers_for(value, point.tag.wire_type, order)
            cells.update(enumerate(words, point.first))


class ModbusSimulator:
    """A server for ``devices`` at ``host``:``port`` (0: any free port), as a context.

    ``step_ms`` is the grid of time on which signals are sampled: 250 means that values change four
    times a second. In ``counting`` mode a row's value is the number of answers that held it.
    """

    def __init__(
        self,
        devices: Iterable[DeviceDefinition],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        counting: bool = False,
        step_ms: int = 100,
        truth: Truth | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.host = host
        self.port = port
        self.truth = Truth() if truth is None else truth
        self.counting = Counting() if counting else None
        self.delay_s = 0.0
        """How long each answer takes."""
        self.requests: list[tuple[int, str, int, int]] = []
        """The last reads: unit, area, first, count. Clear it when you like."""
        self._step_ms = step_ms
        self._now_ms = now_ms
        self._units = {unit.number: unit for unit in (_Unit(d, seed) for d in devices)}
        self._by_name = {unit.name: unit for unit in self._units.values()}
        self._silent: set[str] = set()
        self._frozen = False
        self._server: Any = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def endpoint(self) -> str:
        """What a plant file calls it: ``tcp://127.0.0.1:1502``."""
        return f"tcp://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen (again), at the same port as before; OSError where the port is taken."""
        if self._server is not None:
            return
        self._server = ModbusTcpServer(
            # pymodbus wants memory for each unit; ours answers, through the request classes.
            [
                SimDevice(unit, [SimData(0, values=0, datatype=SimDataType.REGISTERS)])
                for unit in self._units
            ],
            address=(self.host, self.port),
            ignore_missing_devices=True,
            custom_pdu=_request_classes(self),
        )
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as error:  # all that pymodbus says of a port that is taken
            self._server = None
            raise OSError(errno.EADDRINUSE, f"cannot listen at {self.endpoint}") from error
        self.port = self._server.transport.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop all connections; the values stay."""
        if self._server is not None:
            server, self._server = self._server, None
            listener = server.transport
            self._drop(server)
            await server.shutdown()
            await listener.wait_closed()
        self._frozen = False

    def drop_connections(self) -> None:
        """Reset every connection; listening goes on."""
        if self._server is not None:
            self._drop(self._server)

    @staticmethod
    def _drop(server: Any) -> None:
        for connection in list(server.active_connections.values()):
            if connection.transport is not None:
                connection.transport.abort()

    def freeze(self) -> None:
        """Answer nothing any more, to anybody, until `thaw` or `stop`."""
        self._frozen = True

    def thaw(self) -> None:
        """End a freeze."""
        self._frozen = False

    def silence(self, device: str) -> None:
        """Let a unit answer nothing."""
        self._silent.add(self._by_name[device].name)

    def wake(self, device: str) -> None:
        """Let a silenced unit answer again."""
        self._silent.discard(device)

    def refuse(self, device: str, area: Area, first: int, last: int, code: int = 2) -> None:
        """Answer reads that touch these addresses (last included) with a Modbus exception."""
        self._by_name[device].refused.append((area, first, last, code))

    def allow(self, device: str) -> None:
        """Undo all `refuse` of a device."""
        self._by_name[device].refused.clear()

    def writes(self, device: str) -> Writes:
        """What was written into a unit, and how it takes writes."""
        return self._by_name[device].writes

    def hold(self, device: str, values: Mapping[str, Value]) -> None:
        """Let these tags have these raw values from now on, instead of their signals."""
        self._by_name[device].held.update(values)

    def _answer(self, unit: _Unit, code: int, first: int, count: int) -> list[int] | int:
        """The bits or registers of one read, or an exception code; no await, so one moment."""
        area = _AREAS[code]
        last = first + count - 1
        for refused, low, high, with_code in unit.refused:
            if refused is area and first <= high and low <= last:
                return with_code
        cells = unit.memory[area]
        if any(address not in cells for address in range(first, last + 1)):
            return int(ExcCodes.ILLEGAL_ADDRESS)
        now_ms = self._now_ms()
        from_ms = now_ms - now_ms % self._step_ms
        for point in unit.points:
            if point.area is not area or point.first < first or point.last > last:
                continue
            if unit.is_written(point):
                continue
            name = point.tag.name
            if name in unit.held:
                value, stretch = unit.held[name], (now_ms, now_ms)
            elif self.counting is not None:
                value, stretch = self.counting.next(unit.name, point.tag), (now_ms, now_ms)
            else:
                value = point.at(from_ms)
                stretch = (from_ms, from_ms + self._step_ms - 1)
            unit.write(point, value)
            self.truth.serve(unit.name, name, value, *stretch)
        return [cells[address] for address in range(first, last + 1)]

    async def respond(self, request: Any, response_class: Any) -> Any:
        """The response to a request; `NoSuchIdException` means silence to pymodbus.

        Writes have no ``response_class``: they make their responses themselves.
        """
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        unit = self._units.get(request.dev_id)
        if self._frozen or unit is None or unit.name in self._silent:
            raise NoSuchIdException
        if response_class is None:
            holding = unit.memory[Area.HOLDING]
            response = unit.writes.take(request, unit.memory[Area.COIL], holding)
            if response is None:
                raise NoSuchIdException
            return response
        if len(self.requests) > 100_000:
            del self.requests[:50_000]
        area = _AREAS[request.function_code]
        self.requests.append((unit.number, area.value, request.address, request.count))
        answer = self._answer(unit, request.function_code, request.address, request.count)
        if isinstance(answer, int):
            return ExceptionResponse(request.function_code, answer)
        if area.is_bits:
            return response_class(bits=[bit == 1 for bit in answer])
        return response_class(registers=answer)


def _request_classes(simulator: ModbusSimulator) -> Sequence[type]:
    """Request classes that ask the simulator instead of pymodbus's memory.

    Its memory hook (``SimDevice.action``) sees coils only in whole words, which is too coarse to
    count reads of one coil.
    """

    def made(request_class: Any, response_class: Any) -> type:
        async def datastore_update(self: Any, _context: Any, _device_id: int) -> Any:
            return await simulator.respond(self, response_class)

        return type(
            request_class.__name__, (request_class,), {"datastore_update": datastore_update}
        )

    return [made(*classes) for classes in (*_READS, *((write, None) for write in WRITES))]
