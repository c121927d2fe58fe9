"""Output to the terminal; everything that is printed goes through here.

Strings may come from files, directories and errors of other people. `visible` escapes them before they
are measured and drawn. A `Terminal` interprets no markup and escapes control characters, so that no
foreign string can move the cursor, set a title or hide what follows, even where `visible` is forgotten.
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

_PIPE_WIDTH = 200  # columns: wide enough for every table
_MOST_FAULTS = 100  # more would scroll the first ones out of most terminals' history


class Terminal(Console):
    """Console that draws strings and styles as they are, without markup.

    Parameters
    ----------
    **options
        Of `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `rich.console.Console.render`; control codes other than rich's own are escaped."""
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
    """Return the console to print on; in a pipe or a file, tables are wider than a terminal."""
    return Terminal(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)


def visible(text: object, style: str = "") -> Text:
    """Escape a line that may come from anywhere."""
    return Text(printable(str(text)), style=style)


def print_line(console: Console, text: object, style: str = "") -> None:
    """Print one line, escaped; the terminal wraps it."""
    console.print(visible(text, style), soft_wrap=True)


def note(text: str) -> None:
    """Print a note on standard error."""
    _print_marked("note", "bold yellow", text)


def print_error(error: FivefoldError) -> None:
    """Print an error on standard error; of a joined one each fault, and their number."""
    for fault in error.faults[:_MOST_FAULTS]:
        _print_marked("error", "bold red", str(fault))
    if len(error.faults) > 1:
        rest = len(error.faults) - _MOST_FAULTS
        more = f", of which the first {_MOST_FAULTS} are shown" if rest > 0 else ""
        print_line(err_console, f"{counted(len(error.faults), 'error')}{more}.")


def escape_python() -> None:
    """Escape what Python itself prints, too: warnings, and tracebacks of errors in this program."""
    warnings.formatwarning = _warning
    sys.excepthook = _uncaught


_python_warning = warnings.formatwarning


def _warning(*parts: Any, **more: Any) -> str:
    return printable_lines(_python_warning(*parts, **more))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(printable_lines("".join(traceback.format_exception(kind, error, trace))))


def _print_marked(word: str, style: str, text: str) -> None:
    err_console.print(Text.assemble((word, style), ": ", visible(text)), soft_wrap=True)
