"""The runs of a study in an Optuna storage, read by Optuna itself."""

import dataclasses
import datetime
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from runner.api import run
from runner.errors import ResultsError
from runner.journal.verify import verify
from runner.problems.base import FunctionProblem
from runner.results import Results
from runner.results.optuna.trials import distribution_of, trials_of
from runner.space import Choice, Float, Int, Space
from runner.study.identity.plan import open_journal
from runner.trial import Outcome, Status, Trial
from tests.studies import HILL, made, study


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


def at_one(trial):
    """Within the space, whatever number it has."""
    return dataclasses.replace(trial, config={"x": 1.0})


def one_run(*trials):
    """A study of one run of trials."""
    given = study(problems=[HILL], methods=["random"], seeds=1)
    return given, [("hill/random/0", trial) for trial in trials]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Trials of every kind, numbers with gaps among them, in a journal."""
    folder = tmp_path_factory.mktemp("odd") / "s"
    given, trials = one_run(
        made(0, 0.5, metrics={"a": 1.0, "b": float("nan")}, steps=(3.0, float("nan"), float("inf"), 0.5)),
        made(1, None),
        dataclasses.replace(made(3, 0.25, test=0.75), worker="here"),
        Trial(4, {"x": 4.0}, Outcome(Status.STOPPED, loss=2.0, value=2.0, steps=(2.0,))),
    )
    with open_journal(folder, given) as journal:
        journal.record(trials)
    return Results.open(folder)


def test_many_at_once_is_the_same_as_optunas_own_way(odd, tmp_path):
    url = odd.to_optuna(tmp_path / "to.db")
    own = optuna.create_study(direction="maximize")
    for _, trial in trials_of(odd.record, odd.record.runs[0]):
        own.add_trial(trial)
    (found,) = optuna.study.get_all_study_summaries(url)
    read = optuna.load_study(study_name=found.study_name, storage=url)
    assert read.user_attrs.keys() == {"method", "settings", "metric"}
    for one, other in zip(read.trials, own.trials, strict=True):
        number = one.user_attrs.pop("number", one.number)
        assert number == {2: 3, 3: 4}.get(one.number, one.number)
        for name in ("state", "values", "params", "distributions", "intermediate_values", "number"):
            assert getattr(one, name) == getattr(other, name), name
        assert repr(one.user_attrs) == repr(other.user_attrs)
        for name in ("datetime_start", "datetime_complete"):
            assert abs(getattr(one, name) - getattr(other, name)) < datetime.timedelta(milliseconds=1)
    assert read.best_params == own.best_params
    read.trials_dataframe()
    read.tell(read.ask({"x": optuna.distributions.FloatDistribution(-5.0, 5.0)}), 1.0)
    assert len(read.trials) == 5


def test_a_trial_that_comes_late_is_added_and_none_twice(odd, tmp_path):
    shutil.copytree(odd.folder, tmp_path / "s")
    url = Results.open(tmp_path / "s").to_optuna()
    given, late = one_run(made(2, 0.125), made(5, 0.5))
    with open_journal(tmp_path / "s", given) as journal:
        journal.record(late)
    for _ in range(2):
        assert Results.open(tmp_path / "s").to_optuna() == url
        found = optuna.load_study(study_name="small/hill/random/0", storage=url).trials
        assert [trial.user_attrs.get("number", trial.number) for trial in found] == [0, 1, 3, 4, 2, 5]


@pytest.mark.parametrize("name", ["a?b", "%40", "a#b@c d", "{x}", "ü:;&=+", "'\"", "a%3Fb", "-x"])
def test_a_folder_may_have_any_name(odd, tmp_path, name):
    folder = tmp_path / name / "study"
    shutil.copytree(odd.folder, folder)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    url = Results.open(folder).to_optuna()
    after = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert {*after} - {*before} == {Path(name, "study", "optuna.db")}
    assert optuna.study.get_all_study_names(storage=url) == ["small/hill/random/0"]
    assert Results.open(folder).to_optuna(folder / "x.db").endswith("x.db")


def branches(**domains):
    """A problem with a parameter ``p`` of each domain in a branch of its own."""
    space = Space({"model": Choice({name: {"p": domain} for name, domain in domains.items()})})
    return FunctionProblem(lambda config: float(len(config)), space, "both")


@pytest.mark.parametrize(
    "domains, names",
    [
        ({"a": Float(0.1, 2.0), "b": Float(0.1, 2.0, log=True)}, {"p", "p (2)"}),
        ({"a": Int(1, 9, log=True), "b": Int(1, 9)}, {"p", "p (2)"}),
        ({"a": Float(0.1, 2.0), "b": Float(5.0, 9.0)}, {"p"}),
        ({"a": Float(0.0, 2.0, step=0.5), "b": Float(0.0, 2.0)}, {"p"}),
        ({"a": Int(1, 9), "b": Float(1, 9), "c": Choice([1, 2]), "d": Choice([True, 2])}, 4),
    ],
)
def test_one_name_with_domains_of_different_kinds_in_any_order(domains, names, tmp_path):
    for order in (1, -1):
        given = dict([*domains.items()][::order])
        results = run(
            study(problems=[branches(**given)], methods=["random"], seeds=1, budget={"trials": 20}),
            tmp_path / str(order),
            workers=0,
        )
        storage = results.to_optuna()
        trials = optuna.load_study(study_name="small/both/random/0", storage=storage).trials
        found = {name for trial in trials for name in trial.params} - {"model"}
        assert found == names or len(found) == names
        own = results.trials["config/p"].astype(str)
        params = [str(value) for trial in trials for name, value in trial.params.items() if name != "model"]
        assert params == own.tolist() or "c" in domains


def test_a_name_that_is_numbered_is_nobody_elses(tmp_path):
    one = {"p": Float(0.1, 2.0), "p (2)": Float(0.1, 1.0, log=True)}
    space = Space({"model": Choice({"a": one, "b": {"p": Float(0.1, 2.0, log=True)}})})
    problem = FunctionProblem(lambda config: 1.0, space, "both")
    results = run(study(problems=[problem], methods=["random"], seeds=1), tmp_path / "s", workers=0)
    trials = optuna.load_study(study_name="small/both/random/0", storage=results.to_optuna()).trials
    assert {name for trial in trials for name in trial.params} == {"model", "p", "p (2)", "p (3)"}


def test_thousands_of_trials_take_seconds_and_are_told_of(tmp_path):
    given, trials = one_run(*(at_one(made(i, float(i), metrics={"a": 1.0, "b": 2.0})) for i in range(2750)))
    with open_journal(tmp_path / "s", given) as journal:
        journal.record(trials)
    heard, began = [], time.monotonic()
    results = Results.open(tmp_path / "s")
    results.to_optuna(progress=lambda *state: heard.append(state))
    assert time.monotonic() - began < 60, "two of a second when nothing else runs; it was minutes"
    assert heard == [(min(n, 2750), 2750) for n in range(500, 3001, 500)]


@pytest.mark.parametrize("there", [False, True])
def test_what_is_broken_off_leaves_what_was_there(odd, tmp_path, there):
    shutil.copytree(odd.folder, tmp_path / "s")
    if there:
        Results.open(tmp_path / "s").to_optuna()
        given, late = one_run(made(2, 0.125))
        with open_journal(tmp_path / "s", given) as journal:
            journal.record(late)
    before = {path.name for path in (tmp_path / "s").iterdir()}

    def broken(*state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Results.open(tmp_path / "s").to_optuna(progress=broken)
    assert {path.name for path in (tmp_path / "s").iterdir()} == before
    if there:
        storage = f"sqlite:///{tmp_path / 's' / 'optuna.db'}"
        assert len(optuna.load_study(study_name="small/hill/random/0", storage=storage).trials) == 4


def test_the_command_leaves_nothing_when_it_is_interrupted(odd, tmp_path):
    shutil.copytree(odd.folder, tmp_path / "s")
    code = """
