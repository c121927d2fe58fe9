"""Writing a space as the ``param_space`` of a Ray Tune program, for Tune's own searches."""

from __future__ import annotations

from typing import Any

from ray import tune

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int
from runner.space.formats.writing import listed, refuse_forbidden


def to_ray_tune(space: Space) -> dict[str, Any]:
    """Write a ``param_space`` with the same values; names with "/" become nested dicts.

    Raises
    ------
    SpaceError
        For conditional parameters and forbidden combinations, which Tune's samplers do not support.
    """
    refuse_forbidden(space, "ray.tune")
    made: dict[str, Any] = {}
    for name, domain in space.params:
        *folders, key = name.split("/")
        inner = made
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[key] = _sampler(name, domain)
    return made


def _sampler(name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        if domain.conditional:
            raise SpaceError(
                "ray.tune's samplers do not support conditional parameters.",
                where=name,
                hint="Give the space to one of runner's searches instead.",
            )
        return tune.choice(list(domain.options))
    if isinstance(domain, Float) and domain.step is None:
        return (tune.loguniform if domain.log else tune.uniform)(domain.low, domain.high)
    if isinstance(domain, Int) and domain.step in (None, 1):
        return (tune.lograndint if domain.log else tune.randint)(domain.low, domain.high + 1)
    if isinstance(domain, Float | Int) and domain.step:
        last = domain.level((domain.levels or 1) - 1)
        if isinstance(domain, Int) and domain.low % domain.step == 0:
            return tune.qrandint(domain.low, last, domain.step)
    return tune.choice(listed(name, domain))
