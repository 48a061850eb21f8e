"""Random actions on the real lanes and store, checked against what every sample must become."""

import random

import pytest

from tests.bridge.outbox.disk import Disk
from tests.bridge.outbox.rig import Rig

STEPS = 400


def step(rig: Rig, rng: random.Random) -> None:
    action = rng.choices(
        ("append", "live", "backlog", "confirm", "time", "begin", "finish", "split", "rewind",
        ),
        (30, 14, 10, 14, 12, 8, 8, 2, 2),
    )[0]  # fmt: skip
    if action == "append":
        rig.append()
    elif action == "live":
        rig.take_live(frozenset(rng.sample(("", "press", "oven"), rng.randint(1, 3))))
    elif action == "backlog":
        rig.take_backlog(rng.choice((1, 5, 50)))
    elif action == "confirm":
        rig.confirm(rng.randint(0, len(rig.taken)))
    elif action == "time":
        rig.pass_time()
    elif action == "begin":
        rig.begin_commit()
    elif action == "finish":
        rig.finish_commit()
    elif action == "split":
        rig.split()
    else:
        rig.rewind()
    rig.check()


def restart(rig: Rig, rng: random.Random) -> None:
    """Close, or kill the process, or cut the power."""
    way = rng.choice(("close", "kill", "power"))
    if way == "close":
        rig.close()
        assert rig.lanes.ledger.uncommitted == 0 or not rig.must & only_in_memory(rig)
    else:
        rig.must = rig.stored()
        if way == "power":
            rig.disk = rig.disk.after_power_cut(rng)
        else:
            rig.disk = rig.disk.after_kill()
    rig.boot()


def only_in_memory(rig: Rig) -> set[int]:
    return rig.must - rig.stored()


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("strict", [False, True])
def test_no_sample_is_lost_altered_or_out_of_order(seed: int, strict: bool) -> None:
    rng = random.Random(seed * 2 + strict)
    rig = Rig(
        rng,
        Disk(),
        segment_size=rng.choice((600, 3000, 1 << 20)),
        strict=strict,
        live_limit_ms=rng.choice((1000, 5000)),
        overlap_ms=rng.choice((0, 2000, 5000)),
    )
    for _ in range(STEPS):
        step(rig, rng)
        if rng.random() < 0.01:
            restart(rig, rng)
    rig.close()
    rig.boot()
    missing = rig.must - rig.drain()
    assert not missing


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("strict", [False, True])
def test_a_changed_plant_never_puts_a_sample_on_another_point(seed: int, strict: bool) -> None:
    rng = random.Random(1000 + seed * 2 + strict)
    rig = Rig(
        rng,
        Disk(),
        segment_size=rng.choice((600, 3000, 1 << 20)),
        strict=strict,
        overlap_ms=rng.choice((0, 2000, 5000)),
    )
    for _ in range(STEPS):
        step(rig, rng)
        if rng.random() < 0.03:
            rig.rekey()
            rig.check()
        if rng.random() < 0.01:
            restart(rig, rng)
    rig.close()
    rig.boot()
    missing = rig.must - rig.drain()
    assert not missing
    assert rig.discarded
    assert rig.lanes.ledger.discarded


@pytest.mark.parametrize("seed", range(20))
def test_ledger_stays_exact_while_segments_are_evicted(seed: int) -> None:
    rng = random.Random(seed)
    rig = Rig(rng, Disk(), max_size=64 * 1024, memory_limit=3000)
    rig.loss_allowed = True
    for i in range(STEPS):
        rig.append(40)
        step(rig, rng)
        rig.finish_commit()
        if i % 100 == 99:
            rig.close()
            rig.boot()
    rig.drain()
    assert rig.lanes.ledger.evicted > 0
    assert rig.lanes.ledger.quarantined == 0
