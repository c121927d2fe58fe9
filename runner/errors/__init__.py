"""Errors for users: where, what was expected, what was found, what to do.

Every error that a user can correct is a `FivefoldError`. Its message can be shown as it is; the
command prints it without a traceback and exits with ``exit_code``. Programming errors are Python's own
exceptions.
"""

from __future__ import annotations

import difflib
import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final

_MAX_FILES = 8  # of a folder in a hint: about two lines of a terminal
_MAX_COMPARED = 100  # characters: the cost of comparing words is the product of their lengths
_NOT_USER_CODE: Final = (
    "<frozen ",
    f"{Path(__file__).parents[1]}{os.sep}",
    *(f"{sysconfig.get_path(kind)}{os.sep}" for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
)
"""Prefixes of file names that are not the user's code."""


class FivefoldError(Exception):
    """Base of all errors that a user can correct.

    Parameters
    ----------
    message : str
        One sentence with its full stop: "expected X, got Y."
    where : str, optional
        Location: a file with line, a key path such as ``methods[2]``, a parameter's name.
    hint : str, optional
        Remedy, one sentence.

    Attributes
    ----------
    exit_code : int
        Exit status of the command.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = message
        self.where = where
        self.hint = hint
        self._several: tuple[FivefoldError, ...] = ()
        text = f"{where}: {message}" if where else message
        super().__init__(f"{text} {hint}" if hint else text)

    @property
    def faults(self) -> tuple[FivefoldError, ...]:
        """The single errors of one that was made by `join`, otherwise the error itself."""
        return self._several or (self,)

    @staticmethod
    def join(errors: Iterable[FivefoldError]) -> FivefoldError:
        """Combine errors into one, of their kind or, if they differ in kind, a `StudyError`."""
        single = [fault for error in errors for fault in error.faults]
        if len(single) == 1:
            return single[0]
        kinds = {type(error) for error in single}
        joined = (kinds.pop() if len(kinds) == 1 else StudyError)("\n".join(map(str, single)))
        joined._several = tuple(single)
        return joined

    def at(self, where: str, joint: str = ".") -> FivefoldError:
        """Copy the error, with an outer location in front of its own."""
        if self._several:
            return FivefoldError.join(fault.at(where, joint) for fault in self._several)
        joint = "" if joint == "." and self.where.startswith("[") else joint
        inner = f"{where}{joint}{self.where}" if self.where else where
        return type(self)(self.message, where=inner, hint=self.hint)


class SpaceError(FivefoldError):
    """An invalid space, domain or config."""


class MethodError(FivefoldError):
    """An unknown method, invalid settings, or a method that cannot search a space."""


class ProblemError(FivefoldError):
    """A problem that cannot be found, loaded or evaluated."""


class StudyError(FivefoldError):
    """A study file or study object that cannot be run."""


class ResultsError(FivefoldError):
    """A study directory that cannot be read, or has no results."""


class NoValidTrial(FivefoldError):
    """A search that ended without a valid trial, so that there is no best config.

    Attributes
    ----------
    trials : pandas.DataFrame or None
        All trials, as in `Results.trials`.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "", trials: Any = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.trials = trials


class EngineError(FivefoldError):
    """Ray cannot be reached or started, or lacks resources that the study requires."""


class RayLost(EngineError):
    """Ray died during a study; finished trials are saved."""


class JournalError(FivefoldError):
    """A study directory that is damaged, of another study, or in use by a live run."""

    exit_code = 3


class StudyInterrupted(FivefoldError):
    """The study was stopped by a signal; its state is saved."""

    exit_code = 130


class Faults:
    """Collector of errors, so that the first does not hide the others.

    A `FivefoldError` raised in a ``with faults:`` block is stored, and the program continues after the
    block. `check` raises all stored errors.
    """

    def __init__(self) -> None:
        self.found: list[FivefoldError] = []

    def __bool__(self) -> bool:
        return bool(self.found)

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, FivefoldError):
            self.add(error)
            return True
        return False

    @contextmanager
    def at(self, where: str, joint: str = ".") -> Iterator[None]:
        """Collect errors like the collector itself, prefixed with a location, and file system errors, too."""
        try:
            yield
        except FivefoldError as error:
            self.add(error.at(where, joint))
        except OSError as error:  # such as a name that is too long, or a link to itself
            message = f"'{clip(str(error.filename), _MAX_COMPARED)}' cannot be read: {error.strerror}."
            self.add(StudyError(message, where=where))

    def add(self, error: FivefoldError) -> None:
        """Store an error, or the single errors of a joined one."""
        self.found += error.faults

    def check(self) -> None:
        """Raise the stored errors as one, if there are any."""
        if self.found:
            raise FivefoldError.join(self.found) from None


def near(name: str, options: Iterable[str]) -> str | None:
    """Return the option that a misspelt name most likely means; None if none is similar."""
    close = difflib.get_close_matches(name[:_MAX_COMPARED], sorted(options), n=1, cutoff=0.6)
    return close[0] if close else None


def nearest(name: str, options: Iterable[str]) -> str:
    """Make a hint that names the most similar option, or all of them if none is similar."""
    known = sorted(options)
    close = near(name, known)
    if close is not None:
        return f"Did you mean '{close}'?"
    return f"Known are: {', '.join(known)}." if known else "None is known."


def nearest_file(path: Path, suffixes: Iterable[str]) -> str:
    """Make a hint for a missing file: the most similar one in its folder with one of the suffixes."""
    if not path.parent.is_dir():
        return f"There is no folder '{path.parent}' either."
    allowed = tuple(suffixes)
    # Stems are compared, since a common suffix would make all short names similar.
    files = {other.stem: other.name for other in path.parent.iterdir() if other.suffix.lower() in allowed}
    close = difflib.get_close_matches(path.stem, files, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{files[close[0]]}'?"
    if files:
        return f"The folder '{path.parent}' holds {', '.join(sorted(files.values())[:_MAX_FILES])}."
    return f"The folder '{path.parent}' holds no {' or '.join(allowed)} file."


def describe(error: BaseException) -> str:
    """Format an error for users: our own as they are, others with their type.

    Never raises, even if the error's ``__str__``, which is user code, does.
    """
    try:
        text = str(error)
    except Exception:  # a user's exception can raise anything
        text = "its message cannot be read"
    return text if isinstance(error, FivefoldError) else f"{type(error).__name__}: {text}"


def raised_at(error: BaseException) -> str:
    """Find the last line of the user's own code that an error passed: ``objective.py, line 12, in loss``.

    Code of this package, of Python and of installed packages is not the user's. Empty if there is no
    other code in the traceback. The file name omits the folder, which may differ between machines.
    """
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(_NOT_USER_CODE)
    ]
    if not frames:
        return ""
    code, line = frames[-1]
    return f"{Path(code.co_filename).name}, line {line}, in {code.co_name}"


def clip(text: str, most: int) -> str:
    """Shorten a string to at most ``most`` characters, ending in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
