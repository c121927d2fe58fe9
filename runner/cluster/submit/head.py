"""The head of a cluster as seen from outside: Ray's HTTP interface for jobs.

Ray's own client for it is not used: it waits for ever where an address takes connections and does
not answer, it takes another address from the environment in silence, and it sends its token only by
a switch of the whole process. The interface itself is documented by Ray, and small.
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
"""The statuses of a job that will not change any more."""

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_HEARTBEAT_SECONDS = 20.0
_MOST_CHARACTERS = 300
_PATIENCE = 120.0  # seconds without a word from the head, while a log is followed
_PAUSE = 2.0
_NOT_READY = "No available agent"  # as Ray's dashboard says it until its node's agent has reported
_READY_SECONDS = 60.0
_NO_AGENT = (
    "Another Ray on that machine may hold the agent's port: start the head with "
    "'ray start --dashboard-agent-listen-port=0', or see dashboard_agent.log there."
)
_UP = f"Is the cluster up, the port its dashboard's ({PORT}), and a tunnel to it open?"

Job = Mapping[str, Any]
"""What the head says of a job: ``submission_id``, ``status``, ``metadata``, ``driver_exit_code``, ..."""


class Head:
    """The head of a cluster, for as long as an ``async with`` block lasts.

    Parameters
    ----------
    address : str
        See `check_address`.

    Attributes
    ----------
    address : str
    notes : list of str
        What the user must be told of the head.
    """

    def __init__(self, address: str) -> None:
        self.address = check_address(address)
        self.notes: list[str] = []

    async def __aenter__(self) -> Self:
        try:
            import aiohttp
        except ImportError:
            raise EngineError(
                "submitting needs the extra 'cluster'.", hint="Install it: pip install 'fivefold[cluster]'."
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
        """Find out whether it is a head, of which version, and whether it wants a token."""
        status, said = await self._ask("GET", "/api/version", guarded=False)
        if status == 401:  # the token is shown to nobody who has not asked for one
            token = find_token()
            if token is None:
                raise EngineError(
                    "it wants a token, and there is none here.", where=self.address, hint=HOW_TO_TOKEN
                )
            self._session.headers["Authorization"] = f"Bearer {token}"
            if self.address.startswith("http://") and not is_here(self.address):
                self.notes.append(
                    "the token goes over the network as it is; over a foreign one, use a tunnel "
                    f"(ssh -L {PORT}:localhost:{PORT} HEAD) and http://localhost:{PORT}."
                )
        elif public := public_address(self.address):
            raise EngineError(
                f"it wants no token and listens on {public}, where anybody can run code on it.",
                where=self.address,
                hint="Start its Ray with RAY_AUTH_MODE=token on every node.",
            )
        else:
            self.notes.append(
                f"{self.address} wants no token: whoever reaches it can run code there. "
                "Start its Ray with RAY_AUTH_MODE=token on every node."
            )
        if status == 401:
            status, said = await self._ask("GET", "/api/version")
        theirs, ours = str(said.get("ray_version", "")) if isinstance(said, dict) else "", version("ray")
        if not theirs:
            raise EngineError("what answers there is no head of Ray.", where=self.address, hint=_UP)
        if theirs.split(".")[:2] != ours.split(".")[:2]:
            raise EngineError(
                f"it has Ray {theirs}; this fivefold is made for {'.'.join(ours.split('.')[:2])}.",
                where=self.address,
                hint="Install the same constraints on both.",
            )

    async def jobs(self) -> list[Job]:
        """All jobs that were submitted, the newest first."""
        _, found = await self._ask("GET", "/api/jobs/")
        submitted = [job for job in found if job.get("type") == "SUBMISSION"]
        return sorted(submitted, key=lambda job: job.get("start_time") or 0, reverse=True)

    async def job(self, name: str) -> Job:
        """One job by its submission id."""
        _, found = await self._ask("GET", f"/api/jobs/{name}")
        return dict(found)

    async def submit(
        self, name: str, entrypoint: str, metadata: Mapping[str, str], runtime_env: Mapping[str, Any]
    ) -> None:
        """Start a job; a head that has just come up is given a minute to be ready for one."""
        wanted = {
            "submission_id": name,
            "entrypoint": entrypoint,
            "metadata": dict(metadata),
            "runtime_env": dict(runtime_env),
        }
        give_up = time.monotonic() + _READY_SECONDS
        while True:
            try:
                await self._ask("POST", "/api/jobs/", json=wanted)
                return
            except EngineError as error:
                if _NOT_READY not in str(error):
                    raise
                if time.monotonic() > give_up:
                    raise EngineError(
                        f"the head has taken no job for {_READY_SECONDS:.0f} s: the agent of its node, "
                        "which starts them, is not up.",
                        where=self.address,
                        hint=_NO_AGENT,
                    ) from None
            await asyncio.sleep(_PAUSE)

    async def stop(self, name: str) -> None:
        """Ask a job to end; it may take as long as it was told when it was started."""
        await self._ask("POST", f"/api/jobs/{name}/stop")

    async def upload(self, name: str, content: bytes) -> str:
        """Bring a package of files to the head, where it is not there already; its URI."""
        there, _ = await self._ask("GET", f"/api/packages/gcs/{name}", missing=True)
        if there == 404:
            await self._ask("PUT", f"/api/packages/gcs/{name}", data=content)
        return f"gcs://{name}"

    async def log_so_far(self, name: str) -> str:
        """What a job has written until now."""
        _, found = await self._ask("GET", f"/api/jobs/{name}/logs")
        return str(found["logs"])

    async def log(self, name: str) -> AsyncIterator[str]:
        """The log of a job as it grows, until the job has ended; a lost connection is taken up again.

        Raises
        ------
        EngineError
            Where the head is silent for two minutes.
        """
        given, heard = 0, time.monotonic()
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
                            # It begins anew with each connection; what was given is not given again.
                            new = message.data[max(0, given - seen) :]
                            seen += len(message.data)
                            given += len(new)
                            if new:
                                yield new
                    whole = tail.exception() is None
                if whole and (await self.job(name))["status"] in ENDED:
                    return
                heard = time.monotonic()
            except (*self._troubles, EngineError) as error:
                if time.monotonic() - heard > _PATIENCE:
                    raise EngineError(
                        f"the head has not answered for {_PATIENCE:.0f} s: {_said(error)}.",
                        where=self.address,
                    ) from None
            await asyncio.sleep(_PAUSE)

    async def _ask(
        self, method: str, path: str, *, guarded: bool = True, missing: bool = False, **given: Any
    ) -> tuple[int, Any]:
        """The head's answer and its status; EngineError where it is none that was hoped for."""
        try:
            async with self._session.request(
                method, f"{self.address}{path}", allow_redirects=False, **given
            ) as answer:
                status, text = answer.status, await answer.text(errors="replace")
                if status == 200 or (missing and status == 404) or (not guarded and status == 401):
                    with contextlib.suppress(ValueError):
                        return status, await answer.json(content_type=None)
                    return status, None
        except self._troubles as error:
            raise EngineError(
                f"the head does not answer: {_said(error)}.", where=self.address, hint=_UP
            ) from None
        if status in (401, 403):
            raise EngineError("it does not take this token.", where=self.address, hint=HOW_TO_TOKEN)
        last = (text.strip() or f"status {status}").splitlines()[-1]
        raise EngineError(f"the head said: {clip(last, _MOST_CHARACTERS)}", where=self.address, hint=_UP)


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return clip(text.rstrip("."), _MOST_CHARACTERS)
