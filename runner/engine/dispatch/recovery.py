"""Recovery from the loss of a worker: which trial was the cause, and which jobs are tried again.

Outcomes of finished jobs are kept. The other jobs are sent again, each alone, so that a further loss can be
attributed to one job; a job that has exceeded its time limit is known at once. A job that was alone has timed
out, or crashed once more. The loss of a whole node is attributed to no job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runner.engine.messages import Job, Rescued
from runner.study.file import TrialSettings
from runner.trial import Outcome, Status

Cause = Literal["crash", "timeout", "node"]

_DIED = "the worker process died."
_NODE_LOST = "its node was lost."
_MOST_NODES = 10  # so many spot nodes may go by chance; after that the trial itself may be the cause


@dataclass(frozen=True, slots=True)
class Recovery:
    """Decision about the jobs whose outcomes were lost.

    Attributes
    ----------
    ended : (Job, Outcome) or None
        The job that was the cause, if it is not tried again.
    first : sequence of Job
        Jobs to send again before others.
    alone : sequence of Job
        Jobs to send again, each in a batch of its own.
    use_rescued : bool
        Outcomes that the worker has left behind count.
    """

    ended: tuple[Job, Outcome] | None = None
    first: Sequence[Job] = ()
    alone: Sequence[Job] = ()
    use_rescued: bool = True


def attribute(
    batch: Sequence[Job], cause: Cause, seconds: float, rescued: Rescued | None, limits: TrialSettings
) -> Recovery:
    """Attribute the loss of a worker to one of its jobs, and decide which jobs are tried again.

    Parameters
    ----------
    cause : "crash", "timeout" or "node"
        As the engine sees it; the files of the worker (``rescued``) may know better.
    seconds : float
        Time since the start of the batch.
    rescued : Rescued or None
        Outcomes of the first jobs, which need no decision.
    """
    if cause == "node" and not any(job.earlier.count(_NODE_LOST) >= _MOST_NODES for job in batch):
        return Recovery(first=[retried(job, _NODE_LOST) for job in batch], use_rescued=False)
    jobs = batch if rescued is None else batch[len(rescued.outcomes) :]
    if not jobs:  # the worker died after the last job had ended
        return Recovery()
    if cause == "timeout" or (rescued is not None and rescued.cause == "timeout"):
        if rescued is not None or len(batch) == 1:
            spent = seconds if rescued is None or rescued.seconds is None else rescued.seconds
            limit = f"{limits.timeout:g} s" if limits.timeout else "the time limit"
            late = Outcome(Status.TIMEOUT, error=f"killed after {limit}.", seconds=spent)
            return Recovery((jobs[0], late), first=jobs[1:])
    elif len(batch) == 1:
        return _crashed(jobs[0], seconds, rescued, limits)
    begun = 1 if rescued is not None else len(jobs)  # any of these may be the cause
    return Recovery(alone=[*(retried(job, _DIED) for job in jobs[:begun]), *jobs[begun:]])


def _crashed(job: Job, seconds: float, rescued: Rescued | None, limits: TrialSettings) -> Recovery:
    crashes = job.crashes + 1
    memory = rescued is not None and rescued.cause == "memory"
    # A second try has no more memory; one is made because the worker may have been full before.
    retries = min(limits.retries, 1) if memory else limits.retries
    detail = rescued.detail if rescued is not None else ""
    if crashes <= retries:
        return Recovery(alone=[dataclasses.replace(retried(job, detail or _DIED), crashes=crashes)])
    message = detail or f"the worker process died {times(crashes)} during this trial."
    return Recovery((job, Outcome(Status.CRASHED, error=message, seconds=seconds)))


def retried(job: Job, ending: str) -> Job:
    """Copy a job for its next attempt, with the ending of this one."""
    return dataclasses.replace(job, earlier=(*job.earlier, ending))


def ended_everything(losses: int) -> str:
    """Message about a trial during which Ray or this program ended that often."""
    return f"Ray or this program ended {times(losses)} during this trial."


def times(count: int) -> str:
    """Write a number of times in words."""
    return "once" if count == 1 else f"{count} times"
