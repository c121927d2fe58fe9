"""The state of a search in files, and Tune's wrappers around it."""

import json

import numpy as np
import pytest
from hyperopt import hp
from ray import tune
from ray.tune.search import ConcurrencyLimiter, Repeater
from ray.tune.search.repeater import TRIAL_INDEX
from ray.tune.search.search_generator import SearchGenerator

from runner.errors import MethodError
from runner.search import BayesSearch, RandomSearch, TPESearch
from runner.space import Float, Space
from tests.search.test_spaces import MARKS, NAMED, adopted, drive
from tests.space.formats.test_ray_tune import PARAM_SPACE

WRAPPED = {
    "bare": lambda search: search,
    "limiter": lambda search: ConcurrencyLimiter(search, 1),
    "batched limiter": lambda search: ConcurrencyLimiter(search, 1, batch=True),
    "repeater": lambda search: Repeater(search, 1),
    "both": lambda search: ConcurrencyLimiter(Repeater(search, 1), 1),
    "the other way round": lambda search: Repeater(ConcurrencyLimiter(search, 1), 1),
}
LINE = Space({"x": Float(0.0, 1.0)})


def without_index(configs):
    return [{key: value for key, value in config.items() if key != TRIAL_INDEX} for config in configs]


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("named", NAMED)
def test_a_search_is_restored_from_its_folder_whatever_is_around_it(named, wrap, tmp_path):
    def make():
        options = {"resolution": 9} if named.__name__ == "ExhaustiveSearch" else {}
        return wrap(named(LINE, "loss", "min", trials=8, seed=2, **options))

    whole = without_index(drive(make(), 8))
    first = make()
    begun = without_index(drive(first, 3))
    base = first
    while hasattr(base, "searcher"):
        base = base.searcher
    base.save_to_dir(str(tmp_path), "session")  # as SearchGenerator does
    again = make()
    again.restore_from_dir(str(tmp_path))
    assert begun + without_index(drive(again, 8)) == whole


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_tunes_generator_finds_the_state_of_a_wrapped_search(wrap, tmp_path):
    first = wrap(TPESearch(LINE, "loss", "min", trials=8))
    done = drive(first, 3)
    SearchGenerator(first).save_to_dir(str(tmp_path), "session")
    again = wrap(TPESearch(LINE, "loss", "min", trials=8))
    SearchGenerator(again).restore_from_dir(str(tmp_path))
    base = again
    while hasattr(base, "searcher"):
        base = base.searcher
    assert [trial.config for trial in base._run.ended.values()] == without_index(done)


def test_the_newest_state_of_a_folder_is_taken(tmp_path):
    search = RandomSearch(LINE, "loss", "min")
    for session in ("2026-01-01", "2026-01-02"):
        drive(search, 2 if session.endswith("2") else 1)
        search.save_to_dir(str(tmp_path), session)
    again = RandomSearch(LINE, "loss", "min")
    again.restore_from_dir(str(tmp_path))
    assert len(again._run.ended) == len(search._run.ended)
    with pytest.raises(RuntimeError, match="unable to find checkpoint"):
        again.restore_from_dir(str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("named", [RandomSearch, BayesSearch, TPESearch])
def test_a_param_space_comes_back_with_the_state(named, tmp_path):
    """Tune gives no param_space to a search that it restores; objects in it are marks by then."""
    space = PARAM_SPACE | {"pair": (tune.uniform(0, 1), 3), "object": tune.choice(MARKS), "data": MARKS[0]}
    space["numbers"] = tune.choice(list(np.linspace(0, 1, 3)))
    first = adopted(space, named, samples=9)
    drive(first, 4)
    first.save_to_dir(str(tmp_path))
    json.loads((tmp_path / "searcher-state-default.pkl").read_text())
    again = named()
    again.restore_from_dir(str(tmp_path))
    for i in range(4, 9):
        assert again.suggest(f"t{i}") == first.suggest(f"t{i}")
        for search in (first, again):
            search.on_trial_complete(f"t{i}", {"loss": float(i)})


def test_a_space_that_json_cannot_hold_is_asked_for(tmp_path):
    space = {"x": 2 * hp.uniform("x", 0, 1)}
    first = TPESearch(space, "loss", "min")
    drive(first, 2)
    first.save(str(tmp_path / "state"))
    again = TPESearch(space, "loss", "min")
    again.restore(str(tmp_path / "state"))
    assert again.suggest("t") == first.suggest("t")
    with pytest.raises(
        MethodError, match=r"does not hold the search's space.*Make the search with its space"
    ):
        TPESearch().restore(str(tmp_path / "state"))


def test_a_state_may_be_taken_and_set_without_a_file():
    first = RandomSearch(LINE, "loss", "min")
    drive(first, 3)
    again = RandomSearch(LINE, "loss", "min")
    again.set_state(first.get_state())
    assert again.suggest("t") == first.suggest("t")
    with pytest.raises(MethodError, match="expected 1 as the seed, got a state with 0"):
        RandomSearch(LINE, "loss", "min", seed=1).set_state(first.get_state())


def test_a_trial_under_another_id_is_known_by_its_config_also_with_objects_in_it():
    search = adopted(
        {"a": {"b": tune.uniform(0, 1)}, "object": tune.choice(MARKS), "l": tune.choice([[8], [9]])}
    )
    config = search.suggest("old")
    other = search.suggest("other")
    reported = {"config/a/b": config["a"]["b"], "config/object": object(), "config/l": list(config["l"])}
    search.on_trial_complete("new", {"loss": 1.0, **reported, "config/__trial_index__": 0})
    assert list(search._run.pending) == [1]
    search.on_trial_complete("newer", {"loss": 1.0, "config/a/b": 2.0, "config/object": 1, "config/l": [8]})
    search.on_trial_complete("newest", {"loss": 1.0, "config": {"a": {"b": other["a"]["b"]}}})
    assert list(search._run.pending) == [1]
