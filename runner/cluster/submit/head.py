"""Client of Ray's HTTP interface for jobs, on the head of a cluster.

Ray's own client is not used: it waits forever for an address that accepts connections and does not
answer, silently prefers an address from the environment, and sends its token only by a switch of the
whole process. The interface itself is small and documented by Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from typing import Any, Self

from runner.cluster.submit.address import (
    HOW_TO_TOKEN,
    PORT,
    check_address,
    find_token,
    is_here,
    public_address,
)
from runner.errors import EngineError, clip

ENDED = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
"""Final statuses of a job."""

# Chosen, not measured: long enough for a slow network or a busy head, short enough for a person who waits.
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_HEARTBEAT_SECONDS = 20.0  # below the idle timeouts of common proxies, 60 s in nginx
_PATIENCE = 120.0  # seconds without an answer from the head, while a log is followed
_READY_SECONDS = 60.0  # the dashboard is up before the agent that starts jobs
_PAUSE = 2.0
_MOST_CHARACTERS = 300  # of a message from the head
_NOT_READY = "No available agent"  # Ray's dashboard, until the agent of its node has reported
_NO_AGENT = (
    "Another Ray on that machine may hold the agent's port: start the head with "
    "'ray start --dashboard-agent-listen-port=0', or see dashboard_agent.log there."
)
_UP = f"Is the cluster up, the port its dashboard's ({PORT}), and a tunnel to it open?"

Job = Mapping[str, Any]
"""A job as the head describes it: ``submission_id``, ``status``, ``metadata``, ``driver_exit_code``, ..."""


class Head:
    """Connection to the head of a cluster, within an ``async with`` block.

    Parameters
    ----------
    address : str
        See `check_address`.

    Attributes
    ----------
    notes : list of str
        Warnings about the head for the user.
    """

    def __init__(self, address: str) -> None:
        self.address = check_address(address)
        self.notes: list[str] = []

    async def __aenter__(self) -> Self:
        try:
            import aiohttp
        except ImportError:
            raise EngineError(
                "the extra 'cluster' is not installed.", hint="Run: pip install 'fivefold[cluster]'."
            ) from None
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_SECONDS, connect=2 * _CONNECT_SECONDS, sock_read=_ANSWER_SECONDS
        )
        self._troubles = (aiohttp.ClientError, OSError, TimeoutError)
        self._text, self._session = aiohttp.WSMsgType.TEXT, aiohttp.ClientSession(timeout=limits)
        try:
            await self._greet()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def _greet(self) -> None:
        """Check that it is a head of a fitting version, and authenticate."""
        status, answer = await self._ask("GET", "/api/version", guarded=False)
        if status == 401:  # only now: a token must not be shown to a server that did not ask for one
            token = find_token()
            if token is None:
                raise EngineError(
                    "authentication token required, none configured.", where=self.address, hint=HOW_TO_TOKEN
                )
            self._session.headers["Authorization"] = f"Bearer {token}"
            if self.address.startswith("http://") and not is_here(self.address):
                self.notes.append(
                    "the token is sent unencrypted; over a network that is not yours, use a tunnel "
                    f"(ssh -L {PORT}:localhost:{PORT} HEAD) and http://localhost:{PORT}."
                )
        elif public := public_address(self.address):
            raise EngineError(
                f"requires no token and listens on {public}: anybody can run code on it.",
                where=self.address,
                hint="Start its Ray with RAY_AUTH_MODE=token on every node.",
            )
        else:
            self.notes.append(
                f"{self.address} requires no token: anybody who reaches it can run code on it. "
                "Start its Ray with RAY_AUTH_MODE=token on every node."
            )
        if status == 401:
            status, answer = await self._ask("GET", "/api/version")
        theirs, ours = str(answer.get("ray_version", "")) if isinstance(answer, dict) else "", version("ray")
        if not theirs:
            raise EngineError("not a Ray dashboard.", where=self.address, hint=_UP)
        if theirs.split(".")[:2] != ours.split(".")[:2]:
            raise EngineError(
                f"expected Ray {'.'.join(ours.split('.')[:2])}, got {theirs}.",
                where=self.address,
                hint="Install the same constraints on both.",
            )

    async def jobs(self) -> list[Job]:
        """List all jobs that were submitted, newest first."""
        _, found = await self._ask("GET", "/api/jobs/")
        submitted = [job for job in found if job.get("type") == "SUBMISSION"]
        return sorted(submitted, key=lambda job: job.get("start_time") or 0, reverse=True)

    async def job(self, name: str) -> Job:
        """Return a job by its submission id."""
        _, found = await self._ask("GET", f"/api/jobs/{name}")
        return dict(found)

    async def submit(
        self, name: str, entrypoint: str, metadata: Mapping[str, str], runtime_env: Mapping[str, Any]
    ) -> None:
        """Start a job; a head that has just started has a minute to become ready."""
        body = {
            "submission_id": name,
            "entrypoint": entrypoint,
            "metadata": dict(metadata),
            "runtime_env": dict(runtime_env),
        }
        give_up = time.monotonic() + _READY_SECONDS
        while True:
            try:
                await self._ask("POST", "/api/jobs/", json=body)
                return
            except EngineError as error:
                if _NOT_READY not in str(error):
                    raise
                if time.monotonic() > give_up:
                    raise EngineError(
                        f"no job accepted for {_READY_SECONDS:.0f} s: the agent on the head's node, "
                        "which starts jobs, is not running.",
                        where=self.address,
                        hint=_NO_AGENT,
                    ) from None
            await asyncio.sleep(_PAUSE)

    async def stop(self, name: str) -> None:
        """Request that a job ends; it may take the time that was set when it was started."""
        await self._ask("POST", f"/api/jobs/{name}/stop")

    async def upload(self, name: str, content: bytes) -> str:
        """Upload a package of files, unless the head has it; return its URI."""
        there, _ = await self._ask("GET", f"/api/packages/gcs/{name}", missing=True)
        if there == 404:
            await self._ask("PUT", f"/api/packages/gcs/{name}", data=content)
        return f"gcs://{name}"

    async def log_so_far(self, name: str) -> str:
        """Return the log of a job as it is now."""
        _, found = await self._ask("GET", f"/api/jobs/{name}/logs")
        return str(found["logs"])

    async def log(self, name: str) -> AsyncIterator[str]:
        """Yield the log of a job as it grows, until the job has ended; reconnect where necessary.

        Raises
        ------
        EngineError
            Where the head does not answer for two minutes.
        """
        yielded, heard = 0, time.monotonic()
        while True:
            seen, whole = 0, False
            try:
                url = f"{self.address}/api/jobs/{name}/logs/tail"
                async with self._session.ws_connect(
                    url, heartbeat=_HEARTBEAT_SECONDS, max_msg_size=0
                ) as tail:
                    async for message in tail:
                        heard = time.monotonic()
                        if message.type == self._text:
                            # Each connection starts at the beginning of the log.
                            new = message.data[max(0, yielded - seen) :]
                            seen += len(message.data)
                            yielded += len(new)
                            if new:
                                yield new
                    whole = tail.exception() is None
                if whole and (await self.job(name))["status"] in ENDED:
                    return
                heard = time.monotonic()
            except (*self._troubles, EngineError) as error:
                if time.monotonic() - heard > _PATIENCE:
                    raise EngineError(
                        f"no answer from the head for {_PATIENCE:.0f} s: {_reason(error)}.",
                        where=self.address,
                    ) from None
            await asyncio.sleep(_PAUSE)

    async def _ask(
        self, method: str, path: str, *, guarded: bool = True, missing: bool = False, **request: Any
    ) -> tuple[int, Any]:
        """Send a request; return status and answer. ``missing`` allows a 404, no ``guarded`` a 401."""
        try:
            async with self._session.request(
                method, f"{self.address}{path}", allow_redirects=False, **request
            ) as answer:
                status, text = answer.status, await answer.text(errors="replace")
                if status == 200 or (missing and status == 404) or (not guarded and status == 401):
                    with contextlib.suppress(ValueError):
                        return status, await answer.json(content_type=None)
                    return status, None
        except self._troubles as error:
            raise EngineError(
                f"no answer from the head: {_reason(error)}.", where=self.address, hint=_UP
            ) from None
        if status in (401, 403):
            raise EngineError("the token was rejected.", where=self.address, hint=HOW_TO_TOKEN)
        last = (text.strip() or f"status {status}").splitlines()[-1]
        raise EngineError(f"request failed: {clip(last, _MOST_CHARACTERS)}", where=self.address, hint=_UP)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return clip(text.rstrip("."), _MOST_CHARACTERS)
