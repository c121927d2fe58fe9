"""A study directory comes whole or not at all, and what has come is not sent again. No Ray is started."""

import asyncio
import io
import json
import os
import shlex
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import Results, run
from runner.cluster.submit import fetch, send
from runner.cluster.submit.blocks import BLOCK_BYTES, block_line, digest_of, read_block, read_list
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
    """Sends as a head would; it may break off after so many characters, or garble some lines."""

    address = "http://head:8265"

    def __init__(self, cut=None, garble=()):
        self.cut, self.garble = cut, set(garble)
        self.packages, self.logs, self.codes = {}, {}, {}

    async def upload(self, name, content):
        self.packages[name] = content
        return f"gcs://{name}"

    async def submit(self, name, entrypoint, metadata, runtime_env):
        word, command, verb, folder, option, have = shlex.split(entrypoint)
        assert (word, command, verb, option) == ("exec", "fivefold", "send", "--have")
        package = self.packages[runtime_env["working_dir"].removeprefix("gcs://")]
        known = json.loads(zipfile.ZipFile(io.BytesIO(package)).read(have))
        out = io.StringIO()
        out.write("Running entrypoint for job x: y\n")
        try:
            send(Path(folder), known, out)
            self.codes[name] = 0
        except FivefoldError as error:
            out.write(f"error: {error}\n")
            self.codes[name] = error.exit_code
        self.logs[name] = out.getvalue()

    async def log(self, name):
        lines = self.logs[name].splitlines(keepends=True)
        for number in self.garble & set(range(len(lines))):
            lines[number] = lines[number].replace("a", "b", 5)
        self.garble = set()
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
    """A study directory of several blocks on the head."""
    folder = tmp_path_factory.mktemp("there") / "sent"
    run(study(1500), folder, workers=0).export()
    assert (folder / "study.db").stat().st_size > 2 * BLOCK_BYTES
    return folder


def same(here, there):
    left, right = Results.open(here), Results.open(there)
    assert left.trials.equals(right.trials)
    assert left.runs.equals(right.runs)
    assert verify(here).whole
    assert not here.with_name(here.name + ".fetching").exists()


def test_all_of_it_comes_and_once(there, tmp_path):
    found = bring(there, tmp_path / "here")
    same(tmp_path / "here", there)
    assert found.sent == found.blocks > 4
    assert (tmp_path / "here" / "trials.parquet").read_bytes() == (there / "trials.parquet").read_bytes()
    assert bring(there, tmp_path / "here").sent == 0
    same(tmp_path / "here", there)


@pytest.mark.parametrize("cuts", [[20_000], [240_000, 100_000], [360_000]])
def test_what_was_broken_off_is_gone_on_with(there, tmp_path, cuts):
    here = tmp_path / "sent"
    kept = 0
    for cut in cuts:
        with pytest.raises(KeyboardInterrupt):
            bring(there, here, HeadOfAFolder(cut))
        assert not here.exists(), "not a part of it"
        now = len(list((here.with_name("sent.fetching") / "blocks").iterdir()))
        assert now >= kept
        kept = now
    found = bring(there, here)
    same(here, there)
    assert found.sent == found.blocks - kept


def test_what_is_damaged_on_its_way_is_asked_for_again(there, tmp_path):
    found = bring(there, tmp_path / "here", HeadOfAFolder(garble=range(2, 5)))
    assert found.sent == found.blocks
    same(tmp_path / "here", there)
    stage = OwnFolder.at(tmp_path / "other.fetching")
    stage.write(f"blocks/{'0' * 40}", b"not what its name says")
    stage.write("whole/left", b"of an earlier try")
    bring(there, tmp_path / "other")
    same(tmp_path / "other", there)


def test_a_study_that_runs_is_brought_as_it_stood_and_then_what_is_new(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    run(study(800), there, workers=0)
    with open_journal(there, study(802)) as journal:
        history = journal.history("branin/random/0")
        assert (there / "study.db-wal").stat().st_size > 0
        first = bring(there, here)
        assert verify(here).whole, verify(here).findings
        assert len(Results.open(here).trials) == 1600
        assert not (here / "study.db-wal").exists()
        journal.record([("branin/random/0", replace(history[-1], number=800))])
        second = bring(there, here)
        assert len(Results.open(here).trials) == 1601
        assert second.sent < first.sent, "only blocks that have changed"
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
    with pytest.raises(JournalError, match=r"it holds 4 trials that the head has not\. Use another --to"):
        bring(part, here)
    assert len(Results.open(here).trials) == 12
    other = tmp_path / "other"
    run(study(3, seed=9), other, workers=0)
    with pytest.raises(JournalError, match="it holds a study of its own"):
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


@pytest.mark.parametrize(
    "files, sentence",
    [
        ("[{}]", "a list that cannot be read"),
        ("7", "a list that cannot be read"),
        ('[{"name": "../study.db", "size": 0, "blocks": []}]', "a file of the name"),
        ('[{"name": "/etc/passwd", "size": 0, "blocks": []}]', "a file of the name"),
        ('[{"name": "a/../../b", "size": 0, "blocks": []}]', "a file of the name"),
        ('[{"name": "", "size": 0, "blocks": []}]', "a file of the name"),
        ('[{"name": "study.lock", "size": 0, "blocks": []}]', "a file of the name"),
        ('[{"name": "a", "size": 9, "blocks": []}]', "0 blocks of a file of 9 bytes"),
        ('[{"name": "a", "size": 0, "blocks": []}, {"name": "a", "size": 0, "blocks": []}]', "a name twice"),
    ],
)
def test_a_head_cannot_write_where_it_likes(files, sentence):
    with pytest.raises(EngineError, match=sentence):
        read_list(f"fivefold-list {files}")


@settings(max_examples=30)
@given(st.binary(max_size=2000), st.text(max_size=50))
def test_blocks_come_as_they_went_and_nothing_else_is_taken_for_one(block, noise):
    line = block_line(digest_of(block), block)
    assert read_block(line) == (digest_of(block), block)
    assert read_block(noise) is None
    assert read_block(f"fivefold-block {digest_of(block)} {noise}") is None
    assert read_block(line[:-3]) is None
    assert read_list(noise) is None


def test_a_block_that_would_unpack_to_much_more_is_refused():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(50 * BLOCK_BYTES))).decode()
    assert read_block(f"fivefold-block {digest_of(bytes(50 * BLOCK_BYTES))} {bomb}") is None