import os, signal, sys
from runner.cli import main as cli
from runner.results.optuna import storage as optuna_storage

def interrupted(*_):
    assert any(name.startswith(".fivefold-") for name in os.listdir("s"))
    signal.raise_signal(signal.SIGINT)

optuna_storage.add_trials = interrupted
sys.argv = ["fivefold", "export", "s", "--format", "optuna"]
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted.\n")
    assert {path.name for path in (tmp_path / "s").iterdir()} == {path.name for path in odd.folder.iterdir()}


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder", "journal", "notes"])
def test_what_is_in_its_place_and_not_ours_stays(odd, tmp_path, kind):
    folder, precious = tmp_path / "s", tmp_path / "precious"
    shutil.copytree(odd.folder, folder)
    precious.write_text("precious")
    place = folder / "optuna.db"
    if kind == "link":
        place.symlink_to(precious)
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        place.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "notes":
        place.write_text("notes")
    before = (folder / "study.db").read_bytes()
    with pytest.raises(ResultsError):
        Results.open(folder).to_optuna(folder / "study.db" if kind == "journal" else None)
    assert precious.read_text() == "precious"
    assert (folder / "study.db").read_bytes() == before
    assert not (tmp_path / "nowhere").exists()
    assert kind != "notes" or place.read_text() == "notes"
    assert verify(folder).whole


def test_a_file_that_the_user_names_may_be_a_link(odd, tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    url = odd.to_optuna(tmp_path / "link.db")
    assert url.endswith("real.db")
    assert (tmp_path / "link.db").is_symlink()
    assert odd.to_optuna(f"sqlite:///{tmp_path}/link.db") == url


def test_a_storage_that_cannot_be_written_is_told(tmp_path):
    results = run(study(methods=["random"], seeds=1), tmp_path / "s", workers=0)
    with pytest.raises(ResultsError, match="cannot be written"):
        results.to_optuna("sqlite:////proc/no/such.db")
