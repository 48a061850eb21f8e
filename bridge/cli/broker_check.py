"""``tagbridge broker-check URL``: what a broker does with what Sparkplug relies on."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.failing import failed
from bridge.cli.lights import Light
from bridge.mqtt.examination import Finding, Mark, Subject, examine
from bridge.mqtt.server import Server
from drivers.tls import Tls

_LIGHTS = {Mark.GOOD: Light.GOOD, Mark.DOUBTFUL: Light.DOUBTFUL, Mark.BAD: Light.BAD}


def broker_check(
    url: str, *, user: str | None, password_file: Path | None, ca: Path | None, as_json: bool
) -> int:
    """Examine a broker and say what to set; 1 if something is bad."""
    try:
        server = Server.parse(url)
    except ValueError as error:
        return failed(str(error), "write mqtt://HOST or mqtts://HOST, with :PORT if it is another")
    login = None
    if user is not None:
        if password_file is None:
            return failed("a user without a password", "add --password-file FILE")
        try:
            login = (user, password_file.read_text(encoding="utf-8").rstrip("\r\n"))
        except OSError as error:
            return failed(f"{password_file} cannot be read: {error.strerror}", "see whose it is")
    subject = Subject(server, login, Tls(ca=ca) if server.tls else None)
    findings = asyncio.run(_shown(subject, as_json=as_json))
    bad = [finding for finding in findings if finding.mark is Mark.BAD]
    doubtful = [finding for finding in findings if finding.mark is Mark.DOUBTFUL]
    if not as_json:
        console = Console(highlight=False)
        if bad:
            said = f"{len(bad)} of {len(findings)} bad: not fit for Sparkplug as it is"
            console.print(Light.BAD.beside(said), soft_wrap=True)
        elif doubtful:
            said = f"fit for Sparkplug; {len(doubtful)} of {len(findings)} are worth a look"
            console.print(Light.DOUBTFUL.beside(said), soft_wrap=True)
        else:
            console.print(Light.GOOD.beside("fit for Sparkplug"), soft_wrap=True)
    return 1 if bad else 0


async def _shown(subject: Subject, *, as_json: bool) -> list[Finding]:
    """The findings, each shown as it comes."""
    console = Console(highlight=False)
    if not as_json:
        console.print(Text(f"{subject.server}: this takes about half a minute", style="dim"))
    findings = []
    async for finding in examine(subject):
        findings.append(finding)
        if as_json:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
            continue
        light = _LIGHTS[finding.mark]
        line = Table.grid(padding=(0, 1))
        line.add_column(width=1)
        line.add_column(width=27)
        line.add_column(overflow="fold")
        seen = Text(finding.seen)
        if finding.advice:
            seen.append(f"\n{finding.advice}", style="dim")
        line.add_row(light.text, finding.name, seen)
        console.print(line)
    return findings
