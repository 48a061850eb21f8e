"""Serial port: bytes to and from a wire, without a thread.

The port is opened and set up by pyserial, for us alone; after that its file descriptor belongs to
the event loop. A pseudo-terminal, which stands in for a port in simulations, has no parity and
refuses one on some systems; it is opened without.
"""

import asyncio
import errno
import os
import stat
import termios
from collections.abc import Callable
from pathlib import Path

import serial
from serial.rs485 import RS485Settings

from drivers.driver import LinkError
from drivers.modbus.config import SerialOptions

_READ_SIZE = 4096
_PTY_MAJORS = range(136, 144)  # of /dev/pts on Linux


class SerialWire:
    """An open serial port; see `drivers.modbus.line.Wire`."""

    def __init__(
        self,
        port: serial.Serial,
        take: Callable[[bytes], None],
        lose: Callable[[str], None],
    ) -> None:
        self._port = port
        self._fd = port.fileno()
        self._take = take
        self._lose = lose
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def write(self, frame: bytes) -> None:
        """Send; what the port does not take at once follows when it does."""
        self._unsent += frame
        self._writable()

    def close(self) -> None:
        """Close the port; what it has not sent is lost."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._fd = -1
        self._port.close()

    def _readable(self) -> None:
        try:
            received = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        if received:
            self._take(received)
        else:
            self._end("the port was removed")

    def _writable(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._fd, self._writable)
        else:
            self._loop.remove_writer(self._fd)

    def _end(self, why: str) -> None:
        self.close()
        self._lose(why)


def open_port(path: str, options: SerialOptions) -> serial.Serial:
    """Open and set up a port for us alone, or raise `LinkError` with what to do about it."""
    parity = options.format[1]
    try:
        port = _opened(path, options, "N" if _is_pty(path) else parity)
    except termios.error as error:
        raise LinkError(
            f"{path} does not take {options.baud} {options.format}: {error.args[-1]}",
            "is it a serial port, and does the adapter know this speed and format?",
        ) from None
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise _refused(path, error) from None
    if options.rs485 != "driver":
        try:
            port.rs485_mode = RS485Settings(
                rts_level_for_tx=options.rs485 == "rts-up",
                rts_level_for_rx=options.rs485 != "rts-up",
            )
        except (OSError, ValueError):
            port.close()
            raise LinkError(
                f"{path} cannot switch RTS for RS-485",
                "write rs485: driver if the adapter switches by itself, as most do",
            ) from None
    return port


async def open_serial(
    path: str,
    options: SerialOptions,
    take: Callable[[bytes], None],
    lose: Callable[[str], None],
) -> SerialWire:
    """A wire over a port, or `LinkError`."""
    return SerialWire(open_port(path, options), take, lose)


def _opened(path: str, options: SerialOptions, parity: str) -> serial.Serial:
    return serial.Serial(
        path,
        baudrate=options.baud,
        bytesize=int(options.format[0]),
        parity=parity,
        stopbits=int(options.format[2]),
        timeout=0,
        write_timeout=0,
        exclusive=True,
    )


def _is_pty(path: str) -> bool:
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in _PTY_MAJORS


def _refused(path: str, error: Exception) -> LinkError:
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return LinkError(
            f"there is no port {path}", "is the adapter plugged in? see ls /dev/serial/by-id"
        )
    if number in {errno.EACCES, errno.EPERM}:
        return LinkError(
            f"{path} may not be opened",
            "add the gateway's user to the group of the port: usermod -aG dialout USER",
        )
    if number in {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}:
        return LinkError(f"{path} is used by another program", f"see who: fuser -v {path}")
    return LinkError(f"{path} cannot be opened: {error}", "is it a serial port?")
