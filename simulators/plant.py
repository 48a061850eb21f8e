"""A whole plant's devices at once: every link of a plant file, served on this machine.

Each link becomes one simulator: a Modbus TCP server with the link's units, an OPC UA server with
the link's nodes. A link whose endpoint is on this machine is served right there; any other gets a
port of the loopback, and `PlantSimulator.places` says which.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlsplit

from mappings.plant.definitions import LinkDefinition, Plant
from simulators.modbus import ModbusSimulator
from simulators.opcua import OpcUaSimulator
from simulators.truth import Truth

_DEFAULT_PORTS = {"tcp": 502, "opc.tcp": 4840, "mqtt": 1883, "mqtts": 0}
_HERE = {"127.0.0.1", "::1", "localhost"}


class NotSimulatedError(Exception):
    """A link whose driver has no simulator; ``str(error)`` says which."""


class PlantSimulator:
    """The devices of a plant, from entering to leaving.

    ``logins`` are the user name and password that a link's server asks for, by link name.
    ``truth`` has every value that was served. ``places[link]`` is the endpoint URL, after
    entering. Raises OSError where a port is taken.
    """

    def __init__(
        self,
        plant: Plant,
        *,
        seed: int = 1,
        logins: Mapping[str, tuple[str, str]] | None = None,
        counting: bool = False,
    ) -> None:
        self._plant = plant
        self._seed = seed
        self._logins = logins or {}
        self._counting = counting
        self._stack = AsyncExitStack()
        self.truth = Truth()
        self.places: dict[str, str] = {}
        self.simulators: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        try:
            for link in self._plant.links:
                host, port = _place(link)
                simulator = self._simulator(link, host, port)
                self.simulators[link.name] = await self._stack.enter_async_context(simulator)
                self.places[link.name] = simulator.endpoint
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _simulator(self, link: LinkDefinition, host: str, port: int) -> Any:
        if link.driver == "modbus":
            return ModbusSimulator(
                link.devices, host=host, port=port, seed=self._seed,
                counting=self._counting, truth=self.truth,
            )  # fmt: skip
        if link.driver == "opcua":
            login = self._logins.get(link.name)
            return OpcUaSimulator(
                link.devices, host=host, port=port, seed=self._seed,
                users={login[0]: login[1]} if login else None,
                counting=self._counting, truth=self.truth,
            )  # fmt: skip
        if link.driver == "mqtt":
            return self._publishers(link, host, port)
        raise NotSimulatedError(f"there is no simulator for {link.driver!r} devices ({link.name})")

    def _publishers(self, link: LinkDefinition, host: str, port: int) -> Any:
        try:
            from simulators.mqtt import MqttSimulator  # noqa: PLC0415  # its broker is an extra
        except ModuleNotFoundError as error:
            missing = f"{link.name} needs {error.name}, which is not installed"
            raise NotSimulatedError(f"{missing}; install 'tagbridge[demo]'") from error
        return MqttSimulator(
            link.devices, host=host, port=port, seed=self._seed,
            login=self._logins.get(link.name), counting=self._counting, truth=self.truth,
        )  # fmt: skip


def _place(link: LinkDefinition) -> tuple[str, int]:
    """Host and port to serve at; port 0 is any free one, and all that is left for mqtts://, since
    the simulators have no certificates.
    """
    parts = urlsplit(link.endpoint)
    if parts.hostname in _HERE and parts.scheme != "mqtts":
        return parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    return "127.0.0.1", 0
