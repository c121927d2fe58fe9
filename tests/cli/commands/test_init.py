"""What ``fivefold init`` writes runs as it is."""

from importlib.resources import files

import pytest
from typer.testing import CliRunner

from runner.cli.commands.init import Case
from runner.cli.main import app
from runner.problems import evaluate
from runner.seeds import rng_for
from runner.study.study import Study
from runner.trial import Status


@pytest.mark.parametrize("case", ["compare", "estimator", "function", "models", "steps"])
def test_what_init_writes_can_be_run(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "study.yaml", "--case", case])
    assert done.exit_code == 0, done.output
    assert "Run it with: fivefold run study.yaml" in done.output
    study = Study.load("study.yaml")
    study.check()
    for problem in study.problems:
        outcome = evaluate(problem, problem.default or problem.space.sample(rng_for("init")), 0)
        assert outcome.status is Status.COMPLETED, outcome.error
    assert study.staged(study.problems[0]) == (case == "steps")
    again = CliRunner().invoke(app, ["init", "other.yaml", "--case", case])
    assert (again.exit_code != 0) == (tmp_path / "objective.py").exists()


def test_there_is_a_folder_for_every_case_and_no_other():
    folders = {path.name for path in files("runner.cli.starters").iterdir() if path.is_dir()} - {
        "__pycache__"
    }
    assert folders == set(Case)
