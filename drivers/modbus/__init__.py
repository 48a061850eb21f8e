"""Modbus: coils and registers of units behind a TCP endpoint."""
