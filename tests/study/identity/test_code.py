"""Code is a part of what an objective is: what it calls counts, and nothing else does."""

import functools
import subprocess
import sys
import textwrap

import pytest

from runner import Study
from runner.errors import JournalError
from runner.journal.environments import changes, differences, extended, of_parts
from runner.journal.reader import read_journal
from runner.journal.verify import verify
from runner.problems import load_problem
from runner.problems.base import FunctionProblem
from runner.space import Float, Space
from runner.study.identity.code import code_of, digest_of
from runner.study.identity.environment import environment_of
from runner.study.identity.identity import problem_code
from runner.study.identity.plan import open_journal
from tests.studies import study

OBJECTIVE = '''
"""A file."""
import math
import helper_of_code
from runner import Float, problem

SIGN = 1
SCALE, SHIFT = 2.0, 3.0
OPTIONS = {"a": 1}
OPTIONS.update(b=2)
UNUSED = 7
if SIGN > 0:
    OFFSET = 1.0
else:
    OFFSET = -1.0

def doubled(function):
    def inner(*given): return 2 * function(*given)
    return inner

@doubled
def score(x):
    """What it says does not count."""
    return SIGN * x + OFFSET

class Base:
    factor = 1.0

class Model(Base):
    def at(self, x): return self.factor * x

def another(x):
    return x - UNUSED

SPACE = {"x": Float(0.0, 1.0)}

@problem(space=SPACE)
def loss(config, seed):
    late = __import__("math").pi
    return score(config["x"]) * SCALE + OPTIONS["b"] + Model().at(late) + helper_of_code.ZERO

@problem(space=SPACE)
def other(config):
    return another(config["x"])

if __name__ == "__main__":
    print("not counted")
'''
HELPER = "import helper_of_helper\nZERO = helper_of_helper.zero()\n"
INNER = "def zero():\n    return 0.0\n"

