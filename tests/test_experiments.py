"""The study files that come with the program can be run, and the README names them all."""

import re
from pathlib import Path

import pytest

from runner.problems import evaluate
from runner.seeds import rng_for
from runner.space.domains import Choice, Float, Int
from runner.study.study import Study
from runner.trial import Status

FOLDER = Path(__file__).parents[1] / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_study_can_be_run(path):
    study = Study.load(path)
    study.check()
    for problem in study.problems:
        outcome = evaluate(problem, problem.space.sample(rng_for("experiments", problem.name)), 0)
        assert outcome.status is Status.COMPLETED, outcome.error
    assert path.read_text().startswith("# ")  # the question
    assert study.report.reference in dict(study.methods)
    assert max(study.report.budgets) <= study.budget.trials


def test_the_readme_has_a_line_for_each():
    rows = re.findall(
        r"^\| \[(\w+)\]\((\w+\.yaml)\) .*`fivefold run experiments/(\w+\.yaml)`",
        (FOLDER / "README.md").read_text(),
        re.MULTILINE,
    )
    assert {path.name for path in FILES} == {file for _, file, _ in rows}
    assert all(name == Path(file).stem == Path(command).stem for name, file, command in rows)


def test_the_readme_copies_no_figures():
    """Who wants numbers runs the command; a copy is wrong as soon as a method changes."""
    for name, answer in re.findall(
        r"^\| \[(\w+)\].*`fivefold run \S+` \| (.*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    ):
        assert answer, name
        assert not re.search(r"`[\w-]+` \d", answer), f"{name}: a figure of a method"


def test_the_quickstart_has_all_methods_a_gradient_and_every_kind_of_parameter():
    study = Study.load(FOLDER / "quickstart.yaml")
    smooth, mixed = study.problems
    assert {label for label, _ in study.methods} == {
        "exhaustive",
        "random",
        "grid",
        "bayes",
        "tpe",
        "gradient",
    }
    assert len(study.seeds) == 3
    assert smooth.has_gradient
    assert smooth.space.continuous == smooth.space.names
    kinds = {type(domain) for _, domain in mixed.space.dimensions}
    assert kinds == {Float, Int, Choice}


def test_the_digits_studies_have_the_spaces_of_the_tutorial():
    (nested,) = Study.load(FOLDER / "digits_mlp.yaml").problems
    (flat,) = Study.load(FOLDER / "digits_mlp_flat.yaml").problems
    common = {
        "hidden_layer_sizes": Int(10, 200),
        "activation": Choice(["identity", "logistic", "tanh", "relu"]),
        "alpha": Float(0, 1),
    }
    batch = Int(10, 200)
    assert dict(flat.space.params) == common | {
        "solver": Choice(["lbfgs", "sgd", "adam"]),
        "batch_size": batch,
    }
    solver = {"lbfgs": {}, "sgd": {"batch_size": batch}, "adam": {"batch_size": batch}}
    assert dict(nested.space.params) == common | {"solver": Choice(solver)}
    assert (nested.cv, nested.metric) == (flat.cv, flat.metric) == (5, "accuracy")
    for problem in (nested, flat):
        config = problem.space.sample(rng_for("whole numbers"))
        assert type(config["hidden_layer_sizes"]) is int
