"""Connecting to Ray: a new local cluster, one that runs already, or the Ray of this process.

A local cluster has as many logical CPUs as the workers need, a small object store (which carries problems and
data to each worker once, and nothing else), no dashboard, and token authentication: Ray's ports listen on
every interface, so that without a token anybody on the network could run code here. The token's file is made
readable for its owner only, which Ray itself does not do.
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

from runner.engine.ray.internals import dead_processes, starts_cluster
from runner.errors import EngineError, RayLost, clip
from runner.study.resources import Needs, NodeResources, available_cpus

_OBJECT_STORE_BYTES = 256 * 1024**2  # pickles of problems and methods, beside the shared arrays
_SPARE = 1.1  # the object store is larger than the shared arrays, because it fragments
_REACH_SECONDS = 4.0  # enough for a connection across continents; a user waits for it
_ANSWER_SECONDS = 7.0  # of which the import of Ray in another process takes about two
_IS_IT_UP = "Is the cluster up, the port its GCS's, and RAY_AUTH_MODE and RAY_AUTH_TOKEN as on its head node?"
_MOST_CHARACTERS = 300  # of a message by Ray
_MOST_FAILURES = 3  # consecutive ones to reach a cluster, because a busy head may miss one
_OF_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # in the environment of a job's driver
_VITAL = {"gcs_server", "raylet"}
# Defaults, which the caller's environment overrides.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_process_group_cleanup_enabled": "1",  # processes that a worker has started die with it
    "RAY_ROTATION_MAX_BYTES": str(16 * 1024**2),  # of the output of trials, which nobody reads
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
        Its name for the user.
    most_workers : int or None
        Largest number of workers; None for as many as there is room for.
    needs : Needs
        Resources of one trial.

    Attributes
    ----------
    nodes : list of mapping
        Resources of each live node, as of the last `look`.
    """

    place: str
    most_workers: int | None = None
    needs: Needs = dataclasses.field(default_factory=Needs)
    nodes: list[NodeResources] = dataclasses.field(default_factory=list)
    _failures: int = 0

    def look(self) -> None:
        """Update the list of nodes; a cluster may grow and shrink."""
        self.nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]

    @property
    def room(self) -> int:
        """Number of trials that could be evaluated at once."""
        return self.needs.room(self.nodes)

    @property
    def ours(self) -> bool:
        """True if this process has started it; nodes are then neither added nor lost."""
        return starts_cluster()

    def turn_to(self, needs: Needs) -> None:
        """Change the resources of a trial.

        Raises
        ------
        EngineError
            If there is no room for one trial, and no node can be added.
        """
        self.needs = needs
        self.look()
        if self.room < 1 and self.ours:
            raise self.too_small(self.nodes)

    def too_small(self, nodes: Sequence[NodeResources]) -> EngineError:
        """Make the error for a trial that fits none of these nodes."""
        return EngineError(
            self.needs.shortfall(nodes, self.place),
            where="trial",
            hint="Request less in the study's 'trial', or use larger nodes.",
        )

    def check(self) -> None:
        """Raise RayLost if Ray has died; other calls to it would then block for a minute."""
        if self.ours:
            dead = sorted(dead_processes() & _VITAL)
            if dead:
                raise _lost(f"its {dead[0]} on {self.place} has died")
            return
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
        except OSError as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise _lost(f"no answer from {host}:{port}: {error}") from None
        else:
            self._failures = 0

    @property
    def workers(self) -> int:
        """Number of workers that there is room for."""
        return max(1, min(self.most_workers, self.room) if self.most_workers else self.room)

    @property
    def where(self) -> str:
        """Number of workers and place, for the user."""
        return f"{self.workers} {'worker' if self.workers == 1 else 'workers'} on {self.place}"


