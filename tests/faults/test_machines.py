"""Machines that misbehave: Ray dies, addresses are silent, clocks jump, signals come."""

import ipaddress
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import ray
import yaml

from runner.api import run
from runner.engine.ray.connect import connect
from runner.errors import EngineError
from runner.results import Results
from runner.study.study import Study
from tests.faults import objectives
from tests.faults.soaking import amount
from tests.faults.test_kills import command, recorded, table, wait_for

STUDY = {
    "name": "steady",
    "problems": [f"{Path(objectives.__file__)}:brief"],
    "methods": ["random"],
    "seeds": 4,
    "budget": {"trials": 100},
}


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


def start(*arguments):
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("name", amount(["gcs_server"], ["gcs_server", "raylet"]))
def test_where_ray_dies_it_is_started_again_or_left(tmp_path, study_file, name):
    process = start(study_file, tmp_path / "study", 2)
    wait_for(process, tmp_path / "study", {}, True, 0.0)
    (victim,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if Path((child.cmdline() or [""])[0]).name == name
    ]
    victim.kill()
    out, err = process.communicate(timeout=120)
    lost = f"Ray was lost: its {name} on this machine has died."
    if process.returncode:  # it was just asking Ray for something, and would not be answered
        assert process.returncode == 2, err
        assert f"error: {lost}" in err
        assert subprocess.run(command(study_file, tmp_path / "study", 2)).returncode == 0
    elif err:  # so it was, and the command was started again
        assert f"error: {lost}" in err
    else:
        assert lost in out
    run(study_file, tmp_path / "here", workers=0)
    pd.testing.assert_frame_equal(table(tmp_path / "study"), table(tmp_path / "here"), check_exact=True)


@pytest.mark.slow
@pytest.mark.ray
def test_a_signal_ends_it_within_seconds_whatever_the_trials_do(tmp_path):
    keys = {"problems": [f"{Path(objectives.__file__)}:lame"], "methods": ["random"]}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, **keys}))
    process = start(path, tmp_path / "study", 2)
    wait_for(process, tmp_path / "study", {}, True, 0.0)
    time.sleep(1.0)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "interrupted; every finished trial is saved. Repeat the command to resume.\n"
    assert time.monotonic() - begun < 10
    assert 0 < recorded(tmp_path / "study") < 400


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(tmp_path, blow):
    keys = {"problems": [f"{Path(objectives.__file__)}:stubborn"], "methods": ["random"], "seeds": 1}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, **keys}))
    process = start(path, tmp_path / "study", 0)
    marker = tmp_path / "study" / "study.db"
    until = time.monotonic() + 60
    while not marker.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(blow)
    time.sleep(0.5)
    assert process.poll() is None, "the objective swallows what is raised into it"
    begun = time.monotonic()
    process.send_signal(blow)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted.\n")
    assert time.monotonic() - begun < 2


@pytest.fixture
def without_ray(monkeypatch):
    """As in a process that has no Ray yet."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)


def test_what_takes_connections_and_never_answers_is_no_cluster(without_ray):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(EngineError, match="does not answer within"), connect(address=address):
            pass
        assert time.monotonic() - begun < 15


def test_without_a_token_ray_does_not_listen_on_a_public_address(monkeypatch, without_ray):
    public = [SimpleNamespace(family=socket.AF_INET, address="8.8.8.8")]
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": public})
    with pytest.raises(EngineError, match=r"8\.8\.8\.8 without a token"), connect(2):
        pass


def test_private_addresses_are_told_from_public_ones(monkeypatch):
    from runner.engine.ray.connect import _public_address

    here = [
        SimpleNamespace(family=socket.AF_INET, address="192.168.1.7"),
        SimpleNamespace(family=socket.AF_INET6, address="fe80::1%eth0"),
        SimpleNamespace(family=socket.AF_INET6, address="::1"),
        SimpleNamespace(family=psutil.AF_LINK, address="00:00:00:00:00:00"),
    ]
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"all": here})
    assert _public_address() == ""
    here.append(SimpleNamespace(family=socket.AF_INET6, address="2a00::1"))
    assert ipaddress.ip_address(_public_address()).is_global


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    study = Study.build(
        **STUDY | {"name": "clock", "budget": {"trials": 5, "seconds": 1000}, "methods": ["random", "tpe"]}
    )
    run(study, tmp_path / "steady", workers=0)
    now, leaps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: now() + (-1) ** next(leaps) * 10**7)
    run(study, tmp_path / "jumpy", workers=0)
    pd.testing.assert_frame_equal(table(tmp_path / "jumpy"), table(tmp_path / "steady"), check_exact=True)
    trials = Results.open(tmp_path / "jumpy").trials
    assert trials["seconds"].between(0, 10).all()
    assert trials["started"].between(0, 100).all()
