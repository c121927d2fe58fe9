"""What can be wrong with a study directory, and how it is said."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.errors import JournalError


class Fault(StrEnum):
    """How bad a finding is; the text is what `verify` calls it."""

    DAMAGE = "damage"
    """What is there cannot be believed; nobody reads it or goes on with it."""
    LOSS = "loss"
    """Something that was recorded is gone, or may be; what is there is whole."""
    NOTE = "note"
    """Worth knowing; nothing that was recorded is gone."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or odd, in a study directory.

    Attributes
    ----------
    fault : Fault
    file : str
        Its name in the directory.
    what : str
        A sentence without its full stop, after "study.db: ".
    """

    fault: Fault
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}."


def damaged(path: Path, what: str, hint: str = "") -> JournalError:
    """The error of a journal that cannot be believed."""
    return JournalError(
        f"the journal is damaged: {what}.",
        where=str(path),
        hint=hint or "Restore the directory from a copy, or use another one.",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says, and what decoding a row says, into a JournalError."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of ours
        raise
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"a row cannot be read ({error})") from error


def _explain(error: sqlite3.Error, path: Path) -> JournalError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        what, hint = "the disk is full", "Free some space and run again: all trials recorded so far are safe."
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        what, hint = f"it cannot be opened or written ({error})", "See to the permissions of the directory."
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        what, hint = "another program has locked it", "Close that program and try again."
    elif name.startswith("SQLITE_IOERR"):
        what, hint = f"the disk failed ({error})", "See to the disk and run again."
    else:
        return damaged(path, str(error))
    return JournalError(f"{what}.", where=str(path), hint=hint)
