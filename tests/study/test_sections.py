"""A whole study file: every fault with its line, whatever else is wrong, and nothing that takes long."""

import copy
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import FivefoldError, MethodError, SpaceError, StudyError
from runner.study.identity.plan import identities_of
from runner.study.study import MOST_RUNS, Study
from runner.study.yaml import dump

OBJECTIVE = """
from runner import problem

@problem(space={"x": {"float": [0, 1]}}, steps=4, default={"x": 0.5})
def f(config):
    return config["x"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a study's objective and data are; with scikit-learn imported, which takes a second."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "o.py").write_text(OBJECTIVE)
    (folder / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(40)))
    load(folder, dump(GOOD))
    return folder


def load(folder, text, **options):
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return Study.load(folder / "s.yaml", **options)


def faults(folder, text, **options):
    with pytest.raises(FivefoldError) as caught:
        load(folder, text, **options)
    assert caught.value.exit_code == 2
    place = f"{folder / 's.yaml'}:"
    assert all(str(fault).startswith(place) for fault in caught.value.faults)
    return [str(fault).removeprefix(place) for fault in caught.value.faults]


GOOD = {
    "name": "s",
    "problems": [
        "branin",
        {
            "name": "mx",
            "estimator": "sklearn.svm.SVC",
            "data": "iris",
            "space": {
                "C": {"float": [0.1, 10], "log": True},
                "degree": {"int": [1, 5]},
                "kernel": {"choice": {"rbf": {"gamma": {"float": [0.1, 1]}}, "linear": {}}},
                "shrinking": [True, False],
            },
            "forbid": [{"degree": [1, 2], "shrinking": True}],
            "cv": 3,
            "params": {"tol": 0.01},
            "fidelity": {"data": [0.5, 1.0]},
        },
        "o.py:f",
        {
            "name": "csv",
            "estimator": "sklearn.tree.DecisionTreeClassifier",
            "data": "t.csv",
            "target": "y",
            "space": {"max_depth": [1, 2, None]},
            "drop": ["b"],
            "prepare": True,
        },
    ],
    "methods": [
        "random",
        {"bayes": {"acquisition": "ei", "xi": 0.1}},
        {"name": "sob", "method": "random", "sequence": "sobol"},
        {"grid": {"points": 3}},
        "auto",
        {"exhaustive": {"resolution": 3}},
    ],
    "seeds": [1, 2, 3],
    "seed": 4,
    "budget": {"trials": 8, "seconds": 90.5},
    "parallel": 2,
    "order": "trial",
    "trial": {"gpus": 0.5, "timeout": 3, "resources": {"tpu": 1}, "problems": {"mx": {"cpus": 2}}},
    "scheduler": {"asha": {"grace": 1}},
    "report": {"budgets": [2, 4], "reference": "random", "rope": 0.1},
    "initial": [
        {"problem": "mx", "config": {"C": 1.0}},
        {"problem": "f", "config": "default"},
        {"problem": "branin", "config": {"x1": 1.0, "x2": 2.0}, "value": 3.0},
    ],
    "files": ["t.csv"],
}

MANY = """\
nme: many
problem:
  - brannin
  - name: svc
    estimator: sklearn.svm.SVCC
    data: irris
    spac:
      C: {flot: [0.1, 10]}
      gamma: {float: [10, 0.1], lgo: true}
      kernel: {choice: {rbf: {g: {int: [5, 1]}}, linear: 3}}
    cv: 1
    targt: x
  - mixed
  - {estimator: sklearn.svm.SVC, data: iris, space: {D: [1, 2]}, params: {kernl: rbf}, scoring: acuracy}
  - {recrded: nowhere}
  - gone.py:f
methods:
  - bayess
  - {bayes: {acquisitoin: ei, kappa: big}}
  - {name: x, mehod: random}
  - {tpe: {startup: 0, gamma: -1}}
  - exhaustive
  - random
  - random
seeds: three
budget: {trial: 20, seconds: 1:30}
order: trail
trial:
  cpu: 2
  timeout: 1_000
scheduler: {asha: {grce: 2}}
report: {budgets: [5, 0]}
initial:
  - defalt
  - {config: {x: 99}, problem: mixed}
  - {x: 0.5, raet: 3}
  - {fro: results/x}
