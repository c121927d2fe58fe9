"""``make bench``: what the engine costs and saves, written into ``RESULTS.md``.

python -m benchmarks.engine [--only short,no-op] [--repeats 5] [--quick] [--out FILE]
"""

from __future__ import annotations

import sys

from benchmarks.rows import growth, savings, speed
from benchmarks.suite import Suite

BENCHMARKS = {
    "short": speed.short,
    "no-op": speed.noop,
    "study": speed.tuners,
    "thinking": speed.thinking,
    "single": speed.single,
    "cache": savings.cache,
    "stopping": savings.stopping,
    "start": growth.start,
    "workers": growth.workers,
    "trials": growth.trials,
}
main = Suite("engine", "The engine", BENCHMARKS).main

if __name__ == "__main__":
    sys.exit(main())
