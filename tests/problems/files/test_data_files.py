"""Files that objectives open, by the names that a study has for them."""

from pathlib import Path

import pytest

from runner import data_file, problem, run
from runner.errors import JournalError, ProblemError, StudyError
from runner.problems import evaluate
from runner.problems.files.data_files import find_files, place, placed
from runner.study.study import Study

OBJECTIVE = """
from runner import data_file, problem

BESIDE = data_file("numbers.txt").read_text()


@problem(space={"x": {"float": [0, 1]}})
def total(config):
    return config["x"] + sum(map(float, data_file("numbers.txt").read_text().split()))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study/objective.py").write_text(OBJECTIVE)
    (tmp_path / "study/numbers.txt").write_text("1 2 3")
    return tmp_path / "study"


def build(folder, **keys):
    given = {"problems": ["objective.py:total"], "methods": ["random"], "seeds": 1, "budget": {"trials": 2}}
    return Study.build(folder=folder, name="filed", files=["numbers.txt"], **given | keys)


def test_an_objective_finds_its_file_wherever_the_study_is_started(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = build(folder)
    made.check()
    trials = run(made, tmp_path / "out", workers=0).trials
    assert trials["loss"].between(6, 7).all()


def test_a_study_whose_files_have_changed_does_not_go_on(folder, tmp_path):
    run(build(folder), tmp_path / "out", workers=0)
    run(build(folder, budget={"trials": 3}), tmp_path / "out", workers=0)
    (folder / "numbers.txt").write_text("1 2 4")
    with pytest.raises(JournalError, match=r"its file 'numbers\.txt' has changed since"):
        run(build(folder, budget={"trials": 4}), tmp_path / "out", workers=0)


def test_the_file_of_a_study_goes_before_one_beside_the_module(tmp_path):
    (tmp_path / "one.txt").touch()
    with placed(find_files(["one.txt"], tmp_path)):
        assert data_file("one.txt") == tmp_path / "one.txt"
        with pytest.raises(ProblemError, match=r"a file 'ones\.txt'\. Did you mean 'one\.txt'\?"):
            data_file("ones.txt")
    with pytest.raises(ProblemError, match=r"Write 'files: \[one\.txt\]' in the study file"):
        data_file("one.txt")
    assert data_file("test_data_files.py").samefile(__file__)


def test_on_another_machine_a_missing_file_is_explained(tmp_path):
    opened = problem(space={"x": {"float": [0, 1]}})(lambda config: Path("/nowhere/x.csv").read_text())
    assert "see data_file" not in evaluate(opened, {"x": 0.5}, 0).error
    place({}, away=True)
    try:
        assert (
            "only the files that the study lists under 'files'; see data_file."
            in evaluate(opened, {"x": 0.5}, 0).error
        )
    finally:
        place({})


@pytest.mark.parametrize(
    "files, says",
    [
        (["number.txt"], "study: files[0]: there is no file 'number.txt'. Did you mean 'numbers.txt'?"),
        (["numbers.txt", "."], "study: files[1]: '.' is a folder."),
        (["numbers.txt", "numbers.txt"], "study: files[1]: 'numbers.txt' is listed twice."),
    ],
)
def test_files_that_cannot_be_sent_are_refused(folder, files, says):
    with pytest.raises(StudyError) as caught:
        Study.build(folder=folder, name="f", problems=["branin"], methods=["random"], budget={"trials": 1},
                    files=files)  # fmt: skip
    assert str(caught.value).startswith(says)
