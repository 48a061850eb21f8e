"""Owed: answers that did not come in time and may still come, where nothing in them says to what.

An answer on a serial line names its unit, its function and how much data it has, and not the
registers. One that comes late fits a later request for as many registers of the same kind. But a
unit answers in the order in which it was asked: an answer that can only be that of a later
request proves that none before it will come. So before a unit that owes an answer is asked
something which that answer would fit, it is asked for fewer of the same registers; when that
answer is here, nothing is owed. Where there are none fewer, silence has to do.

Pure; times are seconds of a clock that never jumps.
"""

from drivers.modbus.connection import Request

FORGET_S = 60.0
"""An answer that has not come for so long will not come."""


class Owed:
    """The requests that each unit has left unanswered."""

    __slots__ = ("_by_unit",)

    def __init__(self) -> None:
        self._by_unit: dict[int, list[tuple[Request, float]]] = {}

    def missed(self, request: Request, now_s: float) -> None:
        """No answer came in time."""
        self._by_unit.setdefault(request.unit, []).append((request, now_s))

    def answered(self, request: Request, now_s: float) -> None:
        """An answer came that fits ``request`` and nothing else that is owed.

        If the same was asked before, it may have been the answer to that: then one is owed still.
        """
        owed = self._of(request.unit, now_s)
        self.settle(request.unit)
        if request in owed:
            self.missed(request, now_s)

    def settle(self, unit: int) -> None:
        """The unit owes nothing any more."""
        self._by_unit.pop(unit, None)

    def is_ambiguous(self, request: Request, now_s: float) -> bool:
        """Whether data that fits ``request`` may be an answer about other registers."""
        return any(
            other.shape == request.shape and other != request
            for other in self._of(request.unit, now_s)
        )

    def may_be_refusal(self, request: Request, now_s: float) -> bool:
        """Whether an exception that fits ``request`` may be meant for another one."""
        return any(
            other.code == request.code and other != request
            for other in self._of(request.unit, now_s)
        )

    def settling(self, request: Request, now_s: float) -> Request | None:
        """A request for a part of the same place whose answer fits nothing that is owed."""
        if request.data:
            return None
        sizes = {o.size for o in self._of(request.unit, now_s) if o.code == request.code}
        for count in range(request.count - 1, 0, -1):
            part = Request(
                request.unit, request.code, request.first, count, request.any_transaction
            )
            if part.size not in sizes:
                return part
        return None

    def last_s(self, unit: int) -> float:
        """When the last of a unit's answers was missed; 0 if it owes nothing."""
        owed = self._by_unit.get(unit)
        return owed[-1][1] if owed else 0.0

    def _of(self, unit: int, now_s: float) -> list[Request]:
        owed = self._by_unit.get(unit)
        if not owed:
            return []
        kept = [(request, at_s) for request, at_s in owed if now_s - at_s < FORGET_S]
        if len(kept) < len(owed):
            self._by_unit[unit] = kept
        return [request for request, _ in kept]
