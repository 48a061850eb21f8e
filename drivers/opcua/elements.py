"""Elements: which part of a node's value a row means, read without a server.

::

    element = { "." field | "[" index { "," index } "]" } [ "[" first ":" last "]" | "[:]" ]

``[3]`` is one element, counted from 0, ``[0:9]`` the ten from 0 to 9 (both included, as in OPC UA's
NumericRange), ``[:]`` all of an array, ``.Motor.Current`` a field of a structure, and they combine:
``[2].Speed``, ``.Curve[0:9]``. A field whose name has a ``.`` or ``[`` stands in quotes:
``."Motor 1.2"``. A range yields an array; it stands at the end.
"""

import re
from dataclasses import dataclass

from mappings.errors import Fault

MOST_ELEMENTS = 100_000
"""The longest range that can be written: a longer one is a slip of the keyboard."""

_STEP = re.compile(
    r"""\.(?:"(?P<quoted>[^"]+)"|(?P<field>[^.\[\]"]+))
      |\[(?P<indexes>[0-9]{1,9}(?:,[0-9]{1,9})*)\]
      |\[(?P<first>[0-9]{1,9}):(?P<last>[0-9]{1,9})\]
      |(?P<all>\[:\])""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Range:
    """Elements from ``first`` to ``last``, both included; ``last`` None is the end."""

    first: int
    last: int | None


Step = str | int | Range
"""A field's name, an index, a range."""


def parse_element(text: str) -> tuple[Step, ...] | Fault:
    """The steps from a node's value to what the row means; none for the whole value."""
    steps: list[Step] = []
    end = 0
    while end < len(text):
        step = _STEP.match(text, end)
        if step is None:
            return _fault(text, "cannot be read", _GRAMMAR)
        if steps and isinstance(steps[-1], Range):
            return _fault(text, "goes on after a range", "a range stands at the end: .Curve[0:9]")
        end = step.end()
        if step["indexes"]:
            steps += [int(index) for index in step["indexes"].split(",")]
        elif step["first"]:
            first, last = int(step["first"]), int(step["last"])
            if not first < last < first + MOST_ELEMENTS:
                return _fault(text, "is no range", "write [0:9] for ten elements, [3] for one")
            steps.append(Range(first, last))
        elif step["all"]:
            steps.append(Range(0, None))
        else:
            steps.append((step["quoted"] or step["field"]).strip())
    return tuple(steps)


_GRAMMAR = "write [3], [0:9], .Motor.Current or [2].Speed; leave it empty for the whole value"


def _fault(text: str, what: str, remedy: str) -> Fault:
    return Fault(code="E428", field="element", seen=f"element {text!r} {what}", remedy=remedy)
