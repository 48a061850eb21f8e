"""``tagbridge trust``: which OPC UA servers' certificates are believed.

A server that nobody trusts gets no password and gives no value; its certificate waits in
``rejected``. Whether it is the right one is seen by comparing its thumbprint with what the server
itself shows. The running gateway notices at its next try.
"""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.check import load_plant
from bridge.cli.failing import failed
from drivers.opcua.pki import Pki, PkiError, Shown


def trusted(path: Path) -> int:
    """Show what is trusted and what waits; 1 if the folder cannot be read."""
    console = Console(highlight=False)
    pki = _pki(path)
    try:
        known, waiting = pki.trusted(), pki.rejected()
    except (PkiError, OSError, ValueError) as error:
        return _unusable(error)
    console.print(Text(f"certificates in {pki.folder}"))
    if not known and not waiting:
        console.print(Text("none: no server with a certificate has been met yet", style="dim"))
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "thumbprint", "server", "valid until"):
        table.add_column(column, overflow="fold")
    for each in known:
        table.add_row(Text("● trusted", style="green"), *_cells(each))
    for each in waiting:
        table.add_row(Text("○ waits", style="yellow"), *_cells(each))
    console.print(table)
    if waiting:
        console.print(Text(f"compare the thumbprint, then: tagbridge trust accept {path} …"))
    return 0


def accept(path: Path, thumbprint: str) -> int:
    """Trust a certificate that waits; 1 if there is no such one."""
    pki = _pki(path)
    try:
        each = pki.accept(thumbprint)
    except KeyError:
        waiting = ", ".join(known.thumbprint for known in pki.rejected()) or "none"
        return failed(f"no certificate {thumbprint!r} waits", f"waiting: {waiting}")
    except (PkiError, OSError) as error:
        return _unusable(error)
    Console(highlight=False, soft_wrap=True).print(
        Text(f"trusted: {each.subject}, {', '.join(each.uris)}, thumbprint {each.thumbprint}")
    )
    return 0


def own(path: Path) -> int:
    """Show the gateway's own certificate, which a server has to trust; made if there is none."""
    pki = _pki(path)
    try:
        mine = pki.own()
    except PkiError as error:
        return _unusable(error)
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"the gateway's own certificate: {pki.folder / 'own' / 'certificate.der'}"))
    console.print(Text(f"application {mine.uri}"))
    console.print(Text("give this file to the server, or accept it there when it has been seen"))
    return 0


def _pki(path: Path) -> Pki:
    plant = load_plant(path)
    return Pki(Path(plant.file).parent / plant.pki_folder)


def _cells(each: Shown) -> tuple[Text, Text, Text]:
    over = each.not_after < datetime.now(UTC)
    until = Text(f"{each.not_after:%Y-%m-%d}", style="red" if over else "")
    return Text(each.thumbprint), Text(f"{each.subject}\n{', '.join(each.uris)}"), until


def _unusable(error: Exception) -> int:
    return failed(str(error), error.remedy if isinstance(error, PkiError) else "")
