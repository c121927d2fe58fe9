"""The errors that a user may meet: where, what was found, what was wanted, what to do.

Every error that is the user's to mend is a `FivefoldError`. Its text is one sentence or two
that can be shown as it stands; the command prints it without a traceback and exits with
``exit_code``. Programming errors are left as Python's own exceptions.
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

_MOST_FILES = 8
_MOST_COMPARED = 100  # characters: comparing words costs their product
_NOT_THE_USERS: Final = (
    "<frozen ",
    f"{Path(__file__).parents[1]}{os.sep}",
    *(f"{sysconfig.get_path(kind)}{os.sep}" for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
)
"""The beginnings of the names of files that are not the user's."""


class FivefoldError(Exception):
    """Base of all errors that a user can mend.

    Parameters
    ----------
    message : str
        What was found and what was wanted, one sentence with its full stop.
    where : str, optional
        The place: a file with line, a key path such as ``methods[2]``, a parameter's name.
    hint : str, optional
        What to do about it, one sentence.

    Attributes
    ----------
    exit_code : int
        What the command exits with.
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
        """The single errors of one that was made by `join`; else the error itself."""
        return self._several or (self,)

    @staticmethod
    def join(errors: Iterable[FivefoldError]) -> FivefoldError:
        """Make one error of several: of their kind, or a `StudyError` where they are of several kinds."""
        single = [fault for error in errors for fault in error.faults]
        if len(single) == 1:
            return single[0]
        kinds = {type(error) for error in single}
        joined = (kinds.pop() if len(kinds) == 1 else StudyError)("\n".join(map(str, single)))
        joined._several = tuple(single)
        return joined

    def at(self, where: str, joint: str = ".") -> FivefoldError:
        """The same error with an outer place put in front of its own."""
        if self._several:
            return FivefoldError.join(fault.at(where, joint) for fault in self._several)
        joint = "" if joint == "." and self.where.startswith("[") else joint
        inner = f"{where}{joint}{self.where}" if self.where else where
        return type(self)(self.message, where=inner, hint=self.hint)


class SpaceError(FivefoldError):
    """A space, a domain or a config that does not fit."""


class MethodError(FivefoldError):
    """A method that does not exist, cannot take these settings, or cannot search this space."""


class ProblemError(FivefoldError):
    """A problem that cannot be found, loaded or evaluated at all."""


class StudyError(FivefoldError):
    """A study file or study object that cannot be run."""


class ResultsError(FivefoldError):
    """A study directory that cannot be read, or holds nothing to show."""


class NoValidTrial(FivefoldError):
    """A search that ended without a valid trial, so that there is no best config.

    Attributes
    ----------
    trials : pandas.DataFrame or None
        Its trials, as in `Results.trials`.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "", trials: Any = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.trials = trials


class EngineError(FivefoldError):
    """Ray cannot be reached or started, or has not what the study asks for."""


class RayLost(EngineError):
    """Ray has died while a study was on it; what had finished is saved."""


class JournalError(FivefoldError):
    """A study directory that is damaged, foreign, or in use by a live run."""

    exit_code = 3


class StudyInterrupted(FivefoldError):
    """The study was stopped by a signal; its state is saved."""

    exit_code = 130


class Faults:
    """Collects errors, so that the first of them does not hide the others.

    What is done within ``with faults:`` may raise a `FivefoldError`, which is kept; the program
    goes on after the block. `check` raises what was found.
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
        """As the collection itself, at an inner place; what the file system says is kept, too."""
        try:
            yield
        except FivefoldError as error:
            self.add(error.at(where, joint))
        except OSError as error:  # of a name that is too long, a link that leads to itself, ...
            what = f"'{clip(str(error.filename), _MOST_COMPARED)}' cannot be read: {error.strerror}."
            self.add(StudyError(what, where=where))

    def add(self, error: FivefoldError) -> None:
        """Keep an error; of a joined one, each."""
        self.found += error.faults

    def check(self) -> None:
        """Raise what was found, as one error; do nothing where that is none."""
        if self.found:
            raise FivefoldError.join(self.found) from None


def near(name: str, options: Iterable[str]) -> str | None:
    """The option that a misspelt name most likely means; None where none is near."""
    close = difflib.get_close_matches(name[:_MOST_COMPARED], sorted(options), n=1, cutoff=0.6)
    return close[0] if close else None


def nearest(name: str, options: Iterable[str]) -> str:
    """A hint that names the nearest option, or all of them where none is near.

    Parameters
    ----------
    name : str
        What the user wrote.
    options : iterable of str
        What could have been written.

    Returns
    -------
    str
        A sentence.
    """
    known = sorted(options)
    close = near(name, known)
    if close is not None:
        return f"Did you mean '{close}'?"
    return f"Known are: {', '.join(known)}." if known else "None is known."


def nearest_file(path: Path, suffixes: Iterable[str]) -> str:
    """A hint for a file that is missing: the nearest one in its folder.

    Parameters
    ----------
    path : Path
        Where nothing was found.
    suffixes : iterable of str
        Of the files that would have done, in lower case.

    Returns
    -------
    str
        A sentence.
    """
    if not path.parent.is_dir():
        return f"There is no folder '{path.parent}' either."
    wanted = tuple(suffixes)
    # Stems are compared: with a suffix in common all short names would be near.
    found = {other.stem: other.name for other in path.parent.iterdir() if other.suffix.lower() in wanted}
    close = difflib.get_close_matches(path.stem, found, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{found[close[0]]}'?"
    if found:
        return f"The folder '{path.parent}' holds {', '.join(sorted(found.values())[:_MOST_FILES])}."
    return f"The folder '{path.parent}' holds no {' or '.join(wanted)} file."


def describe(error: BaseException) -> str:
    """An error as a reader wants it: our own as they are, others with their type.

    Never raises, also where the error's own text does: that is user code too.
    """
    try:
        text = str(error)
    except Exception:  # whatever a user's exception raises
        text = "its message cannot be read"
    return text if isinstance(error, FivefoldError) else f"{type(error).__name__}: {text}"


def raised_at(error: BaseException) -> str:
    """Find the last line of the user's own code that an error passed: ``objective.py, line 12, in loss``.

    Code of this package, of Python and of installed packages is not the user's. Empty where no other
    code is in the traceback. The file's name is without its folder, which may differ between machines.
    """
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(_NOT_THE_USERS)
    ]
    if not frames:
        return ""
    code, line = frames[-1]
    return f"{Path(code.co_filename).name}, line {line}, in {code.co_name}"


def clip(text: str, most: int) -> str:
    """The text with at most so many characters; a cut is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
