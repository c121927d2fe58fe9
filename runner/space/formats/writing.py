"""Spaces in the forms of other programs: scikit-learn's and hyperopt's.

ray.tune's is `runner.search.to_ray_tune`, which needs Ray. A parameter that the other form cannot
hold with the same values and the same law is named in the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int, Params

_MOST_LISTED = 1000


def to_sklearn(space: Space) -> dict[str, Any] | list[dict[str, Any]]:
    """``param_distributions``, which is also a ``param_grid`` where everything is listed.

    Parameters
    ----------
    space : Space
        Conditions and forbidden combinations become a list of dicts, of which
        `RandomizedSearchCV` draws each with equal probability.

    Raises
    ------
    SpaceError
        For logarithmic whole numbers and very long lists of values.
    """
    made = [
        {name: _frozen(name, domain, levels) for name, domain, levels in branch.factors}
        for branch in space.branches
    ]
    return made[0] if len(made) == 1 else made


def _frozen(name: str, domain: Domain, levels: Sequence[int] | None) -> Any:
    if levels is None:
        if not isinstance(domain, Float):
            raise SpaceError(f"a {type(domain).__name__} has no form in scikit-learn.", where=name)
        from scipy import stats  # most of a second

        span = domain.high - domain.low
        return stats.loguniform(domain.low, domain.high) if domain.log else stats.uniform(domain.low, span)
    if isinstance(domain, Int) and domain.log:
        raise SpaceError(
            "scipy has no law of logarithmic whole numbers.", where=name, hint="Take a Float with log=True."
        )
    if isinstance(domain, Int) and domain.step in (None, 1) and len(levels) == domain.levels:
        from scipy import stats

        return stats.randint(domain.low, domain.high + 1)
    return listed(name, domain, levels)


def listed(name: str, domain: Domain, levels: Sequence[int] | None = None) -> list[Any]:
    """The values of a domain; SpaceError where they are too many."""
    positions = range(domain.levels or 0) if levels is None else levels
    if len(positions) > _MOST_LISTED:
        raise SpaceError(
            f"it has {len(positions):,} values; at most {_MOST_LISTED:,} can be listed.", where=name
        )
    return [domain.level(position) for position in positions]


def to_hyperopt(space: Space) -> dict[str, Any]:
    """A space for `hyperopt.fmin`: the same values, and the same law, also at the ends.

    Parameters
    ----------
    space : Space
        A conditional choice becomes ``hp.choice`` among dicts, each with the option's own value
        under the parameter's name.

    Raises
    ------
    SpaceError
        For forbidden combinations, and steps that would have to be very long lists.
    """
    refuse_forbidden(space, "hyperopt")
    return {key: value for name, domain in space.params for key, value in _expression(name, domain).items()}


def refuse_forbidden(space: Space, program: str) -> None:
    """SpaceError where combinations are forbidden, for programs that have nothing like it."""
    if space.forbid:
        raise SpaceError(
            f"{program} has no forbidden combinations.", where="forbid", hint="Forbid them in the objective."
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
        # Half a step beyond the ends, which are then as probable as they are here.
        ends = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return scope.int(hp.qloguniform(name, *ends, 1))
    if isinstance(domain, Float) and domain.step is None:
        return hp.uniform(name, domain.low, domain.high)
    if isinstance(domain, Int) and domain.step in (None, 1):
        return hp.randint(name, domain.low, domain.high + 1)
    if isinstance(domain, Float | Int) and domain.step and _is_multiple(domain.low, domain.step):
        last, half = domain.level((domain.levels or 1) - 1), domain.step / 2
        law = hp.quniform(name, domain.low - half, float(last or 0) + half, domain.step)
        return scope.int(law) if isinstance(domain, Int) else law
    return hp.choice(name, listed(name, domain))


def _is_multiple(value: float, step: float) -> bool:
    return math.isclose(value / step, round(value / step), abs_tol=1e-9)
