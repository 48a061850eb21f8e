"""Which gateway a command means: the one over the outbox folder that a plant file names."""

from pathlib import Path
from typing import Any, TypeVar

from bridge.cli.check import plant_file
from bridge.cli.failing import failed
from bridge.control.client import NotRunningError, UnreachableError, ask
from bridge.control.words import RefusedError
from mappings.plant.sections import outbox_folder

T = TypeVar("T")


def folder_of(path: Path, outbox: str | None) -> Path | None:
    """The outbox folder of a plant, though its file be full of mistakes; None after saying why not.

    ``outbox`` is what ``run`` was told instead of the file's.
    """
    if outbox is not None:
        return Path(outbox)
    file = plant_file(path)
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        failed(
            f"{file} cannot be read: {error.strerror}",
            "name the plant that the gateway runs, or its outbox: --outbox FOLDER",
        )
        return None
    return Path(outbox_folder(text, str(file)))


def asked(folder: Path, do: str, answer: type[T], **more: Any) -> T | None:
    """What the gateway answers; None after saying why it does not. `NotRunningError` passes."""
    try:
        return ask(folder, do, answer, **more)
    except UnreachableError as error:
        failed(error.seen, error.remedy)
    except RefusedError as refused:
        failed(refused.seen, refused.remedy)
        for problem in refused.more.get("problems", ()):
            failed(str(problem))
    return None


def not_running(error: NotRunningError, path: Path) -> int:
    """Say that nothing runs; the exit code 1."""
    return failed(
        str(error),
        f"start it with tagbridge run {path}; if it runs with another outbox, name that: "
        "--outbox FOLDER",
    )
