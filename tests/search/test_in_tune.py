"""What reaches a trainable of a real experiment, and what a wrapped search finds again of it."""

import numpy as np
import pytest
from ray import tune
from ray.tune.search import ConcurrencyLimiter, Repeater

from runner.search import BayesSearch, TPESearch


class Size:
    """An object among options."""

    def __init__(self, layers):
        self.layers = layers


SPACE = {
    "a/b": tune.uniform(4, 8),
    "size": tune.choice([Size(1), Size(2)]),
    "array": tune.choice([np.arange(2), np.arange(3)]),
    "layers": tune.choice([[8], [8, 8]]),
    "list": [tune.uniform(0, 1), 3],
    "level": tune.choice(list(np.linspace(0, 1, 3))),
    "later": tune.sample_from(lambda config: 7),
    "data": np.ones(2),
}


class Train(tune.Trainable):
    def setup(self, config):
        self.config = config

    def reset_config(self, config):
        self.config = config
        return True

    def step(self):
        config = self.config
        assert set(config) - {"__trial_index__"} == set(SPACE)
        assert 4 <= config["a/b"] <= 8
        assert type(config["size"]).__name__ == "Size"
        assert len(config["array"]) in (2, 3)
        assert config["layers"] in ([8], [8, 8])
        assert 0 <= config["list"][0] <= 1
        assert config["list"][1] == 3
        assert (config["later"], config["data"].tolist()) == (7, [1, 1])
        return {"eval": {"loss": config["a/b"] + config["size"].layers}, "done": True}


@pytest.mark.ray
@pytest.mark.parametrize(
    "make, known",
    [
        (lambda: ConcurrencyLimiter(TPESearch(seed=1, startup=2), 1), 4),
        (lambda: ConcurrencyLimiter(Repeater(BayesSearch(seed=1), 2), 2), 2),
    ],
    ids=["limiter", "repeater"],
)
def test_a_trainable_gets_what_it_was_promised_and_a_wrapper_its_state(
    make, known, ray_workers, monkeypatch, tmp_path
):
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    results = tune.Tuner(
        Train,
        param_space=SPACE,
        tune_config=tune.TuneConfig(
            search_alg=make(), metric="eval/loss", mode="min", num_samples=4, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="it",
            storage_path=str(tmp_path),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()
    assert len(results) == 4
    assert not results.errors
    again = make()
    again.restore_from_dir(str(tmp_path / "it"))
    base = again
    while hasattr(base, "searcher"):
        base = base.searcher
    ended = [trial.outcome.value for trial in base._run.ended.values()]
    assert len(ended) == known
    assert set(ended) <= {result.metrics["eval"]["loss"] for result in results}
    restored = tune.Tuner.restore(str(tmp_path / "it"), Train).fit()
    found, expected = (sorted(one.metrics["eval"]["loss"] for one in some) for some in (restored, results))
    assert found == expected