SAME = {
    "a comment": ("    late = ", "    # why\n    late = "),
    "layout": ('score(config["x"]) * SCALE', "score(\n        config['x'],\n    ) * SCALE"),
    "a docstring": ("What it says", "Whatever it says"),
    "the file's own": ('"""A file."""', '"""This file."""'),
    "what is not used": ("UNUSED = 7", "UNUSED = 8"),
    "another objective": ("return another(", "return 1 + another("),
    "what only that one calls": ("return x - UNUSED", "return x + UNUSED"),
    "what runs as a script": ("not counted", "still not"),
    "an import that is not used": ("import math\n", "import math\nimport json\n"),
}
DIFFERENT = {
    "its own text": ("* SCALE", "/ SCALE"),
    "a constant": ("SIGN = 1", "SIGN = -1"),
    "one of two constants": ("2.0, 3.0", "2.5, 3.0"),
    "what changes a constant": ("update(b=2)", "update(b=3)"),
    "a constant of a branch": ("OFFSET = 1.0", "OFFSET = 2.0"),
    "a function": ("return SIGN * x", "return SIGN + x"),
    "a decorator of a function": ("return 2 * function", "return 3 * function"),
    "that it has none": ("@doubled\n", ""),
    "a method of a class": ("return self.factor * x", "return self.factor + x"),
    "a base class": ("factor = 1.0", "factor = 2.0"),
    "what is done at the import": ("UNUSED = 7", "UNUSED = 7\nmath.factor = 3"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helper_of_code.py").write_text(HELPER)
    (tmp_path / "helper_of_helper.py").write_text(INNER)
    (tmp_path / "objective_of_code.py").write_text(OBJECTIVE)
    yield tmp_path
    for name in ("helper_of_code", "helper_of_helper", "objective_of_code"):
        sys.modules.pop(name, None)


def code(folder, name="loss"):
    return problem_code(load_problem(f"objective_of_code.py:{name}", folder)).digests


def change(folder, old, new):
    assert old in OBJECTIVE
    (folder / "objective_of_code.py").write_text(OBJECTIVE.replace(old, new))


@pytest.mark.parametrize("what", SAME)
def test_what_does_not_count(folder, what):
    before = code(folder)
    change(folder, *SAME[what])
    assert code(folder) == before


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_counts(folder, what):
    before = code(folder)
    change(folder, *DIFFERENT[what])
    after = code(folder)
    assert (
        before.keys() == after.keys() == {"objective_of_code.py", "helper_of_code.py", "helper_of_helper.py"}
    )
    assert [name for name in after if after[name] != before[name]] == ["objective_of_code.py"]


@pytest.mark.parametrize("name, text", [("helper_of_code.py", HELPER), ("helper_of_helper.py", INNER)])
def test_a_module_beside_it_counts_and_those_that_it_imports(folder, name, text):
    before = code(folder)
    (folder / name).write_text(text.replace("0", "1").replace("ZERO", "ZERO") + "more = 1\n")
    after = code(folder)
    assert [key for key in after if after[key] != before[key]] == [name]


@pytest.mark.parametrize(
    "statement", ["from helper_of_code import *", "from helper_of_code import ZERO as Z"]
)
def test_every_form_of_import_counts(folder, statement):
    use = "Z" if "Z" in statement.split()[-1] else "ZERO"
    text = OBJECTIVE.replace("import helper_of_code", statement).replace("helper_of_code.ZERO", use)
    (folder / "objective_of_code.py").write_text(text)
    before = code(folder)
    (folder / "helper_of_helper.py").write_text("def zero():\n    return 2.0\n")
    assert code(folder) != before


def test_of_a_package_counts_what_is_imported_and_nothing_else(folder):
    package = folder / "package_of_code"
    files = {
        "__init__.py": "from .one import ONE\n",
        "one.py": "from ._deep.inner import ONE\n",
        "_deep/__init__.py": "",
        "_deep/inner.py": "from .. import two\nONE = 1.0\n",
        "two.py": "TWO = 2.0\n",
        "unused.py": "NOTHING = 0.0\n",
    }
    (package / "_deep").mkdir(parents=True)
    for name, text in files.items():
        (package / name).write_text(text)
    change(folder, "    late = ", "    from package_of_code import one\n    late = one.ONE * ")
    before = code(folder)
    assert {f"package_of_code/{name}" for name in files if name != "unused.py"} <= before.keys()
    (package / "unused.py").write_text("NOTHING = 1.0\n")
    assert code(folder) == before
    (package / "two.py").write_text("TWO = 3.0\n")
    assert code(folder) != before


def test_an_import_within_a_function_counts(folder):
    text = OBJECTIVE.replace("import helper_of_code\n", "").replace(
        "    late = ", "    import helper_of_code\n    late = "
    )
    (folder / "objective_of_code.py").write_text(text)
    assert "helper_of_helper.py" in code(folder)


def test_a_resumed_study_is_refused_and_told_which_file_has_changed(folder):
    def open_it():
        made = Study.build(
            name="code", problems=["objective_of_code.py:loss"], methods=["random"], seeds=1,
            budget={"trials": 3}, folder=folder,
        )  # fmt: skip
        open_journal(folder / "out", made).close()

    open_it()
    open_it()
    (folder / "helper_of_helper.py").write_text("def zero():\n    return 1.0\n")
    with pytest.raises(
        JournalError, match=r"code of its objective has changed since: 'helper_of_helper\.py'"
    ):
        open_it()


# -- functions that are given in Python ------------------------------------------------------------


def maker(factor):
    return lambda config: factor * config["x"]


class Scorer:
    def __init__(self, factor):
        self.factor, self.calls = factor, []

    def __call__(self, config):
        self.calls.append(config)
        return self.factor * config["x"]

    def at(self, config):
        return self.factor + config["x"]


def scaled(config, factor):
    return factor * config["x"]


def of(function):
    return problem_code(FunctionProblem(function, Space({"x": Float(0.0, 1.0)}), "given")).digests


GIVEN = {
    "a closure": lambda factor: maker(factor),
    "a partial": lambda factor: functools.partial(scaled, factor=factor),
    "an instance": lambda factor: Scorer(factor),
    "a method": lambda factor: Scorer(factor).at,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_what_a_function_brings_along_counts(kind):
    make = GIVEN[kind]
    assert of(make(2)) == of(make(2))
    assert "test_code.py" in of(make(2))
    if kind != "a partial":  # its arguments are told apart from its code
        assert of(make(2)) != of(make(3))


def test_what_a_function_remembers_does_not_count():
    scorer = Scorer(2)
    before = of(scorer)
    scorer({"x": 1.0})
    assert of(scorer) == before


SCRIPT = """
import numpy as np
from runner.study.identity.code import code_of
FACTOR = {factor}
TRIALS = {trials}
def loss(config):
    return FACTOR * np.sin(config["x"])
small = lambda config: FACTOR * config["x"]
np.seterr(all="ignore")
print(code_of(loss).digests, code_of(small).digests, code_of(lambda c: FACTOR + c["x"]).digests, {trials})
"""


def test_of_a_script_only_counts_what_the_objective_reaches(tmp_path):
    def script(**values):
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.format(**values))
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
        return done.stdout.rpartition(" ")[0]

    first = script(factor=2, trials=50)
    assert first.count("script.py") == 3
    assert script(factor=2, trials=60) == first
    third = script(factor=3, trials=60)
    assert not set(first.split("'")[3::4]) & set(third.split("'")[3::4])


def test_what_was_typed_into_a_notebook_counts(tmp_path):
    text = textwrap.dedent(
        """
        import linecache, sys
        from runner.study.identity.code import code_of
        def cell(number, text):
            name = f"<cell {number}>"
            linecache.cache[name] = len(text), None, text.splitlines(True), name
            exec(compile(text, name, "exec"), globals())
        del globals()["__file__"]
        cell(1, "SIGN = 1\\ndef score(x): return SIGN * x\\n")
        cell(2, "def loss(config): return score(config['x'])\\n")
        print(code_of(loss).digests)
        cell(3, "def score(x): return SIGN * x + 1\\n")
        print(code_of(loss).digests)
        SIGN = 2
        print(code_of(loss).digests)
        """
    )
    path = tmp_path / "kernel.py"
    path.write_text(text)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(set(lines)) == 3
    assert all("notebook" in line for line in lines)


def test_what_is_installed_or_ours_counts_by_its_version():
    from sklearn.svm import SVC

    assert not code_of(SVC).digests
    assert code_of(SVC).packages == {"sklearn"}
    assert problem_code(load_problem("branin")).digests == {}


def test_syntax_trees_count_and_not_how_they_are_written():
    assert digest_of("x = f(a, b)\n") == digest_of("x=f(\n  a,\n  b,\n)  # why\n")
    assert digest_of("x = 'a'") == digest_of('x = "a"')
    assert digest_of("x = 1") != digest_of("x = 1.0")
    assert digest_of("x = (") != digest_of("x = ((")


# -- versions --------------------------------------------------------------------------------------


def test_versions_are_those_of_what_an_objective_uses(folder):
    (folder / "helper_of_code.py").write_text(HELPER + "import yaml, pandas\nfrom psutil import Process\n")
    made = Study.build(
        name="v",
        problems=["objective_of_code.py:loss"],
        methods=["random"],
        budget={"trials": 1},
        folder=folder,
    )
    found = environment_of(made)
    assert found["python"] == sys.version.split()[0]
    assert found.keys() >= {
        "python",
        "fivefold",
        "numpy",
        "scipy",
        "scikit-learn",
        "pandas",
        "psutil",
        "PyYAML",
    }
    assert not found.keys() & {"math", "runner", "helper_of_code"}


def test_a_change_of_versions_is_recorded_and_told_and_refused_where_that_is_wanted(tmp_path, monkeypatch):
    from runner import run

    made = study(methods=["random"], seeds=1, budget={"trials": 4})
    run(made, tmp_path, workers=0)
    longer = study(methods=["random"], seeds=1, budget={"trials": 6})
    versions = {**read_journal(tmp_path).environments[-1]["versions"], "numpy": "9.9"}
    monkeypatch.setattr("runner.study.identity.plan.environment_of", lambda study: versions)
    with pytest.raises(JournalError, match=r"evaluated with other versions: numpy was .* and is 9\.9"):
        run(longer, tmp_path, workers=0, strict=True)
    results = run(longer, tmp_path, workers=0)
    assert any("numpy was" in note for note in results.notes)
    assert "versions changed after 8 trials" in " ".join(read_journal(tmp_path).notes)
    verdict = verify(tmp_path)
    assert verdict.whole
    assert any("versions changed after 8 trials" in finding.what for finding in verdict.findings)
    assert run(longer, tmp_path, workers=0, strict=True).trials.shape[0] == 12


def test_environments_are_kept_where_they_change():
    one, two = {"python": "3.11", "numpy": "2.0"}, {"python": "3.11", "numpy": "2.1", "torch": "2.13"}
    kept = extended((), one, 0)
    assert extended(kept, one, 5) == kept
    assert extended(kept, two, 0) == [{"versions": two, "before": 0}]
    longer = extended(kept, two, 5)
    assert [entry["before"] for entry in longer] == [0, 5]
    assert list(changes(longer, 5)) == [], "no trial was evaluated since"
    assert list(changes(longer, 6)) == ["versions changed after 5 trials: numpy was 2.0 and is 2.1"]
    assert differences(one, two) == ["numpy was 2.0 and is 2.1"]
    joined = of_parts([(kept, 3), (extended((), two, 0), 4)])
    assert list(changes(joined, 7)) == [
        "parts of it were evaluated with different versions: numpy was 2.0 and is 2.1"
    ]
