"""What a search starts from: points to try first, results from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import SpaceError
from runner.search.state import to_json
from runner.seeds import rng_for
from runner.space.formats import View
from runner.study.warmstart import completed, foreign
from runner.trial import Config, Outcome, Trial, trial_from_json


def searched(view: View, parameters: Mapping[str, Any]) -> Config:
    """The part of a config that is searched; SpaceError where it is none of the space."""
    return view.space.canonical(view.point(parameters, strict=False))


class Front:
    """What is given to a search beside its space; see `runner.study.warmstart.WarmStart`.

    Parameters
    ----------
    points : sequence of mapping
        Configs to try first, whole or in part.
    evaluated : sequence of (mapping, float)
        Configs with their metric, which are to be entered (`add`) when the metric is known.

    Attributes
    ----------
    points : list of dict
    evaluated : list of (dict, float)
    known : list of Trial
        Results from elsewhere, in the order in which they became known.
    """

    def __init__(
        self,
        points: Sequence[Mapping[str, Any]],
        evaluated: Sequence[tuple[Mapping[str, Any], float]] = (),
    ) -> None:
        for i, point in enumerate(points):
            if not isinstance(point, Mapping):
                raise SpaceError(f"expected a dict, got {point!r}.", where=f"points_to_evaluate[{i}]")
        self.points: list[dict[str, Any]] = [dict(point) for point in points]
        self.evaluated = [(dict(config), value) for config, value in evaluated]
        self.known: list[Trial] = []

    def fit(self, view: View, seed: int) -> None:
        """Read the points as configs of a space, and complete them; SpaceError names what is none."""
        for i, point in enumerate(self.points):
            try:
                self.points[i] = completed(view.space, view.point(point), rng_for(seed, "point", i))
            except SpaceError as error:
                raise error.at(f"points_to_evaluate[{i}]") from None
        for i, (config, value) in enumerate(self.evaluated):
            try:
                self.evaluated[i] = searched(view, config), value
            except SpaceError as error:
                raise error.at(f"evaluated[{i}]") from None

    def add(self, config: Config, outcome: Outcome) -> Trial:
        """Enter a result from elsewhere; the trial that it becomes."""
        trial = foreign(config, outcome, len(self.points) + len(self.known))
        self.known.append(trial)
        return trial

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {"points": self.points, "evaluated": self.evaluated, "known": to_json(self.known)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Front:
        """What `to_json` wrote."""
        front = cls(given["points"], given["evaluated"])
        front.known = list(map(trial_from_json, given["known"]))
        return front
