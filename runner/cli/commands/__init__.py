"""Commands of ``fivefold`` with modules of their own, added to `runner.cli.main` by `register`.

Commands import what they need when they run, so that ``--help`` is fast.
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
