"""Words that fit no command, explained; typer's own way prints them as they are."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from runner.cli.console import err_console, print_error, print_line
from runner.errors import StudyError


@runtime_checkable
class Misused(Protocol):
    """The errors of typer; their class is one of click, or of the copy of click that typer has."""

    exit_code: int
    ctx: Any

    def format_message(self) -> str:
        """Say what is wrong with the words; nothing where the help was printed."""


def explain(error: Misused) -> int:
    """Say what is wrong with the words of a command; gives the exit code."""
    if message := error.format_message().replace("Value error, ", ""):
        print_line(err_console, error.ctx.get_usage())
        hint = f"See '{error.ctx.command_path} --help'."
        print_error(StudyError(f"{message.rstrip('.')}.", hint=hint))
    return error.exit_code
