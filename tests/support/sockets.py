"""Which TCP sockets a process has, by what the kernel says."""

import re
from pathlib import Path

_ESTABLISHED = "01"


def local_ports(pid: int, remote_port: int) -> list[int]:
    """The local ports of a process's established connections to a port, ascending."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
        except FileNotFoundError:
            continue
        if match:
            inodes.add(match[1])
    ports = []
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *rest = line.split()
        if (
            state == _ESTABLISHED
            and int(remote.split(":")[1], 16) == remote_port
            and rest[5] in inodes
        ):
            ports.append(int(local.split(":")[1], 16))
    return sorted(ports)
