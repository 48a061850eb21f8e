"""R4: bit flips and truncations of the files: never a wrong value, always a start, all counted."""

import random
from pathlib import Path

import pytest

from bridge.outbox.store import Store
from tests.bridge.outbox.disk import Disk
from tests.bridge.outbox.rig import FOLDER, KEYS, Rig

CASES = 150


def filled(rng: random.Random, segment_size: int, *, sealed: bool) -> Rig:
    """A backlog over several segments, part of it delivered."""
    rig = Rig(rng, Disk(), segment_size=segment_size)
    for _ in range(60):
        rig.append()
        if rng.random() < 0.4:
            rig.now += 60
            rig.begin_commit()
            rig.finish_commit()
    rig.split()
    rig.take_backlog(30)
    rig.confirm(len(rig.taken))
    if sealed:
        rig.close()
    else:
        rig.now += 1100
        rig.begin_commit()
        rig.finish_commit()
    return rig


def segments(disk: Disk) -> list[Path]:
    return sorted(path for path in disk.names if path.suffix == ".seg")


@pytest.mark.parametrize("seed", range(CASES))
def test_damage_costs_only_what_is_damaged(seed: int) -> None:
    rng = random.Random(seed)
    rig = filled(rng, rng.choice((800, 3000, 1 << 20)), sealed=rng.random() < 0.5)
    owed = set(rig.must)
    newest = segments(rig.disk)[-1]
    path = rng.choice(segments(rig.disk))
    inode = rig.disk.names[path]
    damage = rng.choice(("flip", "flip", "flip", "burst", "cut", "zeros"))
    position = rng.randrange(len(inode.content))
    if damage == "flip":
        inode.content[position] ^= 1 << rng.randrange(8)
    elif damage == "burst":
        end = min(position + rng.randint(2, 300), len(inode.content))
        inode.content[position:end] = rng.randbytes(end - position)
    elif damage == "zeros":
        inode.content[position:] = bytes(len(inode.content) - position)
    else:
        del inode.content[position:]
    survivor = Rig(rng, rig.disk, segment_size=rig.segment_size, origin=rig, loss_allowed=True)
    came = survivor.drain()  # `Rig` verifies every value
    lost = len(owed - came)
    ledger = survivor.lanes.ledger
    counted = ledger.quarantined + ledger.evicted
    survivor.incidents += [i.code for i in survivor.lanes.incidents]
    # Only a newest file whose end is gone looks like one whose last write a power cut tore.
    torn = survivor.opened.recovery.torn_bytes or (path == newest and damage in ("cut", "zeros"))
    if damage == "flip" or not torn:
        assert counted == lost
    else:
        assert counted <= lost
    if counted:
        assert {"outbox-damaged", "outbox-evicted"} & set(survivor.incidents)
    # The next start does not stumble over it again.
    survivor.close()
    again = Rig(rng, survivor.disk, segment_size=rig.segment_size, loss_allowed=True)
    assert again.lanes.ledger.buffered == 0
    assert again.lanes.ledger.quarantined == ledger.quarantined


def test_a_flip_in_the_middle_loses_one_frame_and_says_how_many() -> None:
    rng = random.Random(5)
    rig = Rig(rng, Disk())
    for _ in range(10):
        rig.append(5)
        rig.now += 60
        rig.begin_commit()
        rig.finish_commit()
    path = segments(rig.disk)[0]
    content = rig.disk.names[path].content
    content[len(content) // 2] ^= 4
    survivor = Rig(rng, rig.disk.after_kill(), origin=rig, loss_allowed=True)
    came = survivor.drain()
    assert survivor.lanes.ledger.quarantined in (0, 5)  # a cursor was hit, or 5 samples
    assert len(came) == 50 - survivor.lanes.ledger.quarantined
    assert "outbox-damaged" in survivor.incidents
    assert any(p.parent.name == "quarantine" for p in survivor.disk.names)


def test_every_byte_of_a_small_log_may_be_damaged() -> None:
    rng = random.Random(7)
    rig = Rig(rng, Disk())
    for _ in range(3):
        rig.append(3)
        rig.now += 60
        rig.begin_commit()
        rig.finish_commit()
    path = segments(rig.disk)[0]
    for position in range(len(rig.disk.names[path].content)):
        disk = rig.disk.after_kill()
        disk.names[path].content[position] ^= 0xFF
        survivor = Rig(rng, disk, origin=rig, loss_allowed=True)
        came = survivor.drain()
        ledger = survivor.lanes.ledger
        assert len(came) + ledger.quarantined == 9 or survivor.opened.recovery.torn_bytes, position
        assert len(came) >= 6


def test_random_bytes_are_no_segment() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        disk = Disk()
        for i in range(3):
            file = disk.create(FOLDER / f"{i * 77:016x}-0.seg")
            file.append(rng.randbytes(rng.randint(0, 3000)))
        opened = Store(FOLDER, KEYS, max_size=1 << 20, files=disk).open()
        assert opened.recovery.buffered == 0


def test_a_read_error_costs_what_cannot_be_read_and_nothing_else() -> None:
    rng = random.Random(3)
    rig = filled(rng, 800, sealed=True)
    bad = segments(rig.disk)[1]
    rig.loss_allowed = True
    rig.boot()

    def fail(operation: str, path: Path) -> None:
        if operation == "read" and path == bad:
            raise OSError(5, "Input/output error")

    rig.disk.fail = fail
    owed = set(rig.must)
    came = rig.drain()
    assert rig.lanes.ledger.quarantined == len(owed - came) > 0
    rig.now += 5000
    rig.begin_commit()
    rig.finish_commit()
    rig.now += 5000
    rig.begin_commit()
    rig.finish_commit()
    assert FOLDER / "quarantine" / bad.name in rig.disk.names
