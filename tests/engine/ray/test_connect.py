"""Connecting to Ray: what is refused, and who may read the token."""

import os
import socket
import stat
import time

import pytest
import ray

from runner.engine.ray.connect import _secure_token, connect, environment
from runner.errors import EngineError
from runner.study.resources import Needs


@pytest.mark.ray
def test_the_ray_of_this_process_is_used_and_left_alone(ray_workers):
    with connect() as connection:
        assert connection.workers == 2
        assert "this process" in connection.where
    assert ray.is_initialized()
    with connect(1) as connection:
        assert (connection.workers, connection.where) == (1, "1 worker on the Ray of this process")
    with connect(64) as connection:
        assert connection.workers == 2, "no more than there are CPUs for"
    with connect(needs=Needs(cpus=2.0)) as connection:
        assert connection.workers == 1


@pytest.mark.ray
def test_what_cannot_be_had_is_said(ray_workers):
    with pytest.raises(EngineError, match=r"needs 64 CPUs; .* has 2 CPUs"), connect(needs=Needs(64.0)):
        pass
    with pytest.raises(EngineError, match=r"needs 1 CPU, 1 GPU; .* has no GPU"), connect(needs=Needs(1, 1)):
        pass
    with pytest.raises(EngineError, match="already connected to Ray"), connect(address="auto"):
        pass


def test_ray_client_is_refused():
    with pytest.raises(EngineError, match="does not support Tune"), connect(address="ray://head:10001"):
        pass


def test_an_address_where_nothing_answers_is_said_at_once(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(EngineError, match="no answer from this address"), connect(address=address):
            pass
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(EngineError, match="no answer from this address"), connect():
            pass
    assert time.monotonic() - start < 30


@pytest.mark.ray
def test_one_study_at_a_time(ray_workers):
    with connect(1), pytest.raises(EngineError, match="another study is already running on Ray"), connect(1):
        pass
    with connect(1):
        pass


def token_of(home):
    return home / ".ray" / "auth_token"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_token_is_made_for_its_owner_only(home):
    _secure_token()
    token = token_of(home).read_text()
    assert len(token) >= 64
    assert stat.S_IMODE(token_of(home).stat().st_mode) == 0o600
    _secure_token()
    assert token_of(home).read_text() == token


def test_a_token_that_all_can_read_is_closed(home):
    token_of(home).parent.mkdir()
    token_of(home).write_text("open")
    token_of(home).chmod(0o644)
    _secure_token()
    assert token_of(home).read_text() == "open"
    assert stat.S_IMODE(token_of(home).stat().st_mode) == 0o600


def test_without_a_home_the_token_lives_in_the_environment(tmp_path, monkeypatch, home):
    (tmp_path / ".ray").write_text("a file in the way")
    _secure_token()
    assert len(os.environ["RAY_AUTH_TOKEN"]) >= 64
    monkeypatch.delenv("RAY_AUTH_TOKEN")


def test_a_token_of_the_user_is_left_alone(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    _secure_token()
    assert not token_of(home).exists()


def test_variables_last_as_long_as_their_block(monkeypatch):
    monkeypatch.setenv("FIVEFOLD_A", "before")
    with environment({"FIVEFOLD_A": "within", "FIVEFOLD_B": "within"}):
        assert (os.environ["FIVEFOLD_A"], os.environ["FIVEFOLD_B"]) == ("within", "within")
    assert os.environ["FIVEFOLD_A"] == "before"
    assert "FIVEFOLD_B" not in os.environ