files: [tt.csv]
"""

FOUND = """\
1:1: nme: unknown key. Did you mean 'name'?
2:1: problem: unknown key. Did you mean 'problems'?
3:5: problems[0]: there is no built-in problem 'brannin'. Did you mean 'branin'?
5:5: problems[1]: estimator: 'sklearn.svm' has no 'SVCC'. Did you mean 'sklearn.svm.SVC'?
6:5: problems[1]: data: there is no data set 'irris'. Did you mean 'iris'?
7:5: problems[1]: spac: unknown key. Did you mean 'space'?
8:7: problems[1]: space.C: expected one of the keys float, int and choice, got ['flot']. Did you mean 'float'?
9:7: problems[1]: space.gamma: expected low < high, got low=10.0 and high=0.1.
9:33: problems[1]: space.gamma.lgo: unknown key. Did you mean 'log'?
10:31: problems[1]: space.kernel.rbf.g: expected low < high, got low=5 and high=1.
10:50: problems[1]: space.kernel.linear: expected a mapping, the parameters of option 'linear', got 3.
11:5: problems[1]: cv: expected an integer of at least 2 folds, got 1.
12:5: problems[1]: targt: unknown key. Did you mean 'target'?
14:54: problems[3]: space.D: SVC has no parameter 'D'.
14:75: problems[3]: params.kernl: SVC has no parameter 'kernl'. Did you mean 'kernel'?
14:88: problems[3]: scoring: scikit-learn has no scorer 'acuracy'. Did you mean 'accuracy'?
15:6: problems[4]: recrded: unknown key. Did you mean 'recorded'?
16:5: problems[5]: {folder}/gone.py: there is no such file.
18:5: methods[0]: unknown method 'bayess'. Did you mean 'bayes'?
19:14: methods[1]: acquisitoin: method 'bayes' has no setting 'acquisitoin'. Did you mean 'acquisition'?
19:31: methods[1]: kappa: expected a number, got 'big'.
20:5: methods[2]: expected a method's name,
21:12: methods[3]: startup: expected at least 1, got 0.
21:24: methods[3]: gamma: expected a positive number, got -1.0.
24:5: methods[6]: duplicate name 'random'.
25:1: seeds: expected an integer or a list, got 'three'.
26:10: budget.trial: unknown key. Did you mean 'trials'?
26:30: '1:30' is 90 in YAML 1.1 and a string in YAML 1.2. Write 90, or '1:30' in quotes.
27:1: order: expected 'trial' or 'async', got 'trail'. Did you mean 'trial'?
29:3: trial.cpu: unknown key. Did you mean 'cpus'?
30:12: '1_000' is 1000 in YAML 1.1 and a string in YAML 1.2. Write 1000, or '1_000' in quotes.
31:20: scheduler.grce: unknown key. Did you mean 'grace'?
32:23: report.budgets[1]: expected at least 1, got 0.
34:5: initial[0]: expected a mapping, got 'defalt'. Did you mean 'default'?
35:15: initial[1]: x: expected a value from 0.0 to 1.0, got 99.0.
36:14: initial[2]: raet: unknown parameter. Did you mean 'rate'?
37:6: initial[3]: fro: unknown parameter. Did you mean 'from'?
38:9: files[0]: there is no file 'tt.csv'. Did you mean 't.csv'?
"""


# -- all at once ----------------------------------------------------------------------------------


def test_all_faults_of_a_file_are_found_at_once_each_with_its_line(folder):
    found = faults(folder, MANY)
    wanted = FOUND.replace("{folder}", str(folder)).splitlines()
    assert [line for line, start in zip(found, wanted, strict=False) if not line.startswith(start)] == []
    assert len(found) == len(wanted)


def test_python_says_the_same_without_lines():
    given = {"problem": ["brannin"], "methods": ["bayess"], "seeds": "three", "budget": {"trial": 20}}
    with pytest.raises(StudyError) as caught:
        Study.build(name="s", **given)
    assert str(caught.value).splitlines() == [
        "study: problem: unknown key. Did you mean 'problems'?",
        "study: problems[0]: there is no built-in problem 'brannin'. Did you mean 'branin'?",
        "study: methods[0]: unknown method 'bayess'. Did you mean 'bayes'?",
        "study: seeds: expected an integer or a list, got 'three'. Write seeds: 5, or seeds: [0, 1, 2].",
        "study: budget.trial: unknown key. Did you mean 'trials'?",
    ]


def test_faults_of_one_kind_are_an_error_of_that_kind():
    keys = {"name": "s", "problems": ["branin"], "budget": {"trials": 3}}
    with pytest.raises(MethodError) as caught:
        Study.build(methods=["bayess", "tppe"], **keys)
    assert len(caught.value.faults) == 2
    space = {"a": {"float": [1, 0]}, "b": {"int": [1, 0]}}
    with pytest.raises(SpaceError) as caught:
        Study.build(
            **keys | {"problems": [{"estimator": "sklearn.svm.SVC", "data": "iris", "space": space}]},
            methods=["tpe"],
        )
    assert len(caught.value.faults) == 2


def test_names_that_may_be_those_of_faulty_parts_are_not_judged(folder):
    text = """\
