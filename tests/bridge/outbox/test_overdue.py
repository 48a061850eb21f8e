"""Values that waited too long: their present is told as live, but never before its time."""

import pytest

from bridge.outbox.commits import Committed
from bridge.outbox.lanes import Lanes
from bridge.outbox.words import Limits
from mappings.batch import Batch


def batch(*points: int) -> Batch:
    return Batch("D", points, [1.0] * len(points), [0] * len(points))


@pytest.mark.parametrize("strict", [False, True])
def test_with_strict_the_present_of_a_point_waits_for_the_disk(strict: bool) -> None:
    lanes = Lanes(Limits(live_limit_ms=5_000), strict=strict)
    lanes.append(batch(0, 1), 0)
    commit = lanes.begin_commit(60)
    assert commit is not None
    lanes.append(batch(1, 2), 4_000)
    lanes.tidy(6_000)  # a disk that takes so long
    if not strict:
        assert lanes.take_overdue() == {"D": {0, 1, 2}}
        return
    assert lanes.take_overdue() == {}
    done = Committed(ok=True, opened=(0,), placed=((0, (0,)),))
    lanes.finish_commit(commit, done, 6_100)
    assert lanes.take_overdue() == {"D": {0}}
    commit = lanes.begin_commit(6_200)
    assert commit is not None
    [(number, _)] = commit.records
    lanes.finish_commit(commit, Committed(ok=True, placed=((0, (number,)),)), 6_300)
    assert lanes.take_overdue() == {"D": {1, 2}}
    assert lanes.take_overdue() == {}
