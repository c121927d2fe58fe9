"""Ray Tune by itself: a `tune.Tuner` with a function, and with a class whose actors are used again.

Everything is Tune's default but ``verbose=0``, which saves it some printing, and for the class
``checkpoint_at_end=False``: by default Tune saves a class at its end, and there is nothing to save. Ray
is shut down at the end, as the end of a program does.
"""

from __future__ import annotations

import time

import ray
from ray import tune

from benchmarks import clock
from benchmarks.objectives import Timed, span


def measure(scratch, *, work, seconds, trials, workers, reuse, of=None):
    """Random search with Tune.

    Parameters
    ----------
    reuse : bool
        Whether actors are used again, which takes a class and is not the default.
    of : int, optional
        How many trials the figures should be for; those that were not run are taken to cost what
        the others did.
    """
    _start(workers)
    objective = Timed(work, seconds)

    class Objective(tune.Trainable):
        def setup(self, config):
            self.now = config

        def reset_config(self, new_config):
            self.now = new_config
            return True

        def step(self):
            return objective(self.now) | {"done": True}

    tuner = tune.Tuner(
        Objective if reuse else _function(objective),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=trials, reuse_actors=reuse),
        run_config=tune.RunConfig(
            storage_path=scratch,
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False if reuse else None),
        ),
    )
    spans = _spans(tuner.fit())
    ray.shutdown()
    found = clock.stop() | clock.read(spans, workers)
    extra = found["seconds"] * ((of or trials) / trials - 1.0)
    return found | {"seconds": found["seconds"] + extra, "unmeasured": extra}


def tuners(scratch, *, methods, seeds, trials, seconds, workers, measured):
    """One Tuner per method and seed, in sequence, with fivefold's search algorithms and one trial at a time.

    Only the first seed and the first ``measured`` trials are run. A trial that is not run is taken to
    cost the mean of those that are, and another seed what the first one does.

    Parameters
    ----------
    methods : dict of str to dict
        Settings by the names of the classes, such as RandomSearch.
    """
    import runner

    _start(workers)
    total, extra = 0.0, 0.0
    for name, settings in methods.items():
        begin = time.time()
        search = getattr(runner, name)(
            {"x": tune.uniform(0, 1), "y": tune.uniform(0, 1), "z": tune.uniform(0, 1)},
            "loss",
            "min",
            trials=trials,
            max_concurrent=1,
            **settings,
        )
        tuner = tune.Tuner(
            _function(Timed("sleep", seconds)),
            tune_config=tune.TuneConfig(search_alg=search, num_samples=measured),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        )
        spans = _spans(tuner.fit())
        took = time.time() - begin
        starts = sorted(began for began, _, _ in spans)
        each = (starts[-1] - starts[0]) / max(1, len(starts) - 1)
        whole = took + each * (trials - len(spans))
        total += whole * seeds
        extra += whole * seeds - took
    ray.shutdown()
    return clock.stop() | {"seconds": total, "unmeasured": extra}


def _start(workers):
    ray.init(num_cpus=workers, log_to_driver=False, logging_level="ERROR")


def _function(objective):
    def train(config):
        return objective(config)

    return train


def _spans(results):
    # Each error costs Tune a new actor, so that failures would pass for slowness.
    if results.errors:
        raise RuntimeError(f"{len(results.errors)} of {len(results)} trials failed: {results.errors[0]}")
    return [span(result.metrics) for result in results]
