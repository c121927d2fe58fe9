"""The advice: what decides, what overrules it, and that every figure is a measured one."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import advice as benchmark
from runner import optimize
from runner.api import run
from runner.cli.main import app
from runner.errors import FivefoldError
from runner.methods import METHODS
from runner.problems import load_problem
from runner.space import Choice, Float, Int, Space
from runner.study.advice import Auto, advise, facts_of, gather_evidence, make
from runner.study.advice.evidence import Evidence
from runner.study.advice.facts import Facts
from runner.study.advice.measured import proposal_seconds, regrets, rows
from runner.study.study import Study
from tests.studies import HILL, study

LINE = Space({f"x{i}": Float(0.0, 1.0) for i in range(5)})
SMALL = Space({"n": Int(1, 5), "c": Choice(["a", "b"])})
PLAIN = Facts("plain", LINE, trials=100)


def changed(**keys):
    return dataclasses.replace(PLAIN, **keys)


@pytest.mark.parametrize(
    "facts, method",
    [
        (changed(space=SMALL, trials=10), "exhaustive"),
        (changed(space=SMALL, trials=9), "random"),
        (changed(trials=9), "random"),
        (changed(trials=10), "bayes"),
        (changed(trials=20, parallel=11), "random"),
        (changed(trials=20, parallel=10), "bayes"),
        (changed(trial_seconds=10.0), "bayes"),
        (changed(trial_seconds=1e-4), "bayes"),
        (changed(trials=1_000, trial_seconds=1e-4), "tpe"),
        (changed(seconds=5.0, trial_seconds=0.051), "tpe"),
        (changed(seconds=5.0, trial_seconds=0.04), "bayes"),
        (changed(trials=5_000), "tpe"),
        (changed(trials=None, seconds=60.0, trial_seconds=1e-3), "tpe"),
        (changed(trials=None, seconds=3600.0), "bayes"),
        (changed(trials=None, seconds=60.0, trial_seconds=20.0), "random"),
        (changed(trials=1_000_000, trial_seconds=60.0), "bayes"),
    ],
)
def test_what_decides(facts, method):
    advice = advise(facts)
    assert advice.method == method
    assert advice.because
    assert advice.used
    prepared = make(advice.method, advice.settings).prepare(facts.space, facts.trials)
    assert prepared.name == method


def test_a_gradient_counts_only_where_descents_were_best():
    """Whatever the figures say: with gradients it is the best one measured near that size, or a model."""
    for d in (1, 3, 10, 20, 30):
        space = Space({f"x{i}": Float(0.0, 1.0) for i in range(d)})
        advice = advise(changed(space=space, gradient=True, trials=50))
        assert advice.method in ("gradient", "bayes")
        if advice.method == "gradient":
            assert re.search(r"after 50: .* bayes [\d.e-]+", advice.because[0])
        assert advise(changed(space=space, trials=50)).method == "bayes"


def test_every_figure_of_the_advice_is_in_the_results():
    """Else: python -m benchmarks.advice --read."""
    kept = json.loads(benchmark.MEASURED.read_text(encoding="utf-8"))
    assert kept == benchmark.figures(benchmark.RESULTS.read_text(encoding="utf-8"))
    for method in ("bayes", "tpe"):
        assert len(regrets("functions", method)) >= 4
        assert all(figure.of >= 5 and math.isfinite(figure.ratio) for figure in regrets("functions", method))
        assert len(regrets("conditional", method)) == 1
    assert rows()


@pytest.mark.parametrize("method", ["bayes", "tpe"])
def test_proposals_take_longer_with_the_trials_and_is_what_was_measured(method):
    times = [proposal_seconds(method, n) for n in (1, 10, 100, 101, 300, 301, 1000, 1001, 5000)]
    assert times == sorted(times)
    assert times[0] > 0
    (after,) = [r for r in rows() if r["what"] == f"{method}: a proposal after 1,000 trials"][:1]
    assert proposal_seconds(method, 1001) - proposal_seconds(method, 1000) == pytest.approx(
        float(after["ours"].split()[0]) / 1000, rel=0.01
    )
    assert proposal_seconds("random", 1000) == 0.0


def found(own, theirs, same=True):
    losses = {"tpe": dict(enumerate(own)), "bayes": dict(enumerate(theirs))}
    best = min(losses, key=lambda name: sorted(losses[name].values())[len(own) // 2])
    return Evidence("mine", "it", same, losses, best)


def test_own_studies_overrule_where_their_seeds_agree_on_the_same_space():
    """Six of six seeds: two-sided p = 0.03; five of five: 0.06."""
    assert advise(PLAIN, [found([1.0] * 6, [2.0] * 6)]).method == "tpe"
    assert "mine" in advise(PLAIN, [found([1.0] * 6, [2.0] * 6)]).because[0]
    for finding in (found([1.0] * 5, [2.0] * 5), found([1.0] * 6, [2.0] * 6, same=False)):
        advice = advise(PLAIN, [finding])
        assert advice.method == "bayes"
        assert any("mine" in line for line in advice.used)
    assert advise(changed(space=SMALL, trials=10), [found([1.0] * 6, [2.0] * 6)]).method == "exhaustive"


def test_findings_are_read_from_study_directories(tmp_path):
    run(study(methods=["random", "bayes"], seeds=3, budget={"trials": 12}), tmp_path / "a", workers=0)
    one, other = gather_evidence([tmp_path], HILL.space)
    assert (one.problem, one.same_space) == ("hill", True)
    assert (other.problem, other.same_space) == ("models", False)
    assert set(one.losses) == {"random", "bayes"}
    assert set(one.losses["bayes"]) == {0, 1, 2}
    assert one.best == "bayes"
    assert gather_evidence([tmp_path / "a"], HILL.space) == [one, other]
    with pytest.raises(FivefoldError, match="expected a study directory"):
        gather_evidence([tmp_path / "a/none"], HILL.space)


def test_auto_in_a_study_is_the_advised_method_and_the_journal_says_so(tmp_path):
    keys = {"methods": ["auto", {"name": "cheap", "method": "auto", "seconds": 1e-4}], "seeds": 1}
    small = study(**keys, problems=[HILL], budget={"trials": 12})
    results = run(small, tmp_path / "s", workers=0)
    rows_ = results.runs.set_index("method")
    assert dict(rows_["method_name"]) == {"auto": "bayes", "cheap": "bayes"}
    many = study(**keys, problems=[HILL], budget={"trials": 900})
    assert [many.chosen["hill", label][0].name for label in ("auto", "cheap")] == ["bayes", "tpe"]
    assert rows_.loc["auto", "announcement"].startswith("bayes. ")
    alone = run(
        study(methods=["bayes"], seeds=1, problems=[HILL], budget={"trials": 12}), tmp_path / "b", workers=0
    )
    own = results.trials.query("method == 'auto'")
    assert list(own["config"]) == list(alone.trials["config"])
    again = Study.build(**{**study(**keys).source, "problems": [HILL], "budget": {"trials": 12}})
    assert again.chosen[HILL.name, "auto"][0].name == "bayes"


def test_auto_serves_in_optimize_and_its_settings_are_checked():
    found_ = optimize(lambda config: config["n"], SMALL, method="auto", trials=10)
    assert found_.best_config["n"] == 1
    assert len(found_.trials) == 10
    with pytest.raises(FivefoldError, match=r"'auto' has no setting 'second'. Did you mean 'seconds'"):
        make("auto", {"second": 1})
    with pytest.raises(FivefoldError, match="seconds: expected a number, got 'x'"):
        make("auto", {"seconds": "x"})
    assert isinstance(make("auto"), Auto)
    assert "auto" not in METHODS


def test_the_command_says_what_it_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("{name: s, problems: [branin], methods: [random], budget: {trials: 50}}")
    done = CliRunner().invoke(app, ["advise", "s.yaml", "--seconds", "2"])
    assert done.exit_code == 0, done.output
    assert "branin: bayes" in done.output
    assert "2 s per trial (given)" in done.output
    assert "Budget: 50 trials per run" in done.output
    assert "'Exhaustive search for simple models'" in done.output
    wide = CliRunner().invoke(app, ["advise", "s.yaml", "--seconds", "2", "--parallel", "32"])
    assert "branin: {random: {sequence: sobol}}" in wide.output
    facts = facts_of(load_problem("branin"), 50, None, 1, 2.0)
    for sentence in (*advise(facts).because, *advise(facts).used):
        assert sentence in done.output
