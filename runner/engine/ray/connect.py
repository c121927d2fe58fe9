"""Connecting to Ray: a cluster of this program's own, one that runs already, or the caller's.

A local cluster has as many logical CPUs as lanes need, a small object store (problems and data
are shipped through it once per lane, nothing else is), no dashboard, and token authentication:
Ray's ports listen on every interface, so that without a token anybody on the network could run
code here. The token's file is made readable for its owner only, which Ray itself leaves out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import logging
import math
import os
import secrets
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import ray
from ray._private import worker as ray_worker

from runner.errors import EngineError, RayLost, clip
from runner.study.machine import available_cpus
from runner.study.resources import Needs, NodeResources

_OBJECT_STORE_BYTES = 256 * 1024**2
_SPARE = 1.1  # of the object store over what is shared
_REACH_SECONDS = 4.0
_ANSWER_SECONDS = 7.0  # a process that imports Ray takes two of them
_IS_IT_UP = "Is the cluster up, the port its GCS's, and RAY_AUTH_MODE and RAY_AUTH_TOKEN as on its head node?"
_MOST_CHARACTERS = 300
_MOST_FAILURES = 3  # to reach a cluster, one after the other
_OF_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # in the environment of a job's driver
_VITAL = {"gcs_server", "raylet"}
# Where the caller's environment does not say otherwise.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_process_group_cleanup_enabled": "1",  # what a lane has started dies with it
    "RAY_ROTATION_MAX_BYTES": str(16 * 1024**2),  # of what trials print, which nobody reads
    "RAY_ROTATION_BACKUP_COUNT": "1",
}
# Connecting and disconnecting change the whole process: environment, Ray's connection, its logs.
_ONE_AT_A_TIME = threading.Lock()


@dataclass
class Connection:
    """A Ray that is ready for trials.

    Parameters
    ----------
    place : str
        What it is, for the user.
    workers : int or None
        How many lanes are wanted; None for as many as there is room for.
    needs : Needs
        What one trial needs.

    Attributes
    ----------
    nodes : list of mapping
        The resources of each node that lived when it was last looked at.
    """

    place: str
    workers: int | None = None
    needs: Needs = dataclasses.field(default_factory=Needs)
    nodes: list[NodeResources] = dataclasses.field(default_factory=list)
    _failures: int = 0

    def look(self) -> None:
        """See which nodes there are; a cluster may grow and shrink."""
        self.nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]

    @property
    def room(self) -> int:
        """How many trials could be evaluated at once."""
        return self.needs.room(self.nodes)

    @property
    def ours(self) -> bool:
        """Whether this process has started it; nodes are then neither added nor lost."""
        node = ray_worker._global_node  # internal; a test that kills Ray holds it
        return node is not None and bool(node.is_head())

    def turn_to(self, needs: Needs) -> None:
        """Have lanes for trials that need this from here on.

        Raises
        ------
        EngineError
            Where there is no room for one, and none can come.
        """
        self.needs = needs
        self.look()
        if self.room < 1 and self.ours:
            raise self.too_small(self.nodes)

    def too_small(self, nodes: Sequence[NodeResources]) -> EngineError:
        """What to raise where even one trial does not fit any of these nodes."""
        return EngineError(
            self.needs.shortfall(nodes, self.place),
            where="trial",
            hint="Ask for less in the study's 'trial', or use larger nodes.",
        )

    def check(self) -> None:
        """Raise RayLost where Ray has died; what asks it for anything then waits for a minute."""
        node = ray_worker._global_node
        if self.ours:
            dead = sorted({name for name, _ in node.dead_processes()} & _VITAL)
            if dead:
                raise _lost(f"its {dead[0]} on {self.place} has died")
            return
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
        except OSError as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise _lost(f"nothing answers any more at {host}:{port}: {error}") from None
        else:
            self._failures = 0

    @property
    def lanes(self) -> int:
        """How many trials are evaluated at once."""
        return max(1, min(self.workers, self.room) if self.workers else self.room)

    @property
    def where(self) -> str:
        """Lanes and place, for the user."""
        return f"{self.lanes} {'lane' if self.lanes == 1 else 'lanes'} on {self.place}"


@contextlib.contextmanager
def connect(
    workers: int | None = None,
    address: str | None = None,
    needs: Needs | None = None,
    shared_bytes: int = 0,
) -> Iterator[Connection]:
    """Ray for as long as the ``with`` block lasts.

    Parameters
    ----------
    workers : int, optional
        How many lanes to use. Default: as many as there are CPUs for.
    address : str, optional
        ``host:port`` or ``auto`` of a running cluster. Default: Ray of this process where it is
        initialised, else the cluster in the environment variable RAY_ADDRESS, else a new local
        cluster, which is shut down at the end.
    needs : Needs, optional
        What one trial needs. Default: a CPU.
    shared_bytes : int
        What the lanes of a node are to share in its object store.

    Raises
    ------
    EngineError
        Where Ray cannot be reached or started; where it was started here, also where it has not
        enough for one trial.
    """
    if address is not None and address.startswith("ray://"):
        raise EngineError(
            "Ray Client addresses cannot carry Tune.",
            where=address,
            hint="Run the command on a node of the cluster with '--address auto'.",
        )
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise EngineError(
            "another study of this process is on Ray.",
            hint="Run them one after the other, or as one study with the problems of both.",
        )
    try:
        with _connected(workers, address, needs or Needs(), shared_bytes) as connection:
            yield connection
    finally:
        _ONE_AT_A_TIME.release()


@contextlib.contextmanager
def _connected(
    workers: int | None, address: str | None, needs: Needs, shared_bytes: int = 0
) -> Iterator[Connection]:
    if ray.is_initialized():
        if address is not None:
            raise EngineError(
                "this process is connected to Ray already.", where="address", hint="Leave it out."
            )
        yield _connection(workers, needs, "the Ray of this process")
        return
    address = address or os.environ.get("RAY_ADDRESS") or None
    with environment({name: os.environ.get(name, value) for name, value in _SETTINGS.items()}):
        try:
            if address is None:
                _init_local(workers, needs, shared_bytes)
                where = "this machine"
            else:
                _init_remote(address)
                where = f"the cluster at {address}"
            yield _connection(workers, needs, where)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for as long as the ``with`` block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _init_local(workers: int | None, needs: Needs, shared_bytes: int) -> None:
    lanes = workers or max(1, math.floor(available_cpus() / needs.cpus))
    if os.environ.get("RAY_AUTH_MODE", "token") == "token":  # which is what Ray does if it is unset
        _secure_token()
    elif public := _public_address():
        raise EngineError(
            f"Ray would listen on {public} without a token, and anybody could run code here.",
            where="RAY_AUTH_MODE",
            hint="Unset it, or set it to 'token'; '--workers 0' runs the same study without Ray.",
        )
    try:
        ray.init(
            address="local",
            num_cpus=max(1, math.ceil(lanes * needs.cpus)),
            # They tell a cluster's nodes apart; here there is one, and the same study runs on it.
            resources={name: lanes * amount for name, amount in needs.resources.items()},
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES + math.ceil(_SPARE * shared_bytes),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises that itself where its processes do not come up
        raise EngineError(
            f"Ray could not be started: {_in_one_line(error)}",
            hint="'--workers 0' runs the same study without Ray.",
        ) from error


def _init_remote(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():  # Ray itself would go on trying for minutes
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise EngineError(
                f"nothing answers there: {error}.",
                where=address,
                hint=_IS_IT_UP,
            ) from None
        if _OF_A_JOB not in os.environ:  # Ray itself has just started this process there
            _ask_for_its_health(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises that itself where its processes do not come up
        raise EngineError(
            f"Ray could not be reached: {_in_one_line(error)}",
            where=address,
            hint=_IS_IT_UP,
        ) from error


def _lost(how: str) -> RayLost:
    return RayLost(
        f"Ray was lost: {how}.",
        hint="Finished trials are saved; run the same command again to go on.",
    )


def _ask_for_its_health(address: str) -> None:
    """EngineError where what answers there is no Ray; in a process of its own, because it may hang."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"it takes connections, but gives no answer in {_ANSWER_SECONDS:.0f} s.",
            where=address,
            hint=_IS_IT_UP,
        ) from None
    if asked.returncode:
        last = (asked.stderr.strip() or "it is not healthy").splitlines()[-1]
        raise EngineError(
            f"Ray could not be reached: {clip(last, _MOST_CHARACTERS)}.", where=address, hint=_IS_IT_UP
        )


def _connection(workers: int | None, needs: Needs, place: str) -> Connection:
    connection = Connection(place, workers)
    connection.turn_to(needs)
    return connection


def _public_address() -> str:
    """An address of this machine that all the world can reach; empty where it has none."""
    for interface in psutil.net_if_addrs().values():
        for found in interface:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                text = found.address.partition("%")[0]
                if ipaddress.ip_address(text).is_global:
                    return text
    return ""


def _secure_token() -> None:
    """Make sure that Ray's token exists and that only its owner can read it."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return
    path = Path.home() / ".ray" / "auth_token"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)
        else:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
    except OSError:  # no home to write to: the token lives as long as this process
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return clip(text, _MOST_CHARACTERS)
