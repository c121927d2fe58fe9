"""The six methods under the names of Ray's own search algorithms; the arguments are the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from runner.methods import make_method
from runner.search.method_search import MethodSearch
from runner.trial import Order


class _NamedSearch(MethodSearch):
    _name: ClassVar[str]

    def __init__(
        self,
        space: Any = None,
        metric: str | None = None,
        mode: str | None = None,
        *,
        trials: int | None = None,
        seed: int = 0,
        max_concurrent: int | None = None,
        order: Order = "async",
        points_to_evaluate: Sequence[Mapping[str, Any]] = (),
        evaluated: Sequence[tuple[Mapping[str, Any], float]] = (),
        **settings: Any,
    ) -> None:
        super().__init__(
            make_method(self._name, settings),
            space,
            metric,
            mode,
            trials=trials,
            seed=seed,
            max_concurrent=max_concurrent,
            order=order,
            points_to_evaluate=points_to_evaluate,
            evaluated=evaluated,
        )


class ExhaustiveSearch(_NamedSearch):
    """Every config of a finite space exactly once, in a seeded order, and then FINISHED.

    The other parameters are those of `MethodSearch`. Give ``num_samples=-1`` to
    ``tune.TuneConfig`` to see all of the space.

    Parameters
    ----------
    resolution : int, optional
        Points of each continuous parameter; without it an infinite space is refused.

    Examples
    --------
    >>> search = ExhaustiveSearch({"x": [1, 2], "y": ["a", "b"]}, metric="loss", mode="min")
    >>> sorted(search.suggest(f"trial {i}")["x"] for i in range(4))
    [1, 1, 2, 2]
    >>> search.suggest("trial 4")
    'FINISHED'
    """

    _name = "exhaustive"


class RandomSearch(_NamedSearch):
    """Independent draws, the baseline of every comparison.

    The other parameters are those of `MethodSearch`.

    Parameters
    ----------
    sequence : "independent" or "sobol", default "independent"
        See `runner.methods.random_search.Random`.

    Examples
    --------
    >>> from ray import tune
    >>> search = RandomSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", sequence="sobol")
    >>> 0 <= search.suggest("a trial")["x"] <= 1
    True
    """

    _name = "random"


class GridSearch(_NamedSearch):
    """A grid over the space, sized to the number of trials, and then FINISHED.

    The other parameters are those of `MethodSearch`.

    Parameters
    ----------
    points : int or dict of str to int, optional
        Points per numeric parameter. Default: as many as ``trials`` or ``num_samples`` allow; 5
        if neither is known.

    Examples
    --------
    >>> from ray import tune
    >>> search = GridSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", trials=3)
    >>> sorted(search.suggest(f"trial {i}")["x"] for i in range(3))
    [0.0, 0.5, 1.0]
    """

    _name = "grid"


class BayesSearch(_NamedSearch):
    """Bayesian optimisation with a Gaussian process.

    The other parameters are those of `MethodSearch`.

    Parameters
    ----------
    **settings
        Settings of `runner.methods.bayes.method.Bayes`, for example ``acquisition="ei"``.

    Examples
    --------
    >>> from ray import tune
    >>> search = BayesSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", initial=5)
    >>> 0 <= search.suggest("a trial")["x"] <= 1
    True
    """

    _name = "bayes"


class TPESearch(_NamedSearch):
    """Tree-structured Parzen estimators, of all parameters together or hyperopt's own, or annealing.

    The other parameters are those of `MethodSearch`; the space may be a hyperopt expression.

    Parameters
    ----------
    **settings
        Settings of `runner.methods.tpe.method.TPE`, for example ``flavour="hyperopt"``.

    Examples
    --------
    >>> from hyperopt import hp
    >>> search = TPESearch({"x": hp.uniform("x", 0, 1)}, metric="loss", mode="min")
    >>> 0 <= search.suggest("a trial")["x"] <= 1
    True
    """

    _name = "tpe"


class GradientSearch(_NamedSearch):
    """Descent from several starts, with reported gradients or finite differences.

    The other parameters are those of `MethodSearch`. A trial reports d metric / d parameter as
    ``{"loss": ..., "gradient": {"x": ...}}``, or by logarithms as ``gradient_log``; missing parameters
    get finite differences, whose probes are trials that run in parallel, up to ``max_concurrent``.
    ``gradient_exact: False`` marks a truncated gradient.

    Parameters
    ----------
    **settings
        Settings of `runner.methods.gradient.method.Gradient`, for example ``noise=0.01``.

    Examples
    --------
    >>> from ray import tune
    >>> search = GradientSearch({"x": tune.uniform(-1, 1)}, metric="loss", mode="min")
    >>> config = search.suggest("a trial")
    >>> search.on_trial_complete("a trial", {"loss": config["x"] ** 2, "gradient": {"x": 2 * config["x"]}})
    """

    _name = "gradient"
