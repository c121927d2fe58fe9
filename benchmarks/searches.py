"""``make bench-searches``: `SearchCV` beside the searches that scikit-learn's users know.

python -m benchmarks.searches [--only tables] [--quick] [--figures FOLDER] [--out FILE]
"""

from __future__ import annotations

import sys

from benchmarks.rows import searches
from benchmarks.suite import Suite

BENCHMARKS = {"tables": searches.tables, "small": searches.small, "learning": searches.learning}
main = Suite(
    "searches",
    "SearchCV",
    BENCHMARKS,
    "Searches in the form of a scikit-learn estimator, on the same folds.",
).main

if __name__ == "__main__":
    sys.exit(main())
