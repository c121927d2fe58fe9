"""What the documents show runs: every block of Python and YAML, every command that they name."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from runner.cli.main import app
from runner.methods import METHODS, make_method
from runner.problems import PROBLEMS, evaluate
from runner.problems.files.data_files import placed
from runner.study.study import Study

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "experiments/README.md",
    *(ROOT / "docs").glob("*.md"),
]


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def test_the_readme_is_short_and_opens_with_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120
    opening = "\n".join(lines[:8])
    assert opening.index("make demo") < opening.index("make test")
    python, *_ = blocks(ROOT / "README.md", "python")
    (study,) = blocks(ROOT / "README.md", "yaml")
    assert len(python.splitlines()) <= 10
    assert len(study.splitlines()) <= 10


@pytest.mark.parametrize("number", [0, 1])
def test_the_python_of_the_readme_runs(number, capsys):
    code = blocks(ROOT / "README.md", "python")[number]
    names = {}
    exec(compile(code, f"README.md, block {number}", "exec"), names)
    if number == 0:
        assert names["found"].best_config["kind"] == "steep"
        assert names["found"].best_value < 0.1
        assert "steep" in capsys.readouterr().out
    else:
        assert names["mine"].evaluate({"rate": 0.01}, seed=0) == {"accuracy": 1.0}


@pytest.mark.ray
def test_the_tune_program_of_the_readme_runs(ray_workers, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    code = blocks(ROOT / "README.md", "python")[2]
    exec(compile(code, "README.md, block 2", "exec"), {})
    assert "'x': " in capsys.readouterr().out


def test_the_study_of_the_readme_runs(tmp_path):
    (text,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "digits.yaml").write_text(text, encoding="utf-8")
    study = Study.load(tmp_path / "digits.yaml")
    study.check()
    assert len(study.runs) == 12


def test_the_python_of_the_gradients_runs(capsys):
    (code,) = blocks(ROOT / "docs/gradient.md", "python")
    exec(compile(code, "docs/gradient.md", "exec"), {})
    assert "agrees with differences" in capsys.readouterr().out


def test_the_gradients_lists_the_problems_that_have_one():
    listed = (ROOT / "docs/gradient.md").read_text(encoding="utf-8").split("## Built-in problems")[1]
    made = {name for name, make in PROBLEMS.items() if "hypergradients" in type(make()).__module__}
    assert made == {name for name in re.findall(r"`(\w+)`", listed) if name in PROBLEMS}


@pytest.mark.parametrize("number", [0, 1])
def test_the_python_of_the_methods_runs(number):
    code = blocks(ROOT / "docs/methods.md", "python")[number]
    exec(compile(code, f"docs/methods.md, block {number}", "exec"), {})


@pytest.mark.parametrize("number", range(5))
def test_the_python_of_the_page_on_scikit_learn_runs(number):
    code = blocks(ROOT / "docs/scikit-learn.md", "python")
    assert len(code) == 5
    exec(compile(code[number], f"docs/scikit-learn.md, block {number}", "exec"), {})


def test_the_methods_of_the_document_are_methods_with_these_settings():
    text = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    parts = dict(part.split("\n", 1) for part in re.split(r"^## ", text, flags=re.M)[1:])
    assert [name for name in METHODS if name in parts] == list(METHODS)
    for name in METHODS:
        for setting in make_method(name).settings():
            assert f"`{setting}" in parts[name], f"docs/methods.md says nothing of {name}'s {setting}"
    (listed,) = blocks(ROOT / "docs/methods.md", "yaml")
    study = Study.build(
        name="shown", problems=["branin"], seeds=1, budget={"trials": 2}, **yaml.safe_load(listed)
    )
    study.check()
    assert len(study.runs) == 4


def test_the_python_of_contributing_runs(tmp_path):
    """As one test module: its method and its problem keep the contracts that it names."""
    module = tmp_path / "test_contributing.py"
    module.write_text("\n".join(blocks(ROOT / "CONTRIBUTING.md", "python")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "-rA", str(module)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},  # a fresh process imports the method, too
    )
    assert done.returncode == 0, done.stdout
    assert "TestHillClimb" in done.stdout
    assert "TestForest" in done.stdout


GUIDES = ["choosing-a-method", "comparing-methods", "faq", "getting-started", "python", "study-file"]


@pytest.mark.parametrize("name", GUIDES)
def test_what_a_guide_shows_runs(name, tmp_path, monkeypatch):
    """Its Python in order, as one session; its studies are valid and, where they are parts, fit into one."""
    monkeypatch.chdir(tmp_path)
    path = ROOT / f"docs/{name}.md"
    names = {"__name__": name}
    for number, code in enumerate(blocks(path, "python")):
        exec(compile(code, f"docs/{name}.md, block {number}", "exec"), names)
    for text in blocks(path, "yaml"):
        given = {"name": "part", "problems": ["branin"], "seeds": 1, "budget": {"trials": 12}}
        study = Study.build(**given | yaml.safe_load(text))
        assert study.runs


def test_generated_parts_of_the_documents_are_what_the_program_reads():
    """Else: python docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, text in generate.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old"


