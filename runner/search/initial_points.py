"""Initial points of a search, and known results from other sources."""

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
    """Extract the searched parameters of a config; SpaceError if they are not in the space."""
    return view.space.canonical(view.point(parameters, strict=False))


class InitialPoints:
    """Warm start of a search; see `runner.study.warmstart.WarmStart`.

    Parameters
    ----------
    points : sequence of mapping
        Configs to try first, complete or partial.
    evaluated : sequence of (mapping, float)
        Configs with their metric, to be added (`add`) once the metric's name is known.

    Attributes
    ----------
    known : list of Trial
        Results from other sources, in the order in which they were added.
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
        """Convert the points to configs of a space, and complete them; SpaceError names an invalid one."""
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
        """Add a result from another source, and return it as a trial."""
        trial = foreign(config, outcome, len(self.points) + len(self.known))
        self.known.append(trial)
        return trial

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON."""
        return {"points": self.points, "evaluated": self.evaluated, "known": to_json(self.known)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> InitialPoints:
        """Read what `to_json` wrote."""
        initial = cls(state["points"], state["evaluated"])
        initial.known = list(map(trial_from_json, state["known"]))
        return initial
