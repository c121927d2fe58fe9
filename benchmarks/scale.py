"""``python -m benchmarks.scale``: measure, fit and predict how many workers one driver keeps busy.

The driver's main thread uses, per batch that comes back from one of L workers,

    t(L) = a + b L                                                        (1)

seconds (a: entering it, proposing the next, Tune's and Ray's messages; b: Tune looks through the workers
that are at work for each event), and c per trial in it. A worker works for T seconds per batch, waits for
the driver, and works again. Workers are then busy for the share

    busy <= min( T / (T + s),  T / (L s) ),   s = t(L) + c n              (2)

of the time, where n trials travel together: the first while the driver is idle for the most part (a worker
waits for its own service), the second where it is not idle any more (L workers share one server). The
largest cluster for a share of 0.9 is the largest L for which (2) allows it.

Options: --workers 64 --trials 1.0,0.1 --each 150 (seconds of work per worker), --figures FOLDER stores the
measurements, --out FILE writes the table (default: benchmarks/SCALE.md).
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.measure import ROOT, Arm, Benchmark, in_turn
from benchmarks.suite import telling
from runner.engine.batching import LONG_SECONDS, TARGET_SECONDS

OUT = ROOT / "benchmarks/SCALE.md"
SHARE = 0.9
LENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0)
CLUSTERS = (8, 64, 256, 1000)
_MOST_WORKERS = 100_000


def gather(found):
    """One point for each trial's length and number of workers, of the windows that had it.

    Returns
    -------
    list of dict
        trial, workers, and means of what the windows tell.
    """
    groups = {}
    for one in found:
        for window in one["windows"]:
            # Numbers that differ by a tenth are one group: workers come up within windows.
            group = round(10 * np.log(max(1.0, window["workers"])))
            groups.setdefault((one["trial"], group), []).append(window)
    return [
        {"trial": trial, "windows": len(some)}
        | {key: float(np.mean([window[key] for window in some])) for key in some[0]}
        for (trial, _), some in sorted(groups.items())
    ]


def fit(points):
    """The costs (a, b, c) of (1) in seconds, by least squares without negative ones.

    Parameters
    ----------
    points : sequence of dict
        With workers; main, seconds of the main thread; batches and trials, per second.
    """
    from scipy.optimize import nnls

    measured = [point for point in points if point["main"] > 0 and point["batches"] > 0]
    rows = np.array([[p["batches"], p["batches"] * p["workers"], p["trials"]] for p in measured])
    used = np.array([p["main"] for p in measured])
    weights = np.sqrt([p.get("windows", 1) for p in measured]) / used  # errors in proportion
    costs, _ = nnls(rows * weights[:, None], used * weights)
    return tuple(float(cost) for cost in costs)


def together(seconds):
    """Return the number of trials of the given duration in a batch."""
    return 1.0 if seconds > LONG_SECONDS else max(1.0, min(1000.0, TARGET_SECONDS / seconds))


def busy(costs, workers, seconds):
    """The share (2) of the workers' time."""
    a, b, c = costs
    n = together(seconds)
    service, work = a + b * workers + c * n, n * seconds
    return min(work / (work + service), work / (workers * service))


def most_workers(costs, seconds, share=SHARE):
    """The largest cluster of which such a share is busy; 0 where not even one worker is."""
    low, high = 0, _MOST_WORKERS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if busy(costs, middle, seconds) >= share else (low, middle - 1)
    return low


def shortest(costs, workers, share=SHARE):
    """The shortest trial that keeps so many workers busy, in seconds, of those that travel alone or not."""
    grid = np.geomspace(1e-4, 1e4, 4001)
    fits = [float(seconds) for seconds in grid if busy(costs, workers, seconds) >= share]
    return min(fits) if fits else float("nan")


def table(costs, points, loads, command):
    """Write the tables."""
    a, b, c = (1000 * cost for cost in costs)
    lines = [
        "# How far one driver reaches",
        "",
        f"{report.machine()}. {datetime.date.today().isoformat()}, `{command}`. Trials sleep. Load of the "
        f"machine at the end of each study: {', '.join(format(load, '.1f') for load in loads)}.",
        "",
        "| trial | workers | seconds watched | batches /s | trials /s | main thread, of a core | its process "
        "| GCS and raylet | busy, measured | busy, by the model |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for point in points:
        keys = ("batches", "trials", "main", "process", "servers", "busy")
        seconds = point.get("windows", 1) * point["watched"]
        figures = [point["workers"], seconds, *(point[key] for key in keys)]
        predicted = busy(costs, point["workers"], point["trial"])
        cells = [f"{point['trial']:g} s", *(f"{figure:.3g}" for figure in figures), f"{predicted:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Fitted: a = {a:.3g} ms per batch, b = {b:.3g} ms per batch and worker, c = {c:.3g} ms per trial.",
        "",
        f"| trial | most workers at {SHARE:.0%} |",
        "| --- | --- |",
        *(f"| {seconds:g} s | {most_workers(costs, seconds):,} |" for seconds in LENGTHS),
        "",
        f"| workers | shortest trial at {SHARE:.0%} |",
        "| --- | --- |",
        *(f"| {workers:,} | {shortest(costs, workers):.3g} s |" for workers in CLUSTERS),
        "",
    ]
    return "\n".join(lines)


def main(arguments=None):
    """Run the command; its exit code."""
    options = _options(arguments)
    arms = [
        Arm(
            f"{workers} x {seconds:g} s",
            "scale",
            {"workers": workers, "seconds": seconds, "each": options.each},
        )
        for seconds in options.trials
        for workers in options.workers
    ]
    benchmark = Benchmark("scale", arms, lambda found: [], "")
    found, failed = in_turn(
        benchmark, 1, lambda text: print(text, file=sys.stderr, flush=True), options.figures
    )
    measured = [one for some in found.values() for one in some]
    points = gather(measured)
    if len(points) < 3:
        print("too little was measured: workers were there for too short a time", file=sys.stderr)
        return 1
    costs = fit(points)
    command = " ".join(
        ["python -m benchmarks.scale", *telling(sys.argv[1:] if arguments is None else arguments)]
    )
    text = table(costs, points, [one["load"] for one in measured], command)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(json.dumps({"costs": costs}), file=sys.stderr)
    return 1 if failed else 0


def _options(arguments):
    parser = argparse.ArgumentParser("benchmarks.scale")
    parser.add_argument("--workers", type=lambda text: [int(part) for part in text.split(",")], default=[64])
    parser.add_argument(
        "--trials", type=lambda text: [float(part) for part in text.split(",")], default=[1.0, 0.1]
    )
    parser.add_argument("--each", type=float, default=150.0, help="seconds of work per worker")
    parser.add_argument("--figures", type=Path, help="a folder that keeps figures")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
