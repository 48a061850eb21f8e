"""MQTT transport: connect, subscribe, publish, fence. The door to aiomqtt."""

from bridge.mqtt.connection import Connection, OnMessage, Version
from bridge.mqtt.errors import TAKEN_OVER, ConnectionLost, ConnectionRefused, SubscriptionRefused
from bridge.mqtt.server import Server, Will

__all__ = [
    "TAKEN_OVER",
    "Connection",
    "ConnectionLost",
    "ConnectionRefused",
    "OnMessage",
    "Server",
    "SubscriptionRefused",
    "Version",
    "Will",
]
