"""Messages stay below what was proven, nothing is lost or moved, and weights are upper bounds."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug.division import divide
from bridge.sparkplug.encoder import DeviceEncoder
from mappings.batch import Batch
from mappings.datatypes import DataType
from mappings.quality import BAD, GOOD
from mappings.tags import Metric


def rows(messages):
    return [
        (point, value, time_ms, historical)
        for message in messages
        for batch, historical in message
        for point, value, time_ms in zip(batch.points, batch.values, batch.times_ms, strict=True)
    ]


@given(sizes=st.lists(st.integers(1, 40), max_size=12), most=st.integers(1, 400))
def test_rows_keep_their_order_and_messages_their_size(sizes, most) -> None:
    pieces = [
        (Batch("D", tuple(range(n)), [float(i)] * n, [i] * n), i % 2 == 0)
        for i, n in enumerate(sizes)
    ]
    messages = list(divide(pieces, most, lambda batch: 10 * len(batch)))
    assert rows(messages) == rows([pieces])
    for message in messages:
        size = sum(10 * len(batch) for batch, _ in message)
        assert size <= most or sum(len(batch) for batch, _ in message) == 1


def test_few_records_are_one_message() -> None:
    pieces = [(Batch("D", (0,), [1.0], [i]), False) for i in range(5)]
    assert len(list(divide(pieces, 1_000, lambda batch: 50 * len(batch)))) == 1


VALUES = {
    DataType.INT8: -1, DataType.INT64: -(2**63), DataType.UINT64: 2**64 - 1,
    DataType.DOUBLE: 1e300, DataType.BOOLEAN: True, DataType.STRING: "😀" * 50,
    DataType.DATETIME: 2**45, DataType.UINT32: 2**32 - 1,
}  # fmt: skip


def test_the_weight_is_an_upper_bound_for_all_types_and_qualities() -> None:
    for datatype, value in VALUES.items():
        for aliases in ([2**40], None):
            metric = Metric(id="m", name="Name/of a metric", datatype=datatype)
            encoder = DeviceEncoder([metric], aliases)
            for quality in (GOOD, BAD):
                batch = Batch("D", (0,) * 30, [value] * 30, [2**45] * 30, [quality] * 30)
                payload = encoder.encode(batch, timestamp_ms=2**45, seq=255, historical=True)
                assert len(payload) - 20 <= encoder.weight(batch)
