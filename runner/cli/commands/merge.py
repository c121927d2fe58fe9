"""``fivefold merge``: join parts of a study that separate drivers have run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import note, output, print_line


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Directories of the parts.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The new directory.", show_default=False)],
) -> None:
    """Join parts of a study (see 'run --only') into one directory; trials are copied unchanged."""
    from runner.study.merge import merge as merge_folders

    made = merge_folders(folders, out)
    for text in made.notes:
        note(text)
    text = f"{made.folder}: {made.runs:,} runs, {made.trials:,} trials of {len(folders)} directories"
    print_line(output(), text)
