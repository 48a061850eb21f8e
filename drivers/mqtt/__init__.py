"""The MQTT driver: devices that publish to a broker by themselves."""
