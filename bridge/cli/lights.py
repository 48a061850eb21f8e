"""Lights and numbers for people: state as a shape and a colour, time and size in a few letters."""

from enum import Enum

from rich.text import Text


class Light(Enum):
    """How something is; the shape says it, too, to whoever does not see colours."""

    GOOD = ("●", "green")
    DOUBTFUL = ("◐", "yellow")
    BAD = ("○", "bold red")
    OFF = ("·", "dim")

    @property
    def text(self) -> Text:
        """The light itself."""
        return Text(self.value[0], style=self.value[1])

    def beside(self, words: str) -> Text:
        """The light with words in its colour behind it."""
        return Text(f"{self.value[0]} {words}", style=self.value[1])


def ago(milliseconds: int | None) -> str:
    """How long ago: ``0.3 s``, ``4 min``, ``2 h 10 min``, ``3 d 4 h``; None is ``never``."""
    if milliseconds is None:
        return "never"
    seconds = max(milliseconds, 0) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def size(count: int) -> str:
    """Bytes as ``12 KiB``, ``3.4 MiB``."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def bar(share: float, width: int = 10) -> Text:
    """A share of a whole as a bar: green, yellow from half, red from nine tenths."""
    share = min(max(share, 0.0), 1.0)
    full = int(share * width)
    drawn = "█" * full + ("▏" if share and not full else "")
    style = "red" if share >= 0.9 else "yellow" if share >= 0.5 else "green"
    return Text().append(drawn, style=style).append("░" * (width - len(drawn)), style="dim")
