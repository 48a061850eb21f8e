"""RTU: how a request and an answer look on a serial line.

::

    unit  function  data ...  checksum (2 bytes, low byte first)

An answer has no length of its own that could be trusted; its length follows from the request. It
is looked for anywhere in what arrived: adapters repeat the request, and a line that is
switched round gives a byte of noise. Source: Modbus over serial line 1.02, section 2.5.1.
"""

from drivers.modbus.connection import Request

_EXCEPTION_SIZE = 5


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _table()


def checksum(frame: bytes) -> bytes:
    """The two bytes that end a frame (CRC-16, polynomial 0xA001, as they are sent)."""
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def request_frame(request: Request) -> bytes:
    """A request as it is sent."""
    frame = bytes((request.unit, request.code)) + request.body
    return frame + checksum(frame)


def answer_in(
    received: bytes | bytearray, request: Request, begin: int = 0
) -> tuple[int, bytes] | None:
    """The answer to ``request`` in what was received, or None as long as it is not there.

    Its function code, and what follows up to the checksum. It is looked for from ``begin`` on.
    """
    echo = request.echo
    size = request.size + (4 if echo else 5)
    begin -= 1
    while (begin := received.find(request.unit, begin + 1)) >= 0:
        head = received[begin + 1 : begin + 3]
        if len(head) < 2:
            return None
        if head[0] == request.code and (echo or head[1] == request.size):
            end = begin + size
        elif head[0] == request.code | 0x80:
            end = begin + _EXCEPTION_SIZE
        else:
            continue
        if len(received) >= end and _is_whole(received[begin:end]):
            return head[0], bytes(received[begin + 2 : end - 2])
    return None


def _is_whole(frame: bytes | bytearray) -> bool:
    return checksum(bytes(frame[:-2])) == frame[-2:]
