"""``fivefold submit``, and the command that it runs on the head of a cluster."""

from __future__ import annotations

import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner._text import counted
from runner.cli.commands.arguments import Methods, Seeds, StudyFile, Trials, load
from runner.cli.console import err_console, note, output, print_line
from runner.errors import StudyError, StudyInterrupted

if TYPE_CHECKING:
    from runner.cluster.submit import Head
    from runner.study.study import Study


def submit(
    study: StudyFile,
    address: Annotated[
        str,
        typer.Option(
            envvar="RAY_API_SERVER_ADDRESS",
            help="The head's dashboard, http://HEAD:8265; requires the head's token.",
        ),
    ] = "http://localhost:8265",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Parallel workers (default: as many as fit on the cluster).")
    ] = None,
    methods: Methods = None,
    seeds: Seeds = None,
    trials: Trials = None,
    include: Annotated[
        list[Path] | None,
        typer.Option(help="Further file or folder that an objective opens; repeatable."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Study directory on the head (default: $FIVEFOLD_HOME/NAME)."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start without following the log.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Print the status.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the study; submit it again to resume.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Copy the study directory to this machine.")] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Target of --fetch (default: results/NAME).")
    ] = None,
) -> None:
    """Run a study on a cluster from a machine outside it; repeat the command to follow its log."""
    from runner.cluster.submit import Head, Order, check_address, folder_on_head, pack_study
    from runner.cluster.submit import status as ask
    from runner.cluster.submit import stop as end

    if status + stop + fetch + detach > 1:
        raise StudyError("mutually exclusive.", where="--status, --stop, --fetch, --detach")
    if to is not None and not fetch:
        raise StudyError("requires --fetch.", where="--to")
    check_address(address)
    loaded = load(study, methods, seeds, trials)
    options = [f"--{name}={value}" for name, value in _used(workers, methods, seeds, trials)]

    async def act() -> int:
        async with Head(address) as head:
            for message in head.notes:
                note(message)
            if status:
                _print(await ask(head, loaded))
            elif stop:
                _print([await end(head, loaded)])
            elif fetch:
                return await _fetch(head, loaded, folder_on_head(loaded, out), to)
            else:
                order = Order(loaded, pack_study(study, include or ()), tuple(options), out)
                return await _submit(head, order, detach)
            return 0

    raise typer.Exit(_run(act(), fetch))


def send(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study directory.")]) -> None:
    """Write a study directory to the log of a job; ``submit --fetch`` runs this on the head."""
    from runner.cluster.submit import send as send_folder

    send_folder(folder, sys.stdout)


def _used(*values: object) -> list[tuple[str, object]]:
    names = ("workers", "methods", "seeds", "trials")
    return [(name, value) for name, value in zip(names, values, strict=True) if value is not None]


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print_line(output(), line)


async def _submit(head: Head, order: Any, detach: bool) -> int:
    from runner.cluster.submit import follow, submit
    from runner.cluster.submit.submitting import exit_code

    package = order.package
    size = sum(size for _, size in package.files) / 1e3
    job, new = await submit(head, order)
    files = f"{counted(len(package.files), 'file')}, {size:.0f} kB"
    _print([f"{order.study.name}: {f'submitted ({files})' if new else 'already running'} as {job}."])
    if detach:
        return 0
    out = output()
    async for line in follow(head, job):
        print_line(out, line)
    return await exit_code(head, job)


async def _fetch(head: Head, study: Study, source: str, to: Path | None) -> int:
    from runner.cluster.submit import fetch
    from runner.study.study import default_folder

    target = to if to is not None else default_folder(study)
    with output().status("fetching") as shown:
        found = await fetch(head, source, target, lambda size: shown.update(f"fetching: {size / 1e6:.1f} MB"))
    lines = [f"note: {note}" for note in found.notes]
    lines.append(f"study directory: {target} ({found.size / 1e6:.1f} MB)")
    _print(lines)
    return 0


def _run(work: Coroutine[Any, Any, int], fetching: bool) -> int:
    """Run a coroutine; Ctrl-C ends this command, not the study."""
    import asyncio  # slow to import, and most commands need none of it

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        message = "the study continues on the cluster; repeat the command to follow it, --stop ends it."
        print_line(err_console, f"interrupted: {'repeat the command to fetch.' if fetching else message}")
        return StudyInterrupted.exit_code
