"""The runs of a study as Optuna studies, for its dashboard and other readers of an Optuna storage."""

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
from runner.results.optuna.rows import add_trials, existing_numbers, find_study, make_study
from runner.results.optuna.trials import trials_of

_DASHBOARD: Final = "optuna.db"
_AT_ONCE: Final = 500  # trials; their rows are a few thousand
_BUSY_SECONDS: Final = 30.0  # another program that has the file open may hold its lock so long

Progress = Callable[[int, int], None]
"""Called with the number of trials written and their total."""


def write_optuna(
    record: Record, to: str | Path | None = None, progress: Progress = lambda written, trials: None
) -> str:
    """Put every run into an Optuna storage as a study of its own, named STUDY/PROBLEM/METHOD/SEED.

    Trials of an earlier export stay; new ones are added. Either everything is written, or nothing.

    Parameters
    ----------
    to : str or Path, optional
        A storage URL, ``sqlite:///x.db``; or a folder or a file for SQLite. Default: ``optuna.db`` in
        the study directory.
    progress : callable, optional
        Called with the number of trials written and their total.

    Returns
    -------
    str
        The URL.

    Raises
    ------
    ResultsError
        If Optuna is not installed, or the storage cannot be written.
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
        raise ResultsError(f"{error.strerror}.", where=where, hint="Give another place with --to.") from None
    except Exception as error:  # SQLAlchemy's own, Optuna's own
        what = str(error).partition("\n")[0].rstrip(".")
        raise ResultsError(f"cannot be written: {what}.", where=where) from None
    finally:
        optuna.logging.set_verbosity(verbosity)


class _Place(NamedTuple):
    """The file of an SQLite storage; ``named``: a user has named it, not only its folder."""

    path: Path
    named: bool


def _place(to: str | Path | None, folder: Path) -> _Place | None:
    """Choose the file; None for another database than SQLite."""
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
    """Make a storage beside its place and move it there, or add to an existing one.

    The latter is written in place, since other programs may have it open; it is one transaction, which
    leaves the file unchanged if it is interrupted.
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
            hint="Name another file with --to.",
        )
    _fill(_storage(path), record, progress)


def _storage(path: Path, fresh: bool = False) -> Any:
    """Open Optuna's storage at a path, without a URL, in which some characters would need escapes."""
    import optuna
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        if fresh:  # the whole file is synced before it is moved to its place
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA journal_mode = MEMORY")
        return db

    options = {"creator": connect, "poolclass": NullPool}
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs=options)


def _fill(storage: Any, record: Record, progress: Progress) -> None:
    """Add the missing trials to a storage, as one transaction."""
    done, total = 0, len(record.trials["run"])
    session = storage.scoped_session()
    try:
        for run in record.runs:
            name, existing = f"{record.name}/{run.id}", []
            study = find_study(session, name)
            if study is None:
                about = {"method": run.method, "settings": run.settings, "metric": run.metric}
                study = make_study(session, name, run.direction, about)
            else:
                existing = existing_numbers(session, study)
            known = set(existing)
            new = [item for item in trials_of(record, run) if item[0] not in known]
            done += len(known)
            for start in range(0, len(new), _AT_ONCE):
                some = new[start : start + _AT_ONCE]
                add_trials(session, study, len(existing) + start, some)
                done += len(some)
                progress(done, total)
        session.commit()
    finally:
        storage.remove_session()  # rolls back an open transaction
        storage.engine.dispose()
