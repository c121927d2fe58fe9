"""Reading a study directory, also while a run writes it, also where it must not be written.

No lock of ours is taken and no file is made or changed. SQLite would do both for a database with
a write-ahead log, so it is told not to, in the way that fits what lies there:

* no log, or an empty one: all is in the main file, which is read as if it were immutable, and
  read again if it changed meanwhile;
* a log with its index: a run is live, or died; the index is read, not written;
* a log without its index, as after copying by hand: a copy is read.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import JournalError, ResultsError, nearest
from runner.record.schema import (
    DATABASE,
    SHARED,
    TRIAL_COLUMNS,
    check_header,
    explained,
    from_number,
    from_row,
)
from runner.trial import Trial

_RUN_COLUMNS = (
    "key", "id", "label", "method", "settings", "problem", "seed", "direction", "metric", "optimum",
    "budget", "announcement", "end_reason", "failed", "conclusion", "identity",
)  # fmt: skip
_PATIENCE = 20.0  # seconds
_PAUSE = 0.02
_BUSY_SECONDS = 10.0

Tables = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class RunRecord:
    """One run, as the journal has it.

    Attributes
    ----------
    id, label, method, problem, seed
        As in `runner.study.RunSpec`; ``method`` is the registered name.
    settings : mapping
        The method's.
    direction, metric, optimum
        The problem's.
    budget : mapping
        ``trials`` and ``seconds``, each a number or None.
    announcement, conclusion : str
        What the method said before and after.
    end_reason : str
        Empty while the run has not ended.
    failed : bool
        Whether its method failed.
    identity : str
        What must stay equal for the run to be gone on with, as JSON text; see
        `runner.journal.identity`. The problem's space is in it.
    """

    id: str
    label: str
    method: str
    settings: Mapping[str, Any]
    problem: str
    seed: int
    direction: str
    metric: str
    optimum: float | None
    budget: Mapping[str, float | None]
    announcement: str
    end_reason: str
    failed: bool
    conclusion: str
    identity: str = field(repr=False)


@dataclass(frozen=True)
class Record:
    """All that a journal held at one moment.

    Attributes
    ----------
    folder : Path
    name : str
        Of the study.
    seed : int
        The study's own.
    created : str
        When the directory was made, ISO 8601 in UTC.
    version : str
        Of the package that made it.
    runs : tuple of RunRecord
        In the order in which they were planned.
    trials : mapping of str to list
        Column by column, ordered by run and number. ``run`` is a position in ``runs``; the
        others are named as in the table ``trials``, of which config, gradient, metrics and folds
        are JSON text (see `decoded`).
    """

    folder: Path
    name: str
    seed: int
    created: str
    version: str
    runs: tuple[RunRecord, ...]
    trials: Mapping[str, list[Any]] = field(repr=False)

    def decoded(self, column: str) -> list[Any]:
        """What the JSON text of a column of trials says, None where there is none.

        Raises
        ------
        JournalError
            Where it is no JSON.
        """
        with explained(self.folder / DATABASE):
            # One text for all rows: a hundred thousand calls of the parser cost more than it does.
            found: list[Any] = json.loads(f"[{','.join(text or 'null' for text in self.trials[column])}]")
            if len(found) != len(self.trials[column]):
                raise ValueError(f"the column {column} is no JSON")
            return found

    def history(self, run_id: str) -> list[Trial]:
        """The trials of a run that have ended, by number."""
        position = [run.id for run in self.runs].index(run_id)
        columns = [self.trials[name] for name in TRIAL_COLUMNS]
        with explained(self.folder / DATABASE):
            rows = zip(self.trials["run"], zip(*columns, strict=True), strict=True)
            return [from_row(row) for run, row in rows if run == position]


def read_journal(folder: Path) -> Record:
    """What a study directory holds now.

    Works while a run is live, and in a directory that cannot be written; takes no lock.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ResultsError
        Where there is no study directory; suggests those that are near.
    JournalError
        Where the journal is damaged, of another program or of another version.
    """
    folder = Path(folder)
    path = folder / DATABASE
    with explained(path):
        try:
            if not path.is_file():
                raise _nothing(folder)
            meta, runs, trials = _read(path)
        except OSError as error:
            raise ResultsError(f"it cannot be read: {error.strerror}.", where=str(folder)) from None
        said: dict[str, str] = dict(meta)
        positions = {run[0]: i for i, run in enumerate(runs)}
        columns: dict[str, list[Any]] = {name: [] for name in ("run", *TRIAL_COLUMNS)}
        if trials:
            columns = dict(zip(columns, map(list, zip(*trials, strict=True)), strict=True))
        columns["run"] = [positions[key] for key in columns["run"]]
        for name in ("loss", "value", "test", "suggest_seconds", "queue_seconds", "seconds", "started"):
            columns[name] = [from_number(x) for x in columns[name]]
        return Record(
            folder,
            json.loads(said["name"]),
            json.loads(said["seed"]),
            json.loads(said["created"]),
            json.loads(said["version"]),
            tuple(map(_run, runs)),
            columns,
        )


def _run(row: tuple[Any, ...]) -> RunRecord:
    said: dict[str, Any] = dict(zip(_RUN_COLUMNS, row, strict=True))
    del said["key"]
    said |= {
        "settings": json.loads(said["settings"]),
        "budget": json.loads(said["budget"]),
        "optimum": from_number(said["optimum"]),
        "failed": bool(said["failed"]),
    }
    return RunRecord(**said)


def _nothing(folder: Path) -> ResultsError:
    """Says what is there instead, and which study directories are near."""
    inside, beside = _studies(folder), _studies(folder.parent)
    if inside:
        names = ", ".join(f"'{folder / name}'" for name in inside[:5])
        return ResultsError("it holds no study itself.", where=str(folder), hint=f"Did you mean {names}?")
    what = "it is a file, no study directory" if folder.is_file() else "it holds no study"
    what = what if folder.exists() else "there is no such directory"
    hint = nearest(folder.name, beside) if beside else "'fivefold run' makes one."
    return ResultsError(f"{what}.", where=str(folder), hint=hint)


def _studies(folder: Path) -> Sequence[str]:
    try:
        return sorted(path.parent.name for path in folder.glob(f"*/{DATABASE}"))
    except OSError:
        return ()


def _read(path: Path) -> Tables:
    wal, index = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        before = _stamp(path), _stamp(wal)
        try:
            if before[1][0] <= 0:
                tables = _fetch(path, "mode=ro&immutable=1", path)
                if _stamp(path) == before[0]:
                    return tables
            elif index.exists():
                return _fetch(path, "mode=ro&readonly_shm=1", path)
            else:
                tables = _fetch_copy(path, wal)
                if (_stamp(path), _stamp(wal)) == before:
                    return tables
        except (sqlite3.DatabaseError, OSError):  # no wonder, where a writer came or went meanwhile
            if (_stamp(path), _stamp(wal)) == before:
                raise
        time.sleep(_PAUSE)
    raise JournalError("it changes faster than it can be read.", where=str(path), hint="Try again.")


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change; a size of -1 for no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _fetch(path: Path, options: str, shown: Path) -> Tables:
    uri = f"{path.absolute().as_uri()}?{options}"
    with SHARED, closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)) as db:
        check_header(db, shown)
        db.execute("BEGIN")  # one snapshot for all three
        return (
            db.execute("SELECT key, value FROM meta").fetchall(),
            db.execute(f"SELECT {', '.join(_RUN_COLUMNS)} FROM runs ORDER BY key").fetchall(),
            db.execute(f"SELECT run, {', '.join(TRIAL_COLUMNS)} FROM trials ORDER BY run, number").fetchall(),
        )


def _fetch_copy(path: Path, wal: Path) -> Tables:
    with tempfile.TemporaryDirectory(prefix="fivefold_") as scratch:
        copy = Path(scratch) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(wal, copy.with_name(wal.name))
        return _fetch(copy, "mode=rw", path)
