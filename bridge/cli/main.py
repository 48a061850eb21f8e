"""The commands of ``tagbridge``. Each is told in a file of its own; this one only names them."""

import errno
import io
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

_OUTPUT_LOST = {errno.ENOSPC, errno.EDQUOT, errno.EIO}

app = typer.Typer(
    name="tagbridge",
    help="OPC UA and Modbus to MQTT Sparkplug B, with nothing lost on the way.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class LogForm(Enum):
    """Forms of log lines."""

    CONSOLE = "console"
    JSON = "json"


PlantPath = Annotated[
    Path, typer.Argument(metavar="PLANT", help="A plant file, or a folder with plant.yaml.")
]

Places = Annotated[
    list[str] | None,
    typer.Option("--at", metavar="NAME=URL", help="Put a link or destination somewhere else."),
]


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tagbridge {version('tagbridge')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say it and end."),
    ] = False,
) -> None:
    """Options that need no command."""


@app.command()
def check(
    plant: PlantPath,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All as JSON lines.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="List every metric.")] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="List the requests and the load of each wire.")
    ] = False,
) -> None:
    """Read a plant file and say everything that is wrong with it; connects to nothing."""
    from bridge.cli.check import check as run_check

    code = run_check(plant, strict=strict, as_json=as_json, metrics=metrics, requests=requests)
    raise typer.Exit(code)


@app.command()
def explain(
    word: Annotated[str | None, typer.Argument(metavar="[CODE|TOPIC]")] = None,
) -> None:
    """Say what a code of check means, or how a part of the language works."""
    from bridge.cli.explain import explain as run_explain

    raise typer.Exit(run_explain(word))


@app.command()
def schema(
    section: Annotated[
        str | None, typer.Argument(metavar="[SECTION]", help="Only its keys: links, devices.modbus")
    ] = None,
) -> None:
    """Print the JSON Schema of plant files, for editors, or the keys of one section."""
    from bridge.cli.schema import schema as run_schema

    raise typer.Exit(run_schema(section))


@app.command()
def drivers() -> None:
    """List the drivers that are installed, with their endpoints."""
    from bridge.cli.drivers import drivers as run_drivers

    raise typer.Exit(run_drivers())


@app.command()
def test(
    plant: PlantPath,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Files of cases.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Outcomes as JSON lines.")] = False,
) -> None:
    """Run the cases beside a plant: raw values in, metrics out, without any device."""
    from bridge.cli.cases import test as run_test

    raise typer.Exit(run_test(plant, files or [], as_json=as_json))


@app.command()
def run(
    plant: PlantPath,
    *,
    at: Places = None,
    outbox: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Another outbox folder.")
    ] = None,
    log: Annotated[LogForm | None, typer.Option(help="Form of the log lines.")] = None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    from bridge.cli.applied import Options
    from bridge.cli.run import run as run_gateway
    from bridge.cli.running import Source
    from drivers.registry import load_drivers

    source = Source(plant, Options(at=tuple(at or ()), outbox=outbox), load_drivers())
    raise typer.Exit(run_gateway(source.load(), source, log_form=log.value if log else None))


OutboxFolder = Annotated[
    str | None,
    typer.Option("--outbox", metavar="FOLDER", help="The outbox folder that run was given."),
]

RunningPlant = Annotated[
    Path, typer.Argument(metavar="[PLANT]", help="The plant that the gateway runs.")
]

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command()
def status(
    plant: RunningPlant = Path(),
    *,
    outbox: OutboxFolder = None,
    as_json: AsJson = False,
    everything: Annotated[bool, typer.Option("--all", help="Healthy devices, too.")] = False,
) -> None:
    """Show how the running gateway is: brokers, outboxes, links, devices."""
    from bridge.cli.status import status as run_status

    raise typer.Exit(run_status(plant, outbox=outbox, as_json=as_json, everything=everything))


@app.command()
def plan(
    plant: RunningPlant = Path(), *, outbox: OutboxFolder = None, as_json: AsJson = False
) -> None:
    """Show what an edit of the plant means, against what runs or ran last."""
    from bridge.cli.plan import plan as run_plan

    raise typer.Exit(run_plan(plant, outbox=outbox, as_json=as_json))


