"""The commands of ``fivefold`` that have rooms of their own; `runner.cli` registers them by `register`.

What a command needs is imported inside it, so that ``--help`` is there at once.
"""

from typer import Typer

from runner.commands.advise import advise
from runner.commands.compare import compare
from runner.commands.init import init
from runner.commands.merge import merge
from runner.commands.optimize import optimize
from runner.commands.submit import send, submit


def register(app: Typer) -> None:
    """Add the commands."""
    for command in (optimize, advise, init, submit, compare, merge):
        app.command()(command)
    app.command(hidden=True)(send)
