"""The door to the terminal: whatever names and errors hold, they are shown, and do nothing."""

import ast
import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.panel import Panel
from rich.text import Text

import runner
from runner import problem
from runner.api import run
from runner.cli import main as cli
from runner.cli.console import Terminal, note, print_error, print_line, visible
from runner.cli.progress import LiveProgress
from runner.cli.tables import plain_table
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import run_in_process
from runner.errors import FivefoldError, StudyError
from runner.study.identity.plan import open_journal
from runner.study.study import Study

EVIL = "\x1b]0;own\x07\x1b[2J\x1b[8mhid\x1b[0m\x9b2J\x08\r\n\u202egnp\u2066\u200fx[red]$x_1$<b>&\u2028"
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
ROOT = Path(runner.__file__).parent


def printed(show, **options):
    file = io.StringIO()
    show(Terminal(file=file, width=60, **options))
    return file.getvalue()


# -- the door -------------------------------------------------------------------------------------


@given(st.text())
@example(EVIL)
@example("\ud800")
def test_nothing_but_letters_comes_out(text):
    table = plain_table(text, "", "method")
    table.add_column(visible(text))
    table.add_row("1", visible(text), "2")
    for show in (
        lambda console: print_line(console, text, "bold"),
        lambda console: console.print(text),
        lambda console: console.print(Text(text)),
        lambda console: console.print(Panel(text, title=text)),
        lambda console: console.print(table),
        lambda console: console.out(text),
    ):
        assert not HIDDEN.search(printed(show))
    assert printed(lambda console: print_line(console, text)).count("\n") == 1


@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[link=http://evil]x[/link]", ":smile:", "[/]", "1 'a' True"]
)
def test_text_is_no_markup(text):
    assert printed(lambda console: print_line(console, text)) == f"{text}\n"
    assert printed(lambda console: console.print(text)) == f"{text}\n"
    table = plain_table("", "name")
    table.add_row(text)
    assert text in printed(lambda console: console.print(table))


def test_what_is_escaped_is_measured_as_it_is_shown():
    table = plain_table("", "name", "value")
    table.add_row(visible("a\x1b[2Jb"), "3.14")
    out = printed(lambda console: console.print(table))
    assert "a\\x1b[2Jb" in out
    assert "3.14" in out


def test_letters_of_every_script_are_left_alone():
    for text in ("Größe", "模型 3", "α ≤ β…", "naïve", "10 %", "😀", "a\u00a0b"):
        assert printed(lambda console, text=text: print_line(console, text)) == f"{text}\n"


def test_what_an_encoding_lacks_is_escaped():
    raw = io.BytesIO()
    console = Terminal(file=io.TextIOWrapper(raw, encoding="ascii"), width=60)
    print_line(console, "Größe ✓")
    console.file.flush()
    assert raw.getvalue() == b"Gr\\xf6\\xdfe \\u2713\n"


def test_an_error_of_several_faults_is_a_line_each(capsys):
    print_error(FivefoldError.join([StudyError("one\n.", where="a"), StudyError("two.", where="b")]))
    assert capsys.readouterr().err == "error: a: one\\n.\nerror: b: two.\n2 errors.\n"
    print_error(StudyError("one."))
    assert capsys.readouterr().err == "error: one.\n"
    print_error(FivefoldError.join(StudyError(f"{i}.") for i in range(150)))
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "error: 99.",
        "150 errors, of which the first 100 are shown.",
    ]
    note("[bold]x\x1b[2J")
    assert capsys.readouterr().err == "note: [bold]x\\x1b[2J\n"


