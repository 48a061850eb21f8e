"""What masters write into a simulated Modbus unit: kept, remembered in order, refused on demand.

Functions 5, 6, 15, 16 and 22 by pymodbus's own request classes, so that what the driver sends is
understood by somebody else. What was written stands over a row's signal from then on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.bit_message import (
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    MaskWriteRegisterResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

WRITES = (
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    MaskWriteRegisterRequest,
)
_COILS = frozenset({5, 15})


@dataclass(slots=True)
class Writes:
    """The writes of one unit. ``done`` are (function, first, what) in their order.

    ``unknown`` functions are refused with exception 1, ``refusal`` (0: none) refuses all. A unit
    that is ``deaf`` acknowledges and changes nothing; with ``silent`` it does and says nothing.
    """

    coils: dict[int, int] = field(default_factory=dict)
    registers: dict[int, int] = field(default_factory=dict)
    done: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)
    refusal: int = 0
    deaf: bool = False
    silent: bool = False

    def take(self, request: Any, coils: dict[int, int], registers: dict[int, int]) -> Any:
        """Carry out a request over what the unit's ``coils`` and ``registers`` hold now.

        The response; None for silence.
        """
        code = request.function_code
        cells, kept = (coils, self.coils) if code in _COILS else (registers, self.registers)
        if code in self.unknown:
            return ExceptionResponse(code, 1)
        if self.refusal:
            return ExceptionResponse(code, self.refusal)
        values = list(_values(request, cells))
        places = range(request.address, request.address + len(values))
        if any(place not in cells for place in places):
            return ExceptionResponse(code, 2)
        self.done.append((code, request.address, tuple(values)))
        if not self.deaf:
            kept.update(zip(places, values, strict=True))
            cells.update(zip(places, values, strict=True))
        return None if self.silent else _response(request)


def _values(request: Any, cells: dict[int, int]) -> Iterator[int]:
    if isinstance(request, MaskWriteRegisterRequest):
        held = cells.get(request.address, 0)
        yield held & request.and_mask | request.or_mask & ~request.and_mask
    elif request.function_code in _COILS:
        count = request.count if request.function_code == 15 else 1
        yield from map(int, request.bits[:count])
    else:
        yield from request.registers


def _response(request: Any) -> Any:
    who = {"dev_id": request.dev_id, "transaction_id": request.transaction_id}
    match request.function_code:
        case 5:
            return WriteSingleCoilResponse(address=request.address, bits=request.bits[:1], **who)
        case 6:
            return WriteSingleRegisterResponse(
                address=request.address, registers=request.registers, **who
            )
        case 15:
            return WriteMultipleCoilsResponse(address=request.address, count=request.count, **who)
        case 16:
            return WriteMultipleRegistersResponse(
                address=request.address, count=request.count, **who
            )
    return MaskWriteRegisterResponse(
        address=request.address, and_mask=request.and_mask, or_mask=request.or_mask, **who
    )
