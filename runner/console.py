"""Where the command prints: standard output and standard error."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.markup import escape
from rich.text import Text

err_console = Console(stderr=True)
_PIPE_WIDTH = 200


def output() -> Console:
    """The console to print on; tables in a pipe or a file need no width of a terminal."""
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)


def print_line(console: Console, text: str, style: str = "") -> None:
    """A line as it is: no markup, no wrapping."""
    console.print(Text(text, style=style), soft_wrap=True)


def note(text: str) -> None:
    """A sentence on standard error about what is no mistake, but must be told."""
    err_console.print(f"[bold yellow]note[/]: {escape(text)}", highlight=False, soft_wrap=True)
