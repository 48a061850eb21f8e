"""What one QoS 0 publish costs, through our connection and through aiomqtt's own publish.

Prints CPU microseconds per message of this process, medians of five runs, for 200 bytes and 5 kB.
Our side includes a fence after every 50 messages; aiomqtt awaits 50 messages at a time.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import aiomqtt

from bridge.mqtt import Connection, Server
from tests.support.broker import Mosquitto

TOPIC = "spBv1.0/group/DDATA/node/device"
MESSAGES = 5_000


async def ours(broker: Mosquitto, payload: bytes) -> None:
    connection = await Connection.open(
        Server(broker.host, broker.port),
        client_id="bench",
        will=None,
        keep_alive_s=30,
        on_message=lambda *_: None,
        timeout_s=5,
    )
    for _ in range(MESSAGES // 50):
        for _ in range(50):
            connection.publish(TOPIC, payload)
        await connection.fence()
    await connection.disconnect(5)


async def theirs(broker: Mosquitto, payload: bytes) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        client.pending_calls_threshold = 50  # it warns above this, which would cost too
        for _ in range(MESSAGES // 50):
            await asyncio.gather(*(client.publish(TOPIC, payload) for _ in range(50)))


async def cost_us(run: Callable[[Mosquitto, bytes], Awaitable[None]], size: int) -> float:
    async with Mosquitto() as broker:
        runs = []
        for _ in range(5):
            started = time.process_time()
            await run(broker, b"x" * size)
            runs.append((time.process_time() - started) / MESSAGES * 1e6)
        return statistics.median(runs)


async def main() -> None:
    for size in (200, 5_000):
        mine, yardstick = await cost_us(ours, size), await cost_us(theirs, size)
        print(
            f"QoS 0, {size} bytes: {mine:.1f} us CPU per message with its share of the fence,"
            f" aiomqtt {yardstick:.1f} us: {mine / yardstick:.0%}"
        )


if __name__ == "__main__":
    asyncio.run(main())
