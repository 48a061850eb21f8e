"""The control socket: how commands on the same machine talk to a running gateway."""
