"""Addresses of MQTT sources: the grammar of the ``address`` column, read without a broker.

::

    address  = topic [ " " selector ]
    topic    = level { "/" level }             after the device's base; no wildcards, no empty level
    selector = "$" { "." name | "[" index "]" | "[" quoted "]" }

The selector is the part of JSONPath (RFC 9535) that names one place: names and indexes, counted
from 0. ``result $.boxes[0].class`` is in the document that is published to ``result``; a lone
``$`` is the whole document, if that is a bare number or text. A name of other than letters, digits,
``_`` and ``-`` is quoted: ``$["flow rate"]``, ``$['m³/h']``.
"""

import re
from dataclasses import dataclass

from mappings.errors import Fault

LONGEST_TOPIC = 65_535
"""Bytes of a topic name (MQTT 3.1.1, section 1.5.3)."""

_MOST_INDEX_DIGITS = 6
_BEGINS = re.compile(r"^\$(?=[.\[\s]|$)|\s+\$")  # a topic may begin with $, as $SYS does
_STEP = re.compile(
    r"""\.(?P<name>[\w-]+)
      | \[(?P<index>[0-9]+)\]
      | \["(?P<double>[^"\\]+)"\]
      | \['(?P<single>[^'\\]+)'\]""",
    re.VERBOSE,
)

Selector = tuple[str | int, ...]
"""Names and indexes from the top of a document down; empty: the document itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicAddress:
    """A topic, after the device's base, and a place in its documents; None where it has none."""

    topic: str
    selector: Selector | None


def parse(text: str) -> TopicAddress | Fault:
    """What an address names, or what is wrong with it."""
    begins = _BEGINS.search(text)
    topic = text if begins is None else text[: begins.start()]
    if not topic.strip():
        return _fault(
            "E440",
            f"{text!r} names no topic",
            "write the topic after base, then the selector: result $.defect; "
            "for the topic base itself make base one level shorter",
        )
    fault = topic_fault(topic)
    if fault is not None:
        return fault
    if begins is None:
        return TopicAddress(topic=topic, selector=None)
    selector = parse_selector(text[begins.start() :].strip())
    if isinstance(selector, Fault):
        return selector
    return TopicAddress(topic=topic, selector=selector)


def topic_fault(topic: str, *, wildcards: bool = False) -> Fault | None:
    """What is wrong with a topic, or with a filter if ``wildcards`` are allowed."""
    levels = topic.split("/")
    if "" in levels:
        return _fault(
            "E440",
            f"{topic!r} has an empty level",
            "no / at the beginning or end, and none twice",
        )
    if "\0" in topic or len(topic.encode(errors="replace")) > LONGEST_TOPIC:
        return _fault("E440", "a topic that no broker takes", "at most 65535 bytes, none of them 0")
    glued = re.search(r"\$[.\[]", topic)
    if glued is not None:
        return _fault(
            "E444",
            f"{topic!r}: no blank between topic and selector",
            f"write {topic[: glued.start()]} {topic[glued.start() :]}",
        )
    if topic != topic.strip():
        return _fault("E440", f"{topic!r} has a blank at its end", "remove it")
    wild = [level for level in levels if "+" in level or "#" in level]
    if wild and not wildcards:
        return _fault(
            "E441",
            f"{topic!r}: {wild[0]!r} is a wildcard",
            "a row is one point: write the topic out; many equal stations are instances: "
            "whose {parameters} stand in base",
        )
    if any(level not in {"+", "#"} for level in wild) or "#" in levels[:-1]:
        return _fault(
            "E441",
            f"{topic!r} is no filter",
            "+ stands for one whole level, # for all that follow and comes last",
        )
    return None


def parse_selector(text: str) -> Selector | Fault:
    """The steps of a selector such as ``$.boxes[0].class``, or what is wrong with it."""
    steps: list[str | int] = []
    at = 1
    if not text.startswith("$"):
        return _bad_selector(text, "it begins with $")
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return _bad_selector(text, _why(text[at:]))
        if step["index"] is not None:
            if len(step["index"]) > _MOST_INDEX_DIGITS:
                return _bad_selector(text, "an index has six digits at most")
            steps.append(int(step["index"]))
        else:
            steps.append(step["name"] or step["double"] or step["single"])
        at = step.end()
    return tuple(steps)


def filter_matches(pattern: str, topic: str) -> bool:
    """Whether a topic is one of a filter's (MQTT 3.1.1, section 4.7.1)."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)


def _why(rest: str) -> str:
    if rest.startswith(("..", ".*", "[*")):
        return "a row is one point: no wildcards"
    if rest.startswith("[?"):
        return "a row is one point: no filters"
    if re.match(r"\[-[0-9]", rest):
        return "indexes count from 0, from the beginning"
    if re.match(r"\[[0-9]*:", rest):
        return "a row is one point: no slices"
    if rest.isspace() or rest.startswith(" "):
        return 'a name with blanks is quoted: $["flow rate"]'
    return f'{rest!r} is neither .name, [0] nor ["name"]'


def _bad_selector(text: str, why: str) -> Fault:
    return _fault("E444", f"{text!r} is no selector: {why}", "write $.name, $.list[0].name")


def _fault(code: str, seen: str, remedy: str) -> Fault:
    return Fault(code=code, field="address", seen=seen, remedy=remedy)
