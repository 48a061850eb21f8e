"""Every normative statement of Sparkplug 3.0: claimed by a broken trace, or waived with a sentence.

A claim is a trace that is clean but for one change, and a grader that objects to the change by this
id and to nothing else (`test_rules`, `test_session_rules`). ``requirements.csv`` names all
statements; ``waived.csv`` says of a node's that have no such trace why not. Hosts and brokers are
not what this product is.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from bridge.sparkplug.synonyms import ALSO
from tests.conformance import test_rules, test_session_rules

HERE = Path(__file__).parent
NOT_OURS = {
    "host_application": "a host's; this product is an edge node",
    "broker": "a broker's; tagbridge broker-check looks at brokers",
}


def read(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def claims() -> Iterator[tuple[str, str]]:
    """Ids, each with the change that breaks it and nothing else."""
    for name, (_, change) in test_rules.BROKEN.items():
        packets = test_rules.trace()
        change(packets)
        for violation in test_rules.graded(packets):
            yield from ((tck_id, name) for tck_id in violation.ids)
    for name, (_, alter) in test_session_rules.BROKEN.items():
        events = test_session_rules.trace()
        alter(events)
        for violation in test_session_rules.graded(events):
            yield from ((tck_id, name) for tck_id in violation.ids)


def test_every_requirement_is_claimed_or_waived() -> None:
    claimed = dict(claims())
    waived = {row["id"]: row["why"] for row in read("waived.csv")}
    counts = {"claimed": 0, "waived": 0, "not ours": 0}
    neither, both = [], []
    for row in read("requirements.csv"):
        tck_id = row["id"]
        if tck_id in claimed and tck_id in waived:
            both.append(tck_id)
        elif tck_id in claimed:
            counts["claimed"] += 1
        elif tck_id in waived:
            counts["waived"] += 1
        elif row["applies_to"] in NOT_OURS:
            counts["not ours"] += 1
        else:
            neither.append(tck_id)
    total = sum(counts.values())
    print(f"Sparkplug 3.0: {counts['claimed']} claimed, {counts['waived']} waived, ", end="")
    print(f"{counts['not ours']} of hosts and brokers; {total} in all")
    assert neither == []
    assert both == []
    assert total == len(read("requirements.csv"))


def test_a_waiver_names_its_reason_and_its_tests() -> None:
    for row in read("waived.csv"):
        assert len(row["why"]) > 20, row
        for word in row["why"].split():
            if word.startswith("tests/"):
                assert (HERE.parents[1] / word.strip(",;")).exists(), word


def test_what_is_claimed_is_of_the_standard() -> None:
    known = {row["id"] for row in read("requirements.csv")}
    assert {tck_id for tck_id, _ in claims() if not tck_id.startswith("own-")} <= known
    assert {tck_id for tck_id, _ in ALSO} <= known
    assert {other for others in ALSO.values() for other in others} <= known
