"""How to talk to one device: the driver contract and the drivers."""
