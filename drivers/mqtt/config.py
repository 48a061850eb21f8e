"""What a plant file may say about an MQTT source: the keys of a link and the keys of a device.

The link is the connection to the broker: endpoint, login, certificates. The device is what is read
through it: its topics, the format of their payloads, how it is noticed that it is gone. A device
with an endpoint of its own has both sets of keys in its block. Durations are milliseconds here.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from drivers.mqtt.addresses import (
    Selector,
    filter_matches,
    parse_selector,
    topic_fault,
)
from mappings.errors import Fault
from mappings.plant.scalars import Duration, Text, WholeNumber, lasting, refusal

FORMATS = ("json", "text", "bytes")
_NOT_BUILT = ("cbor", "sparkplug")


def _format(word: str) -> str:
    if word in _NOT_BUILT:
        raise refusal(
            "E447", f"format {word!r} is not built in this release", f"one of {', '.join(FORMATS)}"
        )
    return word


Format = Annotated[Literal["json", "text", "bytes", "cbor", "sparkplug"], AfterValidator(_format)]


def _refused(fault: Fault) -> Exception:
    return refusal(fault.code, fault.seen, fault.remedy)


def _selector(text: str) -> str:
    found = parse_selector(text)
    if isinstance(found, Fault):
        raise _refused(found)
    return text


def _topic(text: str) -> str:
    fault = topic_fault(text)
    if fault is not None:
        raise _refused(fault)
    return text


def _filters(topics: dict[str, "TopicOptions"]) -> dict[str, "TopicOptions"]:
    for written in topics:
        fault = topic_fault(written, wildcards=True)
        if fault is not None:
            raise _refused(fault)
    return topics


class Block(BaseModel):
    """A mapping of the driver's block: its keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsOptions(Block):
    """``ca``: a PEM file of the authorities that may vouch for the broker, instead of the
    system's; its path is relative to the plant file.
    """

    ca: Text


class LinkOptions(Block):
    """Keys of a connection. ``timeout``: what connecting, and a single answer, may take.

    A broker that has been silent for one and a half ``keep_alive`` is lost.
    """

    client_id: str = ""
    keep_alive: Annotated[Duration, lasting("1s", "1h")] = 10_000
    timeout: Annotated[Duration, lasting("100ms", "1min")] = 5_000
    tls: TlsOptions | None = None


class TimeOptions(Block):
    """Where a document says when it was true."""

    at: Annotated[str, AfterValidator(_selector)]
    format: Literal["unix-ms", "unix-s", "iso8601"]


class AliveOptions(Block):
    """How it is noticed that a device is gone.

    Its ``topic`` says something else than the text ``is``; or, for ``silence`` milliseconds
    (0: any time), nothing at all was heard of it.
    """

    topic: Annotated[str, AfterValidator(_topic)] = ""
    says: str = Field(default="", alias="is")
    silence: Annotated[Duration, lasting("1s", "30d")] = 0

    @model_validator(mode="after")
    def _together(self) -> "AliveOptions":
        if bool(self.topic) != bool(self.says):
            seen = "'topic' and 'is' belong together"
            raise refusal("E449", seen, "write alive: {topic: status, is: online}")
        if not self.topic and not self.silence:
            seen = "neither 'topic' nor 'silence'"
            raise refusal("E449", seen, "write how it is noticed: alive: {silence: 2min}")
        return self


class TopicOptions(Block):
    """What differs for some topics of a device."""

    format: Format


class DeviceOptions(Block):
    """Keys of a device.

    ``base`` is put before every topic of it, that of ``alive`` too. ``topics`` maps filters,
    after ``base``, to what differs there; the first that matches counts. ``sequence`` selects a
    number that grows with each message: one that was there already is a repetition, and dropped.
    ``retained``: whether a message that the broker kept is a value, or too old to be one.
    """

    base: Annotated[str, AfterValidator(_topic)] = ""
    format: Format = "json"
    topics: Annotated[dict[str, TopicOptions], AfterValidator(_filters)] = Field(
        default_factory=dict
    )
    time: TimeOptions | None = None
    sequence: Annotated[str, AfterValidator(_selector)] = ""
    retained: Literal["last-known", "ignore"] = "last-known"
    alive: AliveOptions | None = None
    qos: Annotated[WholeNumber, Field(ge=0, le=2)] = 1

    @model_validator(mode="after")
    def _has_documents(self) -> "DeviceOptions":
        formats = {self.format, *(topic.format for topic in self.topics.values())}
        if (self.time or self.sequence) and "json" not in formats:
            seen = "time and sequence are in documents, and no topic here has any"
            raise refusal("E449", seen, "remove them, or write format: json")
        return self

    def topic(self, written: str) -> str:
        """A topic of the broker, from one as a row writes it."""
        return f"{self.base}/{written}" if self.base else written

    def format_of(self, written: str) -> str:
        """The format of the payloads of a topic as a row writes it."""
        for pattern, options in self.topics.items():
            if filter_matches(pattern, written):
                return options.format
        return self.format

    def time_at(self) -> Selector | None:
        """Where documents carry their time."""
        return _parsed(self.time.at) if self.time else None

    def sequence_at(self) -> Selector | None:
        """Where documents carry their number."""
        return _parsed(self.sequence) if self.sequence else None


def _parsed(text: str) -> Selector:
    found = parse_selector(text)
    assert not isinstance(found, Fault)
    return found
