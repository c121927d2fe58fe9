"""What is drawn while a study runs."""

import io

import pytest
from rich.console import Console

from runner.api import run
from runner.cli.progress import LiveProgress, PlainProgress, number, progress
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import run_in_process
from runner.integrations.trackers.tracker import figures_of
from runner.problems.base import FunctionProblem
from runner.space import Float, Space
from runner.study.identity.plan import open_journal
from tests.studies import HILL, study


def drawn(folder, made, kind, **console):
    text = io.StringIO()
    display = kind(Console(file=text, width=100, **console))
    with open_journal(folder, made) as journal:
        dispatcher = Dispatcher(made, journal, display)
        try:
            dispatcher.begin(1, "in this process")
            run_in_process(dispatcher)
        finally:
            display.close()
    return text.getvalue(), display


def test_plain_lines_say_how_far_it_is(tmp_path):
    made = study(problems=[HILL], methods=["random"], seeds=2, budget={"trials": 5})
    text, display = drawn(tmp_path / "study", made, PlainProgress)
    lines = text.splitlines()
    assert lines[0] == "small: 1 method x 1 problem x 2 seeds, 5 trials each; in this process."
    assert lines[-1].startswith("10/10 trials")
    assert "\x1b" not in text
    assert (display.done, display.total, display.eta()) == (10, 10, 0.0)
    more = study(problems=[HILL], methods=["random"], seeds=2, budget={"trials": 7})
    again, _ = drawn(tmp_path / "study", more, PlainProgress)
    assert "Resuming after 10 trials." in again


@pytest.mark.parametrize(("kind", "console"), [(PlainProgress, {}), (LiveProgress, {"force_terminal": True})])
def test_what_is_evaluated_after_the_runs_is_counted(kind, console, tmp_path):
    made = study(problems=[HILL], methods=["random"], seeds=1, budget={"trials": 2})

    class Followed(kind):
        def finished(self, index):
            super().finished(index)
            assert "held-out" not in self.line()
            self.scored(3, 8)

    text, display = drawn(tmp_path / "study", made, Followed, **console)
    assert "3/8 re-evaluations and held-out tests" in display.line()
    assert "3/8 re-evaluations" in text


def test_the_live_display_shows_incumbents_in_the_problems_own_direction(tmp_path):
    made = study(problems=[HILL], methods=["random"], seeds=2, budget={"trials": 8})
    text, display = drawn(tmp_path / "study", made, LiveProgress, force_terminal=True)
    assert "16/16 trials" in text
    ((problem, method, trials, failures, value),) = display.incumbents()
    assert (problem, method, trials) == ("hill", "random", 16)
    assert failures == display.failures
    best = [run.incumbent.outcome.value for run in display.runs]
    assert value == pytest.approx(sum(best) / 2)
    assert all(v > 0 for v in best), "a maximised value, not a loss"


def test_runs_that_end_early_make_the_total_smaller(tmp_path):
    made = study(problems=[HILL], methods=[{"exhaustive": {"resolution": 3}}], seeds=2, budget={"trials": 50})
    text, display = drawn(tmp_path / "study", made, PlainProgress)
    assert display.total == display.done == 6
    assert "6/6 trials" in text


def test_runs_that_only_fail_say_why_once_and_make_the_total_smaller(tmp_path):
    broken = FunctionProblem(lambda config: config["y"], Space({"x": Float(0, 1)}), "broken")
    made = study(problems=[broken], methods=["random", "tpe"], seeds=3, budget={"trials": 50})
    text, display = drawn(tmp_path / "study", made, PlainProgress)
    (line,) = [line for line in text.splitlines() if "ended early" in line]
    assert line.startswith(
        "broken/random/0 ended early: its first trials all failed alike (10 of them), FAILED:"
    )
    assert "KeyError: 'y' (test_progress.py, line" in line
    assert display.total == display.done == 60


def test_without_a_budget_of_trials_there_is_no_total(tmp_path):
    made = study(problems=[HILL], methods=["random"], seeds=1, budget={"seconds": 0.05})
    text, display = drawn(tmp_path / "study", made, PlainProgress)
    assert display.total is None
    assert display.eta() is None
    assert f"{display.done} trials" in text


def test_many_rows_are_cut(tmp_path):
    labels = [{"name": f"r{i}", "method": "random"} for i in range(40)]
    made = study(problems=[HILL], methods=labels, seeds=1, budget={"trials": 1})
    text, _ = drawn(tmp_path / "study", made, LiveProgress, force_terminal=True)
    assert "and 10 more" in text


def test_the_console_chooses_the_display():
    assert isinstance(progress(Console(file=io.StringIO())), PlainProgress)
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(progress(terminal), LiveProgress)
    assert isinstance(progress(terminal, workers=2), LiveProgress)
    assert isinstance(progress(terminal, workers=0), PlainProgress), "a debugger needs the terminal"


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (float("inf"), "-"), (0.397887, "0.39789"), (-3.0, "-3"), (1e-12, "1e-12")]
)
def test_numbers_have_five_digits(value, text):
    assert number(value) == text


def grows(config):
    """Four steps; the larger x, the worse, and beyond 0.9 it breaks."""
    for step in range(1, 5):
        if config["x"] > 0.9 and step > 1:
            raise RuntimeError("too large")
        yield config["x"] / step


@pytest.mark.parametrize("kind, console", [(PlainProgress, {}), (LiveProgress, {"force_terminal": True})])
def test_what_a_scheduler_stops_has_not_failed(kind, console, tmp_path):
    """Neither in the live display nor anywhere after it."""
    problem = FunctionProblem(grows, Space({"x": Float(0.0, 1.0)}), "grows", steps=4)
    made = study(
        problems=[problem], methods=["random"], seeds=2, budget={"trials": 6}, parallel=2, scheduler="asha"
    )
    text = io.StringIO()
    display = kind(Console(file=text, width=120, **console))
    results = run(made, tmp_path / "study", workers=0, monitor=display)
    status = results.trials["status"]
    stopped, failed = int(status.eq("STOPPED").sum()), int(status.eq("FAILED").sum())
    assert stopped > 0
    assert (display.stopped, display.failures) == (stopped, failed)
    assert display.line().count(f"{stopped} stopped early") == 1
    assert (f"{failed} failed" in display.line()) == bool(failed)
    assert [row[3] for row in display.incumbents()] == [failed]
    assert results.leaderboard()["failures"].sum() == results.runs["failures"].sum() == failed
    assert results.ok
    again = kind(Console(file=text, width=120, **console))
    run(made, tmp_path / "study", workers=0, monitor=again)
    assert (again.stopped, again.failures) == (stopped, failed), "in earlier sessions too"
    figures = [figures_of(made.runs[0], trial) for trial in results.record.history(made.runs[0].id)]
    of_run = results.trials[results.trials["run"] == made.runs[0].id]["status"]
    assert sum(found["failed"] for found in figures) == of_run.eq("FAILED").sum()
