"""A study directory is fetched whole or not at all. No Ray is started."""

import asyncio
import io
import os
import shlex
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import Results, run
from runner.cluster.submit import fetch, send
from runner.cluster.submit.archive import _LINE_BYTES, Receiver, unpack
from runner.errors import EngineError, FivefoldError, JournalError
from runner.journal.files.own import OwnFolder
from runner.journal.verify import verify
from runner.journal.wal import holds_frames
from runner.study.identity.plan import open_journal
from runner.study.study import Study


def study(trials, seeds=2, **more):
    keys = {"problems": ["branin"], "methods": ["random"], "seeds": seeds, "budget": {"trials": trials}}
    return Study.build(name="sent", **(keys | more))


class HeadOfAFolder:
    """Sends as a head would; it may break off after so many characters, or garble a line."""

    address = "http://head:8265"

    def __init__(self, cut=None, garble=None):
        self.cut, self.garble = cut, garble
        self.logs, self.codes = {}, {}

    async def submit(self, name, entrypoint, metadata, runtime_env):
        word, command, verb, folder = shlex.split(entrypoint)
        assert (word, command, verb, runtime_env) == ("exec", "fivefold", "send", {})
        out = io.StringIO()
        out.write("Running entrypoint for job x: y\n")
        try:
            send(Path(folder), out)
            self.codes[name] = 0
        except FivefoldError as error:
            out.write(f"error: {error}\n")
            self.codes[name] = error.exit_code
        self.logs[name] = out.getvalue()

    async def log(self, name):
        lines = self.logs[name].splitlines(keepends=True)
        if self.garble is not None:
            lines[self.garble] = lines[self.garble].replace("A", "B", 5)
        text = "".join(lines)
        for start in range(0, len(text), 20_000):
            if self.cut is not None and start >= self.cut:
                raise KeyboardInterrupt
            yield text[start : start + 20_000]

    async def job(self, name):
        code = self.codes[name]
        return {"status": "FAILED" if code else "SUCCEEDED", "driver_exit_code": code}


