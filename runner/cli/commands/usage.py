"""Messages for wrong command lines; typer itself would print control characters of theirs."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from runner.cli.console import err_console, print_error, print_line
from runner.errors import StudyError


@runtime_checkable
class Misused(Protocol):
    """Errors of typer, whose class belongs to click or to typer's copy of click."""

    exit_code: int
    ctx: Any

    def format_message(self) -> str:
        """Return the message; empty where the help was printed."""


def explain(error: Misused) -> int:
    """Print what is wrong with a command line; return the exit code."""
    if message := error.format_message().replace("Value error, ", ""):
        print_line(err_console, error.ctx.get_usage())
        hint = f"See '{error.ctx.command_path} --help'."
        print_error(StudyError(f"{message.rstrip('.')}.", hint=hint))
    return error.exit_code
