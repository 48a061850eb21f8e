"""A full or failing disk: publishing goes on, the bound is kept, everything is counted."""

import errno
import random
from pathlib import Path

import pytest

from tests.bridge.outbox.disk import Disk
from tests.bridge.outbox.rig import Rig
from tests.bridge.outbox.test_model import step


def commit(rig: Rig) -> bool:
    rig.finish_commit()
    rig.now += 1100
    rig.begin_commit()
    ok = rig.in_work is None or rig.in_work[1].ok
    rig.finish_commit()
    rig.check()
    return ok


def test_a_full_disk_evicts_the_oldest_segment() -> None:
    rig = Rig(random.Random(1), Disk(capacity=20_000), segment_size=3000, loss_allowed=True)
    for _ in range(200):
        rig.append(30)
        assert commit(rig)
    ledger = rig.lanes.ledger
    assert ledger.evicted > 0
    assert rig.incidents.count("outbox-disk-full") >= 1
    came = rig.drain()
    assert len(came) == ledger.buffered
    assert max(rig.sent) in came  # the newest are there
    assert len(rig.sent) == len(came) + rig.lanes.ledger.evicted


def test_no_room_at_all_leaves_it_in_memory_which_is_bounded() -> None:
    rig = Rig(random.Random(1), Disk(capacity=0), memory_limit=500, loss_allowed=True)
    for _ in range(100):
        rig.append(10)
        assert not commit(rig)
    assert rig.lanes.ledger.uncommitted <= 500
    assert rig.lanes.ledger.evicted == 1000 - rig.lanes.ledger.buffered
    assert [i.code for i in rig.lanes.incidents].count("outbox-memory-full") == 1
    rig.take_live()
    rig.confirm(len(rig.taken))  # publishing goes on from memory
    rig.disk.capacity = 1 << 30
    assert commit(rig)
    assert rig.incidents[-1] == "outbox-recovered"
    rig.must = rig.stored()
    rig.disk = rig.disk.after_power_cut(random.Random(2))
    rig.boot()
    assert rig.drain()


@pytest.mark.parametrize("operation", ["append", "sync", "create", "sync_folder", "remove", "open"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_any_operation_may_fail_now_and_then(operation: str, error: int) -> None:
    rng = random.Random(f"{operation}{error}")
    rig = Rig(rng, Disk(), segment_size=800)
    failing = random.Random(3)
    failed = 0

    def fail(seen: str, _: Path) -> None:
        nonlocal failed
        if seen == operation and failing.random() < (0.5 if operation == "open" else 0.15):
            failed += 1
            raise OSError(error, "injected")

    rig.disk.fail = fail
    # A file that cannot be opened cannot be read: lost, but counted. A full disk evicts.
    rig.loss_allowed = operation == "open" or error != errno.EIO
    for i in range(600):
        step(rig, rng)
        if i % 50 == 49:  # now and then everything is delivered, and its files can go
            rig.drain()
            commit(rig)
            rig.now += 6000
            commit(rig)
    assert failed
    rig.disk.fail = lambda *_: None
    rig.must = rig.stored()
    rig.now += 5000
    rig.disk = rig.disk.after_power_cut(rng)
    expected = rig.must
    before = rig.lanes.ledger
    rig.delivered = set(rig.confirmed)  # the last commit may have been cut short
    rig.boot()
    missing = expected - rig.drain()
    # What was evicted after the last cursor reached the disk, only the process before knew.
    counted = rig.lanes.ledger.evicted + rig.lanes.ledger.quarantined + before.evicted
    assert len(missing) <= counted if rig.loss_allowed else not missing
    assert before.accepted >= before.confirmed


def test_a_file_whose_sync_failed_is_never_written_again() -> None:
    rig = Rig(random.Random(1), Disk())
    rig.append(5)
    assert commit(rig)
    first = {p for p in rig.disk.names if p.suffix == ".seg"}
    broken: set[Path] = set()

    def fail(operation: str, path: Path) -> None:
        if operation == "sync" and not broken:
            broken.add(path)
            raise OSError(errno.EIO, "injected")
        assert not (operation in ("append", "sync") and path in broken)

    rig.disk.fail = fail
    rig.append(5)
    assert commit(rig)  # in a file of its own, at once
    assert broken == first
    assert rig.incidents[-2:] == ["outbox-write-failed", "outbox-recovered"]
    for _ in range(5):
        rig.append(5)
        assert commit(rig)
    rig.must = rig.stored()
    rig.disk = rig.disk.after_power_cut(random.Random(4))
    rig.boot()
    assert len(rig.drain()) == len(rig.sent) == 35


def test_a_record_larger_than_the_outbox_is_given_up_and_said() -> None:
    rig = Rig(random.Random(1), Disk(), max_size=64 * 1024, loss_allowed=True)
    rig.append(3)
    rig.append(20_000)
    rig.append(3)
    rig.split()
    assert commit(rig)
    assert rig.lanes.ledger.evicted == 20_000
    assert rig.incidents == ["outbox-evicted"]
    assert len(rig.drain()) == 6


def test_the_bound_holds_and_says_so() -> None:
    rig = Rig(random.Random(1), Disk(), max_size=64 * 1024, loss_allowed=True)
    for _ in range(300):
        rig.append(40)
        commit(rig)
    assert sum(len(i.content) for i in rig.disk.names.values()) <= 64 * 1024
    assert "outbox-evicted" in rig.incidents
    rig.drain()