@contextlib.contextmanager
def connect(
    workers: int | None = None,
    address: str | None = None,
    needs: Needs | None = None,
    shared_bytes: int = 0,
) -> Iterator[Connection]:
    """Connect to Ray for the duration of a ``with`` block.

    Parameters
    ----------
    workers : int, optional
        Largest number of workers. Default: as many as there are CPUs for.
    address : str, optional
        ``host:port`` or ``auto`` of a running cluster. Default: the Ray of this process if it is
        initialised, else the cluster in the environment variable RAY_ADDRESS, else a new local
        cluster, which is shut down at the end.
    needs : Needs, optional
        Resources of one trial. Default: a CPU.
    shared_bytes : int
        Size of the arrays that the workers of a node share in its object store.

    Raises
    ------
    EngineError
        If Ray cannot be reached or started, or a Ray that was started here has no room for one trial.
    """
    if address is not None and address.startswith("ray://"):
        raise EngineError(
            "expected host:port or auto, got a Ray Client address, which does not support Tune.",
            where=address,
            hint="Run the command on a node of the cluster with '--address auto'.",
        )
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise EngineError(
            "another study is already running on Ray in this process.",
            hint="Run the studies one after the other, or as one study with the problems of both.",
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
                "this process is already connected to Ray.", where="address", hint="Leave it out."
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
    """Set environment variables for the duration of a ``with`` block."""
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
    workers = workers or max(1, math.floor(available_cpus() / needs.cpus))
    if os.environ.get("RAY_AUTH_MODE", "token") == "token":  # Ray's default
        _secure_token()
    elif public := _public_address():
        raise EngineError(
            f"Ray would listen on {public} without a token, so anybody could run code here.",
            where="RAY_AUTH_MODE",
            hint="Unset it, or set it to 'token'; '--workers 0' runs the same study without Ray.",
        )
    try:
        ray.init(
            address="local",
            num_cpus=max(1, math.ceil(workers * needs.cpus)),
            # Custom resources tell a cluster's nodes apart; the same study runs on the only node here.
            resources={name: workers * amount for name, amount in needs.resources.items()},
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES + math.ceil(_SPARE * shared_bytes),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises plain exceptions if its processes do not start
        raise EngineError(
            f"Ray could not be started: {_in_one_line(error)}",
            hint="'--workers 0' runs the same study without Ray.",
        ) from error


def _init_remote(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():  # Ray itself would try for minutes
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise EngineError(
                f"no answer from this address: {error}.",
                where=address,
                hint=_IS_IT_UP,
            ) from None
        if _OF_A_JOB not in os.environ:  # else Ray itself has just started this process there
            _check_health(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises plain exceptions if its processes do not start
        raise EngineError(
            f"Ray could not be reached: {_in_one_line(error)}",
            where=address,
            hint=_IS_IT_UP,
        ) from error


def _lost(how: str) -> RayLost:
    return RayLost(
        f"Ray was lost: {how}.",
        hint="Finished trials are saved; run the same command again to resume.",
    )


def _check_health(address: str) -> None:
    """Raise EngineError if no Ray answers there; asks from another process, because Ray may hang."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        check = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"the port accepts connections, but does not answer within {_ANSWER_SECONDS:.0f} s.",
            where=address,
            hint=_IS_IT_UP,
        ) from None
    if check.returncode:
        last = (check.stderr.strip() or "the cluster is not healthy").splitlines()[-1]
        raise EngineError(
            f"Ray could not be reached: {clip(last, _MOST_CHARACTERS)}.", where=address, hint=_IS_IT_UP
        )


def _connection(workers: int | None, needs: Needs, place: str) -> Connection:
    connection = Connection(place, workers)
    connection.turn_to(needs)
    return connection


def _public_address() -> str:
    """Find an address of this machine that is public on the internet; empty if there is none."""
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                address = entry.address.partition("%")[0]
                if ipaddress.ip_address(address).is_global:
                    return address
    return ""


def _secure_token() -> None:
    """Make sure that Ray's token exists, readable for its owner only."""
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
