"""The command as a user has it: what it prints, what it refuses, and what it exits with."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from runner.cli import main as cli
from runner.results import Results
from runner.study.identity.plan import open_journal
from runner.study.study import Study

HERE = Path(__file__).parents[1]
EXPERIMENTS = HERE.parent / "experiments"
GOOD = {
    "name": "good",
    "problems": ["branin"],
    "methods": ["random", "tpe"],
    "seeds": 2,
    "budget": {"trials": 5},
}


@pytest.fixture
def fivefold(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder; gives its exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fivefold", *map(str, arguments)])
        code = cli.command()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def write(file="study.yaml", **keys):
    path = Path(file)
    path.write_text(yaml.safe_dump({**GOOD, **keys}), encoding="utf-8")
    return path


# -- what it is for -------------------------------------------------------------------------------


def test_a_study_runs_and_is_shown(fivefold):
    code, out, _ = fivefold("run", write(), "--workers", 0)
    assert code == 0
    assert "branin (minimize loss, optimum 0.39789)" in out
    assert out.splitlines()[-1] == "study directory: results/good"
    folder = Path("results/good")
    assert {path.name for path in folder.iterdir()} >= {
        "study.yaml",
        "study.db",
        "trials.parquet",
        "runs.parquet",
    }
    code, shown, _ = fivefold("show", folder)
    assert code == 0
    assert next(line for line in shown.splitlines() if "random" in line) in out
    code, after_two, _ = fivefold("show", folder, "--trials", 2)
    assert "after 2 trials" in after_two
    assert len(Results.open(folder).trials) == 20


def test_the_study_as_run_runs_again(fivefold):
    fivefold("run", write(), "--workers", 0, "--trials", 3, "--methods", "tpe", "--seeds", 1)
    code, out, _ = fivefold("run", "results/good/study.yaml", "--workers", 0)
    assert code == 0
    assert "3/3 trials" in out


def test_a_study_can_be_extended(fivefold):
    path = write()
    fivefold("run", path, "--workers", 0, "--trials", 2, "--methods", "tpe", "--seeds", 1)
    code, _, _ = fivefold("run", path, "--workers", 0)
    assert code == 0
    trials = Results.open("results/good").trials
    assert trials.groupby("run").size().to_dict() == {
        f"branin/{method}/{seed}": 5 for method in ("random", "tpe") for seed in (0, 1)
    }
    fivefold("run", path, "--workers", 0, "--out", "at-once")
    columns = ["run", "number", "config", "loss", "status"]
    pd.testing.assert_frame_equal(
        trials.sort_values(["run", "number"])[columns].reset_index(drop=True),
        Results.open("at-once").trials.sort_values(["run", "number"])[columns].reset_index(drop=True),
    )


def test_a_complete_study_needs_no_engine(fivefold):
    fivefold("run", write(), "--workers", 0)
    start = time.monotonic()
    code, out, _ = fivefold("run", write())
    assert code == 0
    assert "all trials are in the journal already" in out
    assert time.monotonic() - start < 5


def test_the_best_config_can_be_pasted(fivefold):
    fivefold("run", write(), "--workers", 0)
    _, out, _ = fivefold("best", "results/good")
    _, text, _ = fivefold("best", "results/good", "--json")
    (best,) = json.loads(text)
    trials = Results.open("results/good").trials
    assert best["loss"] == trials["loss"].min()
    for name, value in best["config"].items():
        assert f"{name}: {json.dumps(value)}" in out


@pytest.mark.parametrize(
    "form, read", [("csv", pd.read_csv), ("parquet", pd.read_parquet), ("json", pd.read_json)]
)
def test_tables_are_exported(fivefold, form, read):
    fivefold("run", write(), "--workers", 0)
    code, out, _ = fivefold("export", "results/good", "--format", form, "--to", "tables")
    assert code == 0
    names = ("trials", "runs", "leaderboard")
    assert out.splitlines() == [f"tables/{name}.{form}" for name in names]
    assert list(read(f"tables/leaderboard.{form}")["place"]) == [1, 2]
    assert len(read(f"tables/trials.{form}")) == 20


def test_the_verdict_is_told_and_the_leaderboard_is_a_table_for_latex(fivefold):
    fivefold("run", write(seeds=3), "--workers", 0)
    _, out, _ = fivefold("show", "results/good")
    assert "At 5 trials, " in out
    assert "Confidence: low (1 problem, 3 seeds)." in out
    _, early, _ = fivefold("show", "results/good", "--trials", 2)
    assert "At 2 trials, " in early
    assert "At 5 trials, " not in early
    code, out, _ = fivefold("export", "results/good", "--format", "tex", "--to", "tables")
    assert (code, out.split()) == (0, ["tables/leaderboard.tex"])
    assert Path("tables/leaderboard.tex").read_text().startswith(r"\begin{table}")


def test_studies_are_compared(fivefold):
    fivefold("run", write(seeds=3), "--workers", 0, "--out", "one")
    fivefold("run", write(seeds=3, methods=["tpe"]), "--workers", 0, "--out", "two")
    code, out, _ = fivefold("compare", "one", "two", "--to", "joint")
    assert code == 0
    assert "tpe" in out
    assert "At 5 trials, " in out
    assert len(pd.read_csv("joint/leaderboard.csv")) == 3
    fivefold("run", write(seeds=3, seed=9), "--workers", 0, "--out", "other")
    code, _, err = fivefold("compare", "one", "other")
    assert code == 2
    assert "study seeds differ (0 and 9)" in err


def test_a_study_is_checked_and_counted(fivefold):
    code, out, _ = fivefold("check", write(methods=["random", {"exhaustive": {"resolution": 2}}]))
    assert code == 0
    assert "branin, exhaustive: 4 configs" in out
    assert "good is valid: at most 20 trials in 4 runs" in out
    assert not Path("results").exists()


def test_gradients_are_checked_and_a_wrong_one_is_named(fivefold):
    code, out, _ = fivefold("check", write(problems=["ridge_features", "branin"]), "--gradients")
    assert code == 0
    assert re.search(r"ridge_features: the gradient agrees with differences to \S+ \(2 extra trials\)", out)
    assert "branin: no gradient of a continuous parameter is reported" in out
    Path("mine.py").write_text(
        "from runner import Float, problem\n"
        "@problem(space={'a': Float(0.0, 1.0), 'b': Float(0.0, 1.0)})\n"
        "def wrong(config):\n"
        "    a, b = config['a'], config['b']\n"
        "    return {'loss': 3 * a + 5 * b, 'gradient': {'a': 3.0, 'b': -5.0}}\n"
    )
    code, out, _ = fivefold("check", write(problems=["mine.py:wrong"]), "--gradients")
    assert code == 2
    assert "wrong: the gradient is wrong: expected 5 for 'b' by differences, got -5." in out


def test_the_example_study_is_valid(fivefold):
    code, out, _ = fivefold("init")
    assert code == 0
    assert "fivefold run study.yaml" in out
    assert fivefold("check", "study.yaml")[0] == 0
    code, _, err = fivefold("init")
    assert code == 2
    assert "study.yaml: file exists." in err


def test_methods_and_problems_are_listed(fivefold):
    code, out, _ = fivefold("methods")
    assert code == 0
    assert [line for line in out.splitlines() if line and not line.startswith((" ", "In"))] == [
        "bayes",
        "exhaustive",
        "gradient",
        "grid",
        "random",
        "tpe",
    ]
    assert "acquisition:" in out
    code, out, _ = fivefold("problems")
    assert code == 0
    for name in ("branin", "hartmann6", "ackley", "rosenbrock", "mixed", "conditional", "logistic_l2"):
        assert name in out


def test_help_is_there_at_once():
    code = (
        "import sys, runner, runner.cli.main\n"
        "sys.argv = ['fivefold', '--help']\n"
        "try: runner.cli.main.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('ray', 'pandas', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["check", "show", "best", "export", "verify"])
def test_only_run_loads_ray(fivefold, command):
    fivefold("run", write(), "--workers", 0)
    code = (
        "import sys, runner.cli.main\n"
        "sys.modules['ray'] = None\n"
        f"sys.argv = ['fivefold', {command!r}, sys.argv[1]]\n"
        "runner.cli.main.main()"
    )
    target = "study.yaml" if command == "check" else "results/good"
    subprocess.run([sys.executable, "-c", code, target], check=True, capture_output=True)


def test_names_are_shown_as_they_are(fivefold):
    fivefold("run", write(methods=[{"name": "random[b]", "method": "random"}]), "--workers", 0)
    code, out, _ = fivefold("show", "results/good")
    assert code == 0
    assert "random[b]" in out


@pytest.mark.parametrize("columns", ["45", "60", "80"])
def test_narrow_tables_leave_columns_out_instead_of_cutting_numbers(fivefold, monkeypatch, columns):
    fivefold("run", write(), "--workers", 0)
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = fivefold("show", "results/good")
    board = Results.open("results/good").leaderboard()
    for row in board.to_dict("records"):
        assert f"{row['rank']}  {row['method']:<6}  {row['value']:>6.4g}" in out
    assert "…" not in out
    assert ("propose" in out) == (columns == "80")


def test_reasons_that_differ_in_numbers_are_one(fivefold):
    path = write(problems=[f"{HERE / 'objectives.py'}:hopeless"])
    _, out, _ = fivefold("run", path, "--workers", 0)
    assert len([line for line in out.splitlines() if "no hope at" in line]) == 1
    assert "hopeless: 20 FAILED: RuntimeError: no hope at" in out


def test_a_reader_that_goes_away_does_not_end_the_study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    shell = f"{' '.join(command('run', path, '--workers', 0, '--out', tmp_path / 'study'))} | head -1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("good: 2 methods")
    assert "Traceback" not in done.stderr
    assert len(Results.open(tmp_path / "study").trials) == 20


def test_another_study_of_the_same_name_is_refused(fivefold):
    fivefold("run", write(), "--workers", 0)
    code, _, err = fivefold("run", write(problems=["ackley"]), "--workers", 0)
    assert code == 3
    assert "expected a study on these problems, got one of the same name on branin." in err


# -- what it refuses ------------------------------------------------------------------------------


def inline(**keys):
    given = {
        "estimator": "sklearn.svm.SVC",
        "data": "data.csv",
        "target": "y",
        "cv": 2,
        "space": {"C": {"float": [0.1, 10], "log": True}},
    }
    return {"problems": [{**given, **keys}]}


def space(**params):
    return inline(data="iris", target=None, space=params)


BAD = {
    "blank name": (
        {"methods": [{"name": " ", "method": "tpe"}]},
        "methods[0]: name: expected a name of visible letters without commas, got ' '",
    ),
    "comma in a name": ({"methods": [{"name": "a,b", "method": "tpe"}]}, "without commas, got 'a,b'"),
    "slash in a name": (
        {"methods": [{"name": "a/b", "method": "tpe"}]},
        "expected a name without '/', got 'a/b'",
    ),
    "long name": ({"name": "a" * 200}, "name: expected a name of at most 100 letters"),
    "too many seeds": ({"seeds": 10**30}, "study.yaml:9:1: seeds: expected at most 1,000,000"),
    "too many trials": ({"budget": {"trials": 10**30}}, "study.yaml:2:3: budget.trials: "),
    "too many points": ({"methods": [{"grid": {"points": 10**9}}]}, "expected 1 to 100,000 points"),
    "forbid": (
        inline(data="iris", target=None, forbid=3),
        "forbid: expected a list of combinations, got 3",
    ),
    "nameless column": (inline(data="labels.csv"), "column 1 has no name"),
    "unknown key": ({"budgett": 3}, "study.yaml:3:1: budgett: unknown key. Did you mean 'budget'?"),
    "unknown nested key": (
        {"budget": {"trails": 3}},
        "budget.trails: unknown key. Did you mean 'trials'?",
    ),
    "unknown method": ({"methods": ["baes"]}, "methods[0]: unknown method 'baes'. Did you mean 'bayes'?"),
    "unknown setting": (
        {"methods": [{"bayes": {"kapa": 1}}]},
        "has no setting 'kapa'. Did you mean 'kappa'?",
    ),
    "unknown problem": (
        {"problems": ["brannin"]},
        "problems[0]: there is no built-in problem 'brannin'. Did you",
    ),
    "no seeds": ({"seeds": 0}, "study.yaml:9:1: seeds: expected at least 1, got 0."),
    "no trials": ({"budget": {"trials": 0}}, "study.yaml:2:3: budget.trials: "),
    "no budget": ({"budget": {}}, "study.yaml:1:1: budget: expected trials, seconds or both, got {}."),
    "empty space": (space(), "space: "),
    "low >= high": (space(C={"float": [10, 1]}), "space.C: "),
    "log of zero": (space(C={"float": [0, 1], "log": True}), "space.C: "),
    "infinite space": (
        {"methods": ["exhaustive"]},
        "expected a finite space, got continuous parameters: x1, x2. Set 'resolution: 5'",
    ),
    "file missing": ({"problems": ["mine.py:f"]}, "mine.py: there is no such file."),
    "name missing": ({"problems": ["objective.py:g"]}, "there is no 'g' in it. Known are: f."),
    "raises at import": (
        {"problems": ["broken.py:f"]},
        "broken.py, line 2: importing it raised ZeroDivisionError",
    ),
    "no such module": ({"problems": ["nowhere.land:f"]}, "there is no module 'nowhere'"),
    "scorer": (inline(data="iris", target=None, scoring="r22"), "scoring: "),
    "scorer of another kind": (
        inline(data="iris", target=None, scoring="neg_log_loss"),
        "neg_log_loss",
    ),
    "no data": (inline(data="dta.csv"), "dta.csv"),
    "no target": (inline(target="z"), "'z'"),
    "text features": (inline(data="text.csv"), "'colour'"),
    "unknown estimator": (inline(estimator="sklearn.svm.SVCC"), "SVCC"),
    "unknown parameter": (inline(space={"CC": [1, 2]}), "CC"),
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_answered_by_a_sentence(fivefold, case, command):
    Path("objective.py").write_text(
        "from runner import problem\n@problem(space={'x': {'float': [0, 1]}})\ndef f(config): return 1.0\n"
    )
    Path("broken.py").write_text("a = 1\nb = a / 0\n")
    rows = "".join(f"{i},{i % 3},{i % 2}\n" for i in range(20))
    Path("data.csv").write_text(f"a,b,y\n{rows}")
    Path("labels.csv").write_text(f",b,y\n{rows}")
    Path("text.csv").write_text("a,colour,y\n" + "".join(f"{i},red,{i % 2}\n" for i in range(20)))
    keys, words = BAD[case]
    code, out, err = fivefold(command, write(**keys), *(["--workers", 0] if command == "run" else []))
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert not Path("results").exists(), "nothing is made for a study that cannot run"


def test_a_missing_file_is_named(fivefold):
    write("stody.yaml")
    code, _, err = fivefold("run", "study.yaml")
    assert (code, err) == (2, "error: study.yaml: no such file. Did you mean 'stody.yaml'?\n")


def test_yaml_that_does_not_parse_has_line_and_column(fivefold):
    Path("study.yaml").write_text("name: a\nseeds: [1, 2\nmethods: [random]\n")
    code, _, err = fivefold("check", "study.yaml")
    assert code == 2
    assert re.match(r"error: study\.yaml:3:\d+: invalid YAML", err)


@pytest.mark.parametrize("command", ["check", "run", "advise"])
def test_all_faults_of_a_file_are_said_at_once(fivefold, command):
    text = "name: a\nproblem: [branin]\nmethods: [random, bayess]\nseeds: three\nbudget: {trial: 20}\n"
    Path("study.yaml").write_text(text)
    code, out, err = fivefold(command, "study.yaml")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: study.yaml:2:1: problem: unknown key. Did you mean 'problems'?",
        "error: study.yaml:3:19: methods[1]: unknown method 'bayess'. Did you mean 'bayes'?",
        "error: study.yaml:4:1: seeds: expected an integer or a list, got 'three'."
        " Write seeds: 5, or seeds: [0, 1, 2].",
        "error: study.yaml:5:10: budget.trial: unknown key. Did you mean 'trials'?",
        "4 errors.",
    ]


@pytest.mark.parametrize(
    "options, words",
    [
        (["--methods", ","], "--methods: expected at least one method, got none. Known are: random, tpe."),
        (["--methods", "random,tpee"], "--methods: the study has no method 'tpee'. Did you mean 'tpe'?"),
        (["--seeds", "0"], "--seeds: expected 1 to 1,000,000 seeds, got 0."),
        (["--trials", "-3"], "--trials: expected 1 to 1,000,000,000 trials, got -3."),
        (["--workers", "0", "--address", "auto"], "address: cannot be combined with 0 workers"),
    ],
)
def test_wrong_options_are_answered_by_a_sentence(fivefold, options, words):
    code, _, err = fivefold("run", write(), *options)
    assert code == 2
    assert words in err


def test_an_unknown_option_is_wrong_input(fivefold):
    assert fivefold("run", write(), "--wrokers", 2)[0] == 2
    assert fivefold("rnu")[0] == 2


def test_the_directory_of_another_study_is_left_alone(fivefold):
    fivefold("run", write(), "--workers", 0)
    before = Path("results/good/study.db").read_bytes()
    for keys in ({"name": "other"}, {"seed": 7}, {"methods": ["random", {"tpe": {"startup": 3}}]}):
        code, _, err = fivefold("run", write(**keys), "--workers", 0, "--out", "results/good")
        assert code == 3
        assert "results/good" in err
        assert "--out" in err
    assert Path("results/good/study.db").read_bytes() == before


def test_a_directory_of_something_else_is_left_alone(fivefold):
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("dear")
    code, _, err = fivefold("run", write(), "--workers", 0, "--out", "mine")
    assert code == 2
    assert "mine" in err
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.tex"]


def test_a_directory_in_use_is_refused(fivefold):
    path = write()
    with open_journal(Path("results/good"), Study.load(path)):
        code, _, err = fivefold("run", path, "--workers", 0)
    assert code == 3
    assert str(os.getpid()) in err


def test_a_damaged_journal_is_no_wrong_input(fivefold):
    fivefold("run", write(), "--workers", 0)
    Path("results/good/study.db").write_bytes(b"what is this?" * 1000)
    assert fivefold("verify", "results/good")[0] == 3
    for command in ("show", "best", "export"):
        code, _, err = fivefold(command, "results/good")
        assert code == 3
        assert err.startswith("error: ")
    assert fivefold("run", write(), "--workers", 0)[0] == 3


def test_a_study_is_verified(fivefold):
    fivefold("run", write(), "--workers", 0)
    folder = Path("results/good")
    assert fivefold("verify", folder)[:2] == (0, "whole: 20 trials in 4 runs, 4 ended.\n")
    (folder / "notes [red].txt").write_text("mine")
    (folder / "study.lock").unlink()
    code, out, _ = fivefold("verify", folder)
    assert code == 0
    assert "note: notes [red].txt: not a file of a study; left alone." in out
    assert "note: study.lock: missing; the next run makes it again." in out
    (folder / "study.yaml").unlink()
    code, out, _ = fivefold("verify", folder)
    assert code == 3
    assert "loss: study.yaml: missing; the journal has its content." in out
    assert out.splitlines()[-1] == "not whole: 20 trials in 4 runs, 4 ended."
    code, _, err = fivefold("show", folder)
    assert (code, err) == (0, "note: study.yaml: missing; the journal has its content.\n")
    assert "study.yaml: missing" in fivefold("run", write(), "--workers", 0)[1]
    assert fivefold("verify", folder)[0] == 0
    content = bytearray((folder / "study.db").read_bytes())
    content[content.rindex(b"COMPLETED")] ^= 1
    (folder / "study.db").write_bytes(content)
    code, out, _ = fivefold("verify", folder)
    assert code == 3
    assert out.startswith("damage: study.db: in the run 'branin/")
    assert "has changed since it was written" in out
    (folder / "study.db").unlink()
    code, _, err = fivefold("verify", folder)
    assert code == 3
    assert "study's journal 'study.db' is missing" in err


def test_a_live_study_is_verified_without_being_disturbed(fivefold):
    path = write()
    with open_journal(Path("results/good"), Study.load(path)):
        before = {file.name: file.read_bytes() for file in Path("results/good").iterdir()}
        code, out, _ = fivefold("verify", "results/good")
        assert {file.name: file.read_bytes() for file in Path("results/good").iterdir()} == before
    assert code == 0
    assert (
        out == "whole: 0 trials in 4 runs, 0 ended; a run is writing, so its log and files were not judged.\n"
    )


@pytest.mark.parametrize("command", ["show", "best", "export", "verify"])
def test_without_a_study_there_is_nothing_to_show(fivefold, command):
    fivefold("run", write(), "--workers", 0)
    code, _, err = fivefold(command, "results/god")
    assert code == 2
    assert "Did you mean 'good'?" in err


def test_an_objective_that_always_fails_ends_with_1_and_the_reasons(fivefold):
    path = write(problems=[f"{HERE / 'objectives.py'}:hopeless"])
    code, out, _ = fivefold("run", path, "--workers", 0)
    assert code == 1
    assert "RuntimeError: no hope at" in out
    trials = Results.open("results/good").trials
    assert len(trials) == 20
    assert trials["error"].str.startswith("RuntimeError: no hope at").all()
    code, out, _ = fivefold("best", "results/good")
    assert code == 1
    assert "No trial was valid." in out


# -- on Ray, in a process of its own --------------------------------------------------------------


def command(*arguments):
    return [sys.executable, "-m", "runner.cli.main", *map(str, arguments)]


def tables(folder):
    return Results.open(folder).trials[["run", "number", "config", "status", "loss", "known"]]


@pytest.mark.ray
@pytest.mark.slow
def test_the_quickstart_has_one_table_for_any_number_of_workers(tmp_path):
    for workers in (0, 2):
        arguments = [
            "run",
            EXPERIMENTS / "quickstart.yaml",
            "--seeds",
            1,
            "--workers",
            workers,
            "--out",
            tmp_path / str(workers),
        ]
        done = subprocess.run(command(*arguments), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    here = tables(tmp_path / "0")
    assert len(here) > 300
    assert set(here["status"]) == {"COMPLETED"}
    pd.testing.assert_frame_equal(tables(tmp_path / "2"), here, check_exact=True)
