"""The commands of ``tagbridge``. Each is told in a file of its own; this one only names them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="tagbridge",
    help="OPC UA and Modbus to MQTT Sparkplug B, with nothing lost on the way.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PlantPath = Annotated[
    Path, typer.Argument(metavar="PLANT", help="A plant file, or a folder with plant.yaml.")
]


@app.command()
def check(
    plant: PlantPath,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Problems as JSON lines.")] = False,
) -> None:
    """Read a plant file and say everything that is wrong with it; connects to nothing."""
    from bridge.cli.check import check as run_check

    raise typer.Exit(run_check(plant, strict=strict, as_json=as_json))


@app.command()
def run(
    plant: PlantPath,
    *,
    log: Annotated[
        str | None, typer.Option(metavar="console|json", help="Form of the log lines.")
    ] = None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    from bridge.cli.check import load_plant
    from bridge.cli.run import run as run_gateway
    from drivers.registry import load_drivers

    raise typer.Exit(run_gateway(load_plant(plant), load_drivers(), log_form=log))


@app.command()
def simulate(
    plant: PlantPath,
    *,
    seed: Annotated[int, typer.Option(help="Same seed, same values.")] = 1,
    broker: Annotated[
        bool, typer.Option("--broker", help="Also embedded brokers at the destinations.")
    ] = False,
) -> None:
    """Simulate the devices of a plant at their endpoints on this machine."""
    from bridge.cli.check import load_plant
    from bridge.cli.simulate import simulate as run_simulation

    raise typer.Exit(run_simulation(load_plant(plant), seed=seed, with_broker=broker))


@app.command()
def watch(
    broker: Annotated[str, typer.Argument(metavar="BROKER", help="mqtt://host[:port]")],
    *,
    group: Annotated[str | None, typer.Option(help="Only this Sparkplug group.")] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="20s", help="End by itself after so long.")
    ] = None,
) -> None:
    """Show what any Sparkplug nodes publish at a broker, live and decoded."""
    from bridge.cli.words import seconds
    from bridge.cli.watch import watch as run_watch

    raise typer.Exit(run_watch(broker, group=group, duration_s=seconds(duration)))


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
    app()


if __name__ == "__main__":
    main()
