"""Writer of a study directory: one process at a time, one durable transaction per record."""

from __future__ import annotations

import errno
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from runner.errors import FivefoldError, JournalError, StudyError
from runner.journal.begun import (
    BEGUN,
    SUSPECTS,
    Key,
    Suspect,
    after_loss,
    begun_keys,
    begun_value,
    suspects_of,
    suspects_value,
)
from runner.journal.entry import (
    create_journal,
    enter,
    enter_environment,
    get_run,
    put_count,
    put_run,
    read_meta,
    write_meta,
)
from runner.journal.files.folder import lock_folder, prepare_folder
from runner.journal.files.places import replacing
from runner.journal.findings import explained
from runner.journal.plan import StudyPlan
from runner.journal.schema import (
    DATABASE,
    INSERT_TRIAL,
    SELECT_HISTORY,
    SHARED,
    STUDY_FILE,
    TRIAL_COLUMNS,
    from_number,
    from_row,
    salt_of,
    to_number,
    to_row,
    to_text,
    trial_checksum,
)
from runner.journal.snapshot import read_snapshot
from runner.trial import Config, Status, Trial

_BUSY_SECONDS = 10.0  # wait for another program's lock, such as a backup's; above a slow disk's sync
_SELECT_OUTCOMES = (
    "SELECT number, config, status, loss, test, origin, seconds FROM trials WHERE run = ? ORDER BY number"
)
_SELECT_TRIAL = f"SELECT {', '.join(TRIAL_COLUMNS)} FROM trials WHERE run = ? AND number = ?"
_PUT_TEST = "UPDATE trials SET test = ?, checksum = ? WHERE run = ? AND number = ?"
_TEST = TRIAL_COLUMNS.index("test")
_DROP = "DELETE FROM meta WHERE key = ?"
_DROP_ALL_BEGUN = f"DELETE FROM meta WHERE key GLOB '{BEGUN}*'"
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Recorded(NamedTuple):
    """Recorded result of a trial.

    Attributes
    ----------
    valid : bool
        True where it may be an incumbent.
    loss : float
        NaN where there is none.
    seconds : float
        Duration of the evaluation.
    """

    number: int
    config_json: str
    valid: bool
    loss: float
    test: float | None
    origin: str
    seconds: float

    @property
    def config(self) -> Config:
        """Decoded config."""
        found: Config = json.loads(self.config_json)
        return found


