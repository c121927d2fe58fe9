"""Findings: the faults of a study directory and their messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.errors import JournalError


class Fault(StrEnum):
    """Severity of a finding; the value is the name that `verify` shows."""

    DAMAGE = "damage"
    """The content cannot be trusted: it is neither read nor resumed."""
    LOSS = "loss"
    """Something that was recorded is lost, or may be; the rest is intact."""
    NOTE = "note"
    """Worth knowing; nothing is lost."""


@dataclass(frozen=True)
class Finding:
    """One fault or oddity of a study directory.

    Attributes
    ----------
    file : str
        Name within the directory.
    what : str
        Message without its full stop; follows "study.db: ".
    """

    fault: Fault
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}."


def damaged(path: Path, what: str, hint: str = "") -> JournalError:
    """Make the error of a damaged journal."""
    return JournalError(
        f"the journal is damaged: {what}.",
        where=str(path),
        hint=hint or "Restore the directory from a copy, or use another one.",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of decoding a row into a JournalError."""
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
        what, hint = (
            f"the journal cannot be opened or written ({error})",
            "Check the permissions of the directory.",
        )
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        what, hint = "another program has locked it", "Close that program and try again."
    elif name.startswith("SQLITE_IOERR"):
        what, hint = f"the disk failed ({error})", "Check the disk, and run again."
    else:
        return damaged(path, str(error))
    return JournalError(f"{what}.", where=str(path), hint=hint)
