"""The OPC UA simulator in a process of its own, to be stopped and killed: ``PORT SEED``."""

import asyncio
import sys

from simulators.opcua import OpcUaSimulator
from tests.support.opcua import definition, row

DEVICES = [definition("Press", [row("Count", "int32", scan_ms=50), row("Force", "float64")])]


async def main(port: int) -> None:
    async with OpcUaSimulator(DEVICES, port=port, counting=True):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
