"""A disk that is full or cannot be written: a clean stop, a sentence, and then the same table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner import run
from runner.cli import main as cli
from runner.journal.reader import read_journal
from runner.journal.verify import verify

STUDY = {
    "name": "full",
    "problems": ["branin"],
    "methods": ["random", "tpe"],
    "seeds": 2,
    "budget": {"trials": 40},
}
MOUNT = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
try:
    OWN_DISK = subprocess.run(MOUNT, capture_output=True).returncode == 0
except FileNotFoundError:
    OWN_DISK = False

STEPS = """
import resource, subprocess, sys
from runner.cli import main as cli
for step in sys.argv[1:]:
    name, *words = step.split()
    if name == "fivefold":
        sys.argv = [name, *words]
        print("exit", cli.command(), flush=True)
    elif name == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(words[0]), resource.RLIM_INFINITY))
    else:
        subprocess.run(step, shell=True, check=True)
"""
GO = "fivefold run study.yaml --workers 0 --out"


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    """A folder with a study file and an empty folder for a disk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[2]))
    Path("study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    Path("disk").mkdir()


def steps(*lines):
    """Commands of ours and of the shell in one process that may mount; exit codes and errors."""
    around = ["unshare", "-rm"] if OWN_DISK else []
    done = subprocess.run([*around, sys.executable, "-c", STEPS, *lines], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert "Traceback" not in done.stdout + done.stderr
    codes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("exit ")]
    return codes, done.stderr


def trials(folder):
    record = read_journal(folder)
    return [
        (run.id, trial.number, trial.config, trial.status, trial.loss)
        for run in record.runs
        for trial in record.history(run.id)
    ]


@pytest.mark.skipif(not OWN_DISK, reason="nothing can be mounted; the next test limits the file instead")
def test_a_full_disk_stops_the_study_and_it_goes_on_when_there_is_room():
    codes, errors = steps(
        "mount -t tmpfs -o size=8m none disk",
        "head -c 8100000 /dev/zero > disk/ballast",
        f"{GO} disk/study",
        "cp -r disk/study stopped",
        f"{GO} disk/study",
        "rm disk/ballast",
        f"{GO} disk/study",
        "cp -r disk/study ended",
    )
    assert codes == [3, 3, 0]
    assert errors.count("the disk is full. Free some space and run again") == 2
    assert 0 < len(trials("stopped")) < 160
    run("study.yaml", "whole", workers=0)
    assert trials("ended") == trials("whole")
    assert verify("ended").whole


def test_a_file_that_may_not_grow_stops_the_study_and_it_goes_on_when_it_may():
    codes, errors = steps("limit 90000", f"{GO} study", "cp -r study stopped", "limit -1", f"{GO} study")
    assert codes == [3, 0]
    assert "the disk failed" in errors
    assert "run again" in errors
    assert 0 < len(trials("stopped")) < 160
    run("study.yaml", "whole", workers=0)
    assert trials("study") == trials("whole")
    assert verify("study").whole


@pytest.mark.skipif(not OWN_DISK and os.geteuid() == 0, reason="nothing stops the superuser from writing")
def test_a_directory_that_cannot_be_written_is_read_and_not_run():
    codes, errors = steps(
        "mount -t tmpfs none disk" if OWN_DISK else "true",
        f"{GO} disk/study --trials 3",
        "mount -o remount,ro disk" if OWN_DISK else "chmod -R a-w disk",
        f"{GO} disk/study",
        f"{GO} disk/other",
        "fivefold show disk/study",
        "fivefold verify disk/study",
        "mount -o remount,rw disk" if OWN_DISK else "chmod -R u+w disk",
        f"{GO} disk/study --trials 5",
    )
    assert codes == [0, 2, 2, 0, 0, 0]
    assert errors.count("cannot be written: ") == 2
