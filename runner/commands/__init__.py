"""The commands of ``fivefold`` that have rooms of their own; `runner.cli` registers them by `register`.

What a command needs is imported inside it, so that ``--help`` is there at once.
"""

from typer import Typer

from runner.commands.advise import advise
from runner.commands.init import init
from runner.commands.optimize import optimize


def register(app: Typer) -> None:
    """Add the commands."""
    app.command()(advise)
    app.command()(init)
    app.command()(optimize)
