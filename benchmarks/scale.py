"""``python -m benchmarks.scale``: how many lanes one driver keeps busy, measured, fitted, foretold.

The driver's main thread uses, per bundle that comes back from one of L lanes,

    t(L) = a + b L                                                        (1)

seconds (a: entering it, proposing the next, Tune's and Ray's messages; b: Tune looks through the lanes
that are at work for each event), and c per trial in it. A lane works for T seconds per bundle, waits for
the driver, and works again. Lanes are then busy for the share

    busy <= min( T / (T + s),  T / (L s) ),   s = t(L) + c n              (2)

of the time, where n trials travel together: the first while the driver is idle for the most part (a lane
waits for its own service), the second where it is not idle any more (L lanes share one server). The
largest cluster for a share of 0.9 is the largest L for which (2) allows it.

Options: --lanes 64 --trials 1.0,0.1 --each 150 (seconds of work per lane), --figures FOLDER keeps what was
measured, --out FILE writes the table (default: benchmarks/SCALE.md).
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
_MOST_LANES = 100_000


def gather(found):
    """One point for each trial's length and number of lanes, of the windows that had it.

    Returns
    -------
    list of dict
        trial, lanes, and means of what the windows tell.
    """
    groups = {}
    for one in found:
        for window in one["windows"]:
            # Numbers that differ by a tenth are one group: lanes come up within windows.
            group = round(10 * np.log(max(1.0, window["lanes"])))
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
        With lanes; main, seconds of the main thread; bundles and trials, per second.
    """
    from scipy.optimize import nnls

    told = [point for point in points if point["main"] > 0 and point["bundles"] > 0]
    rows = np.array([[p["bundles"], p["bundles"] * p["lanes"], p["trials"]] for p in told])
    used = np.array([p["main"] for p in told])
    weights = np.sqrt([p.get("windows", 1) for p in told]) / used  # errors in proportion
    costs, _ = nnls(rows * weights[:, None], used * weights)
    return tuple(float(cost) for cost in costs)


def together(seconds):
    """How many trials of so many seconds travel in a bundle."""
    return 1.0 if seconds > LONG_SECONDS else max(1.0, min(1000.0, TARGET_SECONDS / seconds))


def busy(costs, lanes, seconds):
    """The share (2) of the lanes' time."""
    a, b, c = costs
    n = together(seconds)
    service, work = a + b * lanes + c * n, n * seconds
    return min(work / (work + service), work / (lanes * service))


def most_lanes(costs, seconds, share=SHARE):
    """The largest cluster of which such a share is busy; 0 where not even one lane is."""
    low, high = 0, _MOST_LANES
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if busy(costs, middle, seconds) >= share else (low, middle - 1)
    return low


def shortest(costs, lanes, share=SHARE):
    """The shortest trial that keeps so many lanes busy, in seconds, of those that travel alone or not."""
    grid = np.geomspace(1e-4, 1e4, 4001)
    fits = [float(seconds) for seconds in grid if busy(costs, lanes, seconds) >= share]
    return min(fits) if fits else float("nan")


def table(costs, points, loads, command):
    """What is written down."""
    a, b, c = (1000 * cost for cost in costs)
    lines = [
        "# How far one driver reaches",
        "",
        f"{report.machine()}. {datetime.date.today().isoformat()}, `{command}`. Trials sleep. Load of the "
        f"machine at the end of each study: {', '.join(format(load, '.1f') for load in loads)}.",
        "",
        "| trial | lanes | seconds watched | bundles /s | trials /s | main thread, of a core | its process "
        "| GCS and raylet | busy, measured | busy, by the model |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for point in points:
        keys = ("bundles", "trials", "main", "process", "servers", "busy")
        seconds = point.get("windows", 1) * point["watched"]
        figures = [point["lanes"], seconds, *(point[key] for key in keys)]
        told = busy(costs, point["lanes"], point["trial"])
        cells = [f"{point['trial']:g} s", *(f"{figure:.3g}" for figure in figures), f"{told:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Fitted: a = {a:.3g} ms per bundle, b = {b:.3g} ms per bundle and lane, c = {c:.3g} ms per trial.",
        "",
        f"| trial | most lanes at {SHARE:.0%} |",
        "| --- | --- |",
        *(f"| {seconds:g} s | {most_lanes(costs, seconds):,} |" for seconds in LENGTHS),
        "",
        f"| lanes | shortest trial at {SHARE:.0%} |",
        "| --- | --- |",
        *(f"| {lanes:,} | {shortest(costs, lanes):.3g} s |" for lanes in CLUSTERS),
        "",
    ]
    return "\n".join(lines)


def main(given=None):
    """Run the command; its exit code."""
    options = _options(given)
    arms = [
        Arm(f"{lanes} x {seconds:g} s", "scale", {"lanes": lanes, "seconds": seconds, "each": options.each})
        for seconds in options.trials
        for lanes in options.lanes
    ]
    benchmark = Benchmark("scale", arms, lambda found: [], "")
    found, failed = in_turn(
        benchmark, 1, lambda text: print(text, file=sys.stderr, flush=True), options.figures
    )
    measured = [one for some in found.values() for one in some]
    points = gather(measured)
    if len(points) < 3:
        print("too little was measured: lanes were there for too short a time", file=sys.stderr)
        return 1
    costs = fit(points)
    command = " ".join(["python -m benchmarks.scale", *telling(sys.argv[1:] if given is None else given)])
    text = table(costs, points, [one["load"] for one in measured], command)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(json.dumps({"costs": costs}), file=sys.stderr)
    return 1 if failed else 0


def _options(given):
    parser = argparse.ArgumentParser("benchmarks.scale")
    parser.add_argument("--lanes", type=lambda text: [int(part) for part in text.split(",")], default=[64])
    parser.add_argument(
        "--trials", type=lambda text: [float(part) for part in text.split(",")], default=[1.0, 0.1]
    )
    parser.add_argument("--each", type=float, default=150.0, help="seconds of work per lane")
    parser.add_argument("--figures", type=Path, help="a folder that keeps figures")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
