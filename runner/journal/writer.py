"""Writing a study directory: one process at a time, one durable transaction per record."""

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
from runner.journal.plan import Plan
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

_BUSY_SECONDS = 10.0
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
    """What became of a trial.

    Attributes
    ----------
    number : int
    text : str
        The config as JSON.
    valid : bool
        Whether it may be an incumbent.
    loss : float
        NaN where there is none.
    test : float or None
    origin : str
    seconds : float
        Of the evaluation.
    """

    number: int
    text: str
    valid: bool
    loss: float
    test: float | None
    origin: str
    seconds: float

    @property
    def config(self) -> Config:
        """The config, read."""
        found: Config = json.loads(self.text)
        return found


class Journal:
    """The one writer of a study directory; open it with `Journal.open`, close it or use ``with``.

    Attributes
    ----------
    folder : Path
    name : str
        A random one, of this journal and its copies alone.
    notes : tuple of str
        What the user must be told of the directory as it was found, such as what it had lost.

    Notes
    -----
    It may be used from any thread, by one at a time. The lock is the kernel's: it is free as
    soon as the process is gone, however it went.
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
    def open(cls, folder: Path, plan: Plan, witnessed: bool = False, strict: bool = False) -> Journal:
        """Make the directory of a study, or open it again to go on.

        An existing directory may be extended, by methods, problems, seeds or budget, or be gone
        on with in part. A run that is in it already must be the same but for its budget; with
        another budget it counts as not ended.

        Parameters
        ----------
        folder : Path
        plan : Plan
        witnessed : bool, default False
            Whether this program saw how the writer before this one ended; see `runner.journal.begun`.
        strict : bool, default False
            Whether to refuse a directory whose trials were evaluated with other versions of Python or
            of a package.

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
        """The trials of a run that have ended, by number."""
        key = self._keys[run_id]
        with explained(self.folder / DATABASE):
            return [from_row(row) for row in self._db.execute(SELECT_HISTORY, (key,))]

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """The trials that were being evaluated when everything ended, and have not ended since."""
        return self._suspects

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """Make durable which trials a batch is about to evaluate.

        Parameters
        ----------
        batch : int
            Its number, unique among those that are being evaluated.
        trials : sequence of (str, int)
            Run and number of each.
        """
        with self._writing():
            write_meta(self._db, {f"{BEGUN}{batch}": begun_value(trials)})
        self._begun.add(batch)

    def lose(self) -> bool:
        """Count the loss of all trials that have been begun; whether there were any."""
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
            Those that are not being evaluated any more; see `begin`.

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
        """Drop, within a transaction, what is not being evaluated any more, and suspects that have ended."""
        self._db.executemany(_DROP, [(f"{BEGUN}{batch}",) for batch in batches])
        for batch in batches:
            self._begun.discard(batch)
        if self._suspects and not self._suspects.keys().isdisjoint(trials):
            gone = set(trials)
            self._suspects = {key: one for key, one in self._suspects.items() if key not in gone}
            write_meta(self._db, {SUSPECTS: suspects_value(self._suspects)})

    def outcomes(self, run_id: str) -> Iterator[Recorded]:
        """What became of the trials of a run, by number, without what takes long to read."""
        with explained(self.folder / DATABASE):
            for number, text, status, loss, test, origin, seconds in self._db.execute(
                _SELECT_OUTCOMES, (self._keys[run_id],)
            ).fetchall():
                valid = status == Status.COMPLETED and loss is not None
                value = math.nan if loss is None else float(loss)
                yield Recorded(number, text, valid, value, from_number(test), origin, float(seconds))

    def probes(self) -> dict[str, Any]:
        """What probe points gave, by "problem/seed"; see `runner.journal.reader.Record.probes`."""
        found: dict[str, Any] = read_meta(self._db).get("probes", {})
        return found

    def record_afterwards(
        self,
        tests: Sequence[tuple[str, int, float]],
        probes: Mapping[str, Mapping[str, Any]],
        ended: Sequence[Key] = (),
        batches: Sequence[int] = (),
    ) -> None:
        """Make durable what was evaluated after the runs.

        Parameters
        ----------
        tests : sequence of (str, int, float)
            Run, number and test value of trials; NaN for a test that failed.
        probes : mapping
            By "problem/seed"; see `runner.journal.reader.Record.probes`.
        ended : sequence of Key
            The evaluations that this was, by the names under which they were begun.
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
                mark = trial_checksum((place[0], *row), self._salt)
                self._db.execute(_PUT_TEST, (row[_TEST], mark, *place))
            if probes:
                write_meta(
                    self._db, {"probes": self.probes() | {key: dict(said) for key, said in probes.items()}}
                )

    def announce(self, run_id: str, sentence: str) -> None:
        """Keep what a method says before its run."""
        self._update(run_id, announcement=to_text(sentence))

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """Keep that a run has ended.

        Parameters
        ----------
        run_id : str
        reason : str
            Why; not empty.
        failed : bool
            Whether its method failed.
        conclusion : str
            What the method says after the run.
        """
        self._update(run_id, end_reason=to_text(reason), failed=int(failed), conclusion=to_text(conclusion))

    def close(self) -> None:
        """Fold the log into the main file and give the directory free; a second time is harmless."""
        with explained(self.folder / DATABASE):
            try:
                self._say_closed()
            finally:
                self._open.close()
                self._open = ExitStack()

    def _say_closed(self) -> None:
        """Keep that nothing is missing where there will be no log, and that nothing is being evaluated."""
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
        """A transaction, durable at its end; JournalError where the file is not as this writer left it."""
        path = self.folder / DATABASE
        with explained(path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if _place(path) != self._place or _data_version(self._db) != self._version:
                raise JournalError(
                    "it has been removed, replaced or written by another program meanwhile.",
                    where=str(path),
                    hint="See to what is there, and run again.",
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
    db: sqlite3.Connection, folder: Path, plan: Plan, strict: bool
) -> tuple[dict[str, int], str | None, list[str]]:
    """Begin a session.

    Returns
    -------
    (dict, str or None, list of str)
        The keys of the runs; the text of the study file where it must be written; which versions have
        changed.

    A log that a killed writer left is folded in and closed for it. Before anything is recorded, the
    main file itself says that a session is open, so that a log that goes missing is missed.
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
    """Which file it is; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _data_version(db: sqlite3.Connection) -> int:
    """A number that changes when another connection has written."""
    (number,) = db.execute("PRAGMA data_version").fetchone()
    return int(number)
