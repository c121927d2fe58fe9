"""Scratch folders go with their process, however it ends, and nothing else goes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.journal.files.scratch import scratch_folder, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_there_while_it_is_needed(temporary):
    with scratch_folder() as folder:
        (folder / "inner").mkdir()
        sweep()
        assert (folder / "inner").is_dir()
    assert not list(temporary.iterdir())


def test_that_of_a_process_that_was_killed_is_removed(temporary):
    text = (
        "import time\nfrom runner.journal.files.scratch import scratch_folder\n"
        "with scratch_folder() as folder:\n"
        "    (folder / 'file').touch(); print(folder, flush=True); time.sleep(60)"
    )
    env = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, env=env, text=True
    ) as process:
        folder = Path(process.stdout.readline().strip())
        sweep()
        assert any(folder.iterdir()), "its process lives"
        process.send_signal(signal.SIGKILL)
    sweep()
    assert not list(temporary.iterdir())


def make_abandoned(folder, mark):
    folder.mkdir()
    (folder / ".owner").write_bytes(mark)
    (folder / "precious").touch()


def test_nothing_else_is_removed(temporary):
    elsewhere = temporary / "elsewhere"
    make_abandoned(elsewhere, b"a scratch folder of fivefold\n")
    (temporary / "fivefold_link").symlink_to(elsewhere)
    make_abandoned(temporary / "fivefold_of_a_user", b"mine\n")
    (temporary / "fivefold_notes").write_text("mine")
    (temporary / "fivefold_empty").mkdir()
    (temporary / "fivefold_pipe").mkdir()
    os.mkfifo(temporary / "fivefold_pipe" / ".owner")
    before = sorted(temporary.rglob("*"))
    sweep()
    assert sorted(temporary.rglob("*")) == before
    make_abandoned(temporary / "fivefold_abandoned", b"a scratch folder of fivefold\n")
    (temporary / "fivefold_abandoned" / "link").symlink_to(elsewhere)
    sweep()
    assert sorted(temporary.rglob("*")) == before, "and its links are not followed"