@app.command()
def reload(
    plant: RunningPlant = Path(), *, outbox: OutboxFolder = None, as_json: AsJson = False
) -> None:
    """Let the running gateway take over its plant as it is now; a bad one is refused."""
    from bridge.cli.plan import reload as run_reload

    raise typer.Exit(run_reload(plant, outbox=outbox, as_json=as_json))


outboxes = typer.Typer(no_args_is_help=True, help="What is buffered, and where.")
app.add_typer(outboxes, name="outbox")


@outboxes.command("stats")
def outbox_stats(
    plant: RunningPlant = Path(), *, outbox: OutboxFolder = None, as_json: AsJson = False
) -> None:
    """Show what each outbox holds; without a running gateway, what its files do."""
    from bridge.cli.outbox import stats

    raise typer.Exit(stats(plant, outbox=outbox, as_json=as_json))


commands = typer.Typer(
    no_args_is_help=True, help="Writes to devices: open and shut the gate, read the audit log."
)
app.add_typer(commands, name="commands")


@commands.command("arm")
def commands_arm(plant: RunningPlant = Path(), *, outbox: OutboxFolder = None) -> None:
    """Open the gate of the running gateway: for a while, where it is opened by hand."""
    from bridge.cli.commands import turn

    raise typer.Exit(turn(plant, "arm", outbox=outbox))


@commands.command("disarm")
def commands_disarm(plant: RunningPlant = Path(), *, outbox: OutboxFolder = None) -> None:
    """Shut the gate at once, until it is armed again or the gateway is restarted."""
    from bridge.cli.commands import turn

    raise typer.Exit(turn(plant, "disarm", outbox=outbox))


