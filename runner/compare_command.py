"""``fivefold compare``: the methods of several studies over the same problems, as one comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


def register(app: typer.Typer, console: Callable[[], Console], errors: Console) -> None:
    """Add ``compare`` to the app.

    Parameters
    ----------
    app : typer.Typer
    console : callable
        What to print on.
    errors : rich.console.Console
        Standard error.
    """

    @app.command()
    def compare(
        folders: Annotated[
            list[Path], typer.Argument(metavar="DIR1 DIR2...", help="Study directories.", show_default=False)
        ],
        to: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Write the leaderboard there, as CSV."),
        ] = None,
    ) -> None:
        """Compare the methods of studies over the same problems and seeds."""
        from runner.results import Results
        from runner.standing import export_leaderboard, print_verdict
        from runner.stats import Comparison

        comparison = Comparison.of(*(Results.open(folder) for folder in folders))
        for note in comparison.notes:
            errors.print(f"[bold yellow]note[/]: {escape(note)}", highlight=False, soft_wrap=True)
        print_verdict(console(), comparison)
        for path in export_leaderboard(comparison, to, "csv") if to is not None else ():
            console().print(str(path), highlight=False, markup=False, soft_wrap=True)
