"""The one door to the terminal: whatever is printed goes through here.

What is shown comes from files, directories and errors that others may have made. `visible` escapes it
before it is measured and drawn. A `Terminal` has no markup, and lets no character through that is none,
so that no text of others moves a cursor, sets a title or hides what follows, whoever forgets to ask.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from runner._text import counted, printable, printable_lines
from runner.errors import FivefoldError

_PIPE_WIDTH = 200
_MOST_FAULTS = 100


class Terminal(Console):
    """A console that draws what it is given, styles included, and nothing else.

    Parameters
    ----------
    **options
        Of `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `rich.console.Console.render`; only rich's own control codes stay such."""
        for segment in super().render(renderable, options):
            if segment.control is None:
                segment = Segment(printable_lines(segment.text), segment.style)
            if segment.text.isascii() or self.encoding.startswith("utf"):
                yield segment
            else:
                known = segment.text.encode(self.encoding, "backslashreplace").decode(self.encoding)
                yield Segment(known, segment.style, segment.control)


err_console = Terminal(stderr=True)


def output() -> Terminal:
    """The console to print on; tables in a pipe or a file need no width of a terminal."""
    return Terminal(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)


def visible(text: object, style: str = "") -> Text:
    """A line of text that may come from anybody."""
    return Text(printable(str(text)), style=style)


def print_line(console: Console, text: object, style: str = "") -> None:
    """Print one line, whatever is in it; a terminal wraps it."""
    console.print(visible(text, style), soft_wrap=True)


def note(text: str) -> None:
    """Print a sentence on standard error about what is not a mistake."""
    _print_marked("note", "bold yellow", text)


def print_error(error: FivefoldError) -> None:
    """Print an error on standard error; of a joined one each fault, and how many there are."""
    for fault in error.faults[:_MOST_FAULTS]:
        _print_marked("error", "bold red", str(fault))
    if len(error.faults) > 1:
        rest = len(error.faults) - _MOST_FAULTS
        more = f", of which the first {_MOST_FAULTS} are shown" if rest > 0 else ""
        print_line(err_console, f"{counted(len(error.faults), 'error')}{more}.")


def escape_python() -> None:
    """Have what Python itself prints escaped, too: warnings, and the tracebacks of errors in this program."""
    warnings.formatwarning = _warning
    sys.excepthook = _uncaught


_python_warning = warnings.formatwarning


def _warning(*parts: Any, **more: Any) -> str:
    return printable_lines(_python_warning(*parts, **more))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(printable_lines("".join(traceback.format_exception(kind, error, trace))))


def _print_marked(word: str, style: str, text: str) -> None:
    err_console.print(Text.assemble((word, style), ": ", visible(text)), soft_wrap=True)
