"""Objective files as modules: one name in every process, and nothing mixed."""

import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from runner import Study, run
from runner.errors import ProblemError
from runner.problems import evaluate, load_problem
from runner.problems.files.objective_files import adopt, importable, objective_files

TEXT = """
import random
import numpy as np
from runner import problem

DRAWN = random.random(), np.random.rand()

class Model:
    def __init__(self, x): self.x = x

def square(v): return v * v

@problem(space={"x": {"float": [0, 1]}})
def f(config):
    return square(config["x"])
"""


@pytest.fixture
def write(tmp_path):
    """Writes a file of Python, each time under a name that no other test has used."""
    paths = []

    def write(text=TEXT, name=None, folder="study"):
        path = tmp_path / folder / (name or f"objective_{abs(hash(tmp_path)) % 10**8}.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        paths.append(path)
        return path

    yield write
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in str(getattr(module, "__file__", None)):
            del sys.modules[name]


def module_of(path, name="f"):
    problem = load_problem(f"{path}:{name}")
    return sys.modules[problem.function.__module__]


def test_it_has_the_name_of_its_file(write):
    path = write()
    module = module_of(path)
    assert module.__name__ == path.stem
    assert pickle.loads(pickle.dumps(module.Model(3))).x == 3
    assert pickle.loads(pickle.dumps(module.square)) is module.square


@pytest.mark.parametrize(
    "name", ["random.py", "numpy.py", "my-objective.py", "v1.2.py", "runner.py", "tests.py"]
)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_other_processes_import_it_whatever_its_name(write, name, method):
    module = module_of(write(name=name))
    if method == "forkserver" and name != "random.py":
        pytest.skip("one is enough")
    with importable(), ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(module.square, 3).result() == 9
        assert pool.submit(module.Model, 2).result().x == 2
    assert "random" in sys.modules
    assert sys.modules["random"].__file__.endswith("random.py")
    assert sys.modules["numpy"] is np


def test_files_of_one_name_in_two_folders_are_two(write):
    first = module_of(write())
    second = module_of(write(TEXT.replace("v * v", "v * v * v"), folder="other"))
    assert first.__name__ != second.__name__
    with importable(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(first.square, 3).result() == 9
        assert pool.submit(second.square, 3).result() == 27


def test_what_it_draws_is_the_same_in_every_process(write):
    path = write()
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    module = module_of(path)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    text = (
        "import sys; from runner.problems import load_problem; "
        f"load_problem({str(path) + ':f'!r}); print(sys.modules[{path.stem!r}].DRAWN)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(module.DRAWN).replace("np.float64(", "").replace("))", ")") or (
        done.stdout.strip() == repr(module.DRAWN)
    )


def test_it_is_imported_again_when_a_neighbour_has_changed(write):
    write("SIGN = 1\n", "neighbour_of_one.py")
    path = write("from neighbour_of_one import SIGN\n" + TEXT.replace("v * v", "SIGN * v"))
    first = load_problem(f"{path}:f")
    assert load_problem(f"{path}:f") is first
    write("SIGN = -1\n", "neighbour_of_one.py")
    second = load_problem(f"{path}:f")
    assert [evaluate(one, {"x": 0.5}, 0).loss for one in (first, second)] == [0.5, -0.5]


def test_the_neighbour_of_another_file_is_not_taken_for_its_own(write):
    write("SIGN = 1\n", "neighbour_of_two.py", "a")
    write("SIGN = -1\n", "neighbour_of_two.py", "b")
    text = "from neighbour_of_two import SIGN\n" + TEXT.replace("v * v", "SIGN * v")
    load_problem(f"{write(text, 'objective_a.py', 'a')}:f")
    for _ in range(2):
        with pytest.raises(ProblemError, match="imports 'neighbour_of_two' beside it, but"):
            load_problem(f"{write(text, 'objective_b.py', 'b')}:f")


def test_a_problem_of_a_file_is_pickled_by_its_place(write):
    problem = load_problem(f"{write()}:f")
    assert pickle.loads(pickle.dumps(problem)) is problem


def test_what_another_process_adopts_is_what_was_imported(write, tmp_path):
    path = write(TEXT + "\nLARGE = np.arange(200_000.0)\n")
    module_of(path)
    (file,) = [one for one in objective_files() if one.path == str(path)]
    write("raise ValueError('it has changed meanwhile')")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(pickle.dumps(file))
    text = (
        "import pickle, sys, pathlib; from runner.problems.files.objective_files import adopt\n"
        f"adopt([pickle.loads(pathlib.Path('file').read_bytes())], {{{str(path.parent)!r}: '/moved'}})\n"
        f"module = sys.modules[{path.stem!r}]\n"
        "print(module.__file__, module.square(3), module.LARGE.sum())"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=elsewhere
    )
    assert done.stdout.split() == [f"/moved/{path.name}", "9", str(np.arange(200_000.0).sum())]
    adopt([file], {})  # it is here already


PICKLING = """
import io, pickle, multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from runner import Float, problem
from helper_of_pickling import twice

S = {"x": Float(0.0, 1.0)}
X = np.arange(40.0).reshape(20, 2)
y = np.arange(20) % 2

def square(v): return twice(v) * v

class Clip(TransformerMixin, BaseEstimator):
    def __init__(self, low=0.0): self.low = low
    def fit(self, X, y=None): return self
    def transform(self, X): return np.maximum(X, self.low)

@problem(space=S)
def futures(config):
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(square, config["x"]).result()

@problem(space=S)
def spawned(config):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(square, [config["x"]])[0]

@problem(space=S)
def saved(config):
    return float(pickle.loads(pickle.dumps(Clip(config["x"]))).low)

@problem(space=S)
def validated(config):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(Clip(config["x"]), LogisticRegression())
    return cross_val_score(model, X, y, cv=2, n_jobs=2).mean()

@problem(space=S)
def mapped(config):
    from joblib import Parallel, delayed
    return float(sum(Parallel(n_jobs=2)(delayed(square)(v) for v in (config["x"], 2.0))))
"""
KINDS = ["futures", "spawned", "saved", "validated", "mapped"]


@pytest.mark.ray
def test_what_a_file_defines_may_be_pickled_at_any_worker_count(write, tmp_path, ray_workers):
    write("def twice(v): return 2 * v\n", "helper_of_pickling.py")
    path = write(PICKLING)
    tables = []
    for workers in (0, 2):
        study = Study.build(
            name="pickled",
            problems=[f"{path}:{kind}" for kind in KINDS],
            methods=["random"],
            seeds=1,
            budget={"trials": 1},
        )
        found = run(study, tmp_path / str(workers), workers=workers).trials
        assert found.status.tolist() == ["COMPLETED"] * len(KINDS), found.error.tolist()
        tables.append(found[["run", "number", "config", "loss"]])
    assert tables[0].equals(tables[1])