@commands.command("log")
def commands_log(
    plant: RunningPlant = Path(),
    *,
    outbox: OutboxFolder = None,
    last: Annotated[int, typer.Option(min=1, help="How many records.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show who wrote what, what became of it, and what was refused."""
    from bridge.cli.commands import log

    raise typer.Exit(log(plant, outbox=outbox, last=last, as_json=as_json))


@commands.command("verify")
def commands_verify(
    plant: RunningPlant = Path(),
    *,
    outbox: OutboxFolder = None,
    head: Annotated[
        str | None, typer.Option(help="A hash that was published: it must be in the log.")
    ] = None,
) -> None:
    """Say whether the audit log is as it was written."""
    from bridge.cli.commands import verify

    raise typer.Exit(verify(plant, outbox=outbox, head=head))


@app.command()
def simulate(
    plant: PlantPath,
    *,
    at: Places = None,
    seed: Annotated[int, typer.Option(help="Same seed, same values.")] = 1,
    broker: Annotated[
        bool, typer.Option("--broker", help="Also embedded brokers at the destinations.")
    ] = False,
) -> None:
    """Simulate the devices of a plant at their endpoints on this machine."""
    from bridge.cli.check import load_plant
    from bridge.cli.simulate import simulate as run_simulation
    from bridge.cli.words import placed
    from drivers.registry import load_drivers

    moved = placed(load_plant(plant), at or [], load_drivers())
    raise typer.Exit(run_simulation(moved, seed=seed, with_broker=broker))


@app.command()
def tidy(
    plant: PlantPath,
    *,
    write: Annotated[bool, typer.Option("--write", help="Do it, not only show it.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with 1 if it is untidy.")] = False,
) -> None:
    """Show, or mend, small disorder in the files of a plant; never what they mean."""
    from bridge.cli.tidy import tidy as run_tidy

    raise typer.Exit(run_tidy(plant, write=write, check=check))


@app.command()
def migrate(
    plant: PlantPath,
    *,
    write: Annotated[bool, typer.Option("--write", help="Do it, not only show it.")] = False,
) -> None:
    """Show, or do, what makes a plant of an older format one of today's."""
    from bridge.cli.migrate import migrate as run_migrate

    raise typer.Exit(run_migrate(plant, write=write))


@app.command()
def probe(
    plant: PlantPath,
    name: Annotated[str, typer.Argument(metavar="DEVICE", help="Or a link, with --units.")],
    address: Annotated[str, typer.Argument(help="As in a table: HR101, holding:100.")] = "",
    *,
    units: Annotated[bool, typer.Option("--units", help="Which units of a link answer.")] = False,
) -> None:
    """Read a Modbus address and its neighbours in the usual types, besides every plan."""
    from bridge.cli.probe import probe as run_probe

    raise typer.Exit(run_probe(plant, name, address, units=units))


@app.command()
def browse(
    plant: PlantPath,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="An OPC UA device.")],
    *,
    only_namespaces: Annotated[
        bool, typer.Option("--namespaces", help="Its namespaces, and nothing else.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Rows for a tag table.")] = False,
    depth: Annotated[int, typer.Option(help="How many levels below Objects.", min=1)] = 8,
    most: Annotated[int, typer.Option(help="How many variables.", min=1)] = 500,
) -> None:
    """Show what an OPC UA server has: variables with address, type, access and value."""
    from bridge.cli.browse import browse as run_browse

    raise typer.Exit(
        run_browse(
            plant, device, only_namespaces=only_namespaces, as_csv=as_csv, depth=depth, most=most
        )
    )


trust = typer.Typer(no_args_is_help=True, help="OPC UA servers' certificates: list, accept, own.")
app.add_typer(trust, name="trust")


@trust.command("list")
def trust_list(plant: PlantPath) -> None:
    """Show the certificates that are trusted, and those that wait."""
    from bridge.cli.trust import trusted

    raise typer.Exit(trusted(plant))


@trust.command("accept")
def trust_accept(
    plant: PlantPath,
    thumbprint: Annotated[str, typer.Argument(help="As the server shows it: 40 hex digits.")],
) -> None:
    """Trust a server whose certificate waits."""
    from bridge.cli.trust import accept

    raise typer.Exit(accept(plant, thumbprint))


@trust.command("own")
def trust_own(plant: PlantPath) -> None:
    """Show the gateway's own certificate, which servers have to trust."""
    from bridge.cli.trust import own

    raise typer.Exit(own(plant))


@app.command("broker-check")
def broker_check(
    broker: Annotated[str, typer.Argument(metavar="BROKER", help="mqtt://host[:port]")],
    *,
    user: Annotated[str | None, typer.Option(help="A user that the broker knows.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="That user's password.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Whom to believe at mqtts://; else the system."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON lines.")] = False,
) -> None:
    """Try out what Sparkplug relies on at a broker, and say what to set there."""
    from bridge.cli.broker_check import broker_check as run_check

    code = run_check(broker, user=user, password_file=password_file, ca=ca, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def watch(
    broker: Annotated[str, typer.Argument(metavar="[BROKER]", help="mqtt://host[:port]")] = "",
    *,
    group: Annotated[str | None, typer.Option(help="Only this Sparkplug group.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="End with a report on the rules; 1 if one was broken.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="That report alone, as JSON.")] = False,
    capture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep every packet in this file.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Judge a capture, no broker.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="20s", help="End by itself after so long.")
    ] = None,
) -> None:
    """Show what any Sparkplug nodes publish at a broker, live, decoded and judged."""
    from bridge.cli.watch import judge
    from bridge.cli.watch import watch as run_watch
    from bridge.cli.words import seconds

    if source is not None:
        raise typer.Exit(judge(source, as_json=as_json))
    code = run_watch(
        broker, group=group, duration_s=seconds(duration), check=check, as_json=as_json,
        capture=capture,
    )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def demo(
    *,
    duration: Annotated[
        str | None, typer.Option(metavar="20s", help="End by itself after so long.")
    ] = None,
) -> None:
    """Simulated devices, an embedded broker, the gateway and a live view, on this machine."""
    from bridge.cli.demo import demo as run_demo
    from bridge.cli.words import seconds

    raise typer.Exit(run_demo(duration_s=seconds(duration)))


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no ° gets an escape
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as error:
        if error.errno not in _OUTPUT_LOST:
            raise
        sys.exit(f"tagbridge: the output cannot be written: {error.strerror}; free the disk")


if __name__ == "__main__":
    main()
