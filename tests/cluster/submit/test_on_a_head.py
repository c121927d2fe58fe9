"""A real head with a token, and real submissions to it over loopback."""

import contextlib
import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from runner import Results, run
from runner.cli.main import app
from runner.errors import FivefoldError
from runner.journal.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[3]
TOKEN = secrets.token_hex(32)
PATIENCE = 300.0  # no measure of anything: the machine may be busy

STUDY = """
name: gated
problems: [objective.py:gated]
methods: [random]
seeds: 1
budget: {trials: 12}
"""
OBJECTIVE = """
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from helper import shifted
from runner import Float, problem

GATE = Path(os.environ["FIVEFOLD_GATE"])


@problem(space={"x": Float(0.0, 1.0)})
def gated(config):
    while config["x"] > 0.9 and not GATE.exists():
        time.sleep(0.02)
    return shifted(config["x"])
"""
HELPER = """
def shifted(x):
    return (x - 0.3) ** 2
"""


def free_ports(count):
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@pytest.fixture(scope="module")
def head():
    """Address and folder of a head; ended by the ids of what was started here."""
    place = Path(tempfile.mkdtemp(prefix="ff"))  # short: Ray makes sockets in it
    gcs, dashboard, client = free_ports(3)
    binaries = Path(sys.executable).parent
    environment = {
        "HOME": str(place / "home"),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FIVEFOLD_HOME": str(place / "studies"),
        "FIVEFOLD_GATE": str(place / "gate"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    (place / "home").mkdir()
    command = [binaries / "ray", "start", "--head", "--block", f"--port={gcs}", "--num-cpus=2"]
    command += [f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    command += ["--dashboard-agent-listen-port=0"]  # its usual one may be taken by the Ray of other tests
    command += [f"--temp-dir={place / 'ray'}", "--object-store-memory=80000000", "--disable-usage-stats"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "FIVEFOLD_"))}
    up, said = "Ray runtime started", (place / "head.log").read_text
    with (place / "head.log").open("wb") as log:
        for _ in range(3):  # Ray gives a node 30 seconds to start, which a busy machine may need more of
            started = subprocess.Popen(command, env=kept | environment, stdout=log, stderr=log)
            until(lambda: (up in said() and answers(dashboard)) or started.poll() is not None, said)  # noqa: B023
            if started.poll() is None:
                break
        try:
            assert started.poll() is None, said()
            yield f"http://127.0.0.1:{dashboard}", place
        finally:
            family = []
            with contextlib.suppress(psutil.NoSuchProcess):
                first = psutil.Process(started.pid)
                family = [first, *first.children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=10)
            started.wait()
            shutil.rmtree(place, ignore_errors=True)


def answers(port):
    """Whether the dashboard asks for a token: it opens its port well before it can answer."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/version", timeout=5).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 401
    except (OSError, http.client.HTTPException):
        return False
    return True


def until(condition, told=lambda: None):
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, told()
        time.sleep(0.1)


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Somebody who has the token, and a study."""
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "objective.py").write_text(OBJECTIVE)
    (tmp_path / "helper.py").write_text(HELPER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "helper", raising=False)  # that of an earlier test, from its folder
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("FIVEFOLD_GATE", str(tmp_path / "gate"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def fivefold(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(done.exception, FivefoldError):  # which main() tells
        return done.exception.exit_code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@contextlib.contextmanager
def following(address, log):
    """A submission in a process of its own, whose output goes to a file."""
    command = [sys.executable, "-m", "runner.cli.main", "submit", "study.yaml", "--address", address]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def says(process, log, text):
    """Wait until the log says so, or its process has ended."""
    until(lambda: re.search(text, log.read_text()) or process.poll() is not None, log.read_text)
    assert re.search(text, log.read_text()), log.read_text()


def test_a_study_is_submitted_followed_stopped_resumed_and_fetched(head, user):
    address, place = head
    first, second = user / "first.log", user / "second.log"
    with following(address, first) as process:
        says(process, first, r"submitted \(3 files, \d+ kB\) as fivefold-gated-")
        says(process, first, r"1/12 trials")  # the head's own line
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert "the study continues on the cluster; repeat the command to follow it" in first.read_text()
    assert (
        "gated: running as fivefold-gated-"
        in fivefold("submit", "study.yaml", "--address", address, "--status")[1]
    )
    code, said = fivefold("submit", "study.yaml", "--address", address, "--trials", 13)
    assert (code, "is already running from other files or with other options" in said) == (2, True)
    with following(address, second) as process:
        says(process, second, r"gated: already running as fivefold-gated-")
        code, said = fivefold("submit", "study.yaml", "--address", address, "--stop")
        assert (code, "gated: stopped" in said) == (0, True), said
        assert process.wait(PATIENCE) == 130, second.read_text()
        assert "Repeat the command to resume" in second.read_text(), "it was stopped, not killed"
    (place / "gate").touch()
    code, said = fivefold("submit", "study.yaml", "--address", address)
    assert code == 0, said
    assert re.search(r"Resuming after \d trials?", said), said
    every_byte = bytes(range(256)) * 4000 + os.urandom(500_000)
    (place / "studies" / "gated" / "every.byte").write_bytes(every_byte)
    for _ in range(2):
        code, said = fivefold("submit", "study.yaml", "--address", address, "--fetch", "--to", "there")
        assert code == 0, said
    assert (user / "there" / "every.byte").read_bytes() == every_byte
    assert verify(user / "there").whole
    (user / "gate").touch()
    columns = ["number", "config/x", "loss", "status"]
    expected = run("study.yaml", user / "here", workers=0).trials[columns]
    assert Results.open(user / "there").trials[columns].equals(expected)


@pytest.mark.parametrize(
    "token, sentence",
    [("0" * 64, "the token was rejected"), (None, "authentication token required, none configured")],
)
def test_a_wrong_or_missing_token_is_refused(head, user, monkeypatch, token, sentence):
    address, _ = head
    if token is None:
        monkeypatch.delenv("RAY_AUTH_TOKEN")
    else:
        monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    for more in ([], ["--status"], ["--stop"], ["--fetch"]):
        code, said = fivefold("submit", "study.yaml", "--address", address, *more)
        assert code == 2
        assert sentence in said


def test_what_a_head_cannot_do_is_told(head, user):
    address, _ = head
    (user / "other.yaml").write_text(STUDY.replace("gated\n", "other\n", 1))
    for more in ("--status", "--stop"):
        code, said = fivefold("submit", "other.yaml", "--address", address, more)
        assert (code, "no job of the study 'other'" in said) == (2, True)
