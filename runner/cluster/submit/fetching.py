"""A study directory brought from the head, whole or not at all; a broken transfer is gone on with.

What has come lies in ``DIR.fetching`` until all of it is there and has been verified. Blocks that an
earlier copy in the target holds are not sent again, so a study that runs can be fetched again and
again at the cost of what is new.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.cluster.submit.blocks import (
    BLOCK_BYTES,
    Listed,
    blocks_of,
    digest_of,
    files_of,
    read_block,
    read_list,
)
from runner.cluster.submit.head import Head
from runner.cluster.submit.package import pack_text
from runner.cluster.submit.submitting import exit_code, follow
from runner.errors import EngineError, JournalError
from runner.journal.files.folder import check_journal_is_there, lock_folder
from runner.journal.files.own import OwnFolder
from runner.journal.files.places import Root
from runner.journal.findings import Fault
from runner.journal.reader import Record, read_journal
from runner.journal.schema import DATABASE, LOCK
from runner.journal.verify import verify

_SUFFIX = ".fetching"
_BLOCKS, _WHOLE = "blocks", "whole"  # folders within it
_LOG = (f"{DATABASE}-wal", f"{DATABASE}-shm")
_HAVE = "have.json"
_LAST_LINES = 3
_JOBS = 3  # jobs that may end without all that was asked for, as where the study is written meanwhile

Told = Callable[[int, int], None]
"""Called with the blocks that are here and those that are needed."""


@dataclass
class _Store:
    """The blocks that are here: in the target, by the place where they stand, or as files of their own."""

    stage: OwnFolder
    places: dict[str, tuple[Root, str, int]] = field(default_factory=dict)

    def look(self, target: Path) -> None:
        """See what there is."""
        for name in self.stage.made:
            folder, _, digest = name.partition("/")
            if folder == _BLOCKS:
                with suppress(OSError):  # it was on the list, and then the transfer was killed
                    for block in blocks_of(self.stage, name):
                        if digest_of(block) == digest:
                            self.places[digest] = (self.stage, name, 0)
        there = Root(target)
        for name in sorted(files_of(target)) if target.is_dir() else []:
            for number, block in enumerate(blocks_of(there, name)):
                self.places.setdefault(digest_of(block), (there, name, number * BLOCK_BYTES))

    def put(self, digest: str, block: bytes) -> None:
        name = f"{_BLOCKS}/{digest}"
        self.stage.record([name])
        with self.stage.making(name) as file:
            file.write(block)
        self.places[digest] = (self.stage, name, 0)

    def write(self, file: Listed, name: str) -> None:
        """Make a file of its blocks."""
        self.stage.record([name])
        with self.stage.making(name) as out:
            for digest in file.blocks:
                root, source, start = self.places[digest]
                with root.reading(source) as stored:
                    stored.seek(start)
                    block = stored.read(BLOCK_BYTES)
                if digest_of(block) != digest:
                    raise EngineError(
                        f"{root.path / source} has changed meanwhile.", where="--fetch", hint="Try again."
                    )
                out.write(block)


@dataclass(frozen=True)
class Fetched:
    """What a transfer has done.

    Attributes
    ----------
    blocks, sent : int
        How many the study directory has, and how many of them had to be sent.
    notes : tuple of str
        What is wrong with the study directory, as it is on the head.
    """

    blocks: int
    sent: int
    notes: tuple[str, ...]


async def fetch(head: Head, source: str, target: Path, told: Told = lambda here, needed: None) -> Fetched:
    """Bring a study directory from the head.

    Parameters
    ----------
    head : Head
    source : str
        The directory on the head, as its shell reads it; see `folder_on_head`.
    target : Path
        Where to; a copy of the same study that is there already is brought up to date.
    told : callable
        Hears of progress.

    Raises
    ------
    EngineError
        Where the head does not answer, or sends what is not whole.
    JournalError
        Where the target is in use, holds another study, or trials that the head has not; or where
        it is there, and the head's is damaged.
    """
    try:
        stage = OwnFolder.at(target.with_name(target.name + _SUFFIX))
        store = _Store(stage)
        store.look(target)
        needed, sent = await _receive(head, source, store, told)
        names = [file.name for file in needed]
        stage.remove(name for name in stage.made if name.startswith(f"{_WHOLE}/"))
        for file in needed:
            store.write(file, f"{_WHOLE}/{file.name}")
        fresh = stage.path / _WHOLE
        notes = tuple(str(found) for found in verify(fresh).findings if found.fault is not Fault.NOTE)
        _check(fresh, target)
        _install(stage, target, names)
        stage.clear()
    except OSError as error:
        raise EngineError(f"it cannot be written: {error.strerror}.", where=str(target)) from None
    return Fetched(len({digest for file in needed for digest in file.blocks}), sent, notes)


async def _receive(head: Head, source: str, store: _Store, told: Told) -> tuple[list[Listed], int]:
    """Ask until all blocks of a list are here."""
    sent = 0
    for _ in range(_JOBS):
        files: list[Listed] | None = None
        needed: set[str] = set()
        said: list[str] = []
        job = await _ask(head, source, store)
        async for line in follow(head, job):
            if (block := read_block(line)) is not None:
                store.put(*block)
                sent += 1
            elif (found := read_list(line)) is not None:
                files, needed = found, {digest for file in found for digest in file.blocks}
            else:
                said.append(line)
                continue
            told(len(needed & store.places.keys()), len(needed))
        if code := await exit_code(head, job):
            what = " ".join(line.strip() for line in said[-_LAST_LINES:]) or f"exit code {code}"
            raise EngineError(f"nothing was sent: {what.removeprefix('error: ')}", where=head.address)
        if files is not None and needed <= store.places.keys():
            return files, sent
    raise EngineError(
        "the study directory changes faster than it is sent.", where=head.address, hint="Try again."
    )


async def _ask(head: Head, source: str, store: _Store) -> str:
    """Start the job that sends."""
    package = pack_text(_HAVE, json.dumps(sorted(store.places)))
    name = f"fivefold-send-{secrets.token_hex(6)}"
    uri = await head.upload(package.name, package.content)
    entrypoint = f"exec fivefold send {source} --have {_HAVE}"
    await head.submit(name, entrypoint, {"fivefold": "send"}, {"working_dir": uri})
    return name


def _check(fresh: Path, target: Path) -> None:
    """Raise where what has come would take something away from what is there."""
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
            "it holds a study of its own, not a copy of the one on the head.",
            where=str(target),
            hint="Use another --to.",
        )
    if more := len(_trials(here) - _trials(there)):
        raise JournalError(
            f"it holds {more} trials that the head has not.", where=str(target), hint="Use another --to."
        )


def _trials(record: Record) -> set[tuple[str, int]]:
    return {
        (record.runs[run].id, number)
        for run, number in zip(record.trials["run"], record.trials["number"], strict=True)
    }


def _install(stage: OwnFolder, target: Path, names: Sequence[str]) -> None:
    """Move the files into their place; the lock keeps a run away from the moment between."""
    target.mkdir(parents=True, exist_ok=True)
    there = Root(target)
    with ExitStack() as stack:
        lock_folder(target, stack)
        for name in names:
            there.check_free(name)
        # A log would be taken for the new journal's.
        there.remove(name for name in _LOG if name not in names)
        for name in names:
            stage.move(f"{_WHOLE}/{name}", there, name)