name: s
problems: [branin, {name: svc, estimator: sklearn.svm.SVC, data: iris, space: {C: [1, 1]}}]
methods: [random, {name: other, method: byes}]
budget: {trials: 3}
trial: {problems: {svc: {cpus: 2}}}
report: {reference: other}
initial: [{problem: svc, config: {C: 1}}]
"""
    assert [line.split(": ")[1] for line in faults(folder, text)] == ["problems[1]", "methods[1]"]
    sound = text.replace("[1, 1]", "[1, 2]").replace("byes", "bayes")
    assert load(folder, sound)
    wrong = sound.replace("{svc: {cpus", "{svcc: {cpus").replace("reference: other", "reference: othr")
    assert faults(folder, wrong.replace("problem: svc", "problem: vsc")) == [
        "5:20: trial.problems.svcc: the study has no problem 'svcc'. Did you mean 'svc'?",
        "6:10: report.reference: the study has no method 'othr'. Did you mean 'other'?",
        "7:12: initial[0]: problem: the study has no problem 'vsc'. Did you mean 'svc'?",
    ]


def test_data_are_looked_at_too_where_anything_else_is_wrong(folder):
    text = """\
name: s
problems:
  - {estimator: sklearn.svm.SVC, data: t.csv, target: z, space: {C: [1, 2]}}
  - {name: gone, estimator: sklearn.svm.SVC, data: gone.csv, target: y, space: {C: [1, 2]}}
methods: [random]
budget: {trials: 0}
"""
    found = faults(folder, text, data=True)
    assert [line.split(":")[0] for line in found] == ["3", "4", "6"]
    assert "there is no column 'z'" in found[0]
    assert len(faults(folder, text)) == 1
    with pytest.raises(FivefoldError) as caught:
        load(folder, text.replace("trials: 0", "trials: 1")).check()
    assert len(caught.value.faults) == 2


def test_methods_that_cannot_search_a_space_are_named_in_their_line(folder):
    text = "name: s\nproblems: [branin, lasso]\nmethods:\n  - random\n  - exhaustive\nbudget: {seconds: 1}\n"
    found = faults(folder, text)
    assert [line.split(" exhaustive:")[0] for line in found] == [
        "5:5: methods[1]: on problem 'branin':",
        "5:5: methods[1]: on problem 'lasso':",
    ]


# -- YAML -----------------------------------------------------------------------------------------


def test_a_merged_problem_is_one_of_its_own(folder):
    study = load(
        folder,
        """\
name: merged
problems:
  - &svc {name: svc, estimator: sklearn.svm.SVC, data: iris, space: &space {C: {float: [0.1, 10]}}}
  - {<<: *svc, name: svc-wine, data: wine}
  - {<<: [*svc], name: svc-2, space: {<<: *space, gamma: {float: [0.1, 1]}}}
