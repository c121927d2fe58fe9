"""Trials of a search that its method has not proposed: points to try first, results from elsewhere.

To the method they are foreign results, with numbers below 0 (see `runner.asktell.Run`), so that its
own proposals are counted from 0 as ever: a grid or an exhaustive search loses none of its configs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.convert.raytune import flat_config
from runner.errors import SpaceError
from runner.search.state import pending_of, to_json, trials_of
from runner.seeds import rng_for
from runner.space import Space
from runner.trial import Config, Outcome, Pending, Trial

_TRIES = 1_000


def completed(space: Space, point: Mapping[str, Any], rng: np.random.Generator) -> Config:
    """A config that has the parameters of a point; what the point lacks is drawn.

    A parameter of a branch brings the branch with it.

    Raises
    ------
    SpaceError
        Where no config has all of them; names the parameter, if it is one.
    """
    columns = [column for column, (name, _) in enumerate(space.dimensions) if name in point]
    given = np.full(space.d, np.nan)
    for column in columns:
        name, domain = space.dimensions[column]
        with contextlib.suppress(SpaceError):  # it may be a value of a sibling's domain
            given[column] = domain.encode(domain.canonical(point[name]))
    config: dict[str, Any] = {}
    for _ in range(_TRIES):
        row = rng.random(space.d)
        config = {**space.decode(np.where(np.isnan(given), row, given)), **point}
        if config in space:
            break
    return space.canonical(config)


def searched(space: Space, parameters: Mapping[str, Any]) -> Config:
    """The part of a config that is searched; SpaceError where it is none of the space."""
    flat = flat_config(space, parameters)
    return space.canonical({name: flat[name] for name in flat if name in space.names})


class Front:
    """The trials with numbers below 0.

    Parameters
    ----------
    points : sequence of mapping
        Configs to try first, whole or in part; the i-th gets the number -1 - i.
    evaluated : sequence of (mapping, float)
        Configs with their metric, which are to be entered (`add`) when the metric is known.

    Attributes
    ----------
    points : list of dict
    evaluated : list of (dict, float)
    out : dict of int to Pending
        Points on their way, by number.
    ended : list of Trial
        Points and results from elsewhere, in the order in which they became known.
    """

    def __init__(
        self,
        points: Sequence[Mapping[str, Any]],
        evaluated: Sequence[tuple[Mapping[str, Any], float]] = (),
    ) -> None:
        self.points: list[dict[str, Any]] = [dict(point) for point in points]
        self.evaluated = [(dict(config), value) for config, value in evaluated]
        self.out: dict[int, Pending] = {}
        self.ended: list[Trial] = []
        self._begun = 0

    def fit(self, space: Space, seed: int) -> None:
        """Read the points as configs of a space, and complete them; SpaceError names what is none."""
        for i, point in enumerate(self.points):
            try:
                self.points[i] = completed(space, flat_config(space, point), rng_for(seed, "point", i))
            except SpaceError as error:
                raise error.at(f"points_to_evaluate[{i}]") from None
        for i, (config, _) in enumerate(self.evaluated):
            try:
                searched(space, config)
            except SpaceError as error:
                raise error.at(f"evaluated[{i}]") from None

    def next(self) -> Pending | None:
        """The next point, from now on on its way; None after the last."""
        if self._begun == len(self.points):
            return None
        self._begun += 1
        pending = self.out[-self._begun] = Pending(-self._begun, self.points[self._begun - 1])
        return pending

    def tell(self, trial: Trial) -> None:
        """Enter a point that has ended."""
        del self.out[trial.number]
        self.ended.append(trial)

    def add(self, config: Config, outcome: Outcome) -> Trial:
        """Enter a result from elsewhere; the trial that it becomes."""
        number = min([-len(self.points), *(trial.number for trial in self.ended)]) - 1
        trial = Trial(number, config, outcome)
        self.ended.append(trial)
        return trial

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {
            "points": self.points,
            "evaluated": self.evaluated,
            "begun": self._begun,
            "out": to_json(self.out.values()),
            "ended": to_json(self.ended),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Front:
        """What `to_json` wrote."""
        front = cls(given["points"], given["evaluated"])
        front._begun = given["begun"]
        front.out = pending_of(given["out"])
        front.ended = trials_of(given["ended"])
        return front
