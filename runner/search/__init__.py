"""The methods as Ray Tune search algorithms, for anyone's own ``tune.Tuner``.

::

    from ray import tune
    from runner.search import BayesSearch

    def train(config):
        return {"loss": (config["x"] - 2.0) ** 2}

    tuner = tune.Tuner(
        train,
        param_space={"x": tune.uniform(-5.0, 5.0), "epochs": 10},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=12, search_alg=BayesSearch(seed=1)
        ),
    )
    best = tuner.fit().get_best_result().config

Importing it imports ray.
"""

from runner.engine.ray.study_search import StudySearch
from runner.search.method_search import MethodSearch
from runner.search.named import (
    BayesSearch,
    ExhaustiveSearch,
    GradientSearch,
    GridSearch,
    RandomSearch,
    TPESearch,
)
from runner.search.param_space import to_ray_tune

__all__ = [
    "BayesSearch",
    "ExhaustiveSearch",
    "GradientSearch",
    "GridSearch",
    "MethodSearch",
    "RandomSearch",
    "StudySearch",
    "TPESearch",
    "to_ray_tune",
]
