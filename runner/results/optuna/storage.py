"""The runs of a study as Optuna studies, for its dashboard and whatever else reads an Optuna storage."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from runner.errors import ResultsError
from runner.journal.files.places import Unexpected, kind_of, replacing
from runner.journal.reader import Record
from runner.results.optuna.rows import add_trials, find_study, make_study, numbers_there
from runner.results.optuna.trials import trials_of

_DASHBOARD: Final = "optuna.db"
_AT_ONCE: Final = 500  # trials; their rows are a few thousand
_BUSY_SECONDS: Final = 30.0

Progress = Callable[[int, int], None]
"""Called with the trials that have been dealt with and those that there are."""


def write_optuna(
    record: Record, to: str | Path | None = None, progress: Progress = lambda written, trials: None
) -> str:
    """Put every run into an Optuna storage as a study of its own, named STUDY/PROBLEM/METHOD/SEED.

    Trials that are there already, from an earlier export, stay; new ones are added. All of it is
    written, or nothing.

    Parameters
    ----------
    record : Record
    to : str or Path, optional
        A storage URL, ``sqlite:///x.db``; or a folder or a file for SQLite. Default: ``optuna.db`` in
        the study directory.
    progress : callable, optional
        Called with the trials that have been dealt with and those that there are.

    Returns
    -------
    str
        The URL.

    Raises
    ------
    ResultsError
        Where Optuna is not installed, or the storage cannot be written.
    """
    try:
        import optuna
        import sqlalchemy
    except ImportError:
        raise ResultsError(
            "optuna cannot be imported.", where="--format optuna", hint="pip install 'fivefold[optuna]'."
        ) from None
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    place, where = None, str(to)
    try:
        place = _place(to, record.folder)
        if place is None:
            _fill(optuna.storages.RDBStorage(str(to)), record, progress)
            return str(to)
        where = str(place.path)
        _write_file(place, record, progress)
        url = sqlalchemy.URL.create("sqlite", database=where)
        return str(url.render_as_string(hide_password=False))
    except ResultsError:
        raise
    except Unexpected as error:
        raise ResultsError(f"{error.strerror}.", where=where, hint="Say where to with --to.") from None
    except Exception as error:  # SQLAlchemy's own, Optuna's own
        what = str(error).partition("\n")[0].rstrip(".")
        raise ResultsError(f"it cannot be written: {what}.", where=where) from None
    finally:
        optuna.logging.set_verbosity(verbosity)


class _Place(NamedTuple):
    """The file of an SQLite storage, and whether a user has named it, not only its folder."""

    path: Path
    named: bool


def _place(to: str | Path | None, folder: Path) -> _Place | None:
    """Where it goes; None for another database than SQLite."""
    path = folder if to is None else Path(to)
    if isinstance(to, str) and "://" in to:
        import sqlalchemy

        url = sqlalchemy.make_url(to)
        if url.drivername != "sqlite" or url.database in (None, "", ":memory:") or url.query:
            return None
        path = Path(str(url.database))
    elif path.is_dir() or not path.suffix:
        return _Place(path.absolute() / _DASHBOARD, False)
    return _Place(path.resolve(), True)


def _write_file(place: _Place, record: Record, progress: Progress) -> None:
    """Make a storage beside its place and move it there, or add to one that is there.

    The latter is written in place, since other programs may have it open; it is one transaction, and
    leaves the file as it was where it is broken off.
    """
    path, kind = place.path, kind_of(place.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not kind:
        with replacing(path) as new:
            _fill(_storage(new, fresh=True), record, progress)
        return
    if kind != "a file":
        raise Unexpected(path, kind, "a file")
    if not place.named and (names := path.stat().st_nlink) > 1:
        raise Unexpected(path, f"a file of {names} names (hard links)", "a file of one name")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "studies" not in tables:
        raise ResultsError(
            "expected a storage of Optuna, got another database.",
            where=str(path),
            hint="Name another with --to.",
        )
    _fill(_storage(path), record, progress)


def _storage(path: Path, fresh: bool = False) -> Any:
    """Optuna's storage at a path; no URL is made of it, whatever characters it has."""
    import optuna
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        if fresh:  # as a whole it is synced before it gets its place
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA journal_mode = MEMORY")
        return db

    options = {"creator": connect, "poolclass": NullPool}
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs=options)


def _fill(storage: Any, record: Record, progress: Progress) -> None:
    """Add to a storage what it lacks, as one transaction."""
    done, total = 0, len(record.trials["run"])
    session = storage.scoped_session()
    try:
        for run in record.runs:
            name, there = f"{record.name}/{run.id}", []
            study = find_study(session, name)
            if study is None:
                about = {"method": run.method, "settings": run.settings, "metric": run.metric}
                study = make_study(session, name, run.direction, about)
            else:
                there = numbers_there(session, study)
            known = set(there)
            new = [item for item in trials_of(record, run) if item[0] not in known]
            done += len(known)
            for start in range(0, len(new), _AT_ONCE):
                some = new[start : start + _AT_ONCE]
                add_trials(session, study, len(there) + start, some)
                done += len(some)
                progress(done, total)
        session.commit()
    finally:
        storage.remove_session()  # what was not committed is undone
        storage.engine.dispose()
