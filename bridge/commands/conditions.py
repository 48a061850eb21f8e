"""Conditions on a command: a metric of the plant compared with a value; pure.

A condition on a metric that is not GOOD, or that was never read, is false: what nobody knows lets
nothing through.
"""

from collections.abc import Callable
from operator import ge, gt, le, lt

from mappings.batch import Value
from mappings.datatypes import TEXTS, DataType
from mappings.plant.permissions import Condition
from mappings.quality import GOOD
from mappings.tags import Metric

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "above": gt, "below": lt, "at_least": ge, "at_most": le,
}  # fmt: skip


def holds(condition: Condition, metric: Metric, value: Value, quality: int) -> bool:
    """Whether a condition is true of its metric's published value; never of ``becomes``."""
    if quality != GOOD or value is None or isinstance(value, tuple):
        return False
    wanted = condition.value
    if condition.code is not None and metric.datatype not in TEXTS:
        # Of an enum that is published as its number.
        is_bool = metric.datatype is DataType.BOOLEAN
        wanted = bool(condition.code) if is_bool else condition.code
    if condition.comparison in {"is", "is_not"}:
        # Yes and 1 are equal in Python, not in a plant.
        same = value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
        return same is (condition.comparison == "is")
    order = _ORDERS.get(condition.comparison)
    if order is None or isinstance(value, str | bytes) or isinstance(wanted, str):
        return False
    return order(value, wanted)


def said(condition: Condition) -> str:
    """A condition as people write it: ``Boiler/State is not Lockout``."""
    words = condition.comparison.replace("_", " ")
    value = condition.value
    shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return f"{condition.device}/{condition.metric} {words} {shown}"
