"""How fast the outbox packs, commits, opens and reads; prints, asserts nothing.

``.venv/bin/python tests/bench/outbox_speed.py``, or call `measure`.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bridge.outbox.commits import Commit
from bridge.outbox.files import OsFiles
from bridge.outbox.lanes import Lanes
from bridge.outbox.records import Cursor, pack_record
from bridge.outbox.store import Store
from bridge.outbox.words import Limits, PointKey
from mappings.batch import Batch, Value
from mappings.datatypes import DataType

NOW_MS = 1_700_000_000_000


def _us_per_sample(call: Callable[[], object], samples: int, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times / samples * 1e6


def measure(backlog_bytes: int = 1 << 30) -> dict[str, float]:
    """Microseconds per sample, bytes per sample, seconds to open ``backlog_bytes``."""
    rng = random.Random(1)
    points = tuple(range(1000))
    kinds: dict[str, list[Value]] = {
        "float64": [rng.random() * 100 for _ in points],
        "float32": [i / 4 for i in points],
        "int16": [rng.randrange(-32768, 32768) for _ in points],
        "bool": [i % 3 == 0 for i in points],
        "mixed": [rng.choice((1.5, 7, True, "on", None)) for _ in points],
    }
    figures: dict[str, float] = {}
    for kind, values in kinds.items():
        for name, times in (
            ("", [NOW_MS] * 1000),
            (" own times", list(range(NOW_MS, NOW_MS + 1000))),
        ):
            batch = Batch("a", points, values, times)
            figures[f"pack {kind}{name}, us"] = _us_per_sample(
                lambda batch=batch: pack_record(1, 0, batch), 1000, 300
            )
            figures[f"pack {kind}{name}, bytes"] = len(pack_record(1, 0, batch)) / 1000
    lanes = Lanes(Limits())
    small = Batch("a", points[:10], kinds["float64"][:10], [NOW_MS] * 10)

    def pass_through() -> None:
        lanes.append(small, 0)
        lanes.confirm(lanes.take_live({"a"}, 100, 0), 10_000)

    figures["append, take, confirm of 10 samples, us per sample"] = _us_per_sample(
        pass_through, 10, 5000
    )

    with tempfile.TemporaryDirectory() as folder:
        keys = {"a": [PointKey(f"p{i}", DataType.DOUBLE) for i in range(1000)]}
        store = Store(Path(folder), keys, max_size=4 * backlog_bytes, files=OsFiles())
        store.open()
        batch = Batch("a", points, kinds["float64"], list(range(NOW_MS, NOW_MS + 1000)))
        number = samples = 0
        began = time.perf_counter()
        while store.total_bytes < backlog_bytes:
            records = tuple((number + i, batch) for i in range(100))
            number += 100
            samples += 100_000
            cursor = Cursor(next=number, owed=((0, number),), accepted=samples)
            store.commit(Commit(records=records, cursor=cursor, sync=True))
        figures["commit with sync, us"] = (time.perf_counter() - began) / samples * 1e6
        store = Store(Path(folder), keys, max_size=4 * backlog_bytes, files=OsFiles())
        began = time.perf_counter()
        opened = store.open()
        figures[f"open {backlog_bytes >> 20} MiB, s"] = time.perf_counter() - began
        assert opened.recovery.buffered == samples
        at = count = 0
        began = time.perf_counter()
        while count < 2_000_000 and at < number:
            found = store.read([(at, number)], 5000)
            at = found.records[-1][0] + 1
            count += sum(samples for _, _, samples in found.records)
        figures["read, us"] = (time.perf_counter() - began) / count * 1e6
    return figures


if __name__ == "__main__":
    for what, figure in measure().items():
        print(f"{what:55} {figure:8.3f}")
