"""The error of a study that has no valid trial, and so no best config."""

from __future__ import annotations

from runner._text import counted
from runner.errors import NoValidTrial
from runner.results.frames import FAILURES
from runner.results.results import Results
from runner.trial import Status


def nothing_found(results: Results) -> NoValidTrial:
    """Make the error for results without a valid trial, with the number of trials and the first failure."""
    trials = results.trials
    if not len(trials):
        reason = next(filter(None, results.runs["end_reason"]), "the run has not started")
        return NoValidTrial(f"there was no trial: {reason}.", trials=trials)
    failed = trials[trials["status"].isin(FAILURES)]
    if not len(failed):
        return NoValidTrial(
            f"none of {counted(len(trials), 'trial')} completed: each was {Status.STOPPED.meaning}.",
            hint="Let the scheduler give more steps (grace), or leave it out.",
            trials=trials,
        )
    first = failed.iloc[0]
    none = "the only trial was not valid" if len(trials) == 1 else f"none of {len(trials)} trials was valid"
    return NoValidTrial(
        f"{none}. Trial {first['number']}"
        f" ({first['status']}), with {first['config']}: {first['error'] or Status(first['status']).meaning}",
        trials=trials,
    )
