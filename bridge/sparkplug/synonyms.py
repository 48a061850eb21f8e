"""Synonyms: where the standard says one rule several times, in each chapter by an id of its own.

A rule that is broken is told by one id, the most telling; all of its ids are broken with it.
Some statements say it of one kind of message only, so the kind decides which they are.
"""

from collections.abc import Mapping

_VERBS = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")
_FLOW = "tck-id-message-flow-edge-node-birth-publish"
_DEVICE_FLOW = "tck-id-message-flow-device-birth-publish"
_COMMANDS = "tck-id-operational-behavior-data-commands"
_TEMPLATE = "tck-id-payloads-template"

# By id and kind of message ("" for every kind): the other ids.
_ALSO: dict[tuple[str, str], tuple[str, ...]] = {
    # ids and topics
    ("tck-id-topic-structure-namespace-valid-group-id", ""): (
        "tck-id-intro-group-id-string", "tck-id-intro-group-id-chars",
    ),
    ("tck-id-topic-structure-namespace-valid-edge-node-id", ""): (
        "tck-id-intro-edge-node-id-string", "tck-id-intro-edge-node-id-chars",
    ),
    ("tck-id-topic-structure-namespace-valid-device-id", ""): (
        "tck-id-intro-device-id-string", "tck-id-intro-device-id-chars",
    ),
    ("tck-id-topic-structure-namespace-unique-edge-node-descriptor", ""): (
        "tck-id-intro-edge-node-id-uniqueness", "tck-id-payloads-nbirth-edge-node-descriptor",
    ),
    **{
        ("tck-id-topic-structure-namespace-device-id-non-associated-message-types", verb): (
            f"tck-id-topics-{verb.lower()}-topic",
        )
        for verb in _VERBS if verb[0] == "N"
    },
    **{
        ("tck-id-topic-structure-namespace-device-id-associated-message-types", verb): (
            f"tck-id-topics-{verb.lower()}-topic",
        )
        for verb in _VERBS if verb[0] == "D"
    },
    # delivery
    **{
        (f"tck-id-payloads-{verb}-{what}", ""): (f"tck-id-topics-{verb}-mqtt",)
        for verb in ("ndata", "ddata") for what in ("qos", "retain")
    },
    ("tck-id-payloads-nbirth-qos", ""): ("tck-id-topics-nbirth-mqtt", f"{_FLOW}-nbirth-qos"),
    ("tck-id-payloads-nbirth-retain", ""): (
        "tck-id-topics-nbirth-mqtt", f"{_FLOW}-nbirth-retained",
    ),
    ("tck-id-payloads-dbirth-qos", ""): (
        "tck-id-topics-dbirth-mqtt", f"{_DEVICE_FLOW}-dbirth-qos",
    ),
    ("tck-id-payloads-dbirth-retain", ""): (
        "tck-id-topics-dbirth-mqtt", f"{_DEVICE_FLOW}-dbirth-retained",
    ),
    # times
    **{
        (f"tck-id-payloads-{verb}-timestamp", ""): (f"tck-id-topics-{verb}-timestamp",)
        for verb in ("nbirth", "ndata", "dbirth", "ddata")
    },
    # seq
    ("tck-id-topics-nbirth-seq-num", ""): (f"{_FLOW}-nbirth-payload-seq",),
    ("tck-id-payloads-sequence-num-always-included", "NBIRTH"): (
        "tck-id-payloads-sequence-num-req-nbirth", "tck-id-payloads-nbirth-seq",
    ),
    ("tck-id-payloads-sequence-num-always-included", "DDEATH"): (
        "tck-id-payloads-ddeath-seq", "tck-id-payloads-ddeath-seq-number",
    ),
    **{
        ("tck-id-payloads-sequence-num-always-included", verb.upper()): (
            f"tck-id-payloads-{verb}-seq",
        )
        for verb in ("dbirth", "ndata", "ddata")
    },
    ("tck-id-payloads-sequence-num-incrementing", "DBIRTH"): (
        "tck-id-topics-dbirth-seq", "tck-id-payloads-dbirth-seq-inc",
        f"{_DEVICE_FLOW}-dbirth-payload-seq",
    ),
    **{
        ("tck-id-payloads-sequence-num-incrementing", verb.upper()): (
            f"tck-id-topics-{verb}-seq-num", f"tck-id-payloads-{verb}-seq-inc",
        )
        for verb in ("ndata", "ddata", "ddeath")
    },
    ("tck-id-topics-ndeath-seq", ""): ("tck-id-payloads-ndeath-seq",),
    # bdSeq
    ("tck-id-payloads-nbirth-bdseq", ""): ("tck-id-topics-nbirth-bdseq-included",),
    ("tck-id-topics-nbirth-bdseq-matching", ""): ("tck-id-payloads-nbirth-bdseq-repeat",),
    ("tck-id-topics-nbirth-bdseq-increment", ""): ("unmarked-bdseq-new-connect-increments",),
    (f"{_COMMANDS}-rebirth-action-3", ""): ("unmarked-nbirth-rebirth-same-bdseq",),
    # what births have
    (f"{_COMMANDS}-rebirth-name", ""): (
        "tck-id-topics-nbirth-rebirth-metric", "tck-id-payloads-nbirth-rebirth-req",
    ),
    **{
        (tck_id, verb.upper()): (f"tck-id-topics-{verb}-metrics",)
        for verb in ("nbirth", "dbirth")
        for tck_id in (
            "tck-id-payloads-metric-datatype-req", "tck-id-payloads-name-requirement",
            f"tck-id-operational-behavior-data-publish-{verb}-values",
        )
    },
    ("tck-id-topics-nbirth-metric-reqs", ""): ("tck-id-operational-behavior-data-publish-nbirth",),
    ("tck-id-topics-dbirth-metric-reqs", ""): ("tck-id-operational-behavior-data-publish-dbirth",),
    # properties, DataSets, Templates
    ("tck-id-payloads-propertyset-keys-array-size", ""): (
        "tck-id-payloads-propertyset-values-array-size",
    ),
    ("tck-id-payloads-dataset-column-num-headers", ""): ("tck-id-payloads-dataset-types-num",),
    (f"{_TEMPLATE}-definition-is-definition", ""): (f"{_TEMPLATE}-is-definition-definition",),
    (f"{_TEMPLATE}-definition-ref", ""): (f"{_TEMPLATE}-ref-definition",),
    (f"{_TEMPLATE}-definition-nbirth", ""): ("tck-id-topics-nbirth-templates",),
    (f"{_TEMPLATE}-instance-members", ""): (f"{_TEMPLATE}-definition-members",),
    (f"{_TEMPLATE}-instance-is-definition", ""): (f"{_TEMPLATE}-is-definition-instance",),
    (f"{_TEMPLATE}-instance-ref", ""): (f"{_TEMPLATE}-ref-instance",),
    # sessions
    (f"{_DEVICE_FLOW}-dbirth-match-edge-node-topic", ""): (f"{_DEVICE_FLOW}-dbirth-topic",),
    ("tck-id-principles-persistence-clean-session-311", ""): ("unmarked-clean-session-all",),
    ("tck-id-principles-persistence-clean-session-50", ""): ("unmarked-clean-session-all",),
    (f"{_FLOW}-will-message", ""): ("tck-id-payloads-ndeath-will-message",),
    (f"{_FLOW}-will-message-qos", ""): ("tck-id-payloads-ndeath-will-message-qos",),
    (f"{_FLOW}-will-message-will-retained", ""): ("tck-id-payloads-ndeath-will-message-retain",),
    (f"{_FLOW}-connect", ""): ("unmarked-nbirth-after-connect",),
    ("tck-id-message-flow-edge-node-ncmd-subscribe", ""): ("unmarked-edge-rebirth-support",),
    (f"{_FLOW}-phid-wait-online", ""): (
        f"{_FLOW}-phid-wait", "tck-id-operational-behavior-edge-node-birth-sequence-wait",
    ),
    (f"{_FLOW}-phid-wait-timestamp", ""): ("unmarked-old-host-death-ignored",),
    (f"{_FLOW}-phid-offline", ""): (
        "tck-id-operational-behavior-edge-node-termination-host-offline",
        "unmarked-phid-offline-no-previous",
    ),
    ("tck-id-operational-behavior-edge-node-termination-host-offline-reconnect", ""): (
        "tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk",
    ),
    ("tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath", ""): (
        "unmarked-ndeath-before-disconnect", "tck-id-payloads-ndeath-will-message-publisher",
        "tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt311",
    ),
}  # fmt: skip

ALSO: Mapping[tuple[str, str], tuple[str, ...]] = _ALSO
"""The other ids of a rule, by the id that is told and the kind of message (or ``""``)."""


def ids_of(tck_id: str, verb: str) -> tuple[str, ...]:
    """All ids of a rule that a message of this kind broke, the one that is told first."""
    return (tck_id, *ALSO.get((tck_id, ""), ()), *ALSO.get((tck_id, verb), ()))
