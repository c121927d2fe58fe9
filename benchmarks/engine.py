"""``make bench``: what the engine costs and saves, written into ``RESULTS.md``.

    python -m benchmarks.engine [--only short,no-op] [--repeats 5] [--quick] [--out FILE]

Each measurement runs in a process of its own; the sides of a comparison run in turn, A B A B. Its
section of the file is written anew after each benchmark; rows of other benchmarks stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.measure import ROOT, in_turn, one
from benchmarks.rows import growth, savings, speed

BENCHMARKS = {
    "short": speed.short,
    "no-op": speed.noop,
    "study": speed.tuners,
    "thinking": speed.thinking,
    "single": speed.single,
    "cache": savings.cache,
    "stopping": savings.stopping,
    "start": growth.start,
    "lanes": growth.lanes,
    "trials": growth.trials,
}
SUITE = "engine"
RESULTS = ROOT / "benchmarks/RESULTS.md"


def main(given=None):
    options = _options(given)
    if options.one:
        print(json.dumps(one(options.one, options.scratch, json.loads(options.params))))
        return 0
    command = ["python", "-m", "benchmarks.engine", *(sys.argv[1:] if given is None else given)]
    out = options.out or (None if options.quick else RESULTS)
    failed = 0
    for name in options.only:
        benchmark = BENCHMARKS[name](options.quick)
        turns = benchmark.turns or options.repeats
        made = report.made(command, turns)
        found, failures = in_turn(benchmark, turns, lambda text: print(text, file=sys.stderr, flush=True))
        failed += failures
        rows = benchmark.rows(found)
        for row in rows:
            print(" | ".join([name, row.what, row.against, row.ours, row.theirs, row.ratio, row.reached]))
        if out:
            note = f"{benchmark.note} {made}"
            report.write(out, SUITE, "The engine", report.machine(), {name: rows}, {name: note})
    return 1 if failed else 0


def _options(given):
    parser = argparse.ArgumentParser("benchmarks.engine", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=_names, default=list(BENCHMARKS), help="names, with commas between")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each comparison")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; prints and writes nothing")
    parser.add_argument("--out", type=Path, help=f"default: {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--one", metavar="ARM", help="one measurement in this process, as one line of JSON")
    parser.add_argument("--params", default="{}", help="of the measurement, as JSON")
    parser.add_argument("--scratch", help="an empty folder for the measurement")
    return parser.parse_args(given)


def _names(text):
    names = text.split(",")
    for name in names:
        if name not in BENCHMARKS:
            raise argparse.ArgumentTypeError(f"there is no '{name}'; known are {', '.join(BENCHMARKS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
