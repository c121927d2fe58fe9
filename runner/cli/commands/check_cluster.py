"""``fivefold check --cluster``: mistakes of a cluster file, and the trials it has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from runner.cli.console import note, print_error, print_line, visible
from runner.errors import StudyError

if TYPE_CHECKING:
    from runner.cluster.check import Group
    from runner.study.resources import Needs
    from runner.study.study import Study


def check_file(path: Path, study: Study | None, console: Console) -> bool:
    """Print the mistakes of a cluster file and the trials it has room for; return True where it is fit.

    Parameters
    ----------
    study : Study, optional
        Room is counted for its trials. Default: for trials of one CPU.
    """
    from runner.cluster.check import check_cluster
    from runner.study.resources import Needs

    needs = [Needs()] if study is None else list(dict.fromkeys(study.needs))
    found = check_cluster(path, needs)
    for mistake in found.mistakes:
        if mistake.fatal:
            print_error(StudyError(str(mistake), where=str(path)))
        else:
            note(f"{path}: {mistake}")
    if found.fit:
        print_line(console, f"{path}: valid cluster file for {found.kind}.")
        _print_room(console, found.groups, needs)
    return found.fit


def _print_room(console: Console, groups: Sequence[Group], needs: Sequence[Needs]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("nodes", "CPUs", "GPUs", "min", "max"):
        table.add_column(name, justify="left" if name == "nodes" else "right")
    for group in groups:
        amounts = (group.amount("CPU"), group.amount("GPU"))
        cells = ["?" if amount is None else f"{amount:g}" for amount in amounts]
        table.add_row(visible(group.name), *cells, str(group.least), str(group.most))
    console.print(table)
    for one in needs:
        each = [(group.room(one), group) for group in groups]
        room = "as many at once as its machines have room for"
        if all(count is not None for count, _ in each):
            least = sum((count or 0) * group.least for count, group in each)
            most = sum((count or 0) * group.most for count, group in each)
            room = f"{least} to {most} at once"
        asked = ", ".join(
            f"{amount:g} {name}" for name, amount in replace(one, memory_gb=None).amounts.items()
        )
        print_line(console, f"Trials of {asked}: {room}.")
