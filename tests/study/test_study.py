import re

import pytest
import yaml

from runner.errors import FivefoldError, MethodError, ProblemError, SpaceError, StudyError
from runner.problems import problem
from runner.space import Float
from runner.study.study import Study


@problem(space={"x": Float(0, 1)})
def line(config):
    return config["x"]


KEYS = {
    "name": "s",
    "problems": ["branin", "mixed"],
    "methods": [
        "random",
        {"bayes": {"acquisition": "ei"}},
        {"name": "sobol", "method": "random", "sequence": "sobol"},
    ],
    "seeds": 3,
    "budget": {"trials": 7},
}


def build(**changes):
    return Study.build(**{key: value for key, value in (KEYS | changes).items() if value is not None})


def test_the_runs_are_methods_times_problems_times_seeds():
    study = build(seeds=[4, 2])
    assert len(study.runs) == 2 * 3 * 2
    assert len({run.id for run in study.runs}) == len(study.runs)
    assert [run.id for run in study.runs[:4]] == [
        "branin/random/4",
        "branin/bayes/4",
        "branin/sobol/4",
        "mixed/random/4",
    ]


def test_the_methods_of_a_block_share_its_seeds_and_no_other_block_does():
    blocks = {}
    for run in build().runs:
        blocks.setdefault((run.problem.name, run.seed), set()).add((run.entropy, run.problem_seed))
    assert all(len(seeds) == 1 for seeds in blocks.values())
    assert len(set.union(*blocks.values())) == len(blocks)
    assert all(problem_seed < 2**32 for seeds in blocks.values() for _, problem_seed in seeds)


def test_seeds_depend_on_names_only():
    few = build(problems=["mixed"], methods=["random"], seeds=[2]).runs
    (same,) = (run for run in build().runs if run.id == few[0].id)
    assert (few[0].entropy, few[0].problem_seed) == (same.entropy, same.problem_seed)
    (other,) = build(problems=["mixed"], methods=["random"], seeds=[2], seed=1).runs
    assert (few[0].entropy, few[0].problem_seed) != (other.entropy, other.problem_seed)


def test_methods_are_prepared_for_the_space_and_the_budget():
    study = build(methods=["grid"], budget={"trials": 16})
    sizes = {}
    for run in study.runs:
        sizes[run.problem.name] = run.method.announce(run.problem.space, 16)
    assert "16" in sizes["branin"]  # 4 x 4
    assert sizes["branin"] != sizes["mixed"]
    assert study.methods == build(methods=["grid"]).methods  # as written, for any space


def test_a_file_may_name_what_stands_beside_it(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "own.py").write_text(
        "from runner.problems import problem\n@problem(space={'x': [1, 2]})\ndef mine(c): return c['x']\n"
    )
    (tmp_path / "sub" / "t.csv").write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    inline = {"estimator": "sklearn.tree.DecisionTreeClassifier", "data": "t.csv", "target": "y"}
    inline["space"] = {"max_depth": {"int": [1, 3]}}
    (tmp_path / "sub" / "s.yaml").write_text(yaml.safe_dump(KEYS | {"problems": ["own.py:mine", inline]}))
    monkeypatch.chdir(tmp_path)
    study = Study.load("sub/s.yaml")
    study.check()
    assert [p.name for p in study.problems] == ["mine", "DecisionTreeClassifier-t"]
    monkeypatch.chdir("/")
    study.problems[1].check()


def test_a_study_as_run_is_a_study_file_again(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(KEYS | {"report": {"reference": "bayes", "rope": 0.1}, "parallel": 2}))
    study = Study.load(path)
    for changed in (study, study.changed(methods=["sobol", "random"], seeds=1, trials=2)):
        path.write_text(changed.as_yaml())
        again = Study.load(path)
        assert [run.id for run in again.runs] == [run.id for run in changed.runs]
        assert [run.entropy for run in again.runs] == [run.entropy for run in changed.runs]
        assert (again.methods, again.budget, again.parallel) == (changed.methods, changed.budget, 2)
        assert again.report == changed.report
    assert study.report.reference == "bayes"
    assert again.report.reference is None  # it is no method of the smaller study


def test_problems_may_be_objects():
    study = build(problems=[line, "branin"])
    assert study.problems[0] is line
    study.check()


@pytest.mark.parametrize(
    "given, says",
    [
        ({"methods": ["byes"]}, "--methods: the study has no method 'byes'. Did you mean 'bayes'?"),
        ({"seeds": 0}, "--seeds: expected 1 to 1,000,000 seeds, got 0."),
        ({"trials": 0}, "--trials: expected 1 to 1,000,000,000 trials, got 0."),
    ],
)
def test_a_change_that_does_not_fit_is_refused(given, says):
    with pytest.raises(StudyError) as caught:
        build().changed(**given)
    assert str(caught.value) == says


SVC = {"estimator": "sklearn.svm.SVC", "data": "iris", "space": {"C": {"float": [0.1, 1]}}}


