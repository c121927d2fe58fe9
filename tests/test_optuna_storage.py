"""The runs of a study in an Optuna storage, read by Optuna itself."""

import math

import optuna
import pytest

from runner.errors import ResultsError
from runner.launch import run
from runner.problems.base import FunctionProblem
from runner.results import Results
from runner.results.optuna_storage import distribution_of
from runner.space import Choice, Float, Int, Space
from tests.studies import study


def test_optuna_finds_the_trials_and_the_best_of_every_run(tmp_path):
    results = run(study(seeds=1), tmp_path / "s", workers=0)
    url = results.to_optuna()
    assert url.endswith("/s/optuna.db")
    names = optuna.study.get_all_study_names(storage=url)
    assert sorted(names) == sorted(f"small/{run}" for run in results.runs["run"])
    for row in results.runs.to_dict("records"):
        found = optuna.load_study(study_name=f"small/{row['run']}", storage=url)
        rows = results.trials[results.trials["run"] == row["run"]]
        assert [t.number for t in found.trials] == list(rows["number"])
        assert found.direction.name.lower() == row["direction"]
        assert found.user_attrs["method"] == row["method_name"]
        for trial, own in zip(found.trials, rows.to_dict("records"), strict=True):
            assert (trial.state.name == "COMPLETE") == (own["status"] == "COMPLETED")
            assert trial.value == (own["value"] if own["status"] == "COMPLETED" else None)
            assert trial.duration.total_seconds() == pytest.approx(own["seconds"], abs=1e-5)
        if not math.isnan(row["incumbent_loss"]):
            assert found.best_value == row["incumbent_value"]
            assert found.best_trial.number == row["incumbent_number"]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A storage; making its tables takes seconds."""
    found = f"sqlite:///{tmp_path_factory.mktemp('optuna')}/to.db"
    optuna.storages.RDBStorage(found)
    return found


def test_a_second_export_adds_what_is_new(tmp_path, url):
    small = {"methods": ["random"], "seeds": 1}
    run(study(**small, budget={"trials": 3}), tmp_path / "s", workers=0).to_optuna(url)
    run(study(**small), tmp_path / "s", workers=0)
    assert Results.open(tmp_path / "s").to_optuna(url) == url
    assert len(optuna.load_study(study_name="small/hill/random/0", storage=url).trials) == 6


def test_one_name_with_domains_of_different_kinds(tmp_path, url):
    space = Space({"model": Choice({"a": {"depth": Int(1, 9)}, "b": {"depth": Choice(["low", "high"])}})})
    both = FunctionProblem(lambda config: 1.0, space, "both")
    results = run(
        study(problems=[both], methods=["exhaustive"], seeds=1, budget={"trials": 11}),
        tmp_path / "s",
        workers=0,
    )
    trials = optuna.load_study(study_name="small/both/exhaustive/0", storage=results.to_optuna(url)).trials
    assert len({tuple(sorted(trial.params.items(), key=str)) for trial in trials}) == 11
    assert {name for trial in trials for name in trial.params} == {"model", "depth", "depth (2)"}


@pytest.mark.parametrize(
    "domain",
    [
        Float(0.1, 2.0),
        Float(0.1, 2.0, log=True),
        Float(0.0, 2.0, step=0.5),
        Int(1, 9),
        Int(1, 9, step=2),
        Int(1, 100, log=True),
        Choice([None, True, 1.5, "x"]),
    ],
)
def test_a_domain_has_its_counterpart(domain):
    distribution = distribution_of(domain)
    if isinstance(domain, Choice):
        assert distribution.choices == domain.options
    else:
        assert (distribution.low, distribution.high, distribution.log) == (
            domain.low,
            domain.high,
            domain.log,
        )
        assert domain.step is None or distribution.step == domain.step


def test_a_storage_that_cannot_be_written_is_told(tmp_path):
    results = run(study(methods=["random"], seeds=1), tmp_path / "s", workers=0)
    with pytest.raises(ResultsError, match="it cannot be written"):
        results.to_optuna("sqlite:////proc/no/such.db")
