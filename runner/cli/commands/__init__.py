"""The commands of ``fivefold`` that have rooms of their own; `runner.cli.main` registers them by `register`.

What a command needs is imported inside it, so that ``--help`` is there at once.
"""

from typer import Typer

from runner.cli.commands.advise import advise
from runner.cli.commands.compare import compare
from runner.cli.commands.init import init
from runner.cli.commands.merge import merge
from runner.cli.commands.optimize import optimize
from runner.cli.commands.submit import send, submit


def register(app: Typer) -> None:
    """Add the commands."""
    for command in (optimize, advise, init, submit, compare, merge):
        app.command()(command)
    app.command(hidden=True)(send)