methods: [random]
budget: {trials: 3}
""",
    )
    assert [(problem.name, problem.data, problem.space.names) for problem in study.problems] == [
        ("svc", "iris", ("C",)),
        ("svc-wine", "wine", ("C",)),
        ("svc-2", "iris", ("C", "gamma")),
    ]
    again = load(folder, study.as_yaml())
    assert identities_of(again) == identities_of(study)


@pytest.mark.parametrize(
    "options",
    [
        "[02, 08, 1e3, .5, 0x1F, 0o17, +1, 3.]",
        "['1e3', '010', '0o7', '1_0', '1:30', '08', 'yes', 'null', '~', '2020-01-01', '', '<<']",
        "[yes, no, on, off, y, n, 2020-01-01, 1.2.3, =, e5]",
        "[1, '1', 1.0, true, 'true', null, 'null']",
        "{choice: {1: {tol: [1, 2]}, '1': {degree: [1, 2]}, 1e3: {}, '1e3': {}, ~: {coef0: [x, 'y']}}}",
        "{choice: [.inf, -.inf, 1e20, 1e-20, 123456789012345678901234567890]}",
        "{float: [1e-3, 1E5], log: true}",
    ],
)
def test_the_study_as_run_means_the_same(folder, options):
    text = f"name: s\nproblems: [{{estimator: sklearn.svm.SVC, data: iris, space: {{C: {options}}}}}]\n"
    text += "methods: [random, {tpe: {gamma: 1e-1}}]\nseeds: 2\nbudget: {trials: 1e1, seconds: 1e3}\n"
    study = load(folder, text)
    again = load(folder, study.as_yaml())
    assert study.problems[0].space == again.problems[0].space
    assert identities_of(study) == identities_of(again)
    assert (study.budget, study.seeds, study.trial) == (again.budget, again.seeds, again.trial)


# -- what would take long -------------------------------------------------------------------------

BUILT_IN = "ackley, branin, conditional, elastic_net, hartmann6, lasso, ridge, mixed, rosenbrock, sphere"
NINE = "[0, 1, 2, 3, 4, 5, 6, 7, 8]"
NAMES = ["C", "gamma", "kernel", "degree", "coef0", "shrinking", "tol", "max_iter"]


def svc(space, forbid=""):
    return f"[{{estimator: sklearn.svm.SVC, data: iris, space: {{{space}}}, forbid: [{forbid}]}}]"


def text(problems="[branin]", methods="[random]", seeds="1", budget="{trials: 1000000000}", more=""):
    return f"name: s\nproblems: {problems}\nmethods: {methods}\nseeds: {seeds}\nbudget: {budget}\n{more}"


def variants(method, setting):
    return ", ".join(f"{{name: v{i}, method: {method}, {setting}: {99_900 + i}}}" for i in range(13))


BOMBS = {
    "seeds": text(seeds="1000000"),
    "more seeds": text(seeds="1000000000000000000"),
    "trials": text(budget="{trials: 1000000000000000000}"),
    "seconds": text(budget="{seconds: 1e300}"),
    "parallel": text(f"[{BUILT_IN}]", "[random, tpe, bayes, gradient, auto]", more="parallel: 1000000000"),
    "grids": text(f"[{BUILT_IN}]", f"[grid, {variants('grid', 'points')}]"),
    "resolutions": text(f"[{BUILT_IN}]", f"[{variants('exhaustive', 'resolution')}]"),
    "range": text(svc("C: {int: [0, 1000000000000000000]}"), "[exhaustive, grid]"),
    "steps": text(svc("C: {float: [0, 1], step: 1e-12}, tol: {int: [0, 9e14]}"), "[exhaustive, grid]"),
    "logarithm": text(svc("C: {int: [1, 8000000000000], log: true}"), f"[{variants('grid', 'points')}]"),
    "forbidden": text(
        svc(
            ", ".join(f"{name}: {NINE}" for name in NAMES),
            ", ".join(f"{{{NAMES[i % 8]}: {i % 9}, {NAMES[(i + 1) % 8]}: {2 * i % 9}}}" for i in range(20)),
        ),
        "[random, grid, exhaustive]",
    ),
    "forbidden points": text(
        svc(
            ", ".join(f"{name}: {NINE}" for name in NAMES[:6]) + ", tol: {int: [1, 100000]}",
            ", ".join(f"{{{NAMES[i % 6]}: {i % 9}, {NAMES[(i + 1) % 6]}: {2 * i % 9}}}" for i in range(12)),
        ),
        "[grid, {name: g, method: grid, points: {tol: 3}}]",
    ),
    "branches": text(
        svc(", ".join(f"p{i}: {{choice: {{a: {{q{i}: [1]}}, b: {{r{i}: [1]}}}}}}" for i in range(13)))
    ),
    "first configs": text(f"[{BUILT_IN}]", more=f"initial: [{', '.join(f'{{x: {i}}}' for i in range(80))}]"),
    "no first config": text(
        "[conditional]", more=f"initial: [{', '.join(['{depth: 3, penalty: 1.0}'] * 30)}]"
    ),
    "names": text(f"[{'a' * 800}]"),
    "modules": text(f"[{{estimator: {'a.' * 400}b, data: iris, space: {{C: [1]}}}}]"),
    "paths": text(f"[{{recorded: {'a' * 300}}}, {'b' * 300}.py:f]", more=f"files: [{'c' * 300}]"),
    "keys": text(more="".join(f"k{i}: 1\n" for i in range(110))),
    "settings": text(methods=f"[{{bayes: {{{', '.join(f'k{i}: 1' for i in range(100))}}}}}]"),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_a_kilobyte_is_accepted_or_refused_at_once(folder, bomb):
    assert len(bomb) <= 1100
    start = time.process_time()
    error = None
    try:
        study = load(folder, bomb)
        assert study.announcements.keys() == study.prepared.keys()
    except FivefoldError as refusal:
        error = refusal
    # A second on an idle machine; the slowest of them takes a third of that.
    assert time.process_time() - start < 3
    assert error is None or all(len(fault.message) < 500 for fault in error.faults)


def test_a_study_of_too_many_runs_is_run_in_parts(folder):
    study = load(folder, text(seeds=str(MOST_RUNS + 1)))
    with pytest.raises(
        StudyError, match=r"4:1: seeds: expected at most 100,000 runs .*, got 100,001\. Run it in"
    ):
        study.check()


JUNK = [
    None, True, False, 0, -1, 1, 2.5, 1e18, 10**18, 10**300, 1e308, float("inf"), float("nan"), "", "x",
    "yes", "1e3", "010", "a" * 300, "\x1b[2J", "\u202ex", "o.py", "o.py:", "sklearn.svm.SVC", "iris", "t.csv",
    [], {}, [[]], {"a": 1}, {1: 2}, {None: None}, [1, "1"], [1, 1.0, True], {"choice": {}}, {"float": [0, 1]},
    {"int": [0, 10**18]}, {"int": [0, 2**49]}, "/dev/zero", "/dev", "a/b", "branin", {"recorded": "x"},
    {"estimator": "os.system", "data": "iris", "space": {"a": [1]}}, list(range(50)), "a\nb", "*x", 2**64,
]  # fmt: skip


def parts(tree):
    """Each container in a tree with each of its keys or positions."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in pairs:
        yield tree, key
        yield from parts(inner)


