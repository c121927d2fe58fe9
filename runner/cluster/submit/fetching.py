"""Fetch a study directory from the head, whole or not at all.

Files are received in ``DIR.fetching``, and moved into their place once all of them have come and the
journal has been verified.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runner.cluster.submit.archive import LOG, Receiver, unpack
from runner.cluster.submit.head import Head
from runner.cluster.submit.submitting import LAST_LINES, exit_code, follow
from runner.errors import EngineError, JournalError
from runner.journal.files.folder import check_journal_is_there, lock_folder
from runner.journal.files.own import OwnFolder
from runner.journal.files.places import Root
from runner.journal.findings import Fault
from runner.journal.reader import Record, read_journal
from runner.journal.schema import DATABASE, LOCK
from runner.journal.verify import verify

_SUFFIX = ".fetching"
_ARCHIVE, _FILES = "archive.tar.gz", "files"  # within it


@dataclass(frozen=True)
class Fetched:
    """Result of `fetch`.

    Attributes
    ----------
    size : int
        Number of bytes that were sent.
    notes : tuple of str
        Faults of the study directory as it is on the head.
    """

    size: int
    notes: tuple[str, ...]


async def fetch(
    head: Head, source: str, target: Path, progress: Callable[[int], None] = lambda size: None
) -> Fetched:
    """Fetch a study directory from the head.

    Parameters
    ----------
    source : str
        The directory on the head, as its shell reads it; see `folder_on_head`.
    target : Path
        The directory here; an earlier copy of the same study is brought up to date.
    progress : callable
        Called with the number of bytes received.

    Raises
    ------
    EngineError
        Where the head does not answer, or the archive is incomplete.
    JournalError
        Where the target is in use, holds another study, or trials that the head lacks; or where
        it exists, and the head's journal is damaged.
    """
    try:
        stage = OwnFolder.at(target.with_name(target.name + _SUFFIX))
        try:
            stage.remove(stage.made)  # of an earlier transfer that was killed
            size = await _receive(head, source, stage, progress)
            with stage.reading(_ARCHIVE) as archive:
                names = unpack(archive, stage, _FILES)
            fresh = stage.path / _FILES
            notes = tuple(str(found) for found in verify(fresh).findings if found.fault is not Fault.NOTE)
            _check(fresh, target)
            _install(stage, target, names)
        finally:
            stage.clear()
    except OSError as error:
        raise EngineError(f"cannot be written: {error.strerror}.", where=str(target)) from None
    return Fetched(size, notes)


async def _receive(head: Head, source: str, stage: OwnFolder, progress: Callable[[int], None]) -> int:
    """Run the job that sends, and write its archive; return the size."""
    job = f"fivefold-send-{secrets.token_hex(6)}"
    await head.submit(job, f"exec fivefold send {source}", {"fivefold": "send"}, {})
    output: list[str] = []
    stage.record([_ARCHIVE])
    with stage.making(_ARCHIVE) as file:
        receiver = Receiver(file)
        async for line in follow(head, job):
            if receiver.take(line):
                progress(receiver.size)
            else:
                output = [*output, line.strip()][-LAST_LINES:]
    if code := await exit_code(head, job):
        message = " ".join(output) or f"exit code {code}"
        raise EngineError(f"nothing was sent: {message.removeprefix('error: ')}", where=head.address)
    if not receiver.complete:
        raise EngineError(
            "the archive arrived incomplete or damaged.", where=head.address, hint="Run the command again."
        )
    return receiver.size


def _check(fresh: Path, target: Path) -> None:
    """Raise where the fetched files would replace anything but an earlier copy of the same study."""
    if not target.exists():
        return
    check_journal_is_there(target)
    if not (target / DATABASE).exists():
        if {path.name for path in target.iterdir()} - {LOCK}:
            raise JournalError(
                "the directory is not empty and holds no study.", where=str(target), hint="Use another --to."
            )
        return
    here, there = read_journal(target), read_journal(fresh)
    if (here.name, here.seed, here.created) != (there.name, there.seed, there.created):
        raise JournalError(
            "holds another study, not a copy of the one on the head.",
            where=str(target),
            hint="Use another --to.",
        )
    if more := len(_trials(here) - _trials(there)):
        raise JournalError(
            f"holds {more} trials that the head does not have.", where=str(target), hint="Use another --to."
        )


def _trials(record: Record) -> set[tuple[str, int]]:
    return {
        (record.runs[run].id, number)
        for run, number in zip(record.trials["run"], record.trials["number"], strict=True)
    }


def _install(stage: OwnFolder, target: Path, names: Sequence[str]) -> None:
    """Move the files into their place; the lock keeps a run away meanwhile."""
    target.mkdir(parents=True, exist_ok=True)
    there = Root(target)
    with ExitStack() as stack:
        lock_folder(target, stack)
        for name in names:
            there.check_free(name)
        # SQLite would apply the log of the earlier journal to the new one.
        there.remove(name for name in LOG if name not in names)
        for name in names:
            stage.move(f"{_FILES}/{name}", there, name)
