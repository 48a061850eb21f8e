"""R2: whatever a power cut leaves of the files, all that was committed is found again.

While random work goes on, the disk is looked at before its operations; of each look several
crash states are made (every unsynced write kept, torn or lost, names undone), opened, drained
and compared.
"""

import random
import time

import pytest

from tests.bridge.outbox.disk import Disk
from tests.bridge.outbox.rig import Rig
from tests.bridge.outbox.test_model import step

RUNS = 12
STATES_PER_RUN = 30


@pytest.mark.parametrize("seed", range(RUNS))
def test_committed_samples_survive_every_crash_state(seed: int) -> None:
    rng = random.Random(1000 + seed)
    rig = Rig(rng, Disk(), segment_size=rng.choice((500, 2000, 8000)), overlap_ms=1000)
    looks: list[tuple[Disk, set[int], set[int], str]] = []
    picking = random.Random(seed)

    def look(operation: str, path: object) -> None:
        if operation in ("append", "sync", "create", "remove", "sync_folder") and (
            picking.random() < 0.1
        ):
            disk = rig.disk.after_power_cut(picking)
            looks.append((disk, rig.stored(), set(rig.confirmed), operation))

    rig.disk.watch = look
    operations: set[str] = set()
    for _ in range(10_000):
        step(rig, rng)
        operations = {operation for *_, operation in looks}
        if len(looks) >= STATES_PER_RUN and {"append", "sync"} <= operations:
            break
    assert {"append", "sync"} <= operations
    for disk, must, confirmed, operation in looks:
        began = time.perf_counter()
        survivor = Rig(rng, disk, segment_size=rig.segment_size, origin=rig, delivered=confirmed)
        assert time.perf_counter() - began < 2
        came = survivor.drain()
        assert not must - came, f"before {operation}"
        # Opening again after another cut must not bring anything back that is no more owed.
        survivor.close()
        again = Rig(rng, survivor.disk.after_power_cut(rng), segment_size=rig.segment_size)
        assert again.lanes.ledger.buffered == 0


@pytest.mark.parametrize("seed", range(10))
def test_a_crash_while_recovering_is_survived(seed: int) -> None:
    rng = random.Random(seed)
    rig = Rig(rng, Disk(), segment_size=700)
    for _ in range(150):
        step(rig, rng)
    rig.must = rig.stored()
    for _ in range(8):
        rig.disk = rig.disk.after_power_cut(rng)
        rig.boot()
        for _ in range(rng.randint(0, 3)):
            rig.now += 1100
            rig.begin_commit()
            rig.finish_commit()
    assert not rig.must - rig.drain()