def misspelt(key, rng):
    text = str(key)
    i = rng.randrange(len(text) + 1)
    return rng.choice(
        [text[:i] + text[i + 1 :], f"{text[:i]}x{text[i:]}", text[::-1], f"{text}s", 3, None, True]
    )


@given(st.integers(0, 2**32))
def test_whatever_is_changed_in_a_study_it_is_refused_with_lines_or_means_the_same_again(folder, seed):
    rng = random.Random(seed)
    tree = copy.deepcopy(GOOD)
    for _ in range(rng.choice([1, 1, 2, 4])):
        part, key = rng.choice(list(parts(tree)))
        change = rng.choice(["junk", "junk", "leave out", "misspell", "wrap"])
        if change == "junk":
            part[key] = copy.deepcopy(rng.choice(JUNK))
        elif change == "wrap":
            part[key] = [part[key]]
        elif change == "misspell" and isinstance(part, dict):
            part[misspelt(key, rng)] = part.pop(key)
        else:
            del part[key]
    study, refused = None, ()
    try:
        study = load(folder, dump(tree))
    except FivefoldError as error:
        refused = error.faults
    assert all(str(fault).startswith(f"{folder / 's.yaml'}:") for fault in refused)
    if study is None:
        return
    again = load(folder, study.as_yaml())
    assert [run.id for run in again.runs] == [run.id for run in study.runs]
    assert identities_of(again) == identities_of(study)
