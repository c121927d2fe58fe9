"""``fivefold merge``: parts of a study, each run by a driver of its own, become one directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


def register(app: typer.Typer, console: Callable[[], Console], errors: Console) -> None:
    """Add the command to the app.

    Parameters
    ----------
    app : typer.Typer
    console : callable
        What to print on.
    errors : rich.console.Console
        Standard error.
    """

    @app.command()
    def merge(
        folders: Annotated[
            list[Path], typer.Argument(metavar="DIR...", help="Their directories.", show_default=False)
        ],
        out: Annotated[Path, typer.Option(metavar="DIR", help="The new directory.", show_default=False)],
    ) -> None:
        """Join parts of a study (see 'run --only') into one directory, trial by trial as they are."""
        from runner.journal import merge as merge_folders

        made = merge_folders(folders, out)
        for note in made.notes:
            errors.print(f"[bold yellow]note[/]: {escape(note)}", highlight=False, soft_wrap=True)
        text = f"{made.folder}: {made.runs:,} runs, {made.trials:,} trials of {len(folders)} directories"
        console().print(text, highlight=False, markup=False, soft_wrap=True)
