"""A question for a method and its reply: what of a run's thinking can travel.

A method is a function of its history, so what it is asked holds all that its answer depends on,
and it can be asked in any process (`runner.engine.worker.propose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.trial import Answer, Config, Outcome, Pending, Trial


def overdue(limit: float) -> str:
    """Why a run ends whose method has not come to an end."""
    return f"the method was still thinking after {limit:g} s (the study's trial.proposal_timeout)"


@dataclass(frozen=True, slots=True)
class Question:
    """What a method is asked: all that its answer may depend on.

    Attributes
    ----------
    number : int
        Of the trial that is to be proposed.
    completed : sequence of Trial
    pending : sequence of Pending
    entropy : int
        Seed of the run's proposals.
    given : dict or None
        The answer, where it is settled already and the method is not to be asked.
    """

    number: int
    completed: Sequence[Trial]
    pending: Sequence[Pending]
    entropy: int
    given: Config | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a method answered.

    Attributes
    ----------
    answer : dict, WAIT, DONE or None
        A config of the space; None where there is an error.
    seconds : float
        How long it thought.
    error : str
        A sentence, where the method raised or proposed outside the space.
    outcome : Outcome or None
        Of the config, where it was evaluated at once.
    """

    answer: Config | Answer | None
    seconds: float
    error: str = ""
    outcome: Outcome | None = None
