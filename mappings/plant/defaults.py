"""Defaults: what rows get where they say nothing; the nearest wins.

A row's own cell comes first, then its template, the device or machine that it is in, the plant.
"""

from mappings.plant.blocks import read_block
from mappings.plant.columns import DefaultCells
from mappings.plant.expansion import Values, filled, has_braces
from mappings.plant.nodes import Mapping, Node
from mappings.plant.problems import Report
from mappings.plant.rows import Defaults
from mappings.plant.scans import ScanTimes, scan_time


class DefaultReader:
    """Reads ``defaults:`` sections; one that says the same for all instances is read once."""

    def __init__(self, scans: ScanTimes, report: Report) -> None:
        self.scans = scans
        self.report = report
        self._read: dict[tuple[int, int], tuple[Node, Defaults, Defaults]] = {}

    def read(
        self, node: Node | None, path: str, values: Values | None, above: Defaults
    ) -> Defaults:
        """What holds below ``defaults:`` at ``path``, where ``above`` holds around it."""
        if node is None:
            return above
        if values is not None and has_braces(node):
            return read_defaults(
                filled(node, values, self.report), path, self.scans, above, self.report
            )
        key = id(node), id(above)
        if key not in self._read:
            found = read_defaults(node, path, self.scans, above, self.report)
            self._read[key] = node, above, found
        return self._read[key][2]


def read_defaults(
    node: Node | None, path: str, scans: ScanTimes, above: Defaults, report: Report
) -> Defaults:
    """A ``defaults:`` section over the defaults of the level above."""
    if node is None:
        return above
    cells = read_block(DefaultCells, node, path, report)
    if cells is None or not isinstance(node, Mapping):
        return above
    scan_ms = above.scan_ms
    if cells.scan is not None:
        scan = node.get("scan")
        spot = scan.spot if scan else node.spot
        scan_ms = scan_time(cells.scan, scans, spot, f"{path}.scan", report)
    return Defaults(
        scan_ms=scan_ms,
        deadband=above.deadband if cells.deadband is None else cells.deadband,
        max_silence_ms=(above.max_silence_ms if cells.max_silence is None else cells.max_silence),
    )
