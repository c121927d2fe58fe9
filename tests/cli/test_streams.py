"""Output that cannot be written: the command does all else, says what was lost, and does not exit with 0."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.cli import main as cli
from runner.cli.streams import _Raw
from runner.journal.verify import verify
from tests.studies import HILL, play, study

FILE = "{name: s, problems: [branin], methods: [random, grid], seeds: 1, budget: {trials: 3}}"
FULL = "error: standard output cannot be written: No space left on device. Continuing without it.\n"
CLOSED = FULL.replace("No space left on device", "closed")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """The command in a shell, with a study file and a study directory at hand; code and what stderr got."""
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[2]))
    (tmp_path / "s.yaml").write_text(FILE)
    play(tmp_path / "there", study(problems=[HILL]))

    def run(text):
        line = text.replace("fivefold", f"{sys.executable} -m runner.cli.main")
        done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize(
    "sink, said", [("> /dev/full", FULL), (">&-", CLOSED), (">&- 2>&-", ""), ("> /dev/full 2> /dev/full", "")]
)
def test_a_study_is_run_and_its_tables_are_written(shell, tmp_path, sink, said):
    assert shell(f"fivefold run s.yaml --workers 0 --out out 0<&- {sink}") == (2, said)
    assert {"trials.parquet", "runs.parquet"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert verify(tmp_path / "out").whole


COMMANDS = ["show there", "best there --json", "--version", "--help", "export there --format csv"]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_that_its_output_is_lost(shell, tmp_path, words):
    assert shell(f"fivefold {words} > /dev/full") == (2, FULL)
    assert ("export" in words) == (tmp_path / "there" / "trials.csv").exists()


def test_a_reader_that_goes_away_wanted_no_more(shell):
    assert shell("bash -c 'set -o pipefail; fivefold show there | true'") == (0, "")


def test_an_error_keeps_its_code_whatever_becomes_of_its_sentence(shell):
    code, said = shell("fivefold verify nowhere > /dev/full")
    assert (code, said.startswith("error: nowhere: no such directory")) == (2, True)
    assert shell("fivefold show nowhere 2> /dev/full") == (2, "")
    assert shell("fivefold show nowhere 2>&-") == (2, "")


def test_what_the_console_cannot_spell_is_escaped(shell):
    assert shell("PYTHONIOENCODING=ascii fivefold methods > methods.txt") == (0, "")


def test_a_pipe_that_does_not_block_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got = []

    def read():
        with os.fdopen(reader, "rb") as file:
            got.append(file.read())

    thread = threading.Thread(target=read)
    raw, data = _Raw(writer, False), memoryview(os.urandom(1_000_000))
    sent = raw.write(data)
    thread.start()
    while sent < len(data):
        sent += raw.write(data[sent:])
    os.close(writer)
    thread.join()
    assert got == [bytes(data)]
    assert raw.lost is None


def test_a_descriptor_that_is_not_for_writing_loses_what_is_written():
    with Path(os.devnull).open("rb") as file:
        raw = _Raw(file.fileno(), False)
        assert raw.write(b"more") == 4
    assert raw.lost.errno == errno.EBADF
