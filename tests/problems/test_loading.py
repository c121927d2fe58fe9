import pickle
import sys

import pytest

from runner.errors import FivefoldError, ProblemError, SpaceError
from runner.problems import PROBLEMS, EstimatorProblem, evaluate, load_problem

GOOD = """
from helper import TWO
from runner.problems import problem
from runner.space import Float

@problem(space={"x": Float(0, 1)})
def mine(config):
    return TWO * config["x"]

@problem(space={"x": {"float": [0, 1]}}, name="other")
def second(config):
    return 3 * config["x"]

def plain(config):
    return 1.0
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helper.py").write_text("TWO = 2\n")
    (tmp_path / "mine.py").write_text(GOOD)
    yield tmp_path
    for name in ("helper", "mine"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_a_built_in_problem_has_the_name_that_it_is_asked_by(name):
    assert load_problem(name).name == name


def test_a_problem_is_itself():
    problem = load_problem("branin")
    assert load_problem(problem) is problem


def test_a_file_beside_the_study_may_import_its_neighbours(folder):
    path = list(sys.path)
    mine, other = load_problem("mine.py:mine", folder), load_problem("mine.py:second", folder)
    assert evaluate(mine, {"x": 0.5}, 0).loss == 1.0
    assert (mine.name, other.name) == ("mine", "other")
    assert sys.path == path


def test_a_file_is_imported_once_until_it_changes(folder):
    first = load_problem("mine.py:mine", folder)
    assert load_problem("mine.py:mine", folder) is first
    (folder / "mine.py").write_text(GOOD.replace("TWO *", "5 *"))
    assert evaluate(load_problem("mine.py:mine", folder), {"x": 0.5}, 0).loss == 2.5
    assert evaluate(first, {"x": 0.5}, 0).loss == 1.0


def test_files_of_one_name_in_two_folders_are_two(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "mine.py").write_text(GOOD.replace("from helper import TWO", "TWO = 7"))
    assert evaluate(load_problem("mine.py:mine", other), {"x": 1.0}, 0).loss == 7.0
    assert evaluate(load_problem("mine.py:mine", folder), {"x": 1.0}, 0).loss == 2.0


def test_a_module_by_its_path():
    assert load_problem("runner.problems.synthetic:branin") is load_problem("branin")


def test_an_inline_problem_travels_to_another_process():
    given = {
        "estimator": "sklearn.tree.DecisionTreeClassifier",
        "data": "iris",
        "space": {"max_depth": {"int": [1, 5]}},
    }
    problem = load_problem(given)
    assert isinstance(problem, EstimatorProblem)
    again = pickle.loads(pickle.dumps(problem))
    config = {"max_depth": 2}
    assert evaluate(again, config, 4).folds == evaluate(problem, config, 4).folds
    assert (again.name, again.space.params) == (problem.name, problem.space.params)


@pytest.mark.parametrize(
    "given, says",
    [
        ("brannin", "there is no built-in problem 'brannin'. Did you mean 'branin'?"),
        ("nothing_like_it", "Known are: ackley, branin,"),
        (3, "expected a problem's name, got 3. Write a built-in name"),
        ({"data": "iris"}, "the key 'estimator' is missing. Name a class"),
        ({"recorder": "d"}, "recorder: unknown key. Did you mean 'recorded'?"),
        ({"x": 3}, "expected the keys estimator, data and space, or recorded, got ['x']."),
        ("mine.py", "'mine.py' names a file or module but no problem in it. Write 'mine.py:name'"),
        ("mine.py:", "'mine.py:' names a file or module but no problem in it. Write 'mine.py:name'"),
        ("mine.py:mime", "there is no 'mime' in it. Did you mean 'mine'?"),
        ("mine.py:plain", "expected a problem, got 'plain', a function. Decorate the function with @problem"),
        ("helper.py:mine", "helper.py:mine: there is no 'mine' in it. It has no function decorated"),
        ("mien.py:mine", "mien.py: there is no such file. Did you mean 'mine.py'?"),
        ("no/mine.py:mine", "there is no such file. There is no folder '"),
        (".py:mine", ".py: there is no such file."),
        ("mine:mine", "mine: there is no module 'mine'. Write 'mine.py:...' for the file beside the study."),
        ("nopackage.module:f", "nopackage.module: there is no module 'nopackage'. Install it, or write"),
        ("math:sqrt", "math:sqrt: expected a problem, got 'sqrt', a builtin_function_or_method."),
        (":f", "':f' names a problem but no file or module. Write file.py:f."),
    ],
)
def test_what_is_no_problem_is_refused(folder, given, says):
    with pytest.raises(ProblemError) as caught:
        load_problem(given, folder)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text, kind, says",
    [
        ("import math\n\nmath.sqrt(-1)\n", ProblemError, "line 3: importing it raised ValueError: "),
        ("def f(:\n", ProblemError, "line 1: importing it raised SyntaxError: "),
        ("import not_there\n", ProblemError, "line 1: importing it raised ModuleNotFoundError: "),
        ("def f():\n    raise KeyError('k')\nf()\n", ProblemError, "line 2: importing it raised KeyError"),
        ("raise SystemExit(3)\n", ProblemError, "line 1: importing it raised SystemExit: 3"),
        (
            "from runner.problems import problem\n@problem(space={'x': {'float': [1, 0]}})\ndef f(c): ...\n",
            SpaceError,
            "line 2: space.x: expected low < high, got low=1.0 and high=0.0",
        ),
        (
            "from runner.problems import problem\n@problem(space={'x': [1, 2]})\ndef f(): ...\n",
            ProblemError,
            "line 2: f: the function does not take a config.",
        ),
        (
            "from runner.problems import problem\n@problem(space={'x': [1, 2]})\ndef f(c, data): ...\n",
            ProblemError,
            "line 2: f: the function needs 'data', but is called with the config and the seed only",
        ),
    ],
)
def test_a_file_that_raises_is_shown_with_its_line(tmp_path, text, kind, says):
    (tmp_path / "bad.py").write_text(text)
    for _ in range(2):  # the second time it is not found half-imported
        with pytest.raises(FivefoldError) as caught:
            load_problem("bad.py:f", tmp_path)
        assert type(caught.value) is kind
        assert f"bad.py, {says}" in str(caught.value)


def test_a_user_can_interrupt_an_import(tmp_path):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_problem("slow.py:f", tmp_path)
