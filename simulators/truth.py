"""Truth: the log of everything that simulated devices ever served.

Simulators write into it what they put on the wire; whoever hears a value at the other end asks
it afterwards: was this value ever true at that time?
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mappings.batch import Value


@dataclass(frozen=True, slots=True)
class Stretch:
    """A value and the time for which it was true, both ends included."""

    value: Value
    from_ms: int
    until_ms: int


class Truth:
    """Everything that simulated devices have ever served: raw values of tags, with their times.

    Simulators write (`serve`), tests ask. A value that stays is one stretch that grows.
    """

    def __init__(self) -> None:
        self._stretches: defaultdict[tuple[str, str], list[Stretch]] = defaultdict(list)

    def serve(
        self, device: str, tag: str, value: Value, from_ms: int, until_ms: int | None = None
    ) -> None:
        """Write down that ``value`` was true from ``from_ms`` to ``until_ms`` and was served."""
        end_ms = from_ms if until_ms is None else until_ms
        known = self._stretches[device, tag]
        if known and _same(known[-1].value, value):
            known[-1] = Stretch(value, known[-1].from_ms, max(end_ms, known[-1].until_ms))
        else:
            known.append(Stretch(value, from_ms, end_ms))

    def stretches(self, device: str, tag: str) -> tuple[Stretch, ...]:
        """All that was served of one tag, in order."""
        return tuple(self._stretches.get((device, tag), ()))

    def was(self, device: str, tag: str, value: Value, t_ms: int, tolerance_ms: int = 0) -> bool:
        """Whether ``value`` was served as true at ``t_ms``, give or take ``tolerance_ms``."""
        known = self._stretches.get((device, tag), [])
        after = bisect_right(known, t_ms + tolerance_ms, key=lambda s: s.from_ms)
        for stretch in reversed(known[:after]):
            if stretch.until_ms < t_ms - tolerance_ms:
                return False
            if _same(stretch.value, value):
                return True
        return False

    def last(self, device: str) -> Mapping[str, Value]:
        """The last served value of each tag of a device."""
        return {
            tag: known[-1].value
            for (owner, tag), known in self._stretches.items()
            if owner == device and known
        }

    def tags(self) -> Iterable[tuple[str, str]]:
        """Device and tag name of everything that was ever served."""
        return tuple(key for key, known in self._stretches.items() if known)


def _same(one: Value, other: Value) -> bool:
    """Equal, and of one kind (True is not 1); NaN equals NaN."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return one == other or (one != one and other != other)  # noqa: PLR0124  NaN is unlike itself
