"""Wire time: how long a request and its answer occupy a serial line.

A character has 10 or 11 bits: start, 8 data, parity, 1 or 2 stop bits. A request has 8 characters,
an answer 5 and its data, each followed by 3.5 characters of silence (1.75 ms above 19200 bit/s:
Modbus over serial line 1.02, section 2.5.1.1). Between them the unit takes its time::

    wire_ms = (8 + 5 + data) x character + 2 x silence + turnaround + pause

Reading a register along costs two characters; so many of them are worth a request as pay for the
13 characters, the silences and the turnaround of another one.
"""

from dataclasses import dataclass

from drivers.modbus.config import LinkOptions, SerialOptions

REQUEST_BYTES = 8
"""Unit, function, address, count, checksum."""
ANSWER_BYTES = 5
"""Unit, function, byte count, checksum: besides the data."""


@dataclass(frozen=True, slots=True)
class WireTime:
    """A serial line, in seconds: a character, and what else an exchange takes."""

    character_s: float
    silence_s: float
    turnaround_s: float = 0.0
    pause_s: float = 0.0

    @classmethod
    def of(cls, link: LinkOptions) -> "WireTime":
        """The line that a link's options describe."""
        serial = link.serial or SerialOptions()
        bits = 9 + (serial.format[1] != "N") + int(serial.format[2])
        character_s = bits / serial.baud
        silence_s = 3.5 * character_s if serial.baud <= 19_200 else 0.00175
        return cls(character_s, silence_s, link.turnaround / 1000, link.pause / 1000)

    def exchange_s(self, answer_bytes: int) -> float:
        """How long a request occupies the line whose answer holds so many bytes of data."""
        characters = REQUEST_BYTES + ANSWER_BYTES + answer_bytes
        waits_s = 2 * self.silence_s + self.turnaround_s + self.pause_s
        return characters * self.character_s + waits_s

    @property
    def request_worth(self) -> int:
        """How many registers can be read along in the time of one more request."""
        return int(self.exchange_s(0) / (2 * self.character_s))
