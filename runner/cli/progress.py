"""Progress of a running study: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner._text import counted, duration
from runner.cli.console import print_line, visible
from runner.engine.monitor import Monitor
from runner.engine.runs.run import Run
from runner.study.study import Study
from runner.trial import Status, Trial

_MOST_ROWS = 30  # of the live table, which must fit on a screen
_REFRESHES_PER_SECOND = 4  # smooth to the eye, cheap beside the study
_PLAIN_SECONDS = 10.0  # between two lines of a log
_LEAST_TRIALS = 4  # fewer give no useful estimate of the time left


class Progress(Monitor):
    """Counters of ended trials; the base of the live and the plain display."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.study: Study | None = None
        self.runs: Sequence[Run] = ()
        self.done = self.found_done = 0
        self.spent = 0.0  # full-evaluation equivalents; as many as trials where nothing stops early
        self._failed: list[int] = []  # per run; the display's thread must not walk through trials
        self.stopped = 0  # early, by a scheduler
        self.total: int | None = None
        self.followed: tuple[int, int] | None = None  # evaluations after the runs: ended, and all
        self._reasons: set[tuple[str, str]] = set()  # by problem, of runs that ended early
        self._began = time.monotonic()
        self._first: float | None = None

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """See `Monitor.begin`."""
        self.study, self.runs = study, runs
        self.done = self.found_done = sum(len(run.ended) for run in runs)
        self.spent = sum(map(_spent, runs))
        self._failed = [sum(trial.failed for trial in run.ended.values()) for run in runs]
        self.stopped = sum(_stopped(trial) for run in runs for trial in run.ended.values())
        if study.budget.trials is not None:
            self.total = sum(max(study.budget.trials, math.ceil(_spent(run))) for run in runs)
        shape = " x ".join(
            counted(n, what)
            for n, what in (
                (len(study.methods), "method"),
                (len(study.problems), "problem"),
                (len(study.seeds), "seed"),
            )
        )
        self.note(f"{study.name}: {shape}, {_limit(study)}; {where}.")
        over = all(run.finished for run in runs) or self.spent == self.total
        if self.found_done and not over:
            self.note(f"Resuming after {counted(self.done, 'trial')}.")
        self._began, self._first = time.monotonic(), None

    def note(self, text: str) -> None:
        """See `Monitor.note`."""
        print_line(self.console, text, "dim")

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor.ended`."""
        self.done += 1
        self.spent += trial.outcome.share
        if self._first is None:
            self._first = time.monotonic()
        self._failed[index] += trial.failed
        self.stopped += _stopped(trial)

    def finished(self, index: int) -> None:
        """See `Monitor.finished`; a run that ends early makes the total smaller."""
        if self.total is not None and self.study is not None and self.study.budget.trials is not None:
            self.total -= max(0, self.study.budget.trials - math.ceil(_spent(self.runs[index])))
        run = self.runs[index]
        if run.ended_early and self.study is not None:
            spec = self.study.runs[index]
            if (spec.problem.name, run.end_reason) not in self._reasons:  # all runs may have the same
                self._reasons.add((spec.problem.name, run.end_reason))
                self.note(f"{spec.id} ended early: {run.end_reason.rstrip('.')}.")

    def scored(self, done: int, total: int) -> None:
        """See `Monitor.scored`."""
        self.followed = (done, total)

    @property
    def staged(self) -> bool:
        """True where a scheduler may stop trials early."""
        return self.study is not None and any(map(self.study.staged, self.study.problems))

    @property
    def failures(self) -> int:
        """Number of failed trials, including earlier sessions."""
        return sum(self._failed)

    def eta(self) -> float | None:
        """Estimate the seconds left at the pace of this session; None where that is too early."""
        # Counted from the first trial that ended: before it, the workers were starting.
        new = self.done - self.found_done - 1
        if self.total is None or self._first is None or new < _LEAST_TRIALS:
            return None
        share = self.spent / self.done if self.done else 1.0
        return (time.monotonic() - self._first) / new * (self.total - self.spent) / share

    def line(self) -> str:
        """Return the state in one line."""
        parts = [f"{self.done}/{self.total} trials" if self.total is not None else f"{self.done} trials"]
        if self.staged:
            parts = [counted(self.done, "trial")]
            if self.total is not None:
                parts.append(f"{self.spent:.4g}/{self.total} full evaluations")
        if self.stopped:
            parts.append(f"{self.stopped} stopped early")
        if self.failures:
            parts.append(f"{self.failures} failed")
        if self.followed is not None:
            parts.append(f"{self.followed[0]}/{self.followed[1]} re-evaluations and held-out tests")
        parts.append(f"{duration(time.monotonic() - self._began)} so far")
        left = self.eta()
        if left is not None and self.spent < (self.total or 0):
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def incumbents(self) -> Iterable[tuple[str, str, int, int, float | None]]:
        """Yield (problem, method, trials, failures, median incumbent value over seeds) of each pair."""
        if self.study is None:
            return
        pairs: dict[tuple[str, str], list[int]] = {}
        for index, spec in enumerate(self.study.runs):
            pairs.setdefault((spec.problem.name, spec.label), []).append(index)
        for (problem, label), where in pairs.items():
            best = [self.runs[index].incumbent for index in where]
            values = [trial.outcome.value for trial in best if trial and trial.outcome.value is not None]
            yield (
                problem,
                label,
                sum(len(self.runs[index].ended) for index in where),
                sum(self._failed[index] for index in where),
                _median(values) if values else None,
            )


class PlainProgress(Progress):
    """One line every ten seconds, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last = -math.inf

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor.ended`."""
        super().ended(index, trial)
        self._print_line()

    def scored(self, done: int, total: int) -> None:
        """See `Monitor.scored`."""
        super().scored(done, total)
        self._print_line()

    def _print_line(self) -> None:
        now = time.monotonic()
        if now - self._last >= _PLAIN_SECONDS:
            self._last = now
            print_line(self.console, self.line())

    def close(self) -> None:
        """See `Monitor.close`."""
        if self.study is not None:
            print_line(self.console, self.line())


class LiveProgress(Progress):
    """Bar and table that are redrawn in place while the study runs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._drawn_at = -math.inf
        self._drawing: RenderableType = ""
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """See `Monitor.begin`."""
        super().begin(study, runs, where)
        self._live.start()

    def close(self) -> None:
        """See `Monitor.close`."""
        if self._live.is_started:
            self._live.stop()
            print_line(self.console, self.line())

    def _draw(self) -> RenderableType:
        """Draw the display; called by its own thread, so it reads only counters that grow."""
        rows = list(self.incumbents())
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("problem", "method"):
            table.add_column(name)
        for name in ("trials", "failed", "median incumbent"):
            table.add_column(name, justify="right")
        for problem, label, trials, failures, value in rows[:_MOST_ROWS]:
            table.add_row(visible(problem), visible(label), str(trials), str(failures or ""), number(value))
        if len(rows) > _MOST_ROWS:
            table.add_row(f"and {len(rows) - _MOST_ROWS} more", "", "", "", "")
        if self.followed is not None:
            bar = ProgressBar(total=self.followed[1], completed=self.followed[0], width=40)
        else:
            bar = ProgressBar(total=self.total or 1, completed=self.spent if self.total else 0, width=40)
        return Group(table, bar, Text(self.line()))


def progress(console: Console, workers: int | None = None) -> Progress:
    """Choose the display for a console.

    Without workers the objective runs in this process, perhaps under a debugger, which needs the
    terminal for itself.
    """
    return LiveProgress(console) if console.is_terminal and workers != 0 else PlainProgress(console)


def number(value: float | None, digits: int = 5) -> str:
    """Format a number for a table with the given significant digits; a dash where it is missing."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"


def _stopped(trial: Trial) -> bool:
    return trial.status is Status.STOPPED


def _median(values: Sequence[float]) -> float:
    """Return the median; that of two values as a sum of halves, which cannot overflow."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else 0.5 * ordered[half - 1] + 0.5 * ordered[half]


def _limit(study: Study) -> str:
    limits = []
    if study.budget.trials is not None:
        limits.append(counted(study.budget.trials, "trial"))
    if study.budget.seconds is not None:
        limits.append(duration(study.budget.seconds))
    return f"{' or '.join(limits)} each"


def _spent(run: Run) -> float:
    """Sum the full-evaluation equivalents of ended trials."""
    return sum(trial.outcome.share for trial in run.ended.values())
