"""MQTT transport: connect, subscribe, publish, fence. The door to aiomqtt."""

from bridge.mqtt.connection import Connection, OnMessage, Version
from bridge.mqtt.errors import ConnectionLost, ConnectionRefused, SubscriptionRefused
from bridge.mqtt.server import Server, Will

__all__ = [
    "Connection",
    "ConnectionLost",
    "ConnectionRefused",
    "OnMessage",
    "Server",
    "SubscriptionRefused",
    "Version",
    "Will",
]