class Journal:
    """The only writer of a study directory; open it with `Journal.open`, close it or use ``with``.

    Attributes
    ----------
    name : str
        Random; shared only by copies of this journal.
    notes : tuple of str
        Warnings about the directory as it was opened, such as what it had lost.

    Notes
    -----
    It may be used from any thread, by one at a time. The lock is the kernel's: it is released as
    soon as the process is gone, however it ended.
    """

    def __init__(
        self, folder: Path, db: sqlite3.Connection, keys: dict[str, int], notes: tuple[str, ...]
    ) -> None:
        self.folder, self.notes = folder, notes
        self._db, self._keys, self._open = db, keys, ExitStack()
        self._place = _place(folder / DATABASE)
        self._version = _data_version(db)
        facts = read_meta(db)
        self.name = str(facts["journal"])
        self._begun: set[int] = set()
        self._suspects = suspects_of(facts)
        self._salt = salt_of(self.name)

    @classmethod
    def open(cls, folder: Path, plan: StudyPlan, witnessed: bool = False, strict: bool = False) -> Journal:
        """Make the directory of a study, or open it again to resume.

        An existing directory may be extended, by methods, problems, seeds or budget, or be resumed
        in part. A run that is in it already must be the same but for its budget; with another
        budget it counts as not ended.

        Parameters
        ----------
        witnessed : bool, default False
            This program saw how the previous writer ended; see `runner.journal.begun`.
        strict : bool, default False
            Refuse a directory whose trials were evaluated with other versions of Python or of a
            package.

        Raises
        ------
        StudyError
            Where the directory holds something else, or cannot be written.
        JournalError
            Where it is in use by a live run (names its process), holds a study that does not fit
            (names the first difference), is damaged, of another program or of another version.
        """
        folder = Path(folder)
        path = folder / DATABASE
        with ExitStack() as stack:
            try:
                prepare_folder(folder)
                in_order = lock_folder(folder, stack)
                notes: tuple[str, ...] = ()
                with explained(path):
                    if path.exists():
                        notes = read_snapshot(folder, live=False, deep=True).undamaged(path).notes
                    else:
                        create_journal(path, plan)
                    with SHARED:
                        db = _connect(path, stack)
                        keys, text, changed = _begin(db, folder, plan, strict)
                if text is not None:
                    with replacing(folder / STUDY_FILE) as new:
                        new.write_text(text, encoding="utf-8")
            except OSError as error:
                raise _cannot_be_written(error, folder) from None
            if changed:
                notes = (*notes, f"versions have changed since its last trial: {'; '.join(changed)}.")
            journal = cls(folder, db, keys, notes)
            journal._settle_begun(None if in_order else witnessed)
            journal._open = stack.pop_all()
            return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def history(self, run_id: str) -> list[Trial]:
        """List the completed trials of a run, by number."""
        key = self._keys[run_id]
        with explained(self.folder / DATABASE):
            return [from_row(row) for row in self._db.execute(SELECT_HISTORY, (key,))]

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """Trials that were being evaluated when everything ended, and have not ended since."""
        return self._suspects

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """Make durable which trials a batch is about to evaluate.

        Parameters
        ----------
        batch : int
            Number, unique among the batches that are being evaluated.
        trials : sequence of (str, int)
            Run and number of each.
        """
        with self._writing():
            write_meta(self._db, {f"{BEGUN}{batch}": begun_value(trials)})
        self._begun.add(batch)

    def lose(self) -> bool:
        """Count the loss of all trials that have been begun; return False where there were none."""
        return self._settle_begun(witnessed=True)

    def _settle_begun(self, witnessed: bool | None) -> bool:
        """Drop what is on record as begun: lost, or, where ``witnessed`` is None, given up in order."""
        begun = begun_keys(read_meta(self._db))
        if begun:
            suspects = self._suspects
            if witnessed is not None:
                suspects = after_loss(suspects, begun, witnessed)
            with self._writing():
                self._db.execute(_DROP_ALL_BEGUN)
                write_meta(self._db, {SUSPECTS: suspects_value(suspects)})
            self._suspects = suspects
        self._begun.clear()
        return bool(begun)

    def record(self, ended: Sequence[tuple[str, Trial]], batches: Sequence[int] = ()) -> None:
        """Make trials durable: all of them or, where it raises, none.

        A trial whose run has one of that number already is ignored.

        Parameters
        ----------
        ended : sequence of (str, Trial)
            With the `runner.study.study.RunSpec.id` of its run.
        batches : sequence of int
            Numbers of batches that have ended; see `begin`.

        Raises
        ------
        JournalError
            Where the disk is full or fails.
        """
        batches = [batch for batch in batches if batch in self._begun]
        if not ended and not batches:
            return
        rows: dict[int, list[tuple[Any, ...]]] = {}
        for run_id, trial in ended:
            key = self._keys[run_id]
            row = (key, *to_row(trial))
            rows.setdefault(key, []).append((*row, trial_checksum(row, self._salt)))
        with self._writing():
            for key, of_run in rows.items():
                new = self._db.executemany(INSERT_TRIAL, of_run).rowcount
                (count,) = self._db.execute("SELECT trials FROM counts WHERE run = ?", (key,)).fetchone()
                put_count(self._db, key, count + new, self._salt)
            self._end(batches, [(run_id, trial.number) for run_id, trial in ended])

    def _end(self, batches: Sequence[int], trials: Sequence[Key]) -> None:
        """Drop, within a transaction, the batches that have ended and the suspects among the trials."""
        self._db.executemany(_DROP, [(f"{BEGUN}{batch}",) for batch in batches])
        for batch in batches:
            self._begun.discard(batch)
        if self._suspects and not self._suspects.keys().isdisjoint(trials):
            gone = set(trials)
            self._suspects = {key: one for key, one in self._suspects.items() if key not in gone}
            write_meta(self._db, {SUSPECTS: suspects_value(self._suspects)})

    def outcomes(self, run_id: str) -> Iterator[Recorded]:
        """List the results of a run's trials, by number, without what takes long to read."""
        with explained(self.folder / DATABASE):
            for number, text, status, loss, test, origin, seconds in self._db.execute(
                _SELECT_OUTCOMES, (self._keys[run_id],)
            ).fetchall():
                valid = status == Status.COMPLETED and loss is not None
                value = math.nan if loss is None else float(loss)
                yield Recorded(number, text, valid, value, from_number(test), origin, float(seconds))

    def probes(self) -> dict[str, Any]:
        """Read the probes, by "problem/seed"; see `runner.journal.reader.Record.probes`."""
        found: dict[str, Any] = read_meta(self._db).get("probes", {})
        return found

    def record_afterwards(
        self,
        tests: Sequence[tuple[str, int, float]],
        probes: Mapping[str, Mapping[str, Any]],
        ended: Sequence[Key] = (),
        batches: Sequence[int] = (),
    ) -> None:
        """Make durable the evaluations after the runs.

        Parameters
        ----------
        tests : sequence of (str, int, float)
            Run, number and test value of trials; NaN for a test that failed.
        probes : mapping
            By "problem/seed"; see `runner.journal.reader.Record.probes`.
        ended : sequence of Key
            The evaluations, by the names under which they were begun.
        batches : sequence of int
            See `record`.

        Raises
        ------
        JournalError
            Where the disk is full or fails.
        """
        with self._writing():
            self._end(batches, ended)
            for run_id, number, value in tests:
                place = (self._keys[run_id], number)
                row = list(self._db.execute(_SELECT_TRIAL, place).fetchone())
                row[_TEST] = to_number(value)
                new = trial_checksum((place[0], *row), self._salt)
                self._db.execute(_PUT_TEST, (row[_TEST], new, *place))
            if probes:
                write_meta(
                    self._db, {"probes": self.probes() | {key: dict(probe) for key, probe in probes.items()}}
                )

    def announce(self, run_id: str, message: str) -> None:
        """Store the method's remark before its run."""
        self._update(run_id, announcement=to_text(message))

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """Store that a run has ended.

        Parameters
        ----------
        reason : str
            Not empty.
        failed : bool
            True where its method failed.
        conclusion : str
            The method's remark after the run.
        """
        self._update(run_id, end_reason=to_text(reason), failed=int(failed), conclusion=to_text(conclusion))

    def close(self) -> None:
        """Fold the log into the main file and release the directory; a second call is harmless."""
        with explained(self.folder / DATABASE):
            try:
                self._record_closed()
            finally:
                self._open.close()
                self._open = ExitStack()

    def _record_closed(self) -> None:
        """Store that no log is missing, and that nothing is being evaluated."""
        try:
            with self._writing():
                self._db.execute(_DROP_ALL_BEGUN)
                write_meta(self._db, {"open": False})
        except sqlite3.ProgrammingError:  # it is closed already
            return
        except JournalError:  # on a full disk folding the log may have made the room for it
            with suppress(JournalError, sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                with self._writing():
                    write_meta(self._db, {"open": False})

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Open a durable transaction; JournalError where the file is not as this writer left it."""
        path = self.folder / DATABASE
        with explained(path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if _place(path) != self._place or _data_version(self._db) != self._version:
                raise JournalError(
                    "the journal was removed, replaced or written by another program meanwhile.",
                    where=str(path),
                    hint="Check the directory, and run again.",
                )
            yield

    def _update(self, run_id: str, **values: str | int) -> None:
        with self._writing():
            put_run(self._db, get_run(self._db, self._keys[run_id]) | values, self._salt)


def _cannot_be_written(error: OSError, folder: Path) -> FivefoldError:
    if error.errno in _FULL:
        return JournalError(
            "the disk is full.", where=str(folder), hint="Free some space and run again: nothing is lost."
        )
    return StudyError(
        f"the study directory cannot be written: {error.strerror or error}.",
        where=str(folder),
        hint="Use another --out.",
    )


def _connect(path: Path, stack: ExitStack) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    stack.callback(db.close)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _begin(
    db: sqlite3.Connection, folder: Path, plan: StudyPlan, strict: bool
) -> tuple[dict[str, int], str | None, list[str]]:
    """Begin a session.

    Returns
    -------
    (dict, str or None, list of str)
        Keys of the runs; content of the study file where it must be written; changed versions.

    Notes
    -----
    A log that a killed writer left is folded in and closed for it. Before anything is recorded, the
    main file itself states that a session is open, so that the loss of a log is noticed.
    """
    before = read_meta(db)
    if before["open"]:
        write_meta(db, {"open": False})
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    with db:
        db.execute("BEGIN IMMEDIATE")
        keys = enter(db, folder, plan)
        changed = enter_environment(db, folder, plan, strict)
        whole = read_meta(db)["runs"] == len(keys)  # else the study is a part of what the directory has
        write_meta(db, {"open": True, "session": before["session"] + 1})
        if whole:
            write_meta(db, {"study": plan.yaml})
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if whole:
        return keys, plan.yaml, changed
    return keys, None if (folder / STUDY_FILE).exists() else before["study"], changed


def _place(path: Path) -> tuple[int, int] | None:
    """Identify the file; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _data_version(db: sqlite3.Connection) -> int:
    """A number that changes when another connection has written."""
    (number,) = db.execute("PRAGMA data_version").fetchone()
    return int(number)
