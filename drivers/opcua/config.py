"""What a plant file may say about OPC UA: the keys of a link and the keys of a device.

The link is the session: endpoint, security, how long an answer may take. The device is what is
read through it: namespaces, publishing interval, queues, which clock is believed. A device with
an endpoint of its own has both sets of keys in its block. Durations are milliseconds here.
"""

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)

from mappings.plant.scalars import Duration, Text, WholeNumber, lasting, refusal

AUTO = 0
"""The queue size that stands for ``auto``."""

_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*|ns=[1-9][0-9]{0,4}")


def _mode(mode: str, info: ValidationInfo) -> str:
    if info.data.get("security") == "insecure":
        raise refusal(
            "E430",
            "'mode' says how messages are protected, 'security: insecure' that they are not",
            "take one of the two away",
        )
    return mode


def _queue(value: object) -> object:
    if value == "auto":
        return AUTO
    if isinstance(value, str) and value.strip().strip("0") == "":
        raise refusal("E113", f"{value!r} is no queue size", "write auto, or 1 or more")
    return value


def _namespaces(namespaces: dict[str, str]) -> dict[str, str]:
    for alias in namespaces:
        if not _ALIAS.fullmatch(alias):
            raise refusal(
                "E425",
                f"{alias!r} is no name for a namespace",
                'write a short word such as s7, or "ns=4" to pin an index',
            )
    return namespaces


class LinkOptions(BaseModel):
    """Keys of a session.

    ``security`` is a security policy, ``best`` (left out: the best that the server offers, never
    none) or ``insecure``; ``mode`` whether messages are also encrypted. ``timeout``: what a single
    answer may take, milliseconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    security: Literal[
        "best",
        "Basic256Sha256",
        "Aes128_Sha256_RsaOaep",
        "Aes256_Sha256_RsaPss",
        "insecure",
    ] = "best"
    mode: Annotated[Literal["sign_and_encrypt", "sign"], AfterValidator(_mode)] = "sign_and_encrypt"
    timeout: Annotated[Duration, lasting("100ms", "1min")] = 4_000


class DeviceOptions(BaseModel):
    """Keys of a device.

    ``namespaces`` maps an alias, or ``ns=INDEX``, to a namespace URI. ``queue`` is the number of
    values that the server keeps for each tag between two notifications; `AUTO` follows from scan
    and ``publish_interval``. ``read``: the server sends changes, or each scan asks. ``time``:
    whose clock gives the times; ``source`` is believed within ``max_skew`` of ours only.
    ``backfill`` is where values of a gap come from (not done by this release). ``uncertain``: what
    values become that the server is not sure of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespaces: Annotated[dict[str, Text], AfterValidator(_namespaces)] = Field(
        default_factory=dict
    )
    read: Literal["subscribe", "poll"] = "subscribe"
    publish_interval: Annotated[Duration, lasting("10ms", "1min")] = 500
    queue: Annotated[WholeNumber, Field(ge=0, le=10_000), BeforeValidator(_queue)] = AUTO
    time: Literal["source", "server", "gateway"] = "source"
    max_skew: Annotated[Duration, lasting("1ms", "1d")] = 60_000
    backfill: Literal["history", "none"] = "history"
    uncertain: Literal["good", "bad"] = "good"


def is_polled(options: BaseModel) -> bool:
    """Whether a device is asked instead of subscribed."""
    return isinstance(options, DeviceOptions) and options.read == "poll"
