"""``fivefold compare``: compare the methods of several studies over the same problems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import note, output, print_line


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR1 DIR2...", help="Study directories.", show_default=False)
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the leaderboard there as CSV."),
    ] = None,
) -> None:
    """Compare the methods of studies over the same problems and seeds."""
    from runner.cli.verdict import export_leaderboard, print_verdict
    from runner.results import Results
    from runner.results.stats import Comparison

    comparison = Comparison.of(*(Results.open(folder) for folder in folders))
    for text in comparison.notes:
        note(text)
    print_verdict(output(), comparison)
    for path in export_leaderboard(comparison, to, "csv") if to is not None else ():
        print_line(output(), path)
