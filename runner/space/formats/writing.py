"""Writing spaces in the formats of scikit-learn and hyperopt.

For ray.tune see `runner.search.to_ray_tune`, which needs Ray. Errors name a parameter that the other
format cannot express with the same values and the same distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int, Params

_MAX_LISTED = 1000  # values of one parameter; a longer list is unreadable in a script. Chosen by hand.


def to_sklearn(space: Space) -> dict[str, Any] | list[dict[str, Any]]:
    """Write ``param_distributions``, which is also a ``param_grid`` if all values are listed.

    Conditions and forbidden combinations become a list of dicts, of which `RandomizedSearchCV` draws
    each with equal probability.

    Raises
    ------
    SpaceError
        For logarithmic integers and very long lists of values.
    """
    made = [
        {name: _frozen(name, domain, levels) for name, domain, levels in branch.factors}
        for branch in space.branches
    ]
    return made[0] if len(made) == 1 else made


def _frozen(name: str, domain: Domain, levels: Sequence[int] | None) -> Any:
    if levels is None:
        if not isinstance(domain, Float):
            raise SpaceError(f"a {type(domain).__name__} has no equivalent in scikit-learn.", where=name)
        from scipy import stats  # takes most of a second to import

        span = domain.high - domain.low
        return stats.loguniform(domain.low, domain.high) if domain.log else stats.uniform(domain.low, span)
    if isinstance(domain, Int) and domain.log:
        raise SpaceError(
            "scipy has no log-uniform distribution of integers.",
            where=name,
            hint="Use a Float with log=True.",
        )
    if isinstance(domain, Int) and domain.step in (None, 1) and len(levels) == domain.levels:
        from scipy import stats

        return stats.randint(domain.low, domain.high + 1)
    return listed(name, domain, levels)


def listed(name: str, domain: Domain, levels: Sequence[int] | None = None) -> list[Any]:
    """List the values of a domain; SpaceError if there are too many."""
    positions = range(domain.levels or 0) if levels is None else levels
    if len(positions) > _MAX_LISTED:
        raise SpaceError(f"expected at most {_MAX_LISTED:,} values, got {len(positions):,}.", where=name)
    return [domain.level(position) for position in positions]


def to_hyperopt(space: Space) -> dict[str, Any]:
    """Write a space for `hyperopt.fmin`, with the same values and the same distribution, also at the bounds.

    A conditional choice becomes ``hp.choice`` among dicts, each with the option's own value under the
    parameter's name.

    Raises
    ------
    SpaceError
        For forbidden combinations, and steps that would need very long lists.
    """
    refuse_forbidden(space, "hyperopt")
    return {key: value for name, domain in space.params for key, value in _expression(name, domain).items()}


def refuse_forbidden(space: Space, program: str) -> None:
    """Raise SpaceError if a space has forbidden combinations."""
    if space.forbid:
        raise SpaceError(
            f"{program} does not support forbidden combinations.",
            where="forbid",
            hint="Reject them in the objective.",
        )


def _expression(name: str, domain: Domain) -> dict[str, Any]:
    from hyperopt import hp

    if isinstance(domain, Choice) and domain.conditional:
        pairs = zip(domain.options, domain.branches, strict=True)
        return {name: hp.choice(name, [{name: option} | _all(branch) for option, branch in pairs])}
    return {name: _plain(name, domain)}


def _all(params: Params) -> dict[str, Any]:
    return {key: value for name, domain in params for key, value in _expression(name, domain).items()}


def _plain(name: str, domain: Domain) -> Any:
    from hyperopt import hp
    from hyperopt.pyll import scope

    if isinstance(domain, Float | Int) and domain.log:
        if isinstance(domain, Float):
            return hp.loguniform(name, math.log(domain.low), math.log(domain.high))
        # Half a step beyond the bounds, so that they are as probable as here.
        bounds = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return scope.int(hp.qloguniform(name, *bounds, 1))
    if isinstance(domain, Float) and domain.step is None:
        return hp.uniform(name, domain.low, domain.high)
    if isinstance(domain, Int) and domain.step in (None, 1):
        return hp.randint(name, domain.low, domain.high + 1)
    if isinstance(domain, Float | Int) and domain.step and _is_multiple(domain.low, domain.step):
        last, half = domain.level((domain.levels or 1) - 1), domain.step / 2
        distribution = hp.quniform(name, domain.low - half, float(last or 0) + half, domain.step)
        return scope.int(distribution) if isinstance(domain, Int) else distribution
    return hp.choice(name, listed(name, domain))


def _is_multiple(value: float, step: float) -> bool:
    return math.isclose(value / step, round(value / step), abs_tol=1e-9)
