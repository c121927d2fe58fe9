"""Start, follow, query and stop a study that runs as a job of a cluster."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import shlex
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.cluster.submit.head import ENDED, Head, Job
from runner.cluster.submit.package import Package
from runner.errors import EngineError
from runner.study.study import Study, default_folder

HOME = "${FIVEFOLD_HOME:-$HOME/fivefold}"
"""Folder of study directories on a head, as its shell reads it."""

_STOP_SECONDS = 30  # a driver takes up to ten to stop; Ray's own limit of three is too short
_PAUSE = 0.5  # seconds between questions whether a job has ended
_RAYS_OWN = re.compile(r"Running entrypoint for job |\d{4}-\d\d-\d\d [\d:,]+\s+INFO job_manager\.py")
LAST_LINES = 3
"""Lines of a log that are shown where a job has failed, or with its status."""


@dataclass(frozen=True)
class Order:
    """Parameters of a job that runs a study.

    Parameters
    ----------
    options : tuple of str
        Of ``fivefold run``, such as ``("--workers", "8")``.
    out : str, optional
        The study directory on the head. Default: named after the study, under $FIVEFOLD_HOME.
    """

    study: Study
    package: Package
    options: tuple[str, ...] = ()
    out: str | None = None

    @property
    def entrypoint(self) -> str:
        """Command for the head's shell."""
        folders = "".join(f'"$PWD"/{shlex.quote(folder)}:' for folder in self.package.folders)
        path = f'export PYTHONPATH={folders}"$PYTHONPATH"; ' if folders else ""
        words = ["exec", "fivefold", "run", self.package.study, *self.options]
        return f"{path}{shlex.join(words)} --out {folder_on_head(self.study, self.out)}"

    @property
    def digest(self) -> str:
        """Checksum of package and command."""
        return hashlib.sha256(f"{self.package.name}\0{self.entrypoint}".encode()).hexdigest()[:32]


def folder_on_head(study: Study, out: str | None) -> str:
    """Return the study directory on the head, as its shell reads it."""
    return shlex.quote(out) if out else f'"{HOME}/{default_folder(study).name}"'


async def submit(head: Head, order: Order) -> tuple[str, bool]:
    """Start a study as a job, or find it running.

    Returns
    -------
    (str, bool)
        The job's name, and True where it was started now.

    Raises
    ------
    EngineError
        Where a job of the same name runs with another study file or other options.
    """
    last = await _last(head, order.study)
    if last is not None and last["status"] not in ENDED:
        if last["metadata"].get("digest") != order.digest:
            raise EngineError(
                f"'{order.study.name}' is already running from other files or with other options.",
                where=head.address,
                hint="Stop it first (--stop), or give the study another 'name'.",
            )
        return str(last["submission_id"]), False
    name = f"fivefold-{default_folder(order.study).name}-{secrets.token_hex(4)}"
    environment: dict[str, Any] = {
        "working_dir": await head.upload(order.package.name, order.package.content),
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_SECONDS)},
    }
    metadata = {"fivefold": "run", "study": order.study.name, "digest": order.digest}
    await head.submit(name, order.entrypoint, metadata, environment)
    return name, True


async def follow(head: Head, job: str) -> AsyncIterator[str]:
    """Yield the lines of a job's log as they arrive, without Ray's own."""
    left = ""
    async for text in head.log(job):
        *lines, left = (left + text).split("\n")
        for line in lines:
            if not _RAYS_OWN.match(line):
                yield line
    if left:
        yield left


async def exit_code(head: Head, job: str) -> int:
    """Return the exit code of the command on the head; EngineError where it never started."""
    state = await head.job(job)
    if state["status"] == "STOPPED":
        return 130
    code = state.get("driver_exit_code")
    if state["status"] == "SUCCEEDED":
        return 0
    if code == 127:
        raise EngineError(
            "fivefold is not installed on the head.", where=head.address, hint="Install it on every node."
        )
    if code is None or not 0 < code < 256:
        message = "; ".join(str(state.get("message") or "no reason given").strip().splitlines()[-LAST_LINES:])
        raise EngineError(f"the job failed: {message}", where=head.address)
    return int(code)


async def status(head: Head, study: Study) -> list[str]:
    """Describe a study on a cluster, as lines for the user."""
    job = await _there(head, study)
    began, ended = job.get("start_time"), job.get("end_time")
    lines = [f"{study.name}: {job['status'].lower()} as {job['submission_id']} on {head.address}"]
    if began:
        lines.append(f"started {_when(began)}" + (f", ended {_when(ended)}" if ended else ""))
    log = (await head.log_so_far(str(job["submission_id"]))).splitlines()
    return lines + [line for line in log if line.strip() and not _RAYS_OWN.match(line)][-LAST_LINES:]


async def stop(head: Head, study: Study) -> str:
    """Stop a study so that it can be resumed, and wait until it has ended; return a message for the user.

    Raises
    ------
    EngineError
        Where the study is unknown, or does not end.
    """
    job = await _there(head, study)
    if job["status"] in ENDED:
        return f"{study.name}: already ended ({job['status'].lower()})."
    name = str(job["submission_id"])
    await head.stop(name)
    give_up = time.monotonic() + 2 * _STOP_SECONDS
    while (await head.job(name))["status"] not in ENDED:
        if time.monotonic() > give_up:
            raise EngineError("still running.", where=name, hint="Check again with --status.")
        await asyncio.sleep(_PAUSE)
    return f"{study.name}: stopped; finished trials are saved on the head. Submit it again to resume."


async def _last(head: Head, study: Study) -> Job | None:
    for job in await head.jobs():
        metadata = job.get("metadata") or {}
        if metadata.get("fivefold") == "run" and metadata.get("study") == study.name:
            return job
    return None


async def _there(head: Head, study: Study) -> Job:
    job = await _last(head, study)
    if job is None:
        raise EngineError(
            f"no job of the study '{study.name}'.",
            where=head.address,
            hint="A restarted head forgets its jobs; the study directory may still be there.",
        )
    return job


def _when(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