@pytest.mark.parametrize(
    "changes, kind, says",
    [
        ({"methods": ["byes"]}, MethodError, "methods[0]: unknown method 'byes'. Did you mean 'bayes'?"),
        (
            {"methods": [{"name": "b", "method": "byes"}]},
            MethodError,
            "methods[0]: unknown method 'byes'.",
        ),
        (
            {"methods": ["tpe", {"bayes": {"acquisitoin": "ei"}}]},
            MethodError,
            "methods[1]: acquisitoin: method",
        ),
        (
            {"methods": [{"bayes": {"acquisition": "x"}}]},
            MethodError,
            "methods[0]: acquisition: expected 'logei', 'ei', 'ucb', 'pi' or 'thompson', got 'x'.",
        ),
        ({"methods": ["tpe", "tpe"]}, StudyError, "methods[1]: duplicate name 'tpe'. Write {name:"),
        ({"methods": [3]}, StudyError, "methods[0]: expected a method's name, {name: {setting: value}} or"),
        ({"methods": [{"bayes": {}, "tpe": {}}]}, StudyError, "methods[0]: expected a method's name,"),
        ({"methods": [{"bayes": 3}]}, StudyError, "methods[0]: expected a method's name, "),
        (
            {"methods": ["exhaustive"]},
            MethodError,
            "methods[0]: on problem 'branin': exhaustive: expected a finite sp",
        ),
        (
            {"report": {"reference": "tpee"}},
            StudyError,
            "report.reference: the study has no method 'tpee'.",
        ),
        ({"problems": ["brannin"]}, ProblemError, "problems[0]: there is no built-in problem 'brannin'. Did"),
        (
            {"problems": ["mixed", "mixed"]},
            StudyError,
            "problems[1]: duplicate name 'mixed'. Give one",
        ),
        ({"problems": ["gone.py:f"]}, ProblemError, "problems[0]: {folder}/gone.py: there is no such file."),
        ({"problems": [SVC | {"space": {}}]}, SpaceError, "problems[0]: space: expected at least one"),
        (
            {"problems": [SVC | {"space": {"C": {"float": [1, 1]}}}]},
            SpaceError,
            "problems[0]: space.C: expected low < high, got low=1.0 and high=1.0.",
        ),
        (
            {"problems": [SVC | {"space": {"C": {"float": [0, 1], "log": True}}}]},
            SpaceError,
            "problems[0]: space.C: expected low > 0 with log: true, got low=0.0.",
        ),
        (
            {"problems": [SVC | {"space": {"kernel": ["rbf"]}, "forbid": [{"kernel": "rbf"}]}]},
            StudyError,
            "problems[0]: forbid: expected a space with configs, got one that forbids all. Forbid less.",
        ),
        (
            {"problems": ["mixed", SVC | {"cv": 99}]},
            ProblemError,
            "problems[1]: cv: expected at least 99 rows outside",
        ),
        (
            {"problems": [SVC | {"scoring": "neg_log_loss"}]},
            ProblemError,
            "problems[0]: scoring: 'neg_log_loss' needs predict_proba, which SVC does not have",
        ),
        ({"seeds": 0}, StudyError, "seeds: expected at least 1, got 0."),
    ],
)
def test_every_mistake_has_its_file_and_key(tmp_path, changes, kind, says):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(KEYS | changes))
    with pytest.raises(FivefoldError) as caught:
        Study.load(path).check()
    assert type(caught.value) is kind
    place, _, message = str(caught.value).partition(": ")
    assert re.fullmatch(rf"{path}:\d+:\d+", place)
    assert message.startswith(says.replace("{folder}", str(tmp_path)))
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None


def test_an_objective_that_always_fails_is_no_mistake_of_the_study(tmp_path):
    (tmp_path / "f.py").write_text(
        "from runner.problems import problem\n@problem(space={'x': [1, 2]})\ndef f(config): return 1 / 0\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(KEYS | {"problems": ["f.py:f"]}))
    Study.load(path).check()


def test_what_methods_announce_is_said_once_for_all_seeds():
    made = Study.build(
        name="s",
        problems=["branin"],
        methods=["random", {"grid": {"points": 3}}],
        seeds=4,
        budget={"trials": 9},
    )
    assert list(made.announcements) == [("branin", "random"), ("branin", "grid")]
    assert made.announcements["branin", "random"] == ""
    assert made.announcements["branin", "grid"].startswith("9 grid points")


def test_a_scheduler_that_could_stop_nothing_is_refused():
    keys = {"name": "s", "methods": ["random"], "budget": {"trials": 3}}
    stepwise = problem({"x": {"float": [0, 1]}}, steps=4)(lambda config: iter([config["x"]] * 4))
    made = Study.build(problems=["branin", stepwise], scheduler="asha", **keys)
    assert [made.staged(one) for one in made.problems] == [False, True]
    with pytest.raises(StudyError, match="scheduler: expected a problem with steps, got none"):
        Study.build(problems=["branin"], scheduler="asha", **keys)
    with pytest.raises(
        StudyError, match=r"scheduler: grace: expected at most 3, since .* has 4 steps, got 4"
    ):
        Study.build(problems=[stepwise], scheduler={"asha": {"grace": 4}}, **keys)
