"""Why an MQTT 5 broker ends a connection, from a peer that says it byte by byte.

mosquitto 2.0 gives no reason at a takeover; other brokers do.
"""

import asyncio

import pytest

from bridge.mqtt import Connection, Server

CONNACK = bytes.fromhex("2003000000")


async def ended_with(goodbye: bytes, connack: bytes = CONNACK) -> Connection:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(connack)
        await writer.drain()
        await reader.read(100)
        writer.write(goodbye)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = await Connection.open(
        Server("127.0.0.1", port), client_id="n", will=None, keep_alive_s=10,
        on_message=lambda *_: None, timeout_s=5, version="mqtt-5",
    )  # fmt: skip
    connection.publish("a", b"x")
    await asyncio.wait_for(connection.closed(), 5)
    server.close()
    return connection


@pytest.mark.parametrize(
    ("code", "seen", "remedy"),
    [
        (0x8E, "session taken over", "same client id"),
        (0x95, "packet too large", "divide the device"),
        (0x87, "not authorized", "access list"),
        (0x8B, "server shutting down", "being stopped"),
        (0x97, "quota exceeded", "used up"),
    ],
)
async def test_a_reason_is_told_with_what_to_do(code: int, seen: str, remedy: str) -> None:
    connection = await ended_with(bytes([0xE0, 2, code, 0]))
    error = await connection.closed()
    assert error.seen == f"the broker closed the connection: {seen}"
    assert remedy in error.remedy
    assert error.closed == code


async def test_no_reason_is_the_same_as_ever() -> None:
    error = await (await ended_with(b"")).closed()
    assert error.seen == "the broker closed the connection"
    assert "client id" in error.remedy


async def test_what_a_broker_says_of_itself_is_taken_over() -> None:
    # Maximum Packet Size 100,000 and Server Keep Alive 7 s.
    connack = bytes.fromhex("200b 0000 08 27 000186a0 13 0007")
    connection = await ended_with(b"", connack)
    assert connection.largest_packet == 100_000
    assert connection._wire._keep_alive_s == 7