def bring(source, target, head=None):
    return asyncio.run(fetch(head or HeadOfAFolder(), str(source), target))


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A study directory on the head whose archive takes several lines."""
    folder = tmp_path_factory.mktemp("there") / "sent"
    run(study(1500), folder, workers=0).export()
    return folder


def same(here, there):
    left, right = Results.open(here), Results.open(there)
    assert left.trials.equals(right.trials)
    assert left.runs.equals(right.runs)
    assert verify(here).whole
    assert not here.with_name(here.name + ".fetching").exists()


def test_all_files_arrive_unchanged(there, tmp_path):
    (there / "notes").mkdir(exist_ok=True)
    (there / "notes" / "every.byte").write_bytes(bytes(range(256)) * 2000)
    for _ in range(2):
        assert bring(there, tmp_path / "here").size > 2 * _LINE_BYTES
        same(tmp_path / "here", there)
        for name in ("trials.parquet", "notes/every.byte"):
            assert (tmp_path / "here" / name).read_bytes() == (there / name).read_bytes()


@pytest.mark.parametrize("cut", [20_000, 360_000])
def test_a_broken_transfer_leaves_nothing_and_can_be_repeated(there, tmp_path, cut):
    here = tmp_path / "sent"
    with pytest.raises(KeyboardInterrupt):
        bring(there, here, HeadOfAFolder(cut))
    assert list(tmp_path.iterdir()) == []
    bring(there, here)
    same(here, there)


@pytest.mark.parametrize("line", [1, 2, -1])
def test_a_damaged_archive_is_refused(there, tmp_path, line):
    head = HeadOfAFolder(garble=line)
    if line == -1:
        head = HeadOfAFolder()
        log = head.log
        head.log = lambda name: without_its_end(log(name))
    with pytest.raises(EngineError, match="the archive arrived incomplete or damaged"):
        bring(there, tmp_path / "here", head)
    assert not (tmp_path / "here").exists()


async def without_its_end(pieces):
    yield "".join([piece async for piece in pieces]).rpartition("fivefold-end")[0]


def test_files_of_a_killed_transfer_are_replaced(there, tmp_path):
    stage = OwnFolder.at(tmp_path / "other.fetching")
    stage.write("archive.tar.gz", b"half")
    stage.write("files/left", b"of an earlier transfer")
    bring(there, tmp_path / "other")
    same(tmp_path / "other", there)
    assert not (tmp_path / "other" / "left").exists()


def test_a_study_that_runs_is_brought_as_it_stood_and_then_what_is_new(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    run(study(800), there, workers=0)
    with open_journal(there, study(802)) as journal:
        history = journal.history("branin/random/0")
        assert (there / "study.db-wal").stat().st_size > 0
        bring(there, here)
        assert verify(here).whole, verify(here).findings
        assert len(Results.open(here).trials) == 1600
        assert not (here / "study.db-wal").exists()
        journal.record([("branin/random/0", replace(history[-1], number=800))])
        bring(there, here)
        assert len(Results.open(here).trials) == 1601
    results = run(study(802), here, workers=0)
    assert len(results.trials) == 1604, "what was brought can be gone on with"


def test_a_study_whose_driver_was_killed_is_brought_with_its_log(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    run(study(5), there, workers=0)
    journal = open_journal(there, study(6))
    shutil.copytree(there, tmp_path / "killed")  # as a process leaves it that is killed
    journal.close()
    (tmp_path / "killed" / "study.lock").unlink()
    assert holds_frames((tmp_path / "killed" / "study.db-wal").read_bytes())
    assert bring(tmp_path / "killed", here).notes == ()
    assert len(Results.open(here).trials) == 10
    bring(there, here)
    assert not (here / "study.db-wal").exists(), "the log of the earlier copy is no part of the later one"
    same(here, there)


def test_nothing_is_taken_away_from_what_is_there(there, tmp_path):
    part = tmp_path / "part"
    run(study(4), part, workers=0)
    here = tmp_path / "here"
    bring(part, here)
    run(study(6), here, workers=0)
    with pytest.raises(JournalError, match=r"holds 4 trials that the head does not have\. Use another --to"):
        bring(part, here)
    assert len(Results.open(here).trials) == 12
    other = tmp_path / "other"
    run(study(3, seed=9), other, workers=0)
    with pytest.raises(JournalError, match="holds another study"):
        bring(part, other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(JournalError, match="is not empty and holds no study"):
        bring(part, tmp_path / "full")
    with open_journal(here, study(6)), pytest.raises(JournalError):
        bring(part, here)


def precious_folder(tmp_path):
    folder = tmp_path / "precious"
    (folder / "blocks").mkdir(parents=True)
    for name in ("trials.parquet", "notes", f"blocks/{'0' * 40}"):
        (folder / name).write_text("precious")
    return folder


def is_untouched(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files) == 3 and {path.read_text() for path in files} == {"precious"}


@pytest.mark.parametrize("kind", ["link", "folder", "file"])
def test_a_folder_of_others_is_not_taken_for_what_has_come(there, tmp_path, kind):
    precious = precious_folder(tmp_path)
    stage = tmp_path / "here.fetching"
    if kind == "link":
        stage.symlink_to(precious)
    elif kind == "folder":
        shutil.copytree(precious, stage)
    else:
        stage.touch()
    with pytest.raises(EngineError, match=r"expected .* at '.*here\.fetching', got a "):
        bring(there, tmp_path / "here")
    assert is_untouched(precious)
    assert kind != "folder" or is_untouched(stage)


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder behind a link"])
def test_nothing_is_brought_through_a_link(there, tmp_path, kind):
    precious, here, source = precious_folder(tmp_path), tmp_path / "here", tmp_path / "source"
    shutil.copytree(there, source)
    (source / "sub").mkdir()
    (source / "sub" / "notes").write_text("new")
    bring(there, here)
    (here / "trials.parquet").unlink()
    if kind == "link":
        (here / "trials.parquet").symlink_to(precious / "trials.parquet")
    elif kind == "hard link":
        (here / "trials.parquet").hardlink_to(precious / "trials.parquet")
    elif kind == "pipe":
        os.mkfifo(here / "trials.parquet")
    else:
        (here / "sub").symlink_to(precious)
        with pytest.raises(EngineError, match=r"expected a folder at '.*sub', got a link"):
            bring(source, here)
        assert not (here / "trials.parquet").exists(), "all of it or nothing"
        (here / "sub").unlink()
    bring(source, here)
    assert is_untouched(precious)
    assert (here / "trials.parquet").read_bytes() == (there / "trials.parquet").read_bytes()
    assert (here / "sub" / "notes").read_text() == "new"
    same(here, there)


@pytest.mark.parametrize("kind", ["link", "hard link", "theirs"])
def test_a_lock_that_is_not_ours_is_not_written_to(there, tmp_path, kind):
    precious, here = tmp_path / "precious", tmp_path / "here"
    precious.write_text("precious")
    here.mkdir()
    if kind == "link":
        (here / "study.lock").symlink_to(precious)
    elif kind == "hard link":
        (here / "study.lock").hardlink_to(precious)
    else:
        (here / "study.lock").write_text("precious")
    with pytest.raises(JournalError, match=r"expected a lock of fivefold for 'study\.lock', got "):
        bring(there, here)
    assert precious.read_text() == "precious"
    assert (here / "study.lock").read_text() == "precious"


def test_what_the_head_says_is_told(tmp_path):
    with pytest.raises(EngineError, match=r"nothing was sent: .*no such directory"):
        bring(tmp_path / "nowhere", tmp_path / "here")
    assert not (tmp_path / "here").exists()


def member(name, content=b"x", kind=tarfile.REGTYPE):
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, len(content), "/etc/passwd"
    return found, content


@pytest.mark.parametrize(
    "members, message",
    [
        (None, "an invalid archive"),
        ([member("../study.db")], "an unexpected file '../study.db'"),
        ([member("/etc/passwd")], "an unexpected file"),
        ([member("a/../../b")], "an unexpected file"),
        ([member("a\\b")], "an unexpected file"),
        ([member("study.lock")], "an unexpected file"),
        ([member("a", b"", tarfile.SYMTYPE)], "an unexpected file"),
        ([member("a", b"", tarfile.LNKTYPE)], "an unexpected file"),
        ([member("a", b"", tarfile.FIFOTYPE)], "an unexpected file"),
        ([member("a"), member("a")], "an unexpected file"),
    ],
)
def test_a_head_cannot_write_outside_the_directory(tmp_path, members, message):
    archive = io.BytesIO()
    if members is not None:
        with tarfile.open(fileobj=archive, mode="w:gz") as out:
            for info, content in members:
                out.addfile(info, io.BytesIO(content))
    stage = OwnFolder.at(tmp_path / "stage")
    with pytest.raises(EngineError, match=message):
        unpack(io.BytesIO(archive.getvalue()), stage, "files")
    assert not {path.name for path in tmp_path.rglob("*")} - {"stage", ".fivefold", "files", "a"}


@given(st.text(max_size=50))
def test_other_lines_are_not_taken_for_the_archive(noise):
    out = io.BytesIO()
    receiver = Receiver(out)
    assert not receiver.take(noise)
    receiver.take(f"fivefold-data {noise}!")
    receiver.take(f"fivefold-end {noise}")
    assert (out.getvalue(), receiver.complete) == (b"", False)
