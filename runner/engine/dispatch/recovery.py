"""What the loss of a lane means for the jobs that it had: who has done it, and what is tried again.

What had ended keeps its outcome. The rest goes again, each alone, so that only who did it is blamed; but
what has outlasted its time limit is known. A job that was alone has timed out, or crashed once more.
Nobody is blamed for the loss of a whole node.
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
_MOST_NODES = 10  # after so many the trial itself may be what ends them


@dataclass(frozen=True, slots=True)
class Blame:
    """What becomes of the jobs whose outcomes were lost.

    Attributes
    ----------
    ended : (Job, Outcome) or None
        The one that has done it, if it is not tried again.
    first : sequence of Job
        To go again before others.
    alone : sequence of Job
        To go again, each without company.
    keeps : bool
        Whether outcomes that the lane has left behind count.
    """

    ended: tuple[Job, Outcome] | None = None
    first: Sequence[Job] = ()
    alone: Sequence[Job] = ()
    keeps: bool = True


def blame(
    bundle: Sequence[Job], cause: Cause, seconds: float, rescued: Rescued | None, limits: TrialSettings
) -> Blame:
    """Say what becomes of a bundle whose lane was lost.

    Parameters
    ----------
    bundle : sequence of Job
    cause : "crash", "timeout" or "node"
        As the engine sees it; what the lane has left behind (``rescued``) may know better.
    seconds : float
        Since the bundle was begun.
    rescued : Rescued or None
        The first jobs, of which it has outcomes, are not spoken of here.
    limits : TrialSettings
        The study's.
    """
    if cause == "node" and not any(job.earlier.count(_NODE_LOST) >= _MOST_NODES for job in bundle):
        return Blame(first=[again(job, _NODE_LOST) for job in bundle], keeps=False)
    jobs = bundle if rescued is None else bundle[len(rescued.outcomes) :]
    if not jobs:  # it died after the last had ended
        return Blame()
    if cause == "timeout" or (rescued is not None and rescued.cause == "timeout"):
        if rescued is not None or len(bundle) == 1:
            spent = seconds if rescued is None or rescued.seconds is None else rescued.seconds
            limit = f"{limits.timeout:g} s" if limits.timeout else "the time limit"
            late = Outcome(Status.TIMEOUT, error=f"killed after {limit}.", seconds=spent)
            return Blame((jobs[0], late), first=jobs[1:])
    elif len(bundle) == 1:
        return _crashed(jobs[0], seconds, rescued, limits)
    begun = 1 if rescued is not None else len(jobs)  # of these nobody knows which did it
    return Blame(alone=[*(again(job, _DIED) for job in jobs[:begun]), *jobs[begun:]])


def _crashed(job: Job, seconds: float, rescued: Rescued | None, limits: TrialSettings) -> Blame:
    crashes = job.crashes + 1
    memory = rescued is not None and rescued.cause == "memory"
    # More memory is not to be had the second time; but the lane may have been full before.
    retries = min(limits.retries, 1) if memory else limits.retries
    told = rescued.detail if rescued is not None else ""
    if crashes <= retries:
        return Blame(alone=[dataclasses.replace(again(job, told or _DIED), crashes=crashes)])
    text = told or f"the worker process died {times(crashes)} during this trial."
    return Blame((job, Outcome(Status.CRASHED, error=text, seconds=seconds)))


def again(job: Job, what: str) -> Job:
    """The job on its next attempt, after what became of this one."""
    return dataclasses.replace(job, earlier=(*job.earlier, what))


def ended_everything(losses: int) -> str:
    """A message about a trial during which Ray or this program ended that often."""
    return f"Ray or this program ended {times(losses)} during this trial."


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"
