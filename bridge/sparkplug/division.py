"""Division: how records become messages no larger than the broker has shown to deliver; pure.

A broker may drop a message that is larger than its limit without a word, and answer the fence all
the same (mosquitto's ``message_size_limit`` does). What is known to get through is the node's own
births, because they come back. So no data message is larger than the largest of them: records are
gathered up to that size and cut where one alone is larger.
"""

from collections.abc import Callable, Iterator, Sequence

from mappings.batch import Batch

Piece = tuple[Batch, bool]
"""A batch, or a part of one, and whether it goes as historical."""


def divide(
    pieces: Sequence[Piece], most_bytes: int, weigh: Callable[[Batch], int]
) -> Iterator[list[Piece]]:
    """The messages for one device's records, in their order.

    ``weigh`` gives an upper bound of a batch's bytes. A single value that is larger than
    ``most_bytes`` is a message of its own: it cannot be cut.
    """
    together: list[Piece] = []
    weight = 0
    for piece in pieces:
        for part, part_weight in _cut(piece, most_bytes, weigh):
            if together and weight + part_weight > most_bytes:
                yield together
                together, weight = [], 0
            together.append(part)
            weight += part_weight
    if together:
        yield together


def _cut(
    piece: Piece, most_bytes: int, weigh: Callable[[Batch], int]
) -> Iterator[tuple[Piece, int]]:
    batch, historical = piece
    weight = weigh(batch)
    size = len(batch)
    if weight <= most_bytes or size == 1:
        yield piece, weight
        return
    middle = size // 2
    for part in (batch.part(0, middle), batch.part(middle, size)):
        yield from _cut((part, historical), most_bytes, weigh)