def calls(path, names):
    """The calls in a module of functions of these names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_there_is_no_other_door():
    modules = [path for path in ROOT.rglob("*.py") if "starters" not in path.parts]
    consoles = [place for path in modules for place in calls(path, {"Console", "from_markup", "from_ansi"})]
    assert [place for place in consoles if not place.startswith("cli/console.py")] == []
    for path in modules:
        own = path.relative_to(ROOT).as_posix()
        printing = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_print(node)]
        assert not printing or own == "integrations/sklearn/search_cv.py", f"{own} prints by itself"


def is_print(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def test_warnings_and_tracebacks_are_escaped_too(tmp_path):
    code = "import warnings, sys\nfrom runner.cli.console import escape_python\nescape_python()\n"
    code += "warnings.warn('w\\x1b[2J')\nraise ValueError('e\\x1b[2J\\nf\\u202e')\n"
    (tmp_path / "raising.py").write_text(code)
    done = subprocess.run([sys.executable, str(tmp_path / "raising.py")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "UserWarning: w\\x1b[2J\n" in done.stderr
    assert done.stderr.endswith("ValueError: e\\x1b[2J\nf\\u202e\n")
    assert not HIDDEN.search(done.stderr)


# -- the commands ---------------------------------------------------------------------------------


def hostile(number):
    @problem(
        space={"x": {"float": [0, 1]}, f"c{EVIL}": {"choice": [f"a{EVIL}", "b"]}},
        name=f"p{number}{EVIL}",
        metric=f"m{EVIL}",
    )
    def evaluated(config):
        if config["x"] > 0.7:
            raise ValueError(EVIL)
        return {f"m{EVIL}": config["x"], f"more{EVIL}": 1.0}

    return evaluated


def hostile_study(*seeds):
    """A study that no file can name: as the directory of somebody who means harm would have it."""
    study = Study.build(
        name="s", problems=["branin"], methods=["random", "tpe"], seeds=1, budget={"trials": 4}
    )
    return dataclasses.replace(
        study,
        name=f"s{EVIL}",
        problems=(hostile(1), hostile(2)),
        methods=tuple((f"{label}{EVIL}", method) for label, method in study.methods),
        seeds=seeds,
    )


BAD = r"""
name: "a\e[2J"
"pro\e[2J": 1
problems: ["b\e[2J", {estimator: "x\e[2J.y", data: "d\e[2J", space: {"C\e[2J": ["\e[2J"], "D\u202e": 3}}]
methods: ["r\e[2J", {"b\e[2J": {}}, {bayes: {"x\e[2J": 1}}]
budget: {"tri\e[2J": "\x9b"}
seeds: "\e[2J"
files: ["\e[2J"]
"""
CLUSTER = r"""
cluster_name: "a\e[2J"
provider: {type: "aws\e[2J", "reg\e[2J": 1}
"x\e[2J": 1
available_node_types: {"h\e[2J": {node_config: {}, resources: {CPU: 1}}}
head_node_type: "h\e[2J"
"""
ONE = "one\x1b[2J\u202e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two study directories, a table, and files that are no study, full of control characters."""
    folder = tmp_path_factory.mktemp("hostile")
    run(hostile_study(0, 1, 2), folder / ONE, workers=0)
    run(hostile_study(3, 4, 5), folder / "two", workers=0)
    (folder / "bad.yaml").write_text(BAD, encoding="utf-8")
    (folder / "cluster.yaml").write_text(CLUSTER, encoding="utf-8")
    words = ("u\x1b[2J", "v"), ("k\x1b[2J", "n")
    rows = "".join(f"{i},{words[0][i % 3 == 0]},{words[1][i % 2]}\n" for i in range(60))
    (folder / "d.csv").write_text(f"a\x1b[2J,b\u202e,y\x9b\n{rows}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["show", ONE],
        ["show", ONE, "--trials", "2"],
        ["best", ONE],
        ["best", ONE, "--json"],
        ["best", ONE, "--problem", EVIL],
        ["verify", ONE],
        ["report", ONE],
        ["export", ONE, "--to", f"t{EVIL}".replace("/", "")],
        ["compare", ONE, "two"],
        ["merge", ONE, "two", "--out", "joint\x1b[2J"],
        ["show", EVIL],
        ["check", f"{EVIL}.yaml"],
        ["check", "bad.yaml"],
        ["run", "bad.yaml"],
        ["advise", "bad.yaml"],
        ["check", "--cluster", "cluster.yaml"],
        ["check", "--cluster", "bad.yaml"],
        ["submit", "bad.yaml", "--address", EVIL],
        ["init", "new\x1b[2J.yaml"],
        ["optimize", "--data", "d.csv", "--target", f"z{EVIL}"],
        [
            "optimize",
            "--data",
            "d.csv",
            "--target",
            "y\x9b",
            "--trials",
            "2",
            "--out",
            "opt",
            "--estimator",
            "SVC",
        ],
        ["show", "opt"],
        ["best", "opt"],
        ["run", f"{EVIL}", "--track", EVIL],
        ["show", ONE, EVIL],
        [EVIL],
    ],
    ids=lambda words: "-".join(word.encode("unicode_escape").decode()[:20] for word in words),
)
def test_no_command_lets_anything_through(folder, words, capfd, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["fivefold", *words])
    cli.command()
    out, err = capfd.readouterr()
    assert out + err
    assert not HIDDEN.findall(out + err)
    assert "Traceback" not in out + err


def test_a_page_and_its_files_hide_nothing_either(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["report", str(folder / "two"), "--to", "page"],
        ["export", str(folder / "two"), "--format", "tex", "--to", "page"],
    ):
        monkeypatch.setattr(sys, "argv", ["fivefold", *words])
        cli.command()
    files = [path for path in Path("page").rglob("*") if path.suffix in (".html", ".svg", ".tex")]
    assert {path.suffix for path in files} == {".html", ".svg", ".tex"}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not HIDDEN.search(text), path
        if path.suffix == ".svg":
            minidom.parseString(text.encode())
    assert not HIDDEN.search((folder / "two" / "study.yaml").read_text(encoding="utf-8"))


def test_the_live_display_draws_no_code_but_its_own(tmp_path):
    file = io.StringIO()
    display = LiveProgress(Terminal(file=file, width=100, force_terminal=True))
    study = hostile_study(0)
    with open_journal(tmp_path / "study", study) as journal:
        dispatcher = Dispatcher(study, journal, display)
        dispatcher.begin(1, f"here {EVIL}")
        run_in_process(dispatcher)
        display.note(EVIL)
        display._live.refresh()
        display.close()
    own = re.sub(r"\x1b\[(?:\?25[lh]|[0-9;]*[mAK])|\r", "", file.getvalue())
    assert "\\x1b[8mhid" in own
    assert not HIDDEN.findall(own)
