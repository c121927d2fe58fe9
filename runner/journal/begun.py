"""Trials that were begun and have not ended, and the suspects after a loss of all of them at once.

A trial can take more with it than its worker: the whole of Ray, this process, the machine. So the journal
records which trials a batch begins before the batch is sent (`Journal.begin`), and drops the record with
the rows of their outcomes. What is still on record when Ray is lost, or when the directory is opened again,
was being evaluated at that moment, and one of these trials may be the cause.

A trial counts as the cause only once it was the only one being evaluated, and after more losses than the
study's ``trial.retries``. Losses that this program did not witness, because the whole command was gone (a
power cut, ``kill -9``), count only where the trial was alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Key = tuple[str, int]
"""A trial: the id of its run, and its number there."""

BEGUN: Final = "begun/"
"""Prefix of the keys of ``meta`` that hold the trials of a batch; the batch's number follows."""
SUSPECTS: Final = "suspects"
"""The key of ``meta`` that holds the suspects."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A trial that was being evaluated when everything ended.

    Attributes
    ----------
    losses : int
        Number of times that this has happened.
    counted : int
        Number of these losses that count against it: those that this program witnessed, and those at
        which no other trial was being evaluated.
    alone : bool
        No other trial was being evaluated the last time.
    """

    losses: int = 0
    counted: int = 0
    alone: bool = False

    def is_cause(self, retries: int) -> bool:
        """True where it is held to be the cause, after that many retries."""
        return self.alone and self.counted > retries


def after_loss(
    suspects: Mapping[Key, Suspect], begun: Collection[Key], witnessed: bool
) -> dict[Key, Suspect]:
    """Update the suspects after all trials that had been begun were lost at once.

    Parameters
    ----------
    suspects : mapping
        Those from earlier losses that have not ended since.
    begun : collection of Key
        Trials that were being evaluated.
    witnessed : bool
        False where the command itself was gone.
    """
    alone = len(begun) == 1
    found = dict(suspects)
    for key in begun:
        before = found.get(key, Suspect())
        found[key] = Suspect(before.losses + 1, before.counted + (witnessed or alone), alone)
    return found


def begun_value(keys: Iterable[Key]) -> dict[str, list[int]]:
    """Encode trials for a key of ``meta``."""
    value: dict[str, list[int]] = {}
    for run, number in keys:
        value.setdefault(run, []).append(number)
    return value


def begun_keys(facts: Mapping[str, Any]) -> list[Key]:
    """List the trials that ``meta`` names as begun."""
    return [
        (run, number)
        for key, value in facts.items()
        if key.startswith(BEGUN)
        for run, numbers in value.items()
        for number in numbers
    ]


def suspects_value(suspects: Mapping[Key, Suspect]) -> list[list[Any]]:
    """Encode suspects for a key of ``meta``."""
    return [[*key, one.losses, one.counted, one.alone] for key, one in suspects.items()]


def suspects_of(facts: Mapping[str, Any]) -> dict[Key, Suspect]:
    """Decode the suspects that ``meta`` names."""
    return {(run, number): Suspect(*rest) for run, number, *rest in facts.get(SUSPECTS, ())}
