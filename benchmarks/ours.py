"""fivefold as it is measured: a study file in a new directory, run by the command or by `runner.run`."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import yaml

from benchmarks import clock
from benchmarks.batches import without_batches


def study(scratch, *, keys, objective=None, workers=2, command=False, batches=True, runs=False):
    """Run one study and say what it took.

    Parameters
    ----------
    scratch : str
        An empty folder.
    keys : dict
        Of the study file; name, problems, seeds and seed may be left out.
    objective : dict, optional
        What `benchmarks.objectives.make` makes the problem of, where ``keys`` name none.
    workers : int
        Workers; 0 for none.
    command : bool
        Whether by the console script's own function, else by `runner.run` with a monitor, which
        knows when the last trial was in the journal (``durable``).
    batches : bool
        Whether trials may travel together.
    runs : bool
        Whether to give back each run's method, seed, trials, equivalents and loss too.
    """
    folder = Path(scratch)
    entries = {"name": "benchmark", "problems": ["objective.py:objective"], "seeds": 1} | keys
    (folder / "study.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
    (folder / "objective.py").write_text(
        f"from benchmarks.objectives import make\n\nobjective = make(**{objective or {}!r})\n",
        encoding="utf-8",
    )
    if not batches:
        without_batches()
    out = folder / "out"
    found = _command(folder, out, workers) if command else _run(folder, out, workers)
    found |= clock.stop()
    return found | _read(out, max(1, workers), runs)


def _command(folder, out, workers):
    from runner.cli.main import main

    sys.argv = ["fivefold", "run", str(folder / "study.yaml"), "--out", str(out), "--workers", str(workers)]
    with contextlib.redirect_stdout(sys.stderr):
        try:
            main()
        except SystemExit as ended:
            if ended.code not in (None, 0):
                raise
    return {}


def _run(folder, out, workers):
    import runner
    from runner.engine.monitor import Monitor

    class Last(Monitor):
        """Monitor that records the time at which the last trial was in the journal."""

        durable = 0.0

        def ended(self, index, trial):
            self.durable = time.time()

    monitor = Last()
    runner.run(folder / "study.yaml", out, workers=workers, monitor=monitor)
    return {"durable": monitor.durable}


def _read(out, workers, runs):
    import runner

    results = runner.Results.open(out)
    trials = results.trials
    ended = set(trials["status"].unique())
    if not ended <= {"COMPLETED", "STOPPED"}:
        raise RuntimeError(f"not all trials succeeded, but some are {sorted(ended)}")
    evaluated = trials[trials["origin"] == "evaluated"]
    found = {"rows": len(trials), "evaluated": len(evaluated)}
    if "metrics/began" in trials:
        spans = evaluated[["metrics/began", "metrics/ended", "metrics/pid"]].to_numpy().tolist()
        found |= clock.read(spans, workers)
    if runs:
        columns = ["method", "seed", "trials", "equivalents", "incumbent_loss"]
        found["runs"] = results.runs[columns].to_numpy().tolist()
    return found
