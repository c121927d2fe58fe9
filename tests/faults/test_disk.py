"""A disk that is full or cannot be written: a clean stop, a sentence, and then the same table."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner import cli
from runner.record import read_journal, verify

STUDY = {
    "name": "full",
    "problems": ["branin"],
    "methods": ["random", "tpe"],
    "seeds": 2,
    "budget": {"trials": 150},
}
OWN_DISK = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True
    ).returncode
    == 0
)
COMMAND = f"{sys.executable} -m runner.cli run study.yaml --workers 0 --out"


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    Path("study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    return tmp_path


def shell(script):
    """Run lines of a shell that may mount, where that is permitted."""
    around = ["unshare", "-rm"] if OWN_DISK else []
    done = subprocess.run([*around, "sh", "-uc", script], capture_output=True, text=True)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def losses(folder):
    record = read_journal(folder)
    return {
        run.id: [(t.number, t.config, t.status, t.loss) for t in record.history(run.id)]
        for run in record.runs
    }


def stopped(done):
    """The exit codes that a script told, and what went to standard error."""
    return [
        int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("exit ")
    ], done.stderr


@pytest.mark.skipif(not OWN_DISK, reason="mounting is not permitted; the test below limits the file instead")
def test_a_full_disk_stops_the_study_and_it_goes_on_when_there_is_room(there):
    done = shell(
        f"""
        mkdir disk && mount -t tmpfs -o size=8m none disk
        head -c 8000000 /dev/zero > disk/ballast
        {COMMAND} disk/study; echo exit $?
        cp -r disk/study stopped
        {COMMAND} disk/study; echo exit $?
        rm disk/ballast
        {COMMAND} disk/study; echo exit $?
        cp -r disk/study ended
        {COMMAND} whole; echo exit $?
        """
    )
    codes, errors = stopped(done)
    assert codes == [3, 3, 0, 0], done
    assert errors.count("the disk is full. Free some space and run again") == 2
    assert 0 < sum(map(len, losses("stopped").values())) < 600
    assert losses("ended") == losses("whole")
    assert verify("ended").whole


def test_a_file_that_may_not_grow_stops_the_study_and_it_goes_on_when_it_may(there):
    """What is left where nothing can be mounted: the process may write no file beyond a size."""
    before = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))}
    done = subprocess.run([*COMMAND.split(), "study"], capture_output=True, text=True, **before)
    assert done.returncode == 3, done
    assert "the disk failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert 0 < sum(map(len, losses("study").values())) < 600
    for folder in ("study", "whole"):
        assert subprocess.run([*COMMAND.split(), folder], capture_output=True).returncode == 0
    assert losses("study") == losses("whole")
    assert verify("study").whole


@pytest.mark.skipif(not OWN_DISK and os.geteuid() == 0, reason="nothing stops the superuser from writing")
def test_a_directory_that_cannot_be_written_is_read_and_not_run(there):
    closed, opened = (
        ("mount -t tmpfs -o remount,ro none disk", "mount -t tmpfs -o remount,rw none disk")
        if OWN_DISK
        else ("chmod -R a-w disk", "chmod -R u+w disk")
    )
    done = shell(
        f"""
        mkdir disk {"&& mount -t tmpfs none disk" if OWN_DISK else ""}
        {COMMAND} disk/study --trials 3; echo exit $?
        {closed}
        {COMMAND} disk/study; echo exit $?
        {COMMAND} disk/other; echo exit $?
        {sys.executable} -m runner.cli show disk/study; echo exit $?
        {sys.executable} -m runner.cli verify disk/study; echo exit $?
        {opened}
        {COMMAND} disk/study; echo exit $?
        """
    )
    codes, errors = stopped(done)
    assert codes == [0, 2, 2, 0, 0, 0], done
    assert errors.count("cannot be written: ") == 2