COMMANDS = {
    command.name or command.callback.__name__ for command in app.registered_commands if not command.hidden
}


def test_the_objectives_and_studies_of_scale_run(tmp_path):
    opens, trains = blocks(ROOT / "docs/scale.md", "python")
    files, needs = blocks(ROOT / "docs/scale.md", "yaml")
    folder = tmp_path
    (folder / "objective.py").write_text(opens)
    given = yaml.safe_load(files)
    for name in given["files"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("a,b\n1,2\n")
    keys = {"name": "tree", "estimator": "sklearn.svm.SVC", "data": "iris", "space": {"C": [1, 2]}}
    study = Study.build(
        folder=folder, **given | {"problems": [*given["problems"], keys]}, **yaml.safe_load(needs)
    )
    assert [one.gpus for one in study.needs] == [0.5, 0]
    with placed(study.files):
        assert study.problems[0].evaluate({"depth": 2}, 0) == 1.0
    names = {}
    exec(compile(trains, "docs/scale.md", "exec"), names)
    assert len(evaluate(names["training"], {"rate": 0.1}, 0).steps) == 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_files_that_a_document_names_exist(path):
    text = path.read_text(encoding="utf-8")
    assert isinstance(app, typer.Typer)
    for command in re.findall(r"\bfivefold (\w+)", "\n".join(re.findall(r"`([^`\n]+)`", text))):
        assert command in COMMANDS, f"{path.name} names 'fivefold {command}'"
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
    for target in re.findall(
        r"\bmake ([a-z]+)\b", "\n".join(re.findall(r"`([^`\n]+)`|^(?:make .*)$", text, re.M))
    ):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_command_of_the_readme_is_in_its_list():
    listed = (ROOT / "README.md").read_text(encoding="utf-8").split("## The command")[1]
    for command in COMMANDS:
        assert re.search(rf"`(fivefold )?{command}\b", listed), command


def test_contributing_names_no_missing_module():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:runner|tests|docs|experiments)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_readme_names_every_method():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## The methods")[1]
    for name in METHODS:
        assert f"| `{name}` |" in table


def test_study_files_in_documents_are_yaml():
    for path in DOCUMENTS:
        for text in blocks(path, "yaml"):
            yaml.safe_load(text)


def test_the_ways_to_a_cluster_are_short_and_their_commands_are_ours():
    """Ten lines each; options that they use are there, and so are the files that they name."""
    text = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    ways = dict(part.split("\n", 1) for part in re.split(r"^## ", text, flags=re.M)[1:])
    commands = {command.name: command for command in typer.main.get_command(app).commands.values()}
    for way in ("AWS", "Own machines", "Kubernetes"):
        lines = re.search(r"^```\n(.*?)^```", ways[way], re.M | re.S)[1].splitlines()
        assert len(lines) <= 10, way
        ours = [shlex.split(line, comments=True) for line in lines if line.startswith("fivefold ")]
        assert {words[1] for words in ours} >= {"check", "submit"}, way
        for _, name, *words in ours:
            known = {option for parameter in commands[name].params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= known, (way, words)
        for file in re.findall(r"\b(?:deploy/)?[\w-]+\.yaml|deploy/Dockerfile", "\n".join(lines)):
            assert file == "study.yaml" or (ROOT / file).exists(), (way, file)
