"""Faults: what somebody else found, a driver above all, told at its place.

Whoever judges an address knows neither the plant's name nor where rows stand; they leave marks
such as ``{link}`` and ``{other}`` in their texts, which are filled in here.
"""

from mappings.errors import Fault
from mappings.plant.problems import Place, Report, beside, shell_word


def tell_fault(
    fault: Fault,
    place: Place,
    report: Report,
    *,
    device: str = "",
    link: str = "",
    other: Place | None = None,
    of_link: bool = False,
) -> None:
    """Report a fault of a row, or with ``of_link`` one between the devices of a link.

    ``other`` is the place of the other row or device that it is about.
    """
    seen = fault.seen.replace("{link}", link) if of_link else fault.seen
    remedy = fault.remedy
    if other is not None:
        remedy = remedy.replace("{other}", beside(other, place))
    ahead = fault.next.replace("{link}", shell_word(link)).replace("{device}", shell_word(device))
    report.add(fault.code, place, seen, remedy, ahead)
