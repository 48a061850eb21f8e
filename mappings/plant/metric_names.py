"""Metrics by name: ``DEVICE/METRIC`` in conditions, permissions and rules, and patterns of them.

A device's name has no slash, so the first one ends it. In a pattern ``*`` stands for one name or
a part of it, ``**`` for any number of them.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Pairs
from dataclasses import dataclass
from functools import lru_cache

from mappings.errors import nearest
from mappings.plant.driver_blocks import DeviceDraft
from mappings.plant.problems import Place, Report
from mappings.tags import Metric


@dataclass(frozen=True, slots=True)
class Named:
    """A metric with the name of its device; ``metric`` is None where its row is wrong."""

    device: str
    name: str
    metric: Metric | None

    @property
    def path(self) -> str:
        """As it is written: ``DEVICE/METRIC``."""
        return f"{self.device}/{self.name}"


class MetricNames:
    """All metrics of a plant; not ``complete`` where some names could not be read."""

    def __init__(
        self,
        devices: Iterable[DeviceDraft],
        enums: Pairs[str, tuple[tuple[int, str], ...] | None],
        *,
        complete: bool,
    ) -> None:
        self.enums = enums
        self.complete = complete
        self.by_path: dict[str, Named] = {}
        for device in devices:
            known = {metric.name: metric for metric in device.metrics}
            for name in device.named:
                found = Named(device.name, name, known.get(name))
                self.by_path[found.path] = found

    def find(self, text: str, place: Place, path: str, report: Report) -> Named | None:
        """The metric of a name; None with a problem in the report, or if that follows."""
        found = self.by_path.get(text)
        if found is None and self.complete:
            device, slash, _ = text.partition("/")
            meant = nearest(text, self.by_path)
            hint = f"did you mean {meant!r}? " if meant else ""
            devices = dict.fromkeys(named.device for named in self.by_path.values())
            if not slash:
                hint = hint or "write DEVICE/METRIC: "
            if device not in devices:
                there = f"devices here: {', '.join(devices)}"
            else:
                inside = [n.name for n in self.by_path.values() if n.device == device]
                there = f"metrics of {device!r}: {', '.join(inside[:8])}"
                there += ", …" if len(inside) > 8 else ""
            report.add("E221", place, f"{path}: no metric {text!r}", f"{hint}{there}")
        return found

    def matching(self, pattern: str) -> list[Named]:
        """The metrics that a pattern means."""
        if "*" not in pattern:
            found = self.by_path.get(pattern)
            return [found] if found is not None else []
        expression = expression_of(pattern)
        return [named for path, named in self.by_path.items() if expression.fullmatch(path)]

    def check_pattern(self, pattern: str, place: Place, path: str, report: Report) -> list[Named]:
        """The metrics of a pattern; that there is none is a problem."""
        found = self.matching(pattern)
        if not found and self.complete:
            if "*" not in pattern:
                self.find(pattern, place, path, report)
                return []
            remedy = "patterns are DEVICE/METRIC with * for one name and ** for any number of them"
            report.add("E224", place, f"{path}: {pattern!r} matches no metric", remedy)
        return found

    def enum_of(self, named: Named) -> str:
        """The name of a metric's enum under ``enums:``, empty if it has none."""
        assert named.metric is not None
        texts = named.metric.enum
        return next((name for name, own in self.enums.items() if own == texts), "")


@lru_cache(maxsize=512)
def expression_of(pattern: str) -> re.Pattern[str]:
    """What matches exactly the paths ``DEVICE/METRIC`` that a pattern means."""
    parts = re.split(r"(\*+)", pattern)
    stars = {"": "", "*": "[^/]*"}
    return re.compile(
        "".join(
            stars.get(part, ".*") if part.startswith("*") else re.escape(part) for part in parts
        )
    )
